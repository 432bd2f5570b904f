// A Relay app's environment: its network functions send the id of each document, as there is no text in the app.
import { Environment, Network, Observable, RecordSource, Store, commitMutation, fetchQuery, requestSubscription } from 'relay-runtime';
import { createClient } from 'graphql-ws';
import { Recorder } from '../recorder.mjs';

const artifact = async (name) => (await import(`./__generated__/${name}.graphql.js`)).default;

export class RelayApp {
  recorder = new Recorder();

  /** `name`: of the parameter that the id goes out as. */
  constructor(url, name) {
    this.socket = createClient({
      url: url.replace(/^http/, 'ws'),
      connectionParams: () => ({ Authorization: `Bearer ${this.token}` }),
    });
    const fetch = async ({ id }, variables) => {
      const headers = { 'content-type': 'application/json', accept: 'application/graphql-response+json' };
      if (this.token) headers.authorization = `Bearer ${this.token}`;
      const body = JSON.stringify({ [name]: id, variables });
      const response = await this.recorder.fetch(url, { method: 'POST', headers, body });
      return response.json();
    };
    // graphql-ws sends nothing without a `query`.
    const subscribe = ({ id }, variables) =>
      Observable.create((sink) => this.socket.subscribe({ query: '', [name]: id, variables }, sink));
    this.environment = new Environment({ network: Network.create(fetch, subscribe), store: new Store(new RecordSource()) });
  }

  async query(name, variables = {}) {
    return fetchQuery(this.environment, await artifact(name), variables).toPromise();
  }

  async mutate(name, input) {
    const mutation = await artifact(name);
    return new Promise((onCompleted, onError) => {
      commitMutation(this.environment, { mutation, variables: { input }, onCompleted, onError });
    });
  }

  /** The first event of a subscription. */
  async event(name, variables) {
    const subscription = await artifact(name);
    return new Promise((resolve, reject) => {
      const { dispose } = requestSubscription(this.environment, {
        subscription,
        variables,
        onNext(data) {
          resolve(data);
          dispose();
        },
        onError: reject,
      });
    });
  }

  async close() {
    await this.socket.dispose();
  }
}

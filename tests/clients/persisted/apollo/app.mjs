// An app with Apollo Client: its links as Apollo's documentation chains them, and a session.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { print } from 'graphql';
import { createClient } from 'graphql-ws';
import { Recorder } from '../recorder.mjs';
import { CREATE, REFRESH, REGISTER, SIGN_IN, VIEWER } from './operations.mjs';

const PASSWORD = 'correct horse battery';
let accounts = 0;

export const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** The code of the error that an operation ends with. */
export async function refused(operation) {
  const error = await operation.then(
    ({ data }) => assert.fail(JSON.stringify(data)),
    (error) => error,
  );
  assert(error.errors, error.stack);
  return error.errors[0].extensions.code;
}

export class App {
  recorder = new Recorder();

  /** `persisted`: options of the link for persisted queries; without them documents go as text.
      `links`: more links in front of it. */
  constructor(url, { persisted, links = [], headers } = {}) {
    const token = new SetContextLink(({ headers }) => ({
      headers: this.token ? { ...headers, authorization: `Bearer ${this.token}` } : headers,
    }));
    const http = new HttpLink({ uri: url, headers, fetch: this.recorder.fetch });
    this.socket = createClient({
      url: url.replace(/^http/, 'ws'),
      connectionParams: () => ({ Authorization: `Bearer ${this.token}` }),
    });
    const line = ApolloLink.split(
      ({ operationType }) => operationType === 'subscription',
      new GraphQLWsLink(this.socket),
      http,
    );
    if (persisted) links = [...links, new PersistedQueryLink(persisted)];
    const cache = new InMemoryCache();
    this.client = new ApolloClient({ cache, link: ApolloLink.from([token, ...links, line]) });
  }

  /** A document as the client sends it. */
  printed(document) {
    return print(this.client.cache.transformDocument(document));
  }

  async query(query, variables) {
    return this.client.query({ query, variables, fetchPolicy: 'no-cache' });
  }

  async mutate(mutation, variables) {
    return this.client.mutate({ mutation, variables, fetchPolicy: 'no-cache' });
  }

  async session(mutation, input) {
    const { data } = await this.mutate(mutation, { input });
    const [{ accessToken, refreshToken, userErrors }] = Object.values(data);
    if (userErrors.length === 0) Object.assign(this, { token: accessToken, refreshToken });
    return userErrors.map(({ code }) => code);
  }

  async register() {
    this.email = `apollo-${process.pid}-${accounts++}@example.com`;
    return this.session(REGISTER, { email: this.email, name: 'Apollo', password: PASSWORD });
  }

  async signIn(password = PASSWORD) {
    return this.session(SIGN_IN, { email: this.email, password });
  }

  async refresh() {
    return this.session(REFRESH, { refreshToken: this.refreshToken });
  }

  async viewer() {
    return (await this.query(VIEWER)).data.viewer?.email;
  }

  async create(name) {
    return (await this.mutate(CREATE, { input: { name } })).data.createGallery.gallery.id;
  }

  /** The first events of a subscription, as many as `count`; `started` runs after the first. */
  async events(query, variables, count, started) {
    const events = [];
    const observable = this.client.subscribe({ query, variables, fetchPolicy: 'no-cache' });
    return new Promise((resolve, reject) => {
      const subscription = observable.subscribe({
        next({ data, error }) {
          if (error) return reject(error);
          events.push(data.galleryEvents);
          if (events.length === 1) started?.().catch(reject);
          if (events.length < count) return;
          subscription.unsubscribe();
          resolve(events);
        },
        error: reject,
        complete: () => reject(new Error(`ended after ${JSON.stringify(events)}`)),
      });
    });
  }

  async close() {
    this.client.stop();
    await this.socket.dispose();
  }
}

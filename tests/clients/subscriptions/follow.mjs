// Subscriptions with the clients that browsers use: node follow.mjs URL FOLDER, where the folder has
// JPEG files. The exit code is 1 when one of the checks fails.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient as createEventClient } from 'graphql-sse';
import { createClient as createSocketClient } from 'graphql-ws';
import WebSocket from 'ws';
import { Api } from './api.mjs';
import { line } from './line.mjs';

const [url, folder] = process.argv.slice(2);
const photos = (await readdir(folder)).filter((name) => name.endsWith('.jpg')).sort();
const api = new Api(url);
await api.register();

const soon = async () => new Promise((resolve) => setTimeout(resolve, 50));

const clients = {
  'graphql-ws': ({ port, token, retries }) =>
    createSocketClient({
      url: `ws://127.0.0.1:${port}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: token && { Authorization: `Bearer ${token}` },
      retryAttempts: retries,
      retryWait: soon,
    }),
  'graphql-sse': ({ port, token, retries }) =>
    createEventClient({
      url: `http://127.0.0.1:${port}/graphql`,
      headers: token && { authorization: `Bearer ${token}` },
      retryAttempts: retries,
      retry: soon,
    }),
};

const FOLLOW = `subscription($id: ID!, $after: String) {
  galleryEvents(galleryId: $id, after: $after) {
    __typename
    cursor
    ... on PhotoChanged { photo { id status } }
  }
}`;

/** Follows a gallery. Both clients send the same object again after a break, so that it goes on from
    the last cursor when that is written into its variables. */
function follow(client, id, after = null) {
  const variables = { id, after };
  const seen = [];
  let wake = () => {};
  const end = { failed: null };
  const stop = client.subscribe(
    { query: FOLLOW, variables },
    {
      next({ data, errors }) {
        if (errors) end.failed = errors;
        else {
          seen.push(data.galleryEvents);
          variables.after = data.galleryEvents.cursor;
        }
        wake();
      },
      error(error) {
        end.failed = error;
        wake();
      },
      complete() {},
    },
  );
  return {
    seen,
    stop,
    /** Waits for an event like this. */
    async until(what, matches) {
      const deadline = Date.now() + 60_000;
      for (;;) {
        if (end.failed) throw new Error(`${what}: ${JSON.stringify(end.failed)}`);
        if (seen.some(matches)) return;
        assert(Date.now() < deadline, `${what}: not within a minute; seen: ${JSON.stringify(seen)}`);
        const timer = setTimeout(() => wake(), 1000);
        await new Promise((resolve) => (wake = resolve));
        clearTimeout(timer);
      }
    },
  };
}

const isStart = (event) => event.__typename === 'GalleryEventsStarted';
const isReady = (id) => (event) => event.photo?.id === id && event.photo.status === 'READY';
const cursors = (events) => events.filter((event) => !isStart(event)).map(({ cursor }) => cursor);

/** The only answer, or what the client throws instead. */
async function answer(client, query) {
  return new Promise((resolve, reject) => {
    let last;
    client.subscribe({ query }, { next: (value) => (last = value), error: reject, complete: () => resolve(last) });
  });
}

const checks = {
  async 'a query and a mutation have one answer'(open) {
    const client = open();
    assert.deepEqual(await answer(client, '{ __typename }'), { data: { __typename: 'Query' } });
    assert.deepEqual(await answer(client, 'mutation { __typename }'), { data: { __typename: 'Mutation' } });
  },

  async 'a document that is wrong is told so'(open) {
    const told = await answer(open(), '{ unknown }').then(({ errors }) => errors, (errors) => errors);
    assert.equal(told[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
  },

  async 'a token that is none is refused'(open) {
    const refused = await answer(open({ token: 'nonsense' }), '{ __typename }').then(
      (value) => assert.fail(JSON.stringify(value)),
      (error) => error,
    );
    assert.equal(refused.code ?? refused.response?.status, refused.code ? 4403 : 401, `${refused}`);
  },

  async 'a photo is seen through to READY'(open, photo) {
    const gallery = await api.createGallery('seen through');
    const events = follow(open(), gallery);
    await events.until('the start', isStart);
    const id = await api.upload(gallery, photo);
    await events.until('PROCESSING', ({ photo }) => photo?.id === id && photo.status === 'PROCESSING');
    await events.until('READY', isReady(id));
    events.stop();
  },

  async 'after breaks of the line nothing is missed and nothing comes twice'(open, ...[first, second]) {
    const gallery = await api.createGallery('broken line');
    const wire = await line(new URL(url).port);
    const events = follow(open({ port: wire.port }), gallery);
    await events.until('the start', isStart);
    const start = events.seen[0].cursor;
    const ids = [await api.upload(gallery, first)];
    await events.until('the first event', ({ photo }) => photo?.id === ids[0]);
    for (let cut = 0; cut < 3; cut++) {
      wire.cut();
      if (cut === 1) ids.push(await api.upload(gallery, second));
      // Once more it says from where it goes on.
      await events.until('a new start', () => events.seen.filter(isStart).length >= cut + 2);
    }
    for (const id of ids) await events.until('READY', isReady(id));
    // Its own connection, from the beginning: the whole history.
    const whole = follow(open(), gallery, start);
    const last = events.seen.at(-1).cursor;
    await whole.until('the last event', ({ cursor }) => cursor === last);
    const until = (list) => list.slice(0, list.indexOf(last) + 1);
    assert.deepEqual(until(cursors(events.seen)), until(cursors(whole.seen)));
    assert(cursors(whole.seen).length >= 4);
    events.stop();
    whole.stop();
    wire.close();
  },
};

let passed = 0;
let count = 0;
for (const [name, make] of Object.entries(clients)) {
  for (const [what, check] of Object.entries(checks)) {
    const opened = [];
    const open = (options = {}) => {
      const client = make({ port: new URL(url).port, token: api.token, retries: 20, ...options });
      opened.push(client);
      return client;
    };
    count++;
    try {
      await check(open, ...photos.map((photo) => join(folder, photo)));
      passed++;
    } catch (error) {
      console.log(`FAILED ${name}: ${what}: ${error.stack}`);
    }
    for (const client of opened) await client.dispose();
  }
}
console.log(`${passed} of ${count} checks passed`);
process.exit(passed === count ? 0 : 1);

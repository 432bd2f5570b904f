// `trusted-only`: nothing runs but the documents of manifests/, of an app with Apollo Client and one with Relay.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { gql } from '@apollo/client';
import {
  createPersistedQueryManifestVerificationLink,
  generatePersistedQueryIdsAtRuntime,
  generatePersistedQueryIdsFromManifest,
} from '@apollo/persisted-query-lists';
import { getIntrospectionQuery, parse } from 'graphql';
import { App, refused, sha256 } from '../apollo/app.mjs';
import { FOLLOW, GALLERIES, RENAME } from '../apollo/operations.mjs';
import { RelayApp } from '../relay/network.mjs';

const loadManifest = async () => JSON.parse(await readFile('manifests/apollo.json', 'utf8'));
const BY_ID = 'POST hash: 200';

// Of a release whose manifest is not there.
const NEWER = gql`
  query Newer {
    viewer {
      id
      email
    }
  }
`;

export function trusted(url, open) {
  const mismatches = [];
  const verify = createPersistedQueryManifestVerificationLink({
    loadManifest,
    onVerificationFailed: ({ reason }) => mismatches.push(reason),
  });
  const ids = generatePersistedQueryIdsFromManifest({ loadManifest });
  const app = open(new App(url, { persisted: ids, links: [verify] }));
  const text = open(new App(url));

  async function follow(each) {
    const galleryId = await each.create('followed');
    const rename = async () => each.mutate(RENAME, { input: { galleryId, name: 'renamed' } });
    const events = await each.events(FOLLOW, { galleryId }, 2, rename);
    assert.deepEqual(events.map((event) => event.__typename), ['GalleryEventsStarted', 'GalleryChanged']);
    assert.equal(events[1].gallery.name, 'renamed');
  }

  const checks = {
    async 'trusted-only: Apollo: an account is made, signs in and renews its tokens by ids'() {
      for (const step of ['register', 'signIn', 'refresh']) {
        assert.deepEqual(await app[step](), []);
        assert.equal(await app.viewer(), app.email);
        app.recorder.sent(BY_ID, BY_ID);
      }
      assert.deepEqual(await app.signIn('wrong horse battery'), ['WRONG_CREDENTIALS']);
      app.recorder.sent(BY_ID);
    },

    async 'trusted-only: Apollo: ids by GET'() {
      const getting = open(new App(url, { persisted: { ...ids, useGETForHashedQueries: true } }));
      getting.token = app.token;
      const id = await getting.create('by id');
      getting.recorder.sent(BY_ID);
      const { data } = await getting.query(GALLERIES, { first: 1 });
      assert.equal(data.galleries.nodes[0].id, id);
      getting.recorder.sent('GET hash: 200');
    },

    async 'trusted-only: Apollo: a subscription by WebSocket, with id and text'() {
      await follow(app);
      app.recorder.sent(BY_ID, BY_ID);
    },

    async 'trusted-only: Apollo: the text of a trusted document'() {
      text.token = app.token;
      assert.equal(await text.viewer(), app.email);
      await follow(text);
      text.recorder.sent(...Array(3).fill('POST text: 200'));
    },

    async 'trusted-only: Apollo: what the client sends is what the manifest has'() {
      assert.deepEqual(mismatches, []);
    },

    async 'trusted-only: no other text runs, introspection neither'() {
      for (const document of [NEWER, parse(getIntrospectionQuery())]) {
        assert.equal(await refused(text.query(document)), 'QUERY_NOT_TRUSTED');
        text.recorder.sent('POST text: 400 QUERY_NOT_TRUSTED');
      }
    },

    async 'trusted-only: Apollo: a newer client is refused, without a loop'() {
      for (const persisted of [generatePersistedQueryIdsAtRuntime({ sha256 }), { sha256 }]) {
        const newer = open(new App(url, { persisted }));
        newer.token = app.token;
        assert.equal(await refused(newer.query(NEWER)), 'QUERY_NOT_TRUSTED');
        newer.recorder.sent('POST hash: 400 PERSISTED_QUERY_NOT_FOUND', 'POST hash text: 400 QUERY_NOT_TRUSTED');
        // What both releases have in common works.
        assert.equal(await newer.viewer(), app.email);
        newer.recorder.sent(BY_ID);
      }
    },
  };

  for (const name of ['documentId', 'doc_id']) {
    checks[`trusted-only: Relay: mutations, fragments and a subscription by ${name}`] = async () => {
      const relay = open(new RelayApp(url, name));
      const email = `relay-${process.pid}-${name.toLowerCase()}@example.com`;
      const password = 'correct horse battery';
      const { register } = await relay.mutate('appRegisterMutation', { email, name: 'Relay', password });
      assert.deepEqual(register.userErrors, []);
      const { signIn } = await relay.mutate('appSignInMutation', { email, password });
      relay.token = signIn.accessToken;
      assert.equal((await relay.query('appViewerQuery')).viewer.email, email);
      const { createGallery } = await relay.mutate('appCreateMutation', { name: 'of Relay' });
      const { id } = createGallery.gallery;
      assert((await relay.query('appGalleryQuery', { id })).gallery.__fragments.app_photos);
      assert((await relay.query('appPhotosQuery', { id })).node.__fragments.app_photos);
      relay.recorder.sent(...Array(6).fill(`POST ${name}: 200`));
      const { galleryEvents } = await relay.event('appFollowSubscription', { galleryId: id });
      assert.equal(galleryEvents.__typename, 'GalleryEventsStarted');
    };
  }

  checks['trusted-only: Relay: an id that no manifest has'] = async () => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ documentId: '0'.repeat(32) }),
    });
    assert.equal((await answer.json()).errors[0].extensions.code, 'PERSISTED_QUERY_NOT_FOUND');
  };
  return checks;
}

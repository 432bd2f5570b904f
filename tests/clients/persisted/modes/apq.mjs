// `apq`: Apollo's automatic persisted queries.
import assert from 'node:assert/strict';
import { gql } from '@apollo/client';
import { App, refused, sha256 } from '../apollo/app.mjs';
import { CREATE, FOLLOW, GALLERIES } from '../apollo/operations.mjs';

const UNKNOWN = 'POST hash: 400 PERSISTED_QUERY_NOT_FOUND';
const REGISTERED = 'POST hash text: 200';
const KNOWN = 'POST hash: 200';

// 100 galleries with 100 photos each, with 10 faces each, in each of which the person has 100 photos.
const DEAR = gql`
  query Dear {
    galleries(first: 100) {
      nodes {
        photos(first: 100) {
          nodes {
            faces {
              person {
                photos(first: 100) {
                  nodes {
                    id
                  }
                }
              }
            }
          }
        }
      }
    }
  }
`;
const WRONG = gql`
  query Wrong {
    nothingOfTheKind
  }
`;

export function apq(url, open) {
  const hashes = { sha256 };
  const app = open(new App(url, { persisted: hashes }));
  const getting = open(new App(url, { persisted: { ...hashes, useGETForHashedQueries: true } }));
  return {
    async 'apq: what goes out as a hash first is repeated with its text'() {
      assert.equal(await app.viewer(), undefined);
      app.recorder.sent(UNKNOWN, REGISTERED);
    },

    async 'apq: from then on the hash is enough, for whoever sends it'() {
      const other = open(new App(url, { persisted: hashes }));
      for (const each of [app, other]) {
        assert.equal(await each.viewer(), undefined);
        each.recorder.sent(KNOWN);
      }
    },

    async 'apq: an account is made, signs in and renews its tokens'() {
      for (const step of ['register', 'signIn', 'refresh']) {
        assert.deepEqual(await app[step](), []);
        app.recorder.sent(UNKNOWN, REGISTERED);
        assert.equal(await app.viewer(), app.email);
        app.recorder.sent(KNOWN);
      }
      assert.deepEqual(await app.signIn('wrong horse battery'), ['WRONG_CREDENTIALS']);
      assert.deepEqual(await app.signIn(), []);
      app.recorder.sent(KNOWN, KNOWN);
    },

    async 'apq: hashes by GET'() {
      getting.token = app.token;
      const galleries = async () => (await getting.query(GALLERIES, { first: 1 })).data.galleries.nodes;
      assert.deepEqual(await galleries(), []);
      getting.recorder.sent('GET hash: 400 PERSISTED_QUERY_NOT_FOUND', REGISTERED);
      assert.deepEqual(await galleries(), []);
      getting.recorder.sent('GET hash: 200');
    },

    async 'apq: a mutation never goes by GET'() {
      await getting.create('by POST');
      getting.recorder.sent(UNKNOWN, REGISTERED);
      await getting.create('by POST again');
      getting.recorder.sent(KNOWN);
      // Not even for a client that tries to.
      const extensions = JSON.stringify({ persistedQuery: { version: 1, sha256Hash: sha256(app.printed(CREATE)) } });
      const variables = JSON.stringify({ input: { name: 'by GET' } });
      const response = await fetch(`${url}?${new URLSearchParams({ extensions, variables })}`, {
        headers: { authorization: `Bearer ${app.token}`, accept: 'application/json' },
      });
      assert.equal(response.status, 405, await response.text());
      assert.equal((await getting.query(GALLERIES, { first: 10 })).data.galleries.nodes.length, 2);
      getting.recorder.sent('GET hash: 200');
    },

    async 'apq: a document that is refused is told so, without a loop'() {
      for (const [document, code] of [[DEAR, 'QUERY_TOO_COMPLEX'], [WRONG, 'GRAPHQL_VALIDATION_FAILED']]) {
        for (let i = 0; i < 2; i++) {
          assert.equal(await refused(app.query(document)), code);
          app.recorder.sent(UNKNOWN, `POST hash text: 400 ${code}`);
        }
      }
      // Nor does the client think that the server knows no hashes.
      assert.equal(await app.viewer(), app.email);
      app.recorder.sent(KNOWN);
    },

    async 'apq: a client that takes no other type than application/json'() {
      const plain = open(new App(url, { persisted: hashes, headers: { accept: 'application/json' } }));
      const document = gql`
        query Plain {
          viewer {
            id
          }
        }
      `;
      await plain.query(document);
      plain.recorder.sent('POST hash: 200 PERSISTED_QUERY_NOT_FOUND', REGISTERED);
      await plain.query(document);
      plain.recorder.sent(KNOWN);
    },

    async 'apq: a subscription by WebSocket'() {
      const galleryId = await app.create('followed');
      const [{ __typename: first }] = await app.events(FOLLOW, { galleryId }, 1);
      assert.equal(first, 'GalleryEventsStarted');
    },
  };
}

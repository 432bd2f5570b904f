// `off`: documents come as text only.
import assert from 'node:assert/strict';
import { App, sha256 } from '../apollo/app.mjs';

const TEXT = 'POST text: 200';

export function off(url, open) {
  const checks = {};
  for (const useGETForHashedQueries of [false, true]) {
    const method = useGETForHashedQueries ? 'GET' : 'POST';
    checks[`off: a client that tries hashes by ${method} is told once, and sends text from then on`] = async () => {
      const app = open(new App(url, { persisted: { sha256, useGETForHashedQueries } }));
      assert.equal(await app.viewer(), undefined);
      app.recorder.sent(`${method} hash: 400 PERSISTED_QUERY_NOT_SUPPORTED`, TEXT);
      for (const step of ['register', 'signIn', 'refresh']) {
        assert.deepEqual(await app[step](), []);
        assert.equal(await app.viewer(), app.email);
        app.recorder.sent(TEXT, TEXT);
      }
    };
  }
  return checks;
}

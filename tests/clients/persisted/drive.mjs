// Persisted documents with the clients that apps use: node drive.mjs APQ OFF TRUSTED, the addresses of three servers,
// one in each mode of graphql.persisted; TRUSTED knows manifests/. The exit code is 1 when one of the checks fails.
import WebSocket from 'ws';
import { apq } from './modes/apq.mjs';
import { off } from './modes/off.mjs';
import { trusted } from './modes/trusted.mjs';
import { runChecks } from '../drive/checks.mjs';

// As browsers have it, and Node.js from 22 on.
globalThis.WebSocket ??= WebSocket;

const modes = [apq, off, trusted];
let allPassed = true;
for (const [index, url] of process.argv.slice(2).entries()) {
  const opened = [];
  const open = (app) => {
    opened.push(app);
    return app;
  };
  allPassed &= await runChecks(modes[index](url, open));
  for (const app of opened) await app.close();
}
process.exit(allPassed ? 0 : 1);

// Uploads pictures as a phone does in the background:
//
//   EMAIL=.. PASSWORD=.. node main.js --api URL --gallery ID --state FOLDER [--parallel N] FILE...
//
// The queue is in FOLDER. Killed at any moment and started again, with or without files, it goes on. One process at
// a time.
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Api } from './api.js';
import { log } from './log.js';
import { Queue } from './queue.js';
import { Uploader } from './uploader.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    api: { type: 'string' },
    gallery: { type: 'string' },
    state: { type: 'string' },
    parallel: { type: 'string', default: '3' },
  },
});
const { EMAIL: email, PASSWORD: password } = process.env;
const { api: url, gallery: galleryId, state, parallel } = values;
if (!url || !galleryId || !state || !email || !password) throw new Error('EMAIL, PASSWORD, --api, --gallery and --state');

await mkdir(state, { recursive: true, mode: 0o700 });
const queue = await Queue.open(join(state, 'queue.json'));
await queue.add(positionals.map((path) => resolve(path)));
const api = await Api.open(url, { email, password }, join(state, 'session.json'));
await new Uploader(api, queue, { galleryId, parallel: Number(parallel) }).run();

const failed = queue.items.filter((item) => item.state === 'failed');
log('done', { files: queue.items.length, failed: failed.length });
process.exitCode = failed.length === 0 ? 0 : 1;

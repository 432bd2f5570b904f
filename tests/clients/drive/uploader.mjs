// The background uploader on a bad day: node uploader.mjs API STORE PORT PROGRAM PHOTOS FOLDER. The API signs URLs for
// PORT, where a proxy leads to STORE; PHOTOS has the sample pictures, FOLDER is empty. Lines break, servers refuse,
// answers get lost, URLs end, and the uploader is killed once: every picture must be there once all the same. The exit
// code is 1 when one of the checks fails.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { runChecks } from './checks.mjs';
import { proxy } from './proxy.mjs';

const [api, store, port, program, photos, folder] = process.argv.slice(2);
const PARALLEL = 3;
/** Index of the file that is there a second time. It meets no fault: its copy comes after it for certain. */
const COPIED = 4;
const account = { email: `cleo-${Date.now()}@example.com`, password: 'correct horse battery' };

let token = '';
async function ask(query, variables) {
  const headers = { 'content-type': 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  const response = await fetch(api, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  if (response.status === 401) {
    // Tokens are short-lived here.
    await signIn();
    return ask(query, variables);
  }
  const { data, errors } = await response.json();
  assert(!errors, JSON.stringify(errors));
  return data;
}

async function signIn() {
  token = '';
  const query = 'mutation($input: SignInInput!) { signIn(input: $input) { accessToken } }';
  token = (await ask(query, { input: account })).signIn.accessToken;
}

/** Every sample twice, the second time with a comment in it, so that it is another file; and one copy. */
async function pictures() {
  const names = (await readdir(photos)).filter((name) => name.endsWith('.jpg')).sort();
  const files = [];
  for (const name of names) {
    const bytes = await readFile(join(photos, name));
    const comment = Buffer.from([0xff, 0xfe, 0, 6, ...Buffer.from('more')]);
    files.push([name, bytes], [`more-${name}`, Buffer.concat([bytes.subarray(0, 2), comment, bytes.subarray(2)])]);
  }
  const [name, bytes] = files[COPIED];
  files.push([`copy-of-${name}`, bytes]);
  for (const [name, bytes] of files) await writeFile(join(folder, name), bytes);
  return files.map(([name]) => join(folder, name));
}

// What went over the lines.
const calls = [];
const puts = [];
let life = 1;
let flying = 0;
let most = 0;
let held = 0;
let stands = () => {};
const standing = new Promise((resolve) => (stands = resolve));

/** The n-th call of an operation in this life of the uploader. */
const nth = (name) => calls.filter((call) => call.life === life && call.name === name).length;

const UNAVAILABLE = {
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({
    data: null,
    errors: [{ message: 'try again', extensions: { code: 'UNAVAILABLE', retryAfterSeconds: 2 } }],
  }),
};
const refusal = (status, code, headers) => ({ answer: { status, headers, body: `<Error><Code>${code}</Code></Error>` } });

function meetCall(request, response, { operationName: name, variables }) {
  calls.push({ life, name, input: variables.input, at: Date.now() });
  if (name === 'RequestUploads' && life === 1) return [{ lose: true }, { answer: UNAVAILABLE }][nth(name) - 1];
  if (name === 'ConfirmUploads' && life === 2) return [{ lose: true }][nth(name) - 1];
}

function meetPut(request, response) {
  const put = { life, path: new URL(request.url, store).pathname, at: Date.now() };
  puts.push(put);
  flying++;
  most = Math.max(most, flying);
  response.on('close', () => flying--);
  const count = puts.filter((other) => other.life === life).length;
  const seen = (status) => (put.status = status);
  if (life === 1) {
    if (count === 1) return { cut: true };
    if (count === 2) return refusal(503, 'SlowDown', { 'retry-after': '1' });
    if (count === 3) return { lose: true, seen };
    if (count > 5) {
      held++;
      if (held === PARALLEL) stands();
      return { hold: true };
    }
  }
  // As a store whose clock is ahead of the phone's says it.
  if (life === 2 && count === 1) return refusal(403, 'AccessDenied');
  return { seen };
}

const toStore = await proxy(store, Number(port), meetPut);
const toApi = await proxy(api, 0, meetCall);
const state = join(folder, 'state');
const queue = async () => JSON.parse(await readFile(join(state, 'queue.json'), 'utf8'));

let child;
function upload(galleryId, files) {
  const target = `${toApi.url}${new URL(api).pathname}`;
  child = spawn(
    process.execPath,
    [program, '--api', target, '--gallery', galleryId, '--state', state, '--parallel', `${PARALLEL}`, ...files],
    { env: { ...process.env, EMAIL: account.email, PASSWORD: account.password }, stdio: 'inherit' },
  );
}

/** Milliseconds from this call to the next one. */
const pause = (list, index, same = () => true) => list.slice(index + 1).find(same).at - list[index].at;

let files;
let galleryId;
let atKill;
const checks = {
  async 'it is killed while files are on their way'() {
    await ask('mutation($input: RegisterInput!) { register(input: $input) { userErrors { code } } }', {
      input: { ...account, name: 'Cleo' },
    });
    await signIn();
    const made = await ask('mutation { createGallery(input: { name: "Of a phone" }) { gallery { id } } }');
    galleryId = made.createGallery.gallery.id;
    files = await pictures();
    upload(galleryId, files);
    const ended = once(child, 'exit');
    const first = await Promise.race([standing.then(() => 'stands'), ended]);
    assert.equal(first, 'stands');
    child.kill('SIGKILL');
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    atKill = await queue();
    assert.equal(atKill.length, files.length);
    const states = atKill.map(({ state }) => state);
    assert.equal(states.filter((state) => state === 'sent').length, 2);
    assert(states.includes('waiting'));
  },

  async 'started again after its URLs have ended it brings all of them to their end'() {
    life = 2;
    const ends = atKill.flatMap(({ target }) => (target ? Date.parse(target.expiresAt) : []));
    await wait(Math.max(0, ...ends.map((end) => end - Date.now() + 1000)));
    // The queue knows the files.
    upload(galleryId, []);
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  },

  async 'every picture is READY, and none is there twice'() {
    const query = `query($id: ID!) { gallery(id: $id) {
      photos(first: 100, filter: { status: [AWAITING_UPLOAD, PROCESSING, READY, PARTIAL, FAILED] }) { nodes { id filename status } }
      people(first: 100) { nodes { photoCount } }
    } }`;
    const wanted = files.slice(0, -1).map((path) => basename(path)).sort();
    const deadline = Date.now() + 240_000;
    for (;;) {
      const { photos, people } = (await ask(query, { id: galleryId })).gallery;
      assert.deepEqual(photos.nodes.map(({ filename }) => filename).sort(), wanted);
      const open = photos.nodes.filter(({ status }) => ['AWAITING_UPLOAD', 'PROCESSING'].includes(status));
      if (open.length === 0) {
        assert(photos.nodes.every(({ status }) => status === 'READY'), JSON.stringify(photos.nodes));
        // Each is there with its twin, so everybody is in two pictures at least.
        assert(people.nodes.length > 0 && people.nodes.every(({ photoCount }) => photoCount >= 2), JSON.stringify(people));
        break;
      }
      assert(Date.now() < deadline, `not READY: ${JSON.stringify(open)}`);
      await wait(500);
    }
  },

  async 'the copy is told as one, and not sent'() {
    const items = await queue();
    const copy = items.at(-1);
    assert.equal(copy.state, 'duplicate');
    assert.equal(copy.duplicateOf, items[COPIED].photoId);
    assert(items.slice(0, -1).every(({ state }) => state === 'confirmed'), JSON.stringify(items));
  },

  async 'targets were renewed under the keys that they were made with'() {
    const announced = calls.filter(({ name }) => name === 'RequestUploads');
    const keys = new Map();
    for (const { input } of announced) {
      const hashes = input.files.map(({ sha256 }) => sha256).join();
      assert.equal(keys.get(input.idempotencyKey) ?? hashes, hashes, 'one key, other files');
      keys.set(input.idempotencyKey, hashes);
    }
    assert.deepEqual([...keys.keys()].sort(), [...new Set(atKill.map(({ idempotencyKey }) => idempotencyKey))].sort());
    assert(announced.filter(({ life }) => life === 2).length >= 2);
    for (const { path, photoId } of atKill.filter(({ photoId }) => photoId)) {
      const now = (await queue()).find((item) => item.path === path);
      assert.equal(now.photoId, photoId, path);
    }
  },

  async 'it waited as long as it was asked to'() {
    const refused = calls.findIndex(({ name, life }, index) => {
      const before = calls.slice(0, index).filter((call) => call.name === name);
      return name === 'RequestUploads' && life === 1 && before.length === 1;
    });
    assert(pause(calls, refused) >= 2000, `${pause(calls, refused)} ms after retryAfterSeconds: 2`);
    const { path } = puts[1];
    const again = puts.slice(2).find((put) => put.path === path);
    assert(again.at - puts[1].at >= 1000, `${again.at - puts[1].at} ms after Retry-After: 1`);
  },

  async 'never more PUTs at a time than it may, and none too many'() {
    assert.equal(most, PARALLEL);
    const arrived = new Map();
    for (const { path, status } of puts) if (status === 200) arrived.set(path, (arrived.get(path) ?? 0) + 1);
    assert.equal(arrived.size, files.length - 1);
    assert([...arrived.values()].every((count) => count === 1), JSON.stringify([...arrived]));
    // The one whose answer got lost was sent again, and the store had it.
    assert.equal(puts.filter(({ status }) => status === 412).length, 1);
  },

  async 'confirmations went in batches, and a lost answer did no harm'() {
    const confirmed = calls.filter(({ name }) => name === 'ConfirmUploads');
    assert(confirmed.length < files.length - 1, `${confirmed.length} calls`);
    const [lost, again] = confirmed;
    assert.deepEqual(lost.input, again.input);
  },

  async 'its session survived: signed in once, then renewed'() {
    assert.equal(calls.filter(({ name }) => name === 'SignIn').length, 1);
    assert(calls.some(({ name, life }) => name === 'RefreshTokens' && life === 2));
  },
};

const allPassed = await runChecks(checks);
child?.kill('SIGKILL');
toApi.close();
toStore.close();
process.exit(allPassed ? 0 : 1);

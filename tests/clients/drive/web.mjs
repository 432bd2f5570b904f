// The browser's example client in headless Chromium: node web.mjs URL FOLDER PHOTOS SCREENSHOT, where FOLDER has the
// built page and PHOTOS the sample pictures. The exit code is 1 when one of the checks fails.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { openBrowser } from './browser.mjs';
import { runChecks } from './checks.mjs';

const [url, folder, photos, screenshot] = process.argv.slice(2);
const pictures = (await readdir(photos)).filter((name) => name.endsWith('.jpg')).sort();

// A site of its own, as a web app is: what it asks of the API and of the store is cross-origin.
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' };
const site = createServer(async (request, response) => {
  const name = new URL(request.url, 'http://site').pathname.slice(1) || 'index.html';
  try {
    const body = await readFile(join(folder, name));
    response.writeHead(200, { 'content-type': TYPES[extname(name)] }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));

const { context, faults, close } = await openBrowser({ viewport: { width: 1000, height: 900 } });
const page = await context.newPage();
page.setDefaultTimeout(120_000);

const puts = [];
page.on('request', (request) => {
  if (request.method() === 'PUT') puts.push(request);
});
const email = `bea-${Date.now()}@example.com`;
const noticed = (text) => page.locator('#notice', { hasText: text }).waitFor();
const choose = (names) => page.getByLabel('Photos').setInputFiles(names.map((name) => join(photos, name)));

const checks = {
  async 'somebody registers'() {
    await page.goto(`http://127.0.0.1:${site.address().port}/?api=${encodeURIComponent(url)}`);
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill('correct horse battery');
    await page.getByRole('button', { name: 'Register' }).click();
    await noticed(`Signed in as ${email}.`);
  },

  async 'a wrong password is told, the right one signs in'() {
    await page.getByLabel('Password').fill('wrong horse battery');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await noticed(/password/i);
    await page.getByLabel('Password').fill('correct horse battery');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await noticed(`Signed in as ${email}.`);
  },

  async 'a gallery is made'() {
    await page.getByLabel('Gallery').fill('From the browser');
    await page.getByRole('button', { name: 'Make it' }).click();
    await noticed('The gallery From the browser is made.');
  },

  async 'chosen files go straight to the store'() {
    await choose(pictures);
    await page.getByRole('button', { name: 'Upload' }).click();
    await noticed(`${pictures.length} uploaded`);
    assert.equal(puts.length, pictures.length);
    for (const put of puts) assert.notEqual(new URL(put.url()).port, new URL(url).port, put.url());
  },

  async 'events see each of them through to READY'() {
    await page.locator(`#photos:not(:has(figure:not([data-status=READY]))):has(figure:nth-child(${pictures.length}))`).waitFor();
    assert.equal(await page.locator('figure').count(), pictures.length);
    assert.deepEqual((await page.locator('figcaption').allTextContents()).sort(), pictures.map((name) => `${name}: READY`));
  },

  async 'their thumbnails and people show'() {
    await page.locator('[data-person]').first().waitFor();
    await page.waitForFunction(() => [...document.images].every(({ complete, naturalWidth }) => complete && naturalWidth > 0));
    assert.equal(await page.locator('figure img').count(), pictures.length);
    await page.screenshot({ path: screenshot, fullPage: true });
  },

  async 'a file that is there already is not sent again'() {
    await choose(pictures.slice(0, 1));
    await page.getByRole('button', { name: 'Upload' }).click();
    await noticed(`${pictures[0]} is there already`);
    assert.equal(puts.length, pictures.length);
    assert.equal(await page.locator('figure').count(), pictures.length);
  },

  async 'nothing went wrong in the browser'() {
    assert.deepEqual(faults, []);
  },
};

const allPassed = await runChecks(checks, () => page.screenshot({ path: screenshot.replace(/(\.png)?$/, '-failed.png') }));
await close();
site.close();
process.exit(allPassed ? 0 : 1);

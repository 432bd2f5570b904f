// GraphiQL as a person uses it: node graphiql.mjs URL URL_OF_A_SERVER_WITHOUT_IT FOLDER SCREENSHOT, where the
// folder has the sample pictures. The exit code is 1 when one of the checks fails.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openBrowser } from './browser.mjs';
import { runChecks } from './checks.mjs';

const [url, withoutIt, folder, screenshot] = process.argv.slice(2);
const { context, faults, close } = await openBrowser({ viewport: { width: 1400, height: 900 } });
const page = await context.newPage();
page.setDefaultTimeout(60_000);

const EXAMPLES = [
  'Register', 'SignIn', 'CreateGallery', 'RequestUploads', 'ConfirmUploads', 'GalleryPage', 'FollowGallery', 'Viewer',
];

const editor = (part) => page.locator(`${part} .CodeMirror`).first();
const textOf = (part) => editor(part).evaluate((node) => node.CodeMirror.getValue());
const box = (name) => page.getByLabel(name, { exact: true });

/** Replaces what an editor holds, as a paste does. */
async function write(part, text) {
  await editor(part).click();
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText(text);
}

async function open(tab) {
  await page.locator('.graphiql-tabs').getByRole('button', { name: tab, exact: true }).click();
}

/** Runs the open tab, and waits for an answer like this. */
async function run(matches = () => true) {
  // What the last run answered would be taken for the answer of this one.
  await editor('.result-window').evaluate((node) => node.CodeMirror.setValue(''));
  await page.getByRole('button', { name: /^Execute query/ }).click();
  return answer(matches);
}

async function answer(matches) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const text = await textOf('.result-window');
    const isWhole = text.trim().startsWith('{');
    if (isWhole && matches(text)) return JSON.parse(text);
    assert(Date.now() < deadline, `not within a minute; the answer is ${text}`);
    await page.waitForTimeout(50);
  }
}

/** The same API, from outside of the page. */
async function ask(query, variables) {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${await box('Access token').inputValue()}` };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await response.json();
  assert(!errors, JSON.stringify(errors));
  return data;
}

/** What shows a text that does not fit into it. */
const cutOff = (selector = '#bar label, #bar button, .graphiql-tabs, .graphiql-tabs button, .CodeMirror-scroll') =>
  page.evaluate((selector) => {
    const isCut = (node) => node.clientWidth > 0 && node.scrollWidth > node.clientWidth + 1;
    const texts = [...document.querySelectorAll(selector)];
    const fields = [...document.querySelectorAll('#bar input')].filter((input) => {
      const context = document.createElement('canvas').getContext('2d');
      const style = getComputedStyle(input);
      context.font = style.font;
      const room = input.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
      return context.measureText(input.placeholder).width > room;
    });
    return [...texts.filter(isCut), ...fields].map((node) => node.id || node.className || node.textContent);
  }, selector);

const policyOf = (header) =>
  new Map(header.split(';').map((part) => part.trim().split(/\s+/)).map(([name, ...values]) => [name, values.join(' ')]));

let upload;
const checks = {
  async 'the policy lets nothing run but our files'() {
    const response = await page.goto(url);
    assert.equal(response.status(), 200);
    const policy = policyOf(await response.headerValue('content-security-policy'));
    for (const name of ['default-src', 'base-uri', 'form-action', 'frame-ancestors']) {
      assert.equal(policy.get(name), "'none'", name);
    }
    for (const name of ['script-src', 'style-src', 'connect-src']) assert.equal(policy.get(name), "'self'", name);
    assert.equal(await response.headerValue('x-content-type-options'), 'nosniff');
  },

  async 'it opens with the examples, and no text is cut off'() {
    await page.locator('.graphiql-query-editor').waitFor();
    for (const tab of EXAMPLES) {
      await open(tab);
      assert.deepEqual(await cutOff(), [], tab);
    }
  },

  async 'the documentation is there'() {
    await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    await page.getByText('A GraphQL schema provides').waitFor();
    const docs = page.locator('.graphiql-plugin');
    await docs.getByRole('link', { name: 'Mutation', exact: true }).click();
    await docs.getByText('Everything that can be changed.').waitFor();
    // Half of the room is left to the tabs.
    assert.deepEqual(await cutOff('.graphiql-tabs, .graphiql-tabs button'), []);
    await page.getByRole('button', { name: 'Hide Documentation Explorer' }).click();
  },

  async 'somebody registers'() {
    await open('Register');
    const { data } = await run();
    assert.deepEqual(data.register.userErrors, []);
    assert.equal(await box('Access token').inputValue(), data.register.accessToken);
    await page.getByText('The access token is set.').waitFor();
  },

  async 'and signs in'() {
    await box('Access token').fill('');
    await open('SignIn');
    const { data } = await run();
    assert.deepEqual(data.signIn.userErrors, []);
    assert.equal(await box('Access token').inputValue(), data.signIn.accessToken);
  },

  async 'a query speaks for the token of the bar'() {
    await open('Viewer');
    const token = await box('Access token').inputValue();
    assert.equal((await run()).data.viewer.email, 'ada@example.com');
    await box('Access token').fill('');
    assert.equal((await run()).data.viewer, null);
    await box('Access token').fill(token);
    assert.equal((await run()).data.viewer.email, 'ada@example.com');
  },

  async 'a mutation makes a gallery, of the variables that were typed'() {
    await open('CreateGallery');
    await write('.graphiql-editor-tool', '{ "input": { "name": "Of the browser" } }');
    const { data } = await run();
    assert.equal(data.createGallery.gallery.name, 'Of the browser');
    assert.equal(await box('Gallery id').inputValue(), data.createGallery.gallery.id);
  },

  async 'an upload is announced'() {
    await open('RequestUploads');
    const { data } = await run();
    [upload] = data.requestPhotoUploads.results;
    assert.deepEqual(upload.userErrors, []);
    assert.equal(await box('Photo id').inputValue(), upload.photo.id);
    const headers = Object.fromEntries(upload.target.headers.map(({ name, value }) => [name, value]));
    const body = await readFile(join(folder, 'sample1.jpg'));
    const sent = await fetch(upload.target.url, { method: 'PUT', headers, body });
    assert(sent.ok, `${sent.status} ${await sent.text()}`);
  },

  async 'a subscription sees it through to READY'() {
    await open('FollowGallery');
    await run((text) => text.includes('GalleryEventsStarted'));
    await ask('mutation($id: ID!) { confirmPhotoUploads(input: { photoIds: [$id] }) { results { photo { id } } } }', {
      id: upload.photo.id,
    });
    const { data } = await answer((text) => text.includes('"READY"'));
    assert.equal(data.galleryEvents.photo.id, upload.photo.id);
    await page.screenshot({ path: screenshot });
    await page.getByRole('button', { name: /^Stop query/ }).click();
  },

  async 'a page of the gallery has its people'() {
    await open('GalleryPage');
    const { data } = await run();
    assert.equal(data.gallery.photos.nodes[0].status, 'READY');
    assert(data.gallery.people.nodes.length > 0);
  },

  async 'a reload keeps tabs and token'() {
    await page.reload();
    await open('Viewer');
    assert.equal((await run()).data.viewer.email, 'ada@example.com');
  },

  async 'nothing went wrong in the browser, and nothing was wanted from elsewhere'() {
    assert.deepEqual(faults, []);
  },

  async 'a script that somebody smuggles in does not run'() {
    await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'window.smuggled = true';
      document.body.append(script);
    });
    assert.equal(await page.evaluate(() => window.smuggled), undefined);
    assert(faults.some((fault) => fault.startsWith('policy: script-src')), `${faults}`);
  },

  async 'where it is switched off there is none of it'() {
    const response = await page.goto(withoutIt);
    assert.equal(response.status(), 406);
    assert.equal((await fetch(new URL('/graphiql/app.js', withoutIt))).status, 404);
    assert.equal((await fetch(new URL('/graphiql/app.js', url))).status, 200);
  },
};

const allPassed = await runChecks(checks, () => page.screenshot({ path: screenshot.replace(/(\.png)?$/, '-failed.png') }));
await close();
process.exit(allPassed ? 0 : 1);

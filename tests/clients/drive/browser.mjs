// Headless Chromium, watched: whatever a page wants from elsewhere, writes to the console as an error
// or tries against its own policy is a fault.
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';

/** Refuses whatever is not on this machine. Chromium asks for some of it by itself (updates, autofill): what
    a page asks for is known from the page. */
async function elsewhere() {
  const server = createServer((request, response) => response.writeHead(403).end());
  server.on('connect', (request, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, address: `http://127.0.0.1:${server.address().port}` };
}

/** A browser; `faults` is what went wrong in it so far. */
export async function openBrowser({ program = process.env.CHROMIUM ?? '/usr/bin/chromium', ...options } = {}) {
  const outside = await elsewhere();
  const browser = await chromium.launch({
    executablePath: program,
    // Stages run as root in containers, where Chromium's own sandbox cannot.
    args: process.getuid() === 0 ? ['--no-sandbox'] : [],
    proxy: { server: outside.address, bypass: '127.0.0.1' },
  });
  const context = await browser.newContext(options);
  const faults = [];
  context.on('request', (request) => {
    const url = new URL(request.url());
    const isHere = url.hostname === '127.0.0.1' || ['data:', 'blob:'].includes(url.protocol);
    if (!isHere) faults.push(`asked for ${request.url()}`);
  });
  context.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  context.on('weberror', (error) => faults.push(`not caught: ${error.error().stack}`));
  await context.exposeBinding('tellViolation', (_, text) => faults.push(`policy: ${text}`));
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
      window.tellViolation(`${effectiveDirective} forbids ${blockedURI}`),
    );
  });
  return {
    context,
    faults,
    async close() {
      await browser.close();
      outside.server.close();
    },
  };
}

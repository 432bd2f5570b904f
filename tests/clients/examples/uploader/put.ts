// The PUT itself, without further credentials: on a phone the system's background transfer takes this part.
import { createReadStream } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { pipeline } from 'node:stream/promises';
import type { Item, Target } from './queue.js';

/** A connection on which nothing moves for so long is given up. */
const SILENCE_MILLISECONDS = 30_000;

export interface Outcome {
  status: number;
  retryAfterSeconds?: number;
  /** The store's error code, such as `SlowDown`. */
  code?: string;
}

/** Sends a file with exactly the headers of its target. Throws where no answer came. */
export async function put(item: Item, target: Target, signal?: AbortSignal): Promise<Outcome> {
  const headers = Object.fromEntries(target.headers.map(({ name, value }) => [name, value]));
  const { request: start } = target.url.startsWith('https:') ? https : http;
  const request = start(target.url, {
    method: target.method,
    // A known length: the store takes no chunks.
    headers: { ...headers, 'content-length': item.byteSize },
    timeout: SILENCE_MILLISECONDS,
    signal,
  });
  request.on('timeout', () => request.destroy(new Error('the connection went silent')));
  const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject);
  });
  // An answer may come before all is sent, a refusal for example: it counts, not the broken pipe after it.
  // No further than announced, should somebody write to the file: what follows would be taken for another request.
  const bytes = createReadStream(item.path, { end: item.byteSize - 1 });
  const sent = pipeline(bytes, request).catch(() => undefined);
  const response = await answered;
  let body = '';
  response.setEncoding('utf8');
  for await (const text of response) body += text as string;
  request.destroy();
  await sent;
  const seconds = Number(response.headers['retry-after']);
  return {
    status: response.statusCode ?? 0,
    retryAfterSeconds: Number.isFinite(seconds) ? seconds : undefined,
    code: /<Code>(\w+)<\/Code>/.exec(body)?.[1],
  };
}

// Announce, send, confirm: each step can be interrupted anywhere and done again.
import { Refused } from './api.js';
import type { Api } from './api.js';
import { backoff, wait } from './backoff.js';
import { ConfirmUploadsDocument, RequestUploadsDocument } from './generated.js';
import type { RequestUploadsMutation, UserErrorCode } from './generated.js';
import { log } from './log.js';
import { put } from './put.js';
import { isOpen } from './queue.js';
import type { Item, Queue } from './queue.js';

/** A target that ends within this time is renewed first. */
const MARGIN_MILLISECONDS = 1_000;
/** How often a file is sent in vain, by the store's word, before people are asked. */
const MOST_REFUSALS = 5;

export interface Options {
  galleryId: string;
  /** PUTs at a time. */
  parallel: number;
}

type Result = RequestUploadsMutation['requestPhotoUploads']['results'][number];

export class Uploader {
  constructor(
    private readonly api: Api,
    private readonly queue: Queue,
    private readonly options: Options,
  ) {}

  /** Until every file is at its end. */
  async run(): Promise<void> {
    for (let open = this.queue.open(); open.length > 0; open = this.queue.open()) {
      for (const batch of open) await this.pass(batch);
      const times = this.queue.items.filter(isOpen).map(({ notBefore }) => notBefore);
      if (times.length > 0) await wait(Math.max(0, Math.min(...times) - Date.now()));
    }
  }

  /** One round of a batch: what does not work out now is left to the next one. */
  private async pass(batch: Item[]): Promise<void> {
    const now = Date.now();
    const due = batch.filter((item) => isOpen(item) && item.notBefore <= now);
    const waiting = due.filter(({ state }) => state === 'waiting');
    if (waiting.some((item) => !isFresh(item))) await this.announce(batch);
    const sendable = waiting.filter((item) => item.state === 'waiting' && isFresh(item));
    await atMost(this.options.parallel, sendable, async (item) => this.send(item));
    const sent = due.filter(({ state }) => state === 'sent');
    if (sent.length > 0) await this.confirm(sent);
  }

  /** The same files under the same key, always: the first time it makes photos, later it renews their targets. */
  private async announce(batch: Item[]): Promise<void> {
    const files = batch.map(({ path, filename, contentType, byteSize, sha256 }) => ({
      clientRef: path,
      filename,
      contentType,
      byteSize,
      sha256,
    }));
    const idempotencyKey = batch[0]?.idempotencyKey;
    const input = { galleryId: this.options.galleryId, idempotencyKey, files };
    const { requestPhotoUploads } = await this.api.ask(RequestUploadsDocument, { input });
    const { results, userErrors } = requestPhotoUploads;
    if (userErrors[0]) throw new Refused(userErrors[0].code, userErrors[0].message);
    log('announced', { idempotencyKey, files: results.length });
    for (const [index, item] of batch.entries()) {
      const result = results[index];
      if (result && item.state === 'waiting') Object.assign(item, after(item, result));
    }
    await this.queue.save();
  }

  private async send(item: Item): Promise<void> {
    if (!item.target) return;
    let why: string;
    let askedSeconds: number | undefined;
    try {
      const { status, code, retryAfterSeconds } = await put(item, item.target);
      // 412: it is there already, from an attempt whose answer was lost.
      if (status === 200 || status === 412) {
        log('sent', { path: item.path, status });
        await this.queue.update(item, { state: 'sent', attempts: 0, target: undefined });
        return;
      }
      why = `HTTP ${status} ${code ?? ''}`;
      askedSeconds = retryAfterSeconds;
      if (status < 500 && status !== 408 && status !== 429) {
        // The URL has ended by the store's clock, or the file is not the announced one any more: a new target
        // helps the former; the latter is found out by sending in vain.
        item.target = undefined;
        item.refusals += 1;
        if (item.refusals >= MOST_REFUSALS) {
          await this.fail(item, why);
          return;
        }
      }
    } catch (error) {
      why = (error as Error).message;
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        await this.fail(item, why);
        return;
      }
    }
    await this.later(item, why, askedSeconds);
  }

  private async confirm(items: Item[]): Promise<void> {
    const photoIds = items.flatMap(({ photoId }) => photoId ?? []);
    const { confirmPhotoUploads } = await this.api.ask(ConfirmUploadsDocument, { input: { photoIds } });
    const { results, userErrors } = confirmPhotoUploads;
    if (userErrors[0]) throw new Refused(userErrors[0].code, userErrors[0].message);
    log('confirmed', { photos: results.filter(({ photo }) => photo).length });
    for (const item of items) {
      const result = results.find(({ photoId }) => photoId === item.photoId);
      if (result?.photo) item.state = 'confirmed';
      else await this.unconfirmed(item, result?.userErrors[0]?.code);
    }
    await this.queue.save();
  }

  private async unconfirmed(item: Item, code: UserErrorCode | undefined): Promise<void> {
    switch (code) {
      // Not in the store, not what was announced (and removed there), or too late and removed here: once more.
      case 'NOT_UPLOADED_YET':
      case 'UPLOAD_MISMATCH':
      case 'UPLOAD_EXPIRED':
      case 'NOT_FOUND':
        item.state = 'waiting';
        item.target = undefined;
        await this.later(item, code);
        break;
      // Cancelled by somebody, or nothing that this client knows.
      default:
        await this.fail(item, code ?? 'no answer');
    }
  }

  /** For people to look at. */
  private async fail(item: Item, reason: string): Promise<void> {
    log('failed', { path: item.path, reason });
    await this.queue.update(item, { state: 'failed', reason });
  }

  private async later(item: Item, why: string, askedSeconds?: number): Promise<void> {
    const milliseconds = backoff(item.attempts, askedSeconds);
    log('retry', { what: 'PUT', path: item.path, why, milliseconds });
    await this.queue.update(item, { attempts: item.attempts + 1, notBefore: Date.now() + milliseconds });
  }
}

/** What an announcement says of a file. */
function after(item: Item, { photo, target, duplicateOf, userErrors }: Result): Partial<Item> {
  const [error] = userErrors;
  if (error) {
    log('failed', { path: item.path, reason: error.code });
    return { state: 'failed', reason: `${error.code}: ${error.message}` };
  }
  if (duplicateOf?.status === 'AWAITING_UPLOAD') {
    // Somebody else, or an earlier file here, is about to send the same bytes. Should they give up, it is ours to send.
    return { attempts: item.attempts + 1, notBefore: Date.now() + backoff(item.attempts) };
  }
  if (duplicateOf) {
    log('duplicate', { path: item.path, photoId: duplicateOf.id });
    return { state: 'duplicate', duplicateOf: duplicateOf.id };
  }
  // No target: it was sent and confirmed, and only the answer was lost.
  if (!target) return { state: 'confirmed', photoId: photo?.id, target: undefined };
  return { photoId: photo?.id, target };
}

function isFresh({ target }: Item): boolean {
  return target !== undefined && Date.parse(target.expiresAt) - Date.now() > MARGIN_MILLISECONDS;
}

/** Runs over all of them, with no more than `count` at a time. */
async function atMost<T>(count: number, all: T[], run: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const lane = async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await run(one);
  };
  await Promise.all(Array.from({ length: count }, lane));
}

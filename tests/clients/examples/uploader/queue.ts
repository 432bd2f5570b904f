// The queue on disk: what is to be uploaded, and how far it is.
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { load, store } from './disk.js';

/** Files of one `requestPhotoUploads`; the API takes 100, but small batches are in analysis sooner. */
const BATCH_FILES = 8;

const TYPES = new Map([
  ['.jpg', 'image/jpeg'],
  ['.jpeg', 'image/jpeg'],
  ['.png', 'image/png'],
  ['.webp', 'image/webp'],
]);

export interface Target {
  url: string;
  method: string;
  headers: { name: string; value: string }[];
  expiresAt: string;
}

/** `waiting`: to be announced or sent. `sent`: to be confirmed. The others are ends. */
export type State = 'waiting' | 'sent' | 'confirmed' | 'duplicate' | 'failed';

export interface Item {
  path: string;
  filename: string;
  contentType: string;
  byteSize: number;
  sha256: string;
  /** Files of one batch are announced together, always the same ones under the same key. */
  idempotencyKey: string;
  state: State;
  /** Since the last success. */
  attempts: number;
  /** How often the store would not have it. */
  refusals: number;
  /** Milliseconds since the epoch. */
  notBefore: number;
  photoId?: string;
  target?: Target;
  duplicateOf?: string;
  reason?: string;
}

export class Queue {
  private writing = Promise.resolve();

  private constructor(
    private readonly path: string,
    readonly items: Item[],
  ) {}

  static async open(path: string): Promise<Queue> {
    return new Queue(path, await load<Item[]>(path, []));
  }

  /** Adds files that are not in it yet. Their keys are on disk before anybody is asked with them: a kill between the
      question and its answer leads to the same question. */
  async add(paths: string[]): Promise<void> {
    const known = new Set(this.items.map(({ path }) => path));
    const added = await Promise.all(paths.filter((path) => !known.has(path)).map(read));
    added.forEach((item, index) => {
      const first = added[index - (index % BATCH_FILES)];
      item.idempotencyKey = first === undefined || first === item ? randomUUID() : first.idempotencyKey;
    });
    this.items.push(...added);
    await this.save();
  }

  /** What is not at an end, batch by batch. */
  open(): Item[][] {
    const batches = new Map<string, Item[]>();
    for (const item of this.items) {
      const batch = batches.get(item.idempotencyKey);
      if (batch) batch.push(item);
      else batches.set(item.idempotencyKey, [item]);
    }
    return [...batches.values()].filter((batch) => batch.some(isOpen));
  }

  /** Changes an item, on disk when it returns. */
  async update(item: Item, change: Partial<Item>): Promise<void> {
    Object.assign(item, change);
    await this.save();
  }

  /** One write at a time, each of what is true by then. An app with thousands of files takes a table of SQLite. */
  async save(): Promise<void> {
    this.writing = this.writing.then(async () => store(this.path, this.items));
    await this.writing;
  }
}

export function isOpen(item: Item): boolean {
  return item.state === 'waiting' || item.state === 'sent';
}

async function read(path: string): Promise<Item> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return {
    path,
    filename: basename(path),
    contentType: TYPES.get(extname(path).toLowerCase()) ?? 'application/octet-stream',
    byteSize: (await stat(path)).size,
    sha256: hash.digest('hex'),
    idempotencyKey: '',
    state: 'waiting',
    attempts: 0,
    refusals: 0,
    notBefore: 0,
  };
}

// Chosen files straight to S3: the API never sees their bytes.
import type { Client } from '@urql/core';
import { ask, expectNone } from './client';
import { ConfirmUploadsDocument, RequestUploadsDocument } from './generated';
import type { PhotoTileFragment } from './generated';

/** PUTs at a time; a browser opens six connections to a host. */
const PARALLEL = 4;

export interface Uploaded {
  photos: PhotoTileFragment[];
  /** Names of files that the gallery had already. */
  duplicates: string[];
  failures: string[];
}

export async function upload(client: Client, galleryId: string, chosen: File[]): Promise<Uploaded> {
  const files = await Promise.all(
    chosen.map(async (file, index) => ({
      clientRef: String(index),
      filename: file.name,
      contentType: file.type,
      byteSize: file.size,
      sha256: await sha256(file),
    })),
  );
  const input = { galleryId, idempotencyKey: crypto.randomUUID(), files };
  const { requestPhotoUploads } = await ask(client, 'mutation', RequestUploadsDocument, { input });
  expectNone(requestPhotoUploads);

  const outcome: Uploaded = { photos: [], duplicates: [], failures: [] };
  const photoIds: string[] = [];
  const left = [...requestPhotoUploads.results];
  const lane = async (): Promise<void> => {
    for (let result = left.shift(); result !== undefined; result = left.shift()) {
      const file = chosen[Number(result.clientRef)];
      if (!file) continue;
      if (result.duplicateOf) {
        outcome.duplicates.push(file.name);
        continue;
      }
      try {
        expectNone(result);
        if (result.target) await put(file, result.target);
        if (result.photo) photoIds.push(result.photo.id);
      } catch (error) {
        outcome.failures.push(`${file.name}: ${(error as Error).message}`);
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, lane));

  if (photoIds.length > 0) {
    const { confirmPhotoUploads } = await ask(client, 'mutation', ConfirmUploadsDocument, { input: { photoIds } });
    expectNone(confirmPhotoUploads);
    for (const { photo, photoId, userErrors } of confirmPhotoUploads.results) {
      if (photo) outcome.photos.push(photo);
      else outcome.failures.push(`${photoId}: ${userErrors.map(({ code }) => code).join()}`);
    }
  }
  return outcome;
}

interface Target {
  url: string;
  method: string;
  headers: { name: string; value: string }[];
}

/** With exactly these headers: they are signed. The browser adds `content-length` by itself. */
async function put(file: File, { url, method, headers }: Target): Promise<void> {
  const response = await fetch(url, {
    method,
    headers: headers.map(({ name, value }): [string, string] => [name, value]),
    body: file,
  });
  // 412: it is there already, after an attempt whose answer was lost.
  if (!response.ok && response.status !== 412) throw new Error(`HTTP ${response.status}`);
}

async function sha256(file: File): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

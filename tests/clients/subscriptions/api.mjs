// What a client of the API does besides subscribing: accounts, galleries, uploads.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

export class Api {
  constructor(url) {
    this.url = url;
  }

  async send(query, variables) {
    const headers = { 'content-type': 'application/json' };
    if (this.token) headers.authorization = `Bearer ${this.token}`;
    const body = JSON.stringify({ query, variables });
    const response = await fetch(this.url, { method: 'POST', headers, body });
    const { data, errors } = await response.json();
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }

  async mutate(field, type, input, selection) {
    const query = `mutation($input: ${type}!) { ${field}(input: $input) { ${selection} userErrors { code message } } }`;
    const { [field]: payload } = await this.send(query, { input });
    if (payload.userErrors.length) throw new Error(JSON.stringify(payload.userErrors));
    return payload;
  }

  async register() {
    const email = `subscriber-${process.pid}-${Date.now()}@example.com`;
    const input = { email, name: 'Subscriber', password: 'correct horse battery' };
    this.token = (await this.mutate('register', 'RegisterInput', input, 'accessToken')).accessToken;
  }

  async createGallery(name) {
    return (await this.mutate('createGallery', 'CreateGalleryInput', { name }, 'gallery { id }')).gallery.id;
  }

  /** Requests, sends and confirms a JPEG; its global id. */
  async upload(galleryId, path) {
    const bytes = await readFile(path);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const file = { clientRef: path, filename: 'photo.jpg', contentType: 'image/jpeg', byteSize: bytes.length, sha256 };
    const { results: [{ photo, target }] } = await this.mutate(
      'requestPhotoUploads',
      'RequestPhotoUploadsInput',
      { galleryId, files: [file] },
      'results { photo { id } target { url headers { name value } } }',
    );
    const headers = Object.fromEntries(target.headers.map(({ name, value }) => [name, value]));
    const put = await fetch(target.url, { method: 'PUT', headers, body: bytes });
    if (!put.ok) throw new Error(`PUT: ${put.status} ${await put.text()}`);
    await this.mutate('confirmPhotoUploads', 'ConfirmPhotoUploadsInput', { photoIds: [photo.id] }, 'results { photo { id } }');
    return photo.id;
  }
}

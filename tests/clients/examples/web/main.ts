// The page: sign in, make a gallery, choose files, watch them become photos with people.
import { ask, connect, expectNone } from './client';
import { CreateGalleryDocument, RegisterDocument, SignInDocument } from './generated';
import type { PersonTileFragment, PhotoTileFragment } from './generated';
import { Gallery } from './gallery';
import { device, keep } from './session';
import { upload } from './upload';

const api = new URLSearchParams(location.search).get('api') ?? '/graphql';
const client = connect(new URL(api, location.href).href);

function element<Type extends HTMLElement>(id: string): Type {
  return document.getElementById(id) as Type;
}

const notice = element<HTMLOutputElement>('notice');

/** Runs what a person asked for, and tells them if it does not work out. */
function act(work: () => Promise<string>): void {
  notice.value = '…';
  work().then(
    (text) => (notice.value = text),
    (error: unknown) => (notice.value = error instanceof Error ? error.message : String(error)),
  );
}

function onSubmit(id: string, work: (fields: FormData, button: string) => Promise<string>): void {
  element<HTMLFormElement>(id).addEventListener('submit', (event) => {
    event.preventDefault();
    const button = event.submitter instanceof HTMLButtonElement ? event.submitter.value : '';
    const fields = new FormData(event.target as HTMLFormElement);
    act(async () => work(fields, button));
  });
}

const text = (fields: FormData, name: string): string => String(fields.get(name) ?? '');

onSubmit('account', async (fields, button) => {
  const email = text(fields, 'email');
  const password = text(fields, 'password');
  if (button === 'register') {
    const input = { email, password, name: email.split('@')[0] ?? email };
    keep((await ask(client, 'mutation', RegisterDocument, { input })).register);
  } else {
    keep((await ask(client, 'mutation', SignInDocument, { input: { email, password, deviceToken: device() } })).signIn);
  }
  element('make').hidden = false;
  return `Signed in as ${email}.`;
});

let galleryId = '';
let unfollow = (): void => undefined;

onSubmit('make', async (fields) => {
  const input = { name: text(fields, 'name') };
  const { createGallery } = await ask(client, 'mutation', CreateGalleryDocument, { input });
  expectNone(createGallery);
  if (!createGallery.gallery) throw new Error('no gallery');
  galleryId = createGallery.gallery.id;
  unfollow();
  const gallery = new Gallery(client, galleryId, () => show(gallery), (error) => (notice.value = error.message));
  unfollow = gallery.follow();
  element('send').hidden = false;
  return `The gallery ${createGallery.gallery.name} is made.`;
});

onSubmit('send', async (fields) => {
  const files = fields.getAll('files').filter((value): value is File => value instanceof File);
  const { photos, duplicates, failures } = await upload(client, galleryId, files);
  return [
    `${photos.length} uploaded`,
    ...duplicates.map((name) => `${name} is there already`),
    ...failures,
  ].join('; ');
});

function show({ photos, people }: Gallery): void {
  element('photos').replaceChildren(...[...photos.values()].map(photoTile));
  const known = [...people.values()].filter(({ photoCount }) => photoCount > 0);
  element('people').replaceChildren(...known.map(personTile));
}

function photoTile({ id, filename, status, image }: PhotoTileFragment): HTMLElement {
  const figure = document.createElement('figure');
  figure.dataset['photo'] = id;
  figure.dataset['status'] = status;
  if (image) {
    const picture = new Image(image.width, image.height);
    picture.src = image.url;
    picture.alt = filename;
    figure.append(picture);
  }
  const caption = document.createElement('figcaption');
  caption.textContent = `${filename}: ${status}`;
  figure.append(caption);
  return figure;
}

function personTile({ id, name, photoCount }: PersonTileFragment): HTMLElement {
  const item = document.createElement('li');
  item.dataset['person'] = id;
  item.textContent = `${name ?? 'Somebody'}: ${photoCount} ${photoCount === 1 ? 'photo' : 'photos'}`;
  return item;
}

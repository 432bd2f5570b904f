// A gallery as the page knows it: loaded once, then kept current by its events.
import type { Client } from '@urql/core';
import { ask } from './client';
import { FollowGalleryDocument, GalleryPageDocument } from './generated';
import type { FollowGallerySubscription, GalleryPageQuery, PersonTileFragment, PhotoTileFragment } from './generated';

type Event = FollowGallerySubscription['galleryEvents'];

export class Gallery {
  readonly photos = new Map<string, PhotoTileFragment>();
  readonly people = new Map<string, PersonTileFragment>();
  private taken = Promise.resolve();

  constructor(
    private readonly client: Client,
    private readonly id: string,
    private readonly changed: () => void,
    private readonly failed: (error: Error) => void,
  ) {}

  /** Follows the gallery until what it returns is called. */
  follow(): () => void {
    // graphql-ws sends this same object again after a break, and so goes on from the last cursor.
    const variables: { galleryId: string; after: string | null } = { galleryId: this.id, after: null };
    const { unsubscribe } = this.client.subscription(FollowGalleryDocument, variables).subscribe(({ data, error }) => {
      if (error) this.failed(error);
      if (!data) return;
      const event = data.galleryEvents;
      variables.after = event.cursor;
      // One after the other: a page that is still loading is older than the events that follow it.
      this.taken = this.taken.then(() => this.take(event)).catch(this.failed);
    });
    return unsubscribe;
  }

  private async take(event: Event): Promise<void> {
    switch (event.__typename) {
      case 'GalleryEventsStarted':
        // Loaded now, the page has no gap to the events that follow.
        await this.load();
        break;
      case 'PhotoChanged':
        if (event.photo) this.photos.set(event.photo.id, event.photo);
        break;
      case 'PhotoDeleted':
        this.photos.delete(event.photoId);
        break;
      case 'PersonChanged':
        if (event.person) this.people.set(event.person.id, event.person);
        break;
      case 'PersonDeleted':
        this.people.delete(event.personId);
        break;
      default:
    }
    this.changed();
  }

  private async load(): Promise<void> {
    let after: string | null = null;
    do {
      const page: GalleryPageQuery = await ask(this.client, 'query', GalleryPageDocument, { id: this.id, after });
      const { photos, people } = page.gallery;
      for (const photo of photos.nodes) this.photos.set(photo.id, photo);
      for (const person of people.nodes) this.people.set(person.id, person);
      after = photos.pageInfo.hasNextPage ? photos.pageInfo.endCursor : null;
    } while (after !== null);
  }
}

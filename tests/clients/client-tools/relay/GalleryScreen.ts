// What a Relay app asks: a screen, its fragments, pages of a connection, lists that mutations change.
import { graphql } from 'relay-runtime';

export const screen = graphql`
  query GalleryScreenQuery($id: ID!, $filter: PhotoFilter) {
    gallery(id: $id) {
      name
      viewerRole
      ...GalleryScreen_photos @arguments(filter: $filter)
      ...GalleryScreen_people
    }
  }
`;

export const photos = graphql`
  fragment GalleryScreen_photos on Gallery
  @argumentDefinitions(
    count: { type: "Int", defaultValue: 50 }
    cursor: { type: "String" }
    filter: { type: "PhotoFilter" }
  )
  @refetchable(queryName: "GalleryScreenPhotosQuery") {
    photos(first: $count, after: $cursor, filter: $filter, orderBy: TAKEN_AT_DESC)
      @connection(key: "GalleryScreen_photos", filters: ["filter"]) {
      edges {
        node {
          ...PhotoTile_photo
        }
      }
    }
  }
`;

export const people = graphql`
  fragment GalleryScreen_people on Gallery
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" })
  @refetchable(queryName: "GalleryScreenPeopleQuery") {
    people(first: $count, after: $cursor, filter: { includeHidden: false })
      @connection(key: "GalleryScreen_people") {
      edges {
        node {
          name
          photoCount
        }
      }
    }
  }
`;

export const follow = graphql`
  subscription GalleryScreenSubscription($galleryId: ID!, $after: String) {
    galleryEvents(galleryId: $galleryId, after: $after) {
      __typename
      cursor
      ... on PhotoChanged {
        photo {
          ...PhotoTile_photo
        }
      }
      ... on PhotoDeleted {
        photoId @deleteRecord
      }
    }
  }
`;

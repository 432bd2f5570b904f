// What a Relay app asks. relay-compiler makes the artifacts and the manifest of it; nothing runs this file itself.
import { graphql } from 'relay-runtime';

export const register = graphql`
  mutation appRegisterMutation($input: RegisterInput!) {
    register(input: $input) {
      accessToken
      userErrors {
        code
        message
      }
    }
  }
`;

export const signIn = graphql`
  mutation appSignInMutation($input: SignInInput!) {
    signIn(input: $input) {
      accessToken
      userErrors {
        code
        message
      }
    }
  }
`;

export const viewer = graphql`
  query appViewerQuery {
    viewer {
      email
    }
  }
`;

export const create = graphql`
  mutation appCreateMutation($input: CreateGalleryInput!) {
    createGallery(input: $input) {
      gallery {
        id
        name
      }
      userErrors {
        code
        message
      }
    }
  }
`;

export const screen = graphql`
  query appGalleryQuery($id: ID!) {
    gallery(id: $id) {
      ...app_photos
      ...app_heading
    }
  }
`;

export const heading = graphql`
  fragment app_heading on Gallery {
    name
    photoCount
  }
`;

export const photos = graphql`
  fragment app_photos on Gallery
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" })
  @refetchable(queryName: "appPhotosQuery") {
    photos(first: $count, after: $cursor) @connection(key: "app_photos") {
      edges {
        node {
          filename
        }
      }
    }
  }
`;

export const follow = graphql`
  subscription appFollowSubscription($galleryId: ID!) {
    galleryEvents(galleryId: $galleryId) {
      __typename
      ... on GalleryChanged {
        gallery {
          ...app_heading
        }
      }
    }
  }
`;

// What an app with Apollo Client asks. Apollo's generator reads this file, too, and makes the manifest of it.
import { gql } from '@apollo/client';

const SESSION = gql`
  fragment Session on SessionPayload {
    accessToken
    refreshToken
    userErrors {
      code
      message
    }
  }
`;

export const REGISTER = gql`
  mutation Register($input: RegisterInput!) {
    register(input: $input) {
      ...Session
    }
  }
  ${SESSION}
`;

export const SIGN_IN = gql`
  mutation SignIn($input: SignInInput!) {
    signIn(input: $input) {
      ...Session
    }
  }
  ${SESSION}
`;

export const REFRESH = gql`
  mutation Refresh($input: RefreshTokensInput!) {
    refreshTokens(input: $input) {
      ...Session
    }
  }
  ${SESSION}
`;

export const VIEWER = gql`
  query Viewer {
    viewer {
      email
    }
  }
`;

export const CREATE = gql`
  mutation Create($input: CreateGalleryInput!) {
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

export const GALLERIES = gql`
  query Galleries($first: Int!, $after: String) {
    galleries(first: $first, after: $after) {
      nodes {
        id
        name
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`;

// Not in the order of the alphabet: the generator sorts fragments, the client sends them as they stand.
const CHANGED = gql`
  fragment Changed on GalleryChanged {
    gallery {
      name
    }
  }
`;

const BEGUN = gql`
  fragment Begun on GalleryEventsStarted {
    cursor
  }
`;

export const FOLLOW = gql`
  subscription Follow($galleryId: ID!) {
    galleryEvents(galleryId: $galleryId) {
      ...Changed
      ...Begun
    }
  }
  ${CHANGED}
  ${BEGUN}
`;

export const RENAME = gql`
  mutation Rename($input: UpdateGalleryInput!) {
    updateGallery(input: $input) {
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

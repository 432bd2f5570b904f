// A photo, refetched by its global id as Relay does it, and mutations that keep lists true.
import { graphql } from 'relay-runtime';

export const photo = graphql`
  fragment PhotoTile_photo on Photo @refetchable(queryName: "PhotoTileRefetchQuery") {
    filename
    status
    takenAt
    thumbnail: image(size: THUMBNAIL) {
      url
      width
      height
    }
    faces {
      boundingBox {
        left
        top
        width
        height
      }
      person {
        name
      }
    }
  }
`;

export const remove = graphql`
  mutation PhotoTileDeleteMutation($input: DeletePhotosInput!, $connections: [ID!]!) {
    deletePhotos(input: $input) {
      results {
        deletedPhotoId @deleteEdge(connections: $connections)
        userErrors {
          code
          message
        }
      }
      userErrors {
        code
        message
      }
    }
  }
`;

export const confirm = graphql`
  mutation PhotoTileConfirmMutation($input: ConfirmPhotoUploadsInput!, $connections: [ID!]!) {
    confirmPhotoUploads(input: $input) {
      results {
        photo @prependNode(connections: $connections, edgeTypeName: "PhotoEdge") {
          ...PhotoTile_photo
        }
        userErrors {
          code
        }
      }
    }
  }
`;

export const rename = graphql`
  mutation PhotoTileRenamePersonMutation($input: UpdatePersonInput!) {
    updatePerson(input: $input) {
      person {
        id
        name
      }
      userErrors {
        code
        field
        message
      }
    }
  }
`;

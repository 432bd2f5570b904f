// graphql-eslint over the schema and over the operations of the example clients and of GraphiQL.
import graphql from '@graphql-eslint/eslint-plugin';

/** Operations of each, whose names must differ within one only. */
const PROJECTS = { web: 'examples/web', uploader: 'examples/uploader', graphiql: 'graphiql' };

const schema = 'schema.graphql';
const projects = Object.entries(PROJECTS).map(([name, folder]) => [
  name,
  { schema, include: `${folder}/*.graphql`, documents: `${folder}/*.graphql` },
]);
const graphQLConfig = { projects: { default: { schema, include: schema }, ...Object.fromEntries(projects) } };
const language = { languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig } } };
const plugins = { '@graphql-eslint': graphql };

export default [
  { files: ['**/*.graphql'], ...language, plugins },
  {
    files: [schema],
    rules: {
      ...graphql.configs['flat/schema-recommended'].rules,
      ...graphql.configs['flat/schema-relay'].rules,
      // Recommended are types and root fields; here everything is described.
      '@graphql-eslint/require-description': [
        'error',
        {
          types: true,
          rootField: true,
          FieldDefinition: true,
          InputValueDefinition: true,
          EnumValueDefinition: true,
          DirectiveDefinition: true,
        },
      ],
      // Pages only go forward: `last` and `before` would need every index a second time, the other way round.
      '@graphql-eslint/relay-arguments': ['error', { includeBoth: false }],
      // The rule would have no list but those of edges; `nodes`, `faces` and `userErrors` are no connections.
      '@graphql-eslint/relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false }],
      // What has an identity has an id, and is a `Node`. These have none: outcomes of a call, parts of a page, events
      // (they have a cursor), and values, which change with what they belong to.
      '@graphql-eslint/strict-id-in-types': [
        'error',
        {
          exceptions: {
            suffixes: ['Payload', 'Result', 'Connection', 'Edge', 'PageInfo', 'Changed', 'Deleted', 'Started', 'Error'],
            types: [
              'AnalysisStep',
              'BoundingBox',
              'GalleryMember',
              'HttpHeader',
              'LabelCount',
              'LabelInstance',
              'Landmark',
              'Location',
              'PhotoLabel',
              'PhotoUploadTarget',
              'Pose',
              'SignedImage',
            ],
          },
        },
      ],
    },
  },
  {
    files: Object.values(PROJECTS).map((folder) => `${folder}/*.graphql`),
    rules: graphql.configs['flat/operations-recommended'].rules,
  },
];

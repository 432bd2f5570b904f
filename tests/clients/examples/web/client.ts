// urql: small, knows typed documents, and is whole without a framework around it. What makes it fit this API:
// tokens are renewed before they end, and subscriptions go over graphql-ws.
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import type { AnyVariables, OperationResult, TypedDocumentNode } from '@urql/core';
import { authExchange } from '@urql/exchange-auth';
import { createClient as createSocket } from 'graphql-ws';
import { RefreshTokensDocument } from './generated';
import { current, endsSoon, keep } from './session';

export function connect(url: string): Client {
  const socket = createSocket({
    url: url.replace(/^http/, 'ws'),
    lazy: true,
    // A replica that stops closes its sockets, and a socket ends with its token: always come back.
    retryAttempts: Infinity,
    shouldRetry: () => true,
    connectionParams: async () => {
      if (endsSoon()) await renew(client);
      const session = current();
      return session ? { Authorization: `Bearer ${session.accessToken}` } : {};
    },
  });
  const client = new Client({
    url,
    preferGetMethod: false,
    exchanges: [
      authExchange(async (auth) => ({
        addAuthToOperation(operation) {
          const session = current();
          return session ? auth.appendHeaders(operation, { Authorization: `Bearer ${session.accessToken}` }) : operation;
        },
        willAuthError: endsSoon,
        didAuthError: ({ graphQLErrors }) => graphQLErrors.some(({ extensions }) => extensions['code'] === 'UNAUTHENTICATED'),
        async refreshAuth() {
          const session = current();
          if (!session) return;
          const variables = { input: { refreshToken: session.refreshToken } };
          const { data, error } = await auth.mutate(RefreshTokensDocument, variables);
          if (!data) throw error ?? new Error('no answer');
          keep(data.refreshTokens);
        },
      })),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe: (sink) => ({
            unsubscribe: socket.subscribe({ query: query ?? '', variables }, sink),
          }),
        }),
      }),
    ],
  });
  return client;
}

/** Any operation renews a token that ends soon; this one asks for nothing else. */
async function renew(client: Client): Promise<void> {
  await client.query('{ __typename }', {}).toPromise();
}

/** The data, or what went wrong as an error. */
export async function ask<Data, Variables extends AnyVariables>(
  client: Client,
  kind: 'query' | 'mutation',
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const source = kind === 'query' ? client.query(document, variables) : client.mutation(document, variables);
  const { data, error }: OperationResult<Data, Variables> = await source.toPromise();
  if (error || !data) throw error ?? new Error('no answer');
  return data;
}

interface UserErrors {
  userErrors: { code: string; message: string }[];
}

/** Throws what the caller could act on, and a person here just reads. */
export function expectNone({ userErrors }: UserErrors): void {
  if (userErrors.length > 0) throw new Error(userErrors.map(({ code, message }) => `${code}: ${message}`).join('; '));
}

// The API as this client calls it: typed documents, tokens that renew themselves, waits that are honoured.
import { backoff, wait } from './backoff.js';
import { load, store } from './disk.js';
import { RefreshTokensDocument, SignInDocument } from './generated.js';
import type { SessionFragment, TypedDocumentString } from './generated.js';
import { log } from './log.js';

/** An access token that ends within this time is renewed before it is used. */
const MARGIN_MILLISECONDS = 5_000;
const TIMEOUT_MILLISECONDS = 30_000;

interface Session {
  accessToken: string;
  refreshToken: string;
  expiresAt: string;
}

interface Answer<Data> {
  data?: Data | null;
  errors?: { message: string; extensions?: { code?: string; retryAfterSeconds?: number } }[];
}

/** Nothing answered, or the answer was that waiting helps. */
export class Transient extends Error {
  constructor(
    message: string,
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }
}

/** Waiting does not help. */
export class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(`${code}: ${message}`);
  }
}

export interface Account {
  email: string;
  password: string;
}

export class Api {
  private constructor(
    private readonly url: string,
    private readonly account: Account,
    private readonly path: string,
    private session: Session | null,
  ) {}

  /** `path` keeps the session: a refresh token works once, so the newest one must not be lost. */
  static async open(url: string, account: Account, path: string): Promise<Api> {
    return new Api(url, account, path, await load<Session | null>(path, null));
  }

  /** Asks until there is an answer, with longer and longer waits. */
  async ask<Data, Variables>(document: TypedDocumentString<Data, Variables>, variables: Variables): Promise<Data> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.once(document, variables);
      } catch (error) {
        if (!(error instanceof Transient)) throw error;
        const milliseconds = backoff(attempt, error.retryAfterSeconds);
        log('retry', { what: nameOf(document), why: error.message, milliseconds });
        await wait(milliseconds);
      }
    }
  }

  private async once<Data, Variables>(document: TypedDocumentString<Data, Variables>, variables: Variables): Promise<Data> {
    const token = await this.token();
    try {
      return await this.send(document, variables, token);
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== 'UNAUTHENTICATED') throw error;
      // It ended earlier than this device's clock says.
      return await this.send(document, variables, await this.renew());
    }
  }

  private async token(): Promise<string> {
    const session = this.session;
    if (session && Date.parse(session.expiresAt) - Date.now() > MARGIN_MILLISECONDS) return session.accessToken;
    return this.renew();
  }

  /** A fresh access token: for the refresh token, else for the password. */
  private async renew(): Promise<string> {
    if (this.session) {
      const input = { refreshToken: this.session.refreshToken };
      const { refreshTokens } = await this.send(RefreshTokensDocument, { input });
      const token = await this.keep(refreshTokens);
      if (token !== null) return token;
      // Killed between the answer and its way to the disk: that refresh token is spent.
      log('session-over');
    }
    const { signIn } = await this.send(SignInDocument, { input: this.account });
    const token = await this.keep(signIn);
    if (token === null) throw new Refused('UNAUTHENTICATED', signIn.userErrors.map(({ message }) => message).join('; '));
    return token;
  }

  private async keep({ accessToken, refreshToken, expiresAt }: SessionFragment): Promise<string | null> {
    this.session = accessToken && refreshToken && expiresAt ? { accessToken, refreshToken, expiresAt } : null;
    await store(this.path, this.session);
    return this.session && this.session.accessToken;
  }

  private async send<Data, Variables>(
    document: TypedDocumentString<Data, Variables>,
    variables: Variables,
    token?: string,
  ): Promise<Data> {
    const { response, answer } = await this.post<Data>(
      { query: document.toString(), operationName: nameOf(document), variables },
      token,
    );
    const [error] = answer.errors ?? [];
    if (error) {
      const { code = 'INTERNAL', retryAfterSeconds } = error.extensions ?? {};
      if (retryAfterSeconds !== undefined || code === 'UNAVAILABLE' || code === 'INTERNAL') {
        throw new Transient(`${code}: ${error.message}`, retryAfterSeconds);
      }
      throw new Refused(code, error.message);
    }
    if (!answer.data) throw new Transient(`HTTP ${response.status} without data`);
    return answer.data;
  }

  private async post<Data>(body: object, token?: string): Promise<{ response: Response; answer: Answer<Data> }> {
    const headers: Record<string, string> = {
      accept: 'application/graphql-response+json, application/json;q=0.9',
      'content-type': 'application/json',
    };
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    const signal = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
    let response: Response | undefined;
    try {
      response = await fetch(this.url, { method: 'POST', headers, body: JSON.stringify(body), signal });
      return { response, answer: (await response.json()) as Answer<Data> };
    } catch (error) {
      // No connection, one that broke, or a proxy's page instead of JSON.
      const seconds = Number(response?.headers.get('retry-after') ?? undefined);
      throw new Transient(`no answer: ${(error as Error).message}`, Number.isFinite(seconds) ? seconds : undefined);
    }
  }
}

function nameOf(document: { toString(): string }): string | undefined {
  return /\b(?:query|mutation)\s+(\w+)/.exec(document.toString())?.[1];
}

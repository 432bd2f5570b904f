// The tokens of who is signed in, for this browser tab.
import type { SessionFragment } from './generated';

export interface Session {
  accessToken: string;
  refreshToken: string;
  expiresAt: string;
}

const KEY = 'session';
/** A token that ends within this time is renewed first. */
const MARGIN_MILLISECONDS = 10_000;

export function current(): Session | null {
  const text = sessionStorage.getItem(KEY);
  return text === null ? null : (JSON.parse(text) as Session);
}

/** Keeps what a sign-in or a renewal answered; throws what stood in its way. */
export function keep({ accessToken, refreshToken, expiresAt, userErrors }: SessionFragment): void {
  if (!accessToken || !refreshToken || !expiresAt) {
    sessionStorage.removeItem(KEY);
    throw new Error(userErrors.map(({ message }) => message).join('; '));
  }
  sessionStorage.setItem(KEY, JSON.stringify({ accessToken, refreshToken, expiresAt }));
}

export function endsSoon(): boolean {
  const session = current();
  return session !== null && Date.parse(session.expiresAt) - Date.now() < MARGIN_MILLISECONDS;
}

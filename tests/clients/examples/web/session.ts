// The tokens of who is signed in, for this browser tab; the device token stays with the browser.
import type { SessionFragment } from './generated';

export interface Session {
  accessToken: string;
  refreshToken: string;
  expiresAt: string;
}

const KEY = 'session';
const DEVICE_KEY = 'device';
/** A token that ends within this time is renewed first. */
const MARGIN_MILLISECONDS = 10_000;

export function current(): Session | null {
  const text = sessionStorage.getItem(KEY);
  return text === null ? null : (JSON.parse(text) as Session);
}

/** With it a sign-in does not wait for what others fail from the same network. */
export function device(): string | null {
  return localStorage.getItem(DEVICE_KEY);
}

/** Keeps what a sign-in or a renewal answered; throws what stood in its way. */
export function keep({ accessToken, refreshToken, deviceToken, expiresAt, userErrors }: SessionFragment): void {
  if (!accessToken || !refreshToken || !expiresAt) {
    sessionStorage.removeItem(KEY);
    throw new Error(userErrors.map(({ message }) => message).join('; '));
  }
  if (deviceToken) localStorage.setItem(DEVICE_KEY, deviceToken);
  sessionStorage.setItem(KEY, JSON.stringify({ accessToken, refreshToken, expiresAt }));
}

export function endsSoon(): boolean {
  const session = current();
  return session !== null && Date.parse(session.expiresAt) - Date.now() < MARGIN_MILLISECONDS;
}

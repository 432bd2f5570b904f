// How long to wait before something is tried again.

const FIRST_MILLISECONDS = 250;
const LONGEST_MILLISECONDS = 60_000;

/** Grows with the attempts. Half of it is chance, so that phones that lost the same network do not come back as
    one; never less than the other side asked for. */
export function backoff(attempt: number, askedSeconds = 0): number {
  const longest = Math.min(LONGEST_MILLISECONDS, FIRST_MILLISECONDS * 2 ** Math.min(attempt, 20));
  return Math.max(askedSeconds * 1000, longest / 2 + (Math.random() * longest) / 2);
}

export async function wait(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}

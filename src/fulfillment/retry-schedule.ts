/** A webhook is tried for so long, and so often at least, before it is given up. */
const roundSeconds = 3 * 24 * 3600;
export const fewestAttempts = 10;

const firstGapSeconds = 5;
const longestGapSeconds = 6 * 3600;

/**
 * Seconds to wait after the n-th failed attempt (from 1): 5 s, doubling up to 6 h, which makes some 23 attempts in three
 * days. `chance` in [0, 1) spreads each gap over 95–115 %, so that what failed together does not come back together.
 */
export function gapSeconds(attempt: number, chance: number): number {
  const gap = Math.min(firstGapSeconds * 2 ** Math.min(attempt - 1, 20), longestGapSeconds);
  return gap * (0.95 + 0.2 * chance);
}

/** Whether the n-th attempt was the last: `age` is the time since the first was due, seconds. */
export const isExhausted = (attempt: number, age: number): boolean => attempt >= fewestAttempts && age >= roundSeconds;

/** Seconds until the last attempt is due; without limit once that time has passed with too few attempts. */
export const secondsLeftOf = (age: number): number => (age < roundSeconds ? roundSeconds - age : Infinity);

const longestRetryAfterSeconds = 24 * 3600;

/**
 * What a `Retry-After` asks for (seconds or an HTTP date, RFC 9110 section 10.2.3), where it lies between 1 s and 24 h;
 * null otherwise. `nowMs` is the time on the machine's clock, milliseconds.
 */
export function retryAfterSeconds(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  const text = header.trim();
  const seconds = /^\d{1,9}$/.test(text)
    ? parseInt(text, 10)
    : httpDate.test(text)
      ? (Date.parse(text) - nowMs) / 1000
      : NaN;
  return seconds >= 1 && seconds <= longestRetryAfterSeconds ? seconds : null;
}

const httpDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

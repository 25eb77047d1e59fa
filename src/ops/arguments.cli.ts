import { readInstant, type Instant } from '../kernel/clock.js';
import { isUuid } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';

/*
 * What options and arguments of many commands are read as, so that they all refuse the same in the same words.
 */

/** The time that an option names. Throws `Refusal('malformed_request')` where it names none. */
export function instantIn(text: string, option: string): Instant {
  const time = readInstant(text);
  if (time === null)
    throw new Refusal('malformed_request', `${option} takes an RFC 3339 time such as 2026-01-31T12:00:00Z.`);
  return time;
}

/** What `--limit` says: a whole number from `least` to `most`. Throws `Refusal('malformed_request')`. */
export function limitIn(text: string, most = 1000, least = 1): number {
  const limit = /^(?:0|[1-9]\d{0,8})$/.test(text) ? parseInt(text, 10) : -1;
  if (limit >= least && limit <= most) return limit;
  throw new Refusal('malformed_request', `--limit takes a whole number from ${String(least)} to ${String(most)}.`);
}

/** An id. Throws `Refusal('not_found')` for what cannot be one. */
export function idIn(text: string): string {
  if (isUuid(text)) return text;
  throw new Refusal('not_found', `"${text.slice(0, 64)}" is not an id (a UUID).`);
}

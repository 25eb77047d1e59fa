import { readInstant, type Instant } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';

/** The time that an option names. Throws `Refusal('malformed_request')` where it names none. */
export function instantIn(text: string, option: string): Instant {
  const time = readInstant(text);
  if (time === null)
    throw new Refusal('malformed_request', `${option} takes an RFC 3339 time such as 2026-01-31T12:00:00Z.`);
  return time;
}

/** A point in time: RFC 3339, UTC, milliseconds (`2026-01-31T12:00:00.000Z`). Such strings sort as the times do. */
export type Instant = string;

/** Where "now" comes from. Nothing pure reads it; it is handed in. */
export abstract class Clock {
  abstract now(): Instant;
}

export const instantFromMs = (ms: number): Instant => new Date(ms).toISOString();
export const msOf = (instant: Instant): number => Date.parse(instant);
export const addSeconds = (instant: Instant, seconds: number): Instant => instantFromMs(msOf(instant) + seconds * 1000);
export const addMinutes = (instant: Instant, minutes: number): Instant => addSeconds(instant, minutes * 60);

const pattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?(?:Z|[+-]\d{2}:\d{2})$/;
const lastMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Reads an RFC 3339 time that exists, from 1970 to 9999; null where it is none, and where it does not say its offset. */
export function readInstant(text: string): Instant | null {
  const ms = pattern.test(text) ? msOf(text) : NaN;
  return ms >= 0 && ms <= lastMs && isDayOfMonth(text.slice(0, 10)) ? instantFromMs(ms) : null;
}

/** JavaScript takes 30 February for 2 March. */
const isDayOfMonth = (day: string): boolean => instantFromMs(msOf(`${day}T00:00:00Z`)).startsWith(day);

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

import { addSeconds, instantFromMs, msOf, type Instant } from '../kernel/clock.js';

/*
 * Days of the match: in UTC, as `2026-01-31`.
 */

const daySeconds = 86_400;

export const dayOf = (time: Instant): string => time.slice(0, 10);

const startOf = (day: string): Instant => `${day}T00:00:00.000Z`;

/** From the first moment of the day to before the first of the next. */
export const spanOf = (day: string): { from: Instant; to: Instant } => ({
  from: startOf(day),
  to: addSeconds(startOf(day), daySeconds),
});

export const dayBefore = (day: string): string => dayOf(addSeconds(startOf(day), -daySeconds));

/** Whether `text` is a day that there is. */
export const isDay = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) &&
  !Number.isNaN(msOf(startOf(text))) &&
  dayOf(instantFromMs(msOf(startOf(text)))) === text;

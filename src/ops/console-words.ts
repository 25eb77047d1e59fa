import { msOf, type Instant } from '../kernel/clock.js';

/** `2026-01-31 12:00:05`, of UTC; the page says so. */
export const timeOf = (instant: Instant): string => instant.slice(0, 19).replace('T', ' ');

const units = [
  [86_400, 'day', 'days'],
  [3600, 'hour', 'hours'],
  [60, 'minute', 'minutes'],
] as const;

/** How long ago something was, in its largest whole unit: `3 hours`; `less than a minute` for all below. */
export function ageOf(since: Instant, now: Instant): string {
  const seconds = Math.max(0, Math.floor((msOf(now) - msOf(since)) / 1000));
  const unit = units.find(([length]) => seconds >= length);
  if (unit === undefined) return 'less than a minute';
  const count = Math.floor(seconds / unit[0]);
  return `${String(count)} ${count === 1 ? unit[1] : unit[2]}`;
}

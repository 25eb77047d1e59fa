import { instantFromMs, msOf, type Instant } from '../kernel/clock.js';

const hour = 3600;
const day = 24 * hour;

/** The ranges that a dashboard can be of: how many buckets of how many seconds. */
export const ranges = {
  '24h': { words: '24 hours', buckets: 24, seconds: hour, each: 'an hour' },
  '7d': { words: '7 days', buckets: 28, seconds: 6 * hour, each: '6 hours' },
  '30d': { words: '30 days', buckets: 30, seconds: day, each: 'a day' },
  '90d': { words: '90 days', buckets: 90, seconds: day, each: 'a day' },
} as const;

export type Range = keyof typeof ranges;

export const isRange = (text: string): text is Range => Object.hasOwn(ranges, text);

/** What a dashboard is of: whole buckets in UTC, the last of which is still running, and as long a time before them. */
export interface Window {
  range: Range;
  from: Instant;
  /** Exclusive: when it was asked. */
  to: Instant;
  /** The same span, one length earlier: it ends as far into its last bucket as this one. */
  before: { from: Instant; to: Instant };
  /** Where each bucket begins. */
  starts: Instant[];
}

export function windowOf(range: Range, now: Instant): Window {
  const { buckets, seconds } = ranges[range];
  const size = seconds * 1000;
  const last = Math.floor(msOf(now) / size) * size;
  const first = last - (buckets - 1) * size;
  const length = buckets * size;
  return {
    range,
    from: instantFromMs(first),
    to: now,
    before: { from: instantFromMs(first - length), to: instantFromMs(msOf(now) - length) },
    starts: Array.from({ length: buckets }, (_, at) => instantFromMs(first + at * size)),
  };
}

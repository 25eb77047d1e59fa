import { describe, expect, it } from '@jest/globals';
import { gapSeconds, maxAttempts, retryAfterSeconds } from '../../src/fulfillment/retry-schedule.js';

const total = (chance: number): number => {
  let seconds = 0;
  for (let attempt = 1; attempt < maxAttempts; attempt++) seconds += gapSeconds(attempt, chance);
  return seconds / 3600;
};

describe('The schedule of a webhook', () => {
  it('grows from seconds to hours and lasts three days, whatever chance says', () => {
    expect(gapSeconds(1, 0.25)).toBeCloseTo(5);
    expect(gapSeconds(24, 0.25)).toBeCloseTo(6 * 3600);
    expect(total(0)).toBeGreaterThan(72);
    expect(total(0.999)).toBeLessThan(96);
  });

  it('spreads what failed together', () => {
    expect(gapSeconds(10, 0)).toBeLessThan(gapSeconds(10, 0.5));
  });
});

describe('A Retry-After', () => {
  const now = Date.parse('2026-01-31T12:00:00Z');
  it.each([
    ['120', 120],
    ['Sat, 31 Jan 2026 12:01:00 GMT', 60],
    ['86400', 86_400],
  ])('of %s is honoured', (header, seconds) => expect(retryAfterSeconds(header, now)).toBe(seconds));

  it.each([
    null,
    '',
    '0',
    '-5',
    '315360000',
    'soon',
    '1e3',
    'Sat, 31 Jan 2026 11:00:00 GMT',
    'Sat, 31 Jan 2036 12:00:00 GMT',
    '2026-01-31',
  ])('of %s leaves the schedule alone', (header) => expect(retryAfterSeconds(header, now)).toBeNull());
});

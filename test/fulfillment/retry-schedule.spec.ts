import { describe, expect, it } from '@jest/globals';
import { gapSeconds, isExhausted, retryAfterSeconds, secondsLeftOf } from '../../src/fulfillment/retry-schedule.js';

/** How often a webhook is attempted that always fails, and over how many hours. */
function life(chance: number): { attempts: number; hours: number } {
  let [age, attempts] = [0, 1];
  while (!isExhausted(attempts, age)) age += Math.min(gapSeconds(attempts++, chance), secondsLeftOf(age));
  return { attempts, hours: age / 3600 };
}

describe('The schedule of a webhook', () => {
  it('grows from seconds to hours and lasts three days, whatever chance says', () => {
    expect(gapSeconds(1, 0.25)).toBeCloseTo(5);
    expect(gapSeconds(24, 0.25)).toBeCloseTo(6 * 3600);
    for (const chance of [0, 0.5, 0.999]) {
      const { attempts, hours } = life(chance);
      expect(hours).toBe(72);
      expect(attempts).toBeGreaterThanOrEqual(20);
      expect(attempts).toBeLessThanOrEqual(30);
    }
  });

  it('makes at least ten attempts, also of what waited three days for its first', () => {
    expect(isExhausted(9, 100 * 3600)).toBe(false);
    expect(isExhausted(10, 72 * 3600)).toBe(true);
    expect(secondsLeftOf(100 * 3600)).toBe(Infinity);
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

import { describe, expect, it } from '@jest/globals';
import { readInstant } from '../../src/kernel/clock.js';

describe('A time that somebody gives', () => {
  it.each([
    ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31T12:00:00.5+02:00', '2026-01-31T10:00:00.500Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
  ])('%s is %s', (text, instant) => {
    expect(readInstant(text)).toBe(instant);
  });

  it.each([
    ['without its offset, which would be that of the machine', '2026-01-31T12:00:00'],
    ['of a day that there is not', '2026-02-30T00:00:00Z'],
    ['in figures that there are not', '2026-01-31T25:00:00Z'],
    ['before 1970', '1969-12-31T23:59:59Z'],
    ['as a day', '2026-01-31'],
    ['in words', 'yesterday'],
  ])('is none %s', (_, text) => {
    expect(readInstant(text)).toBeNull();
  });
});

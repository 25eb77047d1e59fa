import { describe, expect, it } from '@jest/globals';
import { betterOf, lineOf, verdictsOf } from '../../bench/support/guard.mjs';

const committed = { bands: { rate: 0.4, cpu: 0.6 }, ratios: { 'intake / route': { rate: 0.3, cpu: 0.5 } } };
const holding = (measured: object): boolean[] => verdictsOf(committed, measured).map(({ holds }) => holds);

describe('The guard of the hot paths', () => {
  it('lets a ratio move inside its band, and be better than it was', () => {
    expect(holding({ 'intake / route': { rate: 0.121, cpu: 0.301 } })).toEqual([true, true]);
    expect(holding({ 'intake / route': { rate: 3, cpu: 5 } })).toEqual([true, true]);
  });

  it('fails each ratio that falls out of its band', () => {
    expect(holding({ 'intake / route': { rate: 0.119, cpu: 0.5 } })).toEqual([false, true]);
    expect(holding({ 'intake / route': { rate: 0.3, cpu: 0.299 } })).toEqual([true, false]);
  });

  it('fails what was not measured, or came to no number', () => {
    expect(holding({})).toEqual([false, false]);
    expect(holding({ 'intake / route': { rate: NaN, cpu: NaN } })).toEqual([false, false]);
  });

  it('does without CPU time where the system does not tell it', () => {
    expect(holding({ 'intake / route': { rate: 0.3, cpu: null } })).toEqual([true]);
  });

  it('takes the better one of two tries, ratio by ratio', () => {
    expect(betterOf({ rate: 0.1, cpu: 0.5 }, { rate: 0.3, cpu: 0.4 })).toEqual({ rate: 0.3, cpu: 0.5 });
    expect(betterOf({ rate: 0.1, cpu: null }, { rate: 0.3, cpu: null })).toEqual({ rate: 0.3, cpu: null });
  });

  it('says in one line what fell, and below what', () => {
    const [rate, cpu] = verdictsOf(committed, { 'intake / route': { rate: 0.1, cpu: 0.5 } }).map(lineOf);
    expect(rate).toBe('FALLS  intake / route, rate: 0.100 (committed 0.300, at least 0.120)');
    expect(cpu).toBe('holds  intake / route, CPU time: 0.500 (committed 0.500, at least 0.300)');
  });
});

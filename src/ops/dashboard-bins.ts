import type { Timing } from './dashboard-questions.pg.js';

/*
 * Times are counted in bins of a logarithmic scale, so that what the database hands over is small however many there are.
 * Each bin is 10 % wider than the one before: what is said of a time is within 5 % of it.
 */

/** The middle of a bin, seconds. */
const secondsOf = (bin: number): number => Math.pow(1.1, bin + 0.5);

/** The time within which this share of all was done, seconds; null where there is none. */
export function percentile(timings: readonly Pick<Timing, 'bin' | 'count'>[], share: number): number | null {
  const sorted = [...timings].sort((a, b) => a.bin - b.bin);
  let left = Math.ceil(sorted.reduce((all, { count }) => all + count, 0) * share);
  for (const { bin, count } of sorted) {
    left -= count;
    if (left <= 0) return secondsOf(bin);
  }
  return null;
}

const edges = [5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 86_400] as const;

/** How many took up to so long, and longer than the step before; the last step has no end. */
export function histogram(timings: readonly Pick<Timing, 'bin' | 'count'>[]): { step: string; count: number }[] {
  const counts = [...edges, Infinity].map((edge, at) => {
    const above = edges[at - 1] ?? 0;
    const inside = timings.filter(({ bin }) => secondsOf(bin) > above && secondsOf(bin) <= edge);
    return inside.reduce((all, { count }) => all + count, 0);
  });
  return counts.map((count, at) => ({ step: stepOf(at), count }));
}

const stepOf = (at: number): string => {
  const edge = edges[at];
  return edge === undefined ? `> ${durationOf(edges.at(-1) ?? 0)}` : `≤ ${durationOf(edge)}`;
};

const units: readonly [number, string][] = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/** `0.24 s`, `12 s`, `3.2 min`, `2 h`, `1.5 d`: two digits are as much as is known. */
export function durationOf(seconds: number): string {
  const [size, unit] = units.find(([least]) => seconds >= least) ?? [1, 's'];
  const amount = seconds / size;
  const digits = amount >= 10 ? 0 : amount >= 1 ? 1 : 2;
  return `${trimmed(amount.toFixed(digits))} ${unit}`;
}

/** Without zeros at the end that say nothing. */
const trimmed = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);

import type { Instant } from '../kernel/clock.js';
import { durationOf, histogram, percentile } from './dashboard-bins.js';
import type { Count, Timing } from './dashboard-questions.pg.js';
import type { Window } from './dashboard-window.js';

/*
 * From counts to what a page shows. Nothing is estimated here but the times, which come in bins.
 */

/**
 * What a plot draws, and the table beside it says: a value for each column in each row. A column keeps its series, and so its
 * colour, whichever others there are.
 */
export interface Plotted {
  columns: { name: string; series: number }[];
  rows: { label: string; at: Instant | null; values: (number | null)[] }[];
}

/** Something in the window, and in as long a time before it. */
export interface Compared {
  now: number;
  before: number;
}

export const isNow = ({ bucket }: { bucket: number }): boolean => bucket >= 0;

export function compared<T extends Count>(rows: readonly T[], fits: (row: T) => boolean = () => true): Compared {
  const sum = (now: boolean): number =>
    rows.reduce((all, row) => (isNow(row) === now && fits(row) ? all + row.count : all), 0);
  return { now: sum(true), before: sum(false) };
}

/** Counts over time, one column for each name there is; `order` says which come first and how they are called. */
export function overTime<T extends Count>(
  { starts }: Window,
  rows: readonly T[],
  nameOf: (row: T) => string,
  order: Readonly<Record<string, string>>,
): Plotted {
  const counts = new Map<string, number[]>();
  for (const row of rows.filter(isNow)) {
    const name = nameOf(row);
    const values = counts.get(name) ?? starts.map(() => 0);
    values[row.bucket] = (values[row.bucket] ?? 0) + row.count;
    counts.set(name, values);
  }
  const known = Object.keys(order).filter((name) => counts.has(name));
  const others = [...counts.keys()].filter((name) => !Object.hasOwn(order, name)).sort();
  const names = [...known, ...others];
  const ordered = [...Object.keys(order), ...others];
  const series = (name: string): number => ordered.indexOf(name);
  return {
    columns: names.map((name) => ({ name: order[name] ?? wordsOf(name), series: series(name) })),
    rows: starts.map((at, index) => ({
      ...{ label: momentOf(at, starts), at },
      values: names.map((name) => counts.get(name)?.[index] ?? 0),
    })),
  };
}

/** Half of all took up to so long, and nine of ten, in each bucket. */
export function lagOverTime({ starts }: Window, timings: readonly Timing[]): Plotted {
  const rows = starts.map((at, index) => {
    const own = timings.filter(({ bucket }) => bucket === index);
    const value = (share: number): number | null => rounded(percentile(own, share));
    return { label: momentOf(at, starts), at, values: [value(0.5), value(0.9)] };
  });
  return {
    columns: [
      { name: 'Half within (p50)', series: 0 },
      { name: 'Nine of ten within (p90)', series: 3 },
    ],
    rows,
  };
}

const rounded = (seconds: number | null): number | null => (seconds === null ? null : Math.round(seconds * 100) / 100);

export function stepsOf(timings: readonly Timing[], name: string): Plotted {
  return {
    columns: [{ name, series: 0 }],
    rows: histogram(timings.filter(isNow)).map(({ step, count }) => ({ label: step, at: null, values: [count] })),
  };
}

/** `2026-01-31`, or with the time where buckets are shorter than days. */
const momentOf = (at: Instant, starts: readonly Instant[]): string =>
  starts.every((each) => each.endsWith('T00:00:00.000Z')) ? at.slice(0, 10) : at.slice(0, 16).replace('T', ' ');

export interface Share extends Compared {
  name: string;
}

/** How many of each name, the most first. */
export function sharesOf<T extends Count>(rows: readonly T[], nameOf: (row: T) => string): Share[] {
  const shares = new Map<string, Share>();
  for (const row of rows) {
    const name = nameOf(row);
    const share = shares.get(name) ?? { name, now: 0, before: 0 };
    share[isNow(row) ? 'now' : 'before'] += row.count;
    shares.set(name, share);
  }
  return [...shares.values()].sort((a, b) => b.now - a.now || b.before - a.before || (a.name < b.name ? -1 : 1));
}

export const wordsOf = (name: string): string => name.replaceAll('_', ' ');

/** `1,234` */
export const counted = (count: number): string => count.toLocaleString('en-US');

/** A value that stands on top of a part, and how it was before. */
export interface KeyFigure {
  name: string;
  value: string;
  change: string;
}

const none = 'none the time before';

export function countFigure(name: string, { now, before }: Compared): KeyFigure {
  if (before === 0) return { name, value: counted(now), change: now === 0 ? 'as before' : none };
  const percent = Math.round(((now - before) / before) * 100);
  const change = percent === 0 ? 'as before' : `${percent > 0 ? '▲' : '▼'} ${counted(Math.abs(percent))} %`;
  return { name, value: counted(now), change: `${change}, was ${counted(before)}` };
}

/** How large a part of a whole is; a dash where there is no whole. */
export function shareFigure(name: string, part: Compared, whole: Compared): KeyFigure {
  const share = (of: keyof Compared): number | null => (whole[of] === 0 ? null : (part[of] / whole[of]) * 100);
  const [now, before] = [share('now'), share('before')];
  const shown = (value: number): string => `${value.toFixed(1)} %`;
  if (now === null) return { name, value: '–', change: before === null ? none : `was ${shown(before)}` };
  if (before === null) return { name, value: shown(now), change: none };
  const points = now - before;
  const change =
    Math.abs(points) < 0.05 ? 'as before' : `${points > 0 ? '▲' : '▼'} ${Math.abs(points).toFixed(1)} points`;
  return { name, value: shown(now), change: `${change}, was ${shown(before)}` };
}

export function timeFigure(name: string, timings: readonly Timing[], share: number): KeyFigure {
  const of = (now: boolean): string | null => {
    const seconds = percentile(
      timings.filter((each) => isNow(each) === now),
      share,
    );
    return seconds === null ? null : durationOf(seconds);
  };
  const [now, before] = [of(true), of(false)];
  return { name, value: now ?? '–', change: before === null ? none : before === now ? 'as before' : `was ${before}` };
}

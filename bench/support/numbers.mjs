const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
const ranked = (ascending, share) => ascending[Math.max(0, Math.ceil(ascending.length * share) - 1)] ?? NaN;

/** The value below which this share of the numbers lies (nearest rank). */
export const percentile = (numbers, share) => ranked(sorted(numbers), share);

export const median = (numbers) => {
  const all = sorted(numbers);
  const middle = all.length >> 1;
  return all.length % 2 === 1 ? all[middle] : (all[middle - 1] + all[middle]) / 2;
};

export const perSecond = (count, ms) => (count * 1000) / ms;

/** Shares of which the distribution of times is kept, for the plots. */
export const shares = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1];

/** What a round of operations came to: how many a second, and how long each took (ms). */
export const summaryOf = ({ ms, times }) => {
  const ascending = sorted(times);
  const at = (share) => ranked(ascending, share);
  const quantiles = shares.map(at);
  return {
    perSecond: perSecond(times.length, ms),
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    max: at(1),
    quantiles,
  };
};

/** A number as results.json keeps it: four digits that mean something. */
export const rounded = (value) => {
  if (typeof value === 'number') return Number.isInteger(value) ? value : Number(value.toPrecision(4));
  if (Array.isArray(value)) return value.map(rounded);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, rounded(member)]));
};

/** A number for people: three digits that mean something, thousands apart. */
export const shown = (number) => {
  if (number === null || number === undefined || Number.isNaN(number)) return '-';
  if (number >= 100) return Math.round(number).toLocaleString('en');
  return number >= 10 ? number.toFixed(1) : number.toFixed(2);
};

/** A Markdown table. */
export const table = (head, rows) => {
  const widths = head.map((title, column) => Math.max(3, title.length, ...rows.map((row) => row[column].length)));
  const line = (cells) =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join(' | ')} |`;
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
};

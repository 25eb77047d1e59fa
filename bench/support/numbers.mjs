const sorted = (numbers) => [...numbers].sort((a, b) => a - b);

/** The value below which this share of the numbers lies (nearest rank). */
export const percentile = (numbers, share) =>
  sorted(numbers)[Math.max(0, Math.ceil(numbers.length * share) - 1)] ?? NaN;

export const median = (numbers) => {
  const all = sorted(numbers);
  const middle = all.length >> 1;
  return all.length % 2 === 1 ? all[middle] : (all[middle - 1] + all[middle]) / 2;
};

export const perSecond = (count, ms) => (count * 1000) / ms;

/** A number for people: three digits that mean something, thousands apart. */
export const shown = (number) => {
  if (number === null || Number.isNaN(number)) return '-';
  if (number >= 100) return Math.round(number).toLocaleString('en');
  return number >= 10 ? number.toFixed(1) : number.toFixed(2);
};

/** A Markdown table. */
export const table = (head, rows) => {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  const line = (cells) =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join(' | ')} |`;
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
};

import type { Scrape } from '../support/scrape.js';

const pick = /^(time\(\) - )?(max|min)(?: by \((\w+)\))? ?\((\w+)(?:\{([^}]*)\})?\) > ([\d.]+)$/;

/** Whether this reads the expression: the largest or smallest of some series, or its age, against a number. */
export const isAbsolute = (expression: string): boolean =>
  expression
    .trim()
    .split(/\s*\n?or /)
    .every((part) => pick.test(part.trim()));

/** Whether an absolute expression holds on a scrape at a time, in seconds since 1970. */
export const holds = (expression: string, scrape: Scrape, at: number): boolean =>
  expression
    .trim()
    .split(/\s*\n?or /)
    .some((part) => holdsPart(part.trim(), scrape, at));

function holdsPart(part: string, scrape: Scrape, at: number): boolean {
  const [, age, extreme, by, metric, matchers = '', threshold] = pick.exec(part) ?? [];
  const wanted = [...matchers.matchAll(/(\w+)(=|!=)"([^"]*)"/g)];
  const groups = new Map<string, number[]>();
  for (const { name, labels, value } of scrape.series) {
    const fits = wanted.every(([, label = '', operator, text]) => (labels[label] === text) === (operator === '='));
    if (name !== metric || !fits) continue;
    const group = by === undefined ? '' : (labels[by] ?? '');
    groups.set(group, [...(groups.get(group) ?? []), value]);
  }
  return [...groups.values()].some((values) => {
    const value = extreme === 'max' ? Math.max(...values) : Math.min(...values);
    return (age ? at - value : value) > Number(threshold);
  });
}

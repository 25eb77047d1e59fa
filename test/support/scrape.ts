/** A scrape, read: what is exposed, under which labels, and how much of it. */
export interface Scrape {
  /** The type of each metric that is exposed, whether it has a series or not. */
  types: ReadonlyMap<string, string>;
  /** Every series; a histogram's under the names of its parts. */
  series: readonly { name: string; labels: Readonly<Record<string, string>>; value: number }[];
  /** The sum of the series with this name and these labels; null where there is none. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number | null;
}

const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const pair = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Reads the text format of Prometheus. Throws on a line that is none of it. */
export function readScrape(text: string): Scrape {
  const types = new Map<string, string>();
  const series: { name: string; labels: Record<string, string>; value: number }[] = [];
  for (const each of text.split('\n')) {
    const [, typed, type] = /^# TYPE (\S+) (\S+)$/.exec(each) ?? [];
    if (typed !== undefined) types.set(typed, type ?? '');
    if (each === '' || each.startsWith('#')) continue;
    const found = line.exec(each);
    if (!found) throw new Error(`not a line of a scrape: ${each}`);
    const labels = Object.fromEntries([...(found[2] ?? '').matchAll(pair)].map(([, name, value]) => [name, value]));
    series.push({ name: found[1] ?? '', labels, value: Number(found[3]) });
  }
  return {
    types,
    series,
    sum: (name, labels = {}) => {
      const wanted = Object.entries(labels);
      const fit = series.filter((s) => s.name === name && wanted.every(([label, value]) => s.labels[label] === value));
      return fit.length === 0 ? null : fit.reduce((total, { value }) => total + value, 0);
    },
  };
}

/** Scrapes a running service. */
export const scrape = async (url: string): Promise<Scrape> => readScrape(await (await fetch(`${url}/metrics`)).text());

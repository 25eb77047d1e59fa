// The part of README.md that is made of results.json: tables, facts and plots.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { shown, table } from './numbers.mjs';
import { readResults } from './results.mjs';

const begin = '<!-- results: written by `npm run bench -- report` -->';
const end = '<!-- end of results -->';

const cell = (value) => (value === null || value === undefined ? '-' : shown(value));

const rowOf = (measurement, name) => {
  const side = measurement.sides[name];
  const ratio = measurement.ratios[name];
  return [
    side.label,
    `${shown(side.perSecond)} ${measurement.unit}`,
    cell(side.p50),
    cell(side.p99),
    cell(side.cpu?.process),
    cell(side.cpu?.postgres),
    name === measurement.product ? '' : ratio.toFixed(2),
  ];
};

/** A table with a row for the product and one for each thing that it is measured against. */
export const measurementTable = (measurement) => {
  const names = Object.keys(measurement.sides).sort(
    (a, b) => Number(b === measurement.product) - Number(a === measurement.product),
  );
  const head = [measurement.title, 'rate', 'p50 ms', 'p99 ms', 'CPU ms', 'PostgreSQL ms', 'product / this'];
  return table(
    head,
    names.map((name) => rowOf(measurement, name)),
  );
};

const machineLine = ({ machine: m, postgres: p, startedAt, loadBefore, loadAfter, tookSeconds }) => {
  const server = p
    ? `, PostgreSQL ${p.server_version} (fsync ${p.fsync}, synchronous_commit ${p.synchronous_commit}, shared_buffers ${p.shared_buffers})`
    : '';
  return `${startedAt.slice(0, 16).replace('T', ' ')} UTC, ${m.commit ?? '?'}; ${m.cores} cores (${m.cpu}), ${m.memoryGb} GiB, ${m.kernel}, Node ${m.node}${server}; load ${loadBefore.join(', ')} before, ${loadAfter.join(', ')} after; took ${shown(tookSeconds)} s.`;
};

/** What a case came to, as Markdown; with the names of its plots where it has any. */
export const sectionOf = (benchCase, result, plots = []) => {
  const tables = [...(result.measurements ?? []).map(measurementTable), ...(benchCase.tables?.(result) ?? [])];
  const facts = (benchCase.facts?.(result) ?? []).map((fact) => `- ${fact}`);
  const images = plots.map(({ file, title }) => `![${title}](plots/${file})`);
  return [
    `### ${benchCase.name}`,
    ...tables,
    ...(facts.length > 0 ? [facts.join('\n')] : []),
    ...images,
    `<sub>${machineLine(result)}</sub>`,
  ].join('\n\n');
};

/** Writes README.md's results and the plots anew from results.json. */
export const report = async (cases, places) => {
  const results = await readResults(places);
  const directory = join(dirname(places.readme), places.plots);
  await mkdir(directory, { recursive: true });
  const sections = [];
  for (const benchCase of cases) {
    const result = results[benchCase.name];
    if (!result) continue;
    const plots = benchCase.plots?.(result) ?? [];
    for (const { file, svg } of plots) await writeFile(join(directory, file), svg);
    sections.push(sectionOf(benchCase, result, plots));
  }
  const text = await readFile(places.readme, 'utf8').catch(() => `${begin}\n${end}\n`);
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`${places.readme} has no place for results: "${begin}" and "${end}"`);
  await writeFile(places.readme, `${before}${begin}\n\n${sections.join('\n\n')}\n\n${end}${after}`);
};

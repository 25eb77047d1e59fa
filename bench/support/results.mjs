// results.json: one entry a case, so that a long suite can be taken in parts.
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rounded } from './numbers.mjs';
import { ask } from './processes.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Where results and plots go. What `--quick` measures only shows that everything works, and is not committed. */
export const placesOf = (quick) =>
  quick
    ? { results: here('../../.finality/bench/results.json'), readme: here('../../.finality/bench/README.md'), plots: 'plots' }
    : { results: here('../results.json'), readme: here('../README.md'), plots: 'plots' }; // prettier-ignore

export const readResults = async ({ results }) => {
  const text = await readFile(results, 'utf8').catch(() => '{}');
  return JSON.parse(text);
};

export const mergeResult = async (places, name, result) => {
  const all = { ...(await readResults(places)), [name]: rounded(result) };
  const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
  await mkdir(dirname(places.results), { recursive: true });
  await writeFile(places.results, `${JSON.stringify(sorted, null, 1)}\n`);
};

const settings = ['server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'wal_compression', 'max_wal_size']; // prettier-ignore

export const postgresOf = async (url) => {
  const [postgres] = await ask(
    url,
    `select ${settings.map((name) => `current_setting('${name}') as ${name}`).join(', ')}`,
  );
  return postgres;
};

const commitOf = () => {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: here('.'), encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return null;
  }
}; // prettier-ignore

export const machine = () => ({
  cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
  cores: os.cpus().length,
  memoryGb: Math.round(os.totalmem() / 2 ** 30),
  kernel: `${os.type()} ${os.release()}`,
  node: process.version,
  commit: commitOf(),
});

/** The machine's load averages: other work on it shows here, and in the numbers. */
export const load = () => os.loadavg().map((average) => Number(average.toFixed(2)));

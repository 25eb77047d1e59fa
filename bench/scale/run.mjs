// `npm run bench -- scale <what>`: what each step past one process buys, run for real on this machine. Ends with the
// figures, and with 1 where anything acknowledged was lost or done twice. The figures are kept in
// results.json and in docs/scaling.md; with --quick, which does less, only where --keep asks for it.
import { readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';

const cases = ['replicas', 'failover', 'standby', 'pgbouncer', 'jetstream'];
const usage = `usage: npm run bench -- scale ${cases.join('|')} [--quick [--keep]]`;
const document = new URL('../../docs/scaling.md', import.meta.url);
const results = new URL('results.json', import.meta.url);

const [name, ...flags] = process.argv.slice(3);
const quick = flags.includes('--quick');
const kept = !quick || flags.includes('--keep');
const closers = [];
const began = performance.now();
const say = (line) =>
  process.stderr.write(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);

let ending = null;

/** Ends what was started, the newest first; whoever comes second waits for the first. */
const cleanUp = () => (ending ??= endAll());

const endAll = async () => {
  for (const close of closers.reverse())
    await Promise.resolve(close()).catch((error) => console.error('cleaning up failed:', error));
};

const keep = async (facts) => {
  const all = JSON.parse(await readFile(results, 'utf8').catch(() => '{}'));
  const day = new Date().toISOString().slice(0, 10);
  const machine = `${os.cpus().length} cores, ${Math.round(os.totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
  all[name] = { day, machine, load: os.loadavg()[0].toFixed(2), facts };
  await writeFile(results, `${JSON.stringify(all, null, 2)}\n`);
  const lines = [
    `Measured ${day} on ${machine}; everything shares the machine, load average ${all[name].load}${quick ? '; small sizes, to be taken again on a quiet machine' : ''}.`,
    '',
    ...facts.map((fact) => `- ${fact}`),
  ];
  const text = await readFile(document, 'utf8');
  const [start, end] = [`<!-- figures: ${name} -->`, `<!-- end of ${name} -->`];
  const [before, rest] = text.split(start);
  if (rest === undefined) throw new Error(`docs/scaling.md has no place for the figures of ${name}`);
  await writeFile(document, `${before}${start}\n\n${lines.join('\n')}\n\n${end}${rest.split(end)[1]}`);
};

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void cleanUp().then(() => process.exit(1)));

if (!cases.includes(name)) {
  console.error(usage);
  process.exitCode = 64;
} else {
  try {
    const { run } = await import(`./${name}.mjs`);
    const { facts, broken } = await run({ quick, say, closers });
    console.log(facts.map((fact) => `- ${fact}`).join('\n'));
    for (const what of broken) console.log(`BROKEN: ${what}`);
    if (broken.length > 0) process.exitCode = 1;
    else if (kept) await keep(facts);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    if (process.env.DEBUG) console.error(error);
    process.exitCode = 1;
  } finally {
    await cleanUp();
  }
}
process.exit();

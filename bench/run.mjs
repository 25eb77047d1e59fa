// `npm run bench`: measures the built service beside its floors, prints a table and writes bench/results.json.
// Arguments name cases (callbacks, creates, replay, idle, what-if, verify, streams); without any, all but the last three run.
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import { measureCallbacks } from './cases/callbacks.mjs';
import { measureCreates } from './cases/creates.mjs';
import { measureIdle } from './cases/idle.mjs';
import { measureReplay } from './cases/replay.mjs';
import { measureStreams } from './cases/streams.mjs';
import { measureWhatIf } from './cases/what-if.mjs';
import { measureVerify } from './cases/verify.mjs';
import { shown, table } from './support/numbers.mjs';
import { ask, cleanUp, dataDirectory, startDatabase } from './support/processes.mjs';

if (process.argv[2] === 'scale') await import('./scale/run.mjs');

const wanted = process.argv.slice(2);
const runs = (name) => wanted.length === 0 || wanted.includes(name);
const connections = 64;
const say = (line) => process.stderr.write(`  ${line}\n`);

const machine = async (dataDir) => {
  const database = await startDatabase(dataDir);
  const settings = ['server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers'];
  const [postgres] = await ask(
    database.url,
    `select ${settings.map((name) => `current_setting('${name}') as ${name}`).join(', ')}`,
  );
  await database.stop();
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.cpus().length,
    memoryGb: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
    postgres,
  };
};

/** The machine's load averages: other work on it shows here, and in the numbers. */
const load = () =>
  os
    .loadavg()
    .map((average) => average.toFixed(2))
    .join(', ');

const measure = async () => {
  const results = {
    startedAt: new Date().toISOString(),
    loadBefore: load(),
  };
  // Quiet things first: a machine that has just worked hard still writes to its disk.
  if (runs('idle')) results.idle = await measureIdle({ rounds: 2, say });
  const dataDir = await dataDirectory();
  if (runs('callbacks') || runs('replay')) {
    results.callbacks = await measureCallbacks({ dataDir, rounds: 5, perRound: 3000, connections, say });
  }
  if (runs('replay')) results.replay = await measureReplay({ dataDir, rounds: 3, say });
  if (wanted.includes('what-if'))
    results.whatIf = await measureWhatIf({ dataDir: await dataDirectory(), events: 1_000_000, say });
  results.machine = await machine(dataDir);
  if (runs('creates')) {
    results.creates = await measureCreates({
      dataDir: await dataDirectory(),
      rounds: 5,
      perRound: 1000,
      connections,
      say,
    });
  }
  // A million events take minutes to write: only where they are asked for.
  if (wanted.includes('verify')) {
    const events = Number(process.env.VERIFY_EVENTS ?? 1_000_000);
    results.verify = await measureVerify({ dataDir: await dataDirectory(), events, changes: 100, say });
  }
  if (wanted.includes('streams'))
    results.streams = await measureStreams({ dataDir: await dataDirectory(), streams: 5000, commits: 200, say });
  results.loadAfter = load();
  return results;
};

const rate = (name, unit, { product, floor, ratio }) => [
  name,
  `${shown(product.perSecond)} ${unit}`,
  product.p50 === undefined ? '-' : shown(product.p50),
  product.p99 === undefined ? '-' : shown(product.p99),
  `${shown(floor.perSecond)} ${unit}`,
  ratio.toFixed(2),
];

const rowsOf = ({ callbacks, creates, replay }) => [
  ...(callbacks
    ? [
        rate('callbacks / the same rows inserted', '/s', callbacks),
        rate('callbacks / signature checked, nothing stored', '/s', {
          ...callbacks,
          floor: callbacks.signature,
          ratio: callbacks.signatureRatio,
        }),
      ]
    : []),
  ...(creates ? [rate('creates / the same rows inserted', '/s', creates)] : []),
  ...(replay ? [rate('replay of `orders` / log read and dropped', 'events/s', replay)] : []),
];

const factsOf = ({
  callbacks,
  replay,
  whatIf,
  idle,
  verify,
  streams,
  loadBefore,
  loadAfter,
  machine: { cpu, cores, memoryGb, kernel, node, postgres },
}) => [
  `Machine: ${cores} cores (${cpu}), ${memoryGb} GiB memory, ${kernel}, Node ${node}, PostgreSQL ${postgres.server_version} (embedded; fsync ${postgres.fsync}, synchronous_commit ${postgres.synchronous_commit}).`,
  `Load averages (1, 5, 15 minutes) before: ${loadBefore}; after: ${loadAfter}.`,
  ...(callbacks
    ? [
        `Callbacks: ${callbacks.acknowledged} acknowledged, ${callbacks.stored.evidence} stored as evidence, ${callbacks.stored.paid} payments paid; ${shown(callbacks.eventsPerCallback)} events each; the order read model had caught up ${shown(callbacks.catchUpMs)} ms after the last answer; ${callbacks.stored.corroborated} payments corroborated by polls meanwhile; memory under load ${shown(callbacks.rssMb)} MB.`,
      ]
    : []),
  ...(replay ? [`Replay: ${replay.events} events.`] : []),
  ...(whatIf
    ? [
        `What-if: ${whatIf.payments} payments of ${whatIf.events} events decided anew by \`policy simulate\` in ${whatIf.seconds.map((s) => s.toFixed(1)).join(' s and ')} s, ${shown(whatIf.product.perSecond)} events/s, the same numbers twice; ${whatIf.differing} would stand differently.`,
      ]
    : []),
  ...(verify
    ? [
        `Verify: ${verify.events} events, ${verify.checkpoints} checkpoints and as many messages as payments in ${shown(verify.ms)} ms (median of ${verify.rounds.map((ms) => shown(ms)).join(', ')}), ${shown(verify.perSecond)} events/s; ${verify.changes} of ${verify.changes} changed bytes named.`,
      ]
    : []),
  ...(streams
    ? [
        `Streams: ${streams.streams} status pages open: opened in ${shown(streams.openedMs)} ms, ${shown(streams.rssMb)} MB resident (${shown(streams.rssWithoutMb)} MB before them), ${shown(streams.cpuShare * 100)} % of a core while nothing happens (${shown(streams.cpuShareWithout * 100)} % without them); told of a cancellation ${shown(streams.alone.told.p50)} ms after the request (p95 ${shown(streams.alone.told.p95)}, max ${shown(streams.alone.told.max)}; the answer: ${shown(streams.alone.answered.p50)}), with 16 at a time ${shown(streams.together.told.p50)} ms (p95 ${shown(streams.together.told.p95)}, max ${shown(streams.together.told.max)}; the answer: ${shown(streams.together.answered.p50)}); stopped in ${shown(streams.stoppedMs)} ms.`,
      ]
    : []),
  ...(idle
    ? [
        `Idle: ${shown(idle.rssMb)} MB resident (service and sandbox gateway, without PostgreSQL); ready after ${shown(idle.firstReadyMs)} ms on an empty directory, ${shown(idle.readyMs)} ms with data.`,
      ]
    : []),
];

const print = (results) => {
  const rows = rowsOf(results);
  const head = ['case / floor', 'product', 'p50 ms', 'p99 ms', 'floor', 'ratio'];
  if (rows.length > 0) console.log(`\n${table(head, rows)}\n`);
  console.log(
    factsOf(results)
      .map((fact) => `- ${fact}`)
      .join('\n'),
  );
};

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => cleanUp().then(() => process.exit(1)));

try {
  const began = performance.now();
  const results = await measure();
  print(results);
  console.log(`- Took ${Math.round((performance.now() - began) / 1000)} s.`);
  if (wanted.length === 0)
    await writeFile(new URL('results.json', import.meta.url), `${JSON.stringify(results, null, 2)}\n`);
} finally {
  await cleanUp();
}

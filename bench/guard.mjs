// Whether the hot paths still cost what they did: short rounds of a few ratios, held against bench/guard.json. Run by
// .ci/run. A ratio that falls below its band is measured once more before it fails. `--update` commits to what is measured.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { migrate } from '../dist/platform/database/migrate.pg.js';
import { createPool } from '../dist/platform/database/database.pg.js';
import { cpuMeter } from './support/cpu.mjs';
import { makeFloor } from './support/floor-tables.mjs';
import { generateLog } from './support/generated-log.mjs';
import { betterOf, lineOf, verdictsOf } from './support/guard.mjs';
import { get } from './support/http-load.mjs';
import { median, perSecond, rounded } from './support/numbers.mjs';
import { allAnswered, check, freshCallbacks } from './support/paid-callbacks.mjs';
import { credentials, startWithSandbox } from './support/oxapay.mjs';
import { cleanUp, dataDirectory, freshDatabase, startWorker } from './support/processes.mjs'; // prettier-ignore
import { startConstant, startSignatureOnly } from './support/yardsticks.mjs';

const file = fileURLToPath(new URL('guard.json', import.meta.url));
const connections = 32;
const rounds = 3;
const generated = 15_000;
const log = (line) => process.stdout.write(`${line}\n`);

const sum = (sides, pick) => sides.reduce((total, side) => total + pick(side), 0);

/** What the product's rounds came to against the yardstick's: more is better. The first rounds warm up. */
const compare = async ({ warmUps, product, yardstick }) => {
  const pairs = [];
  for (let round = 1 - warmUps; round <= rounds; round++) {
    const pair = { product: await product(), yardstick: await yardstick() };
    if (round > 0) pairs.push(pair);
  }
  const cpuOf = (name) => sum(pairs, (pair) => pair[name].cpuMs) / sum(pairs, (pair) => pair[name].operations);
  const cpu = cpuOf('yardstick') / cpuOf('product');
  return {
    rate: median(pairs.map((pair) => pair.product.rate / pair.yardstick.rate)),
    cpu: Number.isNaN(cpu) ? null : cpu,
  };
};

/** Runs a side with the CPU time of its process and, where it has one, of its database. */
const side = async ({ meter }, { pid, database }, work) => {
  const { done, cpu } = await meter(pid, async () => ({ done: await work(), operations: 1 }));
  const { operations, ms } = done;
  return { rate: perSecond(operations, ms), operations, cpuMs: cpu.process + (database ? cpu.postgres : 0) };
};

const sending = async (context, target, requests) =>
  side(context, target, async () => {
    const sent = await context.load.run('sendAll', { port: target.port, connections, requests });
    allAnswered('a request', sent.statuses, 200);
    return { operations: requests.length, ms: sent.ms };
  });

const intake = async (context) => {
  const { service, signature } = context;
  let requests = [];
  const product = async () => {
    requests = (await freshCallbacks(context, 400)).map(({ request }) => request);
    return sending(context, { ...service, database: true }, requests);
  };
  return compare({ warmUps: 3, product, yardstick: () => sending(context, signature, requests) });
};

const reading = async (context) => {
  const { service, constant, path, headers } = context;
  const list = Array.from({ length: 1000 }, () => get(path, headers));
  const product = () => sending(context, { ...service, database: true }, list);
  return compare({ warmUps: 2, product, yardstick: () => sending(context, constant, list) });
};

const appending = async (context) => {
  const { load, url } = context;
  const append = (kind, callers) => () =>
    side(context, { pid: load.pid, database: true }, async () => {
      const { ms, times } = await load.run('appendFor', { url, kind, callers, ms: 500 });
      return { operations: times.length, ms };
    });
  return compare({ warmUps: 2, product: append('bare', 128), yardstick: append('pg', 16) });
};

const replaying = async (context) => {
  const { load, url } = context;
  const through = (job, input) => () =>
    side(context, { pid: load.pid, database: true }, async () => {
      const { ms, events } = await load.run(job, { url, ...input });
      check('events read', events >= generated, true);
      return { operations: events, ms };
    });
  const product = through('replayPayments', {});
  return compare({ warmUps: 2, product, yardstick: through('scan', { pageSize: 2000 }) });
};

const measures = {
  'callback intake / signature checked, nothing stored': intake,
  'GET by id / the same answer, always': reading,
  'replay / log read in pages and dropped': replaying,
  'append by 128 callers / single inserts by pg': appending,
};

const begin = async () => {
  const dataDir = await dataDirectory();
  const service = await startWithSandbox(dataDir);
  const load = startWorker();
  const headers = { authorization: `Bearer ${credentials.apiKey}` };
  const context = { service, credentials, load, headers, opened: 0, meter: await cpuMeter(service.url) };
  const [{ id }] = await freshCallbacks(context, 1);
  const path = `/v1/payments/${id}`;
  const first = { port: service.port, connections: 1, requests: [get(path, headers)], keepBodies: true };
  const { bodies } = await load.run('sendAll', first);
  // Appends and replays have a database of their own: no follower looks there.
  const url = await freshDatabase(service.url, 'bench_guard');
  await migrate(url);
  await makeFloor(url);
  const pool = createPool(url, { max: 2 });
  await generateLog(pool, { events: generated });
  await pool.end();
  return { ...context, path, url, signature: await startSignatureOnly(credentials), constant: await startConstant(bodies[0]) }; // prettier-ignore
};

const guard = async () => {
  const committed = JSON.parse(await readFile(file, 'utf8'));
  const context = await begin();
  const measured = {};
  for (const [name, measure] of Object.entries(measures)) measured[name] = await measure(context);
  if (process.argv.includes('--update')) {
    await writeFile(file, `${JSON.stringify({ ...committed, ratios: rounded(measured) }, null, 2)}\n`);
    log(`committed to ${JSON.stringify(rounded(measured), null, 2)}`);
    return;
  }
  const fallen = verdictsOf(committed, measured).filter(({ holds }) => !holds);
  for (const name of new Set(fallen.map((verdict) => verdict.name)))
    if (measures[name]) measured[name] = betterOf(measured[name], await measures[name](context));
  const verdicts = verdictsOf(committed, measured);
  for (const verdict of verdicts) log(lineOf(verdict));
  if (verdicts.some(({ holds }) => !holds)) {
    log(
      'A ratio fell out of its band. `npm run bench` tells more; where it is meant to be: node bench/guard.mjs --update',
    );
    process.exitCode = 1;
  }
};

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => cleanUp().then(() => process.exit(1)));

try {
  await guard();
} finally {
  await cleanUp();
}

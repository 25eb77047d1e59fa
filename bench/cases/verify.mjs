// `finality verify` over a generated store: how long it takes while all is well, and whether it names what was changed.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { SystemClock } from '../../dist/platform/clock.js';
import { createPool } from '../../dist/platform/database/database.pg.js';
import { migrate } from '../../dist/platform/database/migrate.pg.js';
import { LogReader } from '../../dist/platform/event-store/log-reader.pg.js';
import { CheckpointFiles } from '../../dist/platform/proof/checkpoint-files.job.js';
import { CheckpointJob } from '../../dist/platform/proof/checkpoint.job.js';
import { proofKeys } from '../../dist/platform/proof/signing.js';
import { auditLimits, auditStore } from '../../dist/platform/proof/store-audit.pg.js';
import { generateLog } from '../support/generated-log.mjs';
import { median, perSecond, shown } from '../support/numbers.mjs';
import { startDatabase, startWorker } from '../support/processes.mjs';
import { postgresOf } from '../support/results.mjs';
import { isNamed, plant, unlock } from '../support/tampering.mjs';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const seed = Buffer.from('a seed of thirty-two bytes, made').toString('base64');

const verifyOnce = (env) =>
  new Promise((resolve) => {
    const began = performance.now();
    execFile(
      process.execPath,
      [cli, 'verify', '--json'],
      { env: { PATH: process.env.PATH, ...env } },
      (error, out, err) => {
        resolve({ ms: performance.now() - began, code: error?.code ?? 0, out, err });
      },
    );
  });

const expect = (condition, what, { out, err }) => {
  if (!condition) throw new Error(`${what}: ${out.slice(0, 2000)} ${err.slice(0, 2000)}`);
};

const changes = 100;

/** `verify` and the replay of all payments in turns, over a store that is whole. */
const measureWhole = async ({ url, env, rounds, say }) => {
  const measured = [];
  for (let round = 1; round <= rounds; round++) {
    const whole = await verifyOnce(env);
    expect(whole.code === 0, 'a whole store is not verified', whole);
    const worker = startWorker();
    const replayed = await worker.run('replayPayments', { url });
    await worker.stop();
    const verify = { ms: whole.ms, perSecond: perSecond(replayed.events, whole.ms) };
    measured.push({ verify, replay: { ms: replayed.ms, perSecond: perSecond(replayed.events, replayed.ms) } });
    say(`verify: ${Math.round(whole.ms)} ms for the whole store, its replay ${Math.round(replayed.ms)} ms`);
  }
  return measured;
};

const run = async ({ size, dataDirectory, say }) => {
  const dataDir = await dataDirectory();
  const events = Number(process.env.VERIFY_EVENTS ?? size(1_000_000, 10_000));
  const database = await startDatabase(dataDir);
  const { url } = database;
  await migrate(url);
  const pool = createPool(url, auditLimits);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const generated = await generateLog(pool, { events });
    say(`verify: ${generated.events} events generated`);
    const directory = join(dataDir, 'checkpoints');
    const keys = proofKeys([seed]);
    const settings = { directory, everyMinutes: 60 };
    const sealed = await new CheckpointJob(pool, new LogReader(pool), new SystemClock(), keys, settings).now();
    say(`verify: ${sealed.made} checkpoints`);
    const env = { DATABASE_URL: url, CHECKPOINT_DIR: directory, CHECKPOINT_KEY: seed };
    const rounds = await measureWhole({ url, env, rounds: size(3, 1), say });
    const postgres = await postgresOf(url);
    await unlock(client);
    const planted = await plant(client, changes, 7);
    const broken = await verifyOnce(env);
    expect(broken.code === 1, 'a changed store is not found out', broken);
    const files = await CheckpointFiles.in(directory);
    const { breaks } = await auditStore(pool, { files, publicKeys: keys.publicKeys, mostKept: 10 * changes });
    const missed = planted.filter((change) => !isNamed(breaks.kept, change));
    if (missed.length > 0) throw new Error(`not named: ${JSON.stringify(missed)}`);
    say(`verify: ${planted.length} of ${changes} changes named, ${breaks.count} breaks in all`);
    const of = (pick) => median(rounds.map(pick));
    return {
      rounds,
      events: generated.events,
      checkpoints: sealed.made,
      ms: of((round) => round.verify.ms),
      perSecond: of((round) => round.verify.perSecond),
      replayPerSecond: of((round) => round.replay.perSecond),
      ratio: of((round) => round.verify.perSecond / round.replay.perSecond),
      changes: planted.length,
      postgres,
    };
  } finally {
    await client.end();
    await pool.end();
    await database.stop();
  }
};

const facts = ({ events, checkpoints, ms, rounds, perSecond: rate, replayPerSecond, ratio, changes: named }) => [
  `${events} events, ${checkpoints} checkpoints and as many messages as payments verified in ${shown(ms)} ms (rounds: ${rounds.map(({ verify }) => shown(verify.ms)).join(', ')}), start of the process included: ${shown(rate)} events/s, ${shown(ratio)} of the replay of the same payments (${shown(replayPerSecond)} events/s; asked for: at least 0.5).`,
  `${named} of ${changes} changed bytes named.`,
];

export const verify = { name: 'verify', about: '`finality verify` over a million events', default: false, run, facts };

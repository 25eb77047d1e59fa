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
import { median, perSecond } from '../support/numbers.mjs';
import { startDatabase } from '../support/processes.mjs';
import { isNamed, plant, unlock } from '../support/tampering.mjs';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const seed = Buffer.from('a seed of thirty-two bytes, made').toString('base64');

const verify = (env) =>
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

export const measureVerify = async ({ dataDir, events, changes, say }) => {
  const database = await startDatabase(dataDir);
  await migrate(database.url);
  const pool = createPool(database.url, auditLimits);
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    const generated = await generateLog(pool, { events });
    say(`verify: ${generated.events} events generated`);
    const directory = join(dataDir, 'checkpoints');
    const keys = proofKeys([seed]);
    const settings = { directory, everyMinutes: 60 };
    const sealed = await new CheckpointJob(pool, new LogReader(pool), new SystemClock(), keys, settings).now();
    say(`verify: ${sealed.made} checkpoints`);
    const env = { DATABASE_URL: database.url, CHECKPOINT_DIR: directory, CHECKPOINT_KEY: seed };
    const rounds = [];
    for (let round = 0; round < 3; round++) {
      const whole = await verify(env);
      expect(whole.code === 0, 'a whole store is not verified', whole);
      rounds.push(whole.ms);
      say(`verify: ${Math.round(whole.ms)} ms for the whole store`);
    }
    await unlock(client);
    const planted = await plant(client, changes, 7);
    const broken = await verify(env);
    expect(broken.code === 1, 'a changed store is not found out', broken);
    const files = await CheckpointFiles.in(directory);
    const { breaks } = await auditStore(pool, { files, publicKeys: keys.publicKeys, mostKept: 10 * changes });
    const missed = planted.filter((change) => !isNamed(breaks.kept, change));
    if (missed.length > 0) throw new Error(`not named: ${JSON.stringify(missed)}`);
    const ms = median(rounds);
    say(`verify: ${planted.length} of ${changes} changes named, ${breaks.count} breaks in all`);
    return {
      events: generated.events,
      checkpoints: sealed.made,
      ms,
      perSecond: perSecond(generated.events, ms),
      rounds,
      changes: planted.length,
    };
  } finally {
    await client.end();
    await pool.end();
    await database.stop();
  }
};

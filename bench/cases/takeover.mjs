// How soon another process goes on with a follower's work when the one that does it is killed in the middle of a batch.
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { generateLog } from '../support/generated-log.mjs';
import { median, shown } from '../support/numbers.mjs';
import { check } from '../support/paid-callbacks.mjs';
import { ask, startDatabase, startWorker } from '../support/processes.mjs';
import { postgresOf } from '../support/results.mjs';
import { createPool } from '../../dist/platform/database/database.pg.js';
import { migrate } from '../../dist/platform/database/migrate.pg.js';

const follower = 'orders';
const diesAfterMs = 400;
const diesWithinMs = 5_000;
const lookEveryMs = 2;
const limitMs = 60_000;

const positions = async (url) => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const look = { name: 'position', text: 'select coalesce(max(position), 0)::float8 as at from subscription where name = $1', values: [follower] }; // prettier-ignore
  return { read: async () => (await client.query(look)).rows[0].at, close: () => client.end() };
};

/** One is killed while it holds the checkpoint; another was there all the time. Answers ms from its end to the next batch of the other. */
const takeOver = async (url) => {
  // From the first event, so that no round runs out of work.
  await ask(url, `truncate payment_view, order_view; update subscription set position = 0 where name = '${follower}'`);
  const [mortal, other] = [startWorker(), startWorker()];
  await Promise.all([mortal.run('ready'), other.run('ready')]);
  const position = await positions(url);
  const died = mortal.run('followAndDie', { url, afterMs: diesAfterMs }).catch(() => performance.now());
  await other.run('followOrders', { url });
  const diedAt = await Promise.race([died, delay(diesWithinMs)]);
  if (diedAt === undefined) {
    // The other one had every batch.
    await Promise.all([mortal.stop(), other.stop(), position.close()]);
    return takeOver(url);
  }
  for (const before = await position.read(); (await position.read()) === before; await delay(lookEveryMs))
    if (performance.now() - diedAt > limitMs) throw new Error('nobody went on with the work');
  const ms = performance.now() - diedAt;
  await other.run('stopFollowing');
  await Promise.all([other.stop(), position.close()]);
  return ms;
};

/** What is left is applied by one process; every payment has to be in the read model then. */
const finish = async (url, payments) => {
  const [worker, position] = [startWorker(), await positions(url)];
  await worker.run('followOrders', { url });
  const [{ last }] = await ask(url, 'select max(position)::float8 as last from event');
  while ((await position.read()) < last) await delay(50);
  await worker.run('stopFollowing');
  await Promise.all([worker.stop(), position.close()]);
  const [{ paid }] = await ask(url, `select count(*)::int as paid from payment_view where status = 'paid'`);
  check('payments in the read model', paid, payments);
};

const run = async ({ size, dataDirectory, say }) => {
  const database = await startDatabase(await dataDirectory());
  const { url } = database;
  await migrate(url);
  const pool = createPool(url, { max: 2, statementTimeoutMs: 0 });
  const { events, payments } = await generateLog(pool, { events: size(400_000, 60_000) });
  await pool.end();
  const times = [];
  for (let round = 1; round <= size(20, 2); round++) {
    times.push(await takeOver(url));
    say(`takeover: round ${round}: ${shown(times.at(-1))} ms`);
  }
  await finish(url, payments);
  const postgres = await postgresOf(url);
  await database.stop();
  return { times, events, payments, postgres };
};

const facts = ({ times, payments }) => [
  `Row 22, the process with the order read model killed in the middle of a batch, with work waiting: another one's next batch was committed after ${shown(median(times))} ms, ${shown(Math.max(...times))} ms at most, in ${times.length} rounds (asked for: at most 2,000). All ${payments.toLocaleString('en')} payments were in the read model in the end.`,
];

export const takeover = { name: 'takeover', about: 'a follower killed in the middle of its work', default: true, run, facts }; // prettier-ignore

// Events appended without HTTP, by the product's event store and by what else could be taken.
import { cpuMeter } from '../support/cpu.mjs';
import { makeFloor } from '../support/floor-tables.mjs';
import { shown } from '../support/numbers.mjs';
import { hasPgbench, pgbenchFor } from '../support/pgbench.mjs';
import { ask, freshDatabase, startDatabase, startWorker } from '../support/processes.mjs';
import { postgresOf } from '../support/results.mjs';
import { alternate, jobSide, ratioOf } from '../support/rounds.mjs';
import { installYardsticks, startYardstickWorker } from '../support/yardsticks.mjs';
import { migrate } from '../../dist/platform/database/migrate.pg.js';

const levels = [1, 16, 128];

const sidesAt = (context, callers, ms) => {
  const { url, typeormUrl, emmettUrl, store, feed, yardstick, directory } = context;
  const own = (kind, label) => jobSide(context.meter, kind, label, store, 'appendFor', { url, kind, callers, ms });
  const bare = { ...own('bare', 'Finality, one event'), name: 'product' };
  const other = (name, label, job, input) =>
    jobSide(context.meter, name, label, yardstick, job, { callers, ms, ...input });
  const sides = [
    bare,
    own('evidence', 'Finality, event and evidence'),
    own('command', 'Finality, stream read, event and evidence'),
    own('pg', 'pg, the same row, prepared'),
    other('typeormInsert', 'TypeORM insert', 'appendByTypeorm', { url: typeormUrl, kind: 'insert' }),
    other('typeormSave', 'TypeORM save', 'appendByTypeorm', { url: typeormUrl, kind: 'save' }),
    other('emmett', 'emmett appendToStream', 'appendByEmmett', { url: emmettUrl }),
  ];
  if (callers === 16) {
    const measure = async () => {
      const [result] = await Promise.all([bare.measure(), feed.run('feedFor', { url, ms })]);
      return result;
    };
    sides.push({ name: 'feed', label: 'Finality, one event, while a follower looks every 20 ms', measure });
  }
  if (context.pgbench) {
    const clients = Math.min(16, callers);
    const measure = () => pgbenchFor({ url, directory, clients, ms });
    sides.push({ name: 'pgbench', label: `pgbench, the same row, ${clients === 1 ? 'one client' : `${clients} clients`}`, measure }); // prettier-ignore
    if (callers === 16) {
      const full = () => pgbenchFor({ url, directory, clients, ms, kind: 'full' });
      sides.push({ name: 'pgbenchFull', label: 'pgbench, with evidence and a key in one statement', measure: full });
    }
  }
  return sides;
};

/** What a follower costs that has read everything, in the stores that the rounds before have filled. */
const measureLooks = async ({ url, emmettUrl, store, yardstick, meter }, { size, say }) => {
  const stored = {
    product: await rowsOf(url, 'event'),
    emmett: await rowsOf(emmettUrl, 'emt_messages'),
  };
  const ms = size(5000, 400);
  const sides = [
    jobSide(meter, 'product', 'Finality', store, 'lookFor', { url, ms }),
    jobSide(meter, 'emmett', 'emmett readMessagesBatch', yardstick, 'lookByEmmett', { url: emmettUrl, ms }),
  ];
  const title = 'a look of a follower that has caught up';
  return { stored, measurement: await alternate({ title, sides, rounds: size(5, 1), say }) };
};

const rowsOf = async (url, name) => {
  await ask(url, `vacuum (analyze) ${name}`);
  return (await ask(url, `select count(*)::int as n from ${name}`))[0].n;
};

const run = async ({ size, dataDirectory, say }) => {
  await installYardsticks(say);
  const directory = await dataDirectory();
  const database = await startDatabase(directory);
  const { url } = database;
  await migrate(url);
  await makeFloor(url);
  const [typeormUrl, emmettUrl] = [await freshDatabase(url, 'bench_typeorm'), await freshDatabase(url, 'bench_emmett')];
  const [store, feed, yardstick] = [startWorker(), startWorker(), startYardstickWorker()];
  await yardstick.run('prepareTypeorm', { url: typeormUrl });
  await yardstick.run('prepareEmmett', { url: emmettUrl });
  const pgbench = hasPgbench();
  if (!pgbench) say('append: no pgbench on this machine; `pg` alone is the floor');
  const context = {
    url,
    typeormUrl,
    emmettUrl,
    store,
    feed,
    yardstick,
    pgbench,
    directory,
    meter: await cpuMeter(url),
  };
  const measurements = [];
  for (const callers of levels) {
    const title = `append, ${callers === 1 ? 'one caller' : `${callers} callers`}`;
    const sides = sidesAt(context, callers, size(2500, 400));
    measurements.push({ callers, ...(await alternate({ title, sides, rounds: size(5, 1), say })) });
  }
  const looks = await measureLooks(context, { size, say });
  const postgres = await postgresOf(url);
  await Promise.all([store, feed, yardstick].map((worker) => worker.stop()));
  await database.stop();
  return { measurements: [...measurements, looks.measurement], pgbench, stored: looks.stored, postgres };
};

/** The store's targets: what, at how many callers, which side against which, and the least that is asked for. */
const targets = [
  ['1', 'one event, one caller, against the floor', 1, 'product', 'floor', 0.6],
  ['2', 'one event, 16 callers, against the floor', 16, 'product', 'floor', 0.45],
  ['3', 'one event, 128 callers, against the floor', 128, 'product', 'floor', 1.3],
  ['4', 'one event, 128 callers, against emmett', 128, 'product', 'emmett', 8],
  ['5', 'one event, 16 callers, against emmett', 16, 'product', 'emmett', 3],
  ['6', 'one event, 16 callers, against TypeORM save', 16, 'product', 'typeormSave', 4],
  ['7', 'one event, 16 callers, against TypeORM insert', 16, 'product', 'typeormInsert', 1.3],
  ['9b', 'event and evidence, 16 callers, against `pg` alone', 16, 'evidence', 'pg', 0.55],
  ['9c', 'event and evidence, 128 callers, against emmett', 128, 'evidence', 'emmett', 7],
  ['9c', 'event and evidence, 128 callers, against TypeORM save', 128, 'evidence', 'typeormSave', 9],
  ['10', 'stream read too, 16 callers, against event and evidence', 16, 'command', 'evidence', 0.7],
  ['10', 'stream read too, 128 callers, against event and evidence', 128, 'command', 'evidence', 0.4],
  ['15', 'with a follower looking every 20 ms, against without', 16, 'feed', 'product', 0.97],
];

const facts = ({ measurements, pgbench, stored }) => {
  const floor = pgbench ? 'pgbench' : 'pg';
  const at = (callers) => measurements.find((each) => each.callers === callers);
  const rows = targets.map(([number, what, callers, above, below, least]) => {
    const ratio = ratioOf(at(callers), above, below === 'floor' ? floor : below);
    return `Row ${number}, ${what}: ${shown(ratio)} (asked for: at least ${least}).`;
  });
  const slow = ratioOf(at(16), 'product', 'emmett', (side) => side.p99);
  const looks = ratioOf(measurements.at(-1), 'product', 'emmett', (side) => side.cpu.postgres);
  const full = pgbench ? shown(ratioOf(at(16), 'pgbenchFull', 'pgbench')) : 'not measured without pgbench';
  return [
    pgbench ? 'The floor is pgbench.' : 'This machine has no pgbench: the floor is `pg` alone, one prepared statement an event, 16 connections at most.', // prettier-ignore
    ...rows,
    `Row 8, p99 of one append, 16 callers, against emmett's: ${shown(slow)} (asked for: at most 0.5).`,
    `Row 9, event, evidence and a key in one statement, against the event alone, both in pgbench, 16 clients: ${full} (asked for: at least 0.7). There is no outbox: followers read the log.`,
    `Row 14, a look of a follower that has caught up, against emmett's, by the server's processor time: ${looks.toFixed(4)} (asked for: at most 0.01), with ${stored.product.toLocaleString('en')} events stored here and ${stored.emmett.toLocaleString('en')} there.`,
  ];
};

export const append = { name: 'append', about: 'events appended without HTTP', default: true, run, facts };

// The log that a generator left, read, folded and rebuilt into the order read model while nothing else runs.
import { cpuMeter } from '../support/cpu.mjs';
import { generateLog } from '../support/generated-log.mjs';
import { perSecond, shown } from '../support/numbers.mjs';
import { check } from '../support/paid-callbacks.mjs';
import { freshDatabase, startDatabase, startWorker } from '../support/processes.mjs';
import { postgresOf } from '../support/results.mjs';
import { alternate, ratioOf } from '../support/rounds.mjs';
import { installYardsticks, startYardstickWorker } from '../support/yardsticks.mjs';
import { createPool } from '../../dist/platform/database/database.pg.js';
import { migrate } from '../../dist/platform/database/migrate.pg.js';

const perPayment = 5;
const pageSize = 2000;

/** A process for each round, as the command line starts one. */
const side = ({ meter }, { name, label, start, job, input, events, prepare }) => ({
  name,
  label,
  measure: async () => {
    await prepare?.();
    const worker = start();
    await worker.run('ready');
    const { done, cpu } = await meter(worker.pid, async () => {
      const result = await worker.run(job, input);
      return { done: result, operations: result.events / 1000 };
    });
    await worker.stop();
    check(`events that ${name} has read`, done.events, events);
    if (done.applied !== undefined) check(`events that ${name} has applied`, done.applied, events);
    return { perSecond: perSecond(done.events, done.ms), cpu };
  },
});

const run = async ({ size, dataDirectory, say }) => {
  await installYardsticks(say);
  const database = await startDatabase(await dataDirectory());
  const { url } = database;
  await migrate(url);
  const pool = createPool(url, { max: 2, statementTimeoutMs: 0 });
  const { events } = await generateLog(pool, { events: size(200_000, 5000) });
  await pool.end();
  const filledUrl = await freshDatabase(url, 'bench_emmett_filled');
  const emmettUrl = await freshDatabase(url, 'bench_emmett');
  // Its rebuild takes minutes for what others do in seconds: fewer events, the rate of which counts.
  const emmettEvents = size(10_000, 1000);
  const filler = startYardstickWorker();
  await filler.run('fillEmmett', { url: filledUrl, events: emmettEvents });
  await filler.stop();
  say(`replay: ${events} events generated, ${emmettEvents} of emmett's`);
  const context = { meter: await cpuMeter(url) };
  const own = (name, label, job, input = {}, count = events) =>
    side(context, { name, label, start: () => startWorker(), job, input: { url, ...input }, events: count });
  const few = size(20_000, 2000);
  // A second rebuild over the first one applies nothing: it goes on from the checkpoint that the first has left.
  const freshCopy = () => freshDatabase(url, 'bench_emmett', 'bench_emmett_filled');
  const sides = [
    own('product', 'Finality, read and folded', 'replayPayments'),
    own('rebuild', 'Finality, `orders` rebuilt', 'rebuildOrders'),
    own('scan', 'read in pages by pg and dropped', 'scan', { pageSize }),
    own('upserts', 'an upsert for each event', 'upsertEach', { events: few, pageSize }, few),
    side(context, { name: 'copy', label: 'COPY of the same columns to standard output', start: startYardstickWorker, job: 'copyOut', input: { url }, events }), // prettier-ignore
    side(context, { name: 'emmett', label: 'emmett, orders rebuilt', start: startYardstickWorker, job: 'rebuildByEmmett', input: { url: emmettUrl }, events: emmettEvents, prepare: freshCopy }), // prettier-ignore
  ];
  const title = `replay, ${events.toLocaleString('en')} events`;
  const measurement = await alternate({ title, unit: 'events/s', sides, rounds: size(5, 1), warmUps: size(1, 0), say });
  const postgres = await postgresOf(url);
  await database.stop();
  return { measurements: [measurement], events, payments: events / perPayment, emmettEvents, postgres };
};

const facts = ({ measurements: [measurement], emmettEvents }) => {
  const ratio = (above, below) => shown(ratioOf(measurement, above, below));
  return [
    `Replay against COPY: ${ratio('product', 'copy')} (asked for: at least 0.55). Rebuild against COPY: ${ratio('rebuild', 'copy')} (0.25), against emmett's rebuild: ${ratio('rebuild', 'emmett')} (30), against an upsert for each event: ${ratio('rebuild', 'upserts')} (8).`,
    `CPU is for a thousand events. Emmett rebuilt ${emmettEvents} events of its own, written one after the other, and applied all of them.`,
  ];
};

export const replay = { name: 'replay', about: 'the log read, folded and rebuilt', default: true, run, facts };

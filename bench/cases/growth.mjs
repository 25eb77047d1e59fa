// What the same work costs in a store of ten thousand, a hundred thousand, a million and ten million events.
import { cpuMeter } from '../support/cpu.mjs';
import { growTo, numbersOfGrowth } from '../support/grown-store.mjs';
import { get } from '../support/http-load.mjs';
import { shown, summaryOf, table } from '../support/numbers.mjs';
import { credentials, startWithSandbox } from '../support/oxapay.mjs';
import { allAnswered, caughtUp, freshCallbacks, quiet } from '../support/paid-callbacks.mjs';
import { growthPlot } from '../support/plot.mjs';
import { ask, freshDatabase, startDatabase, startService, startWorker } from '../support/processes.mjs';
import { postgresOf } from '../support/results.mjs';
import { alternate, jobSide, ratioOf } from '../support/rounds.mjs';
import { startConstant, startSignatureOnly } from '../support/yardsticks.mjs';
import { migrate } from '../../dist/platform/database/migrate.pg.js';

const connections = 64;
const pageSize = 2000;

/** Sizes by `GROWTH_EVENTS=10000,100000`, else these. */
const sizesOf = (size) =>
  process.env.GROWTH_EVENTS?.split(',').map(Number) ?? size([10_000, 100_000, 1_000_000, 10_000_000], [5000, 20_000]);

const httpSide = ({ load, meter, service }, { name, label, target, requests }) => ({
  name,
  label,
  measure: async () => {
    const list = requests();
    const { sent, cpu } = await meter(target.pid, async () => {
      const answered = await load.run('sendAll', { port: target.port, connections, requests: list });
      if (name === 'product') await caughtUp(service.url);
      return { sent: answered, operations: list.length };
    });
    allAnswered(label, sent.statuses, 200);
    return { ...summaryOf(sent), cpu };
  },
});

/** What the write-ahead log takes for a callback right after a checkpoint, when each page that is touched goes there whole. */
const walBytesOf = async ({ service, callbacks }, sendAll) => {
  await ask(service.url, 'checkpoint');
  const [{ lsn }] = await ask(service.url, 'select pg_current_wal_lsn()::text as lsn');
  await sendAll();
  const [{ bytes }] = await ask(service.url, 'select (pg_current_wal_lsn() - $1::pg_lsn)::float8 as bytes', [lsn]);
  return bytes / callbacks.length;
};

const measureIntake = async (context, { size, say }) => {
  const { service, credentials } = context;
  const signature = await startSignatureOnly(credentials);
  const requests = () => context.callbacks.map(({ request }) => request);
  const sides = [
    httpSide(context, { name: 'product', label: 'Finality', target: service, requests }),
    httpSide(context, { name: 'signature', label: 'signature checked, nothing stored', target: signature, requests }),
  ];
  const prepare = async () => {
    context.callbacks = await freshCallbacks(context, size(1500, 100));
    await quiet(service.url);
  };
  const measurement = await alternate({
    title: 'intake',
    sides,
    prepare,
    rounds: size(5, 1),
    warmUps: size(2, 1),
    say,
  });
  await prepare();
  const walBytes = await walBytesOf(context, sides[0].measure);
  await signature.stop();
  return { ...measurement, walBytes };
};

const measureReads = async (context, { title, paths, count }, { size, say }) => {
  const { service, load, credentials } = context;
  const headers = { authorization: `Bearer ${credentials.apiKey}` };
  const list = Array.from({ length: count }, (_, n) => get(paths[n % paths.length], headers));
  const first = { port: service.port, connections: 1, requests: list.slice(0, 1), keepBodies: true };
  const { bodies } = await load.run('sendAll', first);
  const constant = await startConstant(bodies[0]);
  const requests = () => list;
  const sides = [
    httpSide(context, { name: 'product', label: 'Finality', target: service, requests }),
    httpSide(context, { name: 'constant', label: 'the same answer, always', target: constant, requests }),
  ];
  const measurement = await alternate({ title, sides, rounds: size(5, 1), warmUps: size(2, 1), say });
  await constant.stop();
  return measurement;
};

/** Pages of the log at places all over it, as a replay reads them. */
const measurePages = async (context, { size, say }) => {
  const { service, load, meter } = context;
  const constant = await startConstant('{}');
  const requests = () => Array.from({ length: size(3000, 100) }, () => get('/'));
  const measure = async () => {
    const { read, cpu } = await meter(load.pid, async () => {
      const pages = await load.run('readPages', { url: service.url, pages: size(50, 5), pageSize });
      return { read: pages, operations: pages.times.length };
    });
    return { ...summaryOf(read), cpu };
  };
  const sides = [
    { name: 'product', label: `a page of ${pageSize} events`, measure },
    httpSide(context, { name: 'constant', label: 'an empty answer', target: constant, requests }),
  ];
  const measurement = await alternate({ title: 'log read', unit: 'pages/s', sides, rounds: size(5, 1), say });
  await constant.stop();
  return measurement;
};

const measureAt = async (bench, { dataDir, opened, events, bytes }) => {
  const { size, say } = bench;
  const service = await startWithSandbox(dataDir);
  const [load, meter] = [startWorker(), await cpuMeter(service.url)];
  const context = { service, load, credentials, meter, opened, callbacks: [] };
  const ids = await ask(
    service.url,
    'select payment_id as id from payment_view order by md5(payment_id::text) limit 2000',
  );
  const customers = Array.from({ length: 100 }, (_, n) => `/v1/payments?customerId=customer-${2 * n}`);
  const reads = [
    { title: 'GET by id', paths: ids.map(({ id }) => `/v1/payments/${id}`), count: size(6000, 200) },
    { title: 'list of a status', paths: ['/v1/payments?status=paid'], count: size(1500, 60) },
    { title: 'list of a customer', paths: customers, count: size(1500, 60) },
    { title: 'search for a part', paths: ids.map((_, n) => `/v1/payments?q=order-${n}7`), count: size(300, 30) },
  ]; // prettier-ignore
  const at = (measurement) => ({
    ...measurement,
    title: `${measurement.title}, ${events.toLocaleString('en')} events`,
  });
  const measurements = [at(await measureIntake(context, { size, say }))];
  for (const kind of reads) {
    // What a large store answers too late is told of, and no reason to lose the rest.
    const measured = await measureReads(context, kind, { size, say }).catch((error) => ({ title: kind.title, failed: String(error) })); // prettier-ignore
    if (measured.failed) say(`growth: ${kind.title}: ${measured.failed}`);
    measurements.push(at(measured));
  }
  measurements.push(at(await measurePages(context, { size, say })));
  const [rssMb, postgres] = [await service.rssMb(), await postgresOf(service.url)];
  await Promise.all([load, service].map((process) => process.stop()));
  return { events, bytes, rssMb, postgres, opened: context.opened, measurements };
};

/**
 * Appends and looks of a follower that has caught up, in the largest store and in an empty one of the same server. Last of
 * all: no follower knows these events.
 */
const measureAgainstEmpty = async ({ size, say }, dataDir) => {
  const database = await startDatabase(dataDir);
  const { url } = database;
  const empty = await freshDatabase(url, 'bench_empty');
  await migrate(empty);
  const [worker, meter] = [startWorker(), await cpuMeter(url)];
  const between = (title, job, input) =>
    alternate({
      title,
      sides: [
        jobSide(meter, 'product', 'the largest store', worker, job, { url, ...input }),
        jobSide(meter, 'empty', 'an empty store', worker, job, { url: empty, ...input }),
      ],
      rounds: size(5, 1),
      say,
    });
  const ms = size(5000, 400);
  const measurements = [
    await between('one event appended, 16 callers', 'appendFor', { kind: 'bare', callers: 16, ms }),
    await between('a look of a follower that has caught up', 'lookFor', { ms }),
  ];
  await worker.stop();
  await database.stop();
  return measurements;
};

const run = async (bench) => {
  const { size, dataDirectory, say } = bench;
  const dataDir = await dataDirectory();
  // A start of the service makes the tables and the application.
  await (await startService(dataDir)).stop();
  const stores = [];
  for (const events of sizesOf(size)) {
    const grown = await growTo({ dataDir, events, first: stores.length * numbersOfGrowth, say });
    say(`growth: ${grown.events} events, ${shown(grown.bytes / 1e9)} GB`);
    stores.push(await measureAt(bench, { dataDir, opened: stores.at(-1)?.opened ?? 0, ...grown }));
  }
  const againstEmpty = await measureAgainstEmpty(bench, dataDir);
  return { stores, againstEmpty, postgres: stores[0].postgres };
};

/** What one operation costs in each store, in units of the yardstick beside it; 1 in the smallest one. */
const costsOf = (stores) =>
  stores[0].measurements.map(({ title }, at) => {
    const cost = ({ measurements }) => {
      if (measurements[at].failed) return NaN;
      const yardstick = Object.keys(measurements[at].sides).find((name) => name !== 'product');
      return ratioOf(measurements[at], yardstick, 'product');
    };
    return { label: title.split(',')[0], costs: stores.map((store) => cost(store) / cost(stores[0])) };
  });

const walOf = ({ measurements: [intake] }) => intake.walBytes;

const largest = (stores) => stores.at(-1).events.toLocaleString('en');

const facts = ({ stores, againstEmpty: [appends, looks] }) => [
  `Events before each measurement, and the database then: ${stores.map(({ events, bytes }) => `${events.toLocaleString('en')} (${shown(bytes / 1e9)} GB)`).join(', ')}; ${shown(stores.at(-1).rssMb)} MB resident at the largest.`,
  `Write-ahead log for a callback right after a checkpoint: ${stores.map((store) => `${shown(walOf(store) / 1000)} kB`).join(', ')} (asked for: at most 1.2 times the first).`,
  `Row 11, one event appended by 16 callers at ${largest(stores)} events, against an empty store: ${shown(appends.ratios.empty)} (asked for: at least 0.9).`,
  `Row 14, a look of a follower that has caught up: ${shown(looks.sides.product.cpu.postgres)} ms of the server at ${largest(stores)} events, ${shown(looks.sides.empty.cpu.postgres)} in an empty store (aim: flat).`,
  'Costs are in units of the yardstick of the same rounds (signature, constant answer), so that other work of the machine counts for less. Asked for: intake and GET at most 1.15.',
];

const sizes = (stores) => stores.map(({ events }) => `${events.toLocaleString('en')} events`);

/** One figure of every measurement, all stores side by side; the measurements of each one are in results.json. */
const sideBySide = (stores, head, figure, named = ({ title }) => title.split(',')[0]) =>
  table(
    [head, ...sizes(stores)],
    stores[0].measurements.map((measurement, at) => [
      named(measurement),
      ...stores.map(({ measurements: { [at]: one } }) => (one.failed ? 'failed' : shown(figure(one.sides.product)))),
    ]),
  );

const tables = ({ stores }) => [
  table(
    ['cost, smallest store = 1', ...sizes(stores)],
    costsOf(stores).map(({ label, costs }) => [
      label,
      ...costs.map((cost) => (Number.isNaN(cost) ? 'failed' : cost.toFixed(2))),
    ]),
  ),
  sideBySide(
    stores,
    'rate',
    ({ perSecond }) => perSecond,
    ({ title, unit }) => `${title.split(',')[0]}, ${unit}`,
  ),
  sideBySide(stores, 'CPU ms an operation, PostgreSQL included', ({ cpu }) => cpu.process + cpu.postgres),
];

const plots = ({ stores }) => [
  {
    file: 'growth.svg',
    title: 'Cost against the size of the store',
    svg: growthPlot(
      'What the same work costs as the store grows',
      costsOf(stores).map(({ label, costs }) => ({
        label,
        points: costs.map((cost, at) => [stores[at].events, cost]),
      })),
    ),
  },
];

export const growth = { name: 'growth', about: 'the same work in stores of 10 thousand to 10 million events', default: false, run, tables, facts, plots }; // prettier-ignore

// Signed callbacks, end to end over HTTP: each is the only one of a payment of its own, and pays it. In a closed loop at
// several numbers of connections, and at fixed rates.
import { closedLoopSides, openLoopTargets, startHandlers } from '../support/callback-sides.mjs';
import { cpuMeter } from '../support/cpu.mjs';
import { makeFloor } from '../support/floor-tables.mjs';
import { withLag } from '../support/lag.mjs';
import { median, shown, summaryOf, table } from '../support/numbers.mjs';
import { credentials, startWithSandbox } from '../support/oxapay.mjs';
import { allAnswered, caughtUp, check, freshCallbacks, lastEvent } from '../support/paid-callbacks.mjs';
import { latencyPlot } from '../support/plot.mjs';
import { ask, startWorker } from '../support/processes.mjs';
import { postgresOf } from '../support/results.mjs';
import { alternate } from '../support/rounds.mjs';
import { installYardsticks } from '../support/yardsticks.mjs';

/** Connections of the closed loop, with the callbacks of one round. */
const levels = (size) => [
  [1, size(400, 60)],
  [8, size(1500, 120)],
  [64, size(3000, 300)],
  [256, size(3000, 300)],
];
const openConnections = 256;
const openShares = [0.25, 0.5, 0.75];
const mainLevel = 64;

/** Acknowledged means stored: the evidence of each callback, and a payment that is paid by it. */
const verifyStored = async (url, acknowledged) => {
  const [stored] = await ask(
    url,
    `select (select count(*) from inbox where source = 'callback:default' and status = 'applied')::int as evidence,
      (select count(distinct stream_id) from event where type = 'PaymentPaid')::int as paid,
      (select count(*) from event where type = 'PaymentCorroborated')::int as corroborated,
      (select count(*) from event)::int as events`,
  );
  check('evidence in the database', stored.evidence, acknowledged);
  check('paid payments in the database', stored.paid, acknowledged);
  return stored;
};

/** One target at a fixed rate; the times count from when each request was due. */
const atRate = async (context, { target, share, ratePerSecond, callbacks }) => {
  await target.prepare?.(callbacks);
  const requests = callbacks.map(({ request }) => request);
  const { handler } = target;
  const send = async () => {
    const input = { port: handler.port, connections: openConnections, requests, ratePerSecond };
    const answered = await context.load.run('sendAtRate', input);
    allAnswered(target.label, answered.statuses, 200);
    if (target.name === 'product') await caughtUp(context.service.url);
    return { sent: answered, operations: requests.length };
  };
  const { url } = context.service;
  const { sent, cpu, lag } = await context.meter(handler.pid, () =>
    target.name === 'product' ? withLag(url, 'orders', send) : send(),
  );
  return { target: target.name, label: target.label, share, due: ratePerSecond, ...summaryOf(sent), cpu, lag };
};

/** The product at several shares of its maximum, then the others at half of theirs with callbacks that the product has had. */
const openRound = async (context, { maxima, seconds, say }) => {
  const [product, ...others] = openLoopTargets(context);
  const [measured, had] = [[], []];
  const measure = async (target, share, supply) => {
    const ratePerSecond = maxima[target.name] * share;
    const callbacks = await supply(Math.max(50, Math.round(ratePerSecond * seconds)));
    const result = await atRate(context, { target, share, ratePerSecond, callbacks });
    say(`callbacks: ${target.name} at ${shown(result.due)}/s: p50 ${shown(result.p50)}, p99 ${shown(result.p99)} ms`);
    measured.push(result);
  };
  for (const share of openShares)
    await measure(product, share, async (count) => {
      const callbacks = await freshCallbacks(context, count);
      had.push(...callbacks);
      return callbacks;
    });
  for (const target of others)
    // What stores nothing may be told the same again.
    await measure(target, 0.5, async (count) =>
      target.counted ? had.slice(0, count) : Array.from({ length: count }, (_, n) => had[n % had.length]),
    );
  return measured;
};

const openLoop = async (context, { rounds, ...plan }) => {
  const measured = [];
  for (let round = 1; round <= rounds; round++) measured.push(await openRound(context, plan));
  return measured[0].map(({ target, label, share }, at) => {
    const own = measured.map((round) => round[at]);
    const of = (name) => median(own.map((each) => each[name]));
    const quantiles = own[0].quantiles.map((_, n) => median(own.map((each) => each.quantiles[n])));
    const medians = { due: of('due'), p50: of('p50'), p99: of('p99'), p999: of('p999'), max: of('max') };
    const lag = own[0].lag && { p50: median(own.map((each) => each.lag.p50)), p99: median(own.map((each) => each.lag.p99)) }; // prettier-ignore
    const rest = own.map((each) => ({ ...each, target: undefined, label: undefined, quantiles: undefined }));
    return { target, label, share, ...medians, lag, quantiles, rounds: rest };
  });
};

/** The events of one callback, as `[type, data]`. */
const sampleOf = async (url, after) => {
  const rows = await ask(
    url,
    `select type, data from event where actor = 'gateway' and position > $1
       and stream_id = (select stream_id from event where actor = 'gateway' and position > $1 order by position limit 1)
     order by version`,
    [after],
  );
  return rows.map(({ type, data }) => [type, data]);
};

const begin = async ({ dataDirectory }) => {
  const dataDir = await dataDirectory();
  const service = await startWithSandbox(dataDir);
  const [load, inserts] = [startWorker(), startWorker()];
  const [floor, meter] = [await makeFloor(service.url), await cpuMeter(service.url)];
  const context = { service, credentials, load, inserts, floor, meter, opened: 0, callbacks: [] };
  // One callback before all others, for the events that the handler by emmett is to write.
  const [first] = await freshCallbacks(context, 1);
  const before = await lastEvent(service.url);
  const { statuses } = await load.run('sendAll', { port: service.port, connections: 1, requests: [first.request] });
  allAnswered('a callback', statuses, 200);
  return { ...context, handlers: await startHandlers(service, credentials, await sampleOf(service.url, before)) };
};

const run = async (bench) => {
  const { size, say } = bench;
  await installYardsticks(say);
  const context = await begin(bench);
  const { service, load, inserts, handlers } = context;
  const measurements = [];
  for (const [connections, perRound] of levels(size)) {
    const prepare = async () => {
      context.callbacks = await freshCallbacks(context, perRound);
    };
    const title = `callbacks, ${connections === 1 ? 'one connection' : `${connections} connections`}`;
    const sides = closedLoopSides(context, connections);
    measurements.push({ connections, ...(await alternate({ title, sides, prepare, rounds: size(5, 1), say })) });
  }
  const main = measurements.find(({ connections }) => connections === mainLevel);
  const maxima = Object.fromEntries(Object.entries(main.sides).map(([name, side]) => [name, side.perSecond]));
  const open = await openLoop(context, { maxima, seconds: size(8, 1), rounds: size(3, 1), say });
  const stored = await verifyStored(service.url, context.opened);
  const rssMb = await service.rssMb();
  const postgres = await postgresOf(service.url);
  await Promise.all([load, inserts, ...Object.values(handlers)].map((process) => process.stop()));
  await service.stop();
  const product = main.rounds.map((round) => round.product);
  const catchUpMs = median(product.map((round) => round.catchUpMs));
  return { measurements, open, acknowledged: context.opened, stored, rssMb, postgres, catchUpMs, eventsPerCallback: product[0].events }; // prettier-ignore
};

const facts = ({ measurements, acknowledged, stored, eventsPerCallback, catchUpMs, rssMb, open }) => {
  const { ratios } = measurements.find(({ connections }) => connections === mainLevel);
  const half = open.find(({ target, share }) => target === 'product' && share === 0.5);
  return [
    `The order read model had each event ${shown(half.lag.p50)} ms after its position was drawn at half of the maximum, p99 ${shown(half.lag.p99)} ms (rows of followers are written every 25 to 250 ms).`,
    `At ${mainLevel} connections: ${shown(ratios.signature)} of the route that checks the signature only (asked for: at least 0.3), ${shown(ratios.typeorm)} times the handler by TypeORM (5), ${shown(ratios.emmett)} times that by emmett (4); p99 ${shown(half.p99)} ms at half of the maximum (at most 25).`,
    `${acknowledged} acknowledged, ${stored.evidence} stored as evidence, ${stored.paid} payments paid; ${shown(eventsPerCallback)} events each; all followers had caught up ${shown(catchUpMs)} ms after the last answer of a round; ${stored.corroborated} payments corroborated by polls meanwhile; memory under load ${shown(rssMb)} MB.`,
  ];
};

const tables = ({ open }) => [
  table(
    ['at a fixed rate, from when each was due', 'rate', 'of its maximum', 'p50 ms', 'p99 ms', 'p99.9 ms', 'max ms'],
    open.map(({ label, due, share, ...times }) => [
      label,
      `${shown(due)} /s`,
      `${Math.round(share * 100)} %`,
      ...['p50', 'p99', 'p999', 'max'].map((name) => shown(times[name])),
    ]),
  ),
];

const plots = ({ measurements, open }) => {
  const main = measurements.find(({ connections }) => connections === mainLevel);
  const lines = (names) => names.flatMap((name) => (main.sides[name] ? [main.sides[name]] : []));
  const half = ['product', 'typeorm', 'emmett', 'signature'].flatMap((name) => open.filter(({ target, share }) => target === name && share === 0.5)); // prettier-ignore
  return [
    {
      file: 'callbacks-closed.svg',
      title: `Time of a callback with ${mainLevel} callers who all wait`,
      svg: latencyPlot(`Time of a callback, ${mainLevel} callers who all wait`, lines(['product', 'typeorm', 'emmett', 'signature', 'single'])), // prettier-ignore
    },
    {
      file: 'callbacks-open.svg',
      title: 'Time of a callback at half of the maximum of each',
      svg: latencyPlot('Time of a callback at half of the maximum of each, from when it was due', half.map((each) => ({ ...each, label: `${each.label}, ${shown(each.due)}/s` }))), // prettier-ignore
    },
  ];
};

export const callbacks = {
  name: 'callbacks',
  about: 'signed callbacks over HTTP, closed loop and fixed rates',
  default: true,
  run,
  tables,
  facts,
  plots,
};

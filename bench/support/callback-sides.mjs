// What takes one callback each: the product, and everything that it is measured against.
import { countFloor, emptyFloor, eventsAfter, insertOf, joinedInsert, rowsOfStreams } from './floor-tables.mjs';
import { summaryOf } from './numbers.mjs';
import { allAnswered, caughtUp, check, lastEvent, quiet } from './paid-callbacks.mjs';
import { ask, freshDatabase } from './processes.mjs';
import { startNestEmmett, startNestTypeorm, startSignatureOnly } from './yardsticks.mjs';

/** What the callbacks of one round wrote: rows of evidence, and of events. */
const writtenAfter = async ({ service, floor }, after) => {
  const events = await eventsAfter(service.url, floor, after, `actor = 'gateway'`);
  const source = `source = 'callback:default'`;
  const messages = await rowsOfStreams(service.url, floor, 'inbox', events.keys(), source);
  return messages.map((message) => [[message], events.get(message.stream_id)]);
};

const sendTo = async ({ load }, port, connections, requests, what) => {
  const sent = await load.run('sendAll', { port, connections, requests });
  allAnswered(what, sent.statuses, 200);
  return sent;
};

/** The service; everything that follows a callback is part of its CPU time, not of its rate. */
const productSide = (context, { connections, keep }) => ({
  name: 'product',
  label: 'Finality',
  measure: async () => {
    const { service, meter } = context;
    const { callbacks } = context;
    const before = await lastEvent(service.url);
    const { sent, catchUpMs, cpu } = await meter(service.pid, async () => {
      const requests = callbacks.map(({ request }) => request);
      const answered = await sendTo(context, service.port, connections, requests, 'a callback');
      return { sent: answered, catchUpMs: await caughtUp(service.url), operations: callbacks.length };
    });
    const members = await writtenAfter(context, before);
    check('members of the floor', members.length, callbacks.length);
    keep(members);
    await quiet(service.url);
    const events = members.reduce((sum, [, own]) => sum + own.length, 0) / members.length;
    return { ...summaryOf(sent), cpu, catchUpMs, events };
  },
});

/** The floors write the rows of the product's round before. */
const floorSide = (context, name, label, members, run) => ({
  name,
  label,
  measure: async () => {
    const { service, meter, inserts } = context;
    const lots = members();
    await emptyFloor(service.url);
    const { sent, cpu } = await meter(inserts.pid, async () => ({ sent: await run(lots), operations: lots.length }));
    const { inbox, events } = await countFloor(service.url);
    check('rows of the floor', inbox + events, lots.reduce((sum, [own, all]) => sum + own.length + all.length, 0)); // prettier-ignore
    return { ...summaryOf(sent), statements: sent.statements, cpu };
  },
});

/** More connections than this make a statement each no faster; the server has not many more to give. */
const mostOfFloor = 64;

const singles = (context, callers, members) => {
  const connections = Math.min(callers, mostOfFloor);
  const label = `the same rows, a statement each, ${connections} connection${connections === 1 ? '' : 's'}`;
  return floorSide(context, 'single', label, members, (lots) => {
    const { floor, inserts, service } = context;
    const rows = ([messages, events]) => [...messages.map((row) => ['inbox', row]), ...events.map((row) => ['event', row])]; // prettier-ignore
    const tasks = lots.map((lot) => [insertOf(floor, rows(lot))]);
    return inserts.run('runTasks', { url: service.url, connections, tasks });
  });
};

const joined = (context, connections, members) =>
  floorSide(context, 'joined', 'the same rows, joined into arrays, 2 statements at once', members, (lots) => {
    const statement = joinedInsert(context.floor, ['inbox', 'event']);
    return context.inserts.run('runJoined', { url: context.service.url, callers: connections, statement, members: lots }); // prettier-ignore
  });

const handlerSide = (context, { name, label, handler, connections, prepare, counted }) => ({
  name,
  label,
  measure: async () => {
    const { callbacks } = context;
    await prepare?.(callbacks);
    const before = (await counted?.()) ?? 0;
    const { sent, cpu } = await context.meter(handler.pid, async () => {
      const requests = callbacks.map(({ request }) => request);
      return { sent: await sendTo(context, handler.port, connections, requests, label), operations: requests.length };
    });
    if (counted) check(`what ${label} has stored`, (await counted()) - before, callbacks.length);
    return { ...summaryOf(sent), cpu };
  },
});

const seedPayments = async (url, callbacks) =>
  ask(
    url,
    `insert into payment (id, track_id, order_id, status, amount, currency)
     select id, track_id, id::text, 'open', 49.90, 'USD' from unnest($1::uuid[], $2::text[]) as p (id, track_id)
     on conflict do nothing`,
    [callbacks.map(({ id }) => id), callbacks.map(({ trackId }) => trackId)],
  );

const countIn = (url, query) => async () => (await ask(url, query))[0].n;

/** What starts beside the service: databases of their own on its server, processes of their own. */
export const startHandlers = async (service, credentials, sample) => {
  const [typeormUrl, emmettUrl] = [
    await freshDatabase(service.url, 'bench_typeorm'),
    await freshDatabase(service.url, 'bench_emmett'),
  ];
  return {
    signature: await startSignatureOnly(credentials),
    typeorm: { ...(await startNestTypeorm(credentials, typeormUrl)), url: typeormUrl },
    emmett: { ...(await startNestEmmett(credentials, emmettUrl, sample)), url: emmettUrl },
  };
};

const handlerKinds = ({ handlers }) => [
  {
    name: 'signature',
    label: 'signature checked, nothing stored',
    handler: handlers.signature,
  },
  {
    name: 'typeorm',
    label: 'Nest/Express, TypeORM find + save, dedupe table',
    handler: handlers.typeorm,
    prepare: (callbacks) => seedPayments(handlers.typeorm.url, callbacks),
    counted: countIn(
      handlers.typeorm.url,
      `select least((select count(*) from webhook_event), (select count(*) from payment where status = 'paid'))::int as n`,
    ),
  },
  {
    name: 'emmett',
    label: 'Nest/Fastify, emmett appendToStream',
    handler: handlers.emmett,
    counted: countIn(handlers.emmett.url, 'select count(distinct stream_id)::int as n from emt_messages'),
  },
];

/** All sides at so many connections. Each of them takes the callbacks of the round, `context.callbacks`, once. */
export const closedLoopSides = (context, connections) => {
  let members = [];
  const keep = (lots) => {
    members = lots;
  };
  return [
    productSide(context, { connections, keep }),
    singles(context, connections, () => members),
    joined(context, connections, () => members),
    ...handlerKinds(context).map((kind) => handlerSide(context, { ...kind, connections })),
  ];
};

/** What callbacks can be sent to at a fixed rate. */
export const openLoopTargets = ({ service, handlers, ...rest }) => [
  { name: 'product', label: 'Finality', handler: service },
  ...handlerKinds({ handlers, ...rest }),
];

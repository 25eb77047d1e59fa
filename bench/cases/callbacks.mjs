// Signed callbacks, end to end over HTTP: each is the only one of a payment of its own, and pays it.
import { sign } from '../../dist/gateway/signature.js';
import { emptyFloorTables, grouped, insertOf, makeFloorTables, storedRows } from '../support/floor-tables.mjs';
import { post } from '../support/http-load.mjs';
import { median, percentile, perSecond } from '../support/numbers.mjs';
import { ask, freePort, sandboxCredentials, startProgram, startService, startWorker } from '../support/processes.mjs';

const path = '/v1/callbacks/oxapay/default';

const check = (what, found, expected) => {
  if (found !== expected) throw new Error(`${what}: ${String(found)}, expected ${String(expected)}`);
};

const allAnswered = (what, statuses, expected) =>
  statuses.forEach((status) => check(`the status of ${what}`, status, expected));

/** Opens payments through the API and has each of them paid at the sandbox, which keeps its callback to itself. */
const openPayments = async (service, { apiKey, count, connections, load }) => {
  const create = (n) =>
    post('/v1/payments', JSON.stringify({ orderId: `bench-${n}`, amount: '49.90', currency: 'USD' }), {
      authorization: `Bearer ${apiKey}`,
    });
  const send = (port, requests) => load.run('sendAll', { port, connections, requests, keepBodies: true });
  const opened = await send(
    service.port,
    Array.from({ length: count }, (_, n) => create(n)),
  );
  allAnswered('a create', opened.statuses, 201);
  const payments = opened.bodies.map((body) => JSON.parse(body));
  const pay = ({ trackId }) =>
    post(`/_sandbox/payments/${trackId}/transfers`, '{"percent":100,"confirmations":40,"callback":false}');
  const paid = await send(service.sandboxPort, payments.map(pay));
  allAnswered('a transfer', paid.statuses, 200);
  return paid.bodies.map((body) => JSON.parse(body));
};

/** The callback that OxaPay sends for a paid invoice (docs.oxapay.com/webhook), in its members and their order. */
const paidCallback = ({ gateway, transfers: [transfer] }) => {
  const [tx] = gateway.txs;
  const seen = tx.date;
  return JSON.stringify({
    track_id: gateway.track_id, status: 'Paid', type: 'invoice', module_name: 'OxaPay', amount: gateway.amount,
    value: gateway.amount, sent_value: gateway.amount, currency: gateway.currency, order_id: gateway.order_id, email: '', note: '',
    fee_paid_by_payer: 0, under_paid_coverage: 0, description: '', date: gateway.date,
    txs: [{
      status: 'confirmed', tx_hash: transfer.hash, sent_amount: tx.amount, received_amount: 49.7004, value: tx.amount,
      sent_value: tx.amount, currency: tx.currency, network: tx.network, sender_address: 'TH4uxpapg6o3kcCEMtb2iQGNiRq29BtgNH',
      address: tx.address, rate: 1, confirmations: 40, auto_convert_amount: 0, auto_convert_currency: 'USDT', date: seen,
    }],
  }); // prettier-ignore
};

const signed = (key) => (payment) => {
  const body = paidCallback(payment);
  return post(path, body, { hmac: sign(body, key) });
};

const lastEvent = async (url) => (await ask(url, 'select max(position)::text as at from event'))[0].at;

/** Waits until the order read model has seen everything, so that the floor does not run beside that work. */
const caughtUp = async (url) => {
  const began = performance.now();
  const upTo = await lastEvent(url);
  const behind = `select 1 from subscription where name in ('orders', 'looks') and position < $1`;
  while ((await ask(url, behind, [upTo])).length > 0) {
    if (performance.now() - began > 30_000) throw new Error('the followers of the log did not catch up within 30 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return performance.now() - began;
};

/** What the callbacks of one round wrote, as the floor's tasks: one statement for each callback. */
const floorTasks = async (url, after) => {
  const events = grouped(
    await storedRows(url, 'event', `position > $1 and actor = 'gateway' order by stream_id, version`, [after]),
  );
  const messages = await storedRows(url, 'inbox', `source = 'callback:default' and stream_id = any($1)`, [
    [...events.keys()],
  ]);
  return messages.map((message) => [
    insertOf([['inbox', message], ...events.get(message.stream_id).map((event) => ['event', event])]),
  ]);
};

const summary = ({ ms, times }) => ({
  perSecond: perSecond(times.length, ms),
  p50: percentile(times, 0.5),
  p99: percentile(times, 0.99),
});

/** Acknowledged means stored: the evidence of each callback, and a payment that is paid by it. */
const verify = async (url, acknowledged) => {
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

const measureRound = async (context, requests) => {
  const { service, load, inserts, yardstick, connections } = context;
  const before = await lastEvent(service.url);
  const product = await load.run('sendAll', { port: service.port, connections, requests });
  allAnswered('a callback', product.statuses, 200);
  const catchUpMs = await caughtUp(service.url);
  const tasks = await floorTasks(service.url, before);
  check('tasks of the floor', tasks.length, requests.length);
  await emptyFloorTables(service.url);
  const floor = await inserts.run('runTasks', { url: service.url, connections, tasks });
  const signature = await load.run('sendAll', { port: yardstick.port, connections, requests });
  allAnswered('a check of the signature', signature.statuses, 200);
  const events = tasks.reduce((sum, [{ name }]) => sum + name.length - 1, 0) / tasks.length;
  return { product: summary(product), floor: summary(floor), signature: summary(signature), catchUpMs, events };
};

const startYardstick = async ({ merchantKey, payoutKey }) => {
  const port = await freePort();
  const program = await startProgram(
    'bench/support/signature-only.mjs',
    { PORT: port, MERCHANT_KEY: merchantKey, PAYOUT_KEY: payoutKey },
    /ready/,
  );
  return { ...program, port };
};

export const measureCallbacks = async ({ dataDir, rounds, perRound, connections, say }) => {
  const service = await startService(dataDir, { GATEWAY: 'sandbox' });
  const credentials = await sandboxCredentials(dataDir);
  const [load, inserts, yardstick] = [startWorker(), startWorker(), await startYardstick(credentials)];
  // The first round warms everything up and is not counted.
  const count = perRound * (rounds + 1);
  say(`callbacks: opening ${count} payments`);
  const payments = await openPayments(service, { apiKey: credentials.apiKey, count, connections, load });
  const requests = payments.map(signed(credentials.merchantKey));
  await caughtUp(service.url);
  await makeFloorTables(service.url);
  const context = { service, load, inserts, yardstick, connections };
  const measured = [];
  for (let round = 0; round <= rounds; round++) {
    const result = await measureRound(context, requests.slice(round * perRound, (round + 1) * perRound));
    say(
      `callbacks: round ${round}: ${Math.round(result.product.perSecond)}/s, floor ${Math.round(result.floor.perSecond)}/s`,
    );
    if (round > 0) measured.push(result);
  }
  const stored = await verify(service.url, requests.length);
  const rssMb = await service.rssMb();
  await Promise.all([load, inserts, yardstick, service].map((process) => process.stop()));
  return { rounds: measured, acknowledged: requests.length, stored, rssMb, ...mediansOf(measured) };
};

const mediansOf = (rounds) => {
  const of = (pick) => median(rounds.map(pick));
  const side = (name) => ({
    perSecond: of((round) => round[name].perSecond),
    p50: of((round) => round[name].p50),
    p99: of((round) => round[name].p99),
  });
  return {
    product: side('product'),
    floor: side('floor'),
    signature: side('signature'),
    ratio: of((round) => round.product.perSecond / round.floor.perSecond),
    signatureRatio: of((round) => round.product.perSecond / round.signature.perSecond),
    catchUpMs: of((round) => round.catchUpMs),
    eventsPerCallback: of((round) => round.events),
  };
};

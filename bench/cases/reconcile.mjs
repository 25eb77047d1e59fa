// Many open payments that all fall due for a look at the gateway at once, as after an outage.
import { post } from '../support/http-load.mjs';
import { shown } from '../support/numbers.mjs';
import { apiKey, environmentFor, startGateway } from '../support/oxapay.mjs';
import { allAnswered, caughtUp, check } from '../support/paid-callbacks.mjs';
import { ask, startService, startWorker } from '../support/processes.mjs';
import { postgresOf } from '../support/results.mjs';

const limitMs = 120_000;
/** One payment in so many was paid without a callback. */
const paidEvery = 1000;
/** Looks in hand share the end of their lease; those that were heard share at most what a page tells of. */
const pageSize = 200;

const gatewayOf =
  ({ port }) =>
  async (path, method = 'GET') =>
    (await fetch(`http://127.0.0.1:${port}${path}`, { method })).json();

const create = (n) =>
  post('/v1/payments', JSON.stringify({ orderId: `bench-${n}`, amount: '49.90', currency: 'USD' }), {
    authorization: `Bearer ${apiKey}`,
  });

const until = async (what, condition) => {
  const began = performance.now();
  while (!(await condition())) {
    if (performance.now() - began > limitMs) throw new Error(`not within ${limitMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return (performance.now() - began) / 1000;
};

const mostAlike = `select coalesce(max(n), 0)::int as most from (select count(*) as n from look group by due_at) g`;
const paidNow = `select count(distinct stream_id)::int as paid from event where type = 'PaymentPaid'`;

const run = async ({ size, dataDirectory, say }) => {
  const payments = size(10_000, 1000);
  const gateway = await startGateway('gateway-history.mjs');
  const service = await startService(await dataDirectory(), environmentFor(gateway));
  const [load, tell, { url }] = [startWorker(), gatewayOf(gateway), service];
  const requests = Array.from({ length: payments }, (_, n) => create(n));
  const opened = await load.run('sendAll', { port: service.port, connections: 64, requests });
  allAnswered('a create', opened.statuses, 201);
  await caughtUp(url);
  check('payments at the gateway', (await tell('/_asked')).payments, payments);
  await tell(`/_pay/${paidEvery}`, 'POST');
  const paid = Math.ceil((payments - 7) / paidEvery);
  await tell('/_forget', 'POST');
  say(`reconcile: ${payments} payments open`);
  await ask(url, 'update look set due_at = now()');
  const shownSeconds = await until('each payment told of', async () => (await tell('/_asked')).shown === payments);
  const rest = await until('each look done', async () => (await ask(url, mostAlike))[0].most <= pageSize);
  const paidSeconds = await until('the paid ones paid', async () => (await ask(url, paidNow))[0].paid === paid);
  const { asked } = await tell('/_asked');
  const [rssMb, postgres] = [await service.rssMb(), await postgresOf(url)];
  await Promise.all([load, service, gateway].map((process) => process.stop()));
  const count = Object.values(asked).reduce((sum, n) => sum + n, 0);
  return { payments, requests: count, asked, shownSeconds, seconds: shownSeconds + rest, paid, paidSeconds, rssMb, postgres }; // prettier-ignore
};

const facts = ({ payments, requests, asked, seconds, shownSeconds, paid, rssMb }) => [
  `${payments} open payments, all due at once: ${requests} requests to the gateway (${Object.entries(asked).map(([what, n]) => `${what} ${n}`).join(', ')}; asked for: at most 60 for 10,000), each payment told of within ${shown(shownSeconds)} s and its next look set within ${shown(seconds)} s; ${paid} paid ones without a callback found; ${shown(rssMb)} MB resident.`,
]; // prettier-ignore

export const reconcile = {
  name: 'reconcile',
  about: '10,000 open payments looked up at once',
  default: true,
  run,
  facts,
};

// Payments that wait for one callback each, and those callbacks, signed.
import { sign } from '../../dist/gateway/signature.js';
import { post } from './http-load.mjs';
import { ask } from './processes.mjs';

export const check = (what, found, expected) => {
  if (found !== expected) throw new Error(`${what}: ${String(found)}, expected ${String(expected)}`);
};

export const allAnswered = (what, statuses, expected) =>
  statuses.forEach((status) => check(`the status of ${what}`, status, expected));

const create = (apiKey) => (n) =>
  post('/v1/payments', JSON.stringify({ orderId: `bench-${n}`, amount: '49.90', currency: 'USD' }), {
    authorization: `Bearer ${apiKey}`,
  });

/** Callers of what is not measured: few enough that the gateway in the same process is never waited for too long. */
const preparing = 16;

/** Opens payments through the API. */
export const openPayments = async (service, { apiKey, from = 0, count, load }) => {
  const requests = Array.from({ length: count }, (_, n) => create(apiKey)(from + n));
  const opened = await load.run('sendAll', { port: service.port, connections: preparing, requests, keepBodies: true });
  allAnswered('a create', opened.statuses, 201);
  return opened.bodies.map((body) => JSON.parse(body));
};

/** Has payments paid at the sandbox, which keeps its callback to itself. Answers how it tells of each of them. */
const payAtSandbox = async (service, { payments, load }) => {
  const requests = payments.map(({ trackId }) =>
    post(`/_sandbox/payments/${trackId}/transfers`, '{"percent":100,"confirmations":40,"callback":false}'),
  );
  const paid = await load.run('sendAll', {
    port: service.sandboxPort,
    connections: preparing,
    requests,
    keepBodies: true,
  });
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

/** So many payments that are paid at the sandbox: the request that tells of each of them, and what it is about. */
const paidCallbacks = async (service, { credentials, from = 0, count, load }) => {
  const { apiKey, merchantKey } = credentials;
  const payments = await openPayments(service, { apiKey, from, count, load });
  const paid = await payAtSandbox(service, { payments, load });
  return paid.map((payment, n) => {
    const body = paidCallback(payment);
    const request = post('/v1/callbacks/oxapay/default', body, { hmac: sign(body, merchantKey) });
    return { request, id: payments[n].id, trackId: payment.gateway.track_id };
  });
};

export const lastEvent = async (url) => (await ask(url, 'select coalesce(max(position), 0)::text as at from event'))[0].at; // prettier-ignore

/** Waits until every follower has seen everything, so that nothing else is measured beside that work. Answers the ms. */
export const caughtUp = async (url) => {
  const began = performance.now();
  const upTo = await lastEvent(url);
  const behind = 'select name from subscription where position < $1';
  for (let left = []; ; await new Promise((resolve) => setTimeout(resolve, 20))) {
    left = await ask(url, behind, [upTo]);
    if (left.length === 0) return performance.now() - began;
    if (performance.now() - began > 60_000)
      throw new Error(`${left.map(({ name }) => name).join(', ')} did not catch up within a minute`);
  }
};

const quietWithinMs = 5000;

/** Waits a little for the questions to the gateway that follow callbacks, so that less of them runs beside others' turns. */
export const quiet = async (url) => {
  const began = performance.now();
  const due = `select 1 from look where due_at <= now() + interval '2 seconds' limit 1`;
  while (performance.now() - began < quietWithinMs && (await ask(url, due)).length > 0)
    await new Promise((resolve) => setTimeout(resolve, 100));
};

/**
 * Opens payments and has them paid, right before their callbacks are sent: a payment that is paid at the gateway and not
 * told of for long would be found by a look, and the callback be told what is known. `context.opened` counts them.
 */
export const freshCallbacks = async (context, count) => {
  const { service, credentials, load } = context;
  const callbacks = await paidCallbacks(service, { credentials, from: context.opened, count, load });
  context.opened += count;
  await caughtUp(service.url);
  return callbacks;
};

// Emmett's rebuild of an order projection. It pages by the pair of transaction id and position but goes on by the position
// alone, so that events that were written at the same time can be left out; these are written one after the other.
import { getPostgreSQLEventStore, pongoSingleStreamProjection, rebuildPostgreSQLProjections } from '@event-driven-io/emmett-postgresql'; // prettier-ignore
import { boundedPool } from './pool.mjs';

const perPayment = 5;
const types = ['PaymentRequested', 'InvoiceOpened', 'GatewayReported', 'PaymentPaid', 'PaymentCorroborated'];

const eventsOf = (n) => [
  { type: types[0], data: { orderId: `order-${n}`, amount: '49.90', currency: 'USD', description: `an order of ${n % 7} things`, metadata: { cart: String(n * 31) }, requestedAt: '2026-01-01T00:00:00.000Z' } },
  { type: types[1], data: { trackId: String(n), paymentUrl: `https://pay.example/${n}`, expiresAt: '2026-01-01T01:00:00.000Z' } },
  { type: types[2], data: { status: 'paid', witness: 'callback', at: '2026-01-01T00:01:00.000Z' } },
  { type: types[3], data: { clause: 'settled', received: '49.90', at: '2026-01-01T00:01:00.000Z' } },
  { type: types[4], data: { at: '2026-01-01T00:01:01.000Z' } },
]; // prettier-ignore

const evolve = (order, { type, data }) => {
  if (type === types[0]) return { ...data, status: 'created', events: 1 };
  const seen = { ...order, events: order.events + 1 };
  if (type === types[1]) return { ...seen, ...data, status: 'pending' };
  if (type === types[3]) return { ...seen, status: 'paid', received: data.received };
  return type === types[4] ? { ...seen, corroborated: true } : seen;
};

const orders = pongoSingleStreamProjection({ collectionName: 'orders', canHandle: types, evolve });

/** Writes so many events, payment by payment, one append after the other. */
export const fillEmmett = async ({ url, events }) => {
  const pool = boundedPool(url);
  const store = getPostgreSQLEventStore(url, { connectionOptions: { pool } });
  await store.schema.migrate();
  for (let n = 0; n * perPayment < events; n++) await store.appendToStream(`payment-${n}`, eventsOf(n));
  await store.close();
  await pool.end();
};

export const rebuildByEmmett = async ({ url }) => {
  const pool = boundedPool(url);
  const began = performance.now();
  const consumer = rebuildPostgreSQLProjections({ connectionString: url, projections: [orders] });
  await consumer.start();
  const ms = performance.now() - began;
  await consumer.close();
  const { rows } = await pool.query(`select count(*)::int as orders, coalesce(sum((data->>'events')::int), 0)::int as applied from orders`); // prettier-ignore
  const { rows: stored } = await pool.query('select count(*)::int as events from emt_messages');
  await pool.end();
  return { ms, events: stored[0].events, ...rows[0] };
};

import { foldPayment } from '../../dist/payments/payment-stream.js';
import { createPool } from '../../dist/platform/database/database.pg.js';
import { LogReader } from '../../dist/platform/event-store/log-reader.pg.js';
import { scanStreams } from '../../dist/platform/event-store/stream-scan.pg.js';
import { rebuild } from '../../dist/platform/subscriptions/rebuild.pg.js';
import { OrderProjection } from '../../dist/read-models/order-projection.pg.js';

/** Rebuilds the order read model from the whole log, as `replay --projection orders` does. */
export const rebuildOrders = async ({ url }) => {
  const began = performance.now();
  const { events } = await rebuild(url, new OrderProjection());
  return { ms: performance.now() - began, events };
};

/** The rebuild that comes to mind first: an upsert for each event, pages of `pageSize` in a transaction; so many events. */
export const upsertEach = async ({ url, events: wanted, pageSize }) => {
  const pool = createPool(url, { max: 2 });
  const reader = new LogReader(pool);
  const client = await pool.connect();
  await client.query(
    'create temporary table orders (payment_id uuid primary key, status text not null, state json not null)',
  );
  const upsert = { name: 'upsert', text: `insert into orders values ($1, $2, $3) on conflict (payment_id) do update set status = excluded.status, state = excluded.state` }; // prettier-ignore
  const known = new Map();
  const began = performance.now();
  let [after, applied] = [0, 0];
  while (applied < wanted) {
    const events = await reader.read(after, pageSize, await reader.watermark());
    await client.query('begin');
    for (const event of events) {
      const stream = [...(known.get(event.streamId) ?? []), event];
      known.set(event.streamId, stream);
      const payment = foldPayment(stream);
      await client.query({ ...upsert, values: [event.streamId, payment.status, JSON.stringify(payment)] });
    }
    await client.query('commit');
    if (events.length === 0) break;
    applied += events.length;
    after = events.at(-1).position;
  }
  const ms = performance.now() - began;
  client.release();
  await pool.end();
  return { ms, events: applied };
};

/** Reads and folds every payment from its events, as `replay --diff` does. */
export const replayPayments = async ({ url }) => {
  const pool = createPool(url, { max: 2 });
  const began = performance.now();
  let [events, payments] = [0, 0];
  for await (const { streams } of scanStreams(pool, { beginsWith: 'PaymentRequested' }))
    for (const stream of streams) {
      foldPayment(stream);
      events += stream.length;
      payments++;
    }
  const ms = performance.now() - began;
  await pool.end();
  return { ms, events, payments };
};

/** Reads so many pages of the log, at places all over it. */
export const readPages = async ({ url, pages, pageSize }) => {
  const pool = createPool(url, { max: 2 });
  const reader = new LogReader(pool);
  const end = await reader.watermark();
  const times = [];
  const began = performance.now();
  for (let page = 0; page < pages; page++) {
    // A step that is no fraction of the whole: no place twice.
    const after = Math.floor((((page + 1) * 0.618034) % 1) * Math.max(0, end - pageSize));
    const from = performance.now();
    await reader.read(after, pageSize, end);
    times.push(performance.now() - from);
  }
  const ms = performance.now() - began;
  await pool.end();
  return { ms, times };
};

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

import type { Pool } from 'pg';
import { paymentOfFulfillment } from '../fulfillment/fulfillment.js';
import type { PaymentEvent } from '../payments/payment.js';

/** How people call what a stream is about, as far as it is about a payment. */
export interface StreamName {
  paymentId?: string;
  orderId?: string;
}

// The directory of keys outlives the events: it names a payment whose stream is gone.
const named = `
select stream_id, data ->> 'orderId' as "orderId" from event where stream_id = any($1::uuid[]) and version = 1 and type = $2
union all
select stream_id, key from stream_key where stream_id = any($1::uuid[]) and scope like 'order:%'`;

/** The payments and orders behind some streams; other streams are not in the map. */
export async function namesOfStreams(pool: Pool, streamIds: readonly string[]): Promise<Map<string, StreamName>> {
  const payments = new Map([...new Set(streamIds)].map((id) => [id, paymentOf(id)]));
  const names = new Map<string, StreamName>();
  if (payments.size === 0) return names;
  const values = [[...payments.values()], 'PaymentRequested' satisfies PaymentEvent['type']];
  const { rows } = await pool.query<{ stream_id: string; orderId: string | null }>(named, values);
  for (const [streamId, paymentId] of payments) {
    const known = rows.find((row) => row.stream_id === paymentId);
    if (known) names.set(streamId, { paymentId, ...(known.orderId !== null && { orderId: known.orderId }) });
  }
  return names;
}

const versionAt = 14;

const paymentOf = (streamId: string): string =>
  streamId[versionAt] === '8' ? paymentOfFulfillment(streamId) : streamId;

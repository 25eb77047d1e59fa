import type { Pool } from 'pg';
import type { RecordedEvent } from '../kernel/event.js';
import { fulfillmentStreamOf } from '../fulfillment/fulfillment.js';
import type { Delivery, WebhookDeliveries } from '../fulfillment/webhook-deliveries.pg.js';
import { callbackSource } from '../payments/evidence.js';
import type { LoadedPayment } from '../payments/payment-streams.pg.js';
import { isReportable, type Payment } from '../payments/payment.js';
import { refundsOf } from '../payments/refund-schedule.js';
import type { EventStore, StoredMessage } from '../platform/event-store/event-store.pg.js';

/** All that is known of one payment's life. */
export interface PaymentRecord {
  loaded: LoadedPayment;
  /** Events of its fulfilment, oldest first. */
  fulfillment: readonly RecordedEvent[];
  /** The evidence that was applied, oldest first, 200 at most. */
  messages: readonly StoredMessage[];
  /** Callbacks about it that were kept and not applied, oldest first, 200 of each track id at most. */
  waiting: readonly StoredMessage[];
  /** Its webhooks on their way to each endpoint, oldest first; of more than 200 the newest. */
  deliveries: readonly Delivery[];
  /** Where the endpoints of these are, by id; those that are gone are not in the map. */
  endpoints: ReadonlyMap<string, string>;
}

const deliveriesAtMost = 200;

/** Under which names the gateway speaks of a payment: its invoice's, and those of its payouts. */
export const trackIdsOf = (payment: Payment): string[] => [
  ...(isReportable(payment) ? [payment.invoice.trackId] : []),
  ...refundsOf(payment).flatMap(({ trackId }) => (trackId === null ? [] : [trackId])),
];

/** Reads events, evidence and deliveries of a payment, for its timeline. */
export async function readRecord(
  { pool, store, deliveries }: { pool: Pool; store: EventStore; deliveries: WebhookDeliveries },
  loaded: LoadedPayment,
): Promise<PaymentRecord> {
  const { id: paymentId } = loaded.payment.terms;
  const [fulfillment, messages, waiting, found] = await Promise.all([
    store.read(fulfillmentStreamOf(paymentId)),
    store.messagesOf(paymentId),
    waitingFor(store, loaded.payment),
    deliveries.list(null, { paymentId }, { before: null, limit: deliveriesAtMost }),
  ]);
  const { rows } = await pool.query<{ id: string; url: string }>(
    'select id, url from webhook_endpoint where id = any($1::uuid[])',
    [[...new Set(found.map(({ endpointId }) => endpointId))]],
  );
  return {
    loaded,
    fulfillment: fulfillment.events,
    messages,
    waiting,
    deliveries: found.slice(0, deliveriesAtMost).sort((a, b) => a.sequence - b.sequence || (a.id < b.id ? -1 : 1)),
    endpoints: new Map(rows.map(({ id, url }) => [id, url])),
  };
}

/** Callbacks that speak of a payment and were not applied to it. */
export async function waitingFor(store: EventStore, payment: Payment): Promise<StoredMessage[]> {
  const found = await Promise.all(trackIdsOf(payment).map((trackId) => store.openMessages(callbackSource, trackId)));
  return found.flat();
}

import type { RecordedEvent } from '../kernel/event.js';
import { isUuid } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import { callbackSource, copyOf } from '../payments/evidence.js';
import { trackKeyScope } from '../payments/gateway-event.handlers.js';
import type { CallbackSays, CallbackSignature, PaymentGateway } from '../payments/payment-gateway.js';
import { payoutKeyScope } from '../payments/payout-event.handlers.js';
import { noStream, type EventStore, type KeptMessage } from '../platform/event-store/event-store.pg.js';
import { textOf, verdictOn } from './kept-message.js';

/** One message of the inbox with all that is known of it. */
export interface KeptCallback {
  message: KeptMessage;
  /** Its bytes as text; null where they are no UTF-8. */
  text: string | null;
  /** Who signed it, by the keys of now; null for what is no callback. */
  signature: (CallbackSignature & { verdict: string }) | null;
  /** What this version reads in it; null for what is no callback. */
  says: CallbackSays | null;
  paymentId: string | null;
  /** What it caused. */
  events: RecordedEvent[];
}

/** Reads a message. Throws `Refusal('not_found')` and `StoreUnavailable`. */
export async function readKept(store: EventStore, gateway: PaymentGateway, id: string): Promise<KeptCallback> {
  const message = await store.message(id);
  if (!message) throw new Refusal('not_found', `There is no message ${id} in the inbox.`);
  const isCallback = message.source === callbackSource;
  const signature = isCallback ? gateway.signatureOf(message.body, message.headers) : null;
  const says = isCallback ? gateway.readCallback(message.body) : null;
  const { paymentId, events } = await caused(store, message, says);
  return {
    message,
    text: textOf(message.body),
    signature: signature && { ...signature, verdict: verdictOn(signature, message.headers) },
    says,
    paymentId: message.streamId === noStream ? paymentId : message.streamId,
    events,
  };
}

/** Where its payment is, and the events that name it, or its copy in the payment's stream, as their cause. */
async function caused(
  store: EventStore,
  message: KeptMessage,
  says: CallbackSays | null,
): Promise<{ paymentId: string | null; events: RecordedEvent[] }> {
  const streamId = message.streamId === noStream ? await holderOf(store, says) : message.streamId;
  if (streamId === null) return { paymentId: null, events: [] };
  const copy = says === null || says.kind === 'unreadable' ? null : copyOf(message, says.report.trackId, says.content);
  // Copies that earlier versions made have ids of their own.
  const kept = copy === null ? null : await store.messageAt(streamId, copy.digest);
  const causes = new Set([message.id, copy?.id, kept?.id]);
  const { events } = await store.read(streamId);
  const found = events.filter(
    ({ causationId, correlationId }) => causes.has(causationId) || correlationId === message.id,
  );
  return { paymentId: streamId, events: found };
}

async function holderOf(store: EventStore, says: CallbackSays | null): Promise<string | null> {
  if (says === null || says.kind === 'unreadable') return null;
  if (says.kind === 'payout') return store.streamOf(payoutKeyScope, says.report.trackId);
  const { orderId, trackId } = says.report;
  const holder = await store.streamOf(trackKeyScope, trackId);
  if (holder !== null || orderId === null || !isUuid(orderId)) return holder;
  return (await store.read(orderId)).events.length > 0 ? orderId : null;
}

import type { RecordedEvent } from '../kernel/event.js';
import { evolve, type Payment, type PaymentEvent } from './payment.js';

/*
 * A payment as its recorded stream tells it: the codec of its events, and the fold.
 */

/** Folds a stream, oldest event first; null where it holds no payment. */
export const fold = (events: readonly RecordedEvent[]): Payment | null =>
  events.reduce<Payment | null>((payment, event) => evolve(payment, readPaymentEvent(event)), null);

/** Folds what was appended to a payment's stream into it. */
export const foldFurther = (payment: Payment, events: readonly RecordedEvent[]): Payment =>
  events.reduce((current, event) => evolve(current, readPaymentEvent(event)) ?? current, payment);

/** Folds a stream that must hold a payment. */
export function foldPayment(events: readonly RecordedEvent[]): Payment {
  const payment = fold(events);
  if (!payment) throw new Error(`stream ${events[0]?.streamId ?? '(empty)'} does not begin with PaymentRequested`);
  return payment;
}

export const paymentEventTypes: ReadonlySet<string> = new Set<PaymentEvent['type']>([
  'PaymentRequested',
  'InvoiceDelayed',
  'InvoiceRetried',
  'InvoiceOpened',
  'InvoiceRefused',
  'GatewayReported',
  'TransferDetected',
  'TransferUpdated',
  'AmountAssessed',
  'ContradictionFound',
  'PaymentPaid',
  'PaymentCorroborated',
  'CorroborationDelayed',
  'CorroborationWaived',
  'PaymentExpired',
  'PaymentCancelled',
  'ReviewOpened',
  'ReviewWithdrawn',
  'PricesRecorded',
  'PaymentRejected',
  'ReviewResolved',
  'ExcessKept',
  'CreditGranted',
  'CreditApplied',
  'CreditReleased',
  'RemainderRequested',
  'RemainderConcluded',
  'RemainderSettled',
  'RefundRequested',
  'RefundAttempted',
  'RefundDelayed',
  'RefundSubmitted',
  'RefundConfirmed',
  'RefundFailed',
]);

/** The event that every payment's stream begins with, and no other. */
export const firstPaymentEvent = 'PaymentRequested' satisfies PaymentEvent['type'];

/** The schema version that this code writes; a later one refuses the stream rather than guess at it. */
export const paymentSchemaVersion = 1;

export const isPaymentEvent = (event: Pick<RecordedEvent, 'type'>): boolean => paymentEventTypes.has(event.type);

/** Reads a recorded event as one of ours. Throws where its type or schema version is newer than this code. */
export function readPaymentEvent(event: RecordedEvent): PaymentEvent {
  if (!isPaymentEvent(event) || event.schemaVersion > paymentSchemaVersion) {
    throw new Error(
      `event ${event.type} v${String(event.schemaVersion)} in stream ${event.streamId} is not known to this version of Finality`,
    );
  }
  return { type: event.type, data: event.data } as unknown as PaymentEvent;
}

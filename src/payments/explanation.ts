import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { readPaymentEvent } from './payment-stream.js';
import { showAmount } from './payment-view.js';
import type { Payment } from './payment.js';
import type { Blocker } from './policy.js';
import type { ReviewReason } from './review-reasons.js';
import { sentenceOf } from './sentences.js';
import { verdictOf, type PaymentVerdict } from './verdict.js';

/** Why a payment is, or is not, complete for the business; the fields are those of the public contract. */
export interface Explanation {
  complete: boolean;
  blockedBy: Blocker | null;
  waitingOn: PaymentVerdict['waitingOn'];
  /** What is still to be paid, in the payment's currency; null where nothing is, or where it is not known. */
  missing: { amount: string; currency: string } | null;
  /** When the wait ends, or is looked at anew. */
  deadline: Instant | null;
  rule: { policy: string; version: number; clause: string };
  /** What a person is asked to decide, as codes; empty where nobody is. */
  review: ReviewReason[];
  /** The ids of the events that prove it, oldest first. */
  evidence: string[];
  sentence: string;
}

/** Explains a payment from its own events; it tells the verdict of the rule that decided. */
export function explain(payment: Payment, events: readonly RecordedEvent[]): Explanation {
  const { complete, blockedBy, waitingOn, missing, deadline, clause, reasons } = verdictOf(payment);
  const { policy, currency } = payment.terms;
  return {
    complete,
    blockedBy,
    waitingOn,
    missing: missing === null ? null : { amount: showAmount(missing, currency), currency },
    deadline,
    rule: { policy: policy.name, version: policy.version, clause },
    review: reasons,
    evidence: evidenceOf(events),
    sentence: sentenceOf(payment, blockedBy, deadline),
  };
}

/** Each of these is superseded by the next of its kind: a status by the newer one, a transfer by what is known of it now. */
function subjectOf(event: RecordedEvent): string {
  const read = readPaymentEvent(event);
  switch (read.type) {
    case 'GatewayReported':
    case 'AmountAssessed':
      return read.type;
    case 'TransferUpdated':
      return `TransferUpdated ${read.data.transfer.key}`;
    default:
      return event.id;
  }
}

/** The events that still say something of where the payment stands: not our own tries, and nothing that was superseded. */
function evidenceOf(events: readonly RecordedEvent[]): string[] {
  const last = new Map(events.map((event) => [subjectOf(event), event.id]));
  return events
    .filter(({ type }) => type !== 'InvoiceRetried' && (type !== 'PaymentRequested' || events.length === 1))
    .filter((event) => last.get(subjectOf(event)) === event.id)
    .map(({ id }) => id);
}

import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { Decimal, plain } from '../payments/decimal.js';
import { openReviewOf, type Money } from '../payments/money.js';
import { isPaymentEvent, readPaymentEvent } from '../payments/payment-stream.js';
import { evolve, type Payment, type PaymentEvent } from '../payments/payment.js';
import { labelsOf, progressOf, type Label } from '../payments/standing.js';
import type { WebhookType } from './webhook-types.js';

/*
 * What an application is told of a payment: which webhooks an event of it gives. Fulfilment is asked for elsewhere.
 */

type EventType = PaymentEvent['type'];
type PaymentWebhook = Exclude<WebhookType, 'fulfillment.requested'>;

/** Events of these types are steps on the way to something that is told. */
const silent: ReadonlySet<EventType> = new Set<EventType>([
  'InvoiceDelayed',
  'InvoiceRetried',
  'PricesRecorded',
  'ContradictionFound',
  'PaymentCorroborated',
  'CorroborationDelayed',
  'CorroborationWaived',
  'ExcessKept',
  'CreditApplied',
  'RemainderRequested',
  'RemainderConcluded',
  'RefundRequested',
  'RefundAttempted',
  'RefundDelayed',
  'RefundSubmitted',
  'RefundFailed',
]);

/** Whether an event can give a webhook at all: of most that cannot, nothing needs to be read. */
export function mayAnnounce(recorded: RecordedEvent): boolean {
  if (!isPaymentEvent(recorded)) return false;
  const event = readPaymentEvent(recorded);
  return event.type === 'GatewayReported' ? event.data.status === 'refunded' : !silent.has(event.type);
}

const moneyOf = (payment: Payment | null): Money | null => (payment && 'money' in payment ? payment.money : null);
const reasonsOf = (payment: Payment | null): readonly string[] => {
  const money = moneyOf(payment);
  return (money && openReviewOf(money)?.reasons) ?? [];
};

/**
 * What an event tells, given the payment before and after it, in the order in which it is told. An event that changed
 * nothing tells nothing, so that nothing is told twice.
 */
export function announcementsOf(before: Payment | null, event: PaymentEvent, after: Payment): PaymentWebhook[] {
  return [
    ...statusTold(before, after),
    ...transfersTold(before, after),
    ...labelTold(before, after, 'late'),
    ...labelTold(before, after, 'overpaid'),
    ...reviewTold(before, event, after),
    ...returnTold(before, event, after),
  ];
}

function statusTold(before: Payment | null, { status }: Payment): PaymentWebhook[] {
  return before?.status === status ? [] : [`payment.${status}`];
}

function transfersTold(before: Payment | null, after: Payment): PaymentWebhook[] {
  const detected = !hasMoney(before) && hasMoney(after);
  return [...(detected ? ['payment.detected' as const] : []), ...(isNewlyPartial(before, after) ? partial : [])];
}

const partial = ['payment.partially_paid'] as const;

const hasMoney = (payment: Payment | null): boolean =>
  moneyOf(payment)?.transfers.some(({ status }) => status !== 'failed') ?? false;

/** Money is counted by an event of its own after it is seen: nothing received yet is not a part of the price. */
function isNewlyPartial(before: Payment | null, after: Payment): boolean {
  const received = partOf(after);
  return received !== null && received !== partOf(before);
}

function partOf(payment: Payment | null): string | null {
  const received = moneyOf(payment)?.received ?? null;
  if (payment === null || received === null || progressOf(payment) !== 'partially_paid') return null;
  const amount = new Decimal(received);
  return amount.gt('0') ? plain(amount) : null;
}

const labelTold = (before: Payment | null, after: Payment, label: Label & ('late' | 'overpaid')): PaymentWebhook[] =>
  labelsOf(after).includes(label) && !(before !== null && labelsOf(before).includes(label)) ? [`payment.${label}`] : [];

function reviewTold(before: Payment | null, event: PaymentEvent, after: Payment): PaymentWebhook[] {
  const asked = reasonsOf(before);
  const asks = reasonsOf(after);
  if (event.type === 'ReviewOpened') return asks.length > asked.length ? ['payment.review_opened'] : [];
  const ended = event.type === 'ReviewResolved' || event.type === 'ReviewWithdrawn';
  return ended && asked.length > 0 && asks.length === 0 ? ['payment.review_resolved'] : [];
}

function returnTold(before: Payment | null, { type }: PaymentEvent, after: Payment): PaymentWebhook[] {
  const had = moneyOf(before);
  const has = moneyOf(after);
  if (has === null) return [];
  switch (type) {
    case 'RefundConfirmed':
      return confirmed(has) > (had ? confirmed(had) : 0) ? ['payment.refunded'] : [];
    case 'GatewayReported':
      return has.gatewayStatus === 'refunded' && had?.gatewayStatus !== 'refunded' ? ['payment.refunded'] : [];
    case 'CreditGranted':
      return has.credits.length > (had?.credits.length ?? 0) ? ['payment.credited'] : [];
    case 'CreditReleased':
      return isReturned(after) && !isReturned(before) ? ['payment.credited'] : [];
    default:
      return [];
  }
}

const confirmed = ({ refunds }: Money): number => refunds.filter(({ status }) => status === 'confirmed').length;
const isReturned = (payment: Payment | null): boolean => payment?.status === 'paid' && payment.creditReturned;

/** One thing to tell. */
export interface Announcement {
  type: PaymentWebhook;
  /** Counts those of its type about this payment, from 1: the same whenever the stream is read. */
  number: number;
  eventId: string;
  correlationId: string;
  at: Instant;
  /** As it was after the event, and after those that were recorded together with it: what it tells of is whole then. */
  payment: Payment;
  /** The version of the last of these. */
  version: number;
}

/** Everything that a payment's stream (oldest event first) tells, those of `events` only. */
export function announcementsIn(stream: readonly RecordedEvent[], events: ReadonlySet<string>): Announcement[] {
  const numbers = new Map<PaymentWebhook, number>();
  const told: Announcement[] = [];
  let payment: Payment | null = null;
  let together: Announcement[] = [];
  stream.forEach((recorded, index) => {
    const event = readPaymentEvent(recorded);
    const before = payment;
    const after = evolve(before, event);
    payment = after;
    if (after === null) return;
    for (const type of mayAnnounce(recorded) ? announcementsOf(before, event, after) : []) {
      const number = (numbers.get(type) ?? 0) + 1;
      numbers.set(type, number);
      const { id: eventId, correlationId, recordedAt: at, version } = recorded;
      if (events.has(eventId)) together.push({ type, number, eventId, correlationId, at, payment: after, version });
    }
    if (isTogether(recorded, stream[index + 1])) return;
    told.push(...together.map((each) => ({ ...each, payment: after, version: recorded.version })));
    together = [];
  });
  return told;
}

/** Whether the next event was recorded by the same append. */
const isTogether = (event: RecordedEvent, next: RecordedEvent | undefined): boolean =>
  next !== undefined && next.causationId === event.causationId && next.recordedAt === event.recordedAt;

import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import type { GatewayStatus } from './payment-gateway.js';
import type { Contradiction, Facts, PinnedPolicy, ReviewReason, Transfer } from './policy.js';

/** What was agreed when the payment was asked for. It never changes. */
export interface Terms {
  id: string;
  applicationId: string;
  orderId: string;
  amount: string;
  currency: string;
  customerId: string | null;
  description: string | null;
  email: string | null;
  returnUrl: string | null;
  lifetimeMinutes: number;
  policy: PinnedPolicy;
  metadata: Record<string, string>;
  /** Unguessable; it opens the payer's status page and nothing else. */
  statusToken: string;
  sandbox: boolean;
  requestedAt: Instant;
}

export type Witness = 'callback' | 'poll';

/** The facts of a payment's life, in the past tense. Their data is JSON; amounts are decimal strings. */
export type PaymentEvent =
  | { type: 'PaymentRequested'; data: Terms }
  /** The gateway could not be asked, or its answer was lost; the payment opens by itself later. */
  | { type: 'InvoiceDelayed'; data: { outcome: 'unavailable' | 'unknown'; detail: string; at: Instant } }
  /** A further try to open the invoice begins; whoever appended this may ask the gateway, nobody else. */
  | { type: 'InvoiceRetried'; data: { attempt: number; at: Instant } }
  | { type: 'InvoiceOpened'; data: Invoice & { adopted: boolean; at: Instant } }
  | { type: 'InvoiceRefused'; data: { field: string | null; detail: string; at: Instant } }
  | { type: 'GatewayReported'; data: { status: GatewayStatus; valueUsd: string | null; witness: Witness; at: Instant } }
  | { type: 'TransferDetected'; data: { transfer: Transfer; at: Instant } }
  | { type: 'TransferUpdated'; data: { transfer: Transfer; at: Instant } }
  /** What the transfers are worth in the payment's currency, and how far that is from what is due. */
  | { type: 'AmountAssessed'; data: { received: string | null; delta: string | null; at: Instant } }
  | { type: 'ContradictionFound'; data: Contradiction & { witness: Witness; at: Instant } }
  | { type: 'PaymentPaid'; data: { clause: string; late: boolean; witness: Witness; at: Instant } }
  /** The gateway's own answer confirmed what a callback claimed; only now may fulfilment start. */
  | { type: 'PaymentCorroborated'; data: { at: Instant } }
  | { type: 'PaymentExpired'; data: { clause: string; at: Instant } }
  | { type: 'PaymentCancelled'; data: { at: Instant } }
  | { type: 'ReviewOpened'; data: { reasons: ReviewReason[]; at: Instant } }
  /** Reasons for a review that later money or the gateway's word have settled. */
  | { type: 'ReviewWithdrawn'; data: { reasons: ReviewReason[]; at: Instant } };

export interface Invoice {
  trackId: string;
  /** Where the payer pays; null where the invoice was adopted and its address is not known. */
  paymentUrl: string | null;
  expiresAt: Instant;
}

export interface Review {
  reasons: ReviewReason[];
  openedAt: Instant;
}

export interface Money {
  gatewayStatus: GatewayStatus | null;
  manuallyAccepted: boolean;
  valueUsd: string | null;
  transfers: Transfer[];
  contradictions: Contradiction[];
  received: string | null;
  delta: string | null;
  review: Review | null;
}

export interface Created {
  status: 'created';
  terms: Terms;
  opening: { attempt: number; outcome: 'unavailable' | 'unknown' | null; detail: string | null; since: Instant };
}

interface Opened {
  terms: Terms;
  invoice: Invoice;
  money: Money;
}

export interface Pending extends Opened {
  status: 'pending';
}
export interface Paid extends Opened {
  status: 'paid';
  paidAt: Instant;
  late: boolean;
  clause: string;
  corroboratedAt: Instant | null;
}
export interface Expired extends Opened {
  status: 'expired';
  expiredAt: Instant;
  clause: string;
}
export interface Cancelled {
  status: 'failed';
  reason: 'cancelled';
  failedAt: Instant;
  terms: Terms;
  invoice: Invoice | null;
  money: Money;
}
export interface Refused {
  status: 'failed';
  reason: 'refused';
  detail: string;
  failedAt: Instant;
  terms: Terms;
}

export type Payment = Created | Pending | Paid | Expired | Cancelled | Refused;
/** A payment that a gateway's report can be about. */
export type Reportable = Pending | Paid | Expired | (Cancelled & { invoice: Invoice });

const noMoney: Money = {
  gatewayStatus: null,
  manuallyAccepted: false,
  valueUsd: null,
  transfers: [],
  contradictions: [],
  received: '0',
  delta: null,
  review: null,
};

/** Applies one event. Total: an event that does not fit the state leaves it as it is. */
export function evolve(payment: Payment | null, event: PaymentEvent): Payment | null {
  if (event.type === 'PaymentRequested') return payment ?? created(event.data);
  if (payment === null) return null;
  if (payment.status === 'created') return evolveCreated(payment, event);
  return isReportable(payment) ? evolveOpened(payment, event) : payment;
}

const created = (terms: Terms): Created => ({
  status: 'created',
  terms,
  opening: { attempt: 1, outcome: null, detail: null, since: terms.requestedAt },
});

function evolveCreated(payment: Created, event: PaymentEvent): Payment {
  const { terms, opening } = payment;
  switch (event.type) {
    case 'InvoiceDelayed':
      return { ...payment, opening: { ...opening, outcome: event.data.outcome, detail: event.data.detail } };
    case 'InvoiceRetried':
      return {
        ...payment,
        opening: { attempt: event.data.attempt, outcome: null, detail: null, since: event.data.at },
      };
    case 'InvoiceOpened': {
      const { trackId, paymentUrl, expiresAt } = event.data;
      return { status: 'pending', terms, invoice: { trackId, paymentUrl, expiresAt }, money: noMoney };
    }
    case 'InvoiceRefused':
      return { status: 'failed', reason: 'refused', detail: event.data.detail, failedAt: event.data.at, terms };
    case 'PaymentCancelled':
      return { status: 'failed', reason: 'cancelled', failedAt: event.data.at, terms, invoice: null, money: noMoney };
    default:
      return payment;
  }
}

function evolveOpened(payment: Reportable, event: PaymentEvent): Payment {
  const { terms, invoice, money } = payment;
  const opened = { terms, invoice, money };
  switch (event.type) {
    case 'PaymentPaid':
      return {
        status: 'paid',
        ...opened,
        paidAt: event.data.at,
        late: event.data.late,
        clause: event.data.clause,
        corroboratedAt: null,
      };
    case 'PaymentCorroborated':
      return payment.status === 'paid' ? { ...payment, corroboratedAt: event.data.at } : payment;
    case 'PaymentExpired':
      return { status: 'expired', ...opened, expiredAt: event.data.at, clause: event.data.clause };
    case 'PaymentCancelled':
      return { status: 'failed', reason: 'cancelled', failedAt: event.data.at, ...opened };
    default:
      return { ...payment, money: evolveMoney(money, event) };
  }
}

function evolveMoney(money: Money, event: PaymentEvent): Money {
  switch (event.type) {
    case 'GatewayReported':
      return {
        ...money,
        gatewayStatus: event.data.status,
        manuallyAccepted: money.manuallyAccepted || event.data.status === 'manual_accept',
        valueUsd: money.valueUsd ?? event.data.valueUsd,
      };
    case 'TransferDetected':
      return { ...money, transfers: [...money.transfers, event.data.transfer] };
    case 'TransferUpdated': {
      const { transfer } = event.data;
      return { ...money, transfers: money.transfers.map((known) => (known.key === transfer.key ? transfer : known)) };
    }
    case 'AmountAssessed':
      return { ...money, received: event.data.received, delta: event.data.delta };
    case 'ContradictionFound': {
      const { kind, expected, reported } = event.data;
      return { ...money, contradictions: [...money.contradictions, { kind, expected, reported }] };
    }
    case 'ReviewOpened': {
      const reasons = [...new Set([...(money.review?.reasons ?? []), ...event.data.reasons])];
      return { ...money, review: { reasons, openedAt: money.review?.openedAt ?? event.data.at } };
    }
    case 'ReviewWithdrawn': {
      const reasons = money.review?.reasons.filter((reason) => !event.data.reasons.includes(reason)) ?? [];
      return { ...money, review: money.review && reasons.length > 0 ? { ...money.review, reasons } : null };
    }
    default:
      return money;
  }
}

/** Folds a stream, oldest event first; null where it holds no payment. */
export const fold = (events: readonly RecordedEvent[]): Payment | null =>
  events.reduce<Payment | null>((payment, event) => evolve(payment, readPaymentEvent(event)), null);

/** Folds a stream that must hold a payment. */
export function foldPayment(events: readonly RecordedEvent[]): Payment {
  const payment = fold(events);
  if (!payment) throw new Error(`stream ${events[0]?.streamId ?? '(empty)'} does not begin with PaymentRequested`);
  return payment;
}

const paymentEventTypes: ReadonlySet<string> = new Set<PaymentEvent['type']>([
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
  'PaymentExpired',
  'PaymentCancelled',
  'ReviewOpened',
  'ReviewWithdrawn',
]);

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

export const isReportable = (payment: Payment): payment is Reportable =>
  payment.status !== 'created' && 'invoice' in payment && payment.invoice !== null;

/** What a verdict may look at. */
export function factsOf(payment: Reportable): Facts {
  const { terms, invoice, money } = payment;
  return {
    amount: terms.amount,
    currency: terms.currency,
    policy: terms.policy,
    deadline: invoice.expiresAt,
    gatewayStatus: money.gatewayStatus,
    valueUsd: money.valueUsd,
    transfers: money.transfers,
    contradictions: money.contradictions,
    closed: payment.status === 'expired' ? 'expired' : payment.status === 'failed' ? 'cancelled' : null,
  };
}

import type { Instant } from '../kernel/clock.js';
import { Decimal, plain, sum } from './decimal.js';
import type { Deposit } from './deposit.js';
import {
  evolveMoney,
  evolveReviewed,
  isReviewEvent,
  noMoney,
  returnedFromPrice,
  returnedOf,
  type Money,
  type Resolution,
  type ReviewEvent,
} from './money.js';
import type { GatewayStatus } from './payment-gateway.js';
import type { Contradiction, Facts, PinnedPolicy } from './policy.js';
import { isAboutPrice, type ReviewReason } from './review-reasons.js';
import type { RefundEvent, RefundTarget } from './refund.js';
import { counted, type Transfer } from './worth.js';

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
  /** Whether what the customer has to their credit is to pay as much of it as it can. */
  useCredit?: boolean;
  /** Where money goes that the policy sends back. */
  refundTo?: RefundTarget | null;
  /** The payment whose missing part this one collects. */
  remainderOf?: string | null;
  /** The coin and network that the payer pays with, where a page of ours or of the shop shows the address; null where the gateway's page asks for them. */
  embedded?: { currency: string; network: string | null } | null;
  /** The transfer to a deposit address that made it; null where an application asked for it. */
  deposit?: Deposit | null;
  /** Unguessable; it opens the payer's status page and nothing else. */
  statusToken: string;
  sandbox: boolean;
  requestedAt: Instant;
}

/** Who says so: the gateway unasked, the gateway when asked, an operator, or the service's own books. */
export type Witness = 'callback' | 'poll' | 'operator' | 'service';

/** What a person decides about a review. */
export type ReviewDecision = 'accept' | 'reject' | 'credit' | 'refund';

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
  | { type: 'AmountAssessed'; data: { received: string | null; delta: string | null; estimated: boolean; at: Instant } }
  /** What one unit of each currency was worth in US dollars when the gateway was asked, for transfers without a worth of their own. */
  | { type: 'PricesRecorded'; data: { usd: Record<string, string>; at: Instant } }
  | { type: 'ContradictionFound'; data: Contradiction & { witness: Witness; at: Instant } }
  | { type: 'PaymentPaid'; data: { clause: string; late: boolean; witness: Witness; at: Instant } }
  /** The gateway's own answer, or a person, confirmed what a callback claimed: fulfilment may start. `transfers`: keys that the answer calls confirmed. */
  | { type: 'PaymentCorroborated'; data: { transfers: string[]; at: Instant } }
  /**
   * The gateway's API gave no answer (`silent`), or one that does not bear the callback out yet (`unconfirmed`), when it
   * was asked to confirm that it is paid: fulfilment waits. `goAheadAt`: from when the callback alone will do, where the
   * settings allow that.
   */
  | {
      type: 'CorroborationDelayed';
      data: { reason: 'silent' | 'unconfirmed'; detail: string; goAheadAt: Instant | null; at: Instant };
    }
  /** The gateway's API was silent for so long that the settings let fulfilment go ahead upon the callback alone. */
  | { type: 'CorroborationWaived'; data: { silentSince: Instant; at: Instant } }
  | { type: 'PaymentExpired'; data: { clause: string; at: Instant } }
  | { type: 'PaymentCancelled'; data: { at: Instant } }
  /** A person decided that it will not be completed. */
  | { type: 'PaymentRejected'; data: { at: Instant } }
  | { type: 'ReviewOpened'; data: { reasons: ReviewReason[]; at: Instant } }
  /** Reasons for a review that later money or the gateway's word have settled. */
  | { type: 'ReviewWithdrawn'; data: { reasons: ReviewReason[]; at: Instant } }
  | { type: 'ReviewResolved'; data: Resolution & { reasons: ReviewReason[]; at: Instant } }
  /** Money beyond the price stays with the merchant. */
  | { type: 'ExcessKept'; data: { amount: string; clause: string; at: Instant } }
  /** The customer is to have this to their credit; `number` counts the credits of a payment. */
  | {
      type: 'CreditGranted';
      data: { number: number; amount: string; currency: string; customerId: string; clause: string; at: Instant };
    }
  /** Credit of the customer pays this part of the price. */
  | { type: 'CreditApplied'; data: { amount: string; at: Instant } }
  /** The payment ended without success: the credit that was to pay a part of it goes back, `amount` at most. */
  | { type: 'CreditReleased'; data: { amount: string; at: Instant } }
  /** Another payment, `paymentId`, was opened for the missing part; its payer has until `until`. */
  | { type: 'RemainderRequested'; data: { paymentId: string; amount: string; until: Instant; at: Instant } }
  /** In the stream of a payment that collects the missing part of another: that one is to know how it ended. */
  | { type: 'RemainderConcluded'; data: { of: string; outcome: 'paid' | 'ended'; amount: string; at: Instant } }
  | { type: 'RemainderSettled'; data: { paymentId: string; outcome: 'paid' | 'ended'; amount: string; at: Instant } }
  | RefundEvent;

export interface Invoice {
  trackId: string;
  /** The gateway's page where the payer pays; null where there is none, or where its address is not known. */
  paymentUrl: string | null;
  expiresAt: Instant;
  /** What the payer sends where, where we show it instead of the gateway. */
  payTo?: PayTo | null;
}

/** How to pay without the gateway's page. */
export interface PayTo {
  address: string;
  /** The tag or memo without which the money is lost; null where the network has none. */
  memo: string | null;
  /** As the gateway names it. */
  network: string;
  currency: string;
  /** Coin units. */
  amount: string;
}

export interface Created {
  status: 'created';
  terms: Terms;
  /** How much of the price the customer's credit pays; null while nobody has looked. */
  credit: string | null;
  opening: { attempt: number; outcome: 'unavailable' | 'unknown' | null; detail: string | null; since: Instant };
}

interface Opened {
  terms: Terms;
  /** How much of the price the customer's credit pays. */
  credit: string;
  invoice: Invoice;
  /** What the gateway's invoice asks for. */
  invoiced: string;
  money: Money;
}

export interface Delay {
  reason: 'silent' | 'unconfirmed';
  since: Instant;
  goAheadAt: Instant | null;
}

export interface Pending extends Opened {
  status: 'pending';
}
export interface Paid extends Omit<Opened, 'invoice'> {
  status: 'paid';
  /** Null where credit paid all of it. */
  invoice: Invoice | null;
  paidAt: Instant;
  late: boolean;
  clause: string;
  corroboratedAt: Instant | null;
  /** Why the gateway's own answer does not confirm it yet; null where it does, or was not asked in vain. */
  delay: Delay | null;
  /** When fulfilment was let go ahead without the gateway's own answer; null where it was not. */
  waivedAt: Instant | null;
  /** A person decided against it after it was paid: its goods are not to be delivered. */
  denied: boolean;
  /** The credit that paid a part of it was given back since. */
  creditReturned: boolean;
  /** What was there when it became paid, in its currency; null where nobody could say. */
  paidWith: string | null;
}
export interface Expired extends Opened {
  status: 'expired';
  expiredAt: Instant;
  clause: string;
}
export interface Cancelled extends Omit<Opened, 'invoice'> {
  status: 'failed';
  /** By the application, or by a person's decision in a review. */
  reason: 'cancelled' | 'rejected';
  failedAt: Instant;
  invoice: Invoice | null;
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
export type Reportable = (Pending | Paid | Expired | Cancelled) & { invoice: Invoice };

/** Applies one event. Total: an event that does not fit the state leaves it as it is. */
export function evolve(payment: Payment | null, event: PaymentEvent): Payment | null {
  if (event.type === 'PaymentRequested') return payment ?? created(event.data);
  if (payment === null) return null;
  if (event.type === 'CreditReleased') return withoutCredit(payment);
  if (payment.status === 'created') return evolveCreated(payment, event);
  if (event.type === 'InvoiceOpened' && isWithoutInvoice(payment))
    return { ...payment, invoice: invoiceOf(event.data) };
  if (isPaidByCredit(payment)) return evolvePaidByCredit(payment, event);
  return isReportable(payment) ? evolveOpened(payment, event) : payment;
}

function withoutCredit(payment: Payment): Payment {
  if (payment.status === 'paid') return { ...payment, creditReturned: true };
  return 'credit' in payment ? { ...payment, credit: '0' } : payment;
}

const created = (terms: Terms): Created => ({
  status: 'created',
  terms,
  credit: terms.useCredit ? null : '0',
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
    case 'CreditApplied':
      return { ...payment, credit: event.data.amount };
    case 'InvoiceOpened':
      return { status: 'pending', ...begun(payment), invoice: invoiceOf(event.data) };
    case 'InvoiceRefused':
      return { status: 'failed', reason: 'refused', detail: event.data.detail, failedAt: event.data.at, terms };
    case 'PaymentCancelled':
      return { status: 'failed', reason: 'cancelled', failedAt: event.data.at, ...begun(payment), invoice: null };
    case 'PaymentPaid':
      return { ...paidBy(event.data), ...begun(payment), invoice: null, corroboratedAt: event.data.at, paidWith: null };
    default:
      return payment;
  }
}

const invoiceOf = ({ trackId, paymentUrl, expiresAt, payTo }: Invoice): Invoice => ({
  trackId,
  paymentUrl,
  expiresAt,
  ...(payTo ? { payTo } : {}),
});

/** Credit paid all of it: there is no invoice, and nothing that a gateway could say about it. */
export const isPaidByCredit = (payment: Payment): payment is Paid & { invoice: null } =>
  payment.status === 'paid' && payment.invoice === null;

/** All that can still happen to it is that a person is asked about its delivery. */
const evolvePaidByCredit = (payment: Paid, event: PaymentEvent): Paid =>
  isReviewEvent(event)
    ? { ...payment, money: evolveReviewed(payment.money, event), denied: payment.denied || isAgainst(event) }
    : payment;

/** Whether a person decided against the goods. */
const isAgainst = (event: ReviewEvent): boolean =>
  event.type === 'ReviewResolved' && event.data.decision !== 'accept' && event.data.reasons.some(isAboutPrice);

/** It was cancelled before anybody knew of an invoice; one may still turn up at the gateway. */
export const isWithoutInvoice = (payment: Payment): payment is Cancelled =>
  payment.status === 'failed' && payment.reason === 'cancelled' && payment.invoice === null;

function begun({ terms, credit }: Created): Omit<Opened, 'invoice'> {
  const paid = credit ?? '0';
  return { terms, credit: paid, invoiced: plain(new Decimal(terms.amount).minus(paid)), money: noMoney };
}

const paidBy = ({ at, late, clause }: { at: Instant; late: boolean; clause: string }) =>
  ({
    status: 'paid',
    paidAt: at,
    late,
    clause,
    delay: null,
    waivedAt: null,
    denied: false,
    creditReturned: false,
  }) as const;

const delayedBy = ({ reason, goAheadAt, at }: Omit<Delay, 'since'> & { at: Instant }): Delay => ({
  reason,
  since: at,
  goAheadAt,
});

const vouchFor = (money: Money, keys: readonly string[]): Money => ({
  ...money,
  transfers: money.transfers.map((transfer) =>
    keys.includes(transfer.key) ? { ...transfer, vouched: true } : transfer,
  ),
});

const openedOf = ({ terms, credit, invoice, invoiced, money }: Reportable): Opened => ({
  terms,
  credit,
  invoice,
  invoiced,
  money,
});

function evolveOpened(payment: Reportable, event: PaymentEvent): Payment {
  const { money } = payment;
  switch (event.type) {
    case 'PaymentPaid': {
      // What a person decided needs no further witness.
      const corroboratedAt = event.data.witness === 'operator' ? event.data.at : null;
      const paidWith = money.received && plain(new Decimal(money.received).minus(returnedOf(money)));
      return { ...paidBy(event.data), ...openedOf(payment), corroboratedAt, paidWith };
    }
    case 'PaymentCorroborated':
      return payment.status === 'paid'
        ? { ...payment, corroboratedAt: event.data.at, money: vouchFor(money, event.data.transfers) }
        : payment;
    case 'CorroborationDelayed':
      return payment.status === 'paid' ? { ...payment, delay: delayedBy(event.data) } : payment;
    case 'CorroborationWaived':
      return payment.status === 'paid' ? { ...payment, waivedAt: event.data.at } : payment;
    case 'PaymentExpired':
      return { status: 'expired', ...openedOf(payment), expiredAt: event.data.at, clause: event.data.clause };
    case 'PaymentCancelled':
    case 'PaymentRejected': {
      const reason = event.type === 'PaymentCancelled' ? 'cancelled' : 'rejected';
      return { status: 'failed', reason, failedAt: event.data.at, ...openedOf(payment) };
    }
    case 'ReviewResolved': {
      const resolved = { ...payment, money: evolveMoney(money, event, payment) };
      return resolved.status === 'paid' ? { ...resolved, denied: resolved.denied || isAgainst(event) } : resolved;
    }
    default:
      return { ...payment, money: evolveMoney(money, event, payment) };
  }
}

export const isReportable = (payment: Payment): payment is Reportable =>
  payment.status !== 'created' && 'invoice' in payment && payment.invoice !== null;

/** Whether an invoice is one of an embedded payment whose answer was lost: nobody has seen its address, and another stands for the payment, or will. */
export const isLeftBehind = (
  payment: Payment,
  { trackId, transfers }: { trackId: string; transfers: readonly unknown[] },
): boolean =>
  Boolean(payment.terms.embedded) &&
  transfers.length === 0 &&
  !(isReportable(payment) && payment.invoice.trackId === trackId);

/** What the transfers have to come to: the price, less what credit and another payment's money cover. */
export function dueOf({ terms, credit, money }: Pick<Opened, 'terms' | 'credit' | 'money'>): string {
  // Nobody asked for an amount: whatever a deposit turns out to be is its price.
  const came = terms.deposit ? money.transfers.filter(counted) : [];
  if (came.length > 0) return plain(sum(came.map(({ sentAmount }) => sentAmount)));
  // Most payments have neither: they are decided upon for every callback.
  if (credit === '0' && money.remainders.length === 0) return terms.amount;
  const covered = sum(money.remainders.filter(({ outcome }) => outcome === 'paid').map(({ amount }) => amount));
  return plain(new Decimal(terms.amount).minus(credit).minus(covered));
}

/** What a verdict may look at. */
export function factsOf(payment: Reportable): Facts {
  const { terms, invoice, invoiced, money } = payment;
  return {
    amount: dueOf(payment),
    invoiced,
    currency: terms.currency,
    policy: terms.policy,
    deadline: invoice.expiresAt,
    gatewayStatus: money.gatewayStatus,
    valueUsd: money.valueUsd,
    transfers: money.transfers,
    contradictions: money.contradictions,
    closed: payment.status === 'expired' ? 'expired' : payment.status === 'failed' ? payment.reason : null,
    returned: money.credits.length + money.refunds.length === 0 ? '0' : plain(returnedFromPrice(money)),
    creditable: terms.customerId !== null,
    refundable: Boolean(terms.refundTo),
    remainder: money.remainders.some(({ outcome }) => outcome === 'open')
      ? 'open'
      : money.remainders.some(({ outcome }) => outcome === 'paid')
        ? 'paid'
        : null,
  };
}

import type { Instant } from '../kernel/clock.js';
import { sum, type Decimal } from './decimal.js';
import type { GatewayStatus } from './payment-gateway.js';
import type { Invoice, PaymentEvent, ReviewDecision, Terms } from './payment.js';
import type { Contradiction } from './policy.js';
import type { ReviewReason } from './review-reasons.js';
import { applyRefund, isRefundEvent, returnedBy, type Refund } from './refund.js';
import { counted, pinPrices, withPrices, type Transfer } from './worth.js';

/*
 * What is known of the money of one payment, and how its events change that.
 */

export interface Resolution {
  decision: ReviewDecision;
  actor: string;
  note: string;
}

export interface Review {
  reasons: ReviewReason[];
  openedAt: Instant;
  /** A person's decision; null while the review is open. */
  resolved: (Resolution & { at: Instant }) | null;
}

/** What persons have decided about so far: only what is not in here is news. */
export interface Decided {
  reasons: ReviewReason[];
  /** Keys of the transfers that were there. */
  transfers: string[];
  contradictions: number;
}

export interface Credit {
  number: number;
  amount: string;
  clause: string;
}

export interface Remainder {
  paymentId: string;
  amount: string;
  until: Instant;
  outcome: 'open' | 'paid' | 'ended';
}

export interface Money {
  gatewayStatus: GatewayStatus | null;
  manuallyAccepted: boolean;
  valueUsd: string | null;
  transfers: Transfer[];
  contradictions: Contradiction[];
  received: string | null;
  delta: string | null;
  /** Whether `received` rests on prices that were looked up. */
  estimated: boolean;
  review: Review | null;
  decided: Decided | null;
  /** Amounts in the payment's currency, each with the clause or decision that gave it this way. */
  kept: { amount: string; clause: string }[];
  credits: Credit[];
  refunds: Refund[];
  remainders: Remainder[];
}

export const noMoney: Money = {
  gatewayStatus: null,
  manuallyAccepted: false,
  valueUsd: null,
  transfers: [],
  contradictions: [],
  received: '0',
  delta: null,
  estimated: false,
  review: null,
  decided: null,
  kept: [],
  credits: [],
  refunds: [],
  remainders: [],
};

/** What the events of a payment are held against. */
type Agreed = { terms: Terms; invoice: Invoice };

const pinned = ({ transfers }: Money, clause: string, { expiresAt }: Invoice): Transfer[] =>
  pinPrices(transfers, clause, expiresAt);

/** Applies one event to what is known of the money. Total: an event that says nothing of it leaves it as it is. */
export function evolveMoney(money: Money, event: PaymentEvent, { terms, invoice }: Agreed): Money {
  if (isRefundEvent(event)) {
    const transfers = event.type === 'RefundRequested' ? pinned(money, event.data.clause, invoice) : money.transfers;
    return { ...money, transfers, refunds: applyRefund(money.refunds, event) };
  }
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
      return {
        ...money,
        received: event.data.received,
        delta: event.data.delta,
        estimated: event.data.estimated,
      };
    case 'PricesRecorded':
      return { ...money, transfers: withPrices(money.transfers, event.data.usd, terms.currency) };
    case 'ContradictionFound': {
      const { kind, expected, reported } = event.data;
      return { ...money, contradictions: [...money.contradictions, { kind, expected, reported }] };
    }
    case 'ReviewOpened':
    case 'ReviewWithdrawn':
    case 'ReviewResolved':
      return evolveReviewed(money, event);
    case 'ExcessKept':
      return { ...money, kept: [...money.kept, { amount: event.data.amount, clause: event.data.clause }] };
    case 'CreditGranted': {
      const { number, amount, clause } = event.data;
      return {
        ...money,
        transfers: pinned(money, clause, invoice),
        credits: [...money.credits, { number, amount, clause }],
      };
    }
    case 'RemainderRequested': {
      const { paymentId, amount, until } = event.data;
      const remainder: Remainder = { paymentId, amount, until, outcome: 'open' };
      return {
        ...money,
        remainders: [...money.remainders.filter((known) => known.paymentId !== paymentId), remainder],
      };
    }
    case 'RemainderSettled':
      return settleRest(money, event.data);
    default:
      return money;
  }
}

function settleRest(
  money: Money,
  { paymentId, amount, outcome, at }: Extract<PaymentEvent, { type: 'RemainderSettled' }>['data'],
): Money {
  const until = money.remainders.find((known) => known.paymentId === paymentId)?.until ?? at;
  const others = money.remainders.filter((known) => known.paymentId !== paymentId);
  // What the other has paid frees as much of what is here: whatever was decided about that was about less.
  const decided = money.decided && outcome === 'paid' ? { ...money.decided, transfers: [] } : money.decided;
  return { ...money, decided, remainders: [...others, { paymentId, amount, until, outcome }] };
}

export type ReviewEvent = Extract<PaymentEvent, { type: 'ReviewOpened' | 'ReviewWithdrawn' | 'ReviewResolved' }>;

export const isReviewEvent = (event: PaymentEvent): event is ReviewEvent =>
  event.type === 'ReviewOpened' || event.type === 'ReviewWithdrawn' || event.type === 'ReviewResolved';

/** What is asked of a person, and what they decided. */
export function evolveReviewed(money: Money, event: ReviewEvent): Money {
  const review = evolveReview(money, event);
  if (event.type !== 'ReviewResolved') return { ...money, review };
  const refunds = money.refunds.map((refund) => (refund.status === 'failed' ? { ...refund, decided: true } : refund));
  return { ...money, refunds, review, decided: decidedBy(money, event.data) };
}

/** Reasons gather in the review that is open; after a decision new ones begin a new review. */
function evolveReview({ review }: Money, event: ReviewEvent): Review | null {
  const open = review?.resolved === null ? review : null;
  switch (event.type) {
    case 'ReviewOpened': {
      const reasons = [...new Set([...(open?.reasons ?? []), ...event.data.reasons])];
      return { reasons, openedAt: open?.openedAt ?? event.data.at, resolved: null };
    }
    case 'ReviewWithdrawn': {
      if (!open) return review;
      const reasons = open.reasons.filter((reason) => !event.data.reasons.includes(reason));
      return reasons.length > 0 ? { ...open, reasons } : null;
    }
    case 'ReviewResolved': {
      const { decision, actor, note, at } = event.data;
      return open ? { ...open, resolved: { decision, actor, note, at } } : review;
    }
  }
}

/** What is kept is confirmed money, and what is given back is vouched for: the rest is news when it comes to that. */
const isSettledBy = (decision: ReviewDecision, { received }: Money, { status, vouched }: Transfer): boolean =>
  decision === 'reject' ||
  // Nothing is kept, either, while nobody knows how much there is.
  (decision === 'accept' ? status === 'confirmed' && received !== null : vouched === true);

const decidedBy = (
  money: Money,
  { decision, reasons }: { decision: ReviewDecision; reasons: readonly ReviewReason[] },
): Decided => ({
  reasons: [...new Set([...(money.decided?.reasons ?? []), ...reasons])],
  transfers: money.transfers
    .filter((transfer) => counted(transfer) && isSettledBy(decision, money, transfer))
    .map(({ key }) => key),
  contradictions: money.contradictions.length,
});

/** Whether money has come that no person has decided about. */
export const hasNewMoney = ({ decided, transfers }: Money): boolean =>
  transfers.some((transfer) => counted(transfer) && !decided?.transfers.includes(transfer.key));

/** Whether the gateway contradicts itself or us in a way that no person has decided about. */
export const isContradicted = ({ decided, contradictions }: Money): boolean =>
  contradictions.length > (decided?.contradictions ?? 0);

/** What of the received money was given back, or is on its way back. */
export const returnedOf = (money: Money): Decimal =>
  sum(money.credits.map(({ amount }) => amount)).plus(returnedBy(money.refunds));

/** The review that waits for a person, if there is one. */
export const openReviewOf = (money: Money): Review | null => (money.review?.resolved === null ? money.review : null);

/** What is given by these clauses takes nothing from a price: late money was not meant for it, and a deposit is to be credited. */
const besidePrice = ({ clause }: { clause: string }): boolean => clause === 'latePayment' || clause === 'deposit';

/** The same without what was never for the price. */
export const returnedFromPrice = (money: Money): Decimal =>
  sum(money.credits.filter((credit) => !besidePrice(credit)).map(({ amount }) => amount)).plus(
    returnedBy(money.refunds.filter((refund) => !besidePrice(refund))),
  );

import type { Instant } from '../kernel/clock.js';
import { sum, type Decimal } from './decimal.js';
import type { GatewayStatus } from './payment-gateway.js';
import type { PaymentEvent, ReviewDecision, Terms } from './payment.js';
import type { Contradiction, ReviewReason } from './policy.js';
import { applyRefund, isRefundEvent, returnedBy, type Refund } from './refund.js';
import { withPrices, type Transfer } from './worth.js';

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
  /** A person's decision; null while the review is open. `received` and `contradictions` are what it was about. */
  resolved: (Resolution & { at: Instant; received: string | null; contradictions: number }) | null;
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
  kept: [],
  credits: [],
  refunds: [],
  remainders: [],
};

export function evolveMoney(money: Money, event: PaymentEvent, terms: Terms): Money {
  if (isRefundEvent(event)) return { ...money, refunds: applyRefund(money.refunds, event) };
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
      return { ...money, review: evolveReview(money, event) };
    case 'ReviewResolved': {
      const refunds = money.refunds.map((refund) =>
        refund.status === 'failed' ? { ...refund, decided: true } : refund,
      );
      return { ...money, refunds, review: evolveReview(money, event) };
    }
    case 'ExcessKept':
      return { ...money, kept: [...money.kept, { amount: event.data.amount, clause: event.data.clause }] };
    case 'CreditGranted': {
      const { number, amount, clause } = event.data;
      return { ...money, credits: [...money.credits, { number, amount, clause }] };
    }
    case 'RemainderRequested': {
      const { paymentId, amount, until } = event.data;
      const remainder: Remainder = { paymentId, amount, until, outcome: 'open' };
      return {
        ...money,
        remainders: [...money.remainders.filter((known) => known.paymentId !== paymentId), remainder],
      };
    }
    case 'RemainderSettled': {
      const { paymentId, amount, outcome, at } = event.data;
      const until = money.remainders.find((known) => known.paymentId === paymentId)?.until ?? at;
      const others = money.remainders.filter((known) => known.paymentId !== paymentId);
      return { ...money, remainders: [...others, { paymentId, amount, until, outcome }] };
    }
    default:
      return money;
  }
}

type ReviewEvent = Extract<PaymentEvent, { type: 'ReviewOpened' | 'ReviewWithdrawn' | 'ReviewResolved' }>;

/** Reasons gather in the review that is open; after a decision new ones begin a new review. */
function evolveReview({ review, received, contradictions }: Money, event: ReviewEvent): Review | null {
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
      const about = { received, contradictions: contradictions.length };
      return open ? { ...open, resolved: { decision, actor, note, at, ...about } } : review;
    }
  }
}

/** What of the received money was given back, or is on its way back. */
export const returnedOf = (money: Money): Decimal =>
  sum(money.credits.map(({ amount }) => amount)).plus(returnedBy(money.refunds));

/** The review that waits for a person, if there is one. */
export const openReviewOf = (money: Money): Review | null => (money.review?.resolved === null ? money.review : null);

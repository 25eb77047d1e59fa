import type { Instant } from '../kernel/clock.js';
import { sum, type Decimal } from './decimal.js';

/*
 * Refunds of one payment: money that goes back through the gateway's payouts. The gateway has no idempotency for them
 * and keeps no reference of ours but a description, so each step is a fact, and whoever appended the one that begins an
 * attempt may send, nobody else.
 */

/** Where money is sent back to; what the payer or the application gave. */
export interface RefundTarget {
  address: string;
  network: string;
  /** The coin; null stands for the one that the payer sent. */
  currency: string | null;
  memo: string | null;
}

/** What is sent: coin units to an address. */
export interface Payout {
  amount: string;
  currency: string;
  network: string;
  address: string;
  memo: string | null;
}

export interface RefundRequest {
  /** Counts the refunds of a payment, from 1. */
  number: number;
  /** What it is worth, in the payment's currency. */
  amount: string;
  payout: Payout;
  reason: string;
  /** The clause of the policy that asked for it, `review` or `request`. */
  clause: string;
}

export type RefundEvent =
  | { type: 'RefundRequested'; data: RefundRequest & { at: Instant } }
  /** An attempt to send begins. */
  | { type: 'RefundAttempted'; data: { number: number; attempt: number; at: Instant } }
  /** `unavailable`: nothing was sent, it is tried again. `unknown`: it may have been sent. */
  | { type: 'RefundDelayed'; data: { number: number; outcome: 'unavailable' | 'unknown'; detail: string; at: Instant } }
  /** The gateway took it; `adopted` where it was found by our reference after its answer was lost. */
  | { type: 'RefundSubmitted'; data: { number: number; trackId: string; adopted: boolean; at: Instant } }
  | { type: 'RefundConfirmed'; data: { number: number; txHash: string | null; at: Instant } }
  /** `decided`: a person found that it was not sent, and has said what becomes of the money. */
  | { type: 'RefundFailed'; data: { number: number; detail: string; decided?: boolean; at: Instant } };

export type RefundStatus = 'requested' | 'sending' | 'unknown' | 'submitted' | 'confirmed' | 'failed';

export interface Refund extends RefundRequest {
  status: RefundStatus;
  requestedAt: Instant;
  attempt: number;
  attemptedAt: Instant | null;
  trackId: string | null;
  txHash: string | null;
  detail: string | null;
  /** Whether a person has decided what becomes of the money after it failed. */
  decided: boolean;
}

const refundEventTypes: ReadonlySet<string> = new Set<RefundEvent['type']>([
  'RefundRequested',
  'RefundAttempted',
  'RefundDelayed',
  'RefundSubmitted',
  'RefundConfirmed',
  'RefundFailed',
]);

export const isRefundEvent = (event: { type: string }): event is RefundEvent => refundEventTypes.has(event.type);

/**
 * How long the gateway's payout history may lag behind its answers, seconds: until then a payout that it does not list
 * may still turn up there.
 */
export const historyLagSeconds = 600;

/** How long the gateway is asked for its final word on a payout that it took. */
export const lastAskSeconds = 30 * 24 * 3600;

/** Our reference in the payout's description, by which a lost answer is found again. */
export const refundReference = (paymentId: string, number: number): string =>
  `finality refund ${paymentId} ${String(number)}`;

const reference = /^finality refund ([0-9a-f-]{36}) ([1-9]\d{0,5})$/;

/** Which refund a payout's description names; null where it is not our reference. */
export function readReference(description: string): { paymentId: string; number: number } | null {
  const [, paymentId, number] = reference.exec(description) ?? [];
  return paymentId === undefined || number === undefined ? null : { paymentId, number: parseInt(number, 10) };
}

export function applyRefund(refunds: Refund[], event: RefundEvent): Refund[] {
  if (event.type === 'RefundRequested') {
    const { at, ...request } = event.data;
    const added: Refund = {
      ...request,
      status: 'requested',
      requestedAt: at,
      attempt: 0,
      attemptedAt: null,
      trackId: null,
      txHash: null,
      detail: null,
      decided: false,
    };
    // What is asked for anew settles what became of those that failed.
    return [...refunds.map((refund) => (refund.status === 'failed' ? { ...refund, decided: true } : refund)), added];
  }
  return refunds.map((refund) => (refund.number === event.data.number ? progressed(refund, event) : refund));
}

function progressed(refund: Refund, event: Exclude<RefundEvent, { type: 'RefundRequested' }>): Refund {
  switch (event.type) {
    case 'RefundAttempted':
      return { ...refund, status: 'sending', attempt: event.data.attempt, attemptedAt: event.data.at };
    case 'RefundDelayed': {
      const { outcome, detail } = event.data;
      return { ...refund, status: outcome === 'unknown' ? 'unknown' : 'requested', detail };
    }
    case 'RefundSubmitted':
      return { ...refund, status: 'submitted', trackId: event.data.trackId, detail: null };
    case 'RefundConfirmed':
      return { ...refund, status: 'confirmed', txHash: event.data.txHash };
    case 'RefundFailed':
      return { ...refund, status: 'failed', detail: event.data.detail, decided: event.data.decided ?? false };
  }
}

/** What refunds have given back or may yet, in the payment's currency: a failed one gave nothing. */
export const returnedBy = (refunds: readonly Refund[]): Decimal =>
  sum(refunds.filter(({ status }) => status !== 'failed').map(({ amount }) => amount));

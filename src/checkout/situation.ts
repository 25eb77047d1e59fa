import type { Instant } from '../kernel/clock.js';
import { isReportable, type Payment } from '../payments/payment.js';
import { lateUntil, progressOf, secondsLeft } from '../payments/standing.js';
import { verdictOf } from '../payments/verdict.js';

/*
 * What a payer has to know, which is more than the progress: whether there is still time, whether "paid" has been checked,
 * whether the money went back.
 */

export type Situation =
  | 'opening'
  | 'awaiting'
  /** Another payment collects the missing part. */
  | 'elsewhere'
  | 'partial'
  /** Not ended yet, but nothing should be paid any more. */
  | 'overdue'
  | 'detected'
  | 'confirming'
  /** Paid by a callback's word, which the gateway's own answer has not confirmed yet. */
  | 'checking'
  | 'settled'
  | 'refunding'
  | 'refunded'
  | 'in_review'
  | 'closed'
  | 'rejected';

export function situationOf(payment: Payment, now: Instant): Situation {
  const progress = progressOf(payment);
  switch (progress) {
    case 'settled':
      return ofPaid(payment);
    case 'closed':
      return payment.status === 'failed' && payment.reason === 'rejected' ? 'rejected' : 'closed';
    case 'opening':
    case 'in_review':
      return progress;
    default:
      if (isCollectedElsewhere(payment)) return 'elsewhere';
      if (progress === 'detected' || progress === 'confirming') return progress;
      if (!isReportable(payment) || secondsLeft(payment.invoice, now) <= 0) return 'overdue';
      return progress === 'partially_paid' ? 'partial' : 'awaiting';
  }
}

function ofPaid(payment: Payment): Situation {
  const { blockedBy } = verdictOf(payment);
  if (blockedBy === 'rejected') return 'rejected';
  if (blockedBy === 'not_corroborated') return 'checking';
  if (blockedBy !== 'refunded') return 'settled';
  return isOnItsWayBack(payment) ? 'refunding' : 'refunded';
}

const isOnItsWayBack = (payment: Payment): boolean =>
  'money' in payment &&
  (payment.money.gatewayStatus === 'refunding' ||
    payment.money.refunds.some(({ status }) => status !== 'confirmed' && status !== 'failed'));

/** Whoever paid both this one and the other would pay too much. */
const isCollectedElsewhere = (payment: Payment): boolean =>
  payment.status === 'pending' && payment.money.remainders.some(({ outcome }) => outcome === 'open');

/** Whether the payer is asked for money now. */
export const isAsking = (situation: Situation): boolean => situation === 'awaiting' || situation === 'partial';

/** Whether anything may still change by itself: an expired payment is judged anew while its window for late money is open. */
export function isLive(payment: Payment, situation: Situation, now: Instant): boolean {
  if (situation === 'settled' || situation === 'refunded' || situation === 'rejected') return false;
  return situation !== 'closed' || (payment.status === 'expired' && now <= lateUntil(payment));
}

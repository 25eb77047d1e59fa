import type { Instant } from '../kernel/clock.js';
import { hasNewMoney, isContradicted, openReviewOf } from './money.js';
import type { Paid, PaymentEvent, Reportable } from './payment.js';
import type { ReviewReason } from './review-reasons.js';

/*
 * When a person is asked about a payment, and when not any more. What they decide is in review.ts.
 */

/** These say that the gateway contradicts itself or us: a decision about them stands for good. */
const contradicting: ReadonlySet<ReviewReason> = new Set([
  'amount_mismatch',
  'currency_mismatch',
  'gateway_conflict',
  'refunded_unpaid',
  'gateway_failed',
  'returned_already',
]);
/** These come from one event each, and are not concluded again from what is known. */
const single: ReadonlySet<ReviewReason> = new Set([
  'refund_failed',
  'refund_unknown',
  'refund_conflict',
  'remainder_paid_alone',
  'remainder_returned',
  'no_final_word',
  'fulfillment_rejected',
  'fulfillment_unanswered',
  'fulfilled_after_stop',
]);

/** One that credit paid in full has no invoice, and may still need a person. */
type Reviewable = Pick<Reportable | Paid, 'status' | 'money'>;

/** Asks for a person, unless they are asked already or have decided about the same money or the same contradiction. */
export function openReview(
  payment: Reviewable,
  reasons: readonly ReviewReason[],
  claim: { now: Instant },
): PaymentEvent[] {
  const open = openReviewOf(payment.money)?.reasons ?? [];
  const added = [...new Set(reasons)].filter((reason) => !open.includes(reason) && !isDecided(payment, reason));
  return added.length > 0 ? [{ type: 'ReviewOpened', data: { reasons: added, at: claim.now } }] : [];
}

function isDecided({ status, money }: Reviewable, reason: ReviewReason): boolean {
  const { decided } = money;
  if (decided === null || single.has(reason)) return false;
  if (!contradicting.has(reason)) return !hasNewMoney(money);
  // One contradiction goes by several names, before and after it was accepted; only a further one is news.
  const named =
    decided.reasons.includes(reason) ||
    (money.contradictions.length > 0 && decided.reasons.some((each) => contradicting.has(each)));
  return named && !isContradicted(money) && (status === 'paid' || !hasNewMoney(money));
}

/** Takes back these of the reasons for which a person is asked. */
export function withdraw(payment: Reviewable, reasons: readonly ReviewReason[], now: Instant): PaymentEvent[] {
  const asked = (openReviewOf(payment.money)?.reasons ?? []).filter((reason) => reasons.includes(reason));
  return asked.length > 0 ? [{ type: 'ReviewWithdrawn', data: { reasons: asked, at: now } }] : [];
}

/** Takes back what a person was asked about money, where the verdict no longer asks it. */
export const withdrawReview = (
  payment: Reportable,
  stillAsked: readonly ReviewReason[],
  { now }: { now: Instant },
): PaymentEvent[] =>
  withdraw(
    payment,
    settleable.filter((reason) => !stillAsked.includes(reason)),
    now,
  );

/** Takes back what a person was asked about money beyond the price, where it has failed since. */
export const withdrawExcess = (
  payment: Reportable,
  stillAsked: readonly ReviewReason[],
  { now }: { now: Instant },
): PaymentEvent[] =>
  payment.status === 'paid'
    ? withdraw(
        payment,
        aboutExcess.filter((reason) => !stillAsked.includes(reason)),
        now,
      )
    : [];

const aboutExcess: readonly ReviewReason[] = ['overpaid', 'no_customer', 'no_refund_address'];

/** Money that comes, or its worth that becomes known, can settle these; not what contradicts itself. */
const settleable: readonly ReviewReason[] = [
  'underpaid',
  'paid_short',
  'late_payment',
  'late_outside_window',
  'money_after_cancel',
  'expired_with_money',
  'worth_unknown',
  'no_customer',
  'no_refund_address',
  'no_final_word',
  'gateway_failed',
];

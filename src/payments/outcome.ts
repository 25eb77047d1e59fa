import { allocationOf, type Allocation } from './allocation.js';
import { openReviewOf } from './money.js';
import type { Payment } from './payment.js';
import type { ReviewReason } from './review-reasons.js';
import { isFulfillable, labelsOf, type Label } from './standing.js';

/** How a payment has ended, or stands: what two ways of deciding it are compared by. */
export interface Outcome {
  status: Payment['status'];
  fulfillable: boolean;
  labels: Label[];
  /** What a person is asked; empty where nobody is. */
  review: ReviewReason[];
  /** In the payment's currency; null where its worth is not known. */
  received: string | null;
  /** Where the received money went; null where its worth is not known. */
  allocation: Allocation | null;
}

export const outcomeOf = (payment: Payment): Outcome => ({
  status: payment.status,
  fulfillable: isFulfillable(payment),
  labels: labelsOf(payment),
  review: 'money' in payment ? [...(openReviewOf(payment.money)?.reasons ?? [])].sort() : [],
  received: 'money' in payment ? payment.money.received : '0',
  allocation: allocationOf(payment),
});

/** The names of what differs, in the order of `Outcome`; empty where nothing does. */
export function differences(a: Outcome, b: Outcome): (keyof Outcome)[] {
  const names = ['status', 'fulfillable', 'labels', 'review', 'received', 'allocation'] as const;
  return names.filter((name) => JSON.stringify(a[name]) !== JSON.stringify(b[name]));
}

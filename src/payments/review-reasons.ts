/** Why a person may be asked about a payment: a closed list, so that clients may branch on it (docs/outcomes.md). */
export const reviewReasons = [
  'amount_mismatch',
  'currency_mismatch',
  'gateway_conflict',
  'paid_short',
  'underpaid',
  'overpaid',
  'late_payment',
  'late_outside_window',
  'expired_with_money',
  'worth_unknown',
  'money_after_cancel',
  'order_taken',
  'refunded_unpaid',
  'gateway_failed',
  'no_final_word',
  'no_customer',
  'no_refund_address',
  'returned_already',
  'refund_failed',
  'refund_unknown',
  'refund_conflict',
  'refund_coin_unknown',
  'remainder_paid_alone',
  'remainder_returned',
  'fulfillment_rejected',
  'fulfillment_unanswered',
  'fulfilled_after_stop',
] as const;
/** Why a person has to look at a payment. */
export type ReviewReason = (typeof reviewReasons)[number];

/** These are about money beyond the price or on its way back. */
const besideThePrice: ReadonlySet<ReviewReason> = new Set([
  'overpaid',
  'no_customer',
  'no_refund_address',
  'refund_failed',
  'refund_unknown',
  'refund_conflict',
  'refund_coin_unknown',
]);

/** Whether a decision about it is one about the price and the goods, and not about money beside them alone. */
export const isAboutPrice = (reason: ReviewReason): boolean => !besideThePrice.has(reason);

/** These come when the goods were asked for already: there is nothing left to hold up. */
const aboutDelivery: ReadonlySet<ReviewReason> = new Set(['fulfillment_unanswered', 'fulfilled_after_stop']);

/** Too much money never holds up the goods; missing, late or contradicted money does (contract, policy section). */
export const holdsFulfillment = (reason: ReviewReason): boolean => isAboutPrice(reason) && !aboutDelivery.has(reason);

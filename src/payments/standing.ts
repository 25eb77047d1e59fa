import { msOf, type Instant } from '../kernel/clock.js';
import { Decimal, least, plain, sum } from './decimal.js';
import { dueOf, factsOf, isReportable, type Invoice, type Paid, type Payment, type Reportable } from './payment.js';
import { openReviewOf, returnedOf } from './money.js';
import { assess, bounds, isLate, sufficiency, windowEnd, type Assessment } from './policy.js';
import { holdsFulfillment } from './review-reasons.js';

/*
 * Where a payment stands, for readers: derived from its state alone, so that nothing of it is stored or can be wrong.
 */

export type Progress =
  'opening' | 'awaiting_payment' | 'partially_paid' | 'detected' | 'confirming' | 'settled' | 'in_review' | 'closed';

/** Whether an open review stands in the way of the goods (one about too much money does not). */
export const isHeld = (payment: Payment): boolean =>
  'money' in payment && (openReviewOf(payment.money)?.reasons.some(holdsFulfillment) ?? false);

/** Too little is left to pay for the goods, because money was given back. What a person accepted was enough as it was. */
export function isReturned(payment: Paid): boolean {
  if (payment.creditReturned) return true;
  // What a deposit gives to the customer is what it is for.
  if (payment.terms.deposit) return false;
  const returned = returnedOf(payment.money);
  if (returned.lte('0') || !isReportable(payment)) return false;
  const { received, transfers } = payment.money;
  if (received === null) return sufficiency(transfers, factsOf(payment)) === 'short';
  const left = new Decimal(received).minus(returned);
  const byPerson = payment.clause === 'review' || payment.money.manuallyAccepted;
  const { enough } = bounds(factsOf(payment));
  return (
    left.lte('0') ||
    left.lt(byPerson && payment.paidWith !== null ? least(enough, new Decimal(payment.paidWith)) : enough)
  );
}

/** What the payer sees. */
export function progressOf(payment: Payment): Progress {
  if (payment.status === 'created') return 'opening';
  if (isHeld(payment)) return 'in_review';
  if (payment.status === 'paid') return 'settled';
  if (payment.status !== 'pending') return 'closed';
  const { money } = payment;
  const live = money.transfers.filter((transfer) => transfer.status !== 'failed');
  if (live.length === 0) return 'awaiting_payment';
  if (money.received !== null && new Decimal(money.received).lt(bounds(factsOf(payment)).enough))
    return 'partially_paid';
  const untouched = live.every((transfer) => transfer.status === 'confirming' && (transfer.confirmations ?? 0) === 0);
  return untouched ? 'detected' : 'confirming';
}

export type Label =
  | 'underpaid'
  | 'overpaid'
  | 'late'
  | 'multiple_transfers'
  | 'mixed_currency'
  | 'within_tolerance'
  | 'manually_accepted'
  | 'refunded'
  | 'partially_refunded'
  | 'credited'
  | 'gateway_conflict'
  | 'sandbox';

/** The facts beside the status, each with one meaning of its own; derived, so that no order of arrival can change them. */
export function labelsOf(payment: Payment): Label[] {
  const labels: Label[] = [];
  if (isReportable(payment)) labels.push(...amountLabels(payment), ...moneyLabels(payment));
  if (payment.terms.sandbox) labels.push('sandbox');
  return labels;
}

function amountLabels(payment: Reportable): Label[] {
  const { received, gatewayStatus } = payment.money;
  const live = payment.money.transfers.some((transfer) => transfer.status !== 'failed');
  if (received === null || !live) return [];
  const { enough, tooMuch } = bounds(factsOf(payment));
  const got = new Decimal(received);
  if (got.gt(tooMuch)) return ['overpaid'];
  if (got.lt(enough)) {
    const ended = payment.status === 'expired' || gatewayStatus === 'underpaid' || gatewayStatus === 'expired';
    return ended || payment.status === 'paid' ? ['underpaid'] : [];
  }
  return got.eq(dueOf(payment)) ? [] : ['within_tolerance'];
}

function moneyLabels(payment: Reportable): Label[] {
  const { money, invoice } = payment;
  const live = money.transfers.filter((transfer) => transfer.status !== 'failed');
  const labels: Label[] = [];
  if (live.some((transfer) => isLate(transfer, { deadline: invoice.expiresAt }))) labels.push('late');
  if (live.length > 1) labels.push('multiple_transfers');
  if (new Set(live.map((transfer) => transfer.currency)).size > 1) labels.push('mixed_currency');
  if (money.manuallyAccepted) labels.push('manually_accepted');
  labels.push(...returnLabels(payment));
  if (money.contradictions.length > 0 || money.review?.reasons.includes('gateway_conflict'))
    labels.push('gateway_conflict');
  return labels;
}

function returnLabels(payment: Reportable): Label[] {
  const { money } = payment;
  const sent = sum(money.refunds.filter(({ status }) => status === 'confirmed').map(({ amount }) => amount));
  const whole = money.gatewayStatus === 'refunded' || (sent.gt('0') && sent.gte(money.received ?? '0'));
  const refunds: Label[] = whole ? ['refunded'] : sent.gt('0') ? ['partially_refunded'] : [];
  const credited = money.credits.length > 0 || (payment.status === 'paid' && payment.creditReturned);
  return credited ? [...refunds, 'credited'] : refunds;
}

/** The one field that a fulfilment system needs. */
export const isFulfillable = (payment: Payment): boolean =>
  payment.status === 'paid' &&
  (payment.corroboratedAt ?? payment.waivedAt ?? null) !== null &&
  !isHeld(payment) &&
  !payment.denied &&
  !isReturned(payment) &&
  // The payment whose missing part this one collects stands for the goods.
  !payment.terms.remainderOf &&
  // A deposit buys nothing.
  !payment.terms.deposit &&
  payment.money.gatewayStatus !== 'refunding' &&
  payment.money.gatewayStatus !== 'refunded';

/** Whether the whole of a deposit is the customer's: that is all there is to do for it. */
export const isCreditedDeposit = (payment: Payment): boolean =>
  Boolean(payment.terms.deposit) && payment.status === 'paid' && payment.money.credits.length > 0 && !isHeld(payment);

/** Sums over what is known now; the decision records them when they change. */
export const assessed = (payment: Reportable): Assessment => assess(factsOf(payment));

/** What is still missing from the price; null where nothing is, or where nobody can say. */
export function missingOf(payment: Payment): string | null {
  if (payment.status === 'paid' || payment.status === 'failed') return null;
  // After the deadline nothing is missing any more, unless late money could still complete it.
  if (payment.status === 'expired' && payment.terms.policy.rules.latePayment.then !== 'accept') return null;
  if (payment.status === 'created') return plain(new Decimal(payment.terms.amount).minus(payment.credit ?? '0'));
  if (payment.money.received === null) return null;
  const left = new Decimal(payment.money.received).minus(returnedOf(payment.money));
  return left.gte(bounds(factsOf(payment)).enough) ? null : plain(new Decimal(dueOf(payment)).minus(left));
}

/** How many seconds of the payer's time are left; 0 once the deadline has passed. */
export const secondsLeft = (invoice: Invoice, now: Instant): number =>
  Math.max(0, Math.ceil((msOf(invoice.expiresAt) - msOf(now)) / 1000));

/** Until when money that comes late is still judged by the late-payment rule. */
export const lateUntil = (payment: Reportable): Instant => windowEnd(factsOf(payment));

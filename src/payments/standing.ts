import { addSeconds, msOf, type Instant } from '../kernel/clock.js';
import { factsOf, isReportable, type Invoice, type Payment, type Reportable } from './payment.js';
import { assess, bounds, Decimal, durationSeconds, holdsFulfillment, isLate } from './policy.js';

/*
 * Where a payment stands, for readers: derived from its state alone, so that nothing of it is stored or can be wrong.
 */

export type Progress =
  'opening' | 'awaiting_payment' | 'partially_paid' | 'detected' | 'confirming' | 'settled' | 'in_review' | 'closed';

/** Whether an open review stands in the way of the goods (one about too much money does not). */
export const isHeld = (payment: Payment): boolean =>
  'money' in payment && (payment.money.review?.reasons.some(holdsFulfillment) ?? false);

/** What the payer sees. */
export function progressOf(payment: Payment): Progress {
  if (payment.status === 'created') return 'opening';
  if (isHeld(payment)) return 'in_review';
  if (payment.status === 'paid') return 'settled';
  if (payment.status !== 'pending') return 'closed';
  const { terms, money } = payment;
  const live = money.transfers.filter((transfer) => transfer.status !== 'failed');
  if (live.length === 0) return 'awaiting_payment';
  if (money.received !== null && new Decimal(money.received).lt(bounds(terms).enough)) return 'partially_paid';
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
  const { enough, tooMuch } = bounds(payment.terms);
  const sum = new Decimal(received);
  if (sum.gt(tooMuch)) return ['overpaid'];
  if (sum.lt(enough)) {
    const ended = payment.status === 'expired' || gatewayStatus === 'underpaid' || gatewayStatus === 'expired';
    return ended || payment.status === 'paid' ? ['underpaid'] : [];
  }
  return sum.eq(payment.terms.amount) ? [] : ['within_tolerance'];
}

function moneyLabels(payment: Reportable): Label[] {
  const { money, invoice } = payment;
  const live = money.transfers.filter((transfer) => transfer.status !== 'failed');
  const labels: Label[] = [];
  if (live.some((transfer) => isLate(transfer, { deadline: invoice.expiresAt }))) labels.push('late');
  if (live.length > 1) labels.push('multiple_transfers');
  if (new Set(live.map((transfer) => transfer.currency)).size > 1) labels.push('mixed_currency');
  if (money.manuallyAccepted) labels.push('manually_accepted');
  if (money.gatewayStatus === 'refunded') labels.push('refunded');
  if (money.contradictions.length > 0 || money.review?.reasons.includes('gateway_conflict'))
    labels.push('gateway_conflict');
  return labels;
}

/** The one field that a fulfilment system needs. */
export const isFulfillable = (payment: Payment): boolean =>
  payment.status === 'paid' &&
  payment.corroboratedAt !== null &&
  !isHeld(payment) &&
  payment.money.gatewayStatus !== 'refunding' &&
  payment.money.gatewayStatus !== 'refunded';

/** Sums over what is known now; the decision records them when they change. */
export const assessed = (payment: Reportable): { received: string | null; delta: string | null } =>
  assess(factsOf(payment));

/** How many seconds of the payer's time are left; 0 once the deadline has passed. */
export const secondsLeft = (invoice: Invoice, now: Instant): number =>
  Math.max(0, Math.ceil((msOf(invoice.expiresAt) - msOf(now)) / 1000));

/** Until when money that comes late is still judged by the late-payment rule. */
export const lateUntil = (payment: Reportable): Instant =>
  addSeconds(payment.invoice.expiresAt, durationSeconds(payment.terms.policy.rules.latePayment.window) ?? 0);

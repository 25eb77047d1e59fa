import type { Instant } from '../kernel/clock.js';
import { Decimal, least, plain } from './decimal.js';
import type { Payment, PaymentEvent } from './payment.js';

/** What the customer's credit may pay of a payment that has not looked yet; null where it has, or is not to. */
export const creditWanted = (payment: Payment): { customerId: string; atMost: string } | null => {
  if (payment.status !== 'created' || payment.credit !== null) return null;
  const { customerId, amount } = payment.terms;
  return customerId === null ? null : { customerId, atMost: amount };
};

/** Records what credit pays of the price; where it pays all of it, the payment is paid and needs no invoice. */
export function applyCredit(payment: Payment, taken: string, now: Instant): PaymentEvent[] {
  if (payment.status !== 'created' || payment.credit !== null) return [];
  const amount = plain(least(new Decimal(taken), new Decimal(payment.terms.amount)));
  const applied: PaymentEvent = { type: 'CreditApplied', data: { amount, at: now } };
  if (new Decimal(amount).lt(payment.terms.amount)) return [applied];
  return [applied, { type: 'PaymentPaid', data: { clause: 'credit', late: false, witness: 'service', at: now } }];
}

/**
 * Gives back the credit that was to pay a part of a payment which ends without success, or is undone. Where nobody has recorded yet
 * what was taken, all of it that could have been: the customer's books give back what really was, and no more.
 */
export function releaseCredit(payment: Payment, now: Instant): PaymentEvent[] {
  const spent = 'credit' in payment && !(payment.status === 'paid' && payment.creditReturned) ? payment.credit : null;
  const amount = creditWanted(payment)?.atMost ?? spent ?? '0';
  return new Decimal(amount).gt('0') ? [{ type: 'CreditReleased', data: { amount, at: now } }] : [];
}

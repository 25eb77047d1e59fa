import { addMinutes, type Instant } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';
import { Decimal, plain } from './decimal.js';
import { dueOf, evolve, isReportable, type Payment, type PaymentEvent, type Terms } from './payment.js';
import { openReview } from './open-review.js';
import { isReturned } from './standing.js';
import { settled } from './worth.js';

/*
 * An open payment that is short of money can have its missing part collected by another payment. The two stand side by
 * side: the first is complete once the second is paid, and neither ends the other by expiring.
 */

/** How much is missing from an open payment that has some of its money. Throws `Refusal('no_remainder')`. */
export function remainderDue(payment: Payment): string {
  const why = noRemainder(payment);
  if (why !== null) throw new Refusal('no_remainder', why);
  const received = 'money' in payment ? (payment.money.received ?? '0') : '0';
  return plain(new Decimal('money' in payment ? dueOf(payment) : '0').minus(received));
}

function noRemainder(payment: Payment): string | null {
  if (payment.terms.remainderOf) return 'The payment is itself the remainder of another; ask for one of that payment.';
  if (payment.status !== 'pending')
    return `The payment is ${payment.status}; only an open one can have its missing part collected. Create a new payment for the order.`;
  const { received, gatewayStatus, contradictions } = payment.money;
  if (contradictions.length > 0) return 'The gateway contradicts itself about this payment; its review comes first.';
  if (received === null) return 'The worth of what was received is not known yet, and so neither is what is missing.';
  if (new Decimal(received).lte('0')) return 'Nothing was received yet; the payer can pay this payment itself.';
  if (settled(gatewayStatus) || new Decimal(received).gte(dueOf(payment))) return 'Nothing is missing.';
  return null;
}

/** The first payment takes note of the other. Repeated: nothing. */
export function noteRemainder(payment: Payment, remainder: Terms, now: Instant): PaymentEvent[] {
  if (!isReportable(payment) || payment.money.remainders.some(({ paymentId }) => paymentId === remainder.id)) return [];
  const { id: paymentId, amount, requestedAt, lifetimeMinutes } = remainder;
  const until = addMinutes(requestedAt, lifetimeMinutes);
  return [{ type: 'RemainderRequested', data: { paymentId, amount, until, at: now } }];
}

export interface RemainderOutcome {
  paymentId: string;
  amount: string;
  outcome: 'paid' | 'ended';
}

/** The other payment is paid, or has ended without, or has given its money back. Repeated: nothing. */
export function settleRemainder(payment: Payment, settled: RemainderOutcome, now: Instant): PaymentEvent[] {
  if (!isReportable(payment)) return [];
  const known = payment.money.remainders.find(({ paymentId }) => paymentId === settled.paymentId)?.outcome;
  if (known === settled.outcome) return [];
  return [{ type: 'RemainderSettled', data: { ...settled, at: now } }];
}

/** What is to be told to the payment whose missing part this one collects, once these events have happened to it. */
export function concludeRemainder(payment: Payment, events: readonly PaymentEvent[], now: Instant): PaymentEvent[] {
  const { remainderOf: of, amount } = payment.terms;
  if (!of || events.length === 0) return [];
  const after = outcomeOf(events.reduce<Payment | null>(evolve, payment));
  if (after === null || after === outcomeOf(payment)) return [];
  return [{ type: 'RemainderConcluded', data: { of, outcome: after, amount, at: now } }];
}

function outcomeOf(payment: Payment | null): 'paid' | 'ended' | null {
  if (payment === null) return null;
  if (payment.status === 'paid') {
    if (payment.denied || isReturned(payment)) return 'ended';
    return payment.corroboratedAt === null ? null : 'paid';
  }
  return payment.status === 'expired' || payment.status === 'failed' ? 'ended' : null;
}

/** A person is told where the outcome does not fit: the part was paid for a payment that is over, or is gone from one that is paid. */
export function remainderReview(payment: Payment, { outcome }: RemainderOutcome, now: Instant): PaymentEvent[] {
  if (!isReportable(payment)) return [];
  if (outcome === 'paid' && (payment.status === 'expired' || payment.status === 'failed'))
    return openReview(payment, ['remainder_paid_alone'], { now });
  return outcome === 'ended' && payment.status === 'paid' ? openReview(payment, ['remainder_returned'], { now }) : [];
}

import type { Instant } from '../kernel/clock.js';
import { Decimal, least, most, plain, sum } from './decimal.js';
import { dueOf, evolve, factsOf, isReportable, type Payment, type PaymentEvent, type Reportable } from './payment.js';
import { returnedOf } from './money.js';
import { acceptable, bounds, sufficiency, windowEnd, type Facts, type ReviewReason } from './policy.js';
import type { Payout, RefundTarget } from './refund.js';
import { unitsOf, worthOf, type Transfer } from './worth.js';

/*
 * Where the received money goes: to the price, to the merchant, to the customer's credit, back to the payer, or nowhere
 * yet. What the policy gives away follows from the transfers alone and only ever grows with them, so that no order of
 * arrival can change what it comes to in the end.
 */

/** The shares of the received money, in the payment's currency; they add up to `received`. */
export interface Allocation {
  /** Toward the price of a payment that is paid. */
  applied: string;
  kept: string;
  credited: string;
  /** Sent back and confirmed. */
  refunded: string;
  /** On its way back. */
  refunding: string;
  /** Nobody has decided about it yet. */
  unallocated: string;
}

/** Null where the worth of what was received is not known. */
export function allocationOf(payment: Payment): Allocation | null {
  if (!('money' in payment) || payment.money.received === null) return null;
  const { money } = payment;
  const credited = sum(money.credits.map(({ amount }) => amount));
  const refunds = (confirmed: boolean): Decimal =>
    sum(
      money.refunds
        .filter(({ status }) => status !== 'failed' && (status === 'confirmed') === confirmed)
        .map(({ amount }) => amount),
    );
  const left = new Decimal(payment.money.received).minus(returnedOf(money));
  const due = new Decimal(dueOf(payment));
  const paid = payment.status === 'paid' && !payment.denied;
  const applied = paid ? most(least(left, due), zero) : zero;
  const over = most(left.minus(applied), zero);
  const tolerated = paid && money.credits.length + money.refunds.length === 0 && isTolerated(payment, over);
  const kept = tolerated ? over : least(keptOf(payment), over);
  return {
    applied: plain(applied),
    kept: plain(kept),
    credited: plain(credited),
    refunded: plain(refunds(true)),
    refunding: plain(refunds(false)),
    unallocated: plain(left.minus(applied).minus(kept)),
  };
}

const zero = new Decimal('0');

const isTolerated = (payment: Payment, over: Decimal): boolean => {
  const { amount, policy } = payment.terms;
  return over.lte(new Decimal(amount).times(policy.rules.overpayment.tolerancePercent).div('100'));
};

const keptOf = (payment: Payment & { money: Reportable['money'] }): Decimal =>
  sum(payment.money.kept.map(({ amount }) => amount));

type Clause = 'overpayment' | 'latePayment' | 'underpayment';

/**
 * Which transfers count toward the price, and which came too late for it. What a person accepted counts whole: they saw
 * what was there.
 */
function split(
  payment: Reportable,
  transfers: readonly Transfer[],
): { counting: readonly Transfer[]; late: Transfer[] } {
  const byPerson = payment.status === 'paid' && (payment.clause === 'review' || payment.money.manuallyAccepted);
  const counting = byPerson ? transfers : acceptable(transfers, factsOf(payment));
  return { counting, late: transfers.filter((transfer) => !counting.includes(transfer)) };
}

/** How much of these transfers is more than the price, beyond the tolerance; null where their worth is not known. */
function excessOf(payment: Reportable, counting: readonly Transfer[]): Decimal | null {
  const facts = factsOf(payment);
  const worth = worthOf(counting, facts);
  if (worth === null) return null;
  return worth.amount.gt(bounds(facts).tooMuch) ? worth.amount.minus(facts.amount) : zero;
}

/**
 * Why a person has to look at money beyond the price of a paid payment, if they have to: the policy says so, or asks for
 * a credit or refund that nothing was given for.
 */
export function excessReasons(payment: Reportable): ReviewReason[] {
  if (payment.status !== 'paid') return [];
  const live = payment.money.transfers.filter((transfer) => transfer.status !== 'failed');
  const { counting, late } = split(payment, live);
  const { overpayment, latePayment } = payment.terms.policy.rules;
  const wanted = new Set<string>();
  if (excessOf(payment, counting)?.gt('0')) wanted.add(overpayment.then);
  const end = windowEnd(factsOf(payment));
  for (const transfer of late) wanted.add(transfer.firstSeenAt > end ? 'review' : latePayment.then);
  const lacking: ReviewReason[] = [];
  if (wanted.has('credit') && payment.terms.customerId === null) lacking.push('no_customer');
  if (wanted.has('refund') && !payment.terms.refundTo) lacking.push('no_refund_address');
  return wanted.has('review') || lacking.length > 0 ? ['overpaid', ...lacking] : [];
}

/**
 * What the policy does now with money that the gateway itself has confirmed when asked: kept, credited, or sent back,
 * each only as far as it has not been yet. Nothing is given away on a callback's word alone.
 */
export function allocate(payment: Reportable, confirmed: readonly Transfer[], now: Instant): PaymentEvent[] {
  if (payment.money.contradictions.length > 0) return [];
  if (payment.status === 'paid' && (payment.corroboratedAt === null || payment.denied)) return [];
  if (payment.status !== 'paid' && payment.status !== 'expired') return [];
  const events: PaymentEvent[] = [];
  let current: Payment | null = payment;
  for (const want of wanted(payment, confirmed, now)) {
    if (current === null || !isReportable(current)) break;
    const event = give(current, want, confirmed, now);
    if (event === null) continue;
    events.push(event);
    current = evolve(current, event);
  }
  return events;
}

interface Wanted {
  clause: Clause;
  then: 'keep' | 'credit' | 'refund';
  /** In all, over the payment's life. */
  target: Decimal;
}

function wanted(payment: Reportable, confirmed: readonly Transfer[], now: Instant): Wanted[] {
  const facts = factsOf(payment);
  const { overpayment, latePayment, underpayment } = facts.policy.rules;
  const { counting, late } = split(payment, confirmed);
  const inWindow = late.filter((transfer) => transfer.firstSeenAt <= windowEnd(facts));
  const list: Wanted[] = [];
  const excess = payment.status === 'paid' ? excessOf(payment, counting) : null;
  if (excess !== null && overpayment.then !== 'review')
    list.push({ clause: 'overpayment', then: overpayment.then, target: excess });
  if (underpayment.then === 'partial_credit' && isShortForGood(facts, counting, now)) {
    const worth = worthOf(counting, facts);
    if (worth) list.push({ clause: 'underpayment', then: 'credit', target: worth.amount });
  }
  const lateWorth = worthBeside(inWindow, counting, facts);
  if (lateWorth !== null && (latePayment.then === 'credit' || latePayment.then === 'refund'))
    list.push({ clause: 'latePayment', then: latePayment.then, target: lateWorth });
  return list;
}

/** What these are worth beside the others: rounding must neither make nor lose a cent between the two. */
function worthBeside(transfers: readonly Transfer[], others: readonly Transfer[], facts: Facts): Decimal | null {
  const all = worthOf([...others, ...transfers], facts);
  const without = worthOf(others, facts);
  return all && without && most(all.amount.minus(without.amount), zero);
}

/** While late money may still complete it, an expired payment is not short for good. */
const isShortForGood = (facts: Facts, counting: readonly Transfer[], now: Instant): boolean =>
  facts.closed === 'expired' &&
  sufficiency(counting, facts) !== 'enough' &&
  (facts.policy.rules.latePayment.then !== 'accept' || now > windowEnd(facts));

function give(
  payment: Reportable,
  { clause, then, target }: Wanted,
  confirmed: readonly Transfer[],
  now: Instant,
): PaymentEvent | null {
  const amount = least(target.minus(doneBy(payment, clause)), availableOf(payment, confirmed) ?? zero);
  if (amount.lte('0')) return null;
  if (then === 'keep') return { type: 'ExcessKept', data: { amount: plain(amount), clause, at: now } };
  if (then === 'credit') return grantCredit(payment, plain(amount), clause, now);
  const { refundTo } = payment.terms;
  return refundTo ? refundEvent(payment, plain(amount), refundTo, `policy: ${clause}`, clause, now) : null;
}

/** What a clause has given already; a refund that failed counts, because a person decides what becomes of it. */
const doneBy = ({ money }: Reportable, clause: string): Decimal =>
  sum(
    [...money.kept, ...money.credits, ...money.refunds]
      .filter((share) => share.clause === clause)
      .map(({ amount }) => amount),
  );

/** What could still be given back of these transfers; null where their worth is not known. */
export function availableOf(payment: Reportable, transfers: readonly Transfer[]): Decimal | null {
  const worth = worthOf(transfers, factsOf(payment));
  return worth && most(worth.amount.minus(returnedOf(payment.money)), zero);
}

export const confirmedOf = ({ money }: Reportable): Transfer[] =>
  money.transfers.filter((transfer) => transfer.status === 'confirmed');

/** A credit to the customer; null where the payment has none. */
export function grantCredit(payment: Reportable, amount: string, clause: string, now: Instant): PaymentEvent | null {
  const { customerId, currency } = payment.terms;
  if (customerId === null) return null;
  const number = payment.money.credits.length + 1;
  return { type: 'CreditGranted', data: { number, amount, currency, customerId, clause, at: now } };
}

/** A refund of an amount in the payment's currency; null where nobody can say how many coins that is. */
export function refundEvent(
  payment: Reportable,
  amount: string,
  to: RefundTarget,
  reason: string,
  clause: string,
  now: Instant,
): PaymentEvent | null {
  const payout = payoutOf(payment, amount, to);
  if (payout === null) return null;
  const number = payment.money.refunds.length + 1;
  return { type: 'RefundRequested', data: { number, amount, payout, reason, clause, at: now } };
}

function payoutOf(payment: Reportable, amount: string, to: RefundTarget): Payout | null {
  const { money } = payment;
  const coin = to.currency ?? money.transfers.find((transfer) => transfer.status !== 'failed')?.currency;
  if (coin === undefined) return null;
  const units = unitsOf(amount, coin, money.transfers, factsOf(payment));
  if (units === null || new Decimal(units).lte('0')) return null;
  return { amount: units, currency: coin, network: to.network, address: to.address, memo: to.memo };
}

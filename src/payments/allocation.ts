import type { Instant } from '../kernel/clock.js';
import { Decimal, least, most, plain, sum } from './decimal.js';
import { dueOf, evolve, factsOf, isReportable, type Payment, type PaymentEvent, type Reportable } from './payment.js';
import { hasNewMoney, isContradicted, returnedFromPrice, returnedOf } from './money.js';
import { openReview, withdraw } from './open-review.js';
import { acceptable, bounds, sufficiency, windowEnd, type Facts } from './policy.js';
import type { ReviewReason } from './review-reasons.js';
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
  const taken = money.gatewayStatus === 'refunded' || money.gatewayStatus === 'refunding';
  if (taken) return takenBack(payment.money.gatewayStatus === 'refunded', left, credited, refunds);
  // A deposit pays for nothing: all of it is the customer's.
  const due = new Decimal(payment.terms.deposit ? '0' : dueOf(payment));
  const paid = payment.status === 'paid' && !payment.denied;
  const applied = paid ? most(least(left, due), zero) : zero;
  const over = most(left.minus(applied), zero);
  // What was given back of it since makes it no less of an excess than it was.
  const tolerated =
    paid && !payment.terms.deposit && over.plus(returnedFromPrice(money)).plus(due).lte(tooMuchOf(payment));
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

/** The gateway itself sends back what is left. */
const takenBack = (
  done: boolean,
  left: Decimal,
  credited: Decimal,
  refunds: (confirmed: boolean) => Decimal,
): Allocation => ({
  applied: '0',
  kept: '0',
  credited: plain(credited),
  refunded: plain(refunds(true).plus(done ? left : '0')),
  refunding: plain(refunds(false).plus(done ? '0' : left)),
  unallocated: '0',
});

const tooMuchOf = (payment: Parameters<typeof dueOf>[0]): Decimal =>
  bounds({ amount: dueOf(payment), policy: payment.terms.policy }).tooMuch;

const keptOf = (payment: Payment & { money: Reportable['money'] }): Decimal =>
  sum(payment.money.kept.map(({ amount }) => amount));

type Clause = 'overpayment' | 'latePayment' | 'underpayment' | 'deposit';

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
  // Nothing of a payment that a person decided against is for the price.
  if (payment.denied) return hasNewMoney(payment.money) ? ['overpaid'] : [];
  const live = payment.money.transfers.filter((transfer) => transfer.status !== 'failed');
  const { counting, late } = split(payment, live);
  const { overpayment, latePayment } = payment.terms.policy.rules;
  const wanted = new Set<string>();
  if (excessOf(payment, counting)?.gt('0')) wanted.add(overpayment.then);
  const end = late.length > 0 ? windowEnd(factsOf(payment)) : '';
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
export function allocate(payment: Reportable, now: Instant): PaymentEvent[] {
  if (isContradicted(payment.money)) return [];
  if (payment.status === 'paid' && (payment.corroboratedAt === null || payment.denied)) return [];
  if (payment.status !== 'paid' && payment.status !== 'expired') return [];
  const events: PaymentEvent[] = [];
  let current: Payment | null = payment;
  // Money whose worth nobody knows takes nothing from what is done with the rest.
  const known = confirmedOf(payment).filter((transfer) => worthOf([transfer], factsOf(payment)) !== null);
  for (const want of wanted(payment, known, now)) {
    if (current === null || !isReportable(current)) break;
    const given = give(current, want, known, now);
    events.push(...given);
    current = given.reduce<Payment | null>(evolve, current);
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
  if (payment.terms.deposit) return wantedOfDeposit(payment, confirmed, facts);
  const { overpayment, latePayment, underpayment } = facts.policy.rules;
  const { counting, late } = split(payment, confirmed);
  const inWindow = late.filter((transfer) => transfer.firstSeenAt <= windowEnd(facts));
  const list: Wanted[] = [];
  const excess = payment.status === 'paid' ? excessOf(payment, counting) : null;
  if (excess !== null && overpayment.then !== 'review')
    list.push({ clause: 'overpayment', then: overpayment.then, target: excess });
  if (underpayment.then === 'partial_credit' && isShortForGood(facts, now)) {
    const worth = worthOf(counting, facts);
    if (worth) list.push({ clause: 'underpayment', then: 'credit', target: worth.amount });
  }
  const lateWorth = worthBeside(inWindow, counting, facts);
  if (lateWorth !== null && (latePayment.then === 'credit' || latePayment.then === 'refund'))
    list.push({ clause: 'latePayment', then: latePayment.then, target: lateWorth });
  return list;
}

/** The customer gets what came, whatever the policy does with money beyond a price. */
function wantedOfDeposit(payment: Reportable, confirmed: readonly Transfer[], facts: Facts): Wanted[] {
  const worth = payment.status === 'paid' ? worthOf(confirmed, facts) : null;
  return worth ? [{ clause: 'deposit', then: 'credit', target: worth.amount }] : [];
}

/** What these are worth beside the others: rounding must neither make nor lose a cent between the two. */
function worthBeside(transfers: readonly Transfer[], others: readonly Transfer[], facts: Facts): Decimal | null {
  const all = worthOf([...others, ...transfers], facts);
  const without = worthOf(others, facts);
  const estimate = worthOf(others, facts, false);
  // An estimate that gave way to the gateway's word makes the rest worth no more than it is.
  return all && without && estimate && most(all.amount.minus(most(without.amount, estimate.amount)), zero);
}

/** While late money may still complete it, or is seen and not yet confirmed, an expired payment is not short for good. */
const isShortForGood = (facts: Facts, now: Instant): boolean => {
  const accepted = acceptable(facts.transfers, facts);
  return (
    facts.closed === 'expired' &&
    worthOf(accepted, facts) !== null &&
    sufficiency(accepted, facts) !== 'enough' &&
    (facts.policy.rules.latePayment.then !== 'accept' || now > windowEnd(facts))
  );
};

function give(
  payment: Reportable,
  { clause, then, target }: Wanted,
  confirmed: readonly Transfer[],
  now: Instant,
): PaymentEvent[] {
  const amount = least(target.minus(doneBy(payment, clause)), sparedOf(payment, confirmed));
  if (amount.lte('0')) return [];
  if (then === 'keep') return [{ type: 'ExcessKept', data: { amount: plain(amount), clause, at: now } }];
  if (then === 'credit') return orNothing(grantCredit(payment, plain(amount), clause, now));
  const { refundTo } = payment.terms;
  if (!refundTo) return [];
  const event = refundEvent(payment, plain(amount), refundTo, `policy: ${clause}`, clause, now);
  return event
    ? [event, ...withdraw(payment, ['refund_coin_unknown'], now)]
    : openReview(payment, ['refund_coin_unknown'], { now });
}

const orNothing = (event: PaymentEvent | null): PaymentEvent[] => (event ? [event] : []);

/** What may be given away without touching the price of a paid payment, or what a person let the merchant keep. */
function sparedOf(payment: Reportable, confirmed: readonly Transfer[]): Decimal {
  const available = availableOf(payment, confirmed) ?? zero;
  const price = payment.status === 'paid' && !payment.terms.deposit ? dueOf(payment) : '0';
  return most(available.minus(price).minus(keptOf(payment)), zero);
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
  const { gatewayStatus } = payment.money;
  // The gateway itself has sent it back, or is about to.
  if (gatewayStatus === 'refunding' || gatewayStatus === 'refunded') return zero;
  const facts = factsOf(payment);
  const worth = worthOf(transfers, facts);
  const estimate = worthOf(transfers, facts, false);
  // An estimate that was taken for the price is given back as no more than it is.
  return worth && estimate && most(least(worth.amount, estimate.amount).minus(returnedOf(payment.money)), zero);
}

/** The money that may be given back: a callback's word that it is confirmed is not enough. */
export const confirmedOf = ({ money }: Reportable): Transfer[] =>
  money.transfers.filter(({ status, vouched }) => status === 'confirmed' && vouched);

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

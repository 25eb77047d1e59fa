import { addSeconds, type Instant } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';
import { availableOf, confirmedOf, grantCredit, refundEvent } from './allocation.js';
import { releaseCredit } from './credit.js';
import { Decimal, least, most, plain, sum } from './decimal.js';
import {
  dueOf,
  evolve,
  isPaidByCredit,
  isReportable,
  type Paid,
  type Payment,
  type PaymentEvent,
  type Reportable,
} from './payment.js';
import type { Resolution, Review } from './money.js';
import { isLate } from './policy.js';
import { isAboutPrice, type ReviewReason } from './review-reasons.js';
import { historyLagSeconds, lastAskSeconds, type RefundTarget } from './refund.js';
import type { Transfer } from './worth.js';

/**
 * A person decides about a payment that waits for them.
 *
 * `accept`: what is there is enough; it is paid, and money beyond the price stays with the merchant. `reject`: it will
 * not be completed (a payment that is paid stays so and is not delivered); the money stays where it is, unallocated.
 * `credit`, `refund`: likewise not completed, and the money goes to the customer's credit or back; where the review is
 * only about money beyond the price of a paid payment, that money alone.
 *
 * Throws `Refusal`: `no_open_review`, `review_resolved`, `order_has_payment`, `worth_unknown`, `nothing_to_refund`,
 * `invalid_request` where a credit has no customer or a refund no address.
 */
export function resolveReview(
  payment: Payment,
  resolution: Resolution & { refundTo: RefundTarget | null },
  orderTaken: boolean,
  now: Instant,
): PaymentEvent[] {
  const review = expectOpen(payment);
  const { refundTo, ...said } = resolution;
  if (isPaidByCredit(payment)) return decideOnCredit(payment, review, said, now);
  if (!isReportable(payment)) throw new Refusal('no_open_review', 'Nothing about this payment waits for a decision.');
  if (said.decision === 'accept' && payment.status !== 'paid' && orderTaken)
    throw new Refusal(
      'order_has_payment',
      'Another payment of the order is open or paid; this one can be credited or refunded.',
    );
  const resolved: PaymentEvent = { type: 'ReviewResolved', data: { ...said, reasons: review.reasons, at: now } };
  // A decision about something else says nothing of a payout that is still being searched for.
  const again = review.reasons.includes('refund_unknown') ? unknownRefunds(payment, said.decision, now) : [];
  const events = [resolved, ...again, ...outcomeOf(payment, review, said.decision, now)];
  const after = events.reduce<Payment | null>(evolve, payment);
  if (after === null || !isReportable(after)) return events;
  const amount = amountOf(payment, after, review);
  // A refund that is sent again needs no second one beside it, except for what else the review is about.
  const sentAgain = again.length > 0 && (review.reasons.every(isAboutUnknown) || !amount?.gt('0'));
  if (said.decision === 'credit' || (said.decision === 'refund' && !sentAgain))
    events.push(...giveBack(after, amount, said.decision, refundTo, now));
  return events;
}

/** There is no money but the customer's credit: whatever is decided but to accept, it goes back. */
const decideOnCredit = (payment: Paid, { reasons }: Review, said: Resolution, now: Instant): PaymentEvent[] => [
  { type: 'ReviewResolved', data: { ...said, reasons, at: now } },
  ...(said.decision === 'accept' ? [] : releaseCredit(payment, now)),
];

const isAboutUnknown = (reason: ReviewReason): boolean => reason === 'refund_unknown';

function expectOpen(payment: Payment): Review {
  const review = 'money' in payment ? payment.money.review : null;
  if (review?.resolved) {
    const { actor, decision, at } = review.resolved;
    throw new Refusal('review_resolved', `${actor} decided "${decision}" at ${at}; a decision is made once.`);
  }
  if (!review) throw new Refusal('no_open_review', 'Nothing about this payment waits for a decision.');
  return review;
}

/** What the decision makes of the payment itself. */
function outcomeOf(
  payment: Reportable,
  review: Review,
  decision: Resolution['decision'],
  now: Instant,
): PaymentEvent[] {
  const aboutThePrice = review.reasons.some(isAboutPrice);
  if (payment.status === 'paid') {
    if (decision !== 'accept') return aboutThePrice ? releaseCredit(payment, now) : [];
    const corroborated: PaymentEvent[] =
      payment.corroboratedAt === null && aboutThePrice
        ? [{ type: 'PaymentCorroborated', data: { transfers: [], at: now } }]
        : [];
    return [...corroborated, ...keepExcess(payment, now)];
  }
  // Nothing of it is for the price: what a person leaves there stays with the merchant.
  if (!aboutThePrice) return decision === 'accept' ? keepExcess(payment, now) : [];
  if (decision === 'accept') {
    const late = payment.money.transfers.some((transfer) => isLate(transfer, { deadline: payment.invoice.expiresAt }));
    const paid: PaymentEvent = { type: 'PaymentPaid', data: { clause: 'review', late, witness: 'operator', at: now } };
    const after = evolve(payment, paid);
    return [paid, ...(after !== null && isReportable(after) ? keepExcess(after, now) : [])];
  }
  return payment.status === 'pending'
    ? [{ type: 'PaymentRejected', data: { at: now } }, ...releaseCredit(payment, now)]
    : [];
}

/** Money of these transfers that is beyond the price, and that nothing was done with yet. */
function restOf(payment: Reportable, transfers: readonly Transfer[]): Decimal | null {
  const available = availableOf(payment, transfers);
  const kept = sum(payment.money.kept.map(({ amount }) => amount));
  const price = payment.status === 'paid' && !payment.denied ? dueOf(payment) : '0';
  return available && most(available.minus(price).minus(kept), new Decimal('0'));
}

/** What stays is not given away: a callback's word for it is enough. */
function keepExcess(payment: Reportable, now: Instant): PaymentEvent[] {
  const confirmed = payment.money.transfers.filter(({ status }) => status === 'confirmed');
  const rest = restOf(payment, confirmed);
  return rest?.gt('0') ? [{ type: 'ExcessKept', data: { amount: plain(rest), clause: 'review', at: now } }] : [];
}

/** What a decision to give money back is about: all that is there, or, of a paid payment, what the price does not need. */
function amountOf(before: Reportable, after: Reportable, review: Review): Decimal | null {
  const available = availableOf(after, confirmedOf(after));
  if (available === null || after.status !== 'paid' || review.reasons.some(isAboutPrice)) return available;
  const failed = sum(
    before.money.refunds
      .filter(
        ({ number, decided }) =>
          !decided && after.money.refunds.some((r) => r.number === number && r.status === 'failed'),
      )
      .map(({ amount }) => amount),
  );
  return most(restOf(after, confirmedOf(after)) ?? new Decimal('0'), least(available, failed));
}

function giveBack(
  payment: Reportable,
  amount: Decimal | null,
  decision: 'credit' | 'refund',
  refundTo: RefundTarget | null,
  now: Instant,
): PaymentEvent[] {
  if (amount === null)
    throw new Refusal('worth_unknown', "Nobody has said what the money is worth in the payment's currency yet.");
  if (amount.lte('0')) {
    // Where credit paid all of it, that has gone back already.
    if (payment.status === 'paid' && payment.creditReturned) return [];
    throw new Refusal(
      'nothing_to_refund',
      'No money is left that the gateway itself calls confirmed; accept or reject instead.',
    );
  }
  const event =
    decision === 'credit'
      ? grantCredit(payment, plain(amount), 'review', now)
      : refundTo
        ? refundEvent(payment, plain(amount), refundTo, 'review', 'review', now)
        : null;
  if (event !== null) return [event];
  throw decision === 'credit' ? noCustomer() : noAddress(refundTo);
}

const noCustomer = (): Refusal =>
  new Refusal('invalid_request', 'The payment names no customer who could be credited; refund it instead.', [
    { pointer: '/decision', detail: 'credit needs a payment with a customerId' },
  ]);

const noAddress = (refundTo: RefundTarget | null): Refusal =>
  refundTo === null
    ? new Refusal('invalid_request', 'A refund needs an address to go to.', [
        { pointer: '/refundTo', detail: 'is required: the payment was created without one' },
      ])
    : new Refusal('worth_unknown', 'Nobody can say how many coins the money is worth; name the coin that was paid.');

/** What a person found out about payouts whose answer was lost. */
function unknownRefunds(payment: Reportable, decision: Resolution['decision'], now: Instant): PaymentEvent[] {
  return payment.money.refunds
    .filter(
      ({ status, attemptedAt }) =>
        (status === 'unknown' && addSeconds(attemptedAt ?? now, historyLagSeconds) <= now) ||
        (status === 'submitted' && addSeconds(attemptedAt ?? now, lastAskSeconds) <= now),
    )
    .map(({ number }): PaymentEvent => {
      if (decision === 'accept') return { type: 'RefundConfirmed', data: { number, txHash: null, at: now } };
      const detail = 'a person found that it was not sent';
      return decision === 'refund'
        ? { type: 'RefundDelayed', data: { number, outcome: 'unavailable', detail, at: now } }
        : { type: 'RefundFailed', data: { number, detail, decided: true, at: now } };
    });
}

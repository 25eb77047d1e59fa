import { addSeconds, type Instant } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';
import { availableOf, confirmedOf, grantCredit, refundEvent } from './allocation.js';
import { releaseCredit } from './credit.js';
import { Decimal, least, most, plain, sum } from './decimal.js';
import { dueOf, evolve, isReportable, type Payment, type PaymentEvent, type Reportable } from './payment.js';
import { openReviewOf, type Resolution, type Review } from './money.js';
import { holdsFulfillment, isLate, type ReviewReason } from './policy.js';
import { historyLagSeconds, type RefundTarget } from './refund.js';

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
const single: ReadonlySet<ReviewReason> = new Set(['refund_failed', 'refund_unknown', 'no_final_word']);

/** Asks for a person, unless they are asked already or have decided about the same money or the same contradiction. */
export function openReview(
  payment: Reportable,
  reasons: readonly ReviewReason[],
  claim: { now: Instant },
): PaymentEvent[] {
  const { money } = payment;
  const open = openReviewOf(money)?.reasons ?? [];
  const added = [...new Set(reasons)].filter((reason) => !open.includes(reason) && !isDecided(money, reason));
  return added.length > 0 ? [{ type: 'ReviewOpened', data: { reasons: added, at: claim.now } }] : [];
}

function isDecided({ review, received, contradictions: found }: Reportable['money'], reason: ReviewReason): boolean {
  if (!review?.resolved || single.has(reason)) return false;
  if (!contradicting.has(reason)) return review.resolved.received === received;
  // One contradiction goes by several names, before and after it was accepted; only a further one is news.
  const named =
    review.reasons.includes(reason) || (found.length > 0 && review.reasons.some((r) => contradicting.has(r)));
  return named && review.resolved.contradictions === found.length;
}

/** Takes back what a person was asked about money, where the verdict no longer asks it. */
export function withdrawReview(
  payment: Reportable,
  stillAsked: readonly ReviewReason[],
  claim: { now: Instant },
): PaymentEvent[] {
  const reasons = (openReviewOf(payment.money)?.reasons ?? []).filter(
    (reason) => settleable.has(reason) && !stillAsked.includes(reason),
  );
  return reasons.length > 0 ? [{ type: 'ReviewWithdrawn', data: { reasons, at: claim.now } }] : [];
}

/** Money that comes, or its worth that becomes known, can settle these; not what contradicts itself. */
const settleable: ReadonlySet<ReviewReason> = new Set([
  'underpaid',
  'paid_short',
  'late_payment',
  'expired_with_money',
  'worth_unknown',
  'no_customer',
  'no_refund_address',
  'no_final_word',
]);

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
  if (!isReportable(payment)) throw new Refusal('no_open_review', 'Nothing about this payment waits for a decision.');
  const { refundTo, ...said } = resolution;
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
  // A refund that is sent again needs no second one beside it.
  if (said.decision === 'credit' || (said.decision === 'refund' && again.length === 0))
    events.push(...giveBack(after, amountOf(payment, after, review), said.decision, refundTo, now));
  return events;
}

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
  const aboutThePrice = review.reasons.some(holdsFulfillment);
  if (payment.status === 'paid') {
    if (decision !== 'accept') return [];
    const corroborated: PaymentEvent[] =
      payment.corroboratedAt === null && aboutThePrice ? [{ type: 'PaymentCorroborated', data: { at: now } }] : [];
    return [...corroborated, ...keepExcess(payment, now)];
  }
  if (!aboutThePrice) return [];
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

/** Money beyond the price that nothing was done with yet. */
function restOf(payment: Reportable): Decimal | null {
  const available = availableOf(payment, confirmedOf(payment));
  const kept = sum(payment.money.kept.map(({ amount }) => amount));
  return available && most(available.minus(dueOf(payment)).minus(kept), new Decimal('0'));
}

function keepExcess(payment: Reportable, now: Instant): PaymentEvent[] {
  const rest = restOf(payment);
  return rest?.gt('0') ? [{ type: 'ExcessKept', data: { amount: plain(rest), clause: 'review', at: now } }] : [];
}

/** What a decision to give money back is about: all that is there, or, of a paid payment, what the price does not need. */
function amountOf(before: Reportable, after: Reportable, review: Review): Decimal | null {
  const available = availableOf(after, confirmedOf(after));
  if (available === null || after.status !== 'paid' || review.reasons.some(holdsFulfillment)) return available;
  const failed = sum(
    before.money.refunds
      .filter(
        ({ number, decided }) =>
          !decided && after.money.refunds.some((r) => r.number === number && r.status === 'failed'),
      )
      .map(({ amount }) => amount),
  );
  return most(restOf(after) ?? new Decimal('0'), least(available, failed));
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
  if (amount.lte('0')) throw new Refusal('nothing_to_refund', 'No confirmed money is left to give back.');
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
      ({ status, attemptedAt }) => status === 'unknown' && addSeconds(attemptedAt ?? now, historyLagSeconds) <= now,
    )
    .map(({ number }): PaymentEvent => {
      if (decision === 'accept') return { type: 'RefundConfirmed', data: { number, txHash: null, at: now } };
      const detail = 'a person found that it was not sent';
      return decision === 'refund'
        ? { type: 'RefundDelayed', data: { number, outcome: 'unavailable', detail, at: now } }
        : { type: 'RefundFailed', data: { number, detail, decided: true, at: now } };
    });
}

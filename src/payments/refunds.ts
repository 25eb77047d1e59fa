import { decimalsOf } from '../kernel/money.js';
import type { Instant } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';
import { availableOf, confirmedOf, refundEvent } from './allocation.js';
import { releaseCredit } from './credit.js';
import { Decimal, plain, sum } from './decimal.js';
import type { PayoutReport } from './payment-gateway.js';
import { factsOf, isReportable, type Payment, type PaymentEvent, type Reportable, type Witness } from './payment.js';
import type { Payout, Refund, RefundStatus, RefundTarget } from './refund.js';
import { openReview, withdraw } from './open-review.js';
import { counted, worthOf } from './worth.js';

/** What an application asks to have sent back. */
export interface RefundWish {
  /** In `currency`; null asks for all that is left. */
  amount: string | null;
  /** The payment's currency, or a coin. Null: the payment's currency. */
  currency: string | null;
  to: RefundTarget;
  reason: string;
}

/**
 * Asks for a refund: at most what was received and confirmed, less what was returned already. Without an amount all of
 * it goes back, and with it the credit that paid a part. Throws `Refusal`:
 * `not_refundable` while the payment is open, `worth_unknown`, `nothing_to_refund`, `refund_too_large`, `invalid_request`
 * where the amount has more decimals than its currency.
 */
export function requestRefund(payment: Payment, wish: RefundWish, now: Instant): PaymentEvent[] {
  const credit = wish.amount === null && payment.status === 'paid' ? releaseCredit(payment, now) : [];
  if (!isReportable(payment)) {
    if (credit.length > 0) return credit;
    throw new Refusal('nothing_to_refund', 'No money was received for this payment.');
  }
  if (payment.status === 'pending')
    throw new Refusal(
      'not_refundable',
      'The payment is still open and may yet be completed; decide its review, or wait until it is paid or has ended.',
    );
  expectFineness(wish, payment.terms.currency);
  const available = availableOf(payment, confirmedOf(payment));
  if (available === null) throw unknownWorth();
  if (available.lte('0')) {
    if (credit.length > 0) return credit;
    throw new Refusal('nothing_to_refund', 'No money is left that the gateway itself calls confirmed.');
  }
  const amount = wish.amount === null ? available : inPaymentCurrency(payment, wish.amount, wish.currency);
  if (amount.gt(available)) {
    throw new Refusal(
      'refund_too_large',
      `At most ${plain(available)} ${payment.terms.currency} can be refunded: what was received, less what was returned.`,
      [{ pointer: '/amount', detail: `is more than ${plain(available)} ${payment.terms.currency}` }],
      { refundable: plain(available) },
    );
  }
  const event = refundEvent(payment, plain(amount), wish.to, wish.reason, 'request', now);
  if (event?.type !== 'RefundRequested') throw unknownWorth();
  const asked = { ...event, data: { ...event.data, payout: asAsked(event.data.payout, wish) } };
  // Whoever asks anew for all of it has said what becomes of the money of a refund that failed.
  const failed = failedOf(payment);
  const whole = amount.eq(available) || (failed.gt('0') && amount.gte(failed));
  return [asked, ...credit, ...(whole ? withdraw(payment, ['refund_failed'], now) : [])];
}

/** Of refunds that failed, and that nobody has decided about. */
const failedOf = ({ money }: Reportable): Decimal =>
  sum(money.refunds.filter(({ status, decided }) => status === 'failed' && !decided).map(({ amount }) => amount));

/** Units of a coin that were asked for go out as they are: by way of their worth they would be rounded. */
const asAsked = (payout: Payout, { amount, currency }: RefundWish): Payout =>
  amount !== null && currency === payout.currency ? { ...payout, amount: plain(new Decimal(amount)) } : payout;

function expectFineness({ amount, currency }: RefundWish, paymentCurrency: string): void {
  const symbol = currency ?? paymentCurrency;
  const digits = amount?.split('.')[1]?.length ?? 0;
  if (digits <= decimalsOf(symbol)) return;
  const detail = `has more than the ${String(decimalsOf(symbol))} decimals of ${symbol}`;
  throw new Refusal('invalid_request', 'The amount is finer than its currency.', [{ pointer: '/amount', detail }]);
}

const unknownWorth = (): Refusal =>
  new Refusal(
    'worth_unknown',
    "Nobody can say yet how the coin and the payment's currency convert; refund in a coin that was paid.",
  );

/** An amount of a coin that was paid, in the payment's currency: rounded up, so that the limit holds. */
function inPaymentCurrency(payment: Reportable, amount: string, currency: string | null): Decimal {
  if (currency === null || currency === payment.terms.currency) return new Decimal(amount);
  const same = payment.money.transfers.filter((transfer) => counted(transfer) && transfer.currency === currency);
  const worth = same.length === 0 ? null : worthOf(same, factsOf(payment));
  if (worth === null) throw unknownWorth();
  const units = sum(same.map(({ sentAmount }) => sentAmount));
  const digits = Math.min(decimalsOf(payment.terms.currency), 8);
  return worth.amount.times(amount).div(units).round(digits, Decimal.roundUp);
}

const refundOf = (payment: Payment, number: number): { payment: Reportable; refund: Refund } | null => {
  const refund = isReportable(payment) ? payment.money.refunds.find((known) => known.number === number) : undefined;
  return refund && isReportable(payment) ? { payment, refund } : null;
};

const isIn = (payment: Payment, number: number, ...statuses: RefundStatus[]): boolean => {
  const status = refundOf(payment, number)?.refund.status;
  return status !== undefined && statuses.includes(status);
};

/** Begins an attempt to send a refund. Whoever appends the outcome may send it, nobody else. */
export function attemptRefund(payment: Payment, number: number, now: Instant): PaymentEvent[] {
  const found = refundOf(payment, number);
  if (found?.refund.status !== 'requested') return [];
  return [{ type: 'RefundAttempted', data: { number, attempt: found.refund.attempt + 1, at: now } }];
}

/** The gateway took it, or was found to have taken it: nobody needs to be asked any more whether it was sent. */
export function refundSubmitted(
  payment: Payment,
  number: number,
  trackId: string,
  adopted: boolean,
  now: Instant,
): PaymentEvent[] {
  const found = refundOf(payment, number);
  if (!found || !isIn(payment, number, 'requested', 'sending', 'unknown')) return [];
  const { refunds } = found.payment.money;
  const others = refunds.some((refund) => refund.number !== number && refund.status === 'unknown');
  const settled = others ? [] : withdraw(found.payment, ['refund_unknown'], now);
  return [{ type: 'RefundSubmitted', data: { number, trackId, adopted, at: now } }, ...settled];
}

/** The attempt came to nothing (`unavailable`), or nobody knows what it came to. */
export const refundDelayed = (
  payment: Payment,
  number: number,
  outcome: 'unavailable' | 'unknown',
  detail: string,
  now: Instant,
): PaymentEvent[] =>
  isIn(payment, number, 'sending') ? [{ type: 'RefundDelayed', data: { number, outcome, detail, at: now } }] : [];

/** It was refused, or has failed: the money is still here, and a person decides what becomes of it. */
export function refundFailed(payment: Payment, number: number, detail: string, now: Instant): PaymentEvent[] {
  const found = refundOf(payment, number);
  if (!found || !isIn(payment, number, 'requested', 'sending', 'submitted')) return [];
  return [
    { type: 'RefundFailed', data: { number, detail, at: now } },
    ...openReview(found.payment, ['refund_failed'], { now }),
  ];
}

/** The gateway took it, and has had no final word on it for so long that a person is told. */
export function refundUnended(payment: Payment, number: number, now: Instant): PaymentEvent[] {
  const found = refundOf(payment, number);
  return found?.refund.status === 'submitted' ? openReview(found.payment, ['refund_unknown'], { now }) : [];
}

/** The payout history does not know it, and its answer was lost: sending it again could pay twice, so a person decides. */
export function refundLost(payment: Payment, number: number, now: Instant): PaymentEvent[] {
  const found = refundOf(payment, number);
  if (!found || !isIn(payment, number, 'sending', 'unknown')) return [];
  const lost: PaymentEvent[] =
    found.refund.status === 'sending'
      ? [{ type: 'RefundDelayed', data: { number, outcome: 'unknown', detail: 'no answer was recorded', at: now } }]
      : [];
  return [...lost, ...openReview(found.payment, ['refund_unknown'], { now })];
}

/**
 * What the gateway says of a payout that it took. That it failed is believed only of its own answer: it frees the money
 * for another refund.
 */
export function applyPayout(
  payment: Payment,
  number: number,
  report: Pick<PayoutReport, 'status' | 'txHash'>,
  claim: { witness: Witness; now: Instant },
): PaymentEvent[] {
  const found = refundOf(payment, number);
  // The gateway takes back that it failed: the money has gone, and something may have been done with it since.
  if (found?.refund.status === 'failed' && report.status === 'confirmed' && found.refund.trackId !== null)
    return [
      { type: 'RefundConfirmed', data: { number, txHash: report.txHash, at: claim.now } },
      ...openReview(found.payment, ['refund_conflict'], claim),
    ];
  if (!isIn(payment, number, 'submitted')) return [];
  switch (report.status) {
    case 'confirmed':
      return [{ type: 'RefundConfirmed', data: { number, txHash: report.txHash, at: claim.now } }];
    case 'canceled':
    case 'rejected':
    case 'failed':
      return claim.witness === 'poll'
        ? refundFailed(payment, number, `the gateway's payout is ${report.status}`, claim.now)
        : [];
    default:
      return [];
  }
}

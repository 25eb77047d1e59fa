import type { Instant } from '../kernel/clock.js';
import { Decimal, plain, sum } from './decimal.js';
import { openReviewOf } from './money.js';
import { showAmount } from './payment-view.js';
import { factsOf, isReportable, type Paid, type Payment, type Reportable } from './payment.js';
import { isLate, type Blocker } from './policy.js';
import type { ReviewReason } from './review-reasons.js';
import { missingOf } from './standing.js';
import { counted, worthOf, type Transfer } from './worth.js';

/*
 * The verdict on a payment in words, for support and for whoever reads a log.
 */

/** One sentence on where the payment stands, and one for each share of its money that went elsewhere. */
export const sentenceOf = (payment: Payment, blockedBy: Blocker | null, deadline: Instant | null): string =>
  [statusSentence(payment, blockedBy, deadline), ...moneySentences(payment)].join(' ');

const money = (amount: string, { terms }: Payment): string => `${showAmount(amount, terms.currency)} ${terms.currency}`;

function statusSentence(payment: Payment, blockedBy: Blocker | null, deadline: Instant | null): string {
  switch (payment.status) {
    case 'created':
      return createdSentence(payment.opening.outcome);
    case 'paid':
      return paidSentence(payment, blockedBy);
    case 'failed':
      return blockedBy === 'in_review' ? heldSentence(payment) : failedSentence(payment);
    case 'expired':
      return blockedBy === 'in_review' ? heldSentence(payment) : expiredSentence(payment);
    case 'pending':
      return blockedBy === 'in_review' ? heldSentence(payment) : pendingSentence(payment, blockedBy, deadline);
  }
}

function createdSentence(outcome: 'unavailable' | 'unknown' | null): string {
  const why =
    outcome === 'unavailable'
      ? 'The gateway could not be reached'
      : outcome === 'unknown'
        ? "The gateway's answer was lost"
        : 'The gateway is being asked';
  return `${why}; the payment opens by itself as soon as its invoice is known.`;
}

function paidSentence(payment: Paid, blockedBy: Blocker | null): string {
  const paid = `Paid at ${payment.paidAt}: ${paidWith(payment)}`;
  switch (blockedBy) {
    case 'in_review':
      return `${paid}, but ${heldSentence(payment).replace(/^A/, 'a')}`;
    case 'rejected':
      return `${paid}, but ${decisionInWords(payment)}; it is not to be delivered.`;
    case 'refunded':
      return `${paid}, but the money was given back since, or is on its way back.`;
    case 'not_corroborated':
      return `${paid}; ${delayInWords(payment)}.`;
    case 'not_credited':
      return `${paid}; the customer is credited once the gateway itself calls the transfer confirmed.`;
    case 'part_of_another':
      return `${paid}. It is the missing part of payment ${payment.terms.remainderOf ?? ''}, which stands for the order.`;
    default:
      if (payment.invoice === null || payment.clause === 'review') return `${paid}.`;
      if (payment.corroboratedAt === null)
        return `${paid}; the gateway did not answer when it was asked, so since ${payment.waivedAt ?? payment.paidAt} its callback alone will do, as this installation is set.`;
      return payment.money.review?.resolved?.at === payment.corroboratedAt
        ? `${paid}, and ${decisionInWords(payment)}.`
        : `${paid}, and the gateway confirmed it.`;
  }
}

function delayInWords({ delay }: Paid): string {
  const waits = "fulfilment waits until the gateway's own answer confirms its callback";
  if (delay === null) return waits;
  if (delay.reason === 'unconfirmed') return `${waits}, which it did not yet when it was asked at ${delay.since}`;
  const silent = `${waits}, but it has not answered since ${delay.since}`;
  return delay.goAheadAt === null ? silent : `${silent}; at ${delay.goAheadAt} its callback alone will do`;
}

function paidWith(payment: Paid): string {
  const whole = money(payment.terms.amount, payment);
  if (payment.invoice === null) return `the customer's credit covers all of ${whole}`;
  if (payment.clause === 'review')
    return `${receivedInWords(payment)} of ${whole} was accepted, as ${decisionInWords(payment)}`;
  return `${receivedInWords(payment)} of ${whole}${piecesInWords(payment)} ${ruleInWords(payment)}`;
}

function receivedInWords(payment: Paid): string {
  const { received, estimated } = payment.money;
  const got =
    received === null
      ? 'an amount vouched for by the gateway'
      : `${money(received, payment)}${estimated ? " (at the gateway's prices of the time)" : ''}`;
  const credit = new Decimal(payment.credit).gt('0') ? ` and ${money(payment.credit, payment)} of credit` : '';
  const rest = restOf(payment);
  return got + credit + (rest.gt('0') ? ` and ${money(plain(rest), payment)} by another payment` : '');
}

/** What other payments have paid of this one. */
const restOf = (payment: Paid): Decimal =>
  sum(payment.money.remainders.filter(({ outcome }) => outcome === 'paid').map(({ amount }) => amount));

function piecesInWords({ money: { transfers } }: Paid): string {
  const live = transfers.filter(counted);
  const coins = [...new Set(live.map(({ currency }) => currency))].join(' and ');
  return live.length > 1 ? `, in ${String(live.length)} transfers of ${coins},` : '';
}

function ruleInWords(payment: Paid): string {
  const { terms, late } = payment;
  if (payment.money.manuallyAccepted) return 'were accepted by hand at the gateway';
  if (restOf(payment).gt('0')) return 'are confirmed';
  const { paidWhen } = terms.policy.rules;
  const words = {
    detected: 'were seen on the network',
    settled: 'are settled at the gateway',
    confirmations: `have ${'count' in paidWhen ? String(paidWhen.count) : ''} confirmations`,
  }[paidWhen.rule];
  return `${words}${late ? ', late, and accepted by the late-payment rule' : ''}`;
}

function decisionInWords(payment: Payment): string {
  const resolved = 'money' in payment ? payment.money.review?.resolved : null;
  return resolved
    ? `${resolved.actor} decided "${resolved.decision}" at ${resolved.at} ("${resolved.note}")`
    : 'a person decided';
}

function failedSentence(payment: Extract<Payment, { status: 'failed' }>): string {
  switch (payment.reason) {
    case 'refused':
      return `The gateway refused to open this payment: ${payment.detail}.`;
    case 'cancelled':
      return 'The payment was cancelled before any money was seen.';
    case 'rejected':
      return `The payment was closed, as ${decisionInWords(payment)}.`;
  }
}

function expiredSentence(payment: Extract<Payment, { status: 'expired' }>): string {
  const { terms, invoice } = payment;
  const { underpayment, latePayment } = terms.policy.rules;
  const live = payment.money.transfers.filter(counted);
  const timely = live.filter((transfer) => !isLate(transfer, { deadline: invoice.expiresAt }));
  const deadline = `before the deadline (${invoice.expiresAt})`;
  const short = {
    reject: 'the policy rejects a short payment',
    partial_credit: 'the policy credits what arrived to the customer',
    review: 'the policy asks a person about a short payment',
  }[underpayment.then];
  const first =
    timely.length === 0
      ? `No money arrived ${deadline}.`
      : `Only ${worthInWords(payment, timely)} arrived ${deadline}, and ${short}.`;
  if (live.length === timely.length) return first;
  const late = {
    accept: `the policy accepts late money${missingOf(payment) === null ? '' : ', but it was not enough'}`,
    credit: 'the policy credits late money to the customer',
    refund: 'the policy sends late money back',
    review: 'the policy asks a person about late money',
  }[latePayment.then];
  return `${first} ${String(live.length - timely.length)} of ${String(live.length)} transfers came after it; ${late}.`;
}

function worthInWords(payment: Reportable, transfers: readonly Transfer[]): string {
  const worth = worthOf(transfers, factsOf(payment));
  return worth === null
    ? 'a part'
    : `${money(plain(worth.amount), payment)} of ${money(payment.terms.amount, payment)}`;
}

export const reviewWords: Readonly<Record<ReviewReason, string>> = {
  amount_mismatch: 'the gateway speaks of another amount than was asked for',
  currency_mismatch: 'the gateway speaks of another currency than was asked for',
  gateway_conflict: "the gateway's own answer does not confirm its callback",
  paid_short: 'the gateway calls it paid although less arrived than the policy tolerates',
  underpaid: 'less arrived than is due',
  overpaid: 'more arrived than is due',
  late_payment: 'money arrived after the deadline, or was heard of only after it',
  late_outside_window: 'money arrived after the window for late payment',
  expired_with_money: 'the gateway closed it although enough money is there',
  worth_unknown: "nobody said what the money is worth in the payment's currency",
  money_after_cancel: 'money arrived after it was closed',
  order_taken: 'enough money arrived, but another payment of the order is open or paid',
  refunded_unpaid: 'the gateway refunds a payment that was never paid',
  gateway_failed: 'the gateway reports a failure that its documentation does not define',
  no_final_word: 'the gateway never gave a final word',
  no_customer: 'the policy credits the money, but the payment names no customer',
  no_refund_address: 'the policy refunds the money, but nobody gave an address',
  returned_already: 'the gateway accepted it by hand after money or credit of it was given back',
  refund_failed: 'a refund failed',
  refund_conflict: 'the gateway says of a refund both that it failed and that it was confirmed',
  refund_coin_unknown: 'the policy refunds the money, but nobody can say how much of the wanted coin that is',
  remainder_paid_alone:
    'another payment has paid the missing part, but this one is over; refund that one, or accept this one',
  fulfillment_rejected: 'the application rejected the fulfilment',
  fulfillment_unanswered: 'the application did not acknowledge that it is to fulfil the order',
  fulfilled_after_stop: 'the application fulfilled the order after the payment had ceased to be good for it',
  remainder_returned: 'the payment that had paid the missing part has given its money back',
  refund_unknown: 'nobody knows what became of a refund: the gateway does not list it, or never gave a final word',
};

function heldSentence(payment: Payment): string {
  const reasons = 'money' in payment ? (openReviewOf(payment.money)?.reasons ?? []) : [];
  return `A person has to decide: ${reasons.map((reason) => reviewWords[reason]).join('; ')}.`;
}

function pendingSentence(payment: Reportable, blockedBy: Blocker | null, deadline: Instant | null): string {
  const { terms } = payment;
  const until = deadline ?? payment.invoice.expiresAt;
  switch (blockedBy) {
    case 'no_money_seen':
      return `No transfer was seen yet; the payer has until ${until} to send ${money(payment.invoiced, payment)}.`;
    case 'amount_missing':
      return `${money(payment.money.received ?? '0', payment)} of ${money(terms.amount, payment)} arrived; ${missingInWords(payment)} is missing until ${until}.`;
    case 'worth_unknown':
      return "Money was seen, but nobody has said yet what it is worth in the payment's currency; the gateway's verdict decides.";
    case 'confirmations_missing':
      return `The money was seen and waits for confirmations: ${confirmationsInWords(payment)}.`;
    case 'gateway_not_settled':
      return `The whole amount was seen (${confirmationsInWords(payment)}) and waits until the gateway calls it settled.`;
    case 'late_not_accepted':
      return 'Money arrived after the deadline, and the policy does not accept it; the payment ends when the gateway closes it.';
    case 'remainder_open':
      return `${missingInWords(payment)} is missing, and another payment collects it until ${until}.`;
    default:
      return 'The payment waits for the gateway.';
  }
}

function missingInWords(payment: Payment): string {
  const missing = missingOf(payment);
  return missing === null ? 'the rest' : money(missing, payment);
}

function confirmationsInWords(payment: Reportable): string {
  const { paidWhen } = payment.terms.policy.rules;
  const of = 'count' in paidWhen ? ` of ${String(paidWhen.count)}` : '';
  const counts = payment.money.transfers.map((transfer) => `${String(transfer.confirmations ?? 0)}${of}`);
  return `${counts.join(', ')} confirmations`;
}

const decided = (payment: Payment): string => decisionInWords(payment).replace(/^a/, 'A');

/** What became of money beyond the price, or of a price that was not reached: a sentence for each. */
function moneySentences(payment: Payment): string[] {
  if (!isReportable(payment)) return [];
  const { kept, credits, refunds, estimated } = payment.money;
  const held = openReviewOf(payment.money);
  const aside = held && payment.status === 'paid' && !held.reasons.some((reason) => reason !== 'overpaid');
  return [
    ...(payment.status === 'expired' && payment.money.review?.resolved ? [`${decided(payment)}.`] : []),
    ...(payment.status === 'paid' && payment.creditReturned
      ? [`${money(payment.credit, payment)} of credit went back to the customer.`]
      : []),
    ...kept.map(({ amount, clause }) => `${money(amount, payment)} stays with the merchant (${clause}).`),
    ...credits.map(({ amount, clause }) => `${money(amount, payment)} was credited to the customer (${clause}).`),
    ...refunds.map((refund) => `${money(refund.amount, payment)} ${refundInWords(refund.status)} (${refund.clause}).`),
    ...(aside ? ['A person decides about what is too much; that does not hold up the goods.'] : []),
    ...(estimated && payment.status !== 'paid'
      ? ["Its worth rests on the gateway's prices when it was first looked at."]
      : []),
  ];
}

const refundInWords = (status: Reportable['money']['refunds'][number]['status']): string =>
  ({
    requested: 'is to be refunded',
    sending: 'is being refunded',
    unknown: 'may have been refunded; the answer was lost',
    submitted: 'is on its way back',
    confirmed: 'was refunded',
    failed: 'could not be refunded',
  })[status];

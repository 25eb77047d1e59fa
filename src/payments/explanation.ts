import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { Decimal, sum } from './decimal.js';
import { showAmount } from './payment-view.js';
import { isReportable, type Paid, type Payment, type Reportable } from './payment.js';
import { openReviewOf } from './money.js';
import { readPaymentEvent } from './payment-stream.js';
import type { Blocker, ReviewReason } from './policy.js';
import { verdictOf, type PaymentVerdict } from './verdict.js';

/** Why a payment is, or is not, complete for the business; the fields are those of the public contract. */
export interface Explanation {
  complete: boolean;
  blockedBy: Blocker | null;
  waitingOn: PaymentVerdict['waitingOn'];
  /** What is still to be paid, in the payment's currency; null where nothing is, or where it is not known. */
  missing: { amount: string; currency: string } | null;
  /** When the wait ends, or is looked at anew. */
  deadline: Instant | null;
  rule: { policy: string; version: number; clause: string };
  /** What a person is asked to decide, as codes; empty where nobody is. */
  review: ReviewReason[];
  /** The ids of the events that prove it, oldest first. */
  evidence: string[];
  sentence: string;
}

/** Explains a payment from its own events; it tells the verdict of the rule that decided. */
export function explain(payment: Payment, events: readonly RecordedEvent[]): Explanation {
  const { complete, blockedBy, waitingOn, missing, deadline, clause, reasons } = verdictOf(payment);
  const { policy, currency } = payment.terms;
  return {
    complete,
    blockedBy,
    waitingOn,
    missing: missing === null ? null : { amount: showAmount(missing, currency), currency },
    deadline,
    rule: { policy: policy.name, version: policy.version, clause },
    review: reasons,
    evidence: evidenceOf(events),
    sentence: [statusSentence(payment, blockedBy, deadline), ...moneySentences(payment)].join(' '),
  };
}

/** Each of these is superseded by the next of its kind: a status by the newer one, a transfer by what is known of it now. */
function subjectOf(event: RecordedEvent): string {
  const read = readPaymentEvent(event);
  switch (read.type) {
    case 'GatewayReported':
    case 'AmountAssessed':
      return read.type;
    case 'TransferUpdated':
      return `TransferUpdated ${read.data.transfer.key}`;
    default:
      return event.id;
  }
}

/** The events that still say something of where the payment stands: not our own tries, and nothing that was superseded. */
function evidenceOf(events: readonly RecordedEvent[]): string[] {
  const last = new Map(events.map((event) => [subjectOf(event), event.id]));
  return events
    .filter(({ type }) => type !== 'InvoiceRetried' && (type !== 'PaymentRequested' || events.length === 1))
    .filter((event) => last.get(subjectOf(event)) === event.id)
    .map(({ id }) => id);
}

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
      return `${paid}; fulfilment waits until the gateway's own answer confirms its callback.`;
    case 'part_of_another':
      return `${paid}. It is the missing part of payment ${payment.terms.remainderOf ?? ''}, which stands for the order.`;
    default:
      return payment.invoice === null || payment.clause === 'review'
        ? `${paid}.`
        : `${paid}, and the gateway confirmed it.`;
  }
}

function paidWith(payment: Paid): string {
  const whole = money(payment.terms.amount, payment);
  if (payment.invoice === null) return `the customer's credit covers all of ${whole}`;
  if (payment.clause === 'review')
    return `${receivedInWords(payment)} of ${whole} was accepted, as ${decisionInWords(payment)}`;
  return `${receivedInWords(payment)} of ${whole} ${ruleInWords(payment)}`;
}

function receivedInWords(payment: Paid): string {
  const { received, estimated, remainders, transfers } = payment.money;
  const live = transfers.filter((transfer) => transfer.status !== 'failed');
  const coins = [...new Set(live.map(({ currency }) => currency))].join(' and ');
  const pieces = live.length > 1 ? ` in ${String(live.length)} transfers of ${coins}` : '';
  const got =
    received === null
      ? 'an amount vouched for by the gateway'
      : `${money(received, payment)}${pieces}${estimated ? " (at the gateway's prices of the time)" : ''}`;
  const credit = new Decimal(payment.credit).gt('0') ? ` and ${money(payment.credit, payment)} of credit` : '';
  const rest = sum(remainders.filter(({ outcome }) => outcome === 'paid').map(({ amount }) => amount));
  return got + credit + (rest.gt('0') ? ` and ${money(rest.toFixed(), payment)} by another payment` : '');
}

function ruleInWords({ terms, late }: Paid): string {
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
  const { invoice, terms } = payment;
  const { received, transfers } = payment.money;
  if (!transfers.some((transfer) => transfer.status !== 'failed'))
    return `No money arrived before the deadline (${invoice.expiresAt}).`;
  const got = received === null ? 'Some money' : `${money(received, payment)} of ${money(terms.amount, payment)}`;
  if (payment.clause === 'latePayment')
    return `${got} arrived, too much of it after the deadline (${invoice.expiresAt}), and the policy does not accept late money.`;
  const rule = {
    reject: 'the policy rejects a short payment',
    partial_credit: 'the policy credits what arrived to the customer',
    review: 'the policy asks a person about a short payment',
  }[terms.policy.rules.underpayment.then];
  return `Only ${received === null ? 'a part' : got} arrived before the deadline (${invoice.expiresAt}), and ${rule}.`;
}

export const reviewWords: Readonly<Record<ReviewReason, string>> = {
  amount_mismatch: 'the gateway speaks of another amount than was asked for',
  currency_mismatch: 'the gateway speaks of another currency than was asked for',
  gateway_conflict: "the gateway's own answer does not confirm its callback",
  paid_short: 'the gateway calls it paid although less arrived than the policy tolerates',
  underpaid: 'less arrived than is due',
  overpaid: 'more arrived than is due',
  late_payment: 'money arrived after the deadline',
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
  returned_already: 'the gateway accepted it by hand after its money was given back',
  refund_failed: 'a refund failed',
  refund_unknown: 'nobody knows whether a refund was sent: its answer was lost and the gateway does not list it',
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
  const { missing } = verdictOf(payment);
  return missing === null ? 'the rest' : money(missing, payment);
}

function confirmationsInWords(payment: Reportable): string {
  const { paidWhen } = payment.terms.policy.rules;
  const of = 'count' in paidWhen ? ` of ${String(paidWhen.count)}` : '';
  const counts = payment.money.transfers.map((transfer) => `${String(transfer.confirmations ?? 0)}${of}`);
  return `${counts.join(', ')} confirmations`;
}

/** What became of money beyond the price, or of a price that was not reached: a sentence for each. */
function moneySentences(payment: Payment): string[] {
  if (!isReportable(payment)) return [];
  const { kept, credits, refunds, estimated } = payment.money;
  const held = openReviewOf(payment.money);
  const aside = held && payment.status === 'paid' && !held.reasons.some((reason) => reason !== 'overpaid');
  return [
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

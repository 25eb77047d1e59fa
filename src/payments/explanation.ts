import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { showAmount } from './payment-view.js';
import { factsOf, isReportable, type Payment, type Reportable } from './payment.js';
import { isFulfillable, isHeld } from './standing.js';
import { bounds, Decimal, judge, plain, type Blocker, type ReviewReason } from './policy.js';

/** Why a payment is, or is not, complete for the business; the fields are those of the public contract. */
export interface Explanation {
  complete: boolean;
  blockedBy: Blocker | null;
  waitingOn: 'payer' | 'network' | 'gateway' | 'merchant' | 'service' | null;
  /** What is still to be paid, in the payment's currency; null where nothing is, or where it is not known. */
  missing: { amount: string; currency: string } | null;
  /** When the wait ends, or is looked at anew. */
  deadline: Instant | null;
  rule: { policy: string; version: number; clause: string };
  /** The ids of the events that prove it, oldest first. */
  evidence: string[];
  sentence: string;
}

type Core = Pick<Explanation, 'blockedBy' | 'waitingOn' | 'deadline' | 'sentence'> & { clause: string };

/** Explains a payment from its own events; it asks the same rule that decided. */
export function explain(payment: Payment, events: readonly RecordedEvent[]): Explanation {
  const { clause, ...core } = explainStatus(payment);
  const { policy } = payment.terms;
  return {
    complete: isFulfillable(payment),
    ...core,
    missing: missingOf(payment),
    rule: { policy: policy.name, version: policy.version, clause },
    evidence: events.filter((event) => proves(event.type)).map((event) => event.id),
  };
}

/** Everything but the request itself and our own tries says something of where the payment stands. */
const proves = (type: string): boolean => type !== 'PaymentRequested' && type !== 'InvoiceRetried';

function explainStatus(payment: Payment): Core {
  switch (payment.status) {
    case 'created':
      return explainCreated(payment.opening.outcome);
    case 'paid':
      return explainPaid(payment);
    case 'failed':
      return payment.reason === 'refused'
        ? {
            blockedBy: 'refused',
            waitingOn: null,
            deadline: null,
            clause: 'create',
            sentence: `The gateway refused to open this payment: ${payment.detail}.`,
          }
        : (explainHeld(payment) ?? {
            blockedBy: 'cancelled',
            waitingOn: null,
            deadline: null,
            clause: 'cancel',
            sentence: 'The payment was cancelled before any money was seen.',
          });
    case 'expired':
      return explainHeld(payment) ?? explainExpired(payment);
    case 'pending':
      return explainHeld(payment) ?? explainPending(payment);
  }
}

function explainCreated(outcome: 'unavailable' | 'unknown' | null): Core {
  const why =
    outcome === 'unavailable'
      ? 'The gateway could not be reached'
      : outcome === 'unknown'
        ? "The gateway's answer was lost"
        : 'The gateway is being asked';
  return {
    blockedBy: 'invoice_not_open',
    waitingOn: outcome === null ? 'service' : 'gateway',
    deadline: null,
    clause: 'create',
    sentence: `${why}; the payment opens by itself as soon as its invoice is known.`,
  };
}

function explainPaid(payment: Extract<Payment, { status: 'paid' }>): Core {
  const { clause, money, terms, paidAt, corroboratedAt } = payment;
  const got =
    money.received === null
      ? 'an amount vouched for by the gateway'
      : `${showAmount(money.received, terms.currency)} ${terms.currency}`;
  const paid = `Paid at ${paidAt}: ${got} of ${showAmount(terms.amount, terms.currency)} ${terms.currency} ${ruleInWords(payment)}`;
  const held = explainHeld(payment);
  if (held) return { ...held, clause };
  if (money.gatewayStatus === 'refunded' || money.gatewayStatus === 'refunding') {
    return {
      blockedBy: 'refunded',
      waitingOn: 'merchant',
      deadline: null,
      clause,
      sentence: `${paid}; the gateway has since begun to refund it.`,
    };
  }
  if (corroboratedAt === null) {
    return {
      blockedBy: 'not_corroborated',
      waitingOn: 'gateway',
      deadline: null,
      clause,
      sentence: `${paid}; fulfilment waits until the gateway's own answer confirms its callback.`,
    };
  }
  return {
    blockedBy: null,
    waitingOn: null,
    deadline: null,
    clause,
    sentence: `${paid}, and the gateway confirmed it.`,
  };
}

function ruleInWords({ terms, late }: { terms: Payment['terms']; late: boolean }): string {
  const { paidWhen } = terms.policy.rules;
  const words = {
    detected: 'were seen on the network',
    settled: 'are settled at the gateway',
    confirmations: `have ${'count' in paidWhen ? String(paidWhen.count) : ''} confirmations`,
  }[paidWhen.rule];
  return `${words}${late ? ', late, and accepted by the late-payment rule' : ''}`;
}

function explainExpired(payment: Extract<Payment, { status: 'expired' }>): Core {
  const { money, terms, invoice } = payment;
  const some = money.transfers.some((transfer) => transfer.status !== 'failed');
  const got =
    money.received === null
      ? 'Some money'
      : `Only ${showAmount(money.received, terms.currency)} of ${showAmount(terms.amount, terms.currency)} ${terms.currency}`;
  const sentence = some
    ? `${got} arrived before the deadline (${invoice.expiresAt}), and the policy rejects a short payment.`
    : `No money arrived before the deadline (${invoice.expiresAt}).`;
  return { blockedBy: 'expired', waitingOn: null, deadline: null, clause: payment.clause, sentence };
}

const reviewWords: Readonly<Record<ReviewReason, string>> = {
  amount_mismatch: 'the gateway speaks of another amount than was asked for',
  currency_mismatch: 'the gateway speaks of another currency than was asked for',
  gateway_conflict: "the gateway's own answer does not confirm its callback",
  paid_short: 'the gateway calls it paid although less arrived than the policy tolerates',
  underpaid: 'less arrived than is due',
  overpaid: 'more arrived than is due',
  late_payment: 'money arrived after the deadline',
  late_outside_window: 'money arrived after the window for late payment',
  expired_with_money: 'the gateway closed it although enough money is there',
  worth_unknown: "nobody said what the late money is worth in the payment's currency",
  money_after_cancel: 'money arrived after it was cancelled',
  order_taken: 'enough money arrived, but another payment of the order is open or paid',
  refunded_unpaid: 'the gateway refunds a payment that was never paid',
  gateway_failed: 'the gateway reports a failure that its documentation does not define',
  no_final_word: 'the gateway never gave a final word',
};

function explainHeld(payment: Payment): Core | null {
  if (!('money' in payment) || !isHeld(payment)) return null;
  const reasons = payment.money.review?.reasons ?? [];
  const why = reasons.map((reason) => reviewWords[reason]).join('; ');
  const clause = isReportable(payment) ? judge(factsOf(payment)).clause : 'review';
  return {
    blockedBy: 'in_review',
    waitingOn: 'merchant',
    deadline: null,
    clause,
    sentence: `A person has to decide: ${why}.`,
  };
}

function explainPending(payment: Extract<Payment, { status: 'pending' }>): Core {
  const { blockedBy, waitingOn, clause } = judge(factsOf(payment));
  const deadline = payment.invoice.expiresAt;
  return { blockedBy, waitingOn, deadline, clause, sentence: pendingSentence(payment, blockedBy, deadline) };
}

function pendingSentence(payment: Reportable, blockedBy: Blocker | null, deadline: Instant): string {
  const { terms, money } = payment;
  const short = missingOf(payment);
  switch (blockedBy) {
    case 'no_money_seen':
      return `No transfer was seen yet; the payer has until ${deadline} to send ${showAmount(terms.amount, terms.currency)} ${terms.currency}.`;
    case 'amount_missing':
      return `${showAmount(money.received ?? '0', terms.currency)} of ${showAmount(terms.amount, terms.currency)} ${terms.currency} arrived; ${short?.amount ?? 'the rest'} ${terms.currency} is missing until ${deadline}.`;
    case 'worth_unknown':
      return "Money was seen, but nobody has said yet what it is worth in the payment's currency; the gateway's verdict decides.";
    case 'confirmations_missing':
      return `The money was seen and waits for confirmations: ${confirmationsInWords(payment)}.`;
    case 'gateway_not_settled':
      return `The whole amount was seen (${confirmationsInWords(payment)}) and waits until the gateway calls it settled.`;
    default:
      return 'The payment waits for the gateway.';
  }
}

function confirmationsInWords(payment: Reportable): string {
  const { paidWhen } = payment.terms.policy.rules;
  const of = 'count' in paidWhen ? ` of ${String(paidWhen.count)}` : '';
  const counts = payment.money.transfers.map((transfer) => `${String(transfer.confirmations ?? 0)}${of}`);
  return `${counts.join(', ')} confirmations`;
}

function missingOf(payment: Payment): Explanation['missing'] {
  const { terms } = payment;
  if (payment.status === 'paid' || payment.status === 'failed') return null;
  if (payment.status === 'created')
    return { amount: showAmount(terms.amount, terms.currency), currency: terms.currency };
  if (payment.money.received === null) return null;
  const received = new Decimal(payment.money.received);
  if (received.gte(bounds(terms).enough)) return null;
  return {
    amount: showAmount(plain(new Decimal(terms.amount).minus(received)), terms.currency),
    currency: terms.currency,
  };
}

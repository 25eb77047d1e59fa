import { Big, type BigConstructor } from 'big.js';
import { addSeconds, type Instant } from '../kernel/clock.js';
import { decimalsOf } from '../kernel/money.js';
import type { GatewayStatus } from './payment-gateway.js';

/** Exact decimals that refuse a JavaScript number; division keeps 40 places. */
export const Decimal: BigConstructor = Big();
Decimal.strict = true;
Decimal.DP = 40;

/** The versioned rule that says when a payment is complete, and what happens to money that is short, over or late. */
export interface PolicyRules {
  paidWhen: { rule: 'detected' } | { rule: 'settled' } | { rule: 'confirmations'; count: number };
  underpayment: { tolerancePercent: string; then: 'reject' | 'partial_credit' | 'review' };
  overpayment: { tolerancePercent: string; then: 'credit' | 'refund' | 'review' | 'keep' };
  /** `window` is an ISO 8601 duration of whole days, hours and minutes (`P3D`, `PT72H`). */
  latePayment: { window: string; then: 'accept' | 'credit' | 'refund' | 'review' };
}

/** A policy as a payment carries it from its first event on: later versions never change a running payment. */
export interface PinnedPolicy {
  name: string;
  version: number;
  rules: PolicyRules;
}

export const defaultPolicy: PinnedPolicy = {
  name: 'default',
  version: 1,
  rules: {
    paidWhen: { rule: 'settled' },
    underpayment: { tolerancePercent: '0', then: 'reject' },
    overpayment: { tolerancePercent: '0', then: 'credit' },
    latePayment: { window: 'PT72H', then: 'review' },
  },
};

const duration = /^P(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?)?$/;

/** Seconds of an ISO 8601 duration of days, hours and minutes; null where it is not one, or is empty. */
export function durationSeconds(text: string): number | null {
  const match = duration.exec(text);
  if (!match || !/\d/.test(text) || text.endsWith('T')) return null;
  const [days, hours, minutes] = [match[1], match[2], match[3]].map((part) => parseInt(part ?? '0', 10));
  return ((days ?? 0) * 24 * 60 + (hours ?? 0) * 60 + (minutes ?? 0)) * 60;
}

/** One on-chain transaction toward a payment: the union of what the witnesses said of it. */
export interface Transfer {
  /** Unique within the payment. */
  key: string;
  txHash: string;
  status: 'confirming' | 'confirmed' | 'failed';
  currency: string;
  network: string;
  address: string | null;
  sentAmount: string;
  receivedAmount: string | null;
  /** Worth in US dollars where the gateway gave it. */
  valueUsd: string | null;
  confirmations: number | null;
  /** The gateway's time where it gave one, else when we first heard of it. */
  firstSeenAt: Instant;
}

/** What is known of the money of one payment: all that a verdict may look at, beside the policy. */
export interface Facts {
  amount: string;
  currency: string;
  policy: PinnedPolicy;
  /** The gateway's deadline for the payer. */
  deadline: Instant;
  gatewayStatus: GatewayStatus | null;
  /** Worth of the amount due in US dollars, where the gateway gave it. */
  valueUsd: string | null;
  transfers: readonly Transfer[];
  /** Claims about amount or currency that differ from what we asked for. */
  contradictions: readonly Contradiction[];
  /** Whether the payment is closed already, by the deadline or by the application. */
  closed: 'expired' | 'cancelled' | null;
}

export interface Contradiction {
  kind: 'amount' | 'currency' | 'order';
  expected: string;
  reported: string;
}

export const reviewReasons = [
  'amount_mismatch',
  'currency_mismatch',
  'gateway_conflict',
  'paid_short',
  'underpaid',
  'overpaid',
  'late_payment',
  'late_outside_window',
  'expired_with_money',
  'worth_unknown',
  'money_after_cancel',
  'order_taken',
  'refunded_unpaid',
  'gateway_failed',
  'no_final_word',
] as const;
/** Why a person has to look at a payment. */
export type ReviewReason = (typeof reviewReasons)[number];

/** Too much money never holds up the goods; missing, late or contradicted money does (contract, policy section). */
export const holdsFulfillment = (reason: ReviewReason): boolean => reason !== 'overpaid';

/** What a payment waits for, as a code that support can look up. */
export type Blocker =
  | 'invoice_not_open'
  | 'no_money_seen'
  | 'amount_missing'
  | 'worth_unknown'
  | 'confirmations_missing'
  | 'gateway_not_settled'
  | 'not_corroborated'
  | 'in_review'
  | 'expired'
  | 'cancelled'
  | 'refused'
  | 'refunded';

export interface Verdict {
  /** What follows for the payment now; `wait` changes nothing. */
  conclusion: 'paid' | 'expire' | 'review' | 'wait';
  /** Whether money after the deadline was needed to complete it. */
  late: boolean;
  reasons: ReviewReason[];
  blockedBy: Blocker | null;
  waitingOn: 'payer' | 'network' | 'gateway' | 'merchant' | null;
  /** The clause of the policy that decided, as a path into it. */
  clause: string;
}

/** Sums in the invoice's currency. Null where the worth of a transfer in that currency is not known. */
export interface Assessment {
  received: string | null;
  /** received − due, signed. */
  delta: string | null;
}

const counted = (transfer: Transfer): boolean => transfer.status !== 'failed';

type Worth = Pick<Facts, 'amount' | 'currency' | 'valueUsd' | 'gatewayStatus'>;

/**
 * What the counted transfers are worth in the invoice's currency: their own units where they are in that currency, the
 * gateway's US-dollar worth otherwise, never its `rate` (it is 1 in a captured sandbox callback for BTC). Worth that
 * went through dollars is compared at the currency's minor unit, where the gateway's own rounding ends.
 */
export function worthOf(transfers: readonly Transfer[], facts: Worth): Big | null {
  const sent = transfers.filter(counted);
  const own = sum(
    sent.filter((transfer) => transfer.currency === facts.currency).map((transfer) => transfer.sentAmount),
  );
  const others = sent.filter((transfer) => transfer.currency !== facts.currency);
  if (others.length === 0) return own;
  const dollars: string[] = [];
  for (const { valueUsd } of others) {
    if (valueUsd === null) return null;
    dollars.push(valueUsd);
  }
  const converted = fromDollars(sum(dollars), facts);
  return converted === null ? null : own.plus(converted);
}

function fromDollars(dollars: Big, facts: Worth): Big | null {
  if (facts.currency === 'USD') return dollars.round(2, Decimal.roundHalfUp);
  if (facts.valueUsd === null) return null;
  const whole = new Decimal(facts.valueUsd);
  if (whole.lte('0')) return null;
  const amount = new Decimal(facts.amount);
  if (dollars.round(2, Decimal.roundHalfUp).eq(whole.round(2, Decimal.roundHalfUp))) {
    // Whether `value` means the worth of what is due or of what has come so far is not documented: while money still
    // comes the two readings differ, so only the gateway's verdict makes it the whole amount.
    return settled(facts.gatewayStatus) ? amount : null;
  }
  return dollars
    .times(amount)
    .div(whole)
    .round(Math.min(decimalsOf(facts.currency), 8), Decimal.roundHalfUp);
}

const sum = (amounts: readonly string[]): Big =>
  amounts.reduce((total, amount) => total.plus(amount), new Decimal('0'));

/** Plain notation, no exponent, no trailing zeros. */
export const plain = (value: Big): string => value.toFixed();

export function assess(facts: Facts): Assessment {
  const received = worthOf(facts.transfers, facts);
  if (received === null) return { received: null, delta: null };
  return { received: plain(received), delta: plain(received.minus(facts.amount)) };
}

/** The least that counts as the whole amount, and the most that is not too much. */
export function bounds(facts: Pick<Facts, 'amount' | 'policy'>): { enough: Big; tooMuch: Big } {
  const due = new Decimal(facts.amount);
  const share = (percent: string): Big => due.times(percent).div('100');
  return {
    enough: due.minus(share(facts.policy.rules.underpayment.tolerancePercent)),
    tooMuch: due.plus(share(facts.policy.rules.overpayment.tolerancePercent)),
  };
}

type Sufficiency = 'none' | 'short' | 'enough' | 'unknown';

export function sufficiency(transfers: readonly Transfer[], facts: Facts): Sufficiency {
  const some = transfers.filter(counted);
  if (some.length === 0) return 'none';
  const worth = worthOf(some, facts);
  if (worth === null) return 'unknown';
  return worth.gte(bounds(facts).enough) ? 'enough' : 'short';
}

/** The gateway's word for "fully paid": nothing else counts as money there. */
export const settled = (status: GatewayStatus | null): boolean => status === 'paid' || status === 'manual_accept';

/**
 * The one rule: is this payment complete, and if not, why not? The decision and the explanation both ask here.
 *
 * `manual_accept` waives the amount (a person at the gateway accepted what there is); `paid` does not: a gateway that
 * calls a short payment paid beyond the tolerance that we sent it is contradicting itself, which a person must see.
 */
export function judge(facts: Facts): Verdict {
  const contradiction = facts.contradictions[0];
  if (contradiction) {
    return review('gateway', 'corroboration', [contradictionReason(contradiction)]);
  }
  if (facts.closed === 'cancelled') return judgeCancelled(facts);
  if (facts.gatewayStatus === 'manual_accept') return verdict({ conclusion: 'paid', clause: 'paidWhen' });
  if (facts.gatewayStatus === 'refunding' || facts.gatewayStatus === 'refunded') {
    return review('merchant', 'paidWhen', ['refunded_unpaid']);
  }
  if (facts.gatewayStatus === 'failed') return review('merchant', 'paidWhen', ['gateway_failed']);
  const inTime = facts.transfers.filter((transfer) => !isLate(transfer, facts));
  const isLateMoney = facts.closed === 'expired' || inTime.length < facts.transfers.length;
  if (isLateMoney && sufficiency(inTime, facts) !== 'enough') return judgeLate(facts, inTime);
  if (facts.closed === 'expired') {
    return settled(facts.gatewayStatus) || facts.transfers.some(counted) ? judgeLate(facts, inTime) : ended();
  }
  return judgeInTime(facts, facts.transfers);
}

const contradictionReason = (contradiction: Contradiction): ReviewReason =>
  contradiction.kind === 'amount'
    ? 'amount_mismatch'
    : contradiction.kind === 'currency'
      ? 'currency_mismatch'
      : 'gateway_conflict';

/** Whether a transfer was first seen after the deadline. */
export const isLate = (transfer: Transfer, facts: Pick<Facts, 'deadline'>): boolean =>
  transfer.firstSeenAt > facts.deadline;

function judgeInTime(facts: Facts, transfers: readonly Transfer[]): Verdict {
  const met = ruleMet(facts, transfers);
  if (met.conclusion !== 'wait') return met;
  return gatewayEnded(facts) ? judgeEnded(facts, transfers) : met;
}

/** The paidWhen clause over money that may count. */
function ruleMet(facts: Facts, transfers: readonly Transfer[]): Verdict {
  const { paidWhen } = facts.policy.rules;
  const clause = 'paidWhen';
  const seen = sufficiency(transfers, facts);
  if (facts.gatewayStatus === 'paid' && seen === 'short') return review('merchant', clause, ['paid_short']);
  if (paidWhen.rule !== 'confirmations' && facts.gatewayStatus === 'paid')
    return verdict({ conclusion: 'paid', clause });
  if (seen === 'none' && facts.gatewayStatus !== 'paid') return waiting('no_money_seen', 'payer', clause);
  if (seen === 'short') return waiting('amount_missing', 'payer', 'underpayment');
  if (paidWhen.rule === 'confirmations') return confirmationsMet(facts, transfers, paidWhen.count);
  if (seen === 'unknown') return waiting('worth_unknown', 'gateway', clause);
  if (paidWhen.rule === 'detected') return verdict({ conclusion: 'paid', clause });
  const unconfirmed = transfers.some((transfer) => transfer.status === 'confirming');
  return waiting('gateway_not_settled', unconfirmed ? 'network' : 'gateway', clause);
}

function confirmationsMet(facts: Facts, transfers: readonly Transfer[], count: number): Verdict {
  const deep = transfers.filter((transfer) => (transfer.confirmations ?? 0) >= count);
  const enough = sufficiency(deep, facts);
  // The gateway's own verdict stands in for a worth that nobody gave, never for missing confirmations.
  const worthVouchedFor =
    enough === 'unknown' && facts.gatewayStatus === 'paid' && deep.length === transfers.filter(counted).length;
  if (enough === 'enough' || worthVouchedFor) return verdict({ conclusion: 'paid', clause: 'paidWhen' });
  if (enough === 'unknown') return waiting('worth_unknown', 'gateway', 'paidWhen');
  return waiting('confirmations_missing', 'network', 'paidWhen');
}

/** The gateway closed it at the deadline. */
function judgeEnded(facts: Facts, transfers: readonly Transfer[]): Verdict {
  const seen = sufficiency(transfers, facts);
  if (seen === 'none') return verdict({ conclusion: 'expire', blockedBy: 'expired', clause: 'paidWhen' });
  const contradicted = seen === 'enough' || (seen === 'unknown' && facts.gatewayStatus === 'expired');
  if (contradicted) return review('merchant', 'paidWhen', ['expired_with_money']);
  if (facts.policy.rules.underpayment.then === 'review') return review('merchant', 'underpayment', ['underpaid']);
  return expireShort(facts);
}

/** Expires short of money. Crediting the part that came is not automatic yet, so a person is asked to. */
function expireShort(facts: Facts): Verdict {
  const reasons: ReviewReason[] = facts.policy.rules.underpayment.then === 'partial_credit' ? ['underpaid'] : [];
  return verdict({ conclusion: 'expire', blockedBy: 'expired', clause: 'underpayment', reasons });
}

/** Money after the deadline was needed, or came after the payment was closed. */
function judgeLate(facts: Facts, inTime: readonly Transfer[]): Verdict {
  const { window, then } = facts.policy.rules.latePayment;
  const clause = 'latePayment';
  const open = facts.closed === null;
  const late = facts.transfers.filter((transfer) => counted(transfer) && !inTime.includes(transfer));
  const end = addSeconds(facts.deadline, durationSeconds(window) ?? 0);
  // Money dated in time that is heard of only now counts as it would have then.
  if (late.length === 0 && !settled(facts.gatewayStatus))
    return open ? judgeInTime(facts, inTime) : judgeEnded(facts, inTime);
  if (late.some((transfer) => transfer.firstSeenAt > end)) return lateReview(facts, inTime, 'late_outside_window');
  if (then !== 'accept') return lateReview(facts, inTime, 'late_payment');
  const seen = sufficiency(facts.transfers, facts);
  if (seen === 'short') return lateButShort(facts, inTime);
  // The gateway gives no verdict on what it has closed, so nobody but a person can say what this money is worth.
  if (seen === 'unknown' && !settled(facts.gatewayStatus) && (!open || gatewayEnded(facts)))
    return lateReview(facts, inTime, 'worth_unknown');
  const met = ruleMet(facts, facts.transfers);
  // A gateway that closed the invoice may never call it paid, so confirmed money is settled enough here.
  const confirmed = facts.transfers.filter(counted).every((transfer) => transfer.status === 'confirmed');
  const accepted = met.conclusion === 'paid' || (met.blockedBy === 'gateway_not_settled' && confirmed);
  return accepted ? verdict({ conclusion: 'paid', clause, late: true }) : { ...met, late: true };
}

const gatewayEnded = (facts: Facts): boolean =>
  facts.gatewayStatus === 'expired' || facts.gatewayStatus === 'underpaid';

/** A person decides about the late money; what the money in time comes to is concluded beside it. */
function lateReview(facts: Facts, inTime: readonly Transfer[], reason: ReviewReason): Verdict {
  const found = review('merchant', 'latePayment', [reason], true);
  if (facts.closed !== null || !gatewayEnded(facts)) return found;
  const ended = judgeEnded(facts, inTime);
  return { ...found, conclusion: ended.conclusion, reasons: [...ended.reasons, reason] };
}

/** Late money is accepted, and there is still too little. */
function lateButShort(facts: Facts, inTime: readonly Transfer[]): Verdict {
  if (facts.closed === null && !gatewayEnded(facts))
    return { ...waiting('amount_missing', 'payer', 'underpayment'), late: true };
  if (facts.policy.rules.underpayment.then !== 'review') return { ...expireShort(facts), late: true };
  return lateReview(facts, inTime, 'underpaid');
}

function judgeCancelled(facts: Facts): Verdict {
  const money = facts.transfers.some(counted) || settled(facts.gatewayStatus);
  return money
    ? review('merchant', 'latePayment', ['money_after_cancel'], true)
    : verdict({ conclusion: 'wait', blockedBy: 'cancelled', clause: 'cancel' });
}

const ended = (): Verdict => verdict({ conclusion: 'wait', blockedBy: 'expired', clause: 'paidWhen' });

const verdict = (parts: Partial<Verdict> & Pick<Verdict, 'conclusion' | 'clause'>): Verdict => ({
  late: false,
  reasons: [],
  blockedBy: null,
  waitingOn: null,
  ...parts,
});

const waiting = (blockedBy: Blocker, waitingOn: Verdict['waitingOn'], clause: string): Verdict =>
  verdict({ conclusion: 'wait', blockedBy, waitingOn, clause });

const review = (waitingOn: Verdict['waitingOn'], clause: string, reasons: ReviewReason[], late = false): Verdict =>
  verdict({ conclusion: 'review', blockedBy: 'in_review', waitingOn, clause, reasons, late });

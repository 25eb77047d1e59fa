import { addSeconds, type Instant } from '../kernel/clock.js';
import { Decimal, plain } from './decimal.js';
import type { ReviewReason } from './review-reasons.js';
import { counted, nearlyEnough, settled, worthOf, type Transfer, type WorthFacts } from './worth.js';

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

/** What is known of the money of one payment: all that a verdict may look at, beside the policy. */
export interface Facts extends WorthFacts {
  policy: PinnedPolicy;
  /** The gateway's deadline for the payer. */
  deadline: Instant;
  transfers: readonly Transfer[];
  /** Claims about amount or currency that differ from what we asked for. */
  contradictions: readonly Contradiction[];
  /** Whether the payment is closed already: by the deadline, by the application, or by a person's decision. */
  closed: 'expired' | 'cancelled' | 'rejected' | null;
  /** What was given back of the money for the price, as credit or by refunds that did not fail. */
  returned: string;
  /** Whether there is a customer to credit, and an address to refund to. */
  creditable: boolean;
  refundable: boolean;
  /** Whether another payment for the missing part is open, or has paid it. */
  remainder: 'open' | 'paid' | null;
}

export interface Contradiction {
  kind: 'amount' | 'currency' | 'order';
  expected: string;
  reported: string;
}

/** What a payment waits for, as a code that support can look up. */
export type Blocker =
  | 'invoice_not_open'
  | 'no_money_seen'
  | 'amount_missing'
  | 'worth_unknown'
  | 'confirmations_missing'
  | 'gateway_not_settled'
  | 'not_corroborated'
  | 'late_not_accepted'
  | 'remainder_open'
  | 'part_of_another'
  | 'not_credited'
  | 'in_review'
  | 'expired'
  | 'cancelled'
  | 'rejected'
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
  /** Whether prices that were looked up had to stand in for what the gateway did not say. */
  estimated: boolean;
}

export function assess(facts: Facts): Assessment {
  const received = worthOf(facts.transfers, facts);
  if (received === null) return { received: null, delta: null, estimated: false };
  const { amount, estimated } = received;
  return { received: plain(amount), delta: plain(amount.minus(facts.amount)), estimated };
}

/** The least that counts as the whole amount, and the most that is not too much. */
export function bounds(facts: Pick<Facts, 'amount' | 'policy'>): { enough: Decimal; tooMuch: Decimal } {
  const due = new Decimal(facts.amount);
  const share = (percent: string): Decimal => due.times(percent).div('100');
  return {
    enough: due.minus(share(facts.policy.rules.underpayment.tolerancePercent)),
    tooMuch: due.plus(share(facts.policy.rules.overpayment.tolerancePercent)),
  };
}

type Sufficiency = 'none' | 'short' | 'enough' | 'unknown';

/** Money whose worth nobody knows takes nothing away from the rest. */
const knownWorth = (transfers: readonly Transfer[], facts: Facts): Decimal =>
  worthOf(
    transfers.filter((transfer) => worthOf([transfer], facts) !== null),
    facts,
  )?.amount ?? new Decimal('0');

/** Money that was given back pays for nothing. */
export function sufficiency(transfers: readonly Transfer[], facts: Facts): Sufficiency {
  const some = transfers.filter(counted);
  if (some.length === 0) return new Decimal(facts.amount).lte('0') ? 'enough' : 'none';
  const { enough } = bounds(facts);
  const worth = worthOf(some, facts);
  if (worth === null) return knownWorth(some, facts).minus(facts.returned).gte(enough) ? 'enough' : 'unknown';
  if (worth.amount.minus(facts.returned).gte(enough)) return 'enough';
  // Where an estimate leaves it open, the gateway's word decides.
  return nearlyEnough(worth, enough) && facts.gatewayStatus !== 'underpaid' ? 'unknown' : 'short';
}

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
  if (facts.closed === 'cancelled' || facts.closed === 'rejected') return judgeClosed(facts, facts.closed);
  if (facts.gatewayStatus === 'manual_accept') return judgeAccepted(facts);
  if (facts.gatewayStatus === 'refunding' || facts.gatewayStatus === 'refunded') {
    return review('merchant', 'paidWhen', ['refunded_unpaid']);
  }
  if (facts.gatewayStatus === 'failed') return review('merchant', 'paidWhen', ['gateway_failed']);
  // The gateway knows nothing of another payment's money and will never call this one paid.
  if (facts.remainder === 'paid' && isCompleted(facts)) return verdict({ conclusion: 'paid', clause: 'underpayment' });
  const inTime = facts.transfers.filter((transfer) => !isLate(transfer, facts));
  const isLateMoney = facts.closed === 'expired' || inTime.length < facts.transfers.length;
  if (isLateMoney && sufficiency(inTime, facts) !== 'enough') return judgeLate(facts, inTime);
  if (facts.closed === 'expired') {
    return settled(facts.gatewayStatus) || facts.transfers.some(counted) ? judgeLate(facts, inTime) : ended();
  }
  return judgeInTime(facts, acceptable(facts.transfers, facts));
}

/** Whether the money that counts is enough and confirmed. */
const isCompleted = (facts: Facts): boolean => isConfirmed(acceptable(facts.transfers, facts), facts);

/** The transfers that the policy lets count toward the price: those in time, and late ones where it accepts them. */
export const acceptable = (
  transfers: readonly Transfer[],
  facts: Pick<Facts, 'deadline' | 'policy'>,
): readonly Transfer[] =>
  transfers.filter(
    (transfer) =>
      !isLate(transfer, facts) ||
      (facts.policy.rules.latePayment.then === 'accept' && transfer.firstSeenAt <= windowEnd(facts)),
  );

/** A person at the gateway accepted what there is; what was given back meanwhile is not there any more. */
function judgeAccepted(facts: Facts): Verdict {
  const creditReturned = new Decimal(facts.amount).gt(facts.invoiced);
  const lacking = creditReturned && sufficiency(facts.transfers, facts) !== 'enough';
  return new Decimal(facts.returned).gt('0') || lacking
    ? review('merchant', 'paidWhen', ['returned_already'])
    : verdict({ conclusion: 'paid', clause: 'paidWhen' });
}

const contradictionReason = (contradiction: Contradiction): ReviewReason =>
  contradiction.kind === 'amount'
    ? 'amount_mismatch'
    : contradiction.kind === 'currency'
      ? 'currency_mismatch'
      : 'gateway_conflict';

/** When the window for late money closes. */
export const windowEnd = (facts: Pick<Facts, 'deadline' | 'policy'>): Instant =>
  addSeconds(facts.deadline, durationSeconds(facts.policy.rules.latePayment.window) ?? 0);

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
  // The gateway speaks of what its invoice asks for: where credit went back since, more than that is due.
  if (facts.gatewayStatus === 'paid' && seen !== 'enough' && new Decimal(facts.amount).gt(facts.invoiced))
    return review('merchant', clause, ['worth_unknown']);
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

/** Whether enough of it is confirmed; more that is on its way takes nothing from that. */
const isConfirmed = (transfers: readonly Transfer[], facts: Facts): boolean =>
  sufficiency(
    transfers.filter((transfer) => transfer.status === 'confirmed'),
    facts,
  ) === 'enough';

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
  if (facts.remainder === 'open' && facts.closed === null) return waiting('remainder_open', 'payer', 'underpayment');
  if (facts.policy.rules.underpayment.then === 'review') return review('merchant', 'underpayment', ['underpaid']);
  return expireShort(facts, seen);
}

/** Expires short of money. Where the part that came is to be credited and cannot be, a person is told why. */
function expireShort(facts: Facts, seen: Sufficiency): Verdict {
  const expired = { conclusion: 'expire', blockedBy: 'expired', clause: 'underpayment' } as const;
  if (facts.policy.rules.underpayment.then !== 'partial_credit') return verdict(expired);
  if (!facts.creditable) return verdict({ ...expired, reasons: ['underpaid', 'no_customer'] });
  return verdict({ ...expired, reasons: seen === 'unknown' ? ['underpaid', 'worth_unknown'] : [] });
}

/** Money after the deadline was needed, or came after the payment was closed. */
function judgeLate(facts: Facts, inTime: readonly Transfer[]): Verdict {
  const { then } = facts.policy.rules.latePayment;
  const late = facts.transfers.filter((transfer) => counted(transfer) && !inTime.includes(transfer));
  // Money dated in time that is heard of only now counts as it would have then.
  if (late.length === 0 && !settled(facts.gatewayStatus))
    return facts.closed === null ? judgeInTime(facts, inTime) : judgeEnded(facts, inTime);
  const end = windowEnd(facts);
  const within = facts.transfers.filter((transfer) => transfer.firstSeenAt <= end);
  const outside = late.some((transfer) => transfer.firstSeenAt > end);
  // The gateway calls it paid, and nobody can say yet whether it took money to be that the policy does not.
  const undecided = facts.closed === null && settled(facts.gatewayStatus) && (outside || then !== 'accept');
  if (undecided && sufficiency(then === 'accept' ? within : inTime, facts) === 'unknown')
    return review('merchant', 'latePayment', ['worth_unknown'], true);
  if (outside) return judgeOutside(facts, inTime, within);
  if (then === 'review') return lateReview(facts, inTime, 'late_payment');
  return then === 'accept' ? judgeAcceptedLate(facts, inTime) : lateNotAccepted(facts, inTime, then);
}

/** What came after the window adds nothing to the price, and takes nothing from what had completed it before. */
function judgeOutside(facts: Facts, inTime: readonly Transfer[], within: readonly Transfer[]): Verdict {
  const completed = facts.policy.rules.latePayment.then === 'accept' && sufficiency(within, facts) === 'enough';
  const met = completed ? judgeLate({ ...facts, transfers: within }, inTime) : null;
  return met?.conclusion === 'paid' ? met : lateReview(facts, inTime, 'late_outside_window');
}

/** The policy accepts late money: it counts as if it had come in time. */
function judgeAcceptedLate(facts: Facts, inTime: readonly Transfer[]): Verdict {
  const seen = sufficiency(facts.transfers, facts);
  if (seen === 'short') return lateButShort(facts, inTime);
  // The gateway gives no verdict on what it has closed, so nobody but a person can say what this money is worth.
  if (seen === 'unknown' && !settled(facts.gatewayStatus) && (facts.closed !== null || gatewayEnded(facts)))
    return lateReview(facts, inTime, 'worth_unknown');
  const met = ruleMet(facts, facts.transfers);
  // A gateway that closed the invoice may never call it paid, so confirmed money is settled enough here.
  const accepted =
    met.conclusion === 'paid' || (met.blockedBy === 'gateway_not_settled' && isConfirmed(facts.transfers, facts));
  return accepted ? verdict({ conclusion: 'paid', clause: 'latePayment', late: true }) : { ...met, late: true };
}

const gatewayEnded = (facts: Facts): boolean =>
  facts.gatewayStatus === 'expired' || facts.gatewayStatus === 'underpaid';

/** A person decides about the late money; what the money in time comes to is concluded beside it. */
function lateReview(facts: Facts, inTime: readonly Transfer[], reason: ReviewReason): Verdict {
  const found = review('merchant', 'latePayment', [reason], true);
  if (facts.closed === null && !gatewayEnded(facts) && !settled(facts.gatewayStatus)) return found;
  const ended = judgeEnded(facts, inTime);
  const conclusion = facts.closed === null ? ended.conclusion : found.conclusion;
  return { ...found, conclusion, reasons: [...ended.reasons, reason] };
}

/** The policy gives late money back, so that only what came in time can complete the payment. */
function lateNotAccepted(facts: Facts, inTime: readonly Transfer[], then: 'credit' | 'refund'): Verdict {
  const clause = 'latePayment';
  const lacking: ReviewReason | null =
    then === 'credit' ? (facts.creditable ? null : 'no_customer') : facts.refundable ? null : 'no_refund_address';
  const known = worthOf(facts.transfers, facts) !== null;
  const reasons: ReviewReason[] = [
    ...(lacking ? (['late_payment', lacking] as const) : []),
    ...(known ? [] : (['worth_unknown'] as const)),
  ];
  const over = { blockedBy: 'expired', clause, late: true } as const;
  if (facts.closed !== null) {
    const beside = judgeEnded(facts, inTime).reasons;
    return verdict({ ...over, conclusion: 'wait', reasons: [...beside, ...reasons] });
  }
  if (!gatewayEnded(facts) && !settled(facts.gatewayStatus))
    return { ...waiting('late_not_accepted', 'gateway', clause), late: true };
  const ended = judgeEnded(facts, inTime);
  const all = [...ended.reasons, ...reasons];
  // What it still waits for is the payment that collects the rest.
  return ended.conclusion === 'wait'
    ? { ...ended, reasons: all }
    : verdict({ ...over, conclusion: ended.conclusion, reasons: all });
}

/** Late money is accepted, and there is still too little. */
function lateButShort(facts: Facts, inTime: readonly Transfer[]): Verdict {
  if (facts.closed === null && !gatewayEnded(facts))
    return { ...waiting('amount_missing', 'payer', 'underpayment'), late: true };
  if (facts.closed === null && facts.remainder === 'open')
    return { ...waiting('remainder_open', 'payer', 'underpayment'), late: true };
  if (facts.policy.rules.underpayment.then !== 'review') return { ...expireShort(facts, 'short'), late: true };
  return lateReview(facts, inTime, 'underpaid');
}

function judgeClosed(facts: Facts, closed: 'cancelled' | 'rejected'): Verdict {
  const money = facts.transfers.some(counted) || settled(facts.gatewayStatus);
  return money
    ? review('merchant', 'latePayment', ['money_after_cancel'], true)
    : verdict({ conclusion: 'wait', blockedBy: closed, clause: closed === 'cancelled' ? 'cancel' : 'review' });
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

import { addMinutes, type Instant } from '../kernel/clock.js';
import type { ReportedTransfer } from './payment-gateway.js';
import { Decimal, least } from './decimal.js';
import type { Transfer } from './worth.js';

/** When a payment was asked for, and when something is heard of it. */
interface Life {
  since: Instant;
  now: Instant;
  /** Whether the gateway was asked: then what it calls confirmed is vouched for. */
  answered?: boolean;
}

/**
 * Unites what one report says of the transfers with what is already known, and returns only what is new or changed.
 *
 * A transaction hash alone identifies nothing: it may be empty, a placeholder, or pay the same address twice. So the
 * transfers under one hash and coin are matched by the amount that was sent; those left over on both sides are taken
 * for the same one described differently, and only what exceeds the known ones is new. Reports may be cumulative or
 * may name the newest transfer alone; both end in the same union.
 */
export function uniteTransfers(
  known: readonly Transfer[],
  reported: readonly ReportedTransfer[],
  life: Life,
): Transfer[] {
  const { pairs, others } = pair(known, reported);
  const changed: Transfer[] = [];
  for (const [transfer, report] of pairs) pushIfChanged(changed, transfer, report, life);
  const taken = new Set(known.map((transfer) => transfer.key));
  return [...changed, ...others.map((report) => firstSight(report, taken, life))];
}

/** Which of the known transfers a report calls confirmed, for what is known of their amounts. */
export const confirmedIn = (known: readonly Transfer[], reported: readonly ReportedTransfer[]): Transfer[] =>
  pair(known, reported)
    .pairs.filter(
      ([transfer, report]) =>
        report.status === 'confirmed' && transfer.status === 'confirmed' && !isLess(transfer, report),
    )
    .map(([transfer]) => transfer);

/** What an answer calls a transfer's amount may be what was sent, or what is left after a fee of some percent. */
const feeAtMost = '0.05';

/** Whether a report tells of a transaction that is known, and of clearly less money in it. */
export const tellsOfLess = (known: readonly Transfer[], reported: readonly ReportedTransfer[]): boolean =>
  pair(known, reported).pairs.some(([transfer, report]) => isLess(transfer, report));

function isLess(transfer: Transfer, report: ReportedTransfer): boolean {
  const told = least(new Decimal(transfer.receivedAmount ?? transfer.sentAmount), new Decimal(transfer.sentAmount));
  return new Decimal(report.sentAmount).lt(told.minus(told.times(feeAtMost)));
}

/** What a transfer is told from others by. */
type Told = Pick<Transfer, 'txHash' | 'currency' | 'sentAmount' | 'receivedAmount'>;

/** Which known transfer each reported one is; `others` are new. */
export function pair<T extends Told>(
  known: readonly T[],
  reported: readonly ReportedTransfer[],
): { pairs: [T, ReportedTransfer][]; others: ReportedTransfer[] } {
  const pairs: [T, ReportedTransfer][] = [];
  const free = [...known];
  const take = (reports: readonly ReportedTransfer[], fits: typeof describesSame): ReportedTransfer[] =>
    reports.filter((report) => {
      const index = free.findIndex((transfer) => fits(transfer, report));
      const [transfer] = index < 0 ? [] : free.splice(index, 1);
      if (transfer) pairs.push([transfer, report]);
      return transfer === undefined;
    });
  // What is told exactly as it is known goes first: what was received of one may be what was sent by another.
  const inexact = take(reported, (transfer, report) => sameHash(transfer, report) && sameSent(transfer, report));
  const unmatched = take(inexact, (transfer, report) => sameHash(transfer, report) && sameAmount(transfer, report));
  return { others: take(unmatched, describesSame), pairs };
}

/** The same transaction told differently: under one real hash, or first without a hash and then with it. */
const describesSame = (transfer: Told, report: ReportedTransfer): boolean =>
  isPlaceholder(report.txHash) || isPlaceholder(transfer.txHash)
    ? isPlaceholder(report.txHash) !== isPlaceholder(transfer.txHash) &&
      transfer.currency === report.currency &&
      sameAmount(transfer, report)
    : sameHash(transfer, report);

const sameHash = (transfer: Told, report: ReportedTransfer): boolean =>
  transfer.txHash === report.txHash && transfer.currency === report.currency;

const sameSent = (transfer: Told, report: ReportedTransfer): boolean =>
  isSameNumber(transfer.sentAmount, report.sentAmount);

const sameAmount = (transfer: Told, report: ReportedTransfer): boolean =>
  sameSent(transfer, report) ||
  (transfer.receivedAmount !== null && new Decimal(transfer.receivedAmount).eq(report.sentAmount)) ||
  (report.receivedAmount !== null && new Decimal(transfer.sentAmount).eq(report.receivedAmount));

const isSameNumber = (a: string, b: string): boolean => new Decimal(a).eq(b);

// The gateway's sandbox writes the literal `sandbox`; others may be empty.
const isPlaceholder = (hash: string): boolean => hash.length < 8;

function firstSight(report: ReportedTransfer, taken: Set<string>, { since, now, answered }: Life): Transfer {
  const base = `${report.txHash}:${report.currency}`;
  let key = base;
  for (let n = 2; taken.has(key); n++) key = `${base}:${String(n)}`;
  taken.add(key);
  return {
    key,
    txHash: report.txHash,
    status: report.status,
    currency: report.currency,
    network: report.network,
    address: report.address,
    sentAmount: report.sentAmount,
    receivedAmount: report.receivedAmount,
    valueUsd: report.valueUsd,
    confirmations: report.confirmations,
    ...vouchedFor(report, answered),
    firstSeenAt: now,
    ...datedBy(report, { since, now }),
  };
}

/** The gateway's clock may be so far ahead of ours; the deadlines that transfers are held against are its own. */
const clocksApartMinutes = 15;

/** A date outside the payment's life so far says nothing: it must make no late money timely, nor timely money late. */
const datedBy = ({ seenAt }: ReportedTransfer, { since, now }: Life): { firstSeenAt: Instant; dated: true } | object =>
  seenAt !== null && seenAt >= since && seenAt <= addMinutes(now, clocksApartMinutes)
    ? { firstSeenAt: seenAt, dated: true }
    : {};

const vouchedFor = ({ status }: ReportedTransfer, answered = false): { vouched?: true } =>
  answered && status === 'confirmed' ? { vouched: true } : {};

/** Whether it is said to be clearly more than the gateway has vouched for: that is to be asked anew. */
const isRaised = (transfer: Told, told: Told): boolean => {
  const before = new Decimal(transfer.sentAmount);
  return new Decimal(told.sentAmount).gt(before.plus(before.times(feeAtMost)));
};

function pushIfChanged(changed: Transfer[], transfer: Transfer, report: ReportedTransfer, life: Life): void {
  const date = transfer.dated ? {} : datedBy(report, life);
  const { vouched, ...told } = progressed(transfer, report);
  const next: Transfer = {
    ...told,
    ...(vouched && !isRaised(transfer, told) ? { vouched } : {}),
    ...date,
    ...vouchedFor(report, life.answered && !isLess(transfer, report)),
  };
  const same =
    next.txHash === transfer.txHash &&
    next.sentAmount === transfer.sentAmount &&
    next.status === transfer.status &&
    next.confirmations === transfer.confirmations &&
    next.valueUsd === transfer.valueUsd &&
    next.firstSeenAt === transfer.firstSeenAt &&
    next.receivedAmount === transfer.receivedAmount;
  if (!same) changed.push(next);
}

const rank = { confirming: 0, failed: 1, confirmed: 2 } as const;

/** What is known of a transfer's identity and amounts, once a report of the same one has added to it. */
export const retold = <T extends Told>(transfer: T, report: ReportedTransfer): T => ({
  ...transfer,
  txHash: isPlaceholder(transfer.txHash) && !isPlaceholder(report.txHash) ? report.txHash : transfer.txHash,
  // Only callbacks tell what was sent and what was received apart; what an answer calls `amount` is not defined.
  sentAmount:
    report.receivedAmount === null || isSameNumber(report.sentAmount, transfer.sentAmount)
      ? transfer.sentAmount
      : report.sentAmount,
  receivedAmount: transfer.receivedAmount ?? report.receivedAmount,
});

/** Confirmations only grow and a confirmed transfer stays so: a late report never moves it backwards. */
const progressed = (transfer: Transfer, report: ReportedTransfer): Transfer => ({
  ...retold(transfer, report),
  address: transfer.address ?? report.address,
  status: rank[report.status] > rank[transfer.status] ? report.status : transfer.status,
  confirmations:
    report.confirmations === null
      ? transfer.confirmations
      : Math.max(report.confirmations, transfer.confirmations ?? 0),
  valueUsd: transfer.valueUsd ?? report.valueUsd,
});

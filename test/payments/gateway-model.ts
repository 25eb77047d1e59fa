import fc from 'fast-check';
import { addMinutes, type Instant } from '../../src/kernel/clock.js';
import { allocationOf, type Allocation } from '../../src/payments/allocation.js';
import { applyReport, type Claim } from '../../src/payments/decisions.js';
import { Decimal, plain, sum } from '../../src/payments/decimal.js';
import type { GatewayReport, GatewayStatus, ReportedTransfer } from '../../src/payments/payment-gateway.js';
import {
  evolve,
  factsOf,
  isReportable,
  type Payment,
  type PaymentEvent,
  type Reportable,
  type Terms,
  type Witness,
} from '../../src/payments/payment.js';
import { openReviewOf } from '../../src/payments/money.js';
import type { PolicyRules } from '../../src/payments/policy.js';
import { isFulfillable, labelsOf, progressOf } from '../../src/payments/standing.js';
import { needsPrices } from '../../src/payments/worth.js';
import { foldAll, open, opened, report, transfer } from './given.js';

/*
 * A gateway that tells the truth: what happened on the network, and what the gateway says of it at any minute. Callbacks
 * carry what was true when they were sent, and come whenever they come; an answer to a question is true when it is given.
 */

/** Minutes after the invoice was opened: the deadline, the end of the late window (PT72H), the end of all news. */
export const deadlineMinute = 60;
export const windowMinute = 60 + 72 * 60;
export const endMinute = 10_000;

/** What a payer did. */
export interface Sent {
  /** Worth, in hundredths of a US dollar. */
  cents: number;
  coin: string;
  /** When the network showed it, and how many minutes later it was confirmed, or failed. */
  minute: number;
  settles: number;
  fails: boolean;
  /** Several may share one transaction hash. */
  sameHash: boolean;
}

export interface World {
  sent: Sent[];
  /** When a person at the gateway accepts what there is; null for never. */
  acceptedAt: number | null;
  /** Whether the gateway's own verdict counts money after the deadline; its documentation does not say. */
  countsLate: boolean;
}

/** A callback, by its place among those that were sent, and how many minutes it is under way. */
export interface Delivery {
  callback: number;
  delay: number;
}

export interface Arrivals {
  deliveries: Delivery[];
  /** The minutes at which the gateway is asked before its last word. */
  polls: number[];
}

/** How the gateway counts, and what it tells of that. */
export interface Telling {
  /** Worth in US dollars, and in coin units, of what was sent. */
  usdOf: (sent: Sent) => string;
  unitsOf: (sent: Sent, index: number) => string;
  coinOf: (sent: Sent) => string;
  /** Whether it tells the worth in dollars. */
  tellsWorth: (sent: Sent, witness: Witness) => boolean;
  invoice: (witness: Witness) => Partial<GatewayReport>;
  /** Worth in US dollars of the price. */
  dueUsd: string;
  /** Prices that can be looked up. */
  prices: ReadonlyMap<string, string>;
}

export const dollars = (cents: number): string => plain(new Decimal(String(cents)).div('100'));

/** Every coin with its worth; coin amounts differ between transfers of equal worth, as real ones do. */
export const inDollars: Telling = {
  usdOf: ({ cents }) => dollars(cents),
  unitsOf: ({ cents, coin }, index) =>
    coin === 'TRX' ? plain(new Decimal(dollars(cents)).times('4').plus(`0.00000${String(index + 1)}`)) : dollars(cents),
  coinOf: ({ coin }) => coin,
  tellsWorth: () => true,
  invoice: () => ({}),
  dueUsd: '50',
  prices: new Map(),
};

/** What is told: when, to whom, and how. */
interface View {
  minute: number;
  witness: Witness;
  telling: Telling;
}

const clockAt = (minute: number): Instant => addMinutes(opened, minute);

function tellTransfer(sent: Sent, index: number, { minute, witness, telling }: View): ReportedTransfer {
  const over = minute >= sent.minute + sent.settles;
  const nearly = minute >= sent.minute + sent.settles / 2;
  return transfer(telling.usdOf(sent), {
    txHash: sent.sameHash ? 'one-transaction' : `transaction-${String(index)}`,
    currency: telling.coinOf(sent),
    sentAmount: telling.unitsOf(sent, index),
    valueUsd: telling.tellsWorth(sent, witness) ? telling.usdOf(sent) : null,
    status: over ? (sent.fails ? 'failed' : 'confirmed') : 'confirming',
    confirmations: over && !sent.fails ? 20 : nearly ? 3 : 0,
    seenAt: clockAt(sent.minute),
  });
}

const byTime = (sent: readonly Sent[]): Sent[] => [...sent].sort((a, b) => a.minute - b.minute);

/** What is true at the gateway. */
function truth(world: World, view: View, rules: PolicyRules): GatewayReport {
  const seen = byTime(world.sent).filter((each) => each.minute <= view.minute);
  const transfers = seen.map((each, index) => tellTransfer(each, index, view));
  return report(statusAt(world, view, rules), transfers, view.telling.invoice(view.witness));
}

function statusAt(
  { sent, acceptedAt, countsLate }: World,
  { minute, telling }: View,
  rules: PolicyRules,
): GatewayStatus {
  if (acceptedAt !== null && acceptedAt <= minute) return 'manual_accept';
  const inTime = sent.filter((each) => each.minute <= (countsLate ? minute : Math.min(minute, deadlineMinute)));
  const over = inTime.filter((each) => each.minute + each.settles <= minute);
  const confirmed = over.filter(({ fails }) => !fails);
  const coverage = new Decimal('100').minus(rules.underpayment.tolerancePercent).div('100');
  const got = sum(confirmed.map(telling.usdOf));
  if (confirmed.length > 0 && got.gte(new Decimal(telling.dueUsd).times(coverage))) return 'paid';
  if (minute < deadlineMinute) return inTime.length > 0 ? 'paying' : 'waiting';
  if (over.length < inTime.length) return 'paying';
  return confirmed.length > 0 ? 'underpaid' : 'expired';
}

/** The minutes at which something changes at the gateway, each of which it tells by a callback. */
export const changes = ({ sent, acceptedAt }: World): number[] =>
  [
    ...new Set([
      ...sent.flatMap(({ minute, settles }) => [minute, minute + Math.ceil(settles / 2), minute + settles]),
      deadlineMinute,
      ...(acceptedAt === null ? [] : [acceptedAt]),
    ]),
  ].sort((a, b) => a - b);

interface Heard {
  minute: number;
  witness: Witness;
  said: GatewayReport;
}

/** Everything that is heard before the last word, in the order in which it is heard. */
export function heardIn(world: World, arrivals: Arrivals, rules: PolicyRules, telling: Telling = inDollars): Heard[] {
  const told = changes(world);
  const callbacks = arrivals.deliveries.map(({ callback, delay }): Heard => {
    const minute = told[callback % told.length] ?? 0;
    const said = truth(world, { minute, witness: 'callback', telling }, rules);
    return { minute: minute + delay, witness: 'callback', said };
  });
  const polls = arrivals.polls.map((minute): Heard => ({
    minute,
    witness: 'poll',
    said: truth(world, { minute, witness: 'poll', telling }, rules),
  }));
  return [...callbacks, ...polls].sort((a, b) => a.minute - b.minute);
}

/** Sees every step: the payment before it, what followed, and the payment after it. */
export type Watch = (step: {
  before: Reportable;
  after: Reportable;
  events: PaymentEvent[];
  heard: Heard;
  claim: Claim;
}) => void;

export interface Setting {
  rules: PolicyRules;
  terms: Partial<Terms>;
}

const stepped = (payment: Reportable, events: readonly PaymentEvent[]): Reportable => {
  const after = events.reduce<Payment | null>(evolve, payment);
  if (after === null || !isReportable(after)) throw new Error('a report left nothing to report about');
  return after;
};

/** Prices are looked up where an answer of the gateway tells of money whose worth hangs on them. */
function pricesFor(payment: Reportable, { said }: Heard, claim: Claim, { prices }: Telling): Pick<Claim, 'prices'> {
  if (prices.size === 0) return {};
  const told = stepped(payment, applyReport(payment, said, claim));
  return needsPrices(told.money.transfers, factsOf(told)) ? { prices } : {};
}

/** Lives through a history and then asks the gateway until two answers change nothing. */
export function liveThrough(
  { rules, terms }: Setting,
  world: World,
  arrivals: Arrivals,
  telling: Telling = inDollars,
  watch: Watch = () => undefined,
): Reportable {
  let payment = stepped(foldAll(open(rules, terms)) as Reportable, []);
  const hear = (heard: Heard): number => {
    const claim = { witness: heard.witness, now: clockAt(heard.minute) };
    const prices = heard.witness === 'poll' ? pricesFor(payment, heard, claim, telling) : {};
    const events = applyReport(payment, heard.said, { ...claim, ...prices });
    const before = payment;
    payment = stepped(payment, events);
    watch({ before, after: payment, events, heard, claim });
    return events.length;
  };
  const heard = heardIn(world, arrivals, rules, telling);
  for (const each of heard) hear(each);
  const end = Math.max(endMinute, heard.at(-1)?.minute ?? 0) + 1;
  const said = truth(world, { minute: end, witness: 'poll', telling }, rules);
  for (let quiet = 0, asked = 0; quiet < 2; asked++) {
    if (asked > 10) throw new Error('the same answer of the gateway keeps changing something');
    quiet = hear({ minute: end + asked, witness: 'poll', said }) === 0 ? quiet + 1 : 0;
  }
  return payment;
}

/** What money went which way, summed by the clause that sent it there. */
function ledgerOf({ money }: Reportable): Record<string, string> {
  const shares = [
    ...money.kept.map(({ amount, clause }) => ({ way: `kept: ${clause}`, amount })),
    ...money.credits.map(({ amount, clause }) => ({ way: `credited: ${clause}`, amount })),
    ...money.refunds.map(({ amount, clause }) => ({ way: `refunded: ${clause}`, amount })),
  ];
  const ways = [...new Set(shares.map(({ way }) => way))].sort();
  return Object.fromEntries(
    ways.map((way) => [way, plain(sum(shares.filter((share) => share.way === way).map(({ amount }) => amount)))]),
  );
}

export interface Outcome {
  status: string;
  labels: string[];
  progress: string;
  fulfillable: boolean;
  received: string | null;
  delta: string | null;
  review: string[];
  allocation: Allocation | null;
  ledger: Record<string, string>;
}

export const outcomeOf = (payment: Reportable): Outcome => ({
  status: payment.status,
  labels: labelsOf(payment),
  progress: progressOf(payment),
  fulfillable: isFulfillable(payment),
  received: payment.money.received,
  delta: payment.money.delta,
  review: [...(openReviewOf(payment.money)?.reasons ?? [])].sort(),
  allocation: allocationOf(payment),
  ledger: ledgerOf(payment),
});

const periods = {
  inTime: fc.integer({ min: 1, max: deadlineMinute - 1 }),
  late: fc.integer({ min: deadlineMinute + 1, max: windowMinute - 1 }),
  outside: fc.integer({ min: windowMinute + 1, max: 6000 }),
};

const sending: fc.Arbitrary<Sent> = fc.record({
  cents: fc.oneof(fc.constantFrom(5000, 2500, 2000, 3000, 4900, 5100, 100, 1000), fc.integer({ min: 1, max: 6000 })),
  coin: fc.constantFrom('USDT', 'TRX', 'USD'),
  minute: fc.oneof(
    { weight: 6, arbitrary: periods.inTime },
    { weight: 4, arbitrary: periods.late },
    { weight: 1, arbitrary: periods.outside },
  ),
  settles: fc.integer({ min: 1, max: 120 }),
  fails: fc.constantFrom(false, false, false, false, false, true),
  sameHash: fc.constantFrom(false, false, true),
});

export const rulesOfAnyKind: fc.Arbitrary<PolicyRules> = fc.record({
  paidWhen: fc.constantFrom<PolicyRules['paidWhen']>(
    { rule: 'settled' },
    { rule: 'detected' },
    { rule: 'confirmations', count: 10 },
  ),
  underpayment: fc.record({
    tolerancePercent: fc.constantFrom('0', '2', '10'),
    then: fc.constantFrom('reject', 'partial_credit', 'review'),
  }),
  overpayment: fc.record({
    tolerancePercent: fc.constantFrom('0', '5'),
    then: fc.constantFrom('credit', 'refund', 'review', 'keep'),
  }),
  latePayment: fc.record({
    window: fc.constant('PT72H'),
    then: fc.constantFrom('accept', 'credit', 'refund', 'review'),
  }),
});

export const refundTo = { address: 'TPayerAddress', network: 'Tron Network', currency: null, memo: null };

export const settings: fc.Arbitrary<Setting> = fc.record({
  rules: rulesOfAnyKind,
  terms: fc.record({
    customerId: fc.constantFrom('customer-1', null),
    refundTo: fc.constantFrom(refundTo, null),
  }),
});

export const worlds: fc.Arbitrary<World> = fc.record({
  sent: fc.array(sending, { maxLength: 5 }),
  // A person at the gateway accepts it by hand in one of ten.
  acceptedAt: fc.oneof(
    { weight: 9, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: deadlineMinute - 1 }) },
  ),
  countsLate: fc.boolean(),
});

/** Callbacks in any order, twice, or never; questions at any time. */
export const arrivalsOfAnyKind: fc.Arbitrary<Arrivals> = fc.record({
  deliveries: fc.array(
    fc.record({
      callback: fc.nat(20),
      delay: fc.oneof(fc.constant(0), fc.nat(30), fc.nat(600), fc.nat(12_000)),
    }),
    { maxLength: 10 },
  ),
  polls: fc.array(fc.oneof(fc.nat(200), fc.nat(endMinute - 1)), { maxLength: 4 }),
});

/** Every callback once and at once, and nobody asks before the end. */
export const straightOn = (world: World): Arrivals => ({
  deliveries: changes(world).map((_, callback) => ({ callback, delay: 0 })),
  polls: [],
});

/** No callback at all: the gateway is asked after each change. */
export const askedOnly = (world: World): Arrivals => ({ deliveries: [], polls: changes(world) });

export const silent: Arrivals = { deliveries: [], polls: [] };

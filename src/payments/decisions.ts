import { addMinutes, type Instant } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';
import type { GatewayReport, GatewayStatus } from './payment-gateway.js';
import {
  evolve,
  factsOf,
  isReportable,
  isWithoutInvoice,
  type Invoice,
  type Paid,
  type Payment,
  type PaymentEvent,
  type Reportable,
  type Witness,
} from './payment.js';
import { hasNewMoney, openReviewOf } from './money.js';
import { assessed } from './standing.js';
import { allocate, excessReasons } from './allocation.js';
import { releaseCredit } from './credit.js';
import { Decimal } from './decimal.js';
import { ownPart } from './deposit.js';
import { judge, sufficiency, type Contradiction } from './policy.js';
import { openReview, withdraw, withdrawExcess, withdrawReview } from './open-review.js';
import { confirmedIn, tellsOfLess, uniteTransfers } from './transfers.js';
import { needsPrices, withPrices } from './worth.js';

/** Who claims something, and when it is decided upon. */
export interface Claim {
  witness: Witness;
  now: Instant;
  /** When we heard it, where that was before now: money without a date of its own was there by then. */
  heardAt?: Instant;
  /** Whether another payment of the order is open or paid: a closed one may not become paid beside it. */
  orderTaken?: boolean;
  /** US dollars for one unit of each currency, where they were looked up because the worth of some money hangs on them. */
  prices?: ReadonlyMap<string, string>;
}

/** How long a gateway's own answer may lag behind its callback before the two are taken to disagree. */
export const corroborationPatienceMinutes = 10;
/** How long fulfilment waits for a gateway that does not answer at all before a person is told. */
export const silencePatienceMinutes = 24 * 60;
/** How long it may call a payment paid whose confirmations, by its own list, do not meet the policy yet. */
const confirmationPatienceMinutes = 24 * 60;

/**
 * What one report about a payment changes. Repeats, stale claims and claims that add nothing give `[]`. The status of a
 * payment only ever moves forward: what a late report says of money is kept, what it says of the past is not believed.
 */
export function applyReport(payment: Reportable, told: GatewayReport, claim: Claim): PaymentEvent[] {
  const report = ownPart(payment, told);
  if (report.orderId !== null && report.orderId !== payment.terms.id) {
    // It speaks of somebody else's order: nothing that it says of money is ours.
    return inSteps(payment, [
      (current) =>
        contradict(current, [{ kind: 'order', expected: payment.terms.id, reported: report.orderId ?? '' }], claim),
      (current) => conclude(current, claim),
    ]);
  }
  return inSteps(payment, [
    (current) => recordStatus(current, report, claim),
    (current) => recordTransfers(current, report, claim),
    (current) => (claim.prices ? priced(current, claim.prices, claim) : []),
    (current) => recordAmounts(current, claim),
    (current) => recordContradictions(current, report, claim),
    ...consequences(claim),
    (current) => corroborate(current, report, claim),
    (current) => (claim.witness === 'poll' ? vouch(current, report, claim) : []),
    (current) => (claim.witness === 'poll' ? allocate(current, claim.now) : []),
  ]);
}

/** A person is asked about money beyond the price where the policy wants it so, and no longer where it has gone. */
function askAboutExcess(payment: Reportable, claim: Claim): PaymentEvent[] {
  const reasons = excessReasons(payment);
  return [...withdrawExcess(payment, reasons, claim), ...openReview(payment, reasons, claim)];
}

const consequences = (claim: Claim): ((current: Reportable) => PaymentEvent[])[] => [
  (current) => conclude(current, claim),
  (current) => askAboutExcess(current, claim),
];

/** Money that the gateway itself calls confirmed when it is asked may be given back; nothing else may. */
const vouch = (payment: Reportable, report: GatewayReport, claim: Claim): PaymentEvent[] =>
  confirmedIn(payment.money.transfers, report.transfers)
    .filter(({ vouched }) => !vouched)
    .map((transfer) => ({
      type: 'TransferUpdated',
      data: { transfer: { ...transfer, vouched: true }, at: claim.now },
    }));

/**
 * Notes what one unit of the currencies in play was worth when the gateway was asked: transfers whose worth the gateway
 * has not told are compared by it.
 */
function priced(payment: Reportable, prices: ReadonlyMap<string, string>, claim: Claim): PaymentEvent[] {
  // A callback may have told the worth while the prices were asked for.
  if (!needsPrices(payment.money.transfers, factsOf(payment))) return [];
  const wanted = new Set([payment.terms.currency, ...payment.money.transfers.map(({ currency }) => currency)]);
  const usd = Object.fromEntries([...prices].filter(([symbol]) => wanted.has(symbol)));
  const { transfers } = payment.money;
  const helps = withPrices(transfers, usd, payment.terms.currency).some((transfer, at) => transfer !== transfers[at]);
  if (!helps) return [];
  return [{ type: 'PricesRecorded', data: { usd, at: claim.now } }];
}

/** Decides anew upon what is known, after `change` has added to it. */
export const decideAfter = (
  payment: Payment,
  change: (payment: Payment) => PaymentEvent[],
  claim: Claim,
): PaymentEvent[] =>
  isReportable(payment)
    ? inSteps(payment, [change, (current) => recordAmounts(current, claim), ...consequences(claim)])
    : change(payment);

/** Runs decisions one after the other, each upon the outcome of those before it. */
function inSteps(start: Reportable, steps: ((current: Reportable) => PaymentEvent[])[]): PaymentEvent[] {
  const events: PaymentEvent[] = [];
  let current: Payment | null = start;
  for (const step of steps) {
    if (!isReportable(current)) break;
    const added: PaymentEvent[] = step(current);
    events.push(...added);
    current = added.reduce<Payment | null>(evolve, current);
    if (current === null) break;
  }
  return events;
}

// How final each word of the gateway is. `underpaid` says more than `expired`, a refund can only follow money.
const finality: Readonly<Record<GatewayStatus, number>> = {
  new: 0,
  waiting: 1,
  paying: 2,
  expired: 3,
  failed: 4,
  underpaid: 5,
  paid: 6,
  manual_accept: 7,
  refunding: 8,
  refunded: 9,
};

function recordStatus(payment: Reportable, report: GatewayReport, claim: Claim): PaymentEvent[] {
  const known = payment.money.gatewayStatus;
  const forward = known === null || finality[report.status] > finality[known];
  const newValue = payment.money.valueUsd === null && report.valueUsd !== null;
  if (!forward && !newValue) return [];
  const status = forward ? report.status : known;
  return [
    { type: 'GatewayReported', data: { status, valueUsd: report.valueUsd, witness: claim.witness, at: claim.now } },
  ];
}

/** When the payment's life began, by our clock or by the gateway's, whichever is behind: both date transfers and deadlines. */
function beganAt({ terms, invoice }: Reportable): Instant {
  const byGateway = addMinutes(invoice.expiresAt, -terms.lifetimeMinutes);
  return byGateway < terms.requestedAt ? byGateway : terms.requestedAt;
}

function recordTransfers(payment: Reportable, report: GatewayReport, claim: Claim): PaymentEvent[] {
  const known = new Set(payment.money.transfers.map((transfer) => transfer.key));
  return uniteTransfers(payment.money.transfers, report.transfers, {
    since: beganAt(payment),
    // A deposit was there before the payment that it has made, whenever that is told of it.
    now: payment.terms.deposit ? payment.terms.requestedAt : (claim.heardAt ?? claim.now),
    answered: claim.witness === 'poll',
  }).map((transfer) => ({
    type: known.has(transfer.key) ? 'TransferUpdated' : 'TransferDetected',
    data: { transfer, at: claim.now },
  }));
}

function recordAmounts(payment: Reportable, claim: Claim): PaymentEvent[] {
  const { received, delta, estimated } = assessed(payment);
  const { money } = payment;
  const none = money.transfers.length === 0;
  if (none || (received === money.received && delta === money.delta)) return [];
  return [{ type: 'AmountAssessed', data: { received, delta, estimated, at: claim.now } }];
}

/**
 * Whether the gateway speaks of the same amount and currency as we asked for. The top-level pair names the invoice's
 * denomination (a captured callback of a 12 TRX invoice paid in BTC says 12 TRX); types without an amount say nothing.
 */
function recordContradictions(payment: Reportable, report: GatewayReport, claim: Claim): PaymentEvent[] {
  const found: Contradiction[] = [];
  const { currency } = payment.terms;
  const { invoiced } = payment;
  if (report.currency !== null && report.currency !== currency) {
    found.push({ kind: 'currency', expected: currency, reported: report.currency });
  } else if (report.amount !== null && !new Decimal(report.amount).eq(invoiced)) {
    found.push({ kind: 'amount', expected: invoiced, reported: report.amount });
  }
  return contradict(payment, found, claim);
}

function contradict(payment: Reportable, found: readonly Contradiction[], claim: Claim): PaymentEvent[] {
  return found
    .filter(
      ({ kind, reported }) =>
        !payment.money.contradictions.some((known) => known.kind === kind && known.reported === reported),
    )
    .map((contradiction) => ({
      type: 'ContradictionFound',
      data: { ...contradiction, witness: claim.witness, at: claim.now },
    }));
}

/** Asks the one rule, and records what it concludes. */
function conclude(payment: Reportable, claim: Claim): PaymentEvent[] {
  if (payment.status === 'paid') return doubtsAfterPaid(payment, claim);
  const { conclusion, clause, late, reasons } = judge(factsOf(payment));
  if (conclusion === 'paid' && claim.orderTaken) return openReview(payment, ['order_taken'], claim);
  const events: PaymentEvent[] = withdrawReview(payment, conclusion === 'paid' ? [] : reasons, claim);
  if (conclusion === 'paid') {
    events.unshift({ type: 'PaymentPaid', data: { clause, late, witness: claim.witness, at: claim.now } });
  }
  if (conclusion === 'expire' && payment.status === 'pending') {
    events.push({ type: 'PaymentExpired', data: { clause, at: claim.now } }, ...releaseCredit(payment, claim.now));
  }
  return [...events, ...openReview(payment, reasons, claim)];
}

/** What contradicts a payment once it is paid cannot take that back; it holds up what has not been delivered. */
const doubtsAfterPaid = (payment: Reportable & Paid, claim: Claim): PaymentEvent[] =>
  isDoubtful(payment) ? openReview(payment, ['gateway_conflict'], claim) : [];

function isDoubtful(payment: Reportable & Paid): boolean {
  // What was given back since does not make the payment any less paid; what a person accepted needs no amount.
  const facts = { ...factsOf(payment), returned: '0' };
  const final = payment.money.gatewayStatus !== null && finality[payment.money.gatewayStatus] >= finality.paid;
  const seen = sufficiency(payment.money.transfers, facts);
  // An estimate that is a little short is short where the gateway says so.
  const closed = payment.money.gatewayStatus === 'underpaid' || payment.money.gatewayStatus === 'expired';
  const short = seen === 'none' || seen === 'short' || (seen === 'unknown' && closed);
  const gone = !final && payment.clause !== 'review' && short;
  return gone || facts.contradictions.length > 0;
}

/** The gateway's own answer confirms a callback's claim, or, once it has had time to catch up, contradicts it. */
function corroborate(payment: Reportable, report: GatewayReport, claim: Claim): PaymentEvent[] {
  if (payment.status !== 'paid' || payment.corroboratedAt !== null || claim.witness !== 'poll') return [];
  if (payment.money.contradictions.length > 0) return [];
  // A refund follows a payment, and manual acceptance stands for any amount: both bear out that it was paid.
  const beyondAmounts = finality[report.status] > finality.paid;
  if (!beyondAmounts && tellsOfLess(payment.money.transfers, report.transfers)) {
    const less = 'the gateway tells of less money when it is asked';
    return unconfirmed(payment, less, corroborationPatienceMinutes, claim.now);
  }
  const alone = judge(factsOf(evolveAlone(payment, report)));
  if (beyondAmounts || alone.conclusion === 'paid') {
    const transfers = confirmedIn(payment.money.transfers, report.transfers).map(({ key }) => key);
    // What a person was asked while the gateway lagged or was silent has settled itself.
    const settled = isDoubtful(payment) ? [] : withdraw(payment, ['gateway_conflict', 'paid_short'], claim.now);
    return [{ type: 'PaymentCorroborated', data: { transfers, at: claim.now } }, ...settled];
  }
  if (alone.reasons.includes('paid_short')) return openReview(payment, ['paid_short'], claim);
  // It calls it paid as well, and only the confirmations that our own rule wants are still on their way.
  const agrees = report.status === 'paid' && alone.conclusion === 'wait';
  const patience = agrees ? confirmationPatienceMinutes : corroborationPatienceMinutes;
  const detail = agrees ? 'confirmations are missing' : `the gateway calls it ${report.status} when it is asked`;
  return unconfirmed(payment, detail, patience, claim.now);
}

/** The gateway's own answer does not bear out what its callback says: fulfilment waits, and later a person is asked. */
export function unconfirmed(payment: Payment, detail: string, patienceMinutes: number, now: Instant): PaymentEvent[] {
  if (payment.status !== 'paid' || payment.corroboratedAt !== null) return [];
  const told = payment.delay?.reason === 'unconfirmed';
  return [
    ...(told ? [] : [delayed({ reason: 'unconfirmed', detail, goAheadAt: null, at: now })]),
    ...doubtUncorroborated(payment, now, patienceMinutes),
  ];
}

type Delayed = Extract<PaymentEvent, { type: 'CorroborationDelayed' }>;
const delayed = (data: Delayed['data']): Delayed => ({ type: 'CorroborationDelayed', data });

/**
 * The gateway's API gives no answer about a payment that its callbacks call paid. Fulfilment waits; after
 * `goAheadMinutes` of nothing but silence the callbacks alone will do, where that is set; after a day a person is asked.
 */
export function gatewaySilent(
  payment: Payment,
  detail: string,
  goAheadMinutes: number | null,
  now: Instant,
): PaymentEvent[] {
  if (payment.status !== 'paid' || payment.corroboratedAt !== null || !isReportable(payment)) return [];
  const { delay } = payment;
  if (delay === null) {
    const goAheadAt = goAheadMinutes === null ? null : addMinutes(now, goAheadMinutes);
    return [delayed({ reason: 'silent', detail, goAheadAt, at: now })];
  }
  const open = openReviewOf(payment.money) !== null || payment.money.contradictions.length > 0;
  // An answer that did not confirm it is no silence: whatever comes after it, the callback alone will not do.
  const goes =
    goAheadMinutes !== null && delay.reason === 'silent' && delay.goAheadAt !== null && now >= delay.goAheadAt;
  // Its callbacks alone will do only where they tell of the money.
  const seen = sufficiency(payment.money.transfers, { ...factsOf(payment), returned: '0' });
  if (goes && payment.waivedAt === null && !open && seen !== 'none' && seen !== 'short')
    return [{ type: 'CorroborationWaived', data: { silentSince: delay.since, at: now } }];
  return payment.waivedAt === null ? doubtUncorroborated(payment, now, silencePatienceMinutes) : [];
}

/** A person looks at a payment whose `paid` the gateway itself has not borne out within its time. */
function doubtUncorroborated(payment: Payment, now: Instant, patienceMinutes: number): PaymentEvent[] {
  if (payment.status !== 'paid' || payment.corroboratedAt !== null || !isReportable(payment)) return [];
  return now > addMinutes(payment.paidAt, patienceMinutes) ? openReview(payment, ['gateway_conflict'], { now }) : [];
}

/** The payment as it would stand if this report were all that the gateway had ever said; worth is taken from both. */
function evolveAlone(payment: Reportable, report: GatewayReport): Reportable {
  const { terms, credit, invoice, invoiced, money } = payment;
  const seen = uniteTransfers(money.transfers, report.transfers, { since: beganAt(payment), now: invoice.expiresAt });
  const changed = new Map(seen.map((transfer) => [transfer.key, transfer]));
  const named = money.transfers
    .map((transfer) => changed.get(transfer.key) ?? transfer)
    .filter((transfer) =>
      report.transfers.some((other) => other.txHash === transfer.txHash && other.currency === transfer.currency),
    );
  return {
    status: 'pending',
    terms,
    credit,
    invoice,
    invoiced,
    money: { ...money, gatewayStatus: report.status, transfers: named, contradictions: [], review: null },
  };
}

/** Closes a payment that no money was seen for. Repeated: nothing. */
export function cancel(payment: Payment, now: Instant): PaymentEvent[] {
  if (payment.status === 'failed') {
    if (payment.reason === 'cancelled') return [];
    throw new Refusal('not_cancellable', `The payment was ${payment.reason} already, so there is nothing to cancel.`);
  }
  if (payment.status === 'expired') throw new Refusal('not_cancellable', 'The payment has expired already.');
  const seen =
    Boolean(payment.terms.deposit) || payment.status === 'paid' || (payment.status === 'pending' && hasMoney(payment));
  if (seen) {
    throw new Refusal(
      'money_was_seen',
      'Money was seen for this payment; it can be refunded, but no longer cancelled.',
    );
  }
  return [{ type: 'PaymentCancelled', data: { at: now } }, ...releaseCredit(payment, now)];
}

const hasMoney = (payment: Reportable): boolean =>
  payment.money.transfers.length > 0 ||
  (payment.money.gatewayStatus !== null && finality[payment.money.gatewayStatus] === finality.paying);

/** The gateway opened an invoice for it, or had done so: `adopted` where it was found by a search. */
export function invoiceOpened(payment: Payment, invoice: Invoice, adopted: boolean, now: Instant): PaymentEvent[] {
  return payment.status === 'created' || isWithoutInvoice(payment)
    ? [{ type: 'InvoiceOpened', data: { ...invoice, adopted, at: now } }]
    : [];
}

export function invoiceRefused(
  payment: Payment,
  refusal: { field: string | null; detail: string },
  now: Instant,
): PaymentEvent[] {
  return payment.status === 'created'
    ? [{ type: 'InvoiceRefused', data: { ...refusal, at: now } }, ...releaseCredit(payment, now)]
    : [];
}

export function invoiceDelayed(
  payment: Payment,
  outcome: 'unavailable' | 'unknown',
  detail: string,
  now: Instant,
): PaymentEvent[] {
  const told = payment.status === 'created' && payment.opening.outcome === outcome;
  return payment.status === 'created' && !told ? [{ type: 'InvoiceDelayed', data: { outcome, detail, at: now } }] : [];
}

/** Claims the next try to open the invoice. The append decides who may ask the gateway. */
export function retryInvoice(payment: Payment, now: Instant): PaymentEvent[] {
  if (payment.status !== 'created') return [];
  return [{ type: 'InvoiceRetried', data: { attempt: payment.opening.attempt + 1, at: now } }];
}

/** Gives a payment to a person when nobody will look at it any more and it has no final word. */
export function giveUp(payment: Reportable, now: Instant): PaymentEvent[] {
  // A person has decided about just that, and no money has come since.
  const known = payment.money.decided?.reasons.includes('no_final_word') && !hasNewMoney(payment.money);
  return (payment.status === 'pending' || payment.status === 'expired') &&
    openReviewOf(payment.money) === null &&
    !known
    ? openReview(payment, ['no_final_word'], { now })
    : [];
}

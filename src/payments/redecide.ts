import type { Instant } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';
import { allocate, availableOf, confirmedOf } from './allocation.js';
import { cancel, decideAfter, giveUp, type Claim } from './decisions.js';
import { openReviewOf } from './money.js';
import { openReview, withdraw } from './open-review.js';
import {
  evolve,
  factsOf,
  isReportable,
  type Payment,
  type PaymentEvent,
  type Reportable,
  type Terms,
  type Witness,
} from './payment.js';
import type { GatewayStatus } from './payment-gateway.js';
import { isLate, sufficiency, type PolicyRules } from './policy.js';
import { isRefundEvent, type RefundTarget } from './refund.js';
import { resolveReview } from './review.js';
import type { ReviewReason } from './review-reasons.js';
import { counted } from './worth.js';

/*
 * What a payment's history would have come to had it been decided by another policy, or by this code instead of the one
 * that decided then. What came from outside (the gateway's word, money, acts of the application and of persons) is taken
 * as it was recorded; everything that was concluded from it is concluded anew, by the very decisions that run live.
 */

/** The events of one append: what was found at one moment, and what was concluded from it. */
export type Moment = readonly PaymentEvent[];

/** Why a person was asked by time, by the gateway or by the delivery, and not by the policy: these are taken as they came. */
const asked: ReadonlySet<ReviewReason> = new Set([
  'gateway_conflict',
  'paid_short',
  'no_final_word',
  'refund_failed',
  'refund_unknown',
  'refund_conflict',
  'remainder_paid_alone',
  'remainder_returned',
  'fulfillment_rejected',
  'fulfillment_unanswered',
  'fulfilled_after_stop',
]);

/** What is learnt of money and of the gateway's word; every decision begins with it. */
const evidenceTypes: ReadonlySet<string> = new Set<PaymentEvent['type']>([
  'GatewayReported',
  'TransferDetected',
  'TransferUpdated',
  'PricesRecorded',
  'ContradictionFound',
  'RemainderSettled',
]);

/** Follows from what is known alone: beside no evidence it still tells that a decision was made. */
const isConclusion = (event: PaymentEvent): boolean =>
  event.type === 'ReviewOpened' || event.type === 'ReviewWithdrawn'
    ? event.data.reasons.some((reason) => !asked.has(reason))
    : event.type === 'PaymentPaid' || event.type === 'PaymentExpired' || event.type === 'AmountAssessed';

const policyClauses: ReadonlySet<string> = new Set(['overpayment', 'latePayment', 'underpayment', 'deposit']);

/**
 * Decides a payment's whole history anew; `rules` null keeps its own. With its own rules and unchanged decisions the
 * outcome is the recorded one.
 *
 * Where the outcome parts from what was recorded, later acts are taken over as far as they fit: a person's decision where
 * a review is open there too, a refund as far as there is money, the gateway's confirmation of money that it vouched for.
 * That another payment of the order stood in the way is known only where it did so in the recorded history.
 */
export function redecide(history: readonly Moment[], rules: PolicyRules | null): Payment {
  const life = new Life(rules);
  for (const moment of history) life.live(moment);
  return life.payment;
}

/** The same, and then what the policy would give away by `now` of money that the gateway has vouched for. */
export function redecideUntil(history: readonly Moment[], rules: PolicyRules | null, now: Instant): Payment {
  const life = new Life(rules);
  for (const moment of history) life.live(moment);
  life.settle(now);
  return life.payment;
}

class Life {
  private current: Payment | null = null;
  /** Another payment of the order is open or paid: seen where it kept this one from becoming paid. */
  private orderTaken = false;
  /** The recorded refunds, each by its clause and how many of that clause came before. */
  private readonly refunds = new Map<number, { clause: string; nth: number }>();

  /** What was recorded so far. */
  private readonly past: PaymentEvent[] = [];
  /** Whether it had become paid in the recorded history. */
  private recordedPaid = false;

  /** The gateway's last word, as it was recorded. */
  private word: GatewayStatus | null = null;
  /** The rules that the payment carried. */
  private ownRules: PolicyRules | null = null;

  constructor(private readonly rules: PolicyRules | null) {}

  get payment(): Payment {
    if (this.current === null) throw new Error('a history begins with PaymentRequested');
    return this.current;
  }

  live(moment: Moment): void {
    this.liveOn(moment);
    this.past.push(...moment);
  }

  private liveOn(moment: Moment): void {
    let at = 0;
    // Until there is an invoice nothing hangs on the policy.
    for (; at < moment.length && !(this.current && isReportable(this.current)); at++) {
      const event = moment[at];
      if (event) this.current = evolve(this.current, this.underRules(event));
    }
    const rest = moment.slice(at);
    const last = rest.at(-1);
    if (last && this.current && isReportable(this.current)) this.decide(this.current, rest, atOf(last));
  }

  /** What the policy does with vouched money as soon as anybody looks. */
  settle(now: Instant): void {
    this.vouchForPaid(now);
    this.then((payment) => allocate(payment, now));
  }

  private underRules(event: PaymentEvent): PaymentEvent {
    if (event.type !== 'PaymentRequested' || this.rules === null) return event;
    const { policy } = event.data;
    this.ownRules = policy.rules;
    const terms: Terms = { ...event.data, policy: { ...policy, rules: this.rules } };
    return { type: 'PaymentRequested', data: terms };
  }

  private decide(payment: Reportable, moment: Moment, now: Instant): void {
    const resolved = moment.find((event) => event.type === 'ReviewResolved');
    this.noteRefunds(moment);
    if (resolved?.type === 'ReviewResolved') {
      this.resolve(payment, resolved.data, moment, now);
      return;
    }
    this.orderTaken = isTaken(moment, this.orderTaken);
    const poll = isPoll(moment, payment);
    this.act(moment, now);
    this.conclude(moment, now);
    this.confirm(moment, now);
    this.ask(moment, now);
    if (poll) this.settle(now);
  }

  /** A person's decision and all that follows from it; where nothing is asked there is nothing to decide. */
  private resolve(
    payment: Reportable,
    said: Extract<PaymentEvent, { type: 'ReviewResolved' }>['data'],
    moment: Moment,
    now: Instant,
  ): void {
    const { decision, actor, note } = said;
    this.apply(
      allowed(() => resolveReview(payment, { decision, actor, note, refundTo: targetIn(moment) }, false, now)),
    );
  }

  /** What the application did, and what became of what was sent back. */
  private act(moment: Moment, now: Instant): void {
    for (const event of moment) {
      const { current } = this;
      if (current === null || !isReportable(current)) return;
      if (event.type === 'PaymentCancelled') this.apply(allowed(() => cancel(current, now)));
      else if (event.type === 'RemainderRequested') this.apply([event]);
      else if (event.type === 'CreditReleased' && current.status === 'paid') this.apply([event]);
      else if (isRefundEvent(event)) this.refund(current, event);
    }
  }

  private refund(payment: Reportable, event: Extract<PaymentEvent, { type: `Refund${string}` }>): void {
    if (event.type === 'RefundRequested') {
      if (policyClauses.has(event.data.clause)) return;
      const available = availableOf(payment, confirmedOf(payment));
      const number = payment.money.refunds.length + 1;
      if (available?.gte(event.data.amount)) this.apply([{ ...event, data: { ...event.data, number } }]);
      return;
    }
    const same = this.refunds.get(event.data.number);
    const refund = same && payment.money.refunds.filter(({ clause }) => clause === same.clause)[same.nth];
    if (refund) this.apply([renumbered(event, refund.number)]);
  }

  private noteRefunds(moment: Moment): void {
    for (const event of moment) {
      if (event.type !== 'RefundRequested') continue;
      const { clause, number } = event.data;
      const nth = [...this.refunds.values()].filter((known) => known.clause === clause).length;
      this.refunds.set(number, { clause, nth });
    }
  }

  private conclude(moment: Moment, now: Instant): void {
    const evidence = moment.filter(({ type }) => evidenceTypes.has(type));
    if (evidence.length === 0 && !moment.some(isConclusion)) return;
    const claim: Claim = { witness: witnessOf(moment), now, orderTaken: this.orderTaken };
    this.then((payment) => {
      evidence.push(...this.reworded(payment, evidence, claim));
      const events = decideAfter(payment, () => evidence, claim);
      const hidden = isPaidBy(events) && !isPaidBy(moment) && this.stoodInTheWay(evidence, claim);
      return hidden ? decideAfter(payment, () => evidence, { ...claim, orderTaken: true }) : events;
    });
  }

  /**
   * The gateway's verdict on a short payment follows from the tolerance that it was sent, so that under another one it
   * would have been another: money in time that is enough now would have been called paid, and the other way round.
   */
  private reworded(payment: Reportable, evidence: Moment, { witness, now }: Claim): PaymentEvent[] {
    for (const event of evidence) if (event.type === 'GatewayReported') this.word = event.data.status;
    if (this.rules === null || this.word === null) return [];
    const after = evidence.reduce<Payment | null>(evolve, payment);
    if (after === null || !isReportable(after)) return [];
    const status = wordUnder(this.word, after, this.ownRules ?? this.rules);
    if (status === after.money.gatewayStatus) return [];
    return [{ type: 'GatewayReported', data: { status, valueUsd: null, witness, at: now } }];
  }

  /**
   * Where a person has decided about all the money of a closed payment, another payment of the order that stands in its
   * way leaves no trace in the history but that it did not become paid.
   */
  private stoodInTheWay(evidence: Moment, claim: Claim): boolean {
    const recorded = this.past.reduce<Payment | null>(evolve, null);
    if (recorded === null || !isReportable(recorded) || recorded.money.decided === null) return false;
    const events = decideAfter(recorded, () => [...evidence], claim);
    if (!isPaidBy(events)) return false;
    const known = evidence.reduce<Payment | null>(evolve, recorded);
    return known !== null && isReportable(known) && openReview(known, ['order_taken'], claim).length === 0;
  }

  /** Whether the gateway itself bore out that it is paid, when it was asked. */
  private confirm(moment: Moment, now: Instant): void {
    if (this.current?.status !== 'paid') return;
    for (const event of moment) {
      if (event.type === 'PaymentCorroborated' && this.current.corroboratedAt === null) this.apply([event]);
      if (event.type === 'CorroborationDelayed' || event.type === 'CorroborationWaived') this.apply([event]);
    }
    // It was not paid when this was recorded, so nobody asked; the gateway's word for the money is there all the same.
    if (!moment.some(({ type }) => type.startsWith('Corroboration'))) this.vouchForPaid(now, moment);
  }

  private vouchForPaid(now: Instant, moment: Moment = []): void {
    const { current } = this;
    if (current?.status !== 'paid' || current.corroboratedAt !== null || !isReportable(current)) return;
    if (moment.some(({ type }) => type === 'PaymentPaid') || this.recordedPaid) return;
    const live = current.money.transfers.filter(counted);
    if (live.length > 0 && live.every(({ vouched }) => vouched))
      this.apply([{ type: 'PaymentCorroborated', data: { transfers: [], at: now } }]);
  }

  /** What a person was asked, or no longer asked, for other reasons than the policy's. */
  private ask(moment: Moment, now: Instant): void {
    for (const event of moment) {
      if (event.type === 'PaymentPaid') this.recordedPaid = true;
      if (event.type === 'ReviewOpened') this.then((payment) => openedAnew(payment, event.data.reasons, now));
      if (event.type === 'ReviewWithdrawn')
        this.then((payment) =>
          withdraw(
            payment,
            event.data.reasons.filter((reason) => asked.has(reason)),
            now,
          ),
        );
    }
  }

  private then(decision: (payment: Reportable) => PaymentEvent[]): void {
    if (this.current && isReportable(this.current)) this.apply(decision(this.current));
  }

  private apply(events: readonly PaymentEvent[]): void {
    this.current = events.reduce<Payment | null>(evolve, this.current);
  }
}

/** What the gateway would have said of the payment as it stands, had it been sent the tolerance that it has now. */
function wordUnder(word: GatewayStatus, payment: Reportable, ownRules: PolicyRules): GatewayStatus {
  if (word !== 'paid' && word !== 'underpaid') return word;
  const facts = { ...factsOf(payment), gatewayStatus: null };
  const inTime = payment.money.transfers.filter((transfer) => !isLate(transfer, facts));
  const seen = sufficiency(inTime, facts);
  const own = sufficiency(inTime, { ...facts, policy: { ...facts.policy, rules: ownRules } });
  // What seemed enough under the tolerance of its own, and was called short all the same, is no matter of tolerances.
  if (word === 'underpaid') return seen === 'enough' && own !== 'enough' ? 'paid' : word;
  return seen === 'short' && own === 'enough' ? 'underpaid' : word;
}

const isPaidBy = (events: Moment): boolean => events.some(({ type }) => type === 'PaymentPaid');

const atOf = (event: PaymentEvent): Instant =>
  event.type === 'PaymentRequested' ? event.data.requestedAt : event.data.at;

/** From when on another payment of the order stood in the way, and until it no longer did. */
const isTaken = (moment: Moment, before: boolean): boolean =>
  moment.reduce((taken, event) => {
    if (event.type === 'ReviewOpened' && event.data.reasons.includes('order_taken')) return true;
    return event.type === 'PaymentPaid' ? false : taken;
  }, before);

function witnessOf(moment: Moment): Witness {
  for (const event of moment)
    if (event.type === 'GatewayReported' || event.type === 'ContradictionFound' || event.type === 'PaymentPaid')
      return event.data.witness;
  return 'callback';
}

/** Whether the gateway itself was asked: only then is money vouched for, or given away. */
const isPoll = (moment: Moment, { money }: Reportable): boolean =>
  witnessOf(moment) === 'poll' ||
  moment.some((event) => {
    switch (event.type) {
      case 'PaymentCorroborated':
        return true;
      case 'TransferDetected':
      case 'TransferUpdated': {
        const { key, vouched } = event.data.transfer;
        return vouched === true && !money.transfers.some((known) => known.key === key && known.vouched);
      }
      case 'ExcessKept':
      case 'CreditGranted':
      case 'RefundRequested':
        return policyClauses.has(event.data.clause);
      default:
        return false;
    }
  });

function openedAnew(payment: Reportable, reasons: readonly ReviewReason[], now: Instant): PaymentEvent[] {
  if (reasons.includes('no_final_word')) return giveUp(payment, now);
  const open = openReviewOf(payment.money)?.reasons ?? [];
  const others = reasons.filter((reason) => asked.has(reason) && !open.includes(reason));
  const fits = (reason: ReviewReason): boolean =>
    reason === 'gateway_conflict' || reason === 'paid_short'
      ? payment.status === 'paid'
      : !reason.startsWith('refund_') || payment.money.refunds.length > 0;
  return openReview(payment, others.filter(fits), { now });
}

/** Where a person had money sent to. */
function targetIn(moment: Moment): RefundTarget | null {
  const refund = moment.find((event) => event.type === 'RefundRequested');
  if (refund?.type !== 'RefundRequested') return null;
  const { address, network, currency, memo } = refund.data.payout;
  return { address, network, currency, memo };
}

type RefundStep = Exclude<Extract<PaymentEvent, { type: `Refund${string}` }>, { type: 'RefundRequested' }>;

const renumbered = (event: RefundStep, number: number): PaymentEvent => {
  switch (event.type) {
    case 'RefundAttempted':
      return { ...event, data: { ...event.data, number } };
    case 'RefundDelayed':
      return { ...event, data: { ...event.data, number } };
    case 'RefundSubmitted':
      return { ...event, data: { ...event.data, number } };
    case 'RefundConfirmed':
      return { ...event, data: { ...event.data, number } };
    case 'RefundFailed':
      return { ...event, data: { ...event.data, number } };
  }
};

/** A refusal is an answer like any other: nothing happens. */
function allowed(decision: () => PaymentEvent[]): PaymentEvent[] {
  try {
    return decision();
  } catch (error) {
    if (error instanceof Refusal) return [];
    throw error;
  }
}

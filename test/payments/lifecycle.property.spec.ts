import { describe, it } from '@jest/globals';
import fc from 'fast-check';
import type { RecordedEvent } from '../../src/kernel/event.js';
import { Refusal } from '../../src/kernel/refusal.js';
import { allocationOf, confirmedOf } from '../../src/payments/allocation.js';
import { Decimal, plain, sum } from '../../src/payments/decimal.js';
import { explain } from '../../src/payments/explanation.js';
import { openReviewOf, returnedOf } from '../../src/payments/money.js';
import {
  dueOf,
  factsOf,
  isReportable,
  type Payment,
  type PaymentEvent,
  type Reportable,
} from '../../src/payments/payment.js';
import { acceptable, bounds } from '../../src/payments/policy.js';
import { holdsFulfillment } from '../../src/payments/review-reasons.js';
import { resolveReview } from '../../src/payments/review.js';
import { isFulfillable } from '../../src/payments/standing.js';
import { counted, worthOf, type Transfer } from '../../src/payments/worth.js';
import { refundTo } from './gateway-model.js';
import { tooLate } from './given.js';
import { lives, type Life } from './lifecycle-acts.js';
import { liveOn, type Ending, type Step } from './lifecycle-model.js';
import { seed } from './seed.js';

/** What an invariant says of something that breaks it; nothing where it holds. */
type Broken = string | null;
type OfStep = (step: Step, history: readonly PaymentEvent[]) => Broken;

/** Money of known worth: what is not known takes nothing from the rest. */
function worthKnown(payment: Reportable, transfers: readonly Transfer[]): Decimal {
  const facts = factsOf(payment);
  const known = transfers.filter((transfer) => worthOf([transfer], facts) !== null);
  return worthOf(known, facts)?.amount ?? new Decimal('0');
}

/** Refunds that the gateway called failed, and then confirmed: what left twice is nobody's decision. */
const takenBack = (history: readonly PaymentEvent[]): ReadonlySet<number> =>
  new Set(
    history
      .filter(({ type }) => type === 'RefundFailed')
      .map((event) => (event.type === 'RefundFailed' ? event.data.number : 0)),
  );

const unexpected = (payment: Reportable, history: readonly PaymentEvent[]): Decimal => {
  const failed = takenBack(history);
  return sum(
    payment.money.refunds
      .filter(({ number, status }) => failed.has(number) && status === 'confirmed')
      .map(({ amount }) => amount),
  );
};

const givesWhatIsThere: OfStep = ({ events, states }) => {
  for (const [index, event] of events.entries()) {
    if (event.type !== 'CreditGranted' && event.type !== 'RefundRequested') continue;
    const [before, after] = [states[index], states[index + 1]];
    if (!before || !after || !isReportable(before) || !isReportable(after)) return `${event.type} without money`;
    const there = worthKnown(before, confirmedOf(before));
    const given = returnedOf(after.money);
    if (given.gt(there)) return `${plain(given)} given of ${plain(there)} vouched`;
  }
  return null;
};

const returnsWhatWasReceived: OfStep = ({ after }, history) => {
  if (!isReportable(after) || after.money.received === null) return null;
  const given = returnedOf(after.money).minus(unexpected(after, history));
  return given.gt(after.money.received) ? `${plain(given)} given of ${after.money.received} received` : null;
};

const sharesAddUp: OfStep = ({ after }, history) => {
  const allocation = allocationOf(after);
  if (allocation === null || !isReportable(after)) return null;
  // Where the gateway took back that a refund had failed, more may have left than had come: the books say so.
  const unallocated = plain(unexpected(after, history).plus(allocation.unallocated));
  const shares = Object.values(allocation);
  if (plain(sum(shares)) !== after.money.received)
    return `${JSON.stringify(allocation)} of ${after.money.received ?? ''}`;
  const least = Object.values({ ...allocation, unallocated });
  return least.some((share) => new Decimal(share).lt('0')) ? JSON.stringify(allocation) : null;
};

const arrows: Readonly<Record<Payment['status'], readonly Payment['status'][]>> = {
  created: ['created', 'pending', 'paid', 'failed'],
  pending: ['pending', 'paid', 'expired', 'failed'],
  expired: ['expired', 'paid'],
  failed: ['failed', 'paid'],
  paid: ['paid'],
};

const movesForward: OfStep = ({ events, states }) => {
  for (const [index, event] of events.entries()) {
    const [before, after] = [states[index], states[index + 1]];
    if (!before || !after) continue;
    if (!arrows[before.status].includes(after.status)) return `${before.status} became ${after.status}`;
    const revived = after.status === 'paid' && (before.status === 'expired' || before.status === 'failed');
    if (!revived || event.type !== 'PaymentPaid' || !isReportable(after)) continue;
    const byRest = event.data.clause === 'underpayment' && after.money.remainders.some((r) => r.outcome === 'paid');
    const may = ['latePayment', 'review'].includes(event.data.clause) || after.money.manuallyAccepted || byRest;
    if (!may) return `${before.status} became paid by ${event.data.clause}`;
  }
  return null;
};

/** Whether somebody took what was there, whatever it was: at the gateway, or here. */
const tookItAsItIs = (payment: Reportable, history: readonly PaymentEvent[]): boolean =>
  payment.money.manuallyAccepted ||
  history.some(
    (event) =>
      event.type === 'ReviewResolved' && event.data.decision === 'accept' && event.data.reasons.some(holdsFulfillment),
  );

const deliversWhatIsPaid: OfStep = ({ after }, history) => {
  if (!isFulfillable(after)) return null;
  if (after.status !== 'paid') return `${after.status} is fulfillable`;
  if (openReviewOf(after.money)?.reasons.some(holdsFulfillment)) return 'fulfillable under review';
  if (after.denied) return 'fulfillable after a denial';
  if (!isReportable(after) || after.money.received === null) return null;
  const returned = returnedOf(after.money);
  const left = new Decimal(after.money.received).minus(returned);
  if (tookItAsItIs(after, history)) return returned.gt('0') && left.lte('0') ? 'all of it was given back' : null;
  // By looked-up prices a little too little may be enough, until the gateway says that it is not.
  const { estimated, gatewayStatus } = after.money;
  const open = estimated && gatewayStatus !== 'underpaid' && gatewayStatus !== 'expired';
  const enough = bounds(factsOf(after)).enough.times(open ? '0.98' : '1');
  return left.lt(enough) ? `fulfillable with ${plain(left)} of ${dueOf(after)}` : null;
};

const countOf = (history: readonly PaymentEvent[], type: PaymentEvent['type']): number =>
  history.filter((event) => event.type === type).length;

const givesOnce: OfStep = ({ after }, history) => {
  if (countOf(history, 'PaymentPaid') > 1) return 'paid twice';
  if (countOf(history, 'CreditReleased') > 1) return 'credit released twice';
  const numbers = history.flatMap((event) => (event.type === 'CreditGranted' ? [event.data.number] : []));
  if (numbers.some((number, index) => number !== index + 1)) return `credits are numbered ${numbers.join()}`;
  const refunds = history.flatMap((event) => (event.type === 'RefundRequested' ? [event.data.number] : []));
  if (refunds.some((number, index) => number !== index + 1)) return `refunds are numbered ${refunds.join()}`;
  if (!isReportable(after) || after.money.received === null) return null;
  const kept = sum(after.money.kept.map(({ amount }) => amount));
  return kept.gt(after.money.received) ? `${plain(kept)} kept of ${after.money.received}` : null;
};

const recorded = (events: readonly PaymentEvent[]): RecordedEvent[] =>
  events.map((event, index) => ({ ...event, id: String(index), schemaVersion: 1 }) as unknown as RecordedEvent);

const explains: OfStep = ({ after }, history) => {
  const { sentence, waitingOn, review } = explain(after, recorded(history));
  if (sentence.trim() === '') return 'no sentence';
  const over = after.status === 'expired' || after.status === 'failed' || (after.status === 'paid' && after.denied);
  const delivered = after.status === 'paid' && isFulfillable(after);
  return over || delivered || waitingOn !== null || review.length > 0 ? null : `${sentence} waits for nobody`;
};

const invariants: Readonly<Record<string, OfStep>> = {
  'gives more than is vouched for': givesWhatIsThere,
  'returns more than was received': returnsWhatWasReceived,
  'shares do not add up': sharesAddUp,
  'status moves': movesForward,
  'is delivered': deliversWhatIsPaid,
  'gives too often': givesOnce,
  'explains badly': explains,
};

/** Whether a person may still decide about the review. */
function isDecidable(payment: Payment): boolean {
  return (['accept', 'reject', 'credit', 'refund'] as const).some((decision) => {
    try {
      return resolveReview(payment, { decision, actor: 'dana', note: 'why', refundTo }, false, tooLate).length > 0;
    } catch (error) {
      if (error instanceof Refusal) return false;
      throw error;
    }
  });
}

/** Money that lies there although nobody has to decide about it, and neither policy nor person left it there. */
function liesIdle(payment: Reportable, history: readonly PaymentEvent[]): Broken {
  const live = payment.money.transfers.filter(counted);
  if (payment.money.received === null || live.some(({ vouched }) => !vouched)) return null;
  const idle = new Decimal(allocationOf(payment)?.unallocated ?? '0');
  const byPerson = history.some((event) => event.type === 'ReviewResolved' && event.data.decision === 'reject');
  if (idle.lte('0') || byPerson) return null;
  const rejected = payment.status === 'expired' && payment.terms.policy.rules.underpayment.then === 'reject';
  const short = rejected ? worthKnown(payment, acceptable(live, factsOf(payment))) : new Decimal('0');
  // An estimate that gave way to the gateway's word for one part of the money may leave the difference in the whole.
  const drift = payment.money.estimated ? new Decimal(payment.invoiced).times('2').div('100') : '0';
  return idle.gt(short.plus(drift)) ? `${plain(idle)} of a payment that is ${payment.status} lies idle` : null;
}

function endsSomewhere({ payment, history }: Ending): Broken {
  if (!isReportable(payment)) return null;
  if (openReviewOf(payment.money)) return isDecidable(payment) ? null : 'nobody can decide the review';
  const collected = payment.money.remainders.some(({ outcome }) => outcome === 'open');
  if (payment.status === 'pending' && !collected) return 'open for ever';
  const { refunds } = payment.money;
  if (refunds.some(({ status, decided }) => status === 'failed' && !decided)) return 'a failed refund is forgotten';
  return collected ? null : liesIdle(payment, history);
}

/** Lives through it, and throws at the first thing that does not hold. */
function check(life: Life): void {
  const history: PaymentEvent[] = [];
  const names: string[] = [];
  const fail = (name: string, broken: Broken): void => {
    if (broken === null) return;
    throw new Error([`${name}: ${broken}`, ...names].join('\n  '));
  };
  const ending = liveOn(life, (step) => {
    history.push(...step.events);
    if (step.events.length > 0) names.push(`${step.name} → ${step.events.map(({ type }) => type).join(', ')}`);
    for (const [name, holds] of Object.entries(invariants)) fail(name, holds(step, history));
  });
  fail('does not come to rest', ending.restless.length > 0 ? ending.restless.join() : null);
  fail('ends nowhere', endsSomewhere(ending));
}

describe('Whatever happens to a payment between the reports of its gateway', () => {
  it('no money is lost or given twice, no status goes back, and it ends where somebody is asked', () => {
    fc.assert(
      fc.property(lives, (life) => {
        check(life);
      }),
      { numRuns: 5000, seed },
    );
  }, 60_000);
});

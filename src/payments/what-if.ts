import type { RecordedEvent } from '../kernel/event.js';
import type { Instant } from '../kernel/clock.js';
import { Decimal, plain } from './decimal.js';
import { differences, outcomeOf, type Outcome } from './outcome.js';
import { readPaymentEvent } from './payment-stream.js';
import { showAllocation, showAmount } from './payment-view.js';
import type { Payment, PaymentEvent } from './payment.js';
import type { PolicyRules } from './policy.js';
import { redecideUntil } from './redecide.js';

/*
 * What the past would have come to under another policy: both ways are decided by the same code from the same facts, so
 * that what differs is the policy's doing alone.
 */

/** Sums over the payments of one currency; amounts are decimal strings in it. */
export interface Sums {
  paid: number;
  /** Payments about which a person is asked. */
  inReview: number;
  /** Payments the worth of whose money nobody knows: they are in none of the amounts. */
  worthUnknown: number;
  received: string;
  applied: string;
  kept: string;
  credited: string;
  /** Sent back, or on its way back. */
  returned: string;
  unallocated: string;
}

export interface Totals {
  currency: string;
  payments: number;
  /** By the policy that each payment carried. */
  actual: Sums;
  /** By the other policy. */
  simulated: Sums;
}

export interface ChangedPayment {
  paymentId: string;
  orderId: string;
  amount: string;
  currency: string;
  createdAt: Instant;
  /** What differs: names of fields of the outcomes. */
  differs: string[];
  actual: Outcome;
  simulated: Outcome;
}

export interface WhatIf {
  /** The payments that were decided anew, and their events. */
  payments: number;
  events: number;
  differing: number;
  /** Of those that would have another status. */
  transitions: { from: Payment['status']; to: Payment['status']; payments: number }[];
  totals: Totals[];
  /** The first of those that differ, by their ids: as many as were asked for. */
  changed: ChangedPayment[];
}

/** The events of a stream by the appends that wrote them. */
export function momentsOf(events: readonly RecordedEvent[]): PaymentEvent[][] {
  const moments: PaymentEvent[][] = [];
  let cause = '';
  for (const event of events) {
    const key = `${event.causationId} ${event.recordedAt}`;
    if (key !== cause) moments.push([]);
    cause = key;
    moments.at(-1)?.push(readPaymentEvent(event));
  }
  return moments;
}

/** Compares payments one by one and adds up. */
export class Comparison {
  private payments = 0;
  private events = 0;
  private differing = 0;
  private readonly transitions = new Map<string, WhatIf['transitions'][number]>();
  private readonly totals = new Map<string, { payments: number; actual: Adding; simulated: Adding }>();
  private readonly changed: ChangedPayment[] = [];

  constructor(
    private readonly rules: PolicyRules,
    /** Until when the policy's consequences are drawn. */
    private readonly now: Instant,
    private readonly listed: number,
  ) {}

  add(events: readonly RecordedEvent[]): void {
    const moments = momentsOf(events);
    const payment = redecideUntil(moments, null, this.now);
    const actual = outcomeOf(payment);
    const simulated = this.isSame(payment) ? actual : outcomeOf(redecideUntil(moments, this.rules, this.now));
    this.payments++;
    this.events += events.length;
    this.sum(payment.terms.currency, actual, simulated);
    const differs = simulated === actual ? [] : differences(actual, simulated);
    if (differs.length === 0) return;
    this.differing++;
    if (actual.status !== simulated.status) this.count(actual.status, simulated.status);
    if (this.changed.length < this.listed) this.changed.push(changedBy(payment, differs, actual, simulated));
  }

  result(): WhatIf {
    return {
      payments: this.payments,
      events: this.events,
      differing: this.differing,
      transitions: [...this.transitions.values()].sort((a, b) => b.payments - a.payments),
      totals: [...this.totals]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([currency, { payments, actual, simulated }]) => ({
          currency,
          payments,
          actual: actual.sums(currency),
          simulated: simulated.sums(currency),
        })),
      changed: this.changed,
    };
  }

  private isSame({ terms }: Payment): boolean {
    return JSON.stringify(terms.policy.rules) === JSON.stringify(this.rules);
  }

  private sum(currency: string, actual: Outcome, simulated: Outcome): void {
    const known = this.totals.get(currency) ?? { payments: 0, actual: new Adding(), simulated: new Adding() };
    known.payments++;
    known.actual.add(actual);
    known.simulated.add(simulated);
    this.totals.set(currency, known);
  }

  private count(from: Payment['status'], to: Payment['status']): void {
    const known = this.transitions.get(`${from} ${to}`) ?? { from, to, payments: 0 };
    known.payments++;
    this.transitions.set(`${from} ${to}`, known);
  }
}

const changedBy = ({ terms }: Payment, differs: string[], actual: Outcome, simulated: Outcome): ChangedPayment => ({
  paymentId: terms.id,
  orderId: terms.orderId,
  amount: showAmount(terms.amount, terms.currency),
  currency: terms.currency,
  createdAt: terms.requestedAt,
  differs,
  actual: shown(actual, terms.currency),
  simulated: shown(simulated, terms.currency),
});

/** An outcome with its amounts as every reader outside sees them. */
function shown(outcome: Outcome, currency: string): Outcome {
  const { received, allocation } = outcome;
  return {
    ...outcome,
    received: received === null ? null : showAmount(received, currency),
    allocation: showAllocation(allocation, currency),
  };
}

class Adding {
  private paid = 0;
  private inReview = 0;
  private worthUnknown = 0;
  private received = zero;
  private applied = zero;
  private kept = zero;
  private credited = zero;
  private returned = zero;
  private unallocated = zero;

  add({ status, review, received, allocation }: Outcome): void {
    if (status === 'paid') this.paid++;
    if (review.length > 0) this.inReview++;
    if (received === null || (allocation === null && received !== '0')) this.worthUnknown++;
    if (allocation === null || received === null || received === '0') return;
    this.received = this.received.plus(received);
    this.applied = plus(this.applied, allocation.applied);
    this.kept = plus(this.kept, allocation.kept);
    this.credited = plus(this.credited, allocation.credited);
    this.returned = plus(plus(this.returned, allocation.refunded), allocation.refunding);
    this.unallocated = plus(this.unallocated, allocation.unallocated);
  }

  sums(currency: string): Sums {
    const show = (amount: Decimal): string => showAmount(plain(amount), currency);
    return {
      paid: this.paid,
      inReview: this.inReview,
      worthUnknown: this.worthUnknown,
      received: show(this.received),
      applied: show(this.applied),
      kept: show(this.kept),
      credited: show(this.credited),
      returned: show(this.returned),
      unallocated: show(this.unallocated),
    };
  }
}

const zero = new Decimal('0');

const plus = (sum: Decimal, amount: string): Decimal => (amount === '0' ? sum : sum.plus(amount));

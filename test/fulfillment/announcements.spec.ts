import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { RecordedEvent } from '../../src/kernel/event.js';
import { announcementsIn, announcementsOf, mayAnnounce } from '../../src/fulfillment/announcements.js';
import { openReviewOf } from '../../src/payments/money.js';
import { evolve, isReportable, type Payment, type PaymentEvent } from '../../src/payments/payment.js';
import { labelsOf, progressOf } from '../../src/payments/standing.js';
import { inTime, open, report, terms, tooLate, transfer } from '../payments/given.js';
import { applyReport } from '../../src/payments/decisions.js';
import { lives } from '../payments/lifecycle-acts.js';
import { liveOn } from '../payments/lifecycle-model.js';
import { seed } from '../payments/seed.js';
import type { GatewayReport } from '../../src/payments/payment-gateway.js';

const recorded = (events: readonly PaymentEvent[]): RecordedEvent[] =>
  events.map(({ type, data }, index) => ({
    id: `event-${String(index + 1)}`,
    type,
    data: data as unknown as RecordedEvent['data'],
    schemaVersion: 1,
    streamId: 'payment',
    version: index + 1,
    position: index + 1,
    tenant: 'shop',
    actor: 'gateway',
    correlationId: 'request',
    // Those with one time of hearing were recorded together.
    causationId: 'at' in data ? data.at : 'request',
    recordedAt: inTime,
  }));

const everyEvent = (events: readonly RecordedEvent[]): ReadonlySet<string> => new Set(events.map(({ id }) => id));

/** What a history tells, in its order. */
const told = (events: readonly PaymentEvent[]): string[] => {
  const stream = recorded(events);
  return announcementsIn(stream, everyEvent(stream)).map(({ type }) => type.replace('payment.', ''));
};

/** An open payment of 50 USD that hears this, one report after the other. */
const hearing = (...said: (readonly [GatewayReport, string?])[]): PaymentEvent[] => {
  const past = [...open()];
  for (const [each, now = inTime] of said) {
    const payment = past.reduce<Payment | null>(evolve, null);
    if (!payment || !isReportable(payment)) throw new Error('nothing can be reported about this payment');
    past.push(...applyReport(payment, each, { witness: 'poll', now }));
  }
  return past;
};

const confirmed = (worth: string, changes = {}) =>
  transfer(worth, { status: 'confirmed', confirmations: 20, ...changes });
const at = inTime;

describe('What an application is told', () => {
  it('of a payment that goes well: each step once', () => {
    const events = hearing([report('paying', [transfer('50')])], [report('paid', [confirmed('50')])]);
    expect(told(events)).toEqual(['created', 'pending', 'detected', 'paid']);
  });

  it('of a full amount is never that it is a part', () => {
    expect(told(hearing([report('paying', [transfer('50')])]))).toEqual(['created', 'pending', 'detected']);
  });

  it('of money that comes in parts: each part', () => {
    const parts = [confirmed('20'), confirmed('10', { txHash: 'second' }), confirmed('20', { txHash: 'third' })];
    const events = hearing(
      [report('paying', parts.slice(0, 1))],
      [report('paying', parts.slice(0, 1))],
      [report('paying', parts.slice(0, 2))],
      [report('paid', parts)],
    );
    expect(told(events)).toEqual(['created', 'pending', 'detected', 'partially_paid', 'partially_paid', 'paid']);
  });

  it('of too much money: that it is paid, and that there is more', () => {
    expect(told(hearing([report('paid', [confirmed('55')])])).sort()).toEqual(
      ['created', 'detected', 'overpaid', 'paid', 'pending', 'review_opened'].sort(),
    );
  });

  it('of a payment that nobody paid, and then somebody did', () => {
    const late = confirmed('50', { seenAt: tooLate });
    const events = hearing([report('expired'), tooLate], [report('expired', [late]), tooLate]);
    expect(told(events)).toEqual(['created', 'pending', 'expired', 'detected', 'late', 'review_opened']);
  });

  it.each<[string, PaymentEvent[], string]>([
    ['refused', [{ type: 'InvoiceRefused', data: { field: null, detail: 'no', at } }], 'failed'],
    ['cancelled', [{ type: 'PaymentCancelled', data: { at } }], 'failed'],
  ])('of a payment that was %s: that it failed', (_, after, word) => {
    expect(told([{ type: 'PaymentRequested', data: terms() }, ...after])).toEqual(['created', word]);
  });

  it('of a rejected one: that the review ended, and that it failed', () => {
    const events: PaymentEvent[] = [
      ...open(),
      { type: 'ReviewOpened', data: { reasons: ['underpaid'], at } },
      { type: 'ReviewOpened', data: { reasons: ['underpaid'], at } },
      { type: 'ReviewOpened', data: { reasons: ['worth_unknown'], at } },
      { type: 'ReviewWithdrawn', data: { reasons: ['worth_unknown'], at } },
      { type: 'ReviewResolved', data: { decision: 'reject', actor: 'mia', note: 'no', reasons: ['underpaid'], at } },
      { type: 'PaymentRejected', data: { at } },
    ];
    expect(told(events)).toEqual(['created', 'pending', 'review_opened', 'review_opened', 'review_resolved', 'failed']);
  });

  it('of a review whose last reason was withdrawn: that it ended', () => {
    const events: PaymentEvent[] = [
      ...open(),
      { type: 'ReviewOpened', data: { reasons: ['underpaid'], at } },
      { type: 'ReviewWithdrawn', data: { reasons: ['underpaid'], at } },
    ];
    expect(told(events).slice(2)).toEqual(['review_opened', 'review_resolved']);
  });

  it('of money that goes back: what was sent, what the gateway took back, and what was credited', () => {
    const paid = hearing([report('paid', [confirmed('50')])]);
    const payout = { amount: '5', currency: 'USDT', network: 'TRON', address: 'T', memo: null };
    const refund = { number: 1, amount: '5', payout, reason: 'asked', clause: 'request' };
    const back: PaymentEvent[] = [
      { type: 'RefundRequested', data: { ...refund, at } },
      { type: 'RefundConfirmed', data: { number: 1, txHash: null, at } },
      { type: 'RefundConfirmed', data: { number: 1, txHash: null, at } },
      { type: 'GatewayReported', data: { status: 'refunding', valueUsd: null, witness: 'poll', at } },
      { type: 'GatewayReported', data: { status: 'refunded', valueUsd: null, witness: 'poll', at } },
      { type: 'GatewayReported', data: { status: 'refunded', valueUsd: null, witness: 'poll', at } },
      {
        type: 'CreditGranted',
        data: { number: 1, amount: '1', currency: 'USD', customerId: 'mia', clause: 'review', at },
      },
      { type: 'CreditReleased', data: { amount: '1', at } },
      { type: 'CreditReleased', data: { amount: '1', at } },
    ];
    expect(told([...paid, ...back]).slice(told(paid).length)).toEqual(['refunded', 'refunded', 'credited', 'credited']);
  });

  it('is numbered by type, and holds the payment as it was then, whichever events are asked about', () => {
    const later = '2026-01-01T12:20:00.000Z';
    const stream = recorded(hearing([report('paying', [transfer('50')])], [report('paid', [confirmed('50')]), later]));
    const all = announcementsIn(stream, everyEvent(stream));
    expect(all.map(({ number }) => number)).toEqual(all.map(() => 1));
    expect(all.map(({ payment }) => payment.status)).toEqual(['created', 'pending', 'pending', 'paid']);
    // What was recorded together with a transfer says what it is worth: nobody is told of money without its amount.
    expect(all.map(({ payment }) => ('money' in payment ? payment.money.received : null))).toEqual([
      null,
      '0',
      '50',
      '50',
    ]);
    expect(all.map(({ version }) => version)).toEqual([1, 2, 5, stream.length]);
    for (const each of all) expect(announcementsIn(stream, new Set([each.eventId]))).toEqual([each]);
  });
});

type Told = { type: string; before: Payment; event: PaymentEvent; after: Payment };

/** What is wrong with what was told of a life; null where nothing is. */
function fault(steps: readonly Told[], first: Payment, end: Payment, events: readonly PaymentEvent[]): string | null {
  const count = (type: string): number => steps.filter((step) => step.type === `payment.${type}`).length;
  const happened = (type: PaymentEvent['type']): number => events.filter((event) => event.type === type).length;
  for (const status of ['pending', 'paid', 'expired', 'failed'])
    if (count(status) > 1) return `${status} was told twice`;
  const statuses = steps
    .map(({ type }) => type.slice('payment.'.length))
    .filter((word) => word === 'pending' || word === 'paid' || word === 'expired' || word === 'failed');
  if ((statuses.at(-1) ?? first.status) !== end.status) return `it is ${end.status}, which was not told`;
  if (count('review_opened') !== happened('ReviewOpened')) return 'a review was not told, or twice';
  const open = 'money' in end && openReviewOf(end.money) !== null;
  const reviews = steps.filter(({ type }) => type.startsWith('payment.review_'));
  if (reviews.length > 0 && (reviews.at(-1)?.type === 'payment.review_opened') !== open)
    return 'a review ended otherwise than told';
  if (
    reviews.some(
      ({ type }, n) => type === 'payment.review_resolved' && reviews[n - 1]?.type !== 'payment.review_opened',
    )
  )
    return 'a review ended that had not begun';
  if (count('credited') < happened('CreditGranted')) return 'a credit was not told';
  if (count('refunded') > happened('RefundConfirmed') + happened('GatewayReported')) return 'a refund was made up';
  for (const label of ['late', 'overpaid'] as const)
    if (labelsOf(end).includes(label) && count(label) === 0) return `${label} was not told`;
  const parts = steps.filter(({ type }) => type === 'payment.partially_paid');
  const wrong = parts.find(
    ({ after }) => progressOf(after) !== 'partially_paid' || ('money' in after && after.money.received === '0'),
  );
  return wrong ? 'a part was told that is none' : null;
}

describe('Whatever happens to a payment', () => {
  it('its application is told it once and no more than it is', () => {
    fc.assert(
      fc.property(lives, (life) => {
        const steps: Told[] = [];
        const events: PaymentEvent[] = [];
        let first: Payment | null = null;
        const { payment } = liveOn(life, (step) => {
          first ??= step.before;
          step.events.forEach((event, index) => {
            const [before, after] = [step.states[index], step.states[index + 1]];
            if (!before || !after) throw new Error('a step without its states');
            events.push(event);
            const types = announcementsOf(before, event, after);
            const [silent] = recorded([event]);
            if (types.length > 0 && silent && !mayAnnounce(silent))
              throw new Error(`${event.type} tells ${types.join()}`);
            steps.push(...types.map((type) => ({ type, before, event, after })));
          });
        });
        const wrong = fault(steps, first ?? payment, payment, events);
        if (wrong !== null)
          throw new Error(`${wrong}: ${steps.map(({ type, event }) => `${event.type}>${type}`).join(' ')}`);
      }),
      { seed, numRuns: 1500 },
    );
  });
});

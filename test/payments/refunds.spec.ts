import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Refusal } from '../../src/kernel/refusal.js';
import { Decimal } from '../../src/payments/decimal.js';
import type { PayoutReport } from '../../src/payments/payment-gateway.js';
import { returnedOf } from '../../src/payments/money.js';
import type { Payment, PaymentEvent, ReviewDecision } from '../../src/payments/payment.js';
import { isLost, isTriedEnough, nextLookSeconds, refundsOf, refundStep } from '../../src/payments/refund-schedule.js';
import { readReference, refundReference } from '../../src/payments/refund.js';
import {
  applyPayout,
  attemptRefund,
  refundDelayed,
  refundFailed,
  refundLost,
  refundSubmitted,
  requestRefund,
  type RefundWish,
} from '../../src/payments/refunds.js';
import { resolveReview } from '../../src/payments/review.js';
import { foldAll, given, open, report, transfer } from './given.js';

const at = '2026-01-02T12:00:00.000Z';
const after = (seconds: number): string => new Date(Date.parse(at) + seconds * 1000).toISOString();
const to = { address: 'TAddress', network: 'TRON', currency: null, memo: null };
const wish = (
  amount: string | null,
  currency: string | null = null,
  changes: Partial<RefundWish> = {},
): RefundWish => ({
  amount,
  currency,
  to: { ...to, currency: currency === 'USD' ? null : currency },
  reason: 'returned goods',
  ...changes,
});

const sent = (amount: string, changes = {}) => transfer(amount, { status: 'confirmed', confirmations: 20, ...changes });

/** A payment of 50 USD that the gateway says is paid, by what was sent. */
const paid = (transfers = [sent('50')], changes = {}, rules = {}): PaymentEvent[] =>
  given(...open(rules, changes))
    .when(report('paid', transfers), 'poll')
    .events();

/** A history that goes on with what is decided upon it. */
const then = (
  history: readonly PaymentEvent[],
  ...decisions: ((payment: Payment) => PaymentEvent[])[]
): PaymentEvent[] =>
  decisions.reduce<PaymentEvent[]>((events, decide) => [...events, ...decide(foldAll(events))], [...history]);

const request =
  (amount: string | null, currency: string | null = null) =>
  (payment: Payment) =>
    requestRefund(payment, wish(amount, currency), at);
const attempt = (number: number) => (payment: Payment) => attemptRefund(payment, number, at);
const submit = (number: number) => (payment: Payment) =>
  refundSubmitted(payment, number, `payout-${number}`, false, at);
const fail = (number: number) => (payment: Payment) => refundFailed(payment, number, 'refused', at);
const delay = (outcome: 'unavailable' | 'unknown') => (payment: Payment) =>
  refundDelayed(payment, 1, outcome, 'no answer', at);
const lose = (payment: Payment) => refundLost(payment, 1, at);
const told = (status: PayoutReport['status'], witness: 'callback' | 'poll') => (payment: Payment) =>
  applyPayout(payment, 1, { status, txHash: 'hash' }, { witness, now: at });
const resolve = (decision: ReviewDecision) => (payment: Payment) =>
  resolveReview(payment, { decision, actor: 'support', note: 'looked', refundTo: null }, false, after(600));

const typesOf = (events: readonly PaymentEvent[]): string[] => events.map(({ type }) => type);
const refundOf = (history: readonly PaymentEvent[], number = 1) =>
  refundsOf(foldAll(history)).find((refund) => refund.number === number);
const refusalOf = (history: readonly PaymentEvent[], asked: RefundWish): Refusal => {
  try {
    requestRefund(foldAll(history), asked, at);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('it was not refused');
};

describe('What can be refunded', () => {
  it('is nothing of a payment that no invoice was opened for, or that is still open', () => {
    expect(refusalOf(open().slice(0, 1), wish('1')).code).toBe('nothing_to_refund');
    const short = given(...open()).when(report('paying', [sent('20')]), 'poll');
    expect(refusalOf(short.events(), wish('1')).code).toBe('not_refundable');
  });

  it('is what was received and confirmed, less what was returned, to the last cent', () => {
    const history = then(paid(), request('49.99'));
    expect(refusalOf(history, wish('0.02'))).toMatchObject({ code: 'refund_too_large', extra: { refundable: '0.01' } });
    const all = then(history, request(null));
    expect(refundOf(all, 2)).toMatchObject({ amount: '0.01', status: 'requested' });
    expect(refusalOf(all, wish(null)).code).toBe('nothing_to_refund');
    expect(refusalOf(all, wish('0.01')).code).toBe('nothing_to_refund');
  });

  it('does not count money that the gateway has not confirmed', () => {
    const history = paid([sent('50'), transfer('10', { txHash: 'another' })]);
    expect(refusalOf(history, wish('50.01')).code).toBe('refund_too_large');
  });

  it('is nothing that was credited already', () => {
    const history: PaymentEvent[] = [
      ...paid(),
      {
        type: 'CreditGranted',
        data: { number: 1, amount: '30', currency: 'USD', customerId: 'c', clause: 'review', at },
      },
    ];
    expect(refusalOf(history, wish('20.01'))).toMatchObject({ extra: { refundable: '20' } });
  });

  it('is again what a failed refund was to give back', () => {
    const history = then(paid(), request('50'), attempt(1), fail(1));
    expect(refundOf(then(history, request('50')), 2)).toMatchObject({ amount: '50', status: 'requested' });
  });

  it('is still held by a refund that nobody knows the outcome of', () => {
    const history = then(paid(), request('50'), attempt(1), delay('unknown'), lose);
    expect(refusalOf(history, wish('0.01')).code).toBe('nothing_to_refund');
  });

  it('never comes to more than was received, whatever is asked and becomes of it', () => {
    const cents = fc.integer({ min: 1, max: 6000 });
    const step = fc.record({ cents, coin: fc.boolean(), becomes: fc.constantFrom('failed', 'submitted', 'unknown') });
    const coins = fc.integer({ min: 1, max: 10_000_000 });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), coins, (steps, units) => {
        const coinsSent = new Decimal(String(units)).div('1000000').toFixed();
        let history = paid([sent(coinsSent, { valueUsd: '50' })]);
        for (const { cents: asked, coin, becomes } of steps) {
          const number = refundsOf(foldAll(history)).length + 1;
          const amount = new Decimal(String(asked)).div('100').toFixed();
          try {
            history = then(history, request(amount, coin ? 'USDT' : null), attempt(number));
          } catch (error) {
            if (!(error instanceof Refusal)) throw error;
            continue;
          }
          if (becomes === 'failed') history = then(history, fail(number));
          if (becomes === 'submitted') history = then(history, submit(number));
        }
        const payment = foldAll(history);
        if (!('money' in payment)) throw new Error('it lost its money');
        expect(returnedOf(payment.money).lte('50')).toBe(true);
        const out = payment.money.refunds
          .filter(({ status }) => status !== 'failed')
          .reduce((total, { payout }) => total.plus(payout.amount), new Decimal('0'));
        expect(out.lte(coinsSent)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

describe('An amount to refund', () => {
  const bitcoin = paid([sent('0.00083333', { currency: 'BTC', network: 'Bitcoin Network', valueUsd: '50' })]);

  it("in a state's currency is sent in the coin that was paid, at the worth that it was paid at, never more", () => {
    expect(refundOf(then(bitcoin, request('20')))).toMatchObject({
      amount: '20',
      payout: { amount: '0.00033333', currency: 'BTC', network: 'TRON', address: 'TAddress', memo: null },
    });
    expect(refundOf(then(bitcoin, request(null)))?.payout.amount).toBe('0.00083333');
  });

  it('in a coin is sent as asked, and counts as what it is worth, never less', () => {
    expect(refundOf(then(bitcoin, request('0.0005', 'BTC')))).toMatchObject({
      amount: '30.01',
      payout: { amount: '0.0005', currency: 'BTC' },
    });
    expect(refundOf(then(bitcoin, request('0.00000001', 'BTC')))).toMatchObject({
      amount: '0.01',
      payout: { amount: '0.00000001', currency: 'BTC' },
    });
    expect(refusalOf(bitcoin, wish('0.00083334', 'BTC')).code).toBe('refund_too_large');
  });

  it('in a coin that was not paid has no worth that anybody knows', () => {
    expect(refusalOf(bitcoin, wish('1', 'LTC')).code).toBe('worth_unknown');
    expect(refusalOf(bitcoin, { ...wish('1'), to: { ...to, currency: 'LTC' } }).code).toBe('worth_unknown');
  });

  it('is exact to eighteen digits where coin and price are one', () => {
    const price = '1.000000000000000003';
    const history = given(...open({}, { amount: price, currency: 'ETH' }))
      .when(
        report('paid', [sent(price, { currency: 'ETH', valueUsd: null })], { amount: price, currency: 'ETH' }),
        'poll',
      )
      .events();
    const once = then(history, request('0.123456789012345678'));
    expect(refundOf(once)).toMatchObject({
      amount: '0.123456789012345678',
      payout: { amount: '0.123456789012345678' },
    });
    expect(refundOf(then(once, request(null)), 2)).toMatchObject({
      amount: '0.876543210987654325',
      payout: { amount: '0.876543210987654325', currency: 'ETH' },
    });
  });

  it('finer than the currency can be is refused', () => {
    for (const asked of [wish('1.001'), wish('1.0000001', 'USDT'), wish('0.000000001', 'BTC')])
      expect(refusalOf(paid(), asked)).toMatchObject({ code: 'invalid_request', errors: [{ pointer: '/amount' }] });
  });
});

describe('A refund', () => {
  const begun = then(paid(), request('20'), attempt(1));

  it('begins an attempt once: whoever comes second has nothing to send', () => {
    expect(typesOf(attempt(1)(foldAll(then(paid(), request('20')))))).toEqual(['RefundAttempted']);
    expect(attempt(1)(foldAll(begun))).toEqual([]);
    expect(attempt(2)(foldAll(begun))).toEqual([]);
  });

  it('that the gateway took is confirmed by its callback or its answer, once', () => {
    const submitted = then(begun, submit(1));
    for (const witness of ['callback', 'poll'] as const) {
      expect(told('confirming', witness)(foldAll(submitted))).toEqual([]);
      const confirmed = then(submitted, told('confirmed', witness));
      expect(refundOf(confirmed)).toMatchObject({ status: 'confirmed', txHash: 'hash', trackId: 'payout-1' });
      expect(told('confirmed', witness)(foldAll(confirmed))).toEqual([]);
      expect(told('failed', 'poll')(foldAll(confirmed))).toEqual([]);
    }
  });

  it.each(['failed', 'rejected', 'canceled'] as const)(
    'is not failed by a callback that says %s, but by an answer',
    (status) => {
      const submitted = then(begun, submit(1));
      expect(told(status, 'callback')(foldAll(submitted))).toEqual([]);
      expect(told(status, 'poll')(foldAll(submitted))).toMatchObject([
        { type: 'RefundFailed' },
        { type: 'ReviewOpened', data: { reasons: ['refund_failed'] } },
      ]);
    },
  );

  it('that failed asks a person each time, also where one was asked before', () => {
    const first = then(begun, fail(1), resolve('reject'), request('5'), attempt(2), fail(2));
    expect(typesOf(first).filter((type) => type === 'ReviewOpened')).toHaveLength(2);
  });

  it('does not leave its place by an answer that comes late', () => {
    const submitted = then(begun, submit(1));
    expect(refundDelayed(foldAll(submitted), 1, 'unknown', '', at)).toEqual([]);
    expect(refundSubmitted(foldAll(submitted), 1, 'another', false, at)).toEqual([]);
    expect(refundLost(foldAll(submitted), 1, at)).toEqual([]);
  });

  it('names itself in its payout so that it is found again', () => {
    const id = '01890000-0000-7000-8000-000000000001';
    expect(readReference(refundReference(id, 12))).toEqual({ paymentId: id, number: 12 });
    for (const other of [
      '',
      'refund',
      `${refundReference(id, 1)} `,
      refundReference(id, 0),
      `x${refundReference(id, 1)}`,
    ])
      expect(readReference(other)).toBeNull();
  });
});

describe('A refund whose answer was lost for good', () => {
  const lost = then(paid(undefined, { customerId: 'c' }), request('20'), attempt(1), lose);

  it('is left to a person, whether an answer was recorded or the process died before', () => {
    const known = then(paid(), request('20'), attempt(1), delay('unknown'), lose);
    for (const history of [lost, known]) {
      expect(refundOf(history)?.status).toBe('unknown');
      expect(history.at(-1)).toMatchObject({ type: 'ReviewOpened', data: { reasons: ['refund_unknown'] } });
      expect(lose(foldAll(history))).toEqual([]);
      expect(attempt(1)(foldAll(history))).toEqual([]);
    }
  });

  it('counts as sent where the person accepts that it was', () => {
    expect(refundOf(then(lost, resolve('accept')))).toMatchObject({ status: 'confirmed', txHash: null });
  });

  it('is sent again, and no second one beside it, where the person decides so', () => {
    const again = then(lost, resolve('refund'));
    expect(refundsOf(foldAll(again))).toMatchObject([{ number: 1, status: 'requested', attempt: 1 }]);
    expect(attempt(1)(foldAll(again))).toMatchObject([{ type: 'RefundAttempted', data: { attempt: 2 } }]);
  });

  it('frees its money where the person rejects it', () => {
    const rejected = then(lost, resolve('reject'));
    expect(refundOf(rejected)?.status).toBe('failed');
    expect(refundOf(then(rejected, request(null)), 2)?.amount).toBe('50');
  });

  it("becomes the customer's credit where the person decides so about money beyond the price", () => {
    const asking = { overpayment: { tolerancePercent: '0', then: 'review' } };
    const excess = paid([sent('60')], { customerId: 'c' }, asking);
    const over = then(excess, resolve('reject'), request('10'), attempt(1), lose);
    const credited = then(over, resolve('credit'));
    expect(refundOf(credited)?.status).toBe('failed');
    expect(credited.at(-1)).toMatchObject({ type: 'CreditGranted', data: { amount: '10', customerId: 'c' } });
  });

  it.each(['accept', 'reject'] as const)(
    'is not settled by a decision to %s something else, while it is still searched for',
    (decision) => {
      const asking = { overpayment: { tolerancePercent: '0', then: 'review' } };
      const unknown = then(paid([sent('60')], {}, asking), request('20'), attempt(1), delay('unknown'));
      expect(refundOf(then(unknown, resolve(decision)))?.status).toBe('unknown');
    },
  );

  it('is settled without another whose answer was lost a moment ago', () => {
    const late = (payment: Payment) => attemptRefund(payment, 2, after(590));
    const both = then(lost, request('5'), late, (payment) => refundDelayed(payment, 2, 'unknown', '', after(595)));
    const rejected = then(both, resolve('reject'));
    expect([refundOf(rejected, 1)?.status, refundOf(rejected, 2)?.status]).toEqual(['failed', 'unknown']);
  });

  it('asks nobody any more once it is found after all; other reasons for the review stay', () => {
    const found = then(lost, submit(1));
    expect(foldAll(found)).toMatchObject({ money: { review: null } });
    const both = then(lost, request('5'), attempt(2), fail(2), submit(1));
    expect(foldAll(both)).toMatchObject({ money: { review: { reasons: ['refund_failed'], resolved: null } } });
    const two = then(paid(), request('20'), request('5'), attempt(1), attempt(2), lose);
    const second = then(two, (payment) => refundLost(payment, 2, at), submit(1));
    expect(foldAll(second)).toMatchObject({ money: { review: { reasons: ['refund_unknown'], resolved: null } } });
  });
});

describe('The next step of a refund', () => {
  const asked = then(paid(), request('20'));
  const begun = then(asked, attempt(1));
  const stepAt = (history: readonly PaymentEvent[], seconds: number) => {
    const refund = refundOf(history);
    if (!refund) throw new Error('there is no refund');
    return refundStep(refund, after(seconds));
  };
  const nextAt = (history: readonly PaymentEvent[], seconds: number) => {
    const refund = refundOf(history);
    return refund ? nextLookSeconds(refund, after(seconds)) : undefined;
  };

  it('is to send it, at once, where nobody has', () => {
    expect(stepAt(asked, 0)).toEqual({ do: 'send' });
  });

  it('waits for whoever is sending it, and is a search where nothing is heard of them', () => {
    expect(stepAt(begun, 44)).toEqual({ do: 'wait', seconds: 1 });
    expect(stepAt(begun, 45)).toEqual({ do: 'search' });
  });

  it('is a search where its answer was lost, more seldom with time', () => {
    const unknown = then(begun, delay('unknown'));
    expect(stepAt(unknown, 0)).toEqual({ do: 'search' });
    expect([0, 60, 600, 3600, 86_400].map((seconds) => nextAt(unknown, seconds))).toEqual([10, 30, 60, 900, 21_600]);
  });

  it('is to search and send again, later each time, where the gateway did not take it', () => {
    let history = then(begun, delay('unavailable'));
    expect(stepAt(history, 29)).toEqual({ do: 'wait', seconds: 1 });
    expect(stepAt(history, 30)).toEqual({ do: 'send_again' });
    for (let n = 2; n <= 40; n++) history = then(history, attempt(1), delay('unavailable'));
    expect(stepAt(history, 0)).toEqual({ do: 'wait', seconds: 3600 });
  });

  it('is to ask what became of it where the gateway took it: soon at first, for a month at most', () => {
    const submitted = then(begun, submit(1));
    expect(stepAt(submitted, 4)).toEqual({ do: 'wait', seconds: 1 });
    expect(stepAt(submitted, 5)).toEqual({ do: 'ask' });
    expect([10, 100, 700, 4000, 90_000, 2_600_000].map((seconds) => nextAt(submitted, seconds))).toEqual([
      10,
      30,
      60,
      900,
      21_600,
      null,
    ]);
  });

  it('is none once it is confirmed or failed', () => {
    for (const over of [then(begun, submit(1), told('confirmed', 'poll')), then(begun, fail(1))]) {
      expect(stepAt(over, 100)).toBeNull();
      expect(nextAt(over, 100)).toBeNull();
    }
  });

  it('is given up after ten minutes of searches that found nothing, or after a day of none', () => {
    const refund = refundOf(begun);
    if (!refund) throw new Error('there is no refund');
    expect([599, 600].map((seconds) => isLost(refund, true, after(seconds)))).toEqual([false, true]);
    expect([86_399, 86_400].map((seconds) => isLost(refund, false, after(seconds)))).toEqual([false, true]);
  });

  it('is given up after a day of the gateway not taking it, counted anew from a person’s decision', () => {
    const refund = refundOf(begun);
    if (!refund) throw new Error('there is no refund');
    expect([86_400, 86_401].map((seconds) => isTriedEnough(foldAll(begun), refund, after(seconds)))).toEqual([
      false,
      true,
    ]);
    const decided = then(begun, lose, (payment) =>
      resolveReview(payment, { decision: 'refund', actor: 'support', note: '', refundTo: null }, false, after(100_000)),
    );
    expect(isTriedEnough(foldAll(decided), refund, after(180_000))).toBe(false);
    expect(isTriedEnough(foldAll(decided), refund, after(190_000))).toBe(true);
  });
});

import { describe, expect, it } from '@jest/globals';
import { applyCredit } from '../../src/payments/credit.js';
import { allocationOf } from '../../src/payments/allocation.js';
import { decideAfter } from '../../src/payments/decisions.js';
import { evolve, isReportable, type Payment, type PaymentEvent } from '../../src/payments/payment.js';
import type { PolicyRules } from '../../src/payments/policy.js';
import { remainderReview, settleRemainder } from '../../src/payments/remainder.js';
import { applyPayout, refundFailed, requestRefund } from '../../src/payments/refunds.js';
import { resolveReview } from '../../src/payments/review.js';
import { isFulfillable, labelsOf } from '../../src/payments/standing.js';
import { explain } from '../../src/payments/explanation.js';
import { deadline, foldAll, given, inTime, open, report, terms, tooLate, transfer } from './given.js';

const to = { address: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ', network: 'TRON', currency: null, memo: null };
const by = { actor: 'support@shop.example', note: 'why' };
const customer = { customerId: 'customer-7', refundTo: to };
const confirmed = (worth: string, changes = {}) =>
  transfer(worth, { status: 'confirmed', confirmations: 20, ...changes });
const late = { seenAt: tooLate };
const then = (payment: Payment, events: readonly PaymentEvent[]): Payment =>
  events.reduce<Payment | null>(evolve, payment) ?? payment;
const decide = (
  payment: Payment,
  decision: 'accept' | 'reject' | 'credit' | 'refund',
  refundTo: typeof to | null = to,
): PaymentEvent[] => resolveReview(payment, { decision, ...by, refundTo }, false, tooLate);
const types = (events: readonly PaymentEvent[]): string[] => events.map(({ type }) => type);
const paid = (rules: Partial<PolicyRules> = {}, worth = '50') =>
  given(...open(rules, customer)).when(report('paid', [confirmed(worth)]), 'poll');
const wishAll = { amount: null, currency: null, to, reason: 'returned' };

describe('What the gateway itself has refunded', () => {
  it('is not paid out again, by request, by review or by policy', () => {
    const payment = paid()
      .when(report('refunded', [confirmed('50')]), 'poll')
      .payment();
    expect(() => requestRefund(payment, wishAll, tooLate)).toThrow('No money is left');
    expect(labelsOf(payment)).toContain('refunded');
    expect(allocationOf(payment)).toMatchObject({ applied: '0', refunded: '50', unallocated: '0' });
    const unpaid = given(...open({}, customer)).when(report('refunded', [confirmed('60')]), 'poll');
    expect(types(unpaid.events())).not.toContain('CreditGranted');
    expect(() => decide(unpaid.payment(), 'refund')).toThrow('accept or reject');
    expect(types(decide(unpaid.payment(), 'reject'))).toEqual(['ReviewResolved', 'PaymentRejected']);
  });
});

describe('What a person let the merchant keep', () => {
  it('is not given away by the policy afterwards', () => {
    const reviewed = given(
      ...open(
        { latePayment: { window: 'PT72H', then: 'review' }, overpayment: { tolerancePercent: '0', then: 'credit' } },
        customer,
      ),
    )
      .when(report('expired'), 'poll', tooLate)
      .when(report('expired', [confirmed('60', late)]), 'poll', tooLate);
    const accepted = decide(reviewed.payment(), 'accept');
    expect(types(accepted)).toEqual(['ReviewResolved', 'PaymentPaid', 'ExcessKept']);
    const again = given(...reviewed.events(), ...accepted).when(
      report('expired', [confirmed('60', late)]),
      'poll',
      tooLate,
    );
    again.nothing();
    expect(allocationOf(again.payment())).toMatchObject({ applied: '50', kept: '10', credited: '0' });
  });

  it('is kept although only a callback told of it, for nothing of it leaves', () => {
    const doubted = given(...open({}, customer))
      .when(report('paid', [confirmed('60')]))
      .when(report('paying', [transfer('20')]), 'poll', '2026-01-01T12:30:00.000Z');
    expect(doubted.payment()).toMatchObject({
      money: { review: { reasons: expect.arrayContaining(['gateway_conflict']) } },
    });
    expect(types(decide(doubted.payment(), 'accept'))).toEqual(['ReviewResolved', 'PaymentCorroborated', 'ExcessKept']);
    expect(() => decide(doubted.payment(), 'refund')).toThrow('the gateway itself calls confirmed');
  });
});

describe('Credit that paid a part', () => {
  const withCredit = (taken: string): PaymentEvent[] => {
    const asked: PaymentEvent = { type: 'PaymentRequested', data: terms({}, { ...customer, useCredit: true }) };
    return [asked, ...applyCredit(foldAll([asked]), taken, inTime)];
  };
  const opened: PaymentEvent = {
    type: 'InvoiceOpened',
    data: {
      trackId: '100000001',
      paymentUrl: 'https://pay.example/1',
      expiresAt: deadline,
      adopted: false,
      at: inTime,
    },
  };

  it('goes back with all the money, and the goods are not delivered then', () => {
    const history = given(...withCredit('20'), opened).when(
      report('paid', [confirmed('30')], { amount: '30', valueUsd: '30' }),
      'poll',
    );
    expect(isFulfillable(history.payment())).toBe(true);
    const events = requestRefund(history.payment(), wishAll, tooLate);
    expect(types(events)).toEqual(['RefundRequested', 'CreditReleased']);
    const after = then(history.payment(), events);
    expect(isFulfillable(after)).toBe(false);
    expect(requestRefundTypes(after)).toBe('No money is left that the gateway itself calls confirmed.');
  });

  it('goes back where it had paid all of it', () => {
    const whole = foldAll(withCredit('50'));
    expect(whole.status).toBe('paid');
    const events = requestRefund(whole, wishAll, tooLate);
    expect(events).toMatchObject([{ type: 'CreditReleased', data: { amount: '50' } }]);
    expect(isFulfillable(then(whole, events))).toBe(false);
    expect(requestRefundTypes(then(whole, events))).toBe('No money was received for this payment.');
  });

  it('goes back once a person decides against the payment', () => {
    const history = given(...withCredit('20'), opened)
      .when(report('paid', [confirmed('30')], { amount: '30', valueUsd: '30' }), 'poll')
      .when(report('paid', [confirmed('30')], { amount: '31', valueUsd: '30' }), 'poll');
    expect(types(decide(history.payment(), 'refund'))).toEqual(['ReviewResolved', 'CreditReleased', 'RefundRequested']);
  });

  const requestRefundTypes = (payment: Payment): string => {
    try {
      return types(requestRefund(payment, wishAll, tooLate)).join();
    } catch (error) {
      return error instanceof Error ? error.message : '';
    }
  };
});

describe('A refund that failed', () => {
  const failedRefund = () => {
    const history = paid();
    const asked = requestRefund(history.payment(), { ...wishAll, amount: '10' }, tooLate);
    const before = then(history.payment(), [
      ...asked,
      { type: 'RefundAttempted', data: { number: 1, attempt: 1, at: tooLate } },
      { type: 'RefundSubmitted', data: { number: 1, trackId: '7', adopted: false, at: tooLate } },
    ]);
    return then(before, refundFailed(before, 1, 'the payout failed', tooLate));
  };

  it('is made anew by a decision, for as much as it was', () => {
    expect(decide(failedRefund(), 'refund')).toMatchObject([
      { type: 'ReviewResolved' },
      { type: 'RefundRequested', data: { number: 2, amount: '10' } },
    ]);
  });

  it('is settled by asking anew: no person makes it a second time', () => {
    const again = requestRefund(failedRefund(), { ...wishAll, amount: '10' }, tooLate);
    expect(types(again)).toEqual(['RefundRequested', 'ReviewWithdrawn']);
    expect(() => decide(then(failedRefund(), again), 'refund')).toThrow('Nothing about this payment');
  });

  it('that the gateway then calls confirmed has left after all, and a person is told', () => {
    const claim = { witness: 'callback', now: tooLate } as const;
    const told = applyPayout(failedRefund(), 1, { status: 'confirmed', txHash: 'abc' }, claim);
    expect(types(told)).toEqual(['RefundConfirmed', 'ReviewOpened']);
    const decided = then(failedRefund(), decide(failedRefund(), 'accept'));
    expect(types(applyPayout(decided, 1, { status: 'confirmed', txHash: 'abc' }, claim))).toEqual([
      'RefundConfirmed',
      'ReviewOpened',
    ]);
  });
});

describe('New money after a decision', () => {
  it('asks again, whatever the decision was about', () => {
    const mismatch = given(...open({}, customer)).when(report('paying', [], { amount: '60' }), 'poll');
    const rejected = given(...mismatch.events(), ...decide(mismatch.payment(), 'reject'));
    rejected.when(report('paying', [], { amount: '60' }), 'poll').nothing();
    rejected.when(report('paid', [confirmed('50')], { amount: '60' }), 'poll');
    expect(rejected.payment()).toMatchObject({ status: 'failed', money: { review: { resolved: null } } });
  });

  it('asks again for a payment that is paid and was decided against', () => {
    const conflict = paid().when(report('paid', [confirmed('50')], { amount: '51' }), 'poll');
    const refunded = given(...conflict.events(), ...decide(conflict.payment(), 'refund'));
    refunded.when(report('paid', [confirmed('50'), confirmed('49')], { amount: '51' }), 'poll');
    expect(refunded.payment()).toMatchObject({ money: { review: { reasons: ['overpaid'], resolved: null } } });
    expect(decide(refunded.payment(), 'credit')).toMatchObject([
      { type: 'ReviewResolved' },
      { type: 'CreditGranted', data: { amount: '49' } },
    ]);
  });

  it('is credited by the policy once a contradiction was accepted', () => {
    const conflict = paid().when(report('paid', [confirmed('50')], { amount: '51' }), 'poll');
    const accepted = given(...conflict.events(), ...decide(conflict.payment(), 'accept'));
    accepted.when(report('paid', [confirmed('50'), confirmed('11')], { amount: '51' }), 'poll');
    expect(allocationOf(accepted.payment())).toMatchObject({ applied: '50', credited: '11', unallocated: '0' });
  });
});

describe('A policy that cannot refund in the coin that was named', () => {
  it('tells a person, and refunds once the coin has a price', () => {
    const rules: Partial<PolicyRules> = { overpayment: { tolerancePercent: '0', then: 'refund' } };
    const history = given(...open(rules, { refundTo: { ...to, currency: 'BTC' } })).when(
      report('paid', [confirmed('60')]),
      'poll',
    );
    expect(history.payment()).toMatchObject({ money: { review: { reasons: ['refund_coin_unknown'] }, refunds: [] } });
    expect(isFulfillable(history.payment())).toBe(true);
    history.when(report('paid', [confirmed('60')]), 'poll').nothing();
  });
});

describe('A payment whose missing part another collected', () => {
  const part = (outcome: 'paid' | 'ended') => ({
    paymentId: '01890000-0000-7000-8000-000000000002',
    amount: '20',
    outcome,
  });
  const settle = (payment: Payment, outcome: 'paid' | 'ended'): PaymentEvent[] => {
    const claim = { witness: 'service', now: tooLate } as const;
    const events = decideAfter(payment, (current) => settleRemainder(current, part(outcome), tooLate), claim);
    return [...events, ...remainderReview(then(payment, events), part(outcome), tooLate)];
  };
  const short = given(...open({}, customer))
    .when(report('paying', [confirmed('30')]), 'poll')
    .payment();

  it('is paid with it', () => {
    expect(types(settle(short, 'paid'))).toContain('PaymentPaid');
  });

  it('asks a person where it was over by then, who may accept both parts', () => {
    const over = given(...open({}, customer))
      .when(report('underpaid', [confirmed('30')]), 'poll', tooLate)
      .payment();
    const revived = settle(over, 'paid');
    expect(types(revived)).toContain('PaymentPaid');
    const credited = given(...open({ underpayment: { tolerancePercent: '0', then: 'partial_credit' } }, customer))
      .when(report('underpaid', [confirmed('30')]), 'poll', tooLate)
      .payment();
    expect(settle(credited, 'paid').at(-1)).toMatchObject({
      type: 'ReviewOpened',
      data: { reasons: ['remainder_paid_alone'] },
    });
  });

  it('is not delivered once that part went back', () => {
    const whole = then(short, settle(short, 'paid'));
    const gone = settle(whole, 'ended');
    expect(gone.at(-1)).toMatchObject({ type: 'ReviewOpened' });
    const after = then(whole, gone);
    expect(isReportable(after) && after.money.review?.reasons).toContain('remainder_returned');
  });
});

describe('The order of reports', () => {
  const rules: Partial<PolicyRules> = { latePayment: { window: 'PT72H', then: 'credit' } };
  const first = confirmed('30', { txHash: 'first-transfer' });
  const second = confirmed('20', { txHash: 'second-transfer' });
  const credited = confirmed('20', { txHash: 'late-transfer', ...late });

  it('late money that was given back takes nothing from money in time that is heard of after it', () => {
    const straight = given(...open(rules, customer)).when(report('paid', [first, second, credited]), 'poll', tooLate);
    const backwards = given(...open(rules, customer))
      .when(report('paying', [first, credited]), 'poll', tooLate)
      .when(report('paid', [first, second, credited]), 'poll', tooLate);
    expect(straight.payment().status).toBe('paid');
    expect(backwards.payment().status).toBe('paid');
    expect(allocationOf(backwards.payment())).toEqual(allocationOf(straight.payment()));
  });

  it('a date that comes with a later report counts', () => {
    const undated = given(...open({}, customer)).when(
      report('paying', [confirmed('50', { seenAt: null })]),
      'callback',
      tooLate,
    );
    undated.when(report('paid', [confirmed('50')]), 'poll', tooLate);
    expect(undated.payment()).toMatchObject({ status: 'paid', late: false });
    expect(labelsOf(undated.payment())).not.toContain('late');
  });

  it('a failure that the gateway takes back holds nothing up', () => {
    const history = given(...open({}, customer))
      .when(report('failed', [confirmed('50')]))
      .when(report('paid', [confirmed('50')]), 'poll');
    expect(isFulfillable(history.payment())).toBe(true);
  });
});

describe('The explanation', () => {
  it('names a deadline that has not passed where late money is still accepted', () => {
    const history = given(...open({ latePayment: { window: 'PT72H', then: 'accept' } }, customer)).when(
      report('paying', [confirmed('40', late)]),
      'poll',
      tooLate,
    );
    const { deadline: until, sentence } = explain(history.payment(), []);
    expect(until).toBe('2026-01-04T13:00:00.000Z');
    expect(sentence).toContain('10.00 USD is missing until 2026-01-04T13:00:00.000Z');
  });
});

import { describe, expect, it } from '@jest/globals';
import { allocationOf } from '../../src/payments/allocation.js';
import type { GatewayReport, ReportedTransfer } from '../../src/payments/payment-gateway.js';
import { openReviewOf } from '../../src/payments/money.js';
import type { Payment, PaymentEvent, Terms } from '../../src/payments/payment.js';
import type { PolicyRules } from '../../src/payments/policy.js';
import { isFulfillable, labelsOf } from '../../src/payments/standing.js';
import { given, inTime, muchTooLate, open, report, tooLate, transfer } from './given.js';

const refundTo = { address: 'TPayerAddress', network: 'Tron Network', currency: null, memo: null };
const reachable: Partial<Terms> = { customerId: 'customer-1', refundTo };

interface Clauses {
  short?: PolicyRules['underpayment']['then'];
  over?: PolicyRules['overpayment']['then'];
  late?: PolicyRules['latePayment']['then'];
}

/** An open payment of 50 USD under a policy without tolerances. */
const under = ({ short = 'reject', over = 'credit', late = 'review' }: Clauses, terms: Partial<Terms> = reachable) =>
  given(
    ...open(
      {
        underpayment: { tolerancePercent: '0', then: short },
        overpayment: { tolerancePercent: '0', then: over },
        latePayment: { window: 'PT72H', then: late },
      },
      terms,
    ),
  );
type Chain = ReturnType<typeof given>;

const money = (worth: string, changes: Partial<ReportedTransfer> = {}): ReportedTransfer =>
  transfer(worth, { status: 'confirmed', confirmations: 20, ...changes });
const late = (worth: string, changes: Partial<ReportedTransfer> = {}): ReportedTransfer =>
  money(worth, { seenAt: tooLate, ...changes });
const inTrx = { currency: 'TRX', sentAmount: '80' };

const answered = (history: Chain, said: GatewayReport, at = tooLate): Chain => history.when(said, 'poll', at);

/** The gateway says the same again, by callbacks and when asked, up to long after the window. */
const overAndOver = (history: Chain, said: GatewayReport): Chain =>
  history
    .when(said, 'callback', tooLate)
    .when(said, 'poll', tooLate)
    .when(said, 'poll', muchTooLate)
    .when(said, 'callback', muchTooLate)
    .when(said, 'poll', muchTooLate);

const sharesIn = (events: readonly PaymentEvent[]): string[] =>
  events.flatMap(({ type, data }) =>
    type === 'ExcessKept' || type === 'CreditGranted' || type === 'RefundRequested'
      ? [`${type} ${data.amount} (${data.clause})`]
      : [],
  );
/** Every share of the money that was given a way, over the whole history, with its clause. */
const givenAway = (history: Chain): string[] => sharesIn(history.events());

const reviewOf = (payment: Payment): readonly string[] =>
  'money' in payment ? (openReviewOf(payment.money)?.reasons ?? []) : [];

const once = (history: Chain, type: PaymentEvent['type']): void =>
  expect(history.events().filter((event) => event.type === type)).toHaveLength(1);

describe('Too little money at the deadline', () => {
  const short = report('underpaid', [money('30')]);

  it('reject: the payment expires once, and its money stays where it is', () => {
    const history = answered(under({ short: 'reject' }), short);
    history.then('GatewayReported', 'TransferDetected', 'AmountAssessed', 'PaymentExpired');
    overAndOver(history, short);
    once(history, 'PaymentExpired');
    expect(givenAway(history)).toEqual([]);
    expect(allocationOf(history.payment())).toMatchObject({ applied: '0', unallocated: '30' });
  });

  it('partial_credit: the payment expires, and what came is credited once', () => {
    const history = answered(under({ short: 'partial_credit' }), short);
    history.then('GatewayReported', 'TransferDetected', 'AmountAssessed', 'PaymentExpired', {
      type: 'CreditGranted',
      data: {
        number: 1,
        amount: '30',
        currency: 'USD',
        customerId: 'customer-1',
        clause: 'underpayment',
        at: tooLate,
      },
    });
    overAndOver(history, short);
    expect(givenAway(history)).toEqual(['CreditGranted 30 (underpayment)']);
    expect(labelsOf(history.payment())).toEqual(['underpaid', 'credited']);
  });

  it('partial_credit: nothing is credited upon a callback alone, nor before the money is confirmed', () => {
    const history = under({ short: 'partial_credit' }).when(short, 'callback', tooLate);
    expect(history.payment().status).toBe('expired');
    expect(givenAway(history)).toEqual([]);
    answered(history, report('underpaid', [transfer('30')]));
    expect(givenAway(history)).toEqual([]);
    answered(history, short);
    expect(givenAway(history)).toEqual(['CreditGranted 30 (underpayment)']);
  });

  it('partial_credit: waits until the window has closed where late money could still complete it', () => {
    const history = answered(under({ short: 'partial_credit', late: 'accept' }), short);
    expect(givenAway(history)).toEqual([]);
    overAndOver(history, short);
    expect(givenAway(history)).toEqual(['CreditGranted 30 (underpayment)']);
  });

  it('partial_credit without a customer: a person is told why', () => {
    const history = overAndOver(under({ short: 'partial_credit' }, { customerId: null }), short);
    expect(history.payment().status).toBe('expired');
    expect(reviewOf(history.payment())).toEqual(['underpaid', 'no_customer']);
    expect(givenAway(history)).toEqual([]);
  });

  it('review: a person is asked once, and the payment stays open', () => {
    const history = overAndOver(under({ short: 'review' }), short);
    expect(history.payment().status).toBe('pending');
    expect(reviewOf(history.payment())).toEqual(['underpaid']);
    once(history, 'ReviewOpened');
    expect(givenAway(history)).toEqual([]);
  });
});

describe('Too much money', () => {
  const over = report('paid', [money('55')]);

  it.each([
    ['credit', 'CreditGranted 5 (overpayment)'],
    ['refund', 'RefundRequested 5 (overpayment)'],
    ['keep', 'ExcessKept 5 (overpayment)'],
  ] as const)('%s: what exceeds the price goes that way once, upon the gateway’s own answer', (then, share) => {
    const history = under({ over: then }).when(over);
    expect(givenAway(history)).toEqual([]);
    overAndOver(history, over);
    expect(givenAway(history)).toEqual([share]);
    expect(isFulfillable(history.payment())).toBe(true);
    expect(reviewOf(history.payment())).toEqual([]);
  });

  it('refund: what is sent is the coin that came, to the address that was given', () => {
    const history = answered(under({ over: 'refund' }), over);
    expect(history.events().at(-1)).toMatchObject({
      type: 'RefundRequested',
      data: { number: 1, amount: '5', payout: { amount: '5', currency: 'USDT', address: 'TPayerAddress', memo: null } },
    });
  });

  it('review: a person is asked once, and the goods do not wait', () => {
    const history = overAndOver(under({ over: 'review' }), over);
    expect(reviewOf(history.payment())).toEqual(['overpaid']);
    once(history, 'ReviewOpened');
    expect(isFulfillable(history.payment())).toBe(true);
    expect(givenAway(history)).toEqual([]);
  });

  it.each([
    ['credit', 'no_customer'],
    ['refund', 'no_refund_address'],
  ] as const)('%s that nothing was given for: a person is told why, and the goods do not wait', (then, reason) => {
    const history = overAndOver(under({ over: then }, {}), over);
    expect(reviewOf(history.payment())).toEqual(['overpaid', reason]);
    expect(isFulfillable(history.payment())).toBe(true);
    expect(givenAway(history)).toEqual([]);
  });

  it('more that comes is given as well, and only that', () => {
    const history = answered(under({ over: 'credit' }), over, inTime);
    overAndOver(history, report('paid', [money('55'), money('3')]));
    expect(givenAway(history)).toEqual(['CreditGranted 5 (overpayment)', 'CreditGranted 3 (overpayment)']);
  });

  it('within the tolerance, nothing is given away and nobody is asked', () => {
    const rules = { overpayment: { tolerancePercent: '10', then: 'credit' } } as const;
    const history = overAndOver(given(...open(rules, reachable)), over);
    expect(givenAway(history)).toEqual([]);
    expect(allocationOf(history.payment())).toMatchObject({ applied: '50', kept: '5' });
  });
});

describe('Late money', () => {
  const whole = report('expired', [late('50')]);
  const afterExpiry = (clauses: Clauses, terms?: Partial<Terms>): Chain =>
    answered(under(clauses, terms), report('expired'));

  it('accept: the payment becomes paid once', () => {
    const history = overAndOver(afterExpiry({ late: 'accept' }), whole);
    expect(history.payment()).toMatchObject({ status: 'paid', late: true, clause: 'latePayment' });
    once(history, 'PaymentPaid');
    expect(isFulfillable(history.payment())).toBe(true);
    expect(givenAway(history)).toEqual([]);
  });

  it.each([
    ['credit', 'CreditGranted 50 (latePayment)'],
    ['refund', 'RefundRequested 50 (latePayment)'],
  ] as const)('%s: the payment stays expired, and the money goes that way once', (then, share) => {
    const history = overAndOver(afterExpiry({ late: then }), whole);
    expect(history.payment().status).toBe('expired');
    expect(givenAway(history)).toEqual([share]);
    expect(reviewOf(history.payment())).toEqual([]);
  });

  it('review: a person is asked once, and nothing is given away', () => {
    const history = overAndOver(afterExpiry({ late: 'review' }), whole);
    expect(history.payment().status).toBe('expired');
    expect(reviewOf(history.payment())).toEqual(['late_payment']);
    once(history, 'ReviewOpened');
    expect(givenAway(history)).toEqual([]);
  });

  it.each([
    ['credit', 'no_customer'],
    ['refund', 'no_refund_address'],
  ] as const)('%s that nothing was given for: a person is told why', (then, reason) => {
    const history = overAndOver(afterExpiry({ late: then }, {}), whole);
    expect(reviewOf(history.payment())).toEqual(['late_payment', reason]);
    expect(givenAway(history)).toEqual([]);
  });

  it.each(['accept', 'credit', 'refund', 'review'] as const)('%s: outside the window, a person is asked', (then) => {
    const outside = report('expired', [money('50', { seenAt: muchTooLate })]);
    const history = afterExpiry({ late: then }).when(outside, 'poll', muchTooLate).when(outside, 'poll', muchTooLate);
    expect(history.payment().status).toBe('expired');
    expect(reviewOf(history.payment())).toEqual(['late_outside_window']);
    expect(givenAway(history)).toEqual([]);
  });
});

describe('Late and over', () => {
  const said = report('expired', [late('55')]);

  it.each([
    ['accept', 'credit', 'paid', ['CreditGranted 5 (overpayment)']],
    ['accept', 'refund', 'paid', ['RefundRequested 5 (overpayment)']],
    ['accept', 'keep', 'paid', ['ExcessKept 5 (overpayment)']],
    ['credit', 'refund', 'expired', ['CreditGranted 55 (latePayment)']],
    ['refund', 'keep', 'expired', ['RefundRequested 55 (latePayment)']],
  ] as const)(
    'late: %s, too much: %s; the payment is %s and each share goes its way once',
    (then, over, status, shares) => {
      const history = overAndOver(answered(under({ late: then, over }), report('expired')), said);
      expect(history.payment().status).toBe(status);
      expect(givenAway(history)).toEqual(shares);
    },
  );

  it('a late extra on a paid payment goes through the late clause, not through the one about too much', () => {
    const history = answered(under({ late: 'refund', over: 'credit' }), report('paid', [money('52')]), inTime);
    overAndOver(history, report('paid', [money('52'), late('10')]));
    expect(givenAway(history)).toEqual(['CreditGranted 2 (overpayment)', 'RefundRequested 10 (latePayment)']);
    expect(isFulfillable(history.payment())).toBe(true);
  });
});

describe('Short and late', () => {
  const both = report('underpaid', [money('30'), late('10')]);
  const short = report('underpaid', [money('30')]);

  it.each([
    ['partial_credit', 'accept', ['CreditGranted 40 (underpayment)']],
    ['partial_credit', 'credit', ['CreditGranted 30 (underpayment)', 'CreditGranted 10 (latePayment)']],
    ['partial_credit', 'refund', ['CreditGranted 30 (underpayment)', 'RefundRequested 10 (latePayment)']],
    ['reject', 'refund', ['RefundRequested 10 (latePayment)']],
    ['reject', 'accept', []],
  ] as const)('too little: %s, late: %s; each share goes its way once', (then, lateThen, shares) => {
    const history = overAndOver(answered(under({ short: then, late: lateThen }), short), both);
    expect(history.payment().status).toBe('expired');
    expect(givenAway(history)).toEqual(shares);
  });

  it('the late part alone waits for a person where only it does', () => {
    const history = overAndOver(answered(under({ short: 'partial_credit', late: 'review' }), short), both);
    expect(givenAway(history)).toEqual(['CreditGranted 30 (underpayment)']);
    expect(reviewOf(history.payment())).toEqual(['late_payment']);
  });
});

describe('Topped up in a second coin after the deadline', () => {
  const said = report('underpaid', [money('30'), late('20', inTrx)]);
  const short = report('underpaid', [money('30')]);

  it('accept: it is paid with both', () => {
    const history = overAndOver(answered(under({ late: 'accept' }), short), said);
    expect(history.payment()).toMatchObject({ status: 'paid', late: true, money: { received: '50' } });
    expect(labelsOf(history.payment())).toEqual(['late', 'multiple_transfers', 'mixed_currency']);
    expect(givenAway(history)).toEqual([]);
  });

  it('accept after a partial credit is not possible: the credit waits for the window', () => {
    const history = overAndOver(answered(under({ short: 'partial_credit', late: 'accept' }), short), said);
    expect(history.payment().status).toBe('paid');
    expect(givenAway(history)).toEqual([]);
  });

  it('credit: the second coin goes to the customer by its worth, the first by the clause about too little', () => {
    const history = overAndOver(answered(under({ short: 'partial_credit', late: 'credit' }), short), said);
    expect(givenAway(history)).toEqual(['CreditGranted 30 (underpayment)', 'CreditGranted 20 (latePayment)']);
    expect(allocationOf(history.payment())).toMatchObject({ credited: '50', unallocated: '0' });
  });
});

describe('The same money, told differently', () => {
  it('one transfer seen in two callbacks counts once, and its excess is given away once', () => {
    const history = under({ over: 'credit' })
      .when(report('paying', [transfer('55')]))
      .when(report('paid', [money('55')]))
      .when(report('paying', [transfer('55')]));
    overAndOver(history, report('paid', [money('55')]));
    once(history, 'TransferDetected');
    expect(givenAway(history)).toEqual(['CreditGranted 5 (overpayment)']);
  });

  it('two transfers under one hash count twice, and only what exceeds the price is given away', () => {
    const hash = { txHash: 'one-transaction-for-both' };
    const history = overAndOver(under({ over: 'refund' }), report('paid', [money('20', hash), money('35', hash)]));
    expect(history.payment()).toMatchObject({ status: 'paid', money: { received: '55' } });
    expect(givenAway(history)).toEqual(['RefundRequested 5 (overpayment)']);
  });

  it('paid and then accepted by hand: paid once, and nothing else follows', () => {
    const history = answered(under({}), report('paid', [money('50')]), inTime);
    overAndOver(history, report('manual_accept', [money('50')]));
    once(history, 'PaymentPaid');
    expect(givenAway(history)).toEqual([]);
    expect(reviewOf(history.payment())).toEqual([]);
    expect(isFulfillable(history.payment())).toBe(true);
  });

  it.each(['reject', 'partial_credit', 'review'] as const)(
    'expired with money inside (%s): a person is asked, and nothing is given away',
    (short) => {
      const history = overAndOver(under({ short }), report('expired', [money('50')]));
      expect(history.payment().status).toBe('pending');
      expect(reviewOf(history.payment())).toEqual(['expired_with_money']);
      once(history, 'ReviewOpened');
      expect(givenAway(history)).toEqual([]);
    },
  );
});

describe('Found by generated histories: the order in which things are heard', () => {
  const outside = '2026-01-08T12:00:00.000Z';
  const failed = { status: 'failed' } as const;

  it('a transfer that is first heard of once it has failed leaves the same delta as one that was seen before', () => {
    const seen = under({})
      .when(report('paying', [transfer('1')]))
      .when(report('paying', [transfer('1', failed)]));
    const unseen = under({}).when(report('paying', [transfer('1', failed)]));
    expect(seen.payment()).toMatchObject({ money: { received: '0', delta: '-50' } });
    expect(unseen.payment()).toMatchObject({ money: { received: '0', delta: '-50' } });
  });

  it('nobody is asked any more about too much money once the part that was too much has failed', () => {
    const history = answered(under({ over: 'review' }), report('paid', [money('50'), transfer('5')]), inTime);
    expect(reviewOf(history.payment())).toEqual(['overpaid']);
    answered(history, report('paid', [money('50'), transfer('5', failed)]), inTime);
    expect(reviewOf(history.payment())).toEqual([]);
  });

  it('nobody is asked any more about money after the window once it has failed', () => {
    const after = { seenAt: outside };
    const history = answered(
      answered(under({}), report('expired')),
      report('expired', [transfer('50', after)]),
      outside,
    );
    expect(reviewOf(history.payment())).toEqual(['late_outside_window']);
    answered(history, report('expired', [transfer('50', { ...after, ...failed })]), outside);
    expect(reviewOf(history.payment())).toEqual([]);
  });

  it('what comes after the window takes nothing from late money that was accepted, also where both are heard of at once', () => {
    const both = report('expired', [late('50'), money('20', { seenAt: outside })]);
    const history = overAndOver(answered(under({ late: 'accept' }), both, outside), both);
    expect(history.payment()).toMatchObject({ status: 'paid', late: true });
    expect(reviewOf(history.payment())).toEqual(['overpaid']);
    expect(isFulfillable(history.payment())).toBe(true);
  });

  it('late money that was seen inside the window and is confirmed after it still completes the payment', () => {
    const seen = report('underpaid', [money('30'), transfer('20', { seenAt: tooLate })]);
    const short = answered(under({ short: 'partial_credit', late: 'accept' }), report('underpaid', [money('30')]));
    const history = answered(short, seen, outside);
    expect(givenAway(history)).toEqual([]);
    answered(history, report('underpaid', [money('30'), late('20')]), outside);
    expect(history.payment().status).toBe('paid');
    expect(givenAway(history)).toEqual([]);
  });

  it('accepted late money stays confirmed while more of it is on its way', () => {
    const history = answered(under({ late: 'accept' }), report('expired')).when(
      report('expired', [late('50')]),
      'callback',
      tooLate,
    );
    history.when(
      report('expired', [late('50'), transfer('1', { seenAt: tooLate })]),
      'poll',
      '2026-01-01T14:30:00.000Z',
    );
    expect(reviewOf(history.payment())).toEqual([]);
    expect(isFulfillable(history.payment())).toBe(true);
  });

  it('the same answer again does not take back why a person was asked', () => {
    const said = report('underpaid', [money('30'), money('1', { seenAt: outside })]);
    const history = answered(under({ short: 'partial_credit' }, {}), said, outside);
    expect(reviewOf(history.payment())).toEqual(['underpaid', 'no_customer', 'late_outside_window']);
    history.when(said, 'poll', outside).nothing();
  });

  it('a payment that the gateway calls paid for its late money expires, whether or not it was asked before', () => {
    const paid = report('paid', [late('50')]);
    const asked = overAndOver(answered(under({}), report('expired')), paid).payment();
    const unasked = overAndOver(under({}), paid).payment();
    expect([asked.status, unasked.status]).toEqual(['expired', 'expired']);
    expect(reviewOf(unasked)).toEqual(reviewOf(asked));
  });
});

describe('Found by generated histories: worth that is not known yet', () => {
  const prices = new Map([
    ['TRX', '0.25'],
    ['USD', '1'],
  ]);
  const trx = (units: string, changes: Partial<ReportedTransfer> = {}): ReportedTransfer =>
    money(units, { currency: 'TRX', sentAmount: units, valueUsd: null, ...changes });

  it('money in time that the gateway calls paid does not expire for want of a price, with late money beside it', () => {
    const said = report('paid', [trx('200'), trx('40', { seenAt: tooLate })], { valueUsd: null });
    const history = answered(under({ late: 'credit' }), said);
    expect(history.payment().status).toBe('pending');
    history.when(said, 'poll', tooLate, { prices }).when(said, 'poll', tooLate);
    expect(history.payment().status).toBe('paid');
    expect(givenAway(history)).toEqual(['CreditGranted 10 (latePayment)']);
    expect(reviewOf(history.payment())).toEqual([]);
  });

  it('a further transfer of unknown worth does not contradict a payment that has enough without it', () => {
    const atFirstSight = { paidWhen: { rule: 'detected' } } as const;
    const history = given(...open(atFirstSight, reachable)).when(report('paying', [transfer('50')]));
    history.when(report('paying', [transfer('50'), trx('4')]), 'poll', '2026-01-01T12:30:00.000Z');
    expect(reviewOf(history.payment())).toEqual([]);
    expect(isFulfillable(history.payment())).toBe(true);
  });

  it('a further transfer of unknown worth does not hold up goods whose excess was credited', () => {
    const history = answered(under({}), report('paid', [money('55', { currency: 'USD', valueUsd: null })]), inTime);
    expect(givenAway(history)).toEqual(['CreditGranted 5 (overpayment)']);
    answered(history, report('paid', [money('55', { currency: 'USD', valueUsd: null }), trx('4')]));
    expect(isFulfillable(history.payment())).toBe(true);
  });

  it('what a person at the gateway accepted by hand is not rounded up to the price', () => {
    const said = report('manual_accept', [trx('196')], { valueUsd: null });
    const history = under({}).when(said, 'poll', inTime, { prices });
    expect(history.payment()).toMatchObject({ status: 'paid', money: { received: '49', delta: '-1' } });
  });

  it('an estimate that gave way to the gateway’s word does not send late money back twice', () => {
    const inTimeOnly = report('paid', [trx('204')], { valueUsd: null });
    const said = report('paid', [trx('204'), trx('4', { seenAt: tooLate })], { valueUsd: null });
    const history = under({ late: 'refund' }).when(inTimeOnly, 'poll', inTime, { prices });
    history.when(said, 'poll', tooLate, { prices }).when(said, 'poll', tooLate);
    expect(givenAway(history).at(-1)).toBe('RefundRequested 1 (latePayment)');
    expect(isFulfillable(history.payment())).toBe(true);
  });
});

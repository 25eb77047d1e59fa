import { describe, expect, it } from '@jest/globals';
import {
  applyReport,
  cancel,
  gatewaySilent,
  giveUp,
  invoiceDelayed,
  invoiceOpened,
  invoiceRefused,
  retryInvoice,
  unconfirmed,
} from '../../src/payments/decisions.js';
import { explain } from '../../src/payments/explanation.js';
import { openReview } from '../../src/payments/open-review.js';
import { resolveReview } from '../../src/payments/review.js';
import { evolve, type Paid, type Payment, type PaymentEvent, type Reportable } from '../../src/payments/payment.js';
import { addMinutes } from '../../src/kernel/clock.js';
import { isFulfillable, labelsOf, progressOf } from '../../src/payments/standing.js';
import { given, foldAll, inTime, muchTooLate, open, opened, report, terms, tooLate, transfer } from './given.js';

const after = (payment: Payment, events: readonly PaymentEvent[]): Payment =>
  events.reduce<Payment | null>(evolve, payment) ?? payment;

const confirmed = (worth: string, changes = {}) =>
  transfer(worth, { status: 'confirmed', confirmations: 20, ...changes });

describe('An open payment', () => {
  it('shows a transfer as soon as the gateway sees it, and becomes paid when the gateway has settled it', () => {
    const history = given(...open()).when(report('paying', [transfer('50')]));
    history.then('GatewayReported', 'TransferDetected', 'AmountAssessed');
    expect(progressOf(history.payment())).toBe('detected');
    history.when(report('paid', [confirmed('50')])).then('GatewayReported', 'TransferUpdated', { type: 'PaymentPaid' });
    expect(history.payment()).toMatchObject({ status: 'paid', money: { received: '50', delta: '0' } });
    expect(progressOf(history.payment())).toBe('settled');
  });

  it('becomes paid by a callback that came alone, before any other', () => {
    given(...open())
      .when(report('paid', [confirmed('50')]))
      .then('GatewayReported', 'TransferDetected', 'AmountAssessed', 'PaymentPaid');
  });

  it('does nothing about a claim that it knows', () => {
    given(...open())
      .when(report('paying', [transfer('50')]))
      .when(report('paying', [transfer('50')]))
      .nothing();
    given(...open())
      .when(report('paid', [confirmed('50')]))
      .when(report('paid', [confirmed('50')]))
      .nothing();
  });

  it('is not moved back by a claim that comes late', () => {
    const paid = given(...open()).when(report('paid', [confirmed('50')]));
    paid.when(report('paying', [transfer('50')])).nothing();
    paid.when(report('expired', [])).nothing();
    paid.when(report('waiting')).nothing();
  });

  it('keeps money that a stale claim tells of, without believing the stale status', () => {
    const paid = given(...open()).when(report('paid', [confirmed('50')]));
    paid
      .when(report('paying', [transfer('5', { txHash: 'another-transfer' })]))
      .then('TransferDetected', 'AmountAssessed', {
        type: 'ReviewOpened',
        data: { reasons: ['overpaid', 'no_customer'], at: inTime },
      });
    expect(paid.payment().status).toBe('paid');
  });

  it('may be fulfilled only once the gateway itself confirms its callback', () => {
    const history = given(...open()).when(report('paid', [confirmed('50')]));
    expect(isFulfillable(history.payment())).toBe(false);
    history.when(report('paid', [confirmed('50')]), 'poll').then('PaymentCorroborated');
    expect(isFulfillable(history.payment())).toBe(true);
  });

  it('is paid and confirmed at once where a poll finds it paid', () => {
    const history = given(...open()).when(report('paid', [confirmed('50')]), 'poll');
    history.then('GatewayReported', 'TransferDetected', 'AmountAssessed', 'PaymentPaid', 'PaymentCorroborated');
  });

  it('waits while the gateway lags behind its own callback, and asks a person when it never catches up', () => {
    const history = given(...open()).when(report('paid', [confirmed('50')]));
    history.when(report('waiting'), 'poll', inTime).then('CorroborationDelayed');
    history.when(report('waiting'), 'poll', inTime).nothing();
    history
      .when(report('waiting'), 'poll', '2026-01-01T12:21:00.000Z')
      .then({ type: 'ReviewOpened', data: { reasons: ['gateway_conflict'], at: '2026-01-01T12:21:00.000Z' } });
    expect(labelsOf(history.payment())).toContain('gateway_conflict');
    expect(isFulfillable(history.payment())).toBe(false);
  });

  it('expires when the gateway says so and no money came', () => {
    const history = given(...open())
      .when(report('expired'), 'poll', tooLate)
      .then('GatewayReported', 'PaymentExpired');
    expect(progressOf(history.payment())).toBe('closed');
    history.when(report('expired'), 'poll', tooLate).nothing();
  });
});

describe('A short payment', () => {
  it('shows what is missing while there is time, and is completed by a second transfer', () => {
    const first = transfer('30');
    const history = given(...open()).when(report('paying', [first]));
    expect(progressOf(history.payment())).toBe('partially_paid');
    expect(labelsOf(history.payment())).toEqual([]);
    history.when(report('paid', [confirmed('30'), confirmed('20')]));
    expect(history.payment()).toMatchObject({ status: 'paid', money: { received: '50' } });
    expect(labelsOf(history.payment())).toEqual(['multiple_transfers']);
  });

  it('expires short where the policy rejects', () => {
    const history = given(...open()).when(report('underpaid', [confirmed('30')]), 'poll', tooLate);
    expect(history.payment()).toMatchObject({
      status: 'expired',
      money: { received: '30', delta: '-20', review: null },
    });
    expect(labelsOf(history.payment())).toEqual(['underpaid']);
  });

  it('waits for a person where the policy says review', () => {
    const history = given(...open({ underpayment: { tolerancePercent: '0', then: 'review' } })).when(
      report('underpaid', [confirmed('30')]),
      'poll',
      tooLate,
    );
    expect(history.payment()).toMatchObject({ status: 'pending', money: { review: { reasons: ['underpaid'] } } });
    expect(progressOf(history.payment())).toBe('in_review');
  });

  it('is complete within its tolerance, and says so', () => {
    const history = given(...open({ underpayment: { tolerancePercent: '2', then: 'reject' } })).when(
      report('paid', [confirmed('49')]),
      'poll',
    );
    expect(history.payment().status).toBe('paid');
    expect(labelsOf(history.payment())).toEqual(['within_tolerance']);
  });

  it('is not believed when the gateway calls it paid beyond the tolerance', () => {
    const history = given(...open()).when(report('paid', [confirmed('30')]));
    expect(history.payment()).toMatchObject({ status: 'pending', money: { review: { reasons: ['paid_short'] } } });
  });
});

describe('An overpaid payment', () => {
  it('is paid, and the person who looks at the excess does not hold up the goods', () => {
    const history = given(...open()).when(report('paid', [confirmed('55')]), 'poll');
    expect(history.payment()).toMatchObject({
      status: 'paid',
      money: { delta: '5', review: { reasons: ['overpaid', 'no_customer'] } },
    });
    expect(labelsOf(history.payment())).toEqual(['overpaid']);
    expect(isFulfillable(history.payment())).toBe(true);
  });

  it('is left alone where the policy keeps the excess', () => {
    const history = given(...open({ overpayment: { tolerancePercent: '0', then: 'keep' } })).when(
      report('paid', [confirmed('55')]),
      'poll',
    );
    expect(history.payment()).toMatchObject({ status: 'paid', money: { review: null } });
  });
});

describe('Late money', () => {
  const late = (worth: string) => confirmed(worth, { seenAt: tooLate });

  it('opens a review where the policy says so, and leaves the status expired', () => {
    const history = given(...open())
      .when(report('expired'), 'poll', tooLate)
      .when(report('expired', [late('50')]), 'poll', tooLate);
    expect(history.payment()).toMatchObject({ status: 'expired', money: { review: { reasons: ['late_payment'] } } });
    expect(labelsOf(history.payment())).toEqual(['late']);
  });

  it('completes the payment where the policy accepts it', () => {
    const history = given(...open({ latePayment: { window: 'PT72H', then: 'accept' } }))
      .when(report('expired'), 'poll', tooLate)
      .when(report('expired', [late('50')]), 'poll', tooLate);
    expect(history.payment()).toMatchObject({ status: 'paid', late: true, clause: 'latePayment' });
  });

  it('comes to the same whether the money or the expiry is heard of first', () => {
    const before = given(...open())
      .when(report('paying', [late('50')]), 'callback', tooLate)
      .when(report('expired', [late('50')]), 'poll', tooLate)
      .payment();
    const after = given(...open())
      .when(report('expired'), 'poll', tooLate)
      .when(report('expired', [late('50')]), 'poll', tooLate)
      .payment();
    expect([before.status, labelsOf(before), progressOf(before)]).toEqual([
      after.status,
      labelsOf(after),
      progressOf(after),
    ]);
  });

  it('is for a person when it comes after the window, whatever the policy', () => {
    const history = given(...open({ latePayment: { window: 'PT72H', then: 'accept' } }))
      .when(report('expired'), 'poll', tooLate)
      .when(report('expired', [confirmed('50', { seenAt: muchTooLate })]), 'poll', muchTooLate);
    expect(history.payment()).toMatchObject({
      status: 'expired',
      money: { review: { reasons: ['late_outside_window'] } },
    });
  });

  it.each([
    ['before the payment was asked for, and hears of it late', '2020-01-01T00:00:00.000Z', tooLate, 'expired'],
    ['in the far future, and hears of it in time', '2100-01-01T00:00:00.000Z', inTime, 'paid'],
  ])('is not decided by a date %s', (_what, seenAt, heardAt, status) => {
    const history = given(...open()).when(
      report(status === 'paid' ? 'paid' : 'expired', [confirmed('50', { seenAt })]),
      'callback',
      heardAt,
    );
    expect(history.payment().status).toBe(status);
    expect(labelsOf(history.payment())).toEqual(status === 'paid' ? [] : ['late']);
  });

  it('is not late money when it was seen in time and only confirmed after the deadline', () => {
    const history = given(...open())
      .when(report('paying', [transfer('50')]))
      .when(report('paid', [confirmed('50')]), 'callback', tooLate);
    expect(history.payment()).toMatchObject({ status: 'paid', late: false });
  });

  it('opens a review when enough money is there although the gateway closed the payment', () => {
    const history = given(...open()).when(report('expired', [confirmed('50')]), 'poll', tooLate);
    expect(history.payment()).toMatchObject({
      status: 'pending',
      money: { review: { reasons: ['expired_with_money'] } },
    });
  });
});

describe('The three rules of paidWhen', () => {
  it('detected: complete at first sight of the whole amount', () => {
    const history = given(...open({ paidWhen: { rule: 'detected' } })).when(report('paying', [transfer('30')]));
    expect(history.payment().status).toBe('pending');
    history.when(report('paying', [transfer('30'), transfer('20')]));
    expect(history.payment().status).toBe('paid');
  });

  it('detected: a poll that sees the same transfers is confirmation enough', () => {
    const history = given(...open({ paidWhen: { rule: 'detected' } })).when(report('paying', [transfer('50')]));
    history
      .when(report('paying', [transfer('50', { valueUsd: null })], { valueUsd: null }), 'poll')
      .then('PaymentCorroborated');
  });

  it('confirmations: complete when transfers worth the amount have that many each', () => {
    const rules = { paidWhen: { rule: 'confirmations' as const, count: 3 } };
    const history = given(...open(rules)).when(
      report('paying', [transfer('30', { confirmations: 5 }), transfer('20', { confirmations: 2 })]),
    );
    expect(history.payment().status).toBe('pending');
    history.when(report('paying', [transfer('30', { confirmations: 6 }), transfer('20', { confirmations: 3 })]));
    expect(history.payment().status).toBe('paid');
  });

  it('confirmations: the gateway calling it paid does not stand in for missing ones', () => {
    const history = given(...open({ paidWhen: { rule: 'confirmations', count: 50 } })).when(
      report('paid', [confirmed('50')]),
    );
    expect(history.payment().status).toBe('pending');
  });

  it('settled: neither sight nor confirmations suffice before the gateway says so', () => {
    const history = given(...open()).when(report('paying', [transfer('50', { confirmations: 500 })]));
    expect(history.payment().status).toBe('pending');
  });
});

describe('Claims that contradict what we asked for', () => {
  it.each([
    ['another amount', { amount: '5' }, 'amount_mismatch'],
    ['another currency', { currency: 'EUR' }, 'currency_mismatch'],
  ])('open a review when the gateway speaks of %s', (_what, changes, reason) => {
    const history = given(...open()).when(report('paid', [confirmed('50')], changes));
    expect(history.payment()).toMatchObject({ status: 'pending', money: { review: { reasons: [reason] } } });
    expect(labelsOf(history.payment())).toContain('gateway_conflict');
  });

  it('compare amounts by value, not by spelling', () => {
    expect(
      given(...open())
        .when(report('paid', [confirmed('50')], { amount: '50.00' }))
        .payment().status,
    ).toBe('paid');
  });

  it('hold up fulfilment when they come after the payment was paid', () => {
    const history = given(...open()).when(report('paid', [confirmed('50')]), 'poll');
    history.when(report('paid', [confirmed('50')], { amount: '5' }));
    expect(history.payment().status).toBe('paid');
    expect(isFulfillable(history.payment())).toBe(false);
  });
});

describe("The gateway's other words", () => {
  it('manual acceptance completes a short payment, and says that it was one', () => {
    const history = given(...open())
      .when(report('underpaid', [confirmed('30')]), 'poll', tooLate)
      .when(report('manual_accept', [confirmed('30')]), 'poll', tooLate);
    expect(history.payment().status).toBe('paid');
    expect(labelsOf(history.payment())).toEqual(['underpaid', 'manually_accepted']);
  });

  it('a refund is a fact beside the status', () => {
    const history = given(...open())
      .when(report('paid', [confirmed('50')]), 'poll')
      .when(report('refunded', [confirmed('50')]), 'poll');
    expect(history.payment().status).toBe('paid');
    expect(labelsOf(history.payment())).toEqual(['refunded']);
    expect(isFulfillable(history.payment())).toBe(false);
  });

  it('a refund of what was never paid is for a person', () => {
    const history = given(...open()).when(report('refunded'));
    expect(history.payment()).toMatchObject({ status: 'pending', money: { review: { reasons: ['refunded_unpaid'] } } });
  });

  it("money without a known worth waits for the gateway's verdict, which then decides", () => {
    const unknown = transfer('0.5', { currency: 'ETH', valueUsd: null });
    const history = given(...open()).when(report('paying', [unknown], { valueUsd: null }));
    expect(history.payment()).toMatchObject({ status: 'pending', money: { received: null } });
    history.when(report('paid', [{ ...unknown, status: 'confirmed' }], { valueUsd: null }), 'poll');
    expect(history.payment()).toMatchObject({ status: 'paid', money: { received: null } });
  });
});

describe('What is heard piece by piece', () => {
  it('short money behind a bare `Paid` is not delivered upon', () => {
    const history = given(...open()).when(report('paid', []));
    expect(history.payment().status).toBe('paid');
    history.when(report('paid', [confirmed('20')]), 'poll');
    expect(isFulfillable(history.payment())).toBe(false);
    expect(history.payment()).toMatchObject({ money: { review: { reasons: ['paid_short'] } } });
  });

  it.each([
    ['the whole amount', '50', ['expired_with_money']],
    ['a part, under a policy of review', '30', ['underpaid']],
  ])('%s that was sent in time and is heard of after expiry goes to a person', (_what, worth, reasons) => {
    const rules = { underpayment: { tolerancePercent: '0', then: 'review' as const } };
    const history = given(...open(rules))
      .when(report('expired'), 'poll', tooLate)
      .when(report('expired', [confirmed(worth)]), 'poll', tooLate);
    expect(history.payment()).toMatchObject({ status: 'expired', money: { review: { reasons } } });
  });

  it('a transfer that first had no hash, and then has one, counts once', () => {
    const history = given(...open({ paidWhen: { rule: 'detected' } })).when(
      report('paying', [transfer('25', { txHash: '' })]),
    );
    history.when(report('paying', [transfer('25', { txHash: 'the-real-hash-of-it' })]));
    expect(history.payment()).toMatchObject({
      status: 'pending',
      money: { received: '25', transfers: [{ txHash: 'the-real-hash-of-it' }] },
    });
  });

  it('two transfers under one hash count twice', () => {
    const both = [confirmed('20', { txHash: 'one-hash-for-both' }), confirmed('30', { txHash: 'one-hash-for-both' })];
    expect(
      given(...open())
        .when(report('paid', both))
        .payment(),
    ).toMatchObject({ money: { received: '50', transfers: [{}, {}] } });
  });

  it('what a poll calls the amount gives way to what a callback says was sent', () => {
    const net = confirmed('49.25', { currency: 'USD', txHash: 'a-transfer-in-usd', valueUsd: null });
    const gross = confirmed('50', { currency: 'USD', txHash: 'a-transfer-in-usd', receivedAmount: '49.25' });
    const history = given(...open())
      .when(report('paying', [net]), 'poll')
      .when(report('paid', [gross]));
    expect(history.payment()).toMatchObject({ status: 'paid', money: { received: '50' } });
  });

  it('money that was seen and then failed holds up what was not delivered', () => {
    const history = given(...open({ paidWhen: { rule: 'detected' } })).when(report('paying', [transfer('50')]), 'poll');
    expect(isFulfillable(history.payment())).toBe(true);
    history.when(report('paying', [transfer('50', { status: 'failed' })]), 'poll');
    expect(history.payment()).toMatchObject({ status: 'paid', money: { review: { reasons: ['gateway_conflict'] } } });
    expect(isFulfillable(history.payment())).toBe(false);
  });

  it("half the money does not pass for all of it because the gateway's worth of the payment grows with it", () => {
    const half = transfer('0.5', { currency: 'ETH', valueUsd: '25' });
    const history = given(...open({ paidWhen: { rule: 'detected' } }, { currency: 'EUR' })).when(
      report('paying', [half], { currency: 'EUR', valueUsd: '25' }),
    );
    expect(history.payment()).toMatchObject({ status: 'pending', money: { received: null } });
  });

  it('a report about another order brings no money and opens a review', () => {
    const history = given(...open()).when(report('paid', [confirmed('50')], { orderId: 'somebody-else' }), 'poll');
    expect(history.payment()).toMatchObject({
      status: 'pending',
      money: { transfers: [], review: { reasons: ['gateway_conflict'] } },
    });
  });

  it('a callback that the gateway never bears out goes to a person, even where the gateway knows nothing', () => {
    const payment = given(...open())
      .when(report('paid', [confirmed('50')]))
      .payment();
    expect(unconfirmed(payment, 'unknown there', 10, inTime)).toMatchObject([
      { type: 'CorroborationDelayed', data: { reason: 'unconfirmed', goAheadAt: null } },
    ]);
    expect(unconfirmed(payment, 'unknown there', 10, tooLate)).toMatchObject([
      { type: 'CorroborationDelayed' },
      { type: 'ReviewOpened', data: { reasons: ['gateway_conflict'] } },
    ]);
  });

  it.each([
    ['30 minutes ahead of', 30],
    ['10 minutes behind', -10],
  ])('is paid in time by a clock that is %s the gateway, whose dates and deadline count', (_, minutes) => {
    const ours = (instant: string): string => addMinutes(instant, minutes);
    const history: PaymentEvent[] = open({}, { requestedAt: ours(opened) });
    const payment = given(...history)
      .when(report('paid', [confirmed('50')]), 'callback', ours('2026-01-01T12:50:00.000Z'))
      .payment();
    expect(payment).toMatchObject({ status: 'paid', late: false });
    const late = given(...open({}, { requestedAt: ours(opened) }))
      .when(report('waiting', [confirmed('50', { seenAt: tooLate })]), 'callback', ours(tooLate))
      .payment();
    expect(labelsOf(late)).toContain('late');
  });

  it('that credit paid in full can be given to a person too, and the credit goes back where it is not delivered', () => {
    const paid = foldAll([
      { type: 'PaymentRequested', data: terms({}, { customerId: 'c', useCredit: true }) },
      { type: 'CreditApplied', data: { amount: '50', at: inTime } },
      { type: 'PaymentPaid', data: { clause: 'credit', late: false, witness: 'service', at: inTime } },
    ]) as Paid;
    const asked = after(paid, openReview(paid, ['fulfillment_rejected'], { now: inTime }));
    expect(isFulfillable(paid)).toBe(true);
    expect(isFulfillable(asked)).toBe(false);
    expect(openReview(asked as Paid, ['fulfillment_rejected'], { now: inTime })).toEqual([]);
    const said = { actor: 'support@shop.example', note: 'out of stock', refundTo: null };
    const rejected = resolveReview(asked, { ...said, decision: 'reject' }, false, inTime);
    expect(rejected.map(({ type }) => type)).toEqual(['ReviewResolved', 'CreditReleased']);
    expect(after(asked, rejected)).toMatchObject({ status: 'paid', denied: true, creditReturned: true });
    const accepted = resolveReview(asked, { ...said, decision: 'accept' }, false, inTime);
    expect(accepted.map(({ type }) => type)).toEqual(['ReviewResolved']);
    expect(isFulfillable(after(asked, accepted))).toBe(true);
  });

  describe("while the gateway's API gives no answer", () => {
    const paid = given(...open())
      .when(report('paid', [confirmed('50')]))
      .payment();
    const minutes = (n: number): string => addMinutes(inTime, n);

    it('waits and says so once, and asks a person after a day', () => {
      const silent = gatewaySilent(paid, 'no connection', null, inTime);
      expect(silent).toMatchObject([{ type: 'CorroborationDelayed', data: { reason: 'silent', goAheadAt: null } }]);
      const waiting = after(paid, silent);
      expect(gatewaySilent(waiting, 'no connection', null, minutes(600))).toEqual([]);
      expect(gatewaySilent(waiting, 'no connection', null, minutes(1500))).toMatchObject([
        { type: 'ReviewOpened', data: { reasons: ['gateway_conflict'] } },
      ]);
      expect(isFulfillable(waiting)).toBe(false);
      expect(explain(waiting, []).sentence).toContain(`it has not answered since ${inTime}`);
    });

    it('goes ahead after the time that is set, and still hears the gateway when it is back', () => {
      const waiting = after(paid, gatewaySilent(paid, 'no connection', 30, inTime));
      expect(explain(waiting, [])).toMatchObject({ blockedBy: 'not_corroborated', deadline: minutes(30) });
      expect(gatewaySilent(waiting, 'no connection', 30, minutes(29))).toEqual([]);
      const waived = gatewaySilent(waiting, 'no connection', 30, minutes(30));
      expect(waived).toEqual([{ type: 'CorroborationWaived', data: { silentSince: inTime, at: minutes(30) } }]);
      const going = after(waiting, waived);
      expect(isFulfillable(going)).toBe(true);
      expect(explain(going, [])).toMatchObject({ complete: true, blockedBy: null });
      expect(explain(going, []).sentence).toContain('its callback alone will do');
      expect(gatewaySilent(going, 'no connection', 30, minutes(2000))).toEqual([]);
      const agreed = applyReport(going as Reportable, report('paid', [confirmed('50')]), {
        witness: 'poll',
        now: minutes(40),
      });
      expect(agreed.map(({ type }) => type)).toContain('PaymentCorroborated');
      const denied = applyReport(going as Reportable, report('waiting', []), { witness: 'poll', now: minutes(40) });
      expect(isFulfillable(after(going, denied))).toBe(false);
    });

    it('does not go ahead once the gateway has answered something else', () => {
      const waiting = after(paid, gatewaySilent(paid, 'no connection', 30, inTime));
      const answered = after(waiting, unconfirmed(waiting, 'it calls it waiting', 10, minutes(1)));
      expect(gatewaySilent(answered, 'no connection', 30, minutes(31))).toEqual([]);
      expect(gatewaySilent(answered, 'no connection', 30, minutes(1500))).toMatchObject([{ type: 'ReviewOpened' }]);
    });

    it('does not go ahead where anything contradicts the callback', () => {
      const odd = given(...open())
        .when(report('paid', [confirmed('50')], { amount: '70' }))
        .payment();
      const waiting = after(odd, gatewaySilent(odd, 'no connection', 30, inTime));
      expect(gatewaySilent(waiting, 'no connection', 30, minutes(60)).map(({ type }) => type)).not.toContain(
        'CorroborationWaived',
      );
    });
  });
});

describe('A payment that is being opened', () => {
  const created = foldAll([{ type: 'PaymentRequested', data: terms() }]);
  const invoice = { trackId: '1', paymentUrl: null, expiresAt: tooLate };

  it('opens once, whoever comes second', () => {
    const events = invoiceOpened(created, invoice, false, inTime);
    expect(events).toHaveLength(1);
    const [event] = events;
    expect(
      invoiceOpened(
        foldAll([{ type: 'PaymentRequested', data: terms() }, event as PaymentEvent]),
        invoice,
        true,
        inTime,
      ),
    ).toEqual([]);
  });

  it('fails when the gateway refuses it, and stays created while the outcome is not known', () => {
    expect(invoiceRefused(created, { field: 'amount', detail: 'too low' }, inTime)).toMatchObject([
      { type: 'InvoiceRefused' },
    ]);
    const [delayed] = invoiceDelayed(created, 'unknown', 'no answer', inTime);
    const after = foldAll([{ type: 'PaymentRequested', data: terms() }, delayed as PaymentEvent]);
    expect(after).toMatchObject({ status: 'created', opening: { outcome: 'unknown' } });
    expect(invoiceDelayed(after, 'unknown', 'again', inTime)).toEqual([]);
    expect(retryInvoice(after, inTime)).toMatchObject([{ type: 'InvoiceRetried', data: { attempt: 2 } }]);
  });
});

describe('Cancelling', () => {
  it('closes a payment that no money was seen for, once', () => {
    const events = open();
    const [cancelled] = cancel(foldAll(events), inTime);
    const after = foldAll([...events, cancelled as PaymentEvent]);
    expect(after).toMatchObject({ status: 'failed', reason: 'cancelled' });
    expect(cancel(after, inTime)).toEqual([]);
  });

  it('is refused once money was seen', () => {
    const { payment } = given(...open()).when(report('paying', [transfer('1')]));
    expect(() => cancel(payment(), inTime)).toThrow(expect.objectContaining({ code: 'money_was_seen' }));
  });

  it('leaves money that comes afterwards to a person', () => {
    const events = open();
    const history = given(...events, ...cancel(foldAll(events), inTime)).when(report('paid', [confirmed('50')]));
    expect(history.payment()).toMatchObject({
      status: 'failed',
      money: { review: { reasons: ['money_after_cancel'] } },
    });
  });
});

it('A payment that nobody will look at any more is given to a person', () => {
  const payment = given(...open())
    .when(report('paying', [transfer('50')]))
    .payment();
  if (payment.status !== 'pending') throw new Error('not pending');
  expect(giveUp(payment, tooLate)).toMatchObject([{ type: 'ReviewOpened', data: { reasons: ['no_final_word'] } }]);
});

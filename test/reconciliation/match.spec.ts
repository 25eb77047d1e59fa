import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { RecordedEvent } from '../../src/kernel/event.js';
import { addCredit, returnCredit, spendCredit, type CreditEvent } from '../../src/customers/credit.js';
import type { GatewayReport, GatewayStatus, PayoutReport } from '../../src/payments/payment-gateway.js';
import { isReportable, type Payment, type PaymentEvent } from '../../src/payments/payment.js';
import { foldCredit } from '../../src/customers/credit.js';
import { refundReference, type Refund } from '../../src/payments/refund.js';
import { accountOf, creditOf, matchCredit } from '../../src/reconciliation/match-credit.js';
import { dayBefore, isDay, spanOf } from '../../src/reconciliation/match-day.js';
import { matchPayment } from '../../src/reconciliation/match-payments.js';
import { matchRefund, otherPayout, refundNamedBy } from '../../src/reconciliation/match-refunds.js';
import { advice, Matching, type Outcome } from '../../src/reconciliation/match.js';
import { foldAll, given, inTime, open, opened, report, terms, transfer } from '../payments/given.js';
import { lives } from '../payments/lifecycle-acts.js';
import { liveOn } from '../payments/lifecycle-model.js';
import { seed } from '../payments/seed.js';

const kinds = ({ differences }: Outcome): string[] => differences.map(({ kind }) => kind);
const codes = ({ explained }: Outcome): string[] => explained.map(({ code }) => code);

const confirmed = transfer('50', { status: 'confirmed', confirmations: 30 });
const paid = (): Payment =>
  given(...open())
    .when(report('paid', [confirmed]))
    .payment();

describe('A payment here and at the gateway', () => {
  it('agrees where both have the same price, money and status', () => {
    const outcome = matchPayment(paid(), report('paid', [confirmed]));
    expect([kinds(outcome), codes(outcome)]).toEqual([[], []]);
    expect(outcome.totals).toEqual([
      { what: 'invoiced', currency: 'USD', here: '50', there: '0' },
      { what: 'invoiced', currency: 'USD', here: '0', there: '50' },
      { what: 'received', currency: 'USDT', here: '50', there: '50' },
    ]);
  });

  it.each<[string, Partial<GatewayReport>, string]>([
    ['asks for another amount', { amount: '51' }, 'amount_differs'],
    ['asks in another currency', { currency: 'EUR' }, 'currency_differs'],
    ['has more money', { transfers: [confirmed, transfer('7', { status: 'confirmed' })] }, 'received_differs'],
    ['has less money', { transfers: [{ ...confirmed, sentAmount: '49.99' }] }, 'received_differs'],
    ['has no money', { transfers: [] }, 'received_differs'],
    ['has money in another coin', { transfers: [{ ...confirmed, currency: 'TRX' }] }, 'received_differs'],
    ['has sent it back', { status: 'refunded' }, 'status_differs'],
    ['calls it expired', { status: 'expired' }, 'status_differs'],
    ['has it under another track id', { trackId: '999' }, 'identity_differs'],
  ])('differs where the gateway %s', (_, changes, kind) => {
    const outcome = matchPayment(paid(), report('paid', [confirmed], changes));
    expect(kinds(outcome)).toEqual([kind]);
    expect(outcome.differences[0]?.advice).toBe(advice[kind as keyof typeof advice].replaceAll('<id>', terms().id));
  });

  it('is the same money where the gateway tells what was left after its fee, and a failed transfer is none', () => {
    const told = { ...confirmed, receivedAmount: '49.75' };
    const ours = given(...open()).when(report('paid', [told])).payment(); // prettier-ignore
    const lost = transfer('3', { status: 'failed' });
    const outcome = matchPayment(ours, report('paid', [{ ...confirmed, sentAmount: '49.75' }, lost]));
    expect(kinds(outcome)).toEqual([]);
    expect(outcome.totals.at(-1)).toEqual({ what: 'received', currency: 'USDT', here: '49.75', there: '49.75' });
  });

  it('does not pair one transfer with two', () => {
    const twice = [confirmed, { ...confirmed, txHash: 'another-hash-of-the-same' }];
    expect(matchPayment(paid(), report('paid', twice)).differences).toMatchObject([
      { kind: 'received_differs', here: '50 USDT', there: '50 USDT + 50 USDT' },
    ]);
  });

  it('is missing on the side that does not know it', () => {
    expect(kinds(matchPayment(paid(), null))).toEqual(['missing_at_gateway']);
    expect(kinds(matchPayment(null, report('paid', [confirmed])))).toEqual(['missing_here']);
    expect(kinds(matchPayment(null, report('waiting', [], { orderId: null })))).toEqual(['missing_here']);
    const foreign = matchPayment(null, report('paid', [confirmed], { orderId: 'legacy-7' }));
    expect([kinds(foreign), codes(foreign), foreign.totals]).toEqual([[], ['other_system'], []]);
  });

  it('has no invoice on either side, or one that is not known here', () => {
    const created = foldAll([{ type: 'PaymentRequested', data: terms() }]);
    expect(codes(matchPayment(created, null))).toEqual(['no_invoice']);
    expect(kinds(matchPayment(created, report('waiting')))).toEqual(['identity_differs']);
  });

  it('left an invoice behind whose answer was lost, and whose address nobody saw', () => {
    const embedded = { currency: 'USDT', network: 'TRON' };
    const left = matchPayment(foldAll(open({}, { embedded })), report('expired', [], { trackId: '100000009' }));
    expect([kinds(left), codes(left)]).toEqual([[], ['left_behind']]);
    const paidTo = report('paid', [confirmed], { trackId: '100000009' });
    expect(kinds(matchPayment(foldAll(open({}, { embedded })), paidTo))).toEqual(['identity_differs']);
    expect(kinds(matchPayment(foldAll(open()), report('expired', [], { trackId: '100000009' })))).toEqual([
      'identity_differs',
    ]);
  });

  const expired: PaymentEvent[] = [...open(), { type: 'PaymentExpired', data: { clause: 'deadline', at: inTime } }];
  const heard = (status: GatewayStatus): PaymentEvent => ({
    type: 'GatewayReported',
    data: { status, valueUsd: null, witness: 'poll', at: inTime },
  });
  it.each<[string, PaymentEvent[], GatewayStatus, string]>([
    ['open on both sides', open(), 'paying', ''],
    ['expired here, and underpaid there', expired, 'underpaid', ''],
    ['expired here, and still open there', expired, 'waiting', 'closed_here_first'],
    ['expired here by our rule, and paid there, as was heard', [...expired, heard('paid')], 'paid', 'judged_here'],
    ['expired here, and paid there, of which nothing was heard', expired, 'paid', 'status_differs'],
    ['waiting for our own rule, and paid there, as was heard', [...open(), heard('paid')], 'paid', 'judged_here'],
    ['open here, and paid there, of which nothing was heard', open(), 'paid', 'status_differs'],
    ['open here, and over there, of which nothing was heard', open(), 'expired', 'status_differs'],
    ['cancelled here, and open there', [...open(), { type: 'PaymentCancelled', data: { at: opened } }], 'new', 'closed_here_first'], // prettier-ignore
  ])('is %s', (_, events, status, expected) => {
    const outcome = matchPayment(foldAll(events), report(status));
    expect([...kinds(outcome), ...codes(outcome)]).toEqual(expected === '' ? [] : [expected]);
  });

  it('never differs from a gateway that says again what was heard last, whatever has happened', () => {
    let compared = 0;
    fc.assert(
      fc.property(lives, (life) => {
        const { payment } = liveOn(life, () => undefined);
        if (!isReportable(payment)) return;
        const { terms: agreed, invoice, invoiced, money } = payment;
        const { gatewayStatus } = money;
        if (gatewayStatus === null) return;
        const transfers = money.transfers.map((each) => ({ ...each, senderAddress: null, seenAt: null }));
        const said = report(gatewayStatus, transfers, { trackId: invoice.trackId, orderId: agreed.id, amount: invoiced, currency: agreed.currency }); // prettier-ignore
        expect(matchPayment(payment, said).differences).toEqual([]);
        compared += 1;
      }),
      { seed, numRuns: 300 },
    );
    expect(compared).toBeGreaterThan(100);
  });
});

describe('A refund here and its payout', () => {
  const paymentId = terms().id;
  const to = { currency: 'USDT', network: 'TRON', address: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ' };
  const refund = (changes: Partial<Refund> = {}): Refund => ({
    number: 1,
    amount: '20',
    payout: { ...to, amount: '20', memo: null },
    reason: 'returned',
    clause: 'request',
    status: 'confirmed',
    requestedAt: inTime,
    attempt: 1,
    attemptedAt: inTime,
    trackId: '7',
    txHash: null,
    detail: null,
    decided: false,
    ...changes,
  });
  const payout = (changes: Partial<PayoutReport> = {}): PayoutReport => ({
    ...to,
    trackId: '7',
    status: 'confirmed',
    amount: '20.00',
    fee: null,
    txHash: null,
    description: refundReference(paymentId, 1),
    createdAt: inTime,
    ...changes,
  });

  it.each<[string, Refund | null, PayoutReport | null, string[]]>([
    ['agrees', refund(), payout(), []],
    ['agrees while it is under way', refund({ status: 'submitted' }), payout({ status: 'processing' }), []],
    ['agrees that it failed', refund({ status: 'failed' }), payout({ status: 'rejected' }), []],
    ['is not known there', refund(), null, ['refund_differs']],
    ['is not known here', null, payout(), ['payout_without_refund']],
    ['was sent with another amount', refund(), payout({ amount: '21' }), ['refund_differs']],
    ['was sent in another coin', refund(), payout({ currency: 'TRX' }), ['refund_differs']],
    ['was sent elsewhere', refund(), payout({ address: 'TAnother' }), ['refund_differs']],
    ['failed here and was sent', refund({ status: 'failed' }), payout(), ['refund_differs']],
    ['is confirmed here and was not sent', refund(), payout({ status: 'failed' }), ['refund_differs']],
    ['ended there unheard', refund({ status: 'submitted' }), payout(), ['refund_differs']],
    ['was sent twice', refund(), payout({ trackId: '8' }), ['refund_differs']],
    ['was sent, and its answer was lost', refund({ status: 'unknown', trackId: null }), payout({ status: 'processing' }), ['refund_differs']], // prettier-ignore
  ])('%s', (_, ours, theirs, expected) => {
    expect(kinds(matchRefund(paymentId, ours, theirs))).toEqual(expected);
  });

  it('is told from a payout that no refund asked for', () => {
    expect(refundNamedBy(payout())).toEqual({ paymentId, number: 1 });
    expect(refundNamedBy(payout({ description: 'wages' }))).toBeNull();
    expect(codes(otherPayout(payout({ description: 'wages' })))).toEqual(['other_payout']);
  });
});

describe('Credit in the events of payments and in the ledger', () => {
  const { id: paymentId, applicationId: tenant } = terms();
  const customerId = 'customer-1';
  const recorded = (type: string, data: object, version: number): RecordedEvent => ({
    id: randomUUID(),
    type,
    schemaVersion: 1,
    data: data as RecordedEvent['data'],
    tenant,
    actor: 'test',
    correlationId: paymentId,
    causationId: paymentId,
    recordedAt: inTime,
    streamId: paymentId,
    version,
    position: version,
  });
  const requested = recorded('PaymentRequested', terms({}, { customerId }), 1);
  const granted = recorded('CreditGranted', { number: 1, amount: '10', currency: 'USD', customerId, clause: 'overpayment', at: inTime }, 2); // prettier-ignore
  const applied = recorded('CreditApplied', { amount: '20', at: inTime }, 2);
  const released = recorded('CreditReleased', { amount: '20', at: inTime }, 3);

  const base = { customerId, currency: 'USD', paymentId };
  const account = (...steps: ((events: CreditEvent[]) => CreditEvent[])[]): RecordedEvent[] => {
    const events: CreditEvent[] = [];
    for (const step of steps) events.push(...step(events));
    return events.map(({ type, data }, index) => recorded(type, data, index + 1));
  };
  const folded = (events: CreditEvent[]) => foldCredit(events.map(({ type, data }, i) => recorded(type, data, i + 1)));
  const funded = (events: CreditEvent[]) => addCredit(folded(events), { ...base, paymentId: 'earlier', source: 'earlier', amount: '100', reason: 'overpayment' }, inTime); // prettier-ignore
  const added = (events: CreditEvent[]) => addCredit(folded(events), { ...base, source: granted.id, amount: '10', reason: 'overpayment' }, inTime); // prettier-ignore
  const spent = (events: CreditEvent[]) => spendCredit(folded(events), { ...base, atMost: '20' }, inTime);
  const returned = (events: CreditEvent[]) => returnCredit(folded(events), { ...base, source: released.id, amount: '20' }, inTime); // prettier-ignore

  const matched = (payment: RecordedEvent[], book: RecordedEvent[]): Outcome => {
    const { movements, outcome } = accountOf('shop:customer-1:USD', book);
    const told = matchCredit(paymentId, creditOf(payment), movements.get(paymentId) ?? []);
    return { ...told, differences: [...outcome.differences, ...told.differences] };
  };

  it('agrees where each cause is booked once', () => {
    expect(kinds(matched([requested, granted], account(added)))).toEqual([]);
    expect(kinds(matched([requested, applied, released], account(funded, spent, returned)))).toEqual([]);
    const sums = matched([requested, applied, released], account(funded, spent, returned)).totals;
    expect(sums).toEqual([
      { what: 'credit_applied', currency: 'USD', here: '20', there: '20' },
      { what: 'credit_released', currency: 'USD', here: '20', there: '20' },
    ]);
  });

  it('agrees where credit was taken and given back before the payment had recorded it', () => {
    const all = recorded('CreditReleased', { amount: '50', at: inTime }, 2);
    const back = (events: CreditEvent[]) => returnCredit(folded(events), { ...base, source: all.id, amount: '50' }, inTime); // prettier-ignore
    const outcome = matched([requested, all], account(funded, spent, back));
    expect([kinds(outcome), outcome.totals.filter(({ here, there }) => here !== there)]).toEqual([[], []]);
  });

  it.each<[string, () => Outcome, string[]]>([
    ['a credit is not booked', () => matched([requested, granted], []), ['credit_not_booked']],
    ['nothing was taken', () => matched([requested, applied], account(funded)), ['credit_not_booked']],
    ['nothing was given back', () => matched([requested, applied, released], account(funded, spent)), ['credit_not_booked']], // prettier-ignore
    ['credit was made up', () => matched([requested], account(added)), ['booked_without_cause']],
    ['credit was taken for nothing', () => matched([requested], account(funded, spent)), ['booked_without_cause']],
    ['credit was given back for nothing', () => matched([requested, applied], account(funded, spent, returned)), ['booked_without_cause']], // prettier-ignore
    [
      'it is booked twice',
      () =>
        matched(
          [requested, granted],
          account(added, () => added([])),
        ),
      ['booked_twice'],
    ],
    ['the amount was changed', () => matched([requested, granted], changed(account(added), 0, { amount: '99' })), ['credit_differs']], // prettier-ignore
    ['the customer was changed', () => matched([requested, granted], changed(account(added), 0, { customerId: 'eve' })), ['credit_differs']], // prettier-ignore
    ['an entry was taken away', () => matched([requested, applied], account(funded, spent).slice(1)), ['ledger_unbalanced', 'ledger_unbalanced']], // prettier-ignore
    ['an amount cannot be read', () => matched([requested, granted], changed(account(added), 0, { amount: 'x' })), ['ledger_unbalanced', 'credit_not_booked']], // prettier-ignore
  ])('differ where %s', (_, made, expected) => {
    expect(kinds(made())).toEqual(expected);
  });

  const changed = (events: RecordedEvent[], at: number, data: object): RecordedEvent[] =>
    events.map((event, index) => (index === at ? { ...event, data: { ...event.data, ...data } } : event));
});

describe('The report of a day', () => {
  it('adds up each currency on both sides, and keeps a bounded list of what it counts whole', () => {
    const matching = new Matching();
    for (let n = 0; n < 1200; n++) matching.add(matchPayment(null, report('paid', [confirmed])), 'payments');
    const made = matching.report('2026-01-01', inTime, true);
    expect([made.differences.length, made.differenceCount, made.compared.payments]).toEqual([1000, 1200, 1200]);
    expect(made.totals).toEqual([
      { what: 'invoiced', currency: 'USD', here: '0', there: '60000' },
      { what: 'received', currency: 'USDT', here: '0', there: '60000' },
    ]);
  });

  it('is of a day in UTC', () => {
    expect(['2026-02-28', '2026-02-30', '2026-2-1', 'today', '2024-02-29'].map(isDay)).toEqual([true, false, false, false, true]); // prettier-ignore
    expect(spanOf('2026-12-31')).toEqual({ from: '2026-12-31T00:00:00.000Z', to: '2027-01-01T00:00:00.000Z' });
    expect(dayBefore('2026-03-01')).toBe('2026-02-28');
  });
});

import { describe, expect, it } from '@jest/globals';
import { addMinutes } from '../../src/kernel/clock.js';
import { allocationOf } from '../../src/payments/allocation.js';
import { cancel } from '../../src/payments/decisions.js';
import { depositOpened, type Deposit } from '../../src/payments/deposit.js';
import { outcomeOf } from '../../src/payments/outcome.js';
import type { PaymentEvent } from '../../src/payments/payment.js';
import type { PolicyRules } from '../../src/payments/policy.js';
import { redecide } from '../../src/payments/redecide.js';
import { resolveReview } from '../../src/payments/review.js';
import { foldAll, given, inTime, opened, report, terms, transfer } from './given.js';

const hash = 'a'.repeat(64);
const deposit = (sentAmount: string): Deposit => ({
  addressId: '01890000-0000-7000-8000-0000000000ad',
  trackId: '100000001',
  address: 'TAddress',
  memo: null,
  network: 'Tron Network',
  transfer: { txHash: hash, currency: 'USDT', sentAmount, receivedAmount: null },
  afterRevocation: false,
});

/** A payment that a transfer has made, before it is told of it. */
const begun = (amount: string, rules: Partial<PolicyRules> = {}): PaymentEvent[] => {
  const agreed = terms(rules, { amount, currency: 'USDT', customerId: 'customer-42', deposit: deposit(amount) });
  const requested: PaymentEvent = { type: 'PaymentRequested', data: agreed };
  return [requested, ...depositOpened(foldAll([requested]), opened)];
};
const told = (sentAmount: string, changes: Parameters<typeof transfer>[1] = {}) =>
  report('paying', [transfer(sentAmount, { txHash: hash, seenAt: null, valueUsd: null, ...changes })], {
    orderId: null,
    amount: '0',
    currency: null,
  });
const confirmed = { status: 'confirmed', confirmations: 30 } as const;
const creditsIn = (events: readonly PaymentEvent[]): string[] =>
  events.flatMap((event) => (event.type === 'CreditGranted' ? [event.data.amount] : []));

describe('A deposit', () => {
  it('is not late where its payment is told of the transfer hours after it was begun', () => {
    const later = addMinutes(opened, 300);
    const { events } = given(...begun('10')).when(told('10', confirmed), 'poll', later);
    expect(events().map(({ type }) => type)).not.toContain('ReviewOpened');
    expect(creditsIn(events())).toEqual(['10']);
  });

  it.each([
    ['more', '98', '100'],
    ['less', '100', '98'],
  ])('is credited as a callback corrects it to %s, and asks nobody', (_, first, then) => {
    const rules = { overpayment: { tolerancePercent: '0', then: 'review' } } as const;
    const { events } = given(...begun(first, rules))
      .when(told(first), 'poll')
      .when(told(then, { receivedAmount: '98', ...confirmed }))
      .when(told('98', confirmed), 'poll');
    expect(events().map(({ type }) => type)).not.toContain('ReviewOpened');
    expect(creditsIn(events())).toEqual([then]);
  });

  it('is never called kept: until it is credited nobody has decided about it', () => {
    const { payment } = given(...begun('10')).when(told('10', confirmed));
    expect(payment().status).toBe('paid');
    expect(allocationOf(payment())).toMatchObject({ applied: '0', kept: '0', unallocated: '10' });
  });

  it('cannot be cancelled, because its money has come', () => {
    expect(() => cancel(foldAll(begun('10')), opened)).toThrow(expect.objectContaining({ code: 'money_was_seen' }));
  });

  it('comes to the same when it is decided anew, whichever answer has brought its credit', () => {
    const moments = begun('10').map((event) => [event]);
    const hear = (...said: Parameters<ReturnType<typeof given>['when']>): void => {
      const before = moments.flat();
      const after = given(...before)
        .when(...said)
        .events();
      moments.push(after.slice(before.length));
    };
    hear({ ...told('10'), orderId: '01890000-0000-7000-8000-0000000000ff' });
    hear(told('10', confirmed), 'poll');
    const said = { decision: 'accept', actor: 'support@shop.example', note: 'a slip', refundTo: null } as const;
    moments.push(resolveReview(foldAll(moments.flat()), said, false, inTime));
    // Nothing but the credit follows from this one.
    hear(told('10', confirmed), 'poll');
    expect(moments.at(-1)?.map(({ type }) => type)).toEqual(['CreditGranted']);
    expect(outcomeOf(redecide(moments, null))).toEqual(outcomeOf(foldAll(moments.flat())));
  });
});

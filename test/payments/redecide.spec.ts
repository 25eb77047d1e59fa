import { describe, expect, it } from '@jest/globals';
import { outcomeOf } from '../../src/payments/outcome.js';
import { isReportable, type PaymentEvent } from '../../src/payments/payment.js';
import { defaultPolicy, type PolicyRules } from '../../src/payments/policy.js';
import { redecide } from '../../src/payments/redecide.js';
import { given, open, report, transfer } from './given.js';

const opening = open();
const momentsFrom = (...reports: Parameters<typeof report>[]): PaymentEvent[][] => {
  const moments = opening.map((event) => [event]);
  for (const said of reports) {
    const before = moments.flat();
    moments.push(
      given(...before)
        .when(report(...said), 'poll')
        .events()
        .slice(before.length),
    );
  }
  return moments;
};
const gatewayStatusUnder = (moments: PaymentEvent[][], rules: PolicyRules | null) => {
  const payment = redecide(moments, rules);
  return isReportable(payment) ? payment.money.gatewayStatus : null;
};

describe('A payment that the gateway calls short', () => {
  const full = momentsFrom(['underpaid', [transfer('50', { status: 'confirmed' })]]);
  const half = momentsFrom(['underpaid', [transfer('30', { status: 'confirmed' })]]);
  const tolerant: PolicyRules = { ...defaultPolicy.rules, underpayment: { tolerancePercent: '50', then: 'reject' } };

  it('stays so where all of it is there, under rules that ask for no less', () => {
    const { rules } = defaultPolicy;
    const other: PolicyRules = { ...rules, overpayment: { tolerancePercent: '5', then: 'keep' } };
    for (const same of [structuredClone(rules), other])
      expect(outcomeOf(redecide(full, same))).toEqual(outcomeOf(redecide(full, null)));
  });

  it('would have been called paid had the tolerance covered what is missing', () => {
    expect([gatewayStatusUnder(half, null), gatewayStatusUnder(half, tolerant)]).toEqual(['underpaid', 'paid']);
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { GatewayReport, GatewayStatus, ReportedTransfer } from '../../src/payments/payment-gateway.js';
import type { Payment } from '../../src/payments/payment.js';
import { isFulfillable, labelsOf, progressOf } from '../../src/payments/standing.js';
import { Decimal, plain } from '../../src/payments/decimal.js';
import type { PolicyRules } from '../../src/payments/policy.js';
import { given, inTime, open, report, tooLate, transfer } from './given.js';
import { seed } from './seed.js';

/** What a payer did: cents sent, in which coin, before or after the deadline. */
interface Sent {
  cents: number;
  coin: 'USDT' | 'TRX' | 'USD';
  late: boolean;
  /** Several transfers may share one transaction hash. */
  sameHash: boolean;
}

const sending: fc.Arbitrary<Sent> = fc.record({
  cents: fc.integer({ min: 1, max: 6000 }),
  coin: fc.constantFrom('USDT', 'TRX', 'USD'),
  late: fc.boolean(),
  sameHash: fc.boolean(),
});

const rules: fc.Arbitrary<PolicyRules> = fc.record({
  paidWhen: fc.constantFrom<PolicyRules['paidWhen']>(
    { rule: 'settled' },
    { rule: 'detected' },
    { rule: 'confirmations', count: 10 },
  ),
  underpayment: fc.record({
    tolerancePercent: fc.constantFrom('0', '2', '10'),
    then: fc.constantFrom('reject', 'partial_credit', 'review'),
  }),
  overpayment: fc.record({
    tolerancePercent: fc.constantFrom('0', '5'),
    then: fc.constantFrom('credit', 'review', 'keep'),
  }),
  latePayment: fc.record({ window: fc.constant('PT72H'), then: fc.constantFrom('accept', 'review') }),
});

const dollars = (cents: number): string => plain(new Decimal(String(cents)).div('100'));

const asTransfer = (
  { cents, coin, late, sameHash }: Sent,
  index: number,
  status: ReportedTransfer['status'],
): ReportedTransfer => {
  const worth = dollars(cents);
  return transfer(worth, {
    txHash: sameHash ? 'one-transaction' : `transaction-${String(index)}`,
    currency: coin,
    // A coin amount that differs between transfers of equal worth, as real ones do.
    sentAmount: coin === 'TRX' ? plain(new Decimal(worth).times('4').plus(`0.00000${String(index + 1)}`)) : worth,
    status,
    confirmations: status === 'confirmed' ? 20 : 0,
    seenAt: late ? tooLate : inTime,
  });
};

/** The reports that a gateway sends while this happens, oldest first; each names all transfers so far. */
function gatewayHistory(sent: readonly Sent[], policy: PolicyRules): GatewayReport[] {
  const ordered = [...sent.filter((each) => !each.late), ...sent.filter((each) => each.late)];
  const due = new Decimal('50').times(new Decimal('100').minus(policy.underpayment.tolerancePercent)).div('100');
  const reports: GatewayReport[] = [];
  const seen: ReportedTransfer[] = [];
  let status: GatewayStatus = 'paying';
  let sum = new Decimal('0');
  const say = (): void => {
    reports.push(
      report(
        status,
        seen.map((each) => ({ ...each })),
      ),
    );
  };
  ordered.forEach((each, index) => {
    if (each.late && status === 'paying') {
      status = seen.length === 0 ? 'expired' : 'underpaid';
      say();
    }
    seen.push(asTransfer(each, index, 'confirming'));
    say();
    seen[index] = asTransfer(each, index, 'confirmed');
    if (!each.late) sum = sum.plus(dollars(each.cents));
    if (status === 'paying' && sum.gte(due)) status = 'paid';
    say();
  });
  if (status === 'paying') {
    status = seen.length === 0 ? 'expired' : 'underpaid';
    say();
  }
  return reports;
}

const outcome = (payment: Payment) => ({
  status: payment.status,
  labels: labelsOf(payment),
  progress: progressOf(payment),
  fulfillable: isFulfillable(payment),
  money:
    'money' in payment
      ? { received: payment.money.received, delta: payment.money.delta, transfers: payment.money.transfers.length }
      : null,
});

const settledDown = (rulesOf: PolicyRules, told: readonly GatewayReport[], last: GatewayReport): Payment => {
  const history = given(...open(rulesOf));
  for (const each of told) history.when(each, 'callback', tooLate);
  // The gateway is asked until two answers change nothing: once it has the last word, once more as it is after `paid`.
  history.when(last, 'poll', tooLate).when(last, 'poll', tooLate);
  return history.payment();
};

describe('Whatever order callbacks arrive in', () => {
  it('ends in the same status, labels, sums and fulfilment, repeated or not, lost or not', () => {
    const cases = fc.record({
      sent: fc.array(sending, { maxLength: 5 }),
      rules,
      seed: fc.infiniteStream(fc.nat({ max: 1_000_000 })),
    });
    fc.assert(
      fc.property(cases, ({ sent, rules: policy, seed }) => {
        const reports = gatewayHistory(sent, policy);
        const last = reports.at(-1);
        if (!last) return;
        const shuffled = [...reports, ...reports.filter((_, index) => index % 2 === 0)]
          .map((each) => ({ each, at: seed.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ each }) => each);
        const some = shuffled.filter((_, index) => index % 3 !== 0);
        // Reports need not be cumulative: some name no transfer, some the newest alone.
        const partial = shuffled.map((each, index) =>
          index % 3 === 0
            ? { ...each, transfers: [] }
            : index % 3 === 1
              ? { ...each, transfers: each.transfers.slice(-1) }
              : each,
        );
        const straight = outcome(settledDown(policy, reports, last));
        expect(outcome(settledDown(policy, shuffled, last))).toEqual(straight);
        expect(outcome(settledDown(policy, some, last))).toEqual(straight);
        expect(outcome(settledDown(policy, [], last))).toEqual(straight);
        // A bare `Paid` may come before its money is known; what it says of the sums and labels ends the same.
        const { status: _, fulfillable: __, progress: ___, ...sums } = outcome(settledDown(policy, partial, last));
        expect(sums).toEqual({ labels: straight.labels, money: straight.money });
      }),
      { numRuns: 3000, seed },
    );
  });

  it('counts each transfer once, and no cent is unexplained', () => {
    fc.assert(
      fc.property(fc.array(sending, { minLength: 1, maxLength: 6 }), rules, (sent, policy) => {
        const reports = gatewayHistory(sent, policy);
        const last = reports.at(-1);
        if (!last) return;
        const payment = settledDown(policy, [...reports, ...reports], last);
        const sum = sent.reduce((total, each) => total.plus(dollars(each.cents)), new Decimal('0'));
        expect('money' in payment && payment.money.received).toBe(plain(sum));
        expect('money' in payment && payment.money.delta).toBe(plain(sum.minus('50')));
      }),
      { numRuns: 1000, seed },
    );
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  addressOpened,
  addressRevoked,
  depositsIn,
  depositsSeen,
  evolveAddress,
  mayRetry,
  nextWatch,
  retryAddress,
  type DepositAddress,
  type DepositAddressEvent,
} from '../../src/deposits/deposit-address.js';
import { addSeconds } from '../../src/kernel/clock.js';
import { Decimal, sum } from '../../src/payments/decimal.js';
import type { GatewayReport, ReportedTransfer } from '../../src/payments/payment-gateway.js';
import { seed } from '../payments/seed.js';

const at = '2026-03-01T12:00:00.000Z';
const day = 86_400;
const terms = {
  id: '0190a6b2-0000-7000-8000-000000000001',
  applicationId: '0190a6b2-0000-7000-8000-000000000002',
  customerId: 'customer-42',
  network: 'TRON',
  sandbox: true,
  requestedAt: at,
};
const fold = (events: DepositAddressEvent[], from: DepositAddress | null = null): DepositAddress => {
  const address = events.reduce<DepositAddress | null>(evolveAddress, from);
  if (!address) throw new Error('no address');
  return address;
};
const requested = fold([{ type: 'DepositAddressRequested', data: terms }]);
const opened = fold(
  addressOpened(requested, { trackId: '300', address: 'TExample', memo: null, network: 'Tron Network' }, at),
  requested,
);
const transfer = (txHash: string, sentAmount: string, status: ReportedTransfer['status'] = 'confirmed') =>
  ({ txHash, sentAmount, status, currency: 'USDT', receivedAmount: null }) as ReportedTransfer;
const report = (transfers: ReportedTransfer[]) => ({ trackId: '300', orderId: terms.id, transfers }) as GatewayReport;
let made = 0;
const nextId = (): string => `payment-${String(++made)}`;
const hear = (address: DepositAddress, transfers: ReportedTransfer[]): DepositAddress =>
  fold(depositsSeen(address, report(transfers), nextId, at), address);

describe('A deposit address', () => {
  it('knows a transfer by its hash, coin and amount, however often and with whatever else it is told of', () => {
    const [a, b] = [transfer('a'.repeat(64), '25'), transfer('b'.repeat(64), '25')];
    const first = hear(opened, [a]);
    expect(first.seen).toHaveLength(1);
    expect(hear(first, [a]).seen).toHaveLength(1);
    const both = hear(first, [a, b]);
    expect(both.seen).toHaveLength(2);
    expect(hear(hear(both, [b]), [b, a]).seen).toEqual(both.seen);
    expect(depositsIn(both, report([b])).map(({ paymentId }) => paymentId)).toEqual([both.seen[1]?.paymentId]);
  });

  it('counts two transfers of one hash where one report names both', () => {
    const twin = transfer('c'.repeat(64), '5');
    expect(hear(opened, [twin, twin]).seen).toHaveLength(2);
    expect(hear(hear(opened, [twin, twin]), [twin, twin]).seen).toHaveLength(2);
  });

  it('tells a second output of one transaction from the first, whose amount a callback corrects', () => {
    const hash = 'f'.repeat(64);
    const told = (sentAmount: string) => ({ ...transfer(hash, sentAmount), receivedAmount: sentAmount });
    const corrected = hear(hear(opened, [told('10')]), [told('20')]);
    expect(corrected.seen).toMatchObject([{ transfer: { sentAmount: '20' } }]);
    const both = hear(corrected, [told('10'), told('20')]);
    expect(both.seen.map((seen) => seen.transfer.sentAmount)).toEqual(['20', '10']);
  });

  it('knows a transfer by its hash once that is told, so that the next one of the same amount is another', () => {
    const [first, second] = [transfer('1'.repeat(64), '10'), transfer('2'.repeat(64), '10')];
    const named = hear(hear(opened, [transfer('', '10')]), [first]);
    expect(named.seen).toMatchObject([{ transfer: { txHash: first.txHash } }]);
    expect(hear(named, [second]).seen).toHaveLength(2);
    expect(hear(hear(named, [second]), [first, second]).seen).toHaveLength(2);
  });

  it('makes nothing of a transfer that failed, or before it is open', () => {
    expect(hear(opened, [transfer('d'.repeat(64), '5', 'failed')]).seen).toEqual([]);
    expect(hear(requested, [transfer('d'.repeat(64), '5')]).seen).toEqual([]);
  });

  it('comes to the same deposits and the same sum by any reports, cumulative or not, in any order and repeated', () => {
    const chain = fc.uniqueArray(fc.integer({ min: 1, max: 9999 }), { minLength: 1, maxLength: 6 });
    const run = fc.record({
      amounts: chain,
      picks: fc.array(fc.array(fc.nat(5), { minLength: 1, maxLength: 6 }), { maxLength: 12 }),
    });
    fc.assert(
      fc.property(run, ({ amounts, picks }) => {
        const all = amounts.map((amount, n) => transfer(String(n).repeat(64), String(amount)));
        const reports = picks.map((numbers) => [...new Set(numbers)].flatMap((n) => all[n] ?? []));
        const end = [...reports, all].reduce(hear, opened);
        expect(end.seen).toHaveLength(all.length);
        expect(new Set(end.seen.map(({ paymentId }) => paymentId)).size).toBe(all.length);
        const total = sum(end.seen.map((seen) => seen.transfer.sentAmount));
        expect(total.eq(new Decimal(String(amounts.reduce((a, b) => a + b, 0))))).toBe(true);
      }),
      { seed, numRuns: 1000 },
    );
  });

  it('notes what came after it was revoked', () => {
    const revoked = fold(addressRevoked(opened, 'application', at), opened);
    expect(addressRevoked(revoked, 'gateway', at)).toEqual([]);
    expect(hear(revoked, [transfer('e'.repeat(64), '1')]).seen).toMatchObject([{ afterRevocation: true }]);
  });

  it('is asked for by one try at a time: sooner where the gateway said no, later where its answer was lost', () => {
    expect(mayRetry(requested, addSeconds(at, 29))).toBe(false);
    expect(mayRetry(requested, addSeconds(at, 30))).toBe(true);
    const delayed = fold(
      [{ type: 'DepositAddressDelayed', data: { outcome: 'unavailable', detail: 'busy', at } }],
      requested,
    );
    expect(mayRetry(delayed, addSeconds(at, 5))).toBe(true);
    expect(retryAddress(delayed, 2, addSeconds(at, 60))).toEqual([]);
    expect(retryAddress(delayed, 1, addSeconds(at, 60))).toMatchObject([{ data: { attempt: 2 } }]);
    expect(mayRetry(opened, addSeconds(at, 3600))).toBe(false);
  });

  it('is looked at ten minutes after something happened, then ever less often, and for half a year after its end', () => {
    const after = (seconds: number, address = opened): number | null => {
      const now = addSeconds(at, seconds);
      const next = nextWatch(address, now);
      return next === null ? null : (Date.parse(next) - Date.parse(now)) / 1000;
    };
    expect([after(0), after(3600), after(12 * 3600), after(30 * day)]).toEqual([600, 900, 10_800, day]);
    const revoked = fold(addressRevoked(opened, 'gateway', at), opened);
    expect([after(179 * day, revoked), after(181 * day, revoked)]).toEqual([day, null]);
  });
});

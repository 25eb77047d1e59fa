import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { applyReport } from '../../src/payments/decisions.js';
import { Decimal, plain } from '../../src/payments/decimal.js';
import { returnedOf } from '../../src/payments/payment.js';
import { allocationOf } from '../../src/payments/allocation.js';
import {
  arrivalsOfAnyKind,
  askedOnly,
  changes,
  dollars,
  inDollars,
  liveThrough,
  outcomeOf,
  settings,
  silent,
  straightOn,
  worlds,
  type Arrivals,
  type Setting,
  type Telling,
  type Watch,
  type World,
} from './gateway-model.js';

const without = ({ rules }: Setting, world: World): World =>
  rules.paidWhen.rule === 'detected' ? { ...world, sent: world.sent.filter(({ fails }) => !fails) } : world;

const given = new Set(['CreditGranted', 'RefundRequested', 'ExcessKept']);

const watch: Watch = ({ before, after, events, heard, claim }) => {
  if (before.status === 'paid') expect(after.status).toBe('paid');
  if (events.some(({ type }) => given.has(type))) expect(heard.witness).toBe('poll');
  expect(applyReport(after, heard.said, claim)).toEqual([]);
  const shares = allocationOf(after);
  if (shares === null) return;
  const amounts = Object.values(shares).map((amount) => new Decimal(amount));
  expect(amounts.filter((a) => a.lt('0'))).toEqual([]);
  expect(plain(amounts.reduce((a, b) => a.plus(b)))).toBe(after.money.received);
  expect(returnedOf(after.money).lte(after.money.received ?? '0')).toBe(true);
};
const RUNS = Number(process.env.RUNS ?? 3000);

const compare = (telling: Telling, terms = {}, base = (_: World): Arrivals => silent, narrow = (world: World): World => world) =>
  fc.assert(
    fc.property(settings, worlds, arrivalsOfAnyKind, (any, anyWorld, arrivals) => {
      const setting = { ...any, terms: { ...any.terms, ...terms } };
      const world = narrow(without(setting, anyWorld));
      const straight = outcomeOf(liveThrough(setting, world, base(world), telling));
      expect(outcomeOf(liveThrough(setting, world, straightOn(world), telling))).toEqual(straight);
      expect(outcomeOf(liveThrough(setting, world, {...askedOnly(world), deliveries: base(world).deliveries}, telling, watch))).toEqual(straight);
      expect(outcomeOf(liveThrough(setting, world, {...arrivals, deliveries: [...base(world).deliveries, ...arrivals.deliveries]}, telling, watch))).toEqual(straight);
    }),
    { numRuns: RUNS },
  );

const prices = new Map([
  ['TRX', '0.25'],
  ['USDT', '1'],
  ['USD', '1'],
  ['EUR', '1.25'],
  ['ETH', '2500'],
]);
const trx = (sent: { cents: number; coin: string }, _i = 0) =>
  sent.coin === 'TRX' ? plain(new Decimal(dollars(sent.cents)).times('4')) : dollars(sent.cents);

describe('x', () => {
  it('usd', () => compare(inDollars), 300000);
  it('prices, nothing told', () => compare({ ...inDollars, unitsOf: trx, tellsWorth: () => false, prices }, {}, undefined, (w) => ({ ...w, countsLate: false })), 300000);
  it('prices, USDT told', () => compare({ ...inDollars, unitsOf: trx, tellsWorth: ({coin}) => coin === 'USDT', prices }, {}, undefined, (w) => ({ ...w, countsLate: false })), 300000);
  it('nothing told, no prices', () => compare({ ...inDollars, unitsOf: trx, tellsWorth: () => false }, {}, undefined, (w) => ({ ...w, sent: w.sent.filter(s => s.minute < 60) })), 300000);
  const lastCallback = (world: World): Arrivals => ({ deliveries: [{ callback: changes(world).length - 1, delay: 5000 }], polls: [] });
  const byCallbacks = (_: unknown, witness: string) => witness === 'callback';
  it('told by callbacks only', () => compare({ ...inDollars, unitsOf: trx, tellsWorth: byCallbacks }, {}, lastCallback), 300000);
  it('told by callbacks only, exact prices', () => compare({ ...inDollars, unitsOf: trx, tellsWorth: byCallbacks, prices }, {}, lastCallback, (w) => ({ ...w, countsLate: false })), 300000);
  it('EUR, told', () => compare({ ...inDollars, usdOf: ({ cents }) => plain(new Decimal(dollars(cents)).times('1.07').round(2)), dueUsd: '53.5', invoice: () => ({ currency: 'EUR', valueUsd: '53.5' }) }, { currency: 'EUR' }), 300000);
  it('EUR, prices', () => compare({ ...inDollars, unitsOf: trx, usdOf: ({ cents }) => plain(new Decimal(dollars(cents)).times('1.25')), tellsWorth: () => false, dueUsd: '62.5', invoice: () => ({ currency: 'EUR', valueUsd: null }), prices: new Map([['TRX', '0.3125'], ['USDT', '1.25'], ['USD', '1.25'], ['EUR', '1.25']]) }, { currency: 'EUR' }, undefined, (w) => ({ ...w, countsLate: false })), 300000);
});

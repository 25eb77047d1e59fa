import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { allocationOf } from '../../src/payments/allocation.js';
import { applyReport } from '../../src/payments/decisions.js';
import { Decimal, plain, sum } from '../../src/payments/decimal.js';
import { returnedOf } from '../../src/payments/money.js';
import type { Terms } from '../../src/payments/payment.js';
import {
  arrivalsOfAnyKind,
  askedOnly,
  changes,
  deadlineMinute,
  dollars,
  inDollars,
  liveThrough,
  outcomeOf,
  settings,
  silent,
  straightOn,
  windowMinute,
  worlds,
  type Arrivals,
  type Outcome,
  type Sent,
  type Setting,
  type Telling,
  type Watch,
  type World,
} from './gateway-model.js';
import { seed } from './seed.js';

/** What holds after everything that is heard, whatever comes next. */
const inEveryState: Watch = ({ before, after, events, heard, claim }) => {
  if (before.status === 'paid') expect(after.status).toBe('paid');
  const gives = events.some(({ type }) => ['CreditGranted', 'RefundRequested', 'ExcessKept'].includes(type));
  if (gives) expect(heard.witness).toBe('poll');
  expect(applyReport(after, heard.said, claim)).toEqual([]);
  const allocation = allocationOf(after);
  if (allocation === null) return;
  const shares = Object.values(allocation);
  expect(shares.filter((share) => new Decimal(share).lt('0'))).toEqual([]);
  expect(plain(sum(shares))).toBe(after.money.received);
  expect(returnedOf(after.money).lte(after.money.received ?? '0')).toBe(true);
};

/**
 * Paid is never taken back, so nothing fails that a payment could rest on when it was asked about early, and not when it
 * was asked about late: what `detected` pays for at first sight; and money in time that is still on its way when the
 * gateway, which counted late money instead of it, calls the payment paid.
 */
const keptPromises = ({ rules }: Setting, { sent, ...world }: World): World => ({
  ...world,
  sent: rules.paidWhen.rule === 'detected' || world.countsLate ? sent.filter(({ fails }) => !fails) : sent,
});

/** An estimate gives way to the gateway's word, which must then be about the same money. */
const countsNothingLate = (world: World): World => ({ ...world, countsLate: false });

interface Case {
  telling: Telling;
  terms?: Partial<Terms>;
  /** What has to be heard, whatever else is: the gateway's answers alone do not tell it. */
  always?: (world: World) => Arrivals;
  narrow?: (world: World) => World;
  numRuns: number;
}

/** The same outcome whatever is heard, in whatever order, as when only the gateway's last word is. */
function endsTheSame({ telling, terms = {}, always = () => silent, narrow = (world) => world, numRuns }: Case): void {
  fc.assert(
    fc.property(settings, worlds, arrivalsOfAnyKind, fc.boolean(), (any, anyWorld, arrivals, asked) => {
      const setting = { ...any, terms: { ...any.terms, ...terms } };
      const world = narrow(keptPromises(any, anyWorld));
      const needed = always(world);
      const outcome = (heard: Arrivals, watch?: Watch): Outcome => {
        const deliveries = [...needed.deliveries, ...heard.deliveries];
        return outcomeOf(liveThrough(setting, world, { deliveries, polls: heard.polls }, telling, watch));
      };
      const last = outcome(silent);
      expect(outcome(asked ? askedOnly(world) : straightOn(world))).toEqual(last);
      expect(outcome(arrivals, inEveryState)).toEqual(last);
    }),
    { numRuns, seed },
  );
}

const inTrx = (cents: number): string => plain(new Decimal(dollars(cents)).times('4'));
const exactUnits = ({ cents, coin }: Sent): string => (coin === 'TRX' ? inTrx(cents) : dollars(cents));
const prices = new Map([
  ['TRX', '0.25'],
  ['USDT', '1'],
  ['USD', '1'],
]);
const lastCallback = (world: World): Arrivals => ({
  deliveries: [{ callback: changes(world).length - 1, delay: 3000 }],
  polls: [],
});

const inUsd = ({ cents }: Sent): string => plain(new Decimal(dollars(cents)).times('1.07').round(2));

/**
 * Late money whose dollars are, alone or with other money, exactly the gateway's worth of the price is of unknown worth
 * there (docs/payments.md, worth, 2): without prices, what is done with it hangs on what was known before it came.
 */
const withoutExactLateSums = (world: World): World => {
  const sums = world.sent.reduce<Decimal[]>(
    (all, each) => [...all, ...all.map((total) => total.plus(inUsd(each)))],
    [new Decimal('0')],
  );
  const timely = world.sent.filter(({ minute }) => minute < deadlineMinute);
  return sums.some((total) => total.eq('53.5')) ? { ...world, sent: timely } : world;
};

describe('Whatever is short, over or late, in whatever order it is heard, repeated or lost', () => {
  it('a payment ends in the same status, labels, sums, reviews and ledger, and no cent is lost on the way', () => {
    endsTheSame({ telling: inDollars, numRuns: 5000 });
  }, 120_000);

  it('it does so where only callbacks tell what coins are worth', () => {
    const telling: Telling = { ...inDollars, tellsWorth: (_, witness) => witness === 'callback' };
    endsTheSame({ telling, always: lastCallback, numRuns: 1000 });
  }, 60_000);

  it('it does so where some coins are told with their worth, and others by prices that are looked up', () => {
    const telling = { ...inDollars, unitsOf: exactUnits, prices, tellsWorth: ({ coin }: Sent) => coin === 'USDT' };
    endsTheSame({ telling, narrow: countsNothingLate, numRuns: 1000 });
  }, 60_000);

  it('it does so where prices stand in until a callback tells the worth', () => {
    const telling: Telling = {
      ...inDollars,
      unitsOf: exactUnits,
      prices,
      tellsWorth: (_, witness) => witness === 'callback',
    };
    endsTheSame({ telling, always: lastCallback, narrow: countsNothingLate, numRuns: 1000 });
  }, 60_000);

  it('it does so where nobody ever tells the worth of money in time', () => {
    // Late money of unknown worth beside it: whether the gateway took it to be enough depends on when it was asked.
    const narrow = (world: World): World => ({
      ...world,
      sent: world.sent.filter(({ minute }) => minute < deadlineMinute),
    });
    endsTheSame({ telling: { ...inDollars, tellsWorth: ({ coin }) => coin === 'USDT' }, narrow, numRuns: 500 });
  }, 60_000);

  it('it does so in another currency, by the gateway’s worth of the price', () => {
    const telling: Telling = {
      ...inDollars,
      usdOf: inUsd,
      dueUsd: '53.5',
      invoice: () => ({ currency: 'EUR', valueUsd: '53.5' }),
    };
    endsTheSame({ telling, terms: { currency: 'EUR' }, narrow: withoutExactLateSums, numRuns: 500 });
  }, 60_000);

  it('it does so in another currency, by recorded prices where the gateway tells no worth', () => {
    const telling: Telling = {
      ...inDollars,
      unitsOf: exactUnits,
      usdOf: ({ cents }) => plain(new Decimal(dollars(cents)).times('1.07')),
      tellsWorth: () => false,
      dueUsd: '53.5',
      invoice: () => ({ currency: 'EUR', valueUsd: null }),
      prices: new Map([
        ['TRX', '0.2675'],
        ['USDT', '1.07'],
        ['USD', '1.07'],
        ['EUR', '1.07'],
      ]),
    };
    endsTheSame({ telling, terms: { currency: 'EUR' }, narrow: countsNothingLate, numRuns: 500 });
  }, 60_000);
});

/** A price of 0.02 ETH, paid in ETH with dust down to the last wei, and in USDT. */
const inEther: Telling = {
  ...inDollars,
  coinOf: ({ coin }) => (coin === 'USDT' ? 'USDT' : 'ETH'),
  unitsOf: ({ cents, coin }, index) => {
    if (coin === 'USDT') return dollars(cents);
    const units = new Decimal(dollars(cents)).div('2500').plus(`${String(index + 1)}e-18`);
    return index % 2 === 0 ? plain(units) : units.toExponential();
  },
  tellsWorth: () => false,
  invoice: () => ({ amount: '0.02', currency: 'ETH', valueUsd: null }),
  prices: new Map([
    ['USDT', '1'],
    ['ETH', '2500'],
  ]),
};
const etherTerms = { amount: '0.02', currency: 'ETH' };

describe('Coins with eighteen decimals, told plainly or with exponents', () => {
  it('end the same in any order, beside a coin that is told by its price', () => {
    endsTheSame({ telling: inEther, terms: etherTerms, narrow: countsNothingLate, numRuns: 500 });
  }, 60_000);

  it('are summed to the last digit', () => {
    fc.assert(
      fc.property(settings, worlds, arrivalsOfAnyKind, (any, anyWorld, arrivals) => {
        const world = keptPromises(any, anyWorld);
        const sent = world.sent.map((each) => ({ ...each, coin: 'ETH' }));
        const setting = { ...any, terms: { ...any.terms, ...etherTerms } };
        const { received, delta } = outcomeOf(
          liveThrough(setting, { ...world, sent }, arrivals, inEther, inEveryState),
        );
        const byTime = [...sent].sort((a, b) => a.minute - b.minute);
        const units = byTime.map((each, index) => (each.fails ? '0' : inEther.unitsOf(each, index)));
        expect(received).toBe(plain(sum(units)));
        expect(delta).toBe(sent.length === 0 ? null : plain(sum(units).minus('0.02')));
      }),
      { numRuns: 500, seed },
    );
  }, 60_000);
});

/** One transfer in pieces, each in the same span of time: in time, late, or after the window. */
function inPieces(whole: Sent, cuts: readonly number[], moves: readonly number[]): Sent[] {
  const edges = [0, ...new Set(cuts.map((cut) => cut % whole.cents))].sort((a, b) => a - b);
  const [from, to] =
    whole.minute < deadlineMinute
      ? [1, deadlineMinute - 1]
      : whole.minute < windowMinute
        ? [deadlineMinute + 1, windowMinute - 1]
        : [windowMinute + 1, 6000];
  return [...new Set(edges)].map((edge, index, all) => ({
    ...whole,
    cents: (all[index + 1] ?? whole.cents) - edge,
    minute: from + ((moves[index] ?? 0) % (to - from + 1)),
  }));
}

describe('A sum that comes in pieces', () => {
  it('ends as the same sum in one transfer: status, sums, reviews and ledger', () => {
    const pieces = { cuts: fc.array(fc.nat(6000), { maxLength: 4 }), moves: fc.array(fc.nat(6000), { maxLength: 5 }) };
    fc.assert(
      fc.property(settings, worlds, arrivalsOfAnyKind, fc.record(pieces), (setting, any, arrivals, { cuts, moves }) => {
        const world = keptPromises(setting, any);
        const [first, ...others] = world.sent;
        if (!first) return;
        const split = { ...world, sent: [...others, ...inPieces(first, cuts, moves)] };
        const unlabelled = ({ labels, ...rest }: Outcome) => ({
          ...rest,
          labels: labels.filter((label) => label !== 'multiple_transfers'),
        });
        const whole = unlabelled(outcomeOf(liveThrough(setting, world, silent)));
        expect(unlabelled(outcomeOf(liveThrough(setting, split, arrivals, inDollars, inEveryState)))).toEqual(whole);
      }),
      { numRuns: 1000, seed },
    );
  }, 60_000);
});

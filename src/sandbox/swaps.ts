import { Decimal, plain, wireNumber } from './amounts.js';
import { fieldFault, type Wire } from './envelope.js';
import type { Fields } from './fields.js';
import { page } from './history.js';
import { BoundedMap, limits } from './ledger.js';
import { coinOf, coins, fromUsd, toUsd } from './market.js';
import { seconds } from './payment-answers.js';

interface Swap {
  trackId: string;
  from: string;
  to: string;
  amount: string;
  received: string;
  rate: string;
  createdMs: number;
}

/** Swaps at the fixed prices, without a fee. They are answered and listed; balances do not move, and a restart forgets them. */
export class Swaps {
  private readonly made = new BoundedMap<Swap>(limits.payouts);

  create(fields: Fields, trackId: string, nowMs: number): Wire {
    const { from, to } = pair(fields, 'from_currency', 'to_currency');
    const amount = new Decimal(fields.positive('amount'));
    const swap: Swap = {
      trackId,
      from,
      to,
      amount: plain(amount),
      received: plain(convert(amount, from, to)),
      rate: rateOf(from, to),
      createdMs: nowMs,
    };
    this.made.set(trackId, swap);
    return print(swap);
  }

  history(fields: Fields): Wire {
    const trackId = fields.text('track_id');
    const from = fields.text('from_currency').toUpperCase();
    const to = fields.text('to_currency').toUpperCase();
    const rows = this.made
      .values()
      .filter(
        (swap) =>
          (trackId === '' || swap.trackId === trackId) &&
          (from === '' || swap.from === from) &&
          (to === '' || swap.to === to),
      );
    return page(fields.text('sort_type') === 'asc' ? rows : rows.reverse(), fields, 10, print);
  }

  clear(): void {
    this.made.clear();
  }
}

const print = (swap: Swap): Wire => ({
  track_id: swap.trackId,
  from_currency: swap.from,
  to_currency: swap.to,
  from_amount: wireNumber(swap.amount),
  to_amount: wireNumber(swap.received),
  rate: wireNumber(swap.rate),
  date: seconds(swap.createdMs),
});

const convert = (amount: Decimal, from: string, to: string): Decimal => fromUsd(toUsd(amount, from), to);
const rateOf = (from: string, to: string): string => plain(convert(new Decimal('1'), from, to));

function pair(fields: Fields, fromName: string, toName: string): { from: string; to: string } {
  const [from, to] = [coin(fields, fromName), coin(fields, toName)];
  if (from === to) throw fieldFault(toName, `The ${toName} and ${fromName} fields must be different.`);
  return { from, to };
}

function coin(fields: Fields, name: string): string {
  const symbol = fields.required(name).toUpperCase();
  if (!coinOf(symbol)) throw fieldFault(name, `The selected ${name} is invalid.`);
  return symbol;
}

// Clients disagree on whether these two take `from` or `from_currency`; both are read.
const names = (fields: Fields): [string, string] =>
  fields.has('from') || !fields.has('from_currency') ? ['from', 'to'] : ['from_currency', 'to_currency'];

export function swapRate(fields: Fields): Wire {
  const { from, to } = pair(fields, ...names(fields));
  return { rate: wireNumber(rateOf(from, to)) };
}

export function swapCalculation(fields: Fields): Wire {
  const { from, to } = pair(fields, ...names(fields));
  const amount = new Decimal(fields.positive('amount'));
  return {
    to_amount: wireNumber(plain(convert(amount, from, to))),
    rate: wireNumber(rateOf(from, to)),
    amount: wireNumber(plain(amount)),
  };
}

export function swapPairs(fields: Fields): Wire {
  const symbols = coins.map((entry) => entry.symbol);
  const pairs = symbols.flatMap((from) => symbols.filter((to) => to !== from).map((to) => ({ from, to })));
  return page(pairs, fields, 200, ({ from, to }) => ({
    from_currency: from,
    to_currency: to,
    min_amount: wireNumber(plain(fromUsd(new Decimal('1'), from))),
  }));
}

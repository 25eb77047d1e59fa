import type { LosslessJson, LosslessObject } from '../kernel/json.js';
import { isCurrencySymbol, isFiat } from '../kernel/money.js';
import { Decimal, plain } from '../payments/decimal.js';
import { decimalOf, objectOf, WireError } from './fields.js';

/** US dollars for one unit, by symbol, as plain decimals. */
type Prices = ReadonlyMap<string, string>;

/** The gateway has some dozens of coins and under two hundred states' currencies. */
const maxPrices = 2000;

/** `GET /common/prices`: dollars for one unit of each coin. Throws `WireError` where none can be read. */
export function readCoinPrices(data: LosslessJson | undefined): Prices {
  const prices = positivesOf(data, (body, symbol) => decimalOf(body, symbol));
  if (prices.size === 0) throw new WireError('missing_field', 'data');
  return prices;
}

/**
 * `GET /common/fiats`: dollars for one unit of each state's currency. Its documentation does not say which way round
 * a price is, so currencies that can only be worth far less than a dollar tell. Where none of them is there, or they
 * disagree, no price is taken. Throws `WireError`.
 */
export function readFiatPrices(data: LosslessJson | undefined): Prices {
  const prices = positivesOf(data, (body, code) => decimalOf(objectOf(body[code], code), 'price'));
  const told = ['JPY', 'KRW', 'IDR', 'VND'].flatMap((code) => prices.get(code) ?? []);
  if (told.length === 0) return new Map();
  if (told.every((price) => new Decimal(price).lt('1'))) return prices;
  return told.every((price) => new Decimal(price).gt('1')) ? inverted(prices) : new Map();
}

/**
 * Both in one list. A code that a state issues means the state's currency, whichever coin may bear its name, and the
 * dollar is worth a dollar whatever either list says of it.
 */
export function pricesOf(coins: Prices, fiats: Prices): Prices {
  const states = [...fiats].filter(([code]) => isFiat(code) || !coins.has(code));
  return new Map([...coins, ...states, ['USD', '1']]);
}

/** Dollars per unit from units per dollar, to 18 decimals: what rounds to nothing has no price. */
function inverted(prices: Prices): Prices {
  const entries = [...prices].map(
    ([code, price]) => [code, plain(new Decimal('1').div(price).round(18, Decimal.roundHalfUp))] as const,
  );
  return new Map(entries.filter(([, price]) => price !== '0'));
}

/** What `read` finds under each symbol. An entry that is no positive decimal is passed over: it spoils no other. */
function positivesOf(
  data: LosslessJson | undefined,
  read: (body: LosslessObject, symbol: string) => string | null,
): Prices {
  const body = objectOf(data, 'data');
  const symbols = Object.keys(body);
  if (symbols.length > maxPrices) throw new WireError('too_large', 'data');
  const prices = new Map<string, string>();
  for (const symbol of symbols.filter(isCurrencySymbol)) {
    const price = orNothing(() => read(body, symbol));
    if (price !== null && price !== '0') prices.set(symbol, price);
  }
  return prices;
}

function orNothing(read: () => string | null): string | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}

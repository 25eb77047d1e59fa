/** An amount in one currency. `amount` is a plain decimal string (`"49.90"`); no `number` ever holds money. */
export interface Money {
  amount: string;
  currency: string;
}

const plain = /^(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?$/;

/**
 * Whether `text` is an amount as our REST API takes it: plain decimal notation, at most 18 digits before and 18 after
 * the point, no sign, no exponent, no leading zeros. Zero is a decimal; whether it is acceptable is the caller's rule.
 */
export const isPlainDecimal = (text: string): boolean => plain.test(text);

const symbol = /^[A-Z][A-Z0-9]{1,9}$/;

/** Whether `text` looks like a currency symbol (`USD`, `USDT`); which ones exist is the gateway's to say. */
export const isCurrencySymbol = (text: string): boolean => symbol.test(text);

const fiatMinorDigits: Readonly<Record<string, number>> = {
  JPY: 0,
  KRW: 0,
  VND: 0,
  CLP: 0,
  IDR: 0,
  KWD: 3,
  BHD: 3,
  OMR: 3,
  JOD: 3,
  TND: 3,
};
const fiat = new Set(
  (
    'AED ARS AUD BDT BGN BHD BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP GEL HKD HUF IDR ILS INR IRR JOD JPY KES KRW KWD KZT ' +
    'LKR MAD MXN MYR NGN NOK NZD OMR PEN PHP PKR PLN QAR RON RUB SAR SEK SGD THB TND TRY TWD UAH USD UYU UZS VND ZAR'
  ).split(' '),
);

const coinDigits: Readonly<Record<string, number>> = {
  BTC: 8,
  BCH: 8,
  LTC: 8,
  DOGE: 8,
  USDT: 6,
  USDC: 6,
  TRX: 6,
  XRP: 6,
  SOL: 9,
  TON: 9,
  NOT: 9,
  DOGS: 9,
  XMR: 12,
};

/**
 * How many decimals an amount due may carry: the minor unit of a state's currency (ISO 4217), a coin's own smallest
 * unit where it is known, 18 otherwise (1 wei, the finest in use).
 */
export const decimalsOf = (currency: string): number =>
  fiat.has(currency) ? (fiatMinorDigits[currency] ?? 2) : (coinDigits[currency] ?? 18);

/** Whether a state issues this currency (as opposed to a coin). */
export const isFiat = (currency: string): boolean => fiat.has(currency);

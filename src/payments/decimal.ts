import { Big, type BigConstructor } from 'big.js';

/** Exact decimals that refuse a JavaScript number; division keeps 40 places. */
export const Decimal: BigConstructor = Big();
Decimal.strict = true;
Decimal.DP = 40;

export type Decimal = Big;

/** Plain notation, no exponent, no trailing zeros. */
export const plain = (value: Big): string => value.toFixed();

export const sum = (amounts: readonly string[]): Big =>
  amounts.reduce((total, amount) => total.plus(amount), new Decimal('0'));

export const least = (a: Big, b: Big): Big => (a.lt(b) ? a : b);
export const most = (a: Big, b: Big): Big => (a.gt(b) ? a : b);

import Big from 'big.js';
import { JsonNumber } from '../kernel/json.js';

/** Decimals of the sandbox: built from strings only, 18 digits after the point, quotients rounded up (a payer never owes less). */
export const Decimal = Big();
Decimal.strict = true;
Decimal.DP = 18;
Decimal.RM = 3;

export type Decimal = Big;

const written = /^-?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?$/;
const largest = new Decimal('1e15');

/** Reads an amount as a request carries it (any decimal spelling, exponents too). Null where it is not a number or absurd. */
export function decimalFrom(text: string): Decimal | null {
  if (!written.test(text)) return null;
  const value = new Decimal(text);
  const tooFine = !value.round(18, 0).eq(value);
  return tooFine || value.abs().gt(largest) ? null : value;
}

/** The one spelling in which the sandbox keeps amounts: plain notation, no trailing zeros. */
export const plain = (value: Decimal): string => value.round(18, 3).toFixed();

export const sum = (values: readonly string[]): Decimal =>
  values.reduce((total, value) => total.plus(value), new Decimal('0'));

const exponentBelow = new Decimal('0.0001');

/**
 * An amount as a JSON number with all its digits. Values below 0.0001 are written with an exponent (`3.079e-5`), as
 * captured callbacks of the gateway show them.
 */
export function wireNumber(amount: string): JsonNumber {
  const value = new Decimal(amount);
  const small = !value.eq('0') && value.abs().lt(exponentBelow);
  return new JsonNumber(small ? value.toExponential() : value.toFixed());
}

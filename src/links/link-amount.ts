import { decimalsOf, isPlainDecimal } from '../kernel/money.js';
import { Decimal } from '../payments/decimal.js';
import type { LinkTerms } from './link.js';

/** What is wrong with an amount: the same rules as for the amount of a payment, and the bounds of the link. */
export type AmountFault = 'form' | 'zero' | 'decimals' | 'small' | 'large';

/** Null where the amount may be paid. */
export function amountFault(
  amount: string,
  { currency, minAmount, maxAmount }: Pick<LinkTerms, 'currency' | 'minAmount' | 'maxAmount'>,
): AmountFault | null {
  if (!isPlainDecimal(amount)) return 'form';
  const value = new Decimal(amount);
  if (value.lte('0')) return 'zero';
  if ((amount.split('.')[1]?.length ?? 0) > decimalsOf(currency)) return 'decimals';
  if (minAmount !== null && value.lt(minAmount)) return 'small';
  return maxAmount !== null && value.gt(maxAmount) ? 'large' : null;
}

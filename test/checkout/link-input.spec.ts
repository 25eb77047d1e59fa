import { describe, expect, it } from '@jest/globals';
import { readTyped } from '../../src/checkout/link-input.js';

const usd = { currency: 'USD', minAmount: null, maxAmount: null };
const btc = { ...usd, currency: 'BTC' };
const bounded = { ...usd, minAmount: '5', maxAmount: '100' };

describe('An amount that a payer types', () => {
  it.each([
    ['25', '25'],
    ['25.50', '25.50'],
    [' 25 ', '25'],
    ['\u00a025\u202f', '25'],
    ['0.5', '0.5'],
    ['25,5', '25.5'],
    ['25,50', '25.50'],
    ['1000,50', '1000.50'],
    ['0,50', '0.50'],
    ['٢٥٫٥', '25.5'],
    ['۲۵', '25'],
    ['２５．５０', '25.50'],
  ])('is read: %j is %s', (typed, amount) => {
    expect(readTyped(typed, usd)).toEqual({ amount });
  });

  it.each([
    ['0,500', '0.500'],
    ['1234,567', '1234.567'],
    ['1.000', '1.000'],
  ])('is read by the decimals of its currency: %j bitcoins are %s', (typed, amount) => {
    expect(readTyped(typed, btc)).toEqual({ amount });
  });

  it.each([
    ['', 'missing'],
    ['   ', 'missing'],
    ['abc', 'form'],
    ['$25', 'form'],
    ['25 USD', 'form'],
    ['-5', 'form'],
    ['+5', 'form'],
    ['1e3', 'form'],
    ['.5', 'form'],
    ['5.', 'form'],
    ['5,', 'form'],
    [',5', 'form'],
    ['007', 'form'],
    ['0x10', 'form'],
    ['Infinity', 'form'],
    ['1\u0000', 'form'],
    ['1234567890123456789', 'form'],
    ['٢x', 'form'],
    ['1 000', 'grouped'],
    ["1'000", 'grouped'],
    ['1.000.000', 'grouped'],
    ['1,000,000', 'grouped'],
    ['1,000.50', 'grouped'],
    ['1.000,50', 'grouped'],
    ['٢٬٠٠٠', 'grouped'],
    ['0', 'zero'],
    ['0,00', 'zero'],
    ['1.000', 'decimals'],
    ['25.501', 'decimals'],
    ['0,500', 'decimals'],
  ])('is refused: %j is %s', (typed, fault) => {
    expect(readTyped(typed, usd)).toEqual({ fault });
  });

  it.each(['1,000', '12,500', '999,999'])('is never guessed: %s may part thousands or decimals', (typed) => {
    const [whole, part] = typed.split(',');
    const two = { fault: 'ambiguous', whole: `${whole}${part}`, decimal: `${whole}.${part}` };
    expect([readTyped(typed, usd), readTyped(typed, btc)]).toEqual([two, two]);
  });

  it('keeps to the bounds of the link, and may be on them', () => {
    expect(['4.99', '5', '5.00', '100', '100.01'].map((typed) => readTyped(typed, bounded))).toEqual([
      { fault: 'small' },
      { amount: '5' },
      { amount: '5.00' },
      { amount: '100' },
      { fault: 'large' },
    ]);
  });
});

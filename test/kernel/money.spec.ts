import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decimalsOf, isCurrencySymbol, isFiat, isPlainDecimal } from '../../src/kernel/money.js';
import { Decimal, plain } from '../../src/payments/decimal.js';

const digits = (least: number, most: number) =>
  fc.stringMatching(new RegExp(`^[0-9]{${String(least)},${String(most)}}$`));
const whole = fc.oneof(
  fc.constant('0'),
  fc.tuple(fc.constantFrom(...'123456789'), digits(0, 17)).map((parts) => parts.join('')),
);
const decimal = fc
  .tuple(whole, fc.option(digits(1, 18)))
  .map(([units, part]) => (part === null ? units : `${units}.${part}`));

describe('An amount', () => {
  it('is taken in plain notation, up to 18 digits on either side of the point', () => {
    fc.assert(
      fc.property(decimal, (text) => isPlainDecimal(text)),
      { numRuns: 1000 },
    );
  });

  it('keeps its value to the last digit in the arithmetic that follows', () => {
    fc.assert(
      fc.property(decimal, decimal, (a, b) => {
        const [units, part = ''] = a.split('.');
        const trimmed = part.replace(/0+$/, '');
        expect(plain(new Decimal(a))).toBe(trimmed === '' ? units : `${units ?? ''}.${trimmed}`);
        expect(plain(new Decimal(a).plus(b).minus(b))).toBe(plain(new Decimal(a)));
      }),
    );
  });

  it('is never anything that another reader could take for a different number', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 12 }), fc.stringMatching(/^[-+0-9.,eE _xX]{1,12}$/)), (text) => {
        if (isPlainDecimal(text)) expect(text).toMatch(/^(0|[1-9][0-9]*)(\.[0-9]+)?$/);
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    '',
    ' ',
    '-1',
    '+1',
    '1e2',
    '1E-2',
    'NaN',
    'Infinity',
    '1e400',
    '0x10',
    '1,5',
    '1_000',
    '1.',
    '.5',
    '01',
    '00',
    '1 ',
    ' 1',
    '1\n',
    '١',
    '１',
    '1.0.0',
    '1234567890123456789',
    `1.${'1'.repeat(19)}`,
    `0.${'0'.repeat(39)}1`,
  ])('is not %j', (text) => {
    expect(isPlainDecimal(text)).toBe(false);
  });
});

describe('A currency', () => {
  it.each([
    'USD',
    'USDT',
    'BTC',
    '1INCH',
    'usd',
    'ＵＳＤ',
    'UЅD',
    'US',
    'U',
    '',
    'USD ',
    'USD\n',
    'ABCDEFGHIJK',
    'US-D',
  ])('%j is a symbol only in plain capitals', (text) => {
    expect(isCurrencySymbol(text)).toBe(/^[A-Z][A-Z0-9]{1,9}$/.test(text) && !text.endsWith('\n'));
  });

  it('has the minor unit of its state, or of its coin, or 18 places where nobody knows', () => {
    expect([
      decimalsOf('USD'),
      decimalsOf('JPY'),
      decimalsOf('KWD'),
      decimalsOf('USDT'),
      decimalsOf('BTC'),
      decimalsOf('ETH'),
    ]).toEqual([2, 0, 3, 6, 8, 18]);
    expect([isFiat('EUR'), isFiat('USDT'), isFiat('toString')]).toEqual([true, false, false]);
    fc.assert(fc.property(fc.stringMatching(/^[A-Z][A-Z0-9]{1,9}$/), (symbol) => Number.isInteger(decimalsOf(symbol))));
  });
});

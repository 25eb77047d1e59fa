import { describe, expect, it } from '@jest/globals';

import { WireError } from '../../src/gateway/fields.js';
import { pricesOf, readCoinPrices, readFiatPrices } from '../../src/gateway/prices.js';
import { parseJson } from '../../src/kernel/json.js';

const coins = (json: string) => Object.fromEntries(readCoinPrices(parseJson(json)));
const fiats = (prices: Record<string, string>) => {
  const entries = Object.entries(prices).map(([code, price]) => `"${code}":{"symbol":"?","name":"?","price":${price}}`);
  return Object.fromEntries(readFiatPrices(parseJson(`{${entries.join(',')}}`)));
};

describe('prices of coins', () => {
  it('are taken digit by digit, from numbers and texts', () => {
    expect(coins('{"BTC":65000.10,"PEPE":1.2345e-9,"NOT":"0.002"}')).toEqual({
      BTC: '65000.1',
      PEPE: '0.0000000012345',
      NOT: '0.002',
    });
  });

  it('that are none spoil no other', () => {
    const odd = '"A1":0,"A2":-1,"A3":null,"A4":"","A5":"NaN","A6":[1],"A7":{},"A8":true,"A9":1e400,"usdt":1,"":1';
    expect(coins(`{"BTC":1,${odd}}`)).toEqual({ BTC: '1' });
  });

  it.each(['[]', 'null', '1', '{}', '{"BTC":0}'])('are not in %s', (json) => {
    expect(() => coins(json)).toThrow(WireError);
  });

  it('are no more than some thousand', () => {
    const many = Array.from({ length: 2001 }, (_, nth) => `"C${String(nth)}":1`);
    expect(() => coins(`{${many.join(',')}}`)).toThrow('too_large');
    expect(Object.keys(coins(`{${many.slice(1).join(',')}}`))).toHaveLength(2000);
  });
});

describe("prices of states' currencies", () => {
  it('are dollars per unit where a yen is less than a dollar', () => {
    const prices = { EUR: '1.1', JPY: '0.0065', KWD: '"3.25"' };
    expect(fiats(prices)).toEqual({ EUR: '1.1', JPY: '0.0065', KWD: '3.25' });
  });

  it.each(['JPY', 'KRW', 'IDR', 'VND'])('are units per dollar where %s is above 1, and turned round', (code) => {
    expect(fiats({ EUR: '0.9', KWD: '"0.3"', [code]: '16000', USD: '1' })).toEqual({
      EUR: '1.111111111111111111',
      KWD: '3.333333333333333333',
      [code]: '0.0000625',
      USD: '1',
    });
  });

  it('are not taken where nothing tells which way round they are', () => {
    expect(fiats({ EUR: '1.1', INR: '0.012' })).toEqual({});
    expect(fiats({ EUR: '1.1', JPY: '"?"' })).toEqual({});
  });

  it('are not taken where they contradict each other', () => {
    expect(fiats({ EUR: '1.1', JPY: '150', KRW: '0.0007' })).toEqual({});
    expect(fiats({ EUR: '1.1', JPY: '1' })).toEqual({});
  });

  it('that are none spoil no other', () => {
    expect(fiats({ JPY: '150', EUR: '0', GBP: '-1', CHF: 'null', SEK: '{}', NOK: '1e30', DKK: '6.4' })).toEqual({
      JPY: '0.006666666666666667',
      DKK: '0.15625',
    });
    expect(Object.fromEntries(readFiatPrices(parseJson('{"JPY":{"price":0.0065},"EUR":1.1,"GBP":null}')))).toEqual({
      JPY: '0.0065',
    });
  });
});

describe('all prices together', () => {
  const both = (coin: Record<string, string>, fiat: Record<string, string>) =>
    Object.fromEntries(pricesOf(new Map(Object.entries(coin)), new Map(Object.entries(fiat))));

  it('hold a dollar at one dollar, whatever is said of it', () => {
    expect(both({ USD: '0.9' }, { USD: '1.2' })).toEqual({ USD: '1' });
    expect(both({}, {})).toEqual({ USD: '1' });
  });

  it("take a state's currency before a coin of its name, and a coin before a currency that is seldom met", () => {
    expect(both({ EUR: '7', MNT: '0.8' }, { EUR: '1.1', MNT: '0.0003' })).toEqual({ EUR: '1.1', MNT: '0.8', USD: '1' });
  });
});

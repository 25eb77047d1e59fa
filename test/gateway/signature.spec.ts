import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { fitsType, sign, verify, verifyCallback } from '../../src/gateway/signature.js';
import { sample } from './samples.js';

const key = 'EXAMPLE-MERCHANT-KEY-0001';
const body = Buffer.from('{"track_id":"1","status":"Paid"}');
const right = sign(body, key);

describe('the signature of a callback', () => {
  it('is HMAC-SHA512 over the raw bytes in lower-case hex', () => {
    const vector = JSON.parse(sample('vector-hmac-sha512-selfmade').toString()) as Record<
      'key' | 'raw_body' | 'hmac',
      string
    >;
    expect(sign(vector.raw_body, vector.key)).toBe(vector.hmac);
    expect(sign(Buffer.from(vector.raw_body), vector.key)).toBe(vector.hmac);
    expect(verify(Buffer.from(vector.raw_body), vector.hmac, [vector.key])).toBe(true);
  });

  it.each([
    ['in upper case', right.toUpperCase(), true],
    ['as it should be', right, true],
    ['absent', undefined, false],
    ['empty', '', false],
    ['one digit short', right.slice(1), false],
    ['one digit long', `${right}0`, false],
    ['right, then rubbish', `${right}zz`, false],
    ['right, then a line feed', `${right}\n`, false],
    ['right, with a space before', ` ${right}`, false],
    ['128 letters that are not hex', 'g'.repeat(128), false],
    ['hex cut off by rubbish half-way', `${right.slice(0, 64)}${'z'.repeat(64)}`, false],
    ['full-width digits', '\uff11'.repeat(128), false],
    ['two headers that Node joined', `${right}, ${right}`, false],
    ['two headers as a list', [right, right], false],
    ['one header as a list', [right], false],
    ['with its algorithm in front', `sha512=${right}`, false],
    ['one digit changed at the start', `${right.startsWith('0') ? '1' : '0'}${right.slice(1)}`, false],
    ['one digit changed at the end', `${right.slice(0, -1)}${right.endsWith('0') ? '1' : '0'}`, false],
  ])('a header %s', (_what, header, accepted) => {
    expect(verify(body, header, [key])).toBe(accepted);
  });

  it('holds for these bytes only', () => {
    expect(verify(Buffer.from(`${body.toString()} `), right, [key])).toBe(false);
    expect(verify(Buffer.from('{"status":"Paid","track_id":"1"}'), right, [key])).toBe(false);
    expect(verify(Buffer.alloc(0), sign('', key), [key])).toBe(true);
  });

  it('holds under any key of a rotation, wherever it stands, and under no removed one', () => {
    expect(verify(body, right, ['NEW', key])).toBe(true);
    expect(verify(body, right, [key, 'NEW'])).toBe(true);
    expect(verify(body, right, ['NEW'])).toBe(false);
    expect(verify(body, right, [])).toBe(false);
  });

  it.each(['', ' ', '\t\n'])('never holds under the blank key %j', (blank) => {
    expect(verify(body, sign(body, blank), [blank])).toBe(false);
  });

  it('tells whose key signed, whatever the body says of itself', () => {
    const payout = Buffer.from('{"type":"payout"}');
    const keys = { merchant: [key], payout: ['PAYOUT-KEY'] };
    expect(verifyCallback(payout, sign(payout, key), keys)).toBe('merchant');
    expect(verifyCallback(payout, sign(payout, 'PAYOUT-KEY'), keys)).toBe('payout');
    expect(verifyCallback(payout, sign(payout, 'OTHER'), keys)).toBeNull();
    expect(verifyCallback(payout, sign(payout, key), { merchant: [key], payout: [key] })).toBe('both');
  });

  it('lets no key speak of what belongs to the other', () => {
    expect(fitsType('merchant', 'payment')).toBe(true);
    expect(fitsType('merchant', 'payout')).toBe(false);
    expect(fitsType('payout', 'payment')).toBe(false);
    expect(fitsType('payout', 'payout')).toBe(true);
    expect(fitsType('both', 'payment') && fitsType('both', 'payout')).toBe(true);
  });

  it('is checked without an exception for any bytes, header and keys', () => {
    const header = fc.option(fc.oneof(fc.string({ unit: 'binary' }), fc.array(fc.string())), { nil: undefined });
    fc.assert(
      fc.property(fc.uint8Array(), header, fc.array(fc.string()), (bytes, given, keys) => {
        expect(verify(Buffer.from(bytes), given, keys)).toBe(false);
      }),
    );
  });

  it('is accepted for any bytes signed with any key that is not blank', () => {
    const anyKey = fc.string({ minLength: 1 }).filter((text) => text.trim() !== '');
    fc.assert(
      fc.property(fc.uint8Array(), anyKey, (bytes, with_) => {
        expect(verify(Buffer.from(bytes), sign(Buffer.from(bytes), with_), [with_])).toBe(true);
      }),
    );
  });
});

import { describe, expect, it } from '@jest/globals';
import { parseForm } from '../../../src/platform/http/form.js';

describe('A form', () => {
  it('is read field by field, in UTF-8', () => {
    expect(parseForm(Buffer.from('a=1&name=Zo%C3%AB+B&empty=&bare&sum=1%2B1%3D2&'))).toEqual({
      a: '1',
      name: 'Zoë B',
      empty: '',
      bare: '',
      sum: '1+1=2',
    });
    expect(parseForm(Buffer.from('a=b=c'))).toEqual({ a: 'b=c' });
    expect(parseForm(Buffer.from(''))).toEqual({});
  });

  it('has no field that reaches into objects', () => {
    const form = parseForm(Buffer.from('__proto__=1&constructor=2'));
    expect([Object.getPrototypeOf(form), Object.keys(form)]).toEqual([Object.prototype, ['__proto__', 'constructor']]);
  });

  it.each([
    ['a=1&a=2', 'twice'],
    ['a=%ff', 'UTF-8'],
    ['a=%zz', 'UTF-8'],
    ['a=%', 'UTF-8'],
    ['a=\u00eb', 'not encoded'],
    [Array.from({ length: 101 }, (_, at) => `f${String(at)}=1`).join('&'), 'too many'],
  ])('is refused where it reads %j', (text, why) => {
    expect(() => parseForm(Buffer.from(text))).toThrow(why);
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { JsonError, JsonNumber, parseJson, type LosslessJson } from '../../src/kernel/json.js';

const forbiddenKeys = ['__proto__', 'constructor', 'prototype'];

/** What JSON.parse would have given. */
function plain(value: LosslessJson): unknown {
  if (value instanceof JsonNumber) return Number(value.text);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]));
}

function outcome(text: string, maxDepth?: number): { value: LosslessJson } | { fault: string } {
  try {
    return { value: parseJson(text, maxDepth) };
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    return { fault: error.fault };
  }
}

const faultOf = (text: string, maxDepth?: number): string => {
  const told = outcome(text, maxDepth);
  return 'fault' in told ? told.fault : 'accepted';
};

const accepts = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

/** Pieces that meet in unreadable JSON more often than random characters would. */
const pieces = fc.constantFrom(
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  '\\u',
  '\\ud83d',
  '\\ude00',
  '\\u0000',
  'true',
  'false',
  'null',
  'nul',
  'NaN',
  'Infinity',
  '-',
  '+',
  '.',
  'e',
  'E',
  '0',
  '00',
  '1',
  '9.5',
  '1e400',
  '-0',
  '0x1',
  ' ',
  '\t',
  '\n',
  '\r',
  '\u00a0',
  '\ufeff',
  '\u0000',
  '\u001f',
  '\u2028',
  '"a"',
  '"a":',
  '"__proto__":',
  '\ud83d',
  '\ude00',
  '\ud83d\ude00',
  '//',
  '/*',
  "'",
  '#',
  'undefined',
);
const scraps = fc.array(fc.oneof(pieces, fc.string({ maxLength: 3 })), { maxLength: 14 }).map((list) => list.join(''));

describe('The JSON parser', () => {
  it('reads every document that JSON.stringify writes as JSON.parse does, unless it holds what is forbidden', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(3), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const told = outcome(text);
        if ('fault' in told) {
          const forbidden =
            forbiddenKeys.some((key) => text.includes(`"${key}"`)) ||
            text.includes('\\u0000') ||
            /\\ud[89a-f]/.test(text);
          expect(forbidden).toBe(true);
        } else {
          expect(plain(told.value)).toEqual(JSON.parse(text));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('accepts nothing that JSON.parse refuses, gives the same values, and throws nothing but its own error', () => {
    fc.assert(
      fc.property(fc.oneof(scraps, fc.string({ unit: 'binary', maxLength: 40 }), fc.string()), (text) => {
        const told = outcome(text);
        if ('fault' in told) return;
        expect(accepts(text)).toBe(true);
        expect(plain(told.value)).toEqual(JSON.parse(text));
      }),
      { numRuns: 3000 },
    );
  });

  it('cuts no document off and adds nothing: a prefix of one is never taken for another', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.nat(), (value, at) => {
        const text = JSON.stringify(value);
        const prefix = text.slice(0, at % text.length);
        expect('value' in outcome(prefix)).toBe('value' in outcome(prefix) && accepts(prefix));
      }),
    );
  });

  it('keeps every digit of a number', () => {
    const digits = (least: number) => fc.stringMatching(new RegExp(`^[0-9]{${String(least)},40}$`));
    const number = fc
      .tuple(
        fc.constantFrom('', '-'),
        fc.oneof(
          fc.constant('0'),
          digits(1).map((text) => `1${text}`),
        ),
        fc.option(digits(1)),
        fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-'), digits(1))),
      )
      .map(
        ([sign, whole, part, exponent]) =>
          sign + whole + (part === null ? '' : `.${part}`) + (exponent === null ? '' : exponent.join('')),
      );
    fc.assert(
      fc.property(number, (text) => {
        expect(parseJson(text)).toEqual(new JsonNumber(text));
        expect(parseJson(`{"amount":[${text}]}`)).toEqual(
          Object.assign(Object.create(null) as object, { amount: [new JsonNumber(text)] }),
        );
      }),
    );
  });

  it.each([
    ['a key that stands twice in one object', '{"a":1,"b":2,"a":1}', 'duplicate_key'],
    ['a key twice in two spellings', '{"a":1,"\\u0061":2}', 'duplicate_key'],
    ['__proto__', '{"__proto__":{"paid":true}}', 'forbidden_key'],
    ['constructor, escaped', '{"con\\u0073tructor":1}', 'forbidden_key'],
    ['prototype deep inside', '[{"a":{"prototype":1}}]', 'forbidden_key'],
    ['an escaped NUL in a string', '"a\\u0000b"', 'forbidden_character'],
    ['a raw NUL in a string', '"a\u0000b"', 'syntax'],
    ['an escaped NUL in a key', '{"\\u0000":1}', 'forbidden_character'],
    ['an escaped high surrogate alone', '"\\ud83d"', 'forbidden_character'],
    ['an escaped low surrogate alone', '"\\ude00"', 'forbidden_character'],
    ['surrogates in the wrong order', '"\\ude00\\ud83d"', 'forbidden_character'],
    ['a raw surrogate alone', '"\ud83d!"', 'forbidden_character'],
    ['half a pair escaped, half raw', '"\\ud83d\ude00"', 'forbidden_character'],
    ['NaN', 'NaN', 'syntax'],
    ['a plus sign', '+1', 'syntax'],
    ['a leading zero', '01', 'syntax'],
    ['a bare point', '1.', 'syntax'],
    ['a trailing comma', '[1,]', 'syntax'],
    ['single quotes', "{'a':1}", 'syntax'],
    ['a comment', '{}//', 'syntax'],
    ['a byte order mark', '\ufeff{}', 'syntax'],
    ['two documents', '{}{}', 'syntax'],
    ['nothing', '', 'syntax'],
    ['a tab inside a string', '"\t"', 'syntax'],
  ])('refuses %s', (_, text, fault) => {
    expect(faultOf(text)).toBe(fault);
  });

  it('takes the bound of its depth and not one bracket more, however deep the rest goes', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(faultOf(nested(16))).toBe('accepted');
    expect(faultOf(nested(17))).toBe('too_deep');
    expect(faultOf(nested(1_000_000))).toBe('too_deep');
    expect(faultOf('{"a":'.repeat(1000))).toBe('too_deep');
    expect(faultOf(nested(3), 2)).toBe('too_deep');
  });

  it('lets the same key stand in two objects', () => {
    expect(faultOf('{"a":{"a":1},"b":[{"a":1},{"a":2}]}')).toBe('accepted');
  });

  it('gives objects that inherit nothing', () => {
    const value = parseJson('{"a":1}');
    expect(Object.getPrototypeOf(value)).toBeNull();
    expect('toString' in (value as object)).toBe(false);
  });

  it('reads long strings and wide objects in time that grows with their length', () => {
    const wide = `{${Array.from({ length: 5000 }, (_, at) => `"k${String(at)}":"${'\\n'.repeat(5)}"`).join(',')}}`;
    const began = performance.now();
    parseJson(wide);
    parseJson(`"${'x'.repeat(1_000_000)}"`);
    parseJson(`[${'1,'.repeat(50_000)}1]`);
    expect(performance.now() - began).toBeLessThan(2000);
  });
});

import { instantFromMs, type Instant } from '../kernel/clock.js';
import { JsonNumber, type LosslessJson, type LosslessObject } from '../kernel/json.js';

/** Why something of the gateway's could not be read; a closed list, because it labels metrics and quarantined bodies. */
export const wireFaults = [
  'not_utf8',
  'not_json',
  'duplicate_key',
  'forbidden_key',
  'forbidden_character',
  'too_deep',
  'too_large',
  'wrong_type',
  'missing_field',
  'legacy_format',
  'unknown_status',
  'absurd_number',
  'text_too_long',
  'too_many_transfers',
] as const;
export type WireFault = (typeof wireFaults)[number];

/** What the gateway sent has not the agreed shape. The message names the field and never its content. */
export class WireError extends Error {
  constructor(
    readonly fault: WireFault,
    readonly field: string,
  ) {
    super(`${fault} at ${field}`);
    this.name = 'WireError';
  }
}

/** Digits that a decimal may have when written out in full. Coins need at most 18 after the point. */
const maxDigits = 39;
/** Longest text of a hash, an address, a symbol or an id. Over it is a fault: nothing is ever cut silently. */
export const maxText = 256;
/** Longest free text that we keep. */
export const maxProse = 4096;

const numberToken = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,3}))?$/;
const longestToken = 100;
const looksLikeNumber = /^-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const id = /^[0-9A-Za-z_-]{1,64}$/;
const wholeNumber = /^(?:0|[1-9][0-9]*)$/;

/** The value as an object; anything else is a fault. */
export function objectOf(value: LosslessJson | undefined, field: string): LosslessObject {
  if (value === undefined || value === null) throw new WireError('missing_field', field);
  if (typeof value !== 'object' || Array.isArray(value) || value instanceof JsonNumber) {
    throw new WireError('wrong_type', field);
  }
  return value;
}

/** The member as text; null where it is absent, null or empty. */
export function textOf(object: LosslessObject, key: string, limit = maxText): string | null {
  const value = object[key];
  if (value === undefined || value === null || value === '') return null;
  if (typeof value !== 'string') throw new WireError('wrong_type', key);
  if (value.length > limit) throw new WireError('text_too_long', key);
  return value;
}

/** The member as a currency symbol in ASCII upper case; null where it is absent, null or empty. */
export function symbolOf(object: LosslessObject, key: string): string | null {
  return textOf(object, key)?.replace(/[a-z]/g, (letter) => letter.toUpperCase()) ?? null;
}

/** An identifier that came as a string or as a number: its digits as written, never through a float. */
export function idOf(object: LosslessObject, key: string): string {
  const value = object[key];
  if (value === undefined || value === null || value === '') throw new WireError('missing_field', key);
  const text = value instanceof JsonNumber && wholeNumber.test(value.text) ? value.text : value;
  if (typeof text !== 'string' || !isId(text)) throw new WireError('wrong_type', key);
  return text;
}

/** Whether this can be an identifier of the gateway's at all, so that it may stand in a URL. */
export const isId = (text: string): boolean => id.test(text);

/** A reference of ours that the gateway echoes; text, or a number by its digits. */
export function referenceOf(object: LosslessObject, key: string, limit = maxText): string | null {
  const value = object[key];
  if (!(value instanceof JsonNumber)) return textOf(object, key, limit);
  if (value.text.length > limit) throw new WireError('text_too_long', key);
  return value.text;
}

/**
 * The member as an exact plain decimal without sign, exponent or idle zeros (`3.079e-5` → `0.00003079`, `10.50` →
 * `10.5`); null where it is absent or null. Numbers and strings in JSON's number notation are taken alike, nothing
 * else is; a minus sign, 40 digits or an exponent of that size is `absurd_number`.
 */
export function decimalOf(object: LosslessObject, key: string): string | null {
  const value = object[key];
  if (value === undefined || value === null) return null;
  const text = value instanceof JsonNumber ? value.text : value;
  if (typeof text !== 'string') throw new WireError('wrong_type', key);
  if (text.length > longestToken) throw new WireError('absurd_number', key);
  const token = numberToken.exec(text);
  if (!token) throw new WireError(isAbsurd(text) ? 'absurd_number' : 'wrong_type', key);
  const [, sign, whole = '', fraction = '', exponent = '0'] = token;
  const plain = sign === '-' ? null : writtenOut(whole, fraction, parseInt(exponent, 10));
  if (plain === null) throw new WireError('absurd_number', key);
  return plain;
}

const isAbsurd = (text: string): boolean => looksLikeNumber.test(text) || /^[+-]?(?:nan|inf(?:inity)?)$/i.test(text);

/** `whole.fraction × 10^exponent` in plain notation, or null where that takes too many digits. */
function writtenOut(whole: string, fraction: string, exponent: number): string | null {
  const point = whole.length + exponent;
  const digits = whole + fraction;
  if (point > maxDigits || digits.length - point > 2 * longestToken) return null;
  const left = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0';
  const right = point > 0 ? digits.slice(point) : '0'.repeat(-point) + digits;
  const integer = left.replace(/^0+(?=[0-9])/, '');
  const decimals = right.replace(/0+$/, '');
  if (integer.length + decimals.length > maxDigits) return null;
  return decimals === '' ? integer : `${integer}.${decimals}`;
}

/** The member as a count; null where it is absent or null. A fraction or ten digits are `absurd_number`. */
export function countOf(object: LosslessObject, key: string): number | null {
  const text = decimalOf(object, key);
  if (text === null) return null;
  if (!wholeNumber.test(text) || text.length > 9) throw new WireError('absurd_number', key);
  return parseInt(text, 10);
}

/** The member as a yes or no: `true`, `1`, `"1"`, `"true"` and their opposites; null where absent, null or empty. */
export function flagOf(object: LosslessObject, key: string): boolean | null {
  const value = object[key];
  if (value === undefined || value === null || value === '') return null;
  const text = value instanceof JsonNumber ? value.text : typeof value === 'string' ? wordOf(value) : value;
  if (text === true || text === '1' || text === 'true') return true;
  if (text === false || text === '0' || text === 'false') return false;
  throw new WireError('wrong_type', key);
}

/** UNIX seconds; the last one has a four-digit year. */
const lastSecond = 253_402_300_799;

/**
 * The member, UNIX seconds, as an instant. Null for whatever is none, and never a fault: no date of the gateway's
 * decides anything about money, so a strange one is no reason to set a callback aside.
 */
export function instantOf(object: LosslessObject, key: string): Instant | null {
  const value = object[key];
  const text = value instanceof JsonNumber ? value.text : value;
  if (typeof text !== 'string' || text.length > 12 || !wholeNumber.test(text)) return null;
  const seconds = parseInt(text, 10);
  return seconds === 0 || seconds > lastSecond ? null : instantFromMs(seconds * 1000);
}

/**
 * The gateway's words in one spelling: `Manual Accept`, `manual-accept` and `MANUAL_ACCEPT` are `manual_accept`.
 * ASCII only, so that the Kelvin sign or a dotted capital I cannot turn a foreign word into a known one.
 */
export const wordOf = (text: string): string =>
  text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).replace(/[ -]/g, '_');

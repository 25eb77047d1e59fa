import { JsonNumber, type LosslessJson, type LosslessObject } from '../kernel/json.js';
import { decimalFrom, Decimal, plain } from './amounts.js';
import { fieldFault } from './envelope.js';
import { priceOf } from './market.js';

/**
 * Reads one request's fields with the tolerance that the gateway shows: numbers may come as strings, flags as
 * `true`, `1` or `"1"`, an absent, null or empty field means its default. What cannot be read throws a `WireFault`
 * that names the field.
 */
export class Fields {
  constructor(private readonly source: LosslessObject) {}

  private raw(name: string): Exclude<LosslessJson, null> | undefined {
    const value = this.source[name];
    return value === null || value === '' ? undefined : value;
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined;
  }

  text(name: string, max = 255): string {
    const value = this.raw(name);
    if (value === undefined) return '';
    const text = value instanceof JsonNumber ? value.text : value;
    if (typeof text !== 'string') throw fieldFault(name, `The ${name} field must be a string.`);
    if (text.length > max) throw fieldFault(name, `The ${name} field must not be greater than ${max} characters.`);
    return text;
  }

  required(name: string, max?: number): string {
    if (!this.has(name)) throw fieldFault(name, `The ${name} field is required.`);
    return this.text(name, max);
  }

  /** A decimal in plain notation within the bounds, or null where the field is absent. */
  amount(name: string, bounds: { min?: string; max?: string } = {}): string | null {
    if (!this.has(name)) return null;
    const value = decimalFrom(this.text(name));
    if (!value) throw fieldFault(name, `The ${name} field must be a number.`);
    if (bounds.min !== undefined && value.lt(bounds.min))
      throw fieldFault(name, `The ${name} field must be at least ${bounds.min}.`);
    if (bounds.max !== undefined && value.gt(bounds.max))
      throw fieldFault(name, `The ${name} field must not be greater than ${bounds.max}.`);
    return plain(value);
  }

  positive(name: string): string {
    const value = this.has(name) ? this.amount(name) : null;
    if (value === null) throw fieldFault(name, `The ${name} field is required.`);
    if (new Decimal(value).lte('0')) throw fieldFault(name, `The ${name} field must be greater than 0.`);
    return value;
  }

  /** A whole number within the bounds, or the default where the field is absent. */
  integer<T>(name: string, bounds: { min: number; max: number }, otherwise: T): number | T {
    if (!this.has(name)) return otherwise;
    const text = this.text(name);
    if (!/^-?[0-9]{1,15}$/.test(text)) throw fieldFault(name, `The ${name} field must be an integer.`);
    const value = Number(text);
    if (value < bounds.min || value > bounds.max)
      throw fieldFault(name, `The ${name} field must be between ${bounds.min} and ${bounds.max}.`);
    return value;
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.raw(name);
    if (value === undefined) return otherwise;
    const word = value instanceof JsonNumber ? value.text : value;
    if (word === true || word === '1' || word === 'true') return true;
    if (word === false || word === '0' || word === 'false') return false;
    throw fieldFault(name, `The ${name} field must be true or false.`);
  }

  oneOf<T extends string>(name: string, words: readonly T[], otherwise: T | null): T | null {
    if (!this.has(name)) return otherwise;
    const text = this.text(name).toLowerCase();
    const found = words.find((word) => word.toLowerCase() === text);
    if (!found) throw fieldFault(name, `The selected ${name} is invalid.`);
    return found;
  }

  /** A currency symbol that the sandbox has a price for, in upper case. */
  currency(name: string, otherwise: string): string {
    if (!this.has(name)) return otherwise;
    const symbol = this.text(name).toUpperCase();
    if (!priceOf(symbol)) throw fieldFault(name, `The selected ${name} is invalid.`);
    return symbol;
  }

  url(name: string): string {
    const text = this.text(name, 2048);
    if (text !== '' && !isHttpUrl(text)) throw fieldFault(name, `The ${name} field must be a valid URL.`);
    return text;
  }
}

/** Whether `text` is an absolute http or https address. Plain http and loopback are fine for a sandbox. */
export function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol } = new URL(text);
  return protocol === 'http:' || protocol === 'https:';
}

import { JsonNumber } from '../kernel/json.js';

/** What the sandbox prints: JSON whose amounts are `JsonNumber`s, so that no digit passes through a float. */
export type Wire = null | boolean | string | number | JsonNumber | readonly Wire[] | { readonly [key: string]: Wire };

/** Prints compact JSON; the digits of a `JsonNumber` are copied as they stand. */
export function printJson(value: Wire): string {
  if (value instanceof JsonNumber) return value.text;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(printJson).join(',')}]`;
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}:${printJson(member)}`);
  return `{${members.join(',')}}`;
}

export interface Answer {
  status: number;
  body: Wire;
}

const version = '1.0.0';

export const succeeded = (data: Wire): Answer => ({
  status: 200,
  body: { data, message: 'Operation completed successfully!', error: {}, status: 200, version },
});

export const refused = (fault: WireFault): Answer => ({
  status: fault.status,
  body: {
    data: {},
    message: '',
    error: { type: fault.type, key: fault.key, message: fault.message },
    status: fault.status,
    version,
  },
});

/** A refusal in the gateway's own form. `key` names the field at fault; it is empty where no field is. */
export class WireFault extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    readonly key: string,
    message: string,
  ) {
    super(message);
    this.name = 'WireFault';
  }
}

export const fieldFault = (key: string, message: string): WireFault => new WireFault(400, 'validation', key, message);
export const unknownObject = (key: string, message: string): WireFault => new WireFault(404, 'not_found', key, message);

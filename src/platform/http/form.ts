import { Refusal } from '../../kernel/refusal.js';

const mostFields = 100;
const malformed = (why: string): Refusal => new Refusal('malformed_request', `The form cannot be read: ${why}.`);

/**
 * Reads `application/x-www-form-urlencoded` (WHATWG URL, section 5) strictly. Throws `Refusal('malformed_request')` for
 * bytes or escapes that are no UTF-8, for a field that comes twice, and for more than 100 fields.
 */
export function parseForm(body: Uint8Array): Record<string, string> {
  const pairs = textOf(body)
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => pair.split(/=(.*)/s, 2).map(decoded));
  if (pairs.length > mostFields) throw malformed('it has too many fields');
  const fields = new Map(pairs.map(([name = '', value = '']) => [name, value]));
  if (fields.size < pairs.length) throw malformed('a field comes twice');
  return Object.fromEntries(fields);
}

function textOf(body: Uint8Array): string {
  if (body.some((byte) => byte > 0x7e)) throw malformed('a character is not encoded');
  return new TextDecoder().decode(body);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw malformed('an escape is not UTF-8');
  }
}

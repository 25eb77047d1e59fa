import { Refusal } from '../kernel/refusal.js';

/**
 * What stands in the address of a page under a name; the empty text where it does not. Throws
 * `Refusal('malformed_request')` for more than `most` characters, for one that nobody can type, and for two of the name.
 */
export function queryText(query: unknown, name: string, most: number): string {
  const value: unknown =
    typeof query === 'object' && query !== null ? Object.getOwnPropertyDescriptor(query, name)?.value : undefined;
  if (value === undefined) return '';
  if (typeof value !== 'string') throw new Refusal('malformed_request', `“${name}” stands in the address twice.`);
  const text = value.trim();
  if (text.length > most)
    throw new Refusal(
      'malformed_request',
      `What was asked for (${name}) is longer than ${String(most)} characters; shorten it.`,
    );
  if (/[\p{Cc}\p{Cs}]/u.test(text))
    throw new Refusal(
      'malformed_request',
      `What was asked for (${name}) holds a character that cannot be typed, such as a line break; type it anew.`,
    );
  return text;
}

/** An address of the console with a query; what is empty or null is left out of it. */
export function withQuery(path: string, query: Readonly<Record<string, string | null>>): string {
  const given = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === null || value === '' ? [] : [[name, value]],
  );
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`;
}

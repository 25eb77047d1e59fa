/*
 * What of an object stands in a line of the log: nothing that is secret by its name, nothing endless, and of an error what
 * helps to find its cause. Errors carry whole requests with them, headers included; none of that is kept.
 */

type Fields = Record<string, unknown>;

const longestText = 256;
const longestMessage = 512;
const longestStack = 4096;
const mostItems = 20;
const mostFields = 50;
const deepest = 5;

const secretName =
  /^(?:authorization|proxy-authorization|cookie|set-cookie|hmac|.*(?:api_?key|secrets?|password|passwd|token)|(?:merchant|payout)_?keys?|databaseurl|connectionstring|e-?mail|(?:sender|payout|refund)_?address)$/i;

/** The fields of a line, made safe. */
export const safeFields = (fields: Fields): Fields => objectOf(fields, 0);

function objectOf(fields: object, depth: number): Fields {
  const entries = Object.entries(fields).slice(0, mostFields);
  return Object.fromEntries(entries.map(([name, value]) => [cut(name, longestText), valueOf(name, value, depth)]));
}

function valueOf(name: string, value: unknown, depth: number): unknown {
  if (value === null || value === undefined) return value;
  if (secretName.test(name)) return '[secret]';
  if (typeof value === 'string') return cut(value, depth === 0 ? lengthOf(name) : longestText);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object') return typeof value === 'function' || typeof value === 'symbol' ? undefined : value;
  if (value instanceof Error) return errorOf(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${String(value.byteLength)} bytes]`;
  if (depth >= deepest) return '[deeper]';
  return Array.isArray(value)
    ? value.slice(0, mostItems).map((item) => valueOf('', item, depth + 1))
    : objectOf(value, depth + 1);
}

function errorOf(error: Error, depth: number): Fields {
  const code = 'code' in error && typeof error.code === 'string' ? { code: cut(error.code, longestText) } : {};
  return {
    type: cut(error.name, longestText),
    message: cut(error.message, longestMessage),
    ...code,
    ...(error.stack === undefined ? {} : { stack: cut(error.stack, longestStack) }),
    ...(error.cause === undefined || depth >= deepest ? {} : { cause: valueOf('cause', error.cause, depth + 1) }),
    ...(error instanceof AggregateError && depth < deepest
      ? { errors: valueOf('errors', error.errors, depth + 1) }
      : {}),
  };
}

const lengthOf = (name: string): number =>
  name === 'stack' ? longestStack : name === 'msg' ? longestMessage : longestText;

const cut = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length)}…` : text);

/** What ends a line or moves the cursor for some readers, though JSON lets it stand; JSON's own escapes are left alone. */
const unprintable = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** A line of JSON in which nothing but its end can be taken for one. */
export const oneLine = (json: string): string =>
  json.replace(unprintable, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

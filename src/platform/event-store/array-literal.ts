/*
 * Arrays as PostgreSQL writes them (manual, "Array Input and Output Syntax"). The driver quotes and escapes every element
 * of every array; where a column's values need neither, that is most of what a large statement costs to send.
 */

/** Of values without a space, a quote, a comma, a brace or a backslash: ids, numbers, times, words of ours. */
export const plainArray = (values: readonly (string | number | null)[]): string =>
  `{${values.map((value) => value ?? 'NULL').join(',')}}`;

export const bytesArray = (values: readonly (Buffer | null)[]): string =>
  `{${values.map((value) => (value === null ? 'NULL' : `"\\\\x${value.toString('hex')}"`)).join(',')}}`;

export const textArray = (values: readonly (string | null)[]): string =>
  `{${values.map((value) => (value === null ? 'NULL' : `"${value.replace(/["\\]/g, '\\$&')}"`)).join(',')}}`;

/**
 * JSON texts as lines, which `string_to_array(…, chr(10), '')` reads: full of quotes as they are, an array's syntax would
 * have each of them escaped here and unescaped there. `JSON.stringify` never writes a line's end; null is an empty line.
 * A lone null gives no element at all, which `unnest` makes up for beside a longer array.
 */
export const jsonLines = (texts: readonly (string | null)[]): string => texts.map((text) => text ?? '').join('\n');

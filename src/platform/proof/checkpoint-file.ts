import { readStatement, type Content, type Head, type SealedMessage, type SignedStatement } from './checkpoint.js';

/*
 * The exported form of a checkpoint: what was signed, and the lists that its roots stand for, one line each. With the
 * lists, whatever differs later can be named.
 */

const fileFormat = 'finality-checkpoint-file-1';

export interface CheckpointFile extends Content {
  signed: SignedStatement;
}

export const fileNameOf = (number: number): string => `checkpoint-${String(number).padStart(8, '0')}.json`;

/** The number in a file's name; null where it is not one of a checkpoint. */
export function numberIn(name: string): number | null {
  const digits = /^checkpoint-(\d{8,9})\.json$/.exec(name)?.[1];
  return digits === undefined ? null : parseInt(digits, 10);
}

const lines = (list: readonly unknown[]): string => list.map((line) => `\n    ${JSON.stringify(line)}`).join(',');

/** The same checkpoint always gives the same bytes. */
export function fileText({ signed, heads, messages }: CheckpointFile): string {
  return [
    '{',
    `  "format": "${fileFormat}",`,
    `  "statement": ${JSON.stringify(signed.text)},`,
    `  "signature": "${signed.signature.toString('base64')}",`,
    `  "heads": [${lines(heads)}],`,
    `  "messages": [${lines(messages)}]`,
    '}',
    '',
  ].join('\n');
}

/** Reads a file; null where it is not, byte for byte, one that `fileText` gives. */
export function readFileText(text: string): CheckpointFile | null {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const { statement, signature, heads, messages } = value;
    if (typeof statement !== 'string' || typeof signature !== 'string') return null;
    const read = readStatement(statement);
    if (!read || !isList(heads, isHead) || !isList(messages, isMessage)) return null;
    const signed = { text: statement, statement: read, signature: Buffer.from(signature, 'base64') };
    const file = { signed, heads, messages };
    return fileText(file) === text ? file : null;
  } catch {
    return null;
  }
}

function isList<T>(value: unknown, isLine: (line: unknown) => line is T): value is T[] {
  return Array.isArray(value) && value.every(isLine);
}

function isHead(line: unknown): line is Head {
  if (!Array.isArray(line) || line.length !== 4) return false;
  const [streamId, version, hash, positions] = line as unknown[];
  return (
    typeof streamId === 'string' &&
    Number.isSafeInteger(version) &&
    typeof hash === 'string' &&
    Array.isArray(positions) &&
    positions.every((position) => Number.isSafeInteger(position))
  );
}

function isMessage(line: unknown): line is SealedMessage {
  return Array.isArray(line) && line.length === 3 && line.every((part) => typeof part === 'string');
}

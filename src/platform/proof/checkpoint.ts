import { createHash } from 'node:crypto';
import type { Instant } from '../../kernel/clock.js';
import { leafHash, merkleRoot } from './merkle.js';

/*
 * A checkpoint is a signed statement about the next span of the log and of the inbox: what was in there when it was made.
 * The statement is a JSON text, and signed and kept as exactly that text, so that nothing depends on how JSON is written.
 */

export const checkpointFormat = 'finality-checkpoint-1';

/** A checkpoint covers at most so many events, and so many messages: a path from an event to its root stays short. */
export const blockSize = 4096;

/**
 * What a span holds of one stream: its id, the last version, that event's hash (hex), and the positions in the log of
 * its events in the span, in the order of their versions. The versions are the last ones up to the version named.
 */
export type Head = [streamId: string, version: number, hash: string, positions: number[]];

/** A message of a span: its id, the stream that it belongs to, its hash (hex). */
export type SealedMessage = [id: string, streamId: string, hash: string];

/** What a span of the log and of the inbox holds: heads in the order of stream ids, messages in the order of theirs. */
export interface Content {
  heads: readonly Head[];
  messages: readonly SealedMessage[];
}

export interface Statement {
  format: typeof checkpointFormat;
  /** From 1, without gaps. */
  number: number;
  createdAt: Instant;
  /** SHA-256 (hex) of the statement before this one; null for the first. */
  previous: string | null;
  /** Positions after `after` up to and with `upTo`; none outside `heads` can ever appear there. */
  events: { after: number; upTo: number; count: number };
  heads: { count: number; root: string };
  /** The same of message ids. */
  messages: { after: string; upTo: string; count: number; root: string };
  publicKey: string;
}

/** A statement as it was signed. */
export interface SignedStatement {
  text: string;
  statement: Statement;
  signature: Buffer;
}

/** An event, as far as a checkpoint tells of it. */
export interface SealedEvent {
  position: number;
  streamId: string;
  version: number;
  hash: string;
}

export const firstMessage = '00000000-0000-0000-0000-000000000000';

/** What stands for a line of the lists in their tree: its compact JSON. */
export const leafOf = (line: Head | SealedMessage): string => JSON.stringify(line);

export const leavesOf = (lines: readonly (Head | SealedMessage)[]): Buffer[] =>
  lines.map((line) => leafHash(leafOf(line)));

export const rootOver = (lines: readonly (Head | SealedMessage)[]): string =>
  merkleRoot(leavesOf(lines)).toString('hex');

/** The heads of a span from its events, in whatever order they come. */
export function headsOf(events: readonly SealedEvent[]): Head[] {
  const streams = new Map<string, SealedEvent[]>();
  for (const event of events) {
    const stream = streams.get(event.streamId);
    if (stream) stream.push(event);
    else streams.set(event.streamId, [event]);
  }
  const heads: Head[] = [];
  for (const [streamId, stream] of streams) {
    stream.sort((a, b) => a.version - b.version);
    const last = stream.at(-1);
    if (last) heads.push([streamId, last.version, last.hash, stream.map(({ position }) => position)]);
  }
  return heads.sort(byId);
}

const byId = ([a]: [string, ...unknown[]], [b]: [string, ...unknown[]]): number => (a < b ? -1 : a > b ? 1 : 0);

/** Where the next span ends, and what is in it. */
export interface Span extends Content {
  createdAt: Instant;
  upTo: number;
  upToMessage: string;
}

/** The text that follows `last` (null: the first) and tells of a span. */
export function statementAfter(last: SignedStatement | null, span: Span, publicKey: string): string {
  const { createdAt, upTo, upToMessage, heads, messages } = span;
  const statement: Statement = {
    format: checkpointFormat,
    number: (last?.statement.number ?? 0) + 1,
    createdAt,
    previous: last && hashOf(last.text),
    events: {
      after: last?.statement.events.upTo ?? 0,
      upTo,
      count: heads.reduce((count, [, , , positions]) => count + positions.length, 0),
    },
    heads: { count: heads.length, root: rootOver(heads) },
    messages: {
      after: last?.statement.messages.upTo ?? firstMessage,
      upTo: upToMessage,
      count: messages.length,
      root: rootOver(messages),
    },
    publicKey,
  };
  return JSON.stringify(statement);
}

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Whether what is in a span now is what the statement tells. */
export const isTrueOf = ({ heads, messages }: Statement, now: Content): boolean =>
  heads.count === now.heads.length &&
  heads.root === rootOver(now.heads) &&
  messages.count === now.messages.length &&
  messages.root === rootOver(now.messages);

/** Whether two spans hold the same, line by line. */
export const isSame = (a: Content, b: Content): boolean =>
  a.heads.length === b.heads.length &&
  a.messages.length === b.messages.length &&
  a.heads.every(
    ([streamId, version, hash, positions], at) =>
      streamId === b.heads[at]?.[0] &&
      version === b.heads[at][1] &&
      hash === b.heads[at][2] &&
      positions.length === b.heads[at][3].length &&
      positions.every((position, n) => position === b.heads[at]?.[3][n]),
  ) &&
  a.messages.every((line, at) => line.every((part, n) => part === b.messages[at]?.[n]));

/** Reads a statement; null where it is none of this format. */
export function readStatement(text: string): Statement | null {
  const value = objectOf(text) as Partial<Statement> | null;
  if (value?.format !== checkpointFormat) return null;
  const { number, createdAt, previous, events, heads, messages, publicKey } = value;
  const wholes = [number, events?.after, events?.upTo, events?.count, heads?.count, messages?.count];
  const texts = [createdAt, heads?.root, messages?.after, messages?.upTo, messages?.root, publicKey];
  const good =
    wholes.every((whole) => Number.isSafeInteger(whole)) &&
    texts.every((each) => typeof each === 'string') &&
    (previous === null || typeof previous === 'string');
  return good ? (value as Statement) : null;
}

function objectOf(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

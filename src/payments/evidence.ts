import { createHash } from 'node:crypto';
import { v5 } from 'uuid';
import type { Instant } from '../kernel/clock.js';
import type { InboxMessage } from '../platform/event-store/append.js';

/** The gateway's callbacks, by the account they came for. */
export const callbackSource = 'callback:default';
/** The gateway's answers to questions. */
export const pollSource = 'poll:default';

/** What arrived: its bytes, and the text by which a repeat of it is recognised. */
export interface Evidence {
  id: string;
  source: string;
  /** The track id that it is about; null where that cannot be told. */
  subject: string | null;
  content: string | Buffer;
  body: Buffer;
  /** What came with it and tells where it is from: the signature, and what its sender calls itself. */
  headers?: Readonly<Record<string, string>> | null;
  receivedAt: Instant;
}

/** Evidence as the inbox keeps it. */
export function messageOf(
  { content, ...evidence }: Evidence,
  status: InboxMessage['status'] = 'applied',
  reason: string | null = null,
): InboxMessage {
  const digest = createHash('sha256').update(evidence.source).update('\n').update(content).update('\n').digest();
  return { ...evidence, digest, status, reason };
}

/** What is kept of a callback that was not applied when it came. */
export type Kept = Pick<InboxMessage, 'id' | 'source' | 'body' | 'headers' | 'receivedAt'>;

/**
 * A kept callback as evidence of the payment that it turned out to be about. The id is the same however often it is
 * made, so that whoever applies the same callback at the same moment counts as one.
 */
export const copyOf = ({ id, source, body, headers, receivedAt }: Kept, subject: string, content: string) =>
  messageOf({ id: v5('matched', id), source, subject, content, body, headers: headers ?? null, receivedAt });

/** What became of a callback: `applied` (also where it changed nothing), or kept for the operator. */
export interface Intake {
  result: 'applied' | 'duplicate' | 'unmatched' | 'quarantined';
  reason: string | null;
}

/** What the gateway says is a cause of its own; where a request brought it, that one's id is its id. */
export const causeOf = ({ id }: InboxMessage): { actor: string; correlationId: string; causationId: string } => ({
  actor: 'gateway',
  correlationId: id,
  causationId: id,
});

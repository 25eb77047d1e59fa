import { createHash } from 'node:crypto';
import type { Instant } from '../kernel/clock.js';
import type { InboxMessage } from '../platform/event-store/append.js';
import { currentCorrelation } from '../platform/spans.js';

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

/** What became of a callback: `applied` (also where it changed nothing), or kept for the operator. */
export interface Intake {
  result: 'applied' | 'duplicate' | 'unmatched' | 'quarantined';
  reason: string | null;
}

/** What the gateway says is a cause of its own; it belongs to the request that brought it, where one did. */
export const causeOf = ({ id }: InboxMessage): { actor: string; correlationId: string; causationId: string } => ({
  actor: 'gateway',
  correlationId: currentCorrelation() ?? id,
  causationId: id,
});

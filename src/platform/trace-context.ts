import { createHash } from 'node:crypto';
import { isUuid } from '../kernel/ids.js';

/*
 * The ids of traces (W3C Trace Context). A correlation id and a trace id are the same 128 bits: one with hyphens, one
 * without. A span that others have to find later, in another process or after a restart, has an id that follows from
 * what it made: from the id of the event or of the webhook.
 */

/** What a span belongs to, and what caused it: an event, a webhook; null where nothing that we know of did. */
export interface Origin {
  /** A UUID. */
  correlationId: string;
  causeId: string | null;
}

/** The caller's span that a request continues. */
export interface Caller {
  correlationId: string;
  spanId: string;
}

export const traceIdOf = (correlationId: string): string => correlationId.replaceAll('-', '');

/** The id of the span that made an event or a webhook: 16 hexadecimal digits. */
export const spanIdOf = (madeId: string): string => createHash('sha256').update(madeId).digest('hex').slice(0, 16);

/** The origin of what a fact or a message causes; one that caused itself is at the beginning. */
export const originOf = ({ correlationId, causationId }: { correlationId: string; causationId: string }): Origin => ({
  correlationId,
  causeId: causationId === correlationId ? null : causationId,
});

/** The origin of what follows a recorded event. */
export const afterEvent = ({ id, correlationId }: { id: string; correlationId: string }): Origin => ({
  correlationId,
  causeId: id,
});

/** The origin that a job's payload names; null where it names none. */
export function originIn(payload: unknown): Origin | null {
  const { correlationId, causationId } = (payload ?? {}) as Record<string, unknown>;
  if (typeof correlationId !== 'string' || typeof causationId !== 'string' || !isUuid(correlationId)) return null;
  return originOf({ correlationId, causationId });
}

// Later versions may add fields behind; version ff and ids of zeros are invalid.
const shape = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:$|-)/;

/** Reads the header `traceparent`; null where it is missing or not valid. */
export function callerOf(header: unknown): Caller | null {
  const [, traceId, spanId] = (typeof header === 'string' && header.length <= 256 && shape.exec(header)) || [];
  if (traceId === undefined || spanId === undefined) return null;
  const parts = [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ].map(([from, to]) => traceId.slice(from, to));
  return { correlationId: parts.join('-'), spanId };
}

/** The header `traceparent` for what is called from a span. */
export const traceparentOf = ({ traceId, spanId }: { traceId: string; spanId: string }): string =>
  `00-${traceId}-${spanId}-01`;

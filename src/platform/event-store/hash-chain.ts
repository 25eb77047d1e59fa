import { hash as hashOf } from 'node:crypto';
import type { Instant } from '../../kernel/clock.js';

/** Every field of an event that its hash covers. `data` is the JSON text exactly as stored. */
export interface HashedEvent {
  streamId: string;
  version: number;
  id: string;
  type: string;
  schemaVersion: number;
  recordedAt: Instant;
  tenant: string;
  actor: string;
  correlationId: string;
  causationId: string;
  data: string;
}

/** An event with the hash that was stored beside it. */
export interface ChainedEvent extends HashedEvent {
  hash: Buffer;
}

/** Where a stream's chain does not hold: `version` is missing or out of order, or its content is not what was hashed. */
export interface ChainBreak {
  streamId: string;
  version: number;
  reason: 'missing_version' | 'hash_mismatch';
}

const noPredecessor = Buffer.alloc(32);

/**
 * SHA-256 over the predecessor's hash (32 zero bytes for version 1) and the event's fields in a fixed order, each as
 * UTF-8 behind its length in decimal and a colon, so that no two different events give the same bytes.
 */
export function eventHash(previous: Buffer | null, event: HashedEvent): Buffer {
  const { streamId, version, id, type, schemaVersion, recordedAt, tenant, actor, correlationId, causationId, data } =
    event;
  const fields = [
    streamId,
    String(version),
    id,
    type,
    String(schemaVersion),
    recordedAt,
    tenant,
    actor,
    correlationId,
    causationId,
    data,
  ];
  let text = '';
  for (const field of fields) text += `${field.length}:${field}`;
  let size = Buffer.byteLength(text);
  if (size > text.length) {
    // Some character takes more than a byte, which is rare.
    text = '';
    for (const field of fields) text += `${Buffer.byteLength(field)}:${field}`;
    size = Buffer.byteLength(text);
  }
  // One call over one buffer: millions of events are hashed when a store is verified.
  const bytes = Buffer.allocUnsafe(noPredecessor.length + size);
  bytes.set(previous ?? noPredecessor);
  bytes.write(text, noPredecessor.length);
  return hashOf('sha256', bytes, 'buffer');
}

/**
 * The first break in one stream's events (in version order), or null. `before` is the event that precedes the first
 * one given; without it the stream must begin at version 1. A missing tail cannot be seen from the stream alone.
 */
export function firstBreak(
  events: readonly ChainedEvent[],
  before?: { version: number; hash: Buffer },
): ChainBreak | null {
  let { version, hash }: { version: number; hash: Buffer | null } = before ?? { version: 0, hash: null };
  for (const event of events) {
    if (event.version !== version + 1)
      return { streamId: event.streamId, version: version + 1, reason: 'missing_version' };
    if (!eventHash(hash, event).equals(event.hash))
      return { streamId: event.streamId, version: event.version, reason: 'hash_mismatch' };
    ({ version, hash } = event);
  }
  return null;
}

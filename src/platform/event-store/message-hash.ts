import { hash as hashOf } from 'node:crypto';
import type { InboxMessage } from './append.js';

/** What of a message is hashed: all that is kept of it and never changes. What became of it does. */
export type HashedMessage = Pick<InboxMessage, 'id' | 'digest' | 'source' | 'subject' | 'body' | 'receivedAt'> & {
  streamId: string;
  /** The stored JSON text. */
  headers: string | null;
};

/** The headers of a message as they are stored: JSON, or null where none are kept. */
export const headersText = (headers: InboxMessage['headers']): string | null =>
  headers ? JSON.stringify(headers) : null;

const texts = (...fields: readonly (string | null)[]): string =>
  fields.map((field) => (field === null ? '-' : `${String(Buffer.byteLength(field))}:${field}`)).join('');

/**
 * SHA-256 over a message's fields in a fixed order, each as bytes behind its length in decimal and a colon, so that no
 * two different messages give the same bytes; a missing subject or missing headers are a lone hyphen.
 */
export function messageHash(message: HashedMessage): Buffer {
  const { streamId, id, digest, source, subject, headers, body, receivedAt } = message;
  const before = Buffer.from(`${texts(streamId, id)}${String(digest.length)}:`);
  const between = Buffer.from(`${texts(source, subject, receivedAt, headers)}${String(body.length)}:`);
  return hashOf('sha256', Buffer.concat([before, digest, between, body]), 'buffer');
}

import type { Pool } from 'pg';
import type { Instant } from '../../kernel/clock.js';
import { noStream, type MessageStatus } from './append.js';
import { storedTypes } from './event-row.pg.js';

/** A message as the inbox holds it. */
export interface StoredMessage {
  id: string;
  streamId: string;
  digest: Buffer;
  source: string;
  subject: string | null;
  status: MessageStatus | 'matched';
  reason: string | null;
  body: Buffer;
  headers: Readonly<Record<string, string>> | null;
  receivedAt: Instant;
  lastReceivedAt: Instant;
  receipts: number;
}

const columns = `id, stream_id as "streamId", digest, source, subject, status, reason, body, headers::jsonb as headers, received_at as "receivedAt",
  last_received_at as "lastReceivedAt", receipts`;

const open = {
  name: 'inbox-open',
  text: `select ${columns} from inbox where source = $1 and subject = $2 and status in ('unmatched', 'quarantined')
    order by received_at, id limit $3`,
  types: storedTypes,
};
const ofStream = {
  name: 'inbox-of-stream',
  text: `select ${columns} from inbox where stream_id = $1 order by received_at, id limit $2`,
  types: storedTypes,
};
const match = {
  name: 'inbox-match',
  text: `update inbox set status = 'matched' where stream_id = $1 and digest = $2 and status in ('unmatched', 'quarantined')`,
};

/** What was received and is not applied yet: unmatched or quarantined, oldest first. */
export async function openMessages(
  pool: Pool,
  source: string,
  subject: string,
  limit: number,
): Promise<StoredMessage[]> {
  return (await pool.query<StoredMessage>({ ...open, values: [source, subject, limit] })).rows;
}

/** The evidence that a stream rests on, oldest first. */
export async function messagesOf(pool: Pool, streamId: string, limit: number): Promise<StoredMessage[]> {
  return (await pool.query<StoredMessage>({ ...ofStream, values: [streamId, limit] })).rows;
}

/** Notes that an open message was applied after all. False when it was not open (any more). */
export async function markMatched(pool: Pool, streamId: string | null, digest: Buffer): Promise<boolean> {
  return (await pool.query({ ...match, values: [streamId ?? noStream, digest] })).rowCount === 1;
}

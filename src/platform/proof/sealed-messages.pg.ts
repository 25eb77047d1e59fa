import type { ClientBase, Pool } from 'pg';
import type { InboxMessage } from '../event-store/append.js';
import { exactTypes } from '../event-store/chain-audit.pg.js';
import { messageHash } from '../event-store/message-hash.js';
import type { SealedMessage } from './checkpoint.js';

/** A row of `inbox`, as far as its hash covers it; `headers` is the stored text. */
export type MessageRow = Pick<InboxMessage, 'id' | 'digest' | 'source' | 'subject' | 'body' | 'receivedAt'> & {
  streamId: string;
  headers: string | null;
  /** Null in rows from before messages were hashed. */
  hash: Buffer | null;
};

export const messageColumns =
  'id, stream_id as "streamId", digest, source, subject, headers, body, received_at as "receivedAt", hash';

/** A row is inserted within its time-outs after its id was made; a clock may be off by a little more. */
const settledAfterMinutes = 5;

// A UUIDv7 begins with the milliseconds of its time.
const settled = `select lpad(to_hex((extract(epoch from clock_timestamp() - make_interval(mins => $1)) * 1000)::bigint), 12, '0') as hex`;

const hashed = `select id, stream_id as "streamId", encode(hash, 'hex') as hash from inbox
  where id > $1 and id <= $2 order by id limit $3`;
const unhashed = `select ${messageColumns} from inbox where id > $1 and id <= $2 and hash is null order by id limit $3`;

/** The greatest id before which no message can appear any more. */
export async function messageUpTo(connection: Pool | ClientBase): Promise<string> {
  const { rows } = await connection.query<{ hex: string }>(settled, [settledAfterMinutes]);
  const hex = rows[0]?.hex ?? '0'.repeat(12);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7000-8000-000000000000`;
}

/** Messages with ids after one and up to another, in order; those that have no hash are hashed now. */
export async function messagesAfter(
  connection: Pool | ClientBase,
  after: string,
  upTo: string,
  limit: number,
): Promise<SealedMessage[]> {
  if (upTo <= after) return [];
  const values = [after, upTo, limit];
  const { rows } = await connection.query<{ id: string; streamId: string; hash: string | null }>(hashed, values);
  if (!rows.some(({ hash }) => hash === null)) return rows.map(({ id, streamId, hash }) => [id, streamId, hash ?? '']);
  const whole = await connection.query<MessageRow>({ text: unhashed, values, types: exactTypes });
  const computed = new Map(whole.rows.map((row) => [row.id, messageHash(row).toString('hex')]));
  return rows.map(({ id, streamId, hash }) => [id, streamId, hash ?? computed.get(id) ?? '']);
}

import type { ClientBase, Pool } from 'pg';
import { inTransaction } from '../database/database.pg.js';
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

const inOrder = `declare sealed_messages no scroll cursor for
  select id, stream_id as "streamId", encode(hash, 'hex') as hash from inbox order by id`;
const fetchSize = 5000;

/**
 * All messages in the order of their ids, span by span: one sort of the table instead of a search for each span. It sees
 * what was committed when it was opened.
 */
export class MessageStream {
  private waiting: { id: string; streamId: string; hash: string | null }[] = [];
  private from = 0;
  private reached = '';
  private ended = false;

  private constructor(
    private readonly pool: Pool,
    private readonly tx: ClientBase,
  ) {}

  static async with<T>(pool: Pool, work: (messages: MessageStream) => Promise<T>): Promise<T> {
    return inTransaction(pool, async (tx) => {
      await tx.query(inOrder);
      return work(new MessageStream(pool, tx));
    });
  }

  /** The messages of a span. Spans are asked for in their order; one that is out of order costs a search. */
  async span(after: string, upTo: string, limit: number): Promise<SealedMessage[]> {
    if (after < this.reached) return messagesAfter(this.pool, after, upTo, limit);
    this.reached = upTo > after ? upTo : after;
    const taken: SealedMessage[] = [];
    let hashed = true;
    for (;;) {
      const row = this.waiting[this.from] ?? (await this.fetch());
      if (row === null || row.id > upTo) break;
      this.from++;
      if (row.id <= after) continue;
      hashed &&= row.hash !== null;
      if (taken.length < limit) taken.push([row.id, row.streamId, row.hash ?? '']);
    }
    return hashed ? taken : messagesAfter(this.pool, after, upTo, limit);
  }

  private async fetch(): Promise<(typeof this.waiting)[number] | null> {
    if (this.ended) return null;
    const { rows } = await this.tx.query<(typeof this.waiting)[number]>(
      `fetch ${String(fetchSize)} from sealed_messages`,
    );
    this.waiting = rows;
    this.from = 0;
    this.ended = rows.length < fetchSize;
    return rows[0] ?? null;
  }
}

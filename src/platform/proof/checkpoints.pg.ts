import type { ClientBase, Pool } from 'pg';
import type { Clock, Instant } from '../../kernel/clock.js';
import { inTransaction } from '../database/database.pg.js';
import { storedTypes } from '../event-store/event-row.pg.js';
import type { LogReader } from '../event-store/log-reader.pg.js';
import {
  blockSize,
  firstMessage,
  headsOf,
  readStatement,
  statementAfter,
  type Content,
  type SealedEvent,
  type SignedStatement,
  type Span,
  type Statement,
} from './checkpoint.js';
import { messageUpTo, messagesAfter } from './sealed-messages.pg.js';
import type { Signer } from './signing.js';

type Connection = Pool | ClientBase;

/** A row of `checkpoint`, unread. */
export interface CheckpointRow {
  number: number;
  up_to: number;
  statement: string;
  signature: Buffer;
}

const columns = 'number, up_to, statement, signature';
const newest = { name: 'checkpoint-newest', text: `select ${columns} from checkpoint order by number desc limit 1` };
const after = {
  name: 'checkpoints-after',
  text: `select ${columns} from checkpoint where number > $1 order by number limit $2`,
  types: storedTypes,
};
const covering = {
  name: 'checkpoint-covering',
  text: `select ${columns} from checkpoint where up_to >= $1 order by up_to, number limit 1`,
};
const insert = {
  name: 'checkpoint-insert',
  text: 'insert into checkpoint (number, up_to, statement, signature) values ($1, $2, $3, $4)',
};
// One process at a time makes checkpoints; the others find that it is done.
const lock = `select pg_try_advisory_xact_lock(hashtextextended('finality checkpoint', 0)) as free`;
const events = {
  name: 'checkpoint-events',
  text: `select position, stream_id as "streamId", version, encode(hash, 'hex') as hash from event
    where position > $1 and position <= $2 order by position limit $3`,
  types: storedTypes,
};

/** What is told of the newest checkpoint. */
export interface LastCheckpoint {
  number: number;
  createdAt: Instant;
  /** The log is sealed up to and with this position. */
  upTo: number;
}

/** The newest checkpoint; null where there is none. Throws where it cannot be read. */
export async function lastCheckpoint(pool: Pool): Promise<LastCheckpoint | null> {
  const last = await newestCheckpoint(pool);
  return (
    last && { number: last.statement.number, createdAt: last.statement.createdAt, upTo: last.statement.events.upTo }
  );
}

/** The same, whole. */
export async function newestCheckpoint(connection: Connection): Promise<SignedStatement | null> {
  const [row] = (await connection.query<CheckpointRow>(newest)).rows;
  if (!row) return null;
  const signed = signedOf(row);
  if (!signed) throw new Error('the newest checkpoint cannot be read: see what finality verify says of it');
  return signed;
}

/** Rows in the order of their numbers, as they are. */
export async function checkpointsAfter(pool: Pool, number: number, limit: number): Promise<CheckpointRow[]> {
  return (await pool.query<CheckpointRow>({ ...after, values: [number, limit] })).rows;
}

/** The checkpoint whose span holds a position; null where it is not sealed yet. */
export async function checkpointCovering(pool: Pool, position: number): Promise<SignedStatement | null> {
  const [row] = (await pool.query<CheckpointRow>({ ...covering, values: [position] })).rows;
  return row ? signedOf(row) : null;
}

/** Null where the row holds no statement of this format. */
export function signedOf({ statement: text, signature }: CheckpointRow): SignedStatement | null {
  const statement = readStatement(text);
  return statement && { text, statement, signature };
}

/** Events of a span of the log, in order; `limit` at most. */
export async function eventsBetween(
  connection: Connection,
  from: number,
  to: number,
  limit: number,
): Promise<SealedEvent[]> {
  return (await connection.query<SealedEvent>({ ...events, values: [from, to, limit] })).rows;
}

/** A span cannot hold more than was sealed; whatever is more is found by being there. */
export const spanLimit = 2 * blockSize;

/** What is in a checkpoint's span now. */
export async function contentOf(connection: Connection, { events: span, messages }: Statement): Promise<Content> {
  return {
    heads: headsOf(await eventsBetween(connection, span.after, span.upTo, spanLimit)),
    messages: await messagesAfter(connection, messages.after, messages.upTo, spanLimit),
  };
}

/** Makes checkpoints, one after the other. */
export class Checkpoints {
  constructor(
    private readonly pool: Pool,
    private readonly log: LogReader,
    private readonly clock: Clock,
    private readonly signer: Signer,
  ) {}

  /**
   * Makes the next checkpoint where the last one is not nearer than `dueAfterMs`, or where it left something over.
   * `busy`: another process is making one. `more`: the span was full, and the rest waits for the next.
   */
  async seal(dueAfterMs: number): Promise<'made' | 'more' | 'not due' | 'busy'> {
    const logged = await this.log.watermark();
    return inTransaction(this.pool, async (tx) => {
      const [locked] = (await tx.query<{ free: boolean }>(lock)).rows;
      if (!locked?.free) return 'busy';
      const last = await newestCheckpoint(tx);
      const createdAt = this.clock.now();
      // One of a clock that was far ahead keeps nobody waiting for its time.
      if (last && Math.abs(Date.parse(createdAt) - Date.parse(last.statement.createdAt)) < dueAfterMs) return 'not due';
      const span = await this.nextSpan(tx, last, logged, createdAt);
      const text = statementAfter(last, span, this.signer.publicKey);
      const number = (last?.statement.number ?? 0) + 1;
      await tx.query({ ...insert, values: [number, span.upTo, text, this.signer.sign(text)] });
      return span.more ? 'more' : 'made';
    });
  }

  private async nextSpan(
    tx: ClientBase,
    last: SignedStatement | null,
    logged: number,
    createdAt: Instant,
  ): Promise<Span & { more: boolean }> {
    const from = last?.statement.events.upTo ?? 0;
    const fromMessage = last?.statement.messages.upTo ?? firstMessage;
    const settled = await messageUpTo(tx);
    const sealed = await eventsBetween(tx, from, logged, blockSize);
    const messages = await messagesAfter(tx, fromMessage, settled, blockSize);
    const fullEvents = sealed.length === blockSize;
    const fullMessages = messages.length === blockSize;
    return {
      createdAt,
      heads: headsOf(sealed),
      messages,
      // Of what is not full, the end is a border beyond which nothing was there, not the last row.
      upTo: (fullEvents ? sealed.at(-1)?.position : undefined) ?? Math.max(from, logged),
      upToMessage: (fullMessages ? messages.at(-1)?.[0] : undefined) ?? (settled > fromMessage ? settled : fromMessage),
      more: fullEvents || fullMessages,
    };
  }
}

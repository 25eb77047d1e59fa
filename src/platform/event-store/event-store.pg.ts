import type { Pool } from 'pg';
import type { RecordedEvent } from '../../kernel/event.js';
import { createPool } from '../database/database.pg.js';
import {
  Conflict,
  KeyTaken,
  noStream,
  StoreUnavailable,
  type Append,
  type Appended,
  type InboxMessage,
  type Stream,
} from './append.js';
import { holderOf, holdersOf, newestHoldersOf } from './append-outcome.pg.js';
import { traceAppend } from './append-span.js';
import { memberOf, type Member } from './append-statement.pg.js';
import { GroupAppender, unavailable } from './group-appender.pg.js';
import {
  markMatched,
  messageAt,
  messageById,
  messagesOf,
  openMessages,
  type KeptMessage,
  type StoredMessage,
} from './inbox.pg.js';
import { RecentStreams } from './recent-streams.js';
import { StreamReader } from './stream-reader.pg.js';

export { Conflict, KeyTaken, StoreUnavailable, noStream } from './append.js';
export type { Append, Appended, InboxMessage, KeyClaim, MessageStatus, Stream, StreamHead } from './append.js';
export type { KeptMessage, StoredMessage } from './inbox.pg.js';

export interface EventStoreOptions {
  url: string;
  maxConnections?: number;
  /** See `PoolSettings`. */
  namedStatements?: boolean;
  /** Appends that may wait before more are refused. */
  maxWaiting?: number;
}

/*
 * Every statement of this pool is a handful of index probes. Array parameters would make the planner plan each call
 * anew (half the time of a small append), and without statistics yet it may prefer to read the whole table.
 */
const sessionSettings = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  timezone: 'UTC',
};

const maxMessages = 200;
/** What one process keeps of the streams that it has to do with; some megabytes. */
const recentStreams = 1000;

/** What came of an append; `refused` where its values were. */
export const appendOutcomes = ['appended', 'duplicate', 'conflict', 'key_taken', 'unavailable', 'refused'] as const;
type AppendOutcome = (typeof appendOutcomes)[number];

/** The event store: streams in the tables `event`, `inbox` and `stream_key`, over a pool of its own. */
export class EventStore {
  private readonly pool: Pool;
  private readonly appender: GroupAppender;
  private readonly reader: StreamReader;
  private readonly recent = new RecentStreams(recentStreams);
  private readonly listeners = new Set<(position: number, events: readonly RecordedEvent[]) => void>();
  private readonly tally: Record<AppendOutcome, number> = {
    appended: 0,
    duplicate: 0,
    conflict: 0,
    key_taken: 0,
    unavailable: 0,
    refused: 0,
  };
  private closing: Promise<void> | null = null;

  constructor(options: EventStoreOptions) {
    const settings = Object.entries(sessionSettings).map(([name, value]) => `-c ${name}=${value}`);
    this.pool = createPool(options.url, {
      max: options.maxConnections ?? 6,
      options: settings.join(' '),
      applicationName: 'finality event store',
      namedStatements: options.namedStatements ?? true,
    });
    this.appender = new GroupAppender(this.pool, {
      statements: 2,
      worthAnother: 32,
      batchSize: 256,
      capacity: options.maxWaiting ?? 10_000,
    });
    this.reader = new StreamReader(this.pool, this.recent);
  }

  /** All events that were committed when this was called. Throws `StoreUnavailable`. */
  read(streamId: string): Promise<Stream> {
    return this.ask(() => this.reader.read(streamId));
  }

  /** Several streams in one query; a stream without events is in the map too. Throws `StoreUnavailable`. */
  readMany(streamIds: readonly string[]): Promise<Map<string, Stream>> {
    return this.ask(() => this.reader.readMany(streamIds));
  }

  /**
   * Several streams, each with everything up to a position at least; what this process has just read or written is not
   * asked for again, and may lack what others have appended since. Throws `StoreUnavailable`.
   */
  async readUpTo(positions: ReadonlyMap<string, number>): Promise<Map<string, Stream>> {
    const known = [...positions].flatMap(([id, position]) => this.recent.upTo(id, position) ?? []);
    const streams = new Map(known.map((stream) => [stream.streamId, stream]));
    const asked = await this.readMany([...positions.keys()].filter((id) => !streams.has(id)));
    return new Map([...streams, ...asked]);
  }

  /** The newest event of a type among the last 10,000 positions of the log; null where there is none. Throws `StoreUnavailable`. */
  newest(type: string): Promise<RecordedEvent | null> {
    return this.ask(() => this.reader.newest(type));
  }

  /** The stream that holds a key. Throws `StoreUnavailable`. */
  streamOf(scope: string, key: string): Promise<string | null> {
    return this.ask(() => holderOf(this.pool, scope, key));
  }

  /** The keys of a scope with the streams that hold them, in the order of the keys, `limit` at most. Throws `StoreUnavailable`. */
  streamsOf(scope: string, limit: number): Promise<Map<string, string>> {
    return this.ask(() => holdersOf(this.pool, scope, limit));
  }

  /**
   * The streams of a scope whose keys are UUIDv7, newest first, `limit` at most; those before the key `before` where one
   * is given. Throws `StoreUnavailable`.
   */
  newestStreamsOf(scope: string, before: string | null, limit: number): Promise<string[]> {
    return this.ask(() => newestHoldersOf(this.pool, scope, before, limit));
  }

  /**
   * Writes events, evidence and keys together or not at all, and resolves after the commit. Trying the same append
   * again (same event ids, same message id) is harmless. Throws `Conflict`, `KeyTaken` or `StoreUnavailable`.
   */
  async append(append: Append): Promise<Appended> {
    if (append.events.length === 0 && (append.keys ?? []).length > 0)
      throw new TypeError('keys are claimed with events');
    if (append.streamId === noStream && append.events.length > 0) throw new TypeError('the nil stream takes no events');
    return traceAppend(append, () => this.write(memberOf(append)));
  }

  /** Keeps a message that causes no events; `streamId` null where no stream was found for it. Throws `StoreUnavailable`. */
  async recordMessage(streamId: string | null, message: InboxMessage): Promise<Appended> {
    const head = { version: 0, hash: null };
    return this.write({ streamId: streamId ?? noStream, head, events: [], metadata: null, message, keys: [] });
  }

  /** Unmatched and quarantined messages about a subject, oldest first, at most 200. */
  openMessages(source: string, subject: string): Promise<StoredMessage[]> {
    return this.ask(() => openMessages(this.pool, source, subject, maxMessages));
  }

  /** The messages of a stream, oldest first, at most 200. */
  messagesOf(streamId: string): Promise<StoredMessage[]> {
    return this.ask(() => messagesOf(this.pool, streamId, maxMessages));
  }

  /** One message of a stream by its digest; null where it was not received. Throws `StoreUnavailable`. */
  messageAt(streamId: string, digest: Buffer): Promise<StoredMessage | null> {
    return this.ask(() => messageAt(this.pool, streamId, digest));
  }

  /** One message with all that is kept of it, and whether it still has the hash it was stored with. Null: none of this id. */
  message(id: string): Promise<KeptMessage | null> {
    return this.ask(() => messageById(this.pool, id));
  }

  /** An open message has been applied now (`streamId` as it was recorded). False when it was not open any more. */
  markMatched(streamId: string | null, digest: Buffer): Promise<boolean> {
    return this.ask(() => markMatched(this.pool, streamId, digest));
  }

  /** Calls `listener` after each commit of events by this process. Returns how to stop it. */
  onAppended(listener: (position: number, events: readonly RecordedEvent[]) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Appends that wait for a statement; beyond `maxWaiting` they are refused. */
  get queued(): number {
    return this.appender.queued;
  }

  /** Appends of this process so far, by what came of them. */
  get appends(): Readonly<Record<AppendOutcome, number>> {
    return this.tally;
  }

  /** Statements of this process so far of which nobody knew whether they were carried out; most were sent again. */
  get unknownOutcomes(): number {
    return this.appender.unknownOutcomes;
  }

  /** How its connections are used now. */
  get connections(): Pick<Pool, 'totalCount' | 'idleCount' | 'waitingCount'> {
    return this.pool;
  }

  /** Finishes what was accepted and refuses everything new. */
  close(): Promise<void> {
    this.closing ??= this.appender.drained().then(() => this.pool.end());
    return this.closing;
  }

  private async write(member: Member): Promise<Appended> {
    if (this.closing) throw new StoreUnavailable('the event store is shutting down');
    if (member.events.length === 0 && member.message === null) {
      return { outcome: 'appended', position: 0, head: member.head, events: [] };
    }
    const outcome = await this.counted(this.appender.append(member));
    if (outcome.outcome === 'appended' && outcome.events.length > 0) {
      this.recent.appended(member.streamId, member.head, outcome.events, outcome.head);
      this.wake(outcome.position, outcome.events);
    }
    return outcome;
  }

  private async counted(append: Promise<Appended>): Promise<Appended> {
    try {
      const outcome = await append;
      this.tally[outcome.outcome]++;
      return outcome;
    } catch (error) {
      this.tally[outcomeOf(error)]++;
      throw error;
    }
  }

  private wake(position: number, events: readonly RecordedEvent[]): void {
    for (const listener of this.listeners) listener(position, events);
  }

  private async ask<T>(question: () => Promise<T>): Promise<T> {
    if (this.closing) throw new StoreUnavailable('the event store is shutting down');
    try {
      return await question();
    } catch (error) {
      throw error instanceof TypeError ? error : unavailable(error);
    }
  }
}

function outcomeOf(error: unknown): AppendOutcome {
  if (error instanceof Conflict) return 'conflict';
  if (error instanceof KeyTaken) return 'key_taken';
  return error instanceof StoreUnavailable ? 'unavailable' : 'refused';
}

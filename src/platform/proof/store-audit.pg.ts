import type { Pool } from 'pg';
import type { PoolSettings } from '../database/database.pg.js';
import { auditChains, auditStreams } from '../event-store/chain-audit.pg.js';
import type { EventBreak } from '../event-store/chain-walk.js';
import { Breaks } from './breaks.js';
import type { CheckpointFiles } from './checkpoint-files.job.js';
import { auditMessages, auditMessagesOf } from './message-audit.pg.js';
import { auditSeals, type SealAudit } from './seal-audit.pg.js';

/** For the connections of an audit: some statements read the whole of a large table, and one transaction waits for the others. */
export const auditLimits: PoolSettings = { max: 3, statementTimeoutMs: 300_000, idleInTransactionTimeoutMs: 0 };

export interface StoreAudit {
  events: number;
  streams: number;
  messages: number;
  /** Null where only some streams were looked at. */
  seals: SealAudit | null;
  breaks: Breaks;
}

export interface StoreAuditOptions {
  files: CheckpointFiles;
  publicKeys: readonly string[];
  onProgress?: (part: 'events' | 'messages' | 'checkpoints', done: number, total: number | null) => void;
  signal?: AbortSignal | undefined;
  /** Awaited between two pages, for whoever is in no hurry. */
  pause?: () => Promise<void>;
  /** Breaks that are kept with their names; the others are counted. Default 100. */
  mostKept?: number;
}

/** Looks at everything that is proven of a store: each event's hash, each message's, and all that was ever sealed. */
export async function auditStore(pool: Pool, options: StoreAuditOptions): Promise<StoreAudit> {
  const { files, publicKeys, onProgress, signal } = options;
  const pause = options.pause && { pause: options.pause };
  const breaks = new Breaks(options.mostKept);
  const chains = new EventBreaks(breaks);
  const { events, streams } = await auditChains(pool, {
    signal,
    ...pause,
    onBreak: (found) => chains.add(found),
    onProgress: (done) => onProgress?.('events', done, null),
  });
  chains.end();
  const messages = await auditMessages(pool, breaks, {
    signal,
    ...pause,
    onProgress: (done) => onProgress?.('messages', done, null),
  });
  const seals = await auditSeals(pool, breaks, {
    files,
    publicKeys,
    signal,
    ...pause,
    onProgress: (done, total) => onProgress?.('checkpoints', done, total),
  });
  return { events, streams, messages, seals, breaks };
}

/** The events and messages of some streams alone. */
export async function auditSome(pool: Pool, streamIds: readonly string[]): Promise<StoreAudit> {
  const breaks = new Breaks();
  const { events, streams, breaks: found } = await auditStreams(pool, streamIds);
  for (const each of found) breaks.add(each);
  const messages = await auditMessagesOf(pool, streamIds, breaks);
  return { events, streams, messages, seals: null, breaks };
}

/** The event after a broken one may tell more of it: each is handed on when the next one is found. */
class EventBreaks {
  private last: EventBreak | null = null;

  constructor(private readonly breaks: Breaks) {}

  add(found: EventBreak): void {
    this.end();
    this.last = found;
  }

  end(): void {
    if (this.last) this.breaks.add(this.last);
    this.last = null;
  }
}

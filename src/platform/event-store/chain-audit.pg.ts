import type { CustomTypesConfig, Pool } from 'pg';
import { chainedEventOf, eventColumns, storedTypes, type EventRow } from './event-row.pg.js';
import { ChainWalk, type EventBreak, type StoredEvent } from './chain-walk.js';

const timestamptz = 1184;
const inMilliseconds = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,3}))?\+00$/;

/** Times as they are hashed. One that we cannot have written, such as one with microseconds, stays as PostgreSQL shows it. */
export const exactTypes: CustomTypesConfig = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    return oid === timestamptz && format !== 'binary'
      ? exactInstant
      : (storedTypes.getTypeParser(oid, format) as unknown);
  },
};

function exactInstant(text: string): string {
  const parts = inMilliseconds.exec(text);
  return parts ? `${parts[1]}T${parts[2]}.${(parts[3] ?? '').padEnd(3, '0')}Z` : text;
}

const all = {
  name: 'audit-page',
  text: `select ${eventColumns}, hash from event where (stream_id, version) > ($1::uuid, $2::integer)
    order by stream_id, version limit $3`,
  types: exactTypes,
};
const some = {
  name: 'audit-streams',
  text: `select ${eventColumns}, hash from event where stream_id = any($1::uuid[]) order by stream_id, version`,
  types: exactTypes,
};

/** Small enough that a page is gone before the garbage collector moves it. */
const pageSize = 1000;
const maxBreaks = 100;

export interface AuditOptions {
  onProgress?: (events: number) => void;
  /** Told of each break in the order of streams; its reason is final when the audit ends. Unless given, the first 100 are kept. */
  onBreak?: (found: EventBreak) => void;
  /** Ends the audit between two pages. */
  signal?: AbortSignal | undefined;
  /** Awaited between two pages. */
  pause?: () => Promise<void>;
}

export interface ChainAudit {
  events: number;
  streams: number;
  breaks: EventBreak[];
}

/** An event as its row has it, every column exact. */
const storedEventOf = (row: EventRow): StoredEvent => Object.assign(chainedEventOf(row), { position: row.position });

/**
 * Recomputes the hash chain of every stream from the stored bytes. Reads the whole table, page by page, the next one
 * while the one before is hashed.
 */
export async function auditChains(pool: Pool, options: AuditOptions = {}): Promise<ChainAudit> {
  const breaks: EventBreak[] = [];
  const keep = (found: EventBreak): void => {
    if (breaks.length < maxBreaks) breaks.push(found);
  };
  const walk = new ChainWalk(options.onBreak ?? keep);
  const read = async (streamId: string, version: number): Promise<EventRow[]> =>
    (await pool.query<EventRow>({ ...all, values: [streamId, version, pageSize] })).rows;
  let next = read('00000000-0000-0000-0000-000000000000', -1);
  for (;;) {
    const rows = await next;
    const last = rows.at(-1);
    const more = last !== undefined && rows.length === pageSize;
    if (more) {
      next = read(last.stream_id, last.version);
      // Whoever stops early never awaits it.
      next.catch(() => undefined);
    }
    for (const row of rows) walk.add(storedEventOf(row));
    options.onProgress?.(walk.events);
    if (!more) return { events: walk.events, streams: walk.streams, breaks };
    options.signal?.throwIfAborted();
    await options.pause?.();
  }
}

/** The same for some streams. */
export async function auditStreams(pool: Pool, streamIds: readonly string[]): Promise<ChainAudit> {
  const breaks: EventBreak[] = [];
  const walk = new ChainWalk((found) => breaks.push(found));
  for (const row of (await pool.query<EventRow>({ ...some, values: [streamIds] })).rows) walk.add(storedEventOf(row));
  return { events: walk.events, streams: walk.streams, breaks };
}

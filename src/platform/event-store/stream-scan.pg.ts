import type { Pool } from 'pg';
import type { RecordedEvent } from '../../kernel/event.js';
import { eventColumns, eventOf, storedTypes, type EventRow } from './event-row.pg.js';

export interface StreamScan {
  /** Streams that begin with an event of this type only. */
  beginsWith: string;
  /** Of this application only. */
  tenant?: string;
  /** Streams whose ids are greater than this one, which is where an earlier scan ended. */
  after?: string;
  /** Ends the scan between two pages. */
  signal?: AbortSignal;
  pageSize?: number;
}

/** Whole streams of a page, and the id up to which all were read: a later scan goes on after it. Null where none was yet. */
export interface ScannedPage {
  streams: RecordedEvent[][];
  last: string | null;
}

/** Events that a page of one application is looked for in: the others' must not make it cost more than it may. */
const windowSize = 20_000;

const pageText = (tenant: boolean): string => `select ${eventColumns} from event
  where (stream_id, version) > ($1::uuid, $2::integer)${tenant ? ' and tenant = $4::uuid and (stream_id, version) <= ($5::uuid, $6::integer)' : ''}
  order by stream_id, version limit $3`;
const pages = {
  all: { name: 'scan-streams', text: pageText(false), types: storedTypes },
  tenant: { name: 'scan-streams-tenant', text: pageText(true), types: storedTypes },
};
const windowEnd = {
  name: 'scan-streams-window',
  text: `select stream_id as "streamId", version from event where (stream_id, version) > ($1::uuid, $2::integer)
    order by stream_id, version offset ${String(windowSize - 1)} limit 1`,
};

const firstId = '00000000-0000-0000-0000-000000000000';
const lastId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
const lastVersion = 2_147_483_647;

/** Where an event stands in the order of the scan. */
type Place = Pick<RecordedEvent, 'streamId' | 'version'>;

/** Events in order, and where the next ones are to be looked for; null where there are none. */
interface Read {
  events: RecordedEvent[];
  end: Place | null;
}

async function readPage(pool: Pool, after: Place, limit: number, tenant: string | undefined): Promise<Read> {
  const values: unknown[] = [after.streamId, after.version, limit];
  let end: Place | null = null;
  if (tenant !== undefined) {
    end = (await pool.query<Place>({ ...windowEnd, values: values.slice(0, 2) })).rows[0] ?? null;
    values.push(tenant, end?.streamId ?? lastId, end?.version ?? lastVersion);
  }
  const query = tenant === undefined ? pages.all : pages.tenant;
  const events = (await pool.query<EventRow>({ ...query, values })).rows.map(eventOf);
  return { events, end: events.length === limit ? (events.at(-1) ?? end) : end };
}

/**
 * Reads whole streams in the order of their ids, a page of them at a time; each is a list of its events, oldest first.
 * The next page is read while the caller works on the one before. Streams that are appended to meanwhile are read as
 * they are when their page comes.
 */
export async function* scanStreams(pool: Pool, scan: StreamScan): AsyncGenerator<ScannedPage> {
  const { beginsWith, tenant, after, signal, pageSize = 4000 } = scan;
  const read = (place: Place): Promise<Read> => readPage(pool, place, pageSize, tenant);
  const isWanted = (stream: RecordedEvent[]): boolean => stream[0]?.type === beginsWith;
  let next = read({ streamId: after ?? firstId, version: lastVersion });
  let open: RecordedEvent[] = [];
  let last = after ?? null;
  for (;;) {
    const { events, end } = await next;
    const streams = byStream(open, events);
    // The last stream of a page may go on in the next one; of one that nobody wants the rest is passed over.
    const isCut = end !== null && lastIdOf(streams) === end.streamId && streams.slice(-1).some(isWanted);
    if (end) {
      next = read(isCut ? end : { streamId: end.streamId, version: lastVersion });
      // Whoever stops early never awaits it.
      next.catch(() => undefined);
    }
    open = isCut ? (streams.pop() ?? []) : [];
    last = (isCut ? lastIdOf(streams) : end?.streamId) ?? last;
    // Also where there are none: a caller counts its time by the pages.
    yield { streams: streams.filter(isWanted), last };
    if (!end) return;
    signal?.throwIfAborted();
  }
}

const lastIdOf = (streams: readonly RecordedEvent[][]): string | undefined => streams.at(-1)?.[0]?.streamId;

function byStream(open: RecordedEvent[], events: readonly RecordedEvent[]): RecordedEvent[][] {
  const streams = open.length > 0 ? [open] : [];
  for (const event of events) {
    const current = streams.at(-1);
    if (current?.[0]?.streamId === event.streamId) current.push(event);
    else streams.push([event]);
  }
  return streams;
}

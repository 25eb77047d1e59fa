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

const pageText = (tenant: boolean): string => `select ${eventColumns} from event
  where (stream_id, version) > ($1::uuid, $2::integer)${tenant ? ' and tenant = $4::uuid' : ''}
  order by stream_id, version limit $3`;
const pages = {
  all: { name: 'scan-streams', text: pageText(false), types: storedTypes },
  tenant: { name: 'scan-streams-tenant', text: pageText(true), types: storedTypes },
};

const lastVersion = 2_147_483_647;

/**
 * Reads whole streams in the order of their ids, a page of them at a time; each is a list of its events, oldest first.
 * The next page is read while the caller works on the one before. Streams that are appended to meanwhile are read as
 * they are when their page comes.
 */
export async function* scanStreams(pool: Pool, scan: StreamScan): AsyncGenerator<RecordedEvent[][]> {
  const { beginsWith, tenant, after, signal, pageSize = 4000 } = scan;
  const query = tenant === undefined ? pages.all : pages.tenant;
  const read = async (streamId: string, version: number): Promise<RecordedEvent[]> => {
    const values: unknown[] = [streamId, version, pageSize, ...(tenant === undefined ? [] : [tenant])];
    return (await pool.query<EventRow>({ ...query, values })).rows.map(eventOf);
  };
  let next = read(after ?? '00000000-0000-0000-0000-000000000000', lastVersion);
  let open: RecordedEvent[] = [];
  for (;;) {
    const events = await next;
    const last = events.at(-1);
    const more = last !== undefined && events.length === pageSize;
    if (more) {
      next = read(last.streamId, last.version);
      // Whoever stops early never awaits it.
      next.catch(() => undefined);
    }
    const streams = byStream(open, events);
    // The last stream of a full page may go on in the next one.
    open = more ? (streams.pop() ?? []) : [];
    const wanted = streams.filter(([first]) => first?.type === beginsWith);
    // Also where there are none: a caller counts its time by the pages.
    yield wanted;
    if (!more) return;
    signal?.throwIfAborted();
  }
}

function byStream(open: RecordedEvent[], events: readonly RecordedEvent[]): RecordedEvent[][] {
  const streams = open.length > 0 ? [open] : [];
  for (const event of events) {
    const current = streams.at(-1);
    if (current?.[0]?.streamId === event.streamId) current.push(event);
    else streams.push([event]);
  }
  return streams;
}

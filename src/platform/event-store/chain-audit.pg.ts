import type { Pool } from 'pg';
import { chainedEventOf, eventColumns, storedTypes, type EventRow } from './event-row.pg.js';
import { firstBreak, type ChainBreak, type ChainedEvent } from './hash-chain.js';

const page = {
  name: 'audit-page',
  text: `select ${eventColumns}, hash from event where (stream_id, version) > ($1::uuid, $2::integer)
    order by stream_id, version limit $3`,
  types: storedTypes,
};

const pageSize = 2000;

export interface ChainAudit {
  events: number;
  streams: number;
  /** The first break of each stream that has one, at most `maxBreaks`. */
  breaks: ChainBreak[];
}

/** Recomputes the hash chain of every stream from the stored bytes. Reads the whole table, page by page. */
export async function auditChains(
  pool: Pool,
  onProgress: (events: number) => void = () => undefined,
  maxBreaks = 100,
): Promise<ChainAudit> {
  const audit: ChainAudit = { events: 0, streams: 0, breaks: [] };
  let last: ChainedEvent | null = null;
  let broken = '';
  for (;;) {
    const values: unknown[] = [last?.streamId ?? '00000000-0000-0000-0000-000000000000', last?.version ?? 0, pageSize];
    const rows = (await pool.query<EventRow>({ ...page, values })).rows.map(chainedEventOf);
    for (const stream of byStream(rows)) {
      const [first] = stream;
      if (first === undefined) continue;
      const continues = last?.streamId === first.streamId;
      if (!continues) audit.streams++;
      const found = first.streamId === broken ? null : firstBreak(stream, continues && last ? last : undefined);
      if (found) broken = found.streamId;
      if (found && audit.breaks.length < maxBreaks) audit.breaks.push(found);
      last = stream.at(-1) ?? last;
    }
    audit.events += rows.length;
    onProgress(audit.events);
    if (rows.length < pageSize) return audit;
  }
}

function byStream(rows: readonly ChainedEvent[]): ChainedEvent[][] {
  const streams: ChainedEvent[][] = [];
  for (const row of rows) {
    const current = streams.at(-1);
    if (current?.[0]?.streamId === row.streamId) current.push(row);
    else streams.push([row]);
  }
  return streams;
}

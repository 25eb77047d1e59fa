import type { ClientBase } from 'pg';
import type { RecordedEvent } from '../../kernel/event.js';
import { eventColumns, eventOf, storedTypes, type EventRow } from '../event-store/event-row.pg.js';

// The inner query is kept apart, so that the server finds the events by their streams and not by walking the log.
const page = {
  name: 'read-parts',
  text: `select * from (select ${eventColumns} from event where stream_id = any($1::uuid[]) and position > $2 and position <= $3 offset 0) e
    order by position limit $4`,
  types: storedTypes,
};

/** All events of these streams up to a position, in the log's order, a page at a time. */
export async function* eventsOfStreams(
  client: ClientBase,
  streamIds: readonly string[],
  upTo: number,
  pageSize: number,
): AsyncGenerator<RecordedEvent[]> {
  for (let after = 0; ;) {
    const { rows } = await client.query<EventRow>({ ...page, values: [streamIds, after, upTo, pageSize] });
    if (rows.length > 0) yield rows.map(eventOf);
    if (rows.length < pageSize) return;
    after = rows.at(-1)?.position ?? upTo;
  }
}

import type { Pool, PoolClient } from 'pg';
import type { RecordedEvent } from '../../../src/kernel/event.js';
import type { EventStore } from '../../../src/platform/event-store/event-store.pg.js';
import type { Projection } from '../../../src/platform/subscriptions/projection.js';
import { anEvent, newId, noEvents, someMetadata } from '../event-store/samples.js';

/** A read model: events per stream, and the last position. Applying an event twice would show. */
export async function createTallies(pool: Pool, name: string): Promise<void> {
  await pool.query(`
    create table ${name} (
      stream_id uuid primary key,
      events integer not null check (events > 0),
      label text not null unique,
      last_position bigint not null
    ) with (fillfactor = 80);
    create index ${name}_by_position on ${name} (last_position desc) where events > 1`);
}

export const tallies = (
  name: string,
  before: (events: readonly RecordedEvent[], tx: PoolClient) => Promise<void> = async () => {},
) => {
  const projection: Projection = {
    kind: 'projection',
    name,
    tables: [name],
    async apply(tx, events) {
      await before(events, tx);
      for (const { streamId, position } of events) {
        await tx.query({
          name: `tally-${name}`,
          text: `insert into ${name} (stream_id, events, label, last_position) values ($1::uuid, 1, $1::uuid::text, $2)
            on conflict (stream_id) do update set events = ${name}.events + 1, last_position = excluded.last_position`,
          values: [streamId, position],
        });
      }
    },
    async reset(tx) {
      await tx.query(`delete from ${name}`);
    },
  };
  return projection;
};

export const appendTo = async (store: EventStore, streamId = newId(), count = 1): Promise<number> => {
  const { head } = await store.read(streamId);
  const events = Array.from({ length: count }, () => anEvent());
  const outcome = await store.append({ streamId, head: head ?? noEvents, events, metadata: someMetadata() });
  if (outcome.outcome !== 'appended') throw new Error('a duplicate?');
  return outcome.position;
};

/** What the table holds and what the log says it should hold. */
export async function compare(pool: Pool, name: string): Promise<{ table: unknown[]; log: unknown[] }> {
  const columns = 'stream_id, events, last_position::text';
  const table = await pool.query(`select ${columns} from ${name} order by stream_id`);
  const log = await pool.query(
    `select ${columns} from (select stream_id, count(*)::integer as events, max(position) as last_position from event group by stream_id) s order by stream_id`,
  );
  return { table: table.rows, log: log.rows };
}

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { v7 } from 'uuid';
import { testDatabase, type TestDatabase } from '../../support/database.js';
import { createPool } from '../../../src/platform/database/database.pg.js';
import { Conflict, EventStore } from '../../../src/platform/event-store/event-store.pg.js';
import { LogReader } from '../../../src/platform/event-store/log-reader.pg.js';
import { anEvent, newId, noEvents, someMetadata, until } from './samples.js';

let database: TestDatabase;
let store: EventStore;

beforeAll(async () => {
  database = await testDatabase();
  store = new EventStore({ url: database.url });
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const rawInsert = (client: pg.ClientBase, streamId: string, version: number) =>
  client.query({
    name: 'raw-insert',
    text: `insert into event (stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash)
      values ($1, $2, $3, 'Raw', 1, now(), $3, 'service', $3, $3, '{}', $4)`,
    values: [streamId, version, v7(), Buffer.alloc(32)],
  });
const append = () => store.append({ streamId: newId(), head: noEvents, events: [anEvent()], metadata: someMetadata() });
const positionOf = (outcome: Awaited<ReturnType<typeof append>>): number =>
  outcome.outcome === 'appended' ? outcome.position : 0;

/** Who writes to the log here; other databases are copies of the same template, with the same numbers for their tables. */
const heldLocks = `select from pg_locks where relation = 'event'::regclass and mode = 'RowExclusiveLock'
  and database = (select oid from pg_database where datname = current_database())`;

describe('The reader of the log', () => {
  it('gives events in the order of the log, page by page', async () => {
    const log = new LogReader(database.pool);
    const start = await log.watermark();
    const positions = [positionOf(await append()), positionOf(await append()), positionOf(await append())];
    expect((await log.read(start, 2)).map((event) => event.position)).toEqual(positions.slice(0, 2));
    expect((await log.read(positions[1] ?? 0, 2)).map((event) => event.position)).toEqual(positions.slice(2));
    expect(await log.read(start, 10, positions[0])).toHaveLength(1);
  });

  it('D10: does not pass an open transaction that has drawn a position, and loses nothing when that commits', async () => {
    const log = new LogReader(database.pool);
    const start = await log.watermark();
    const client = await database.pool.connect();
    const held = newId();
    await client.query('begin');
    await rawInsert(client, held, 1);
    const later = positionOf(await append());
    const { rows } = await database.pool.query(heldLocks);
    expect(rows).toHaveLength(1);
    expect(await log.read(start, 10)).toEqual([]);
    await client.query('commit');
    client.release();
    const events = await log.read(start, 10);
    expect(events.map((event) => event.streamId === held)).toEqual([true, false]);
    expect(events[1]?.position).toBe(later);
  });

  it('does not wait for a number that a rollback left unused', async () => {
    const log = new LogReader(database.pool);
    const client = await database.pool.connect();
    await client.query('begin');
    await rawInsert(client, newId(), 1);
    await client.query('rollback');
    client.release();
    const position = positionOf(await append());
    expect(await log.watermark()).toBe(position);
  });

  it('shares one look among all who ask at the same moment, and never answers from one that began too early', async () => {
    const log = new LogReader(database.pool);
    const early = log.watermark();
    const position = positionOf(await append());
    const marks = await Promise.all([log.watermark(), log.watermark(), log.watermark()]);
    expect(marks).toEqual([position, position, position]);
    expect(await early).toBeLessThanOrEqual(position);
  });
});

/** Follows by "everything after the last position that I have seen": what the watermark exists to replace. */
const naiveRead = async (pool: pg.Pool, after: number): Promise<number[]> => {
  const text = 'select position from event where position > $1 order by position limit 500';
  return (await pool.query<{ position: string | number }>(text, [after])).rows.map((row) => Number(row.position));
};

describe('Under many writers, open transactions, rollbacks and conflicts', () => {
  const seconds = 5;

  it('the log reader loses nothing, repeats nothing and keeps the order, where a naive reader loses events', async () => {
    const start = await new LogReader(database.pool).watermark();
    const writers = createPool(database.url, { max: 12 });
    const readers = [1, 2, 3].map(() => createPool(database.url, { max: 1 }));
    const end = performance.now() + seconds * 1000;
    const running = () => performance.now() < end;
    const pause = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 15));
    const counts = { rolledBack: 0, conflicts: 0 };

    const shared = Array.from({ length: 8 }, newId);
    const throughTheStore = async () => {
      while (running()) {
        const streamId = Math.random() < 0.5 ? newId() : (shared[Math.floor(Math.random() * shared.length)] ?? newId());
        const { head } = await store.read(streamId);
        const events = Array.from({ length: 1 + Math.floor(Math.random() * 3) }, () => anEvent());
        await store.append({ streamId, head, events, metadata: someMetadata() }).catch((error: unknown) => {
          if (!(error instanceof Conflict)) throw error;
          counts.conflicts++;
        });
      }
    };
    const contested = Array.from({ length: 4 }, newId);
    const inTransactions = async () => {
      while (running()) {
        const client = await writers.connect();
        try {
          await client.query('begin');
          const streamId = Math.random() < 0.3 ? (contested[Math.floor(Math.random() * 4)] ?? newId()) : newId();
          const { rows } = await client.query(
            'select coalesce(max(version), 0)::integer as version from event where stream_id = $1',
            [streamId],
          );
          await rawInsert(client, streamId, rows[0].version + 1);
          await pause();
          if (Math.random() < 0.5) await rawInsert(client, streamId, rows[0].version + 2);
          const abandon = Math.random() < 0.2;
          if (abandon) counts.rolledBack++;
          await client.query(abandon ? 'rollback' : 'commit');
        } catch (error) {
          await client.query('rollback');
          if (!(error instanceof pg.DatabaseError) || !['23505', '40P01'].includes(error.code ?? '')) throw error;
          counts.conflicts++;
        } finally {
          client.release();
        }
      }
    };

    let writing = true;
    const follow = async (pool: pg.Pool): Promise<string[]> => {
      const log = new LogReader(pool);
      const seen: string[] = [];
      for (let after = start, last = false; ;) {
        const finished = !writing;
        const events = await log.read(after, 500);
        for (const event of events) seen.push(`${event.position} ${event.streamId} ${event.version}`);
        after = events.at(-1)?.position ?? after;
        if (events.length === 0 && finished && last) return seen;
        last = events.length === 0 && finished;
      }
    };
    const followNaively = async (pool: pg.Pool): Promise<number> => {
      let count = 0;
      for (let after = start; ;) {
        const finished = !writing;
        const positions = await naiveRead(pool, after);
        count += positions.length;
        after = positions.at(-1) ?? after;
        if (positions.length === 0 && finished) return count;
      }
    };

    const [one, two, three] = readers as [pg.Pool, pg.Pool, pg.Pool];
    const following = Promise.all([follow(one), follow(two), followNaively(three)]);
    await Promise.all([...Array.from({ length: 24 }, throughTheStore), ...Array.from({ length: 12 }, inTransactions)]);
    await until(async () => (await database.pool.query(heldLocks)).rowCount === 0, 'writers end');
    writing = false;
    const [first, second, naive] = await following;

    const { rows } = await database.pool.query(
      'select position, stream_id, version from event where position > $1 order by position',
      [start],
    );
    const log = rows.map((row) => `${row.position} ${row.stream_id} ${row.version}`);
    expect(log.length).toBeGreaterThan(1000);
    expect(first.length).toBe(log.length);
    expect(first).toEqual(log);
    expect(second).toEqual(log);
    // Position order is each stream's order too.
    const versions = new Map<string, number>();
    const disordered = rows.filter((row) => {
      const expected = (versions.get(row.stream_id) ?? 0) + 1;
      versions.set(row.stream_id, row.version);
      return row.version !== expected;
    });
    expect(disordered).toEqual([]);
    // The load was hostile enough to tell a right reader from a wrong one.
    expect(counts.rolledBack).toBeGreaterThan(20);
    expect(counts.conflicts).toBeGreaterThan(20);
    expect(naive).toBeLessThan(log.length);
    if (process.env['SHOW'])
      process.stderr.write(`${log.length} events, naive lost ${log.length - naive}, ${JSON.stringify(counts)}\n`);
    await Promise.all([writers, ...readers].map((pool) => pool.end()));
  });
});

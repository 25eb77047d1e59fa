import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { testDatabase, type TestDatabase } from '../../support/database.js';
import { EventStore } from '../../../src/platform/event-store/event-store.pg.js';
import { LogReader } from '../../../src/platform/event-store/log-reader.pg.js';
import { Follower } from '../../../src/platform/subscriptions/follower.pg.js';
import type { Projection, Reactor } from '../../../src/platform/subscriptions/projection.js';
import { rebuild, RebuildInProgress, type RebuildProgress } from '../../../src/platform/subscriptions/rebuild.pg.js';
import { NotRebuildable } from '../../../src/platform/subscriptions/shadow-tables.pg.js';
import { newId } from '../event-store/samples.js';
import { appendTo, compare, createTallies, tallies } from './tallies.js';

let database: TestDatabase;
let store: EventStore;

beforeAll(async () => {
  database = await testDatabase();
  store = new EventStore({ url: database.url });
  await Promise.all(Array.from({ length: 60 }, (_, n) => appendTo(store, newId(), 1 + (n % 3))));
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const followers: Follower[] = [];
afterEach(async () => {
  await Promise.all(followers.splice(0).map((follower) => follower.stop()));
});

const follower = (projection: Projection): Follower => {
  const made = new Follower(
    { pool: database.pool, log: new LogReader(database.pool), appends: store, options: { retryMs: 5 } },
    projection,
  );
  followers.push(made);
  return made;
};

/** Columns, constraints, indexes and settings, without object ids. */
const shapeOf = async (table: string): Promise<unknown> => {
  const { rows } = await database.pool.query(
    `select (select array_agg(attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull order by attnum) from pg_attribute where attrelid = c.oid and attnum > 0) as columns,
       (select array_agg(conname || ' ' || pg_get_constraintdef(oid) order by conname) from pg_constraint where conrelid = c.oid) as constraints,
       (select array_agg(pg_get_indexdef(indexrelid) order by pg_get_indexdef(indexrelid)) from pg_index where indrelid = c.oid) as indexes,
       reloptions
     from pg_class c where oid = $1::regclass`,
    [table],
  );
  return rows[0];
};
const leftovers = async (): Promise<number> => {
  const { rows } = await database.pool.query(`select from pg_namespace where nspname like 'rebuild%'`);
  return rows.length;
};

describe('A rebuild', () => {
  it('puts right what is wrong, leaves the table as it was made, and lets the follower go on from there', async () => {
    await createTallies(database.pool, 'mended');
    const projection = tallies('mended');
    const live = follower(projection);
    live.start();
    await live.waitFor(await appendTo(store), 5000);
    await database.pool.query('update mended set events = events + 5');
    await database.pool.query(`insert into mended values ($1, 1, 'stray', 1)`, [newId()]);
    const shape = await shapeOf('mended');
    const seen: RebuildProgress[] = [];
    const result = await rebuild(database.url, projection, {
      pageSize: 10,
      onProgress: (progress) => seen.push(progress),
    });
    const after = await compare(database.pool, 'mended');
    expect(after.table).toEqual(after.log);
    expect(await shapeOf('mended')).toEqual(shape);
    expect(seen.length).toBeGreaterThan(5);
    expect(seen.at(-1)).toMatchObject({ position: result.position, total: result.position });
    expect(await live.waitFor(await appendTo(store), 5000)).toBe(true);
    await live.stop();
    const later = await compare(database.pool, 'mended');
    expect(later.table).toEqual(later.log);
    expect(await leftovers()).toBe(0);
  });

  it('D16: serves readers all the while, and loses nothing that is appended meanwhile', async () => {
    await createTallies(database.pool, 'served');
    const projection = tallies('served');
    const live = follower(projection);
    live.start();
    await live.waitFor(await appendTo(store), 5000);
    let rebuilding = true;
    const counts: number[] = [];
    const reading = (async () => {
      while (rebuilding)
        counts.push(
          (await database.pool.query<{ n: number }>('select count(*)::integer as n from served')).rows[0]?.n ?? 0,
        );
    })();
    const writing = (async () => {
      while (rebuilding) await appendTo(store);
    })();
    for (let round = 0; round < 3; round++) await rebuild(database.url, projection, { pageSize: 20 });
    rebuilding = false;
    await Promise.all([reading, writing]);
    expect(await live.waitFor(await appendTo(store), 5000)).toBe(true);
    await live.stop();
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(counts[0] ?? 1);
    expect(counts[0]).toBeGreaterThan(0);
    const { table, log } = await compare(database.pool, 'served');
    expect(table).toEqual(log);
  });

  it('as a dry run compares at one position and changes nothing', async () => {
    await createTallies(database.pool, 'compared');
    const projection = tallies('compared');
    const live = follower(projection);
    live.start();
    await live.waitFor(await appendTo(store), 5000);
    await live.stop();
    await appendTo(store);
    expect((await rebuild(database.url, projection, { dryRun: true })).tables).toMatchObject([
      { table: 'compared', same: true },
    ]);
    await database.pool.query(
      'update compared set events = 9 where stream_id = (select min(stream_id::text)::uuid from compared)',
    );
    const { tables } = await rebuild(database.url, projection, { dryRun: true });
    expect(tables).toMatchObject([{ same: false }]);
    expect(tables[0]?.live.rows).toBe(tables[0]?.rebuilt.rows);
    const { rows } = await database.pool.query('select from compared where events = 9');
    expect(rows).toHaveLength(1);
    expect(await leftovers()).toBe(0);
  });

  it('revives a follower that had stopped', async () => {
    await createTallies(database.pool, 'revived');
    await database.pool.query(
      `insert into subscription (name, position, error, failures) values ('revived', 3, 'stuck', 7)`,
    );
    const { position } = await rebuild(database.url, tallies('revived'));
    const { rows } = await database.pool.query(
      `select position::integer, error, failures from subscription where name = 'revived'`,
    );
    expect(rows).toEqual([{ position, error: null, failures: 0 }]);
    const { table, log } = await compare(database.pool, 'revived');
    expect(table).toEqual(log);
  });

  it('that fails leaves the live table alone', async () => {
    await createTallies(database.pool, 'spared');
    await rebuild(database.url, tallies('spared'));
    const failing = tallies('spared', async () => {
      throw new Error('cannot');
    });
    await expect(rebuild(database.url, failing)).rejects.toThrow('cannot');
    const { table, log } = await compare(database.pool, 'spared');
    expect(table).toEqual(log);
    expect(await leftovers()).toBe(0);
  });

  it('runs once at a time', async () => {
    await createTallies(database.pool, 'single');
    const second = tallies('single', async () => {
      await expect(rebuild(database.url, tallies('single'))).rejects.toThrow(RebuildInProgress);
    });
    await rebuild(database.url, second);
  });

  it('refuses a table that a copy would not replace in full', async () => {
    await database.pool.query(
      'create table parent (id uuid primary key); create table child (id uuid references parent)',
    );
    await expect(rebuild(database.url, { ...tallies('child'), tables: ['child'] })).rejects.toThrow(NotRebuildable);
    await expect(rebuild(database.url, { ...tallies('child'), tables: ['nowhere'] })).rejects.toThrow(NotRebuildable);
  });

  it('cannot be asked for a reactor', () => {
    const reactor: Reactor = { kind: 'reactor', name: 'fulfilment', react: async () => undefined };
    // @ts-expect-error a replay must not pay, ship or send anything
    const replay = () => rebuild(database.url, reactor);
    expect(replay).toBeInstanceOf(Function);
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { testDatabase, type TestDatabase } from '../../support/database.js';
import { Busy, operatorName } from '../../../src/platform/database/operator-lock.pg.js';
import { EventStore } from '../../../src/platform/event-store/event-store.pg.js';
import { LogReader } from '../../../src/platform/event-store/log-reader.pg.js';
import { Follower } from '../../../src/platform/subscriptions/follower.pg.js';
import type { Projection, Reactor } from '../../../src/platform/subscriptions/projection.js';
import { rebuild, type RebuildPlan, type RebuildProgress } from '../../../src/platform/subscriptions/rebuild.pg.js';
import { NotRebuildable } from '../../../src/platform/subscriptions/shadow-tables.pg.js';
import { newId, until } from '../event-store/samples.js';
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
    await rebuild(database.url, projection, {
      pageSize: 10,
      onProgress: (progress) => seen.push(progress),
    });
    const after = await compare(database.pool, 'mended');
    expect(after.table).toEqual(after.log);
    expect(await shapeOf('mended')).toEqual(shape);
    expect(seen.length).toBeGreaterThan(5);
    const { rows } = await database.pool.query<{ n: number }>('select count(*)::integer as n from event');
    expect(seen.at(-1)).toEqual({ done: rows[0]?.n, total: rows[0]?.n });
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
    expect(tables).toMatchObject([{ same: false, changed: 1, missing: 0, extra: 0 }]);
    expect(tables[0]?.live).toBe(tables[0]?.rebuilt);
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

  it('that fails leaves the live table alone, and the next one goes on where it ended', async () => {
    await createTallies(database.pool, 'spared');
    await rebuild(database.url, tallies('spared'));
    let pages = 0;
    const failing = tallies('spared', async () => {
      if (++pages === 4) throw new Error('cannot');
    });
    await expect(rebuild(database.url, failing, { pageSize: 10 })).rejects.toThrow('cannot');
    const { table, log } = await compare(database.pool, 'spared');
    expect(table).toEqual(log);
    const third = (
      await database.pool.query<{ position: number }>('select position from event order by position limit 1 offset 29')
    ).rows[0]?.position;
    const applied: number[] = [];
    const counting = tallies('spared', async (events) => {
      applied.push(...events.map(({ position }) => position));
    });
    const { resumedAt, events } = await rebuild(database.url, counting, { pageSize: 10 });
    expect([resumedAt, Math.min(...applied)]).toEqual([third, (third ?? 0) + 1]);
    expect(events).toBe(applied.length + 30);
    const after = await compare(database.pool, 'spared');
    expect(after.table).toEqual(after.log);
    expect(await leftovers()).toBe(0);
  });

  describe('that was stopped half-way', () => {
    const page = { pageSize: 10 };
    /** Leaves an unfinished rebuild behind, with thirty events in it. */
    const stopHalfWay = async (name: string, release = 'one'): Promise<void> => {
      const stopping = new AbortController();
      let pages = 0;
      const projection = tallies(name, async () => {
        if (++pages === 3) stopping.abort(new Error('stopped'));
      });
      const stopped = rebuild(database.url, projection, { ...page, release, signal: stopping.signal });
      await expect(stopped).rejects.toThrow('stopped');
    };
    const goOn = async (
      name: string,
      options: { release?: string; restart?: boolean; dryRun?: boolean; verify?: boolean },
    ): Promise<RebuildPlan | undefined> => {
      let plan: RebuildPlan | undefined;
      await rebuild(database.url, tallies(name), {
        ...page,
        release: 'one',
        ...options,
        onBegin: (told) => (plan = told),
      });
      const { table, log } = await compare(database.pool, name);
      if (!options.dryRun) expect(table).toEqual(log);
      expect(await leftovers()).toBe(0);
      return plan;
    };

    it('goes on between two pages, and counts what is left', async () => {
      await createTallies(database.pool, 'stopped');
      await stopHalfWay('stopped');
      const { rows } = await database.pool.query<{ n: number }>('select count(*)::integer as n from event');
      expect(await goOn('stopped', {})).toMatchObject({ discarded: false, events: (rows[0]?.n ?? 0) - 30 });
    });

    it('begins anew with other code, for other tables, and where it is asked to', async () => {
      await createTallies(database.pool, 'changed');
      await stopHalfWay('changed');
      expect(await goOn('changed', { release: 'two' })).toMatchObject({ resumedAt: null, discarded: true });
      await stopHalfWay('changed');
      await database.pool.query('alter table changed add column note text');
      expect(await goOn('changed', {})).toMatchObject({ resumedAt: null, discarded: true });
      await stopHalfWay('changed');
      expect(await goOn('changed', { restart: true })).toMatchObject({ resumedAt: null, discarded: true });
      expect(await goOn('changed', {})).toMatchObject({ resumedAt: null, discarded: false });
    });

    it('begins anew where it would have to be compared with tables that are behind it', async () => {
      await createTallies(database.pool, 'ahead');
      await stopHalfWay('ahead');
      expect(await goOn('ahead', { dryRun: true })).toEqual({ resumedAt: null, discarded: true, events: 0 });
    }, 15_000);
  });

  it('keeps to the rate that it is given', async () => {
    await createTallies(database.pool, 'paced');
    const began = performance.now();
    const { events } = await rebuild(database.url, tallies('paced'), { rate: 400 });
    expect((performance.now() - began) / 1000).toBeGreaterThan((events * 0.9) / 400);
  }, 30_000);

  it('prints what differs by key and column before it swaps', async () => {
    await createTallies(database.pool, 'verified');
    await rebuild(database.url, tallies('verified'));
    const { rows } = await database.pool.query<{ stream_id: string }>(
      'select stream_id from verified order by stream_id limit 2',
    );
    const [first, second] = rows.map((row) => row.stream_id);
    const stray = newId();
    const long = 'x'.repeat(500);
    await database.pool.query('update verified set label = $2 where stream_id = $1', [first, `${first ?? ''}${long}`]);
    await database.pool.query('delete from verified where stream_id = $1', [second]);
    await database.pool.query(`insert into verified values ($1, 1, 'stray', 1)`, [stray]);
    let wrong = 0;
    const { tables } = await rebuild(database.url, tallies('verified'), {
      verify: true,
      onCompared: async () => {
        wrong = (await database.pool.query(`select from verified where label = 'stray'`)).rows.length;
      },
    });
    expect(wrong).toBe(1);
    expect(tables).toMatchObject([{ table: 'verified', same: false, changed: 1, missing: 1, extra: 1 }]);
    const [changed, missing, extra] = tables[0]?.differences ?? [];
    expect(changed).toMatchObject({
      kind: 'changed',
      key: { stream_id: first },
      columns: [{ column: 'label', rebuilt: first }],
    });
    expect(changed?.columns[0]?.live).toMatch(/x…$/);
    expect(changed?.columns[0]?.live?.length).toBeLessThanOrEqual(200);
    expect(missing).toEqual({ kind: 'missing', key: { stream_id: second }, columns: [] });
    expect(extra).toEqual({ kind: 'extra', key: { stream_id: stray }, columns: [] });
    const after = await compare(database.pool, 'verified');
    expect(after.table).toEqual(after.log);
  });

  it('tells fifty differences of a table, and counts them all', async () => {
    await createTallies(database.pool, 'counted');
    await rebuild(database.url, tallies('counted'));
    const { rowCount } = await database.pool.query('update counted set events = events + 1');
    const { tables } = await rebuild(database.url, tallies('counted'), { dryRun: true });
    expect(tables[0]).toMatchObject({ changed: rowCount, differences: { length: 50 } });
    expect(rowCount).toBeGreaterThan(50);
  });

  it('that nobody may read the differences of swaps nothing, and goes on later', async () => {
    await createTallies(database.pool, 'unread');
    await database.pool.query(`insert into unread values ($1, 1, 'stray', 1)`, [newId()]);
    const unread = rebuild(database.url, tallies('unread'), {
      verify: true,
      onCompared: () => Promise.reject(new Error('nobody reads')),
    });
    await expect(unread).rejects.toThrow('nobody reads');
    expect((await database.pool.query(`select from unread`)).rows).toHaveLength(1);
    const { resumedAt } = await rebuild(database.url, tallies('unread'));
    expect(resumedAt).not.toBeNull();
    const { table, log } = await compare(database.pool, 'unread');
    expect(table).toEqual(log);
  });

  it('runs once at a time, and tells a second operator who is at it', async () => {
    await createTallies(database.pool, 'single');
    let refused: unknown;
    const second = tallies('single', async () => {
      refused ??= await rebuild(database.url, tallies('single')).catch((error: unknown) => error);
    });
    await rebuild(database.url, second);
    expect(refused).toBeInstanceOf(Busy);
    expect(String(refused)).toContain(`the rebuild of single is under way already: ${operatorName()}`);
  });

  it('waits for a reader of the live tables without keeping the others waiting, and swaps after it', async () => {
    await createTallies(database.pool, 'busy');
    const reader = await database.pool.connect();
    await reader.query('begin; select count(*) from busy');
    const rebuilding = rebuild(database.url, tallies('busy'));
    const waits: number[] = [];
    while (waits.length < 3) {
      // The swap has queued up behind the reader, so this one has queued up behind the swap.
      await until(async () => {
        const queued = `select from pg_locks where relation = 'busy'::regclass and mode = 'AccessExclusiveLock' and not granted`;
        return (await database.pool.query(queued)).rows.length > 0;
      }, 'a swap that waits');
      const began = performance.now();
      await database.pool.query('select count(*) from busy');
      waits.push(performance.now() - began);
    }
    await reader.query('commit');
    reader.release();
    await rebuilding;
    expect(Math.max(...waits)).toBeLessThan(2000);
    const { table, log } = await compare(database.pool, 'busy');
    expect(table).toEqual(log);
  });

  it('waits for the server’s own vacuum of the new table, which a second does not cancel', async () => {
    await createTallies(database.pool, 'vacuumed');
    await database.pool.query('create index vacuumed_events on vacuumed (events)');
    const vacuum = await database.pool.connect();
    let held = false;
    const rebuilt = rebuild(database.url, tallies('vacuumed'), {
      pageSize: 20,
      rate: 400,
      onProgress: () => (held = true),
    });
    await until(() => held, 'a first page');
    // The lock that a vacuum takes: rows are written beside it, indexes are not made.
    await vacuum.query('begin; lock table rebuild_vacuumed.vacuumed in share update exclusive mode');
    await until(async () => {
      const { rows } = await database.pool.query(
        `select from pg_locks where relation = 'rebuild_vacuumed.vacuumed'::regclass and not granted`,
      );
      return rows.length > 0;
    }, 'the rebuild waits for the vacuum');
    await vacuum.query('select pg_sleep(1.5); rollback');
    vacuum.release();
    expect((await rebuilt).swapped).toBe(true);
    const { table, log } = await compare(database.pool, 'vacuumed');
    expect(table).toEqual(log);
  });

  describe('from a position', () => {
    const inParts = (name: string, before?: Parameters<typeof tallies>[1]): Projection => ({
      ...tallies(name, before),
      parts: {
        streamsOf: ({ streamId }) => [streamId],
        forget: async (tx, ids) => {
          await tx.query(`delete from ${name} where stream_id = any($1::uuid[])`, [ids]);
        },
      },
    });

    it('builds anew what events from there on contribute to, and takes over the rest as it is', async () => {
      await createTallies(database.pool, 'parted');
      const old = newId();
      const longLived = newId();
      await appendTo(store, old, 2);
      await appendTo(store, longLived, 30);
      const from = await appendTo(store, longLived);
      await appendTo(store, newId(), 5);
      await rebuild(database.url, inParts('parted'));
      const damage = 'update parted set events = events + 100 where stream_id = any($1)';
      await database.pool.query(damage, [[old, longLived]]);
      const { tables } = await rebuild(database.url, inParts('parted'), { from, verify: true, pageSize: 3 });
      expect(tables[0]).toMatchObject({ changed: 1, differences: [{ key: { stream_id: longLived } }] });
      const left = await compare(database.pool, 'parted');
      const wrong = left.table.filter((row, at) => JSON.stringify(row) !== JSON.stringify(left.log[at]));
      expect(wrong).toMatchObject([{ stream_id: old, events: 102 }]);
      await rebuild(database.url, inParts('parted'), { from: 1, pageSize: 20 });
      const after = await compare(database.pool, 'parted');
      expect(after.table).toEqual(after.log);
    });

    it('loses nothing that is appended and applied meanwhile, and goes on where it was stopped', async () => {
      await createTallies(database.pool, 'lively');
      const live = follower(inParts('lively'));
      live.start();
      const from = await appendTo(store, newId(), 5);
      const streams = await Promise.all(
        Array.from({ length: 20 }, async () => {
          const id = newId();
          await appendTo(store, id, 2);
          return id;
        }),
      );
      await live.waitFor(await appendTo(store), 5000);
      let pages = 0;
      const appending = async (): Promise<void> => {
        // Later pages may be those of the swap, which keeps the follower waiting.
        if (pages === 6) return;
        await live.waitFor(await appendTo(store, streams[pages % 20]), 5000);
        if (++pages === 3) throw new Error('stopped');
      };
      const options = { from, pageSize: 6, release: 'one' };
      await expect(rebuild(database.url, inParts('lively', appending), options)).rejects.toThrow('stopped');
      expect((await rebuild(database.url, inParts('lively', appending), options)).resumedAt).toBeGreaterThan(from);
      expect(pages).toBeGreaterThan(3);
      expect(await live.waitFor(await appendTo(store), 5000)).toBe(true);
      await live.stop();
      const { table, log } = await compare(database.pool, 'lively');
      expect(table).toEqual(log);
      expect(await leftovers()).toBe(0);
    });

    it('is refused where the projection does not say what follows from what', async () => {
      await expect(rebuild(database.url, tallies('single'), { from: 1 })).rejects.toThrow('as a whole only');
    });
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

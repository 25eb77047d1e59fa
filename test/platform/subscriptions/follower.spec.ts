import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Pool } from 'pg';
import { testDatabase, type TestDatabase } from '../../support/database.js';
import { createPool } from '../../../src/platform/database/database.pg.js';
import { EventStore } from '../../../src/platform/event-store/event-store.pg.js';
import { LogReader } from '../../../src/platform/event-store/log-reader.pg.js';
import { Follower, type FollowerOptions } from '../../../src/platform/subscriptions/follower.pg.js';
import type { Projection, Reactor } from '../../../src/platform/subscriptions/projection.js';
import { newId, until } from '../event-store/samples.js';
import { appendTo, compare, createTallies, tallies } from './tallies.js';

let database: TestDatabase;
let store: EventStore;
const followers: Follower[] = [];
const pools: Pool[] = [];

beforeAll(async () => {
  database = await testDatabase();
  store = new EventStore({ url: database.url });
});
afterEach(async () => {
  await Promise.all(followers.splice(0).map((follower) => follower.stop()));
  await Promise.all(pools.splice(0).map((pool) => pool.end()));
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

/** A follower as another process would have it: its own pool, its own reader of the log. */
const follow = (
  follower: Projection | Reactor,
  options: Partial<FollowerOptions> = {},
  onError?: (name: string, error: unknown) => void,
): Follower => {
  const pool = createPool(database.url, { max: 3, applicationName: `follower ${follower.name}` });
  pools.push(pool);
  const started = new Follower(
    {
      pool,
      log: new LogReader(pool),
      appends: store,
      options: { retryMs: 5, ...options },
      ...(onError && { onError }),
    },
    follower,
  );
  followers.push(started);
  started.start();
  return started;
};

describe('A projection', () => {
  it('gets every event once, in order, and its checkpoint stands where its rows do', async () => {
    await createTallies(database.pool, 'plain');
    await appendTo(store, newId(), 3);
    const seen: number[] = [];
    const follower = follow(
      tallies('plain', async (events) => void seen.push(...events.map((event) => event.position))),
      { batchSize: 2 },
    );
    const position = await appendTo(store);
    expect(await follower.waitFor(position, 5000)).toBe(true);
    const { table, log } = await compare(database.pool, 'plain');
    expect(table).toEqual(log);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(new Set(seen).size).toBe(seen.length);
    expect(await follower.position()).toBeGreaterThanOrEqual(position);
  });

  it('passes what does not concern it without a transaction, and its checkpoint follows', async () => {
    await createTallies(database.pool, 'choosy');
    const wanted = newId();
    const applied: string[] = [];
    const choosy: Projection = {
      ...tallies('choosy', async (events) => void applied.push(...events.map((event) => event.streamId))),
      concerns: ({ streamId }) => streamId === wanted,
    };
    const follower = follow(choosy, { passMs: 20, idleMs: 20 });
    const passed = await appendTo(store, newId(), 3);
    await until(async () => (await follower.status()).position >= passed, 'the checkpoint passes');
    expect(applied).toEqual([]);
    const position = await appendTo(store, wanted, 2);
    expect(await follower.waitFor(position, 5000)).toBe(true);
    expect(applied).toContain(wanted);
    // One that begins anew goes on from there.
    await follower.stop();
    applied.length = 0;
    const again = follow(choosy, { passMs: 20, idleMs: 20 });
    const last = await appendTo(store, newId());
    await until(async () => (await again.status()).position >= last, 'the checkpoint passes again');
    expect(applied).toEqual([]);
  });

  it('does not move a checkpoint that another process has moved, or that an error holds', async () => {
    await createTallies(database.pool, 'held');
    const none: Projection = { ...tallies('held'), concerns: () => false };
    const follower = follow(none, { passMs: 20, idleMs: 20 });
    const first = await appendTo(store);
    await until(async () => (await follower.status()).position >= first, 'the checkpoint passes the first event');
    await database.pool.query(`update subscription set error = 'held', position = 1 where name = 'held'`);
    await appendTo(store);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect((await follower.status()).position).toBe(1);
    await database.pool.query(`update subscription set error = null where name = 'held'`);
    const last = await appendTo(store);
    await until(async () => (await follower.status()).position >= last, 'the checkpoint passes once it is free');
  });

  it('is woken by an append of its own process, and finds those of others by looking', async () => {
    await createTallies(database.pool, 'woken');
    const follower = follow(tallies('woken'), { idleMs: 50 });
    expect(await follower.waitFor(await appendTo(store), 5000)).toBe(true);
    const other = new EventStore({ url: database.url });
    const position = await appendTo(other);
    await other.close();
    expect(await follower.waitFor(position, 5000)).toBe(true);
  });

  it('says in time that it is not there yet', async () => {
    const follower = follow(tallies('absent'));
    await follower.stop();
    expect(await follower.waitFor(await appendTo(store), 30)).toBe(false);
  });

  it('goes on where it was after a stop', async () => {
    await createTallies(database.pool, 'resumed');
    const first = follow(tallies('resumed'));
    await first.waitFor(await appendTo(store), 5000);
    await first.stop();
    const position = await appendTo(store);
    const second = follow(tallies('resumed'));
    expect(await second.waitFor(position, 5000)).toBe(true);
    const { table, log } = await compare(database.pool, 'resumed');
    expect(table).toEqual(log);
  });
});

describe('Followers of the same name in several processes', () => {
  it('share the work without applying anything twice, while one of them loses its connections again and again', async () => {
    await createTallies(database.pool, 'shared');
    const [one, two] = [
      follow(tallies('shared'), { batchSize: 7, idleMs: 20 }),
      follow(tallies('shared'), { batchSize: 5, idleMs: 20 }),
    ];
    let kills = 0;
    for (let round = 0; round < 15 || (kills === 0 && round < 150); round++) {
      await Promise.all(Array.from({ length: 20 }, () => appendTo(store)));
      const { rows } = await database.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'follower shared' and state <> 'idle'`,
      );
      kills += rows.length;
    }
    const position = await appendTo(store);
    expect(await one.waitFor(position, 8000)).toBe(true);
    expect(await two.waitFor(position, 8000)).toBe(true);
    const { table, log } = await compare(database.pool, 'shared');
    expect(table).toEqual(log);
    expect(kills).toBeGreaterThan(0);
  });

  it('are led by one at a time: the other waits for the row lock and takes over when it is gone', async () => {
    await createTallies(database.pool, 'led');
    let release = (): void => undefined;
    let entered = false;
    const held = new Promise<void>((resolve) => (release = resolve));
    const slow = follow(
      tallies('led', async () => {
        entered = true;
        await held;
      }),
      { idleMs: 20 },
    );
    const position = await appendTo(store);
    await until(() => entered, 'the first holds the lock');
    const applied: number[] = [];
    const waiting = follow(
      tallies('led', async (events) => void applied.push(events.length)),
      { idleMs: 20 },
    );
    expect(await waiting.waitFor(position, 200)).toBe(false);
    expect(applied).toEqual([]);
    await database.pool.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
      and application_name = 'follower led' and state = 'idle in transaction'`);
    expect(await waiting.waitFor(position, 5000)).toBe(true);
    release();
    await slow.stop();
    const { table, log } = await compare(database.pool, 'led');
    expect(table).toEqual(log);
  });
});

describe('An event that cannot be applied', () => {
  it('stops its follower loudly: everything before it is applied, nothing after it, and it goes on once it can', async () => {
    await createTallies(database.pool, 'poisoned');
    const follower = tallies('poisoned', async (events) => {
      if (!healed && events.some((event) => event.position === poison)) throw new Error('no rate for DOGE');
    });
    let healed = false;
    const before = await appendTo(store, newId(), 3);
    const poison = await appendTo(store);
    const after = await appendTo(store, newId(), 3);
    const errors: unknown[] = [];
    const running = follow(follower, { restMs: 50 }, (_, error) => errors.push(error));
    await until(async () => (await running.status()).error !== null, 'the follower says that it stopped');
    const stopped = await running.status();
    expect(stopped.error).toBe(`PaymentSeen at position ${poison}: no rate for DOGE`);
    expect(stopped.failures).toBeGreaterThanOrEqual(5);
    expect(stopped.position).toBeGreaterThanOrEqual(before);
    expect(stopped.position).toBeLessThan(poison);
    const { rows } = await database.pool.query('select max(last_position)::integer as last from poisoned');
    expect(rows[0].last).toBe(before);
    expect(errors.length).toBeGreaterThanOrEqual(5);
    healed = true;
    expect(await running.waitFor(after, 5000)).toBe(true);
    expect(await running.status()).toMatchObject({ error: null, failures: 0 });
    const { table, log } = await compare(database.pool, 'poisoned');
    expect(table).toEqual(log);
  });

  it('is not passed either when the handler swallows an error of the database', async () => {
    await createTallies(database.pool, 'swallowed');
    const running = follow(
      tallies('swallowed', async (_, tx) => {
        await tx.query('select 1 / 0').catch(() => undefined);
      }),
      { maxFailures: 2, restMs: 20 },
    );
    await until(async () => (await running.status()).error !== null, 'the follower says that it stopped');
    expect((await running.status()).position).toBe(0);
    expect((await compare(database.pool, 'swallowed')).table).toEqual([]);
  });
});

describe('A reactor', () => {
  it('writes what is to be done together with its checkpoint, and each thing once', async () => {
    await database.pool.query('create table todo (position bigint primary key)');
    const reactor: Reactor = {
      kind: 'reactor',
      name: 'todos',
      async react(tx, events) {
        for (const { position } of events) await tx.query('insert into todo values ($1)', [position]);
      },
    };
    const [one, two] = [follow(reactor, { batchSize: 3 }), follow(reactor, { batchSize: 3 })];
    await Promise.all(Array.from({ length: 30 }, () => appendTo(store)));
    const position = await appendTo(store);
    expect(await one.waitFor(position, 5000)).toBe(true);
    expect(await two.waitFor(position, 5000)).toBe(true);
    const { rows } = await database.pool.query(
      'select (select count(*) from todo) = (select count(*) from event) as "all"',
    );
    expect(rows).toEqual([{ all: true }]);
  });
});

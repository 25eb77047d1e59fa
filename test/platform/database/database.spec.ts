import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createDatabaseIfMissing, createPool, inTransaction } from '../../../src/platform/database/database.pg.js';
import { asAdmin, newDatabaseName, testDatabase, urlFor, type TestDatabase } from '../../support/database.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
  await database.pool.query('create table account (id integer primary key, balance numeric not null)');
  await database.pool.query('insert into account values (1, 10)');
});
afterAll(() => database.drop());

describe('A pool', () => {
  it('D03: replaces an idle connection that the server ended, and says so', async () => {
    const heard: Error[] = [];
    let tell: () => void = () => undefined;
    const died = new Promise<void>((resolve) => (tell = resolve));
    const onError = (error: Error): void => {
      heard.push(error);
      tell();
    };
    const pool = createPool(database.url, { max: 1, onError });
    const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid');
    await asAdmin(`select pg_terminate_backend(${rows[0]?.pid})`);
    await died;
    const { rows: after } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid');
    expect(after[0]?.pid).not.toBe(rows[0]?.pid);
    expect(heard).toHaveLength(1);
    await pool.end();
  });

  it('survives a connection that dies between two statements of a transaction', async () => {
    const pool = createPool(database.url, { max: 1 });
    const attempt = inTransaction(pool, async (client) => {
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      const gone = new Promise((resolve) => client.once('error', resolve));
      await asAdmin(`select pg_terminate_backend(${rows[0]?.pid})`);
      await gone;
      await client.query('select 1');
    });
    await expect(attempt).rejects.toThrow();
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await pool.end();
  });

  it('keeps no statement prepared where a pooler could not keep them apart', async () => {
    const named = { name: 'sum', text: 'select $1::integer + 1 as sum', values: [1] };
    const prepared = async (namedStatements: boolean): Promise<unknown[]> => {
      const pool = createPool(database.url, { max: 1, namedStatements });
      expect((await pool.query(named)).rows).toEqual([{ sum: 2 }]);
      expect((await inTransaction(pool, (tx) => tx.query(named))).rows).toEqual([{ sum: 2 }]);
      const { rows } = await pool.query('select name from pg_prepared_statements');
      await pool.end();
      return rows;
    };
    expect(await prepared(true)).toEqual([{ name: 'sum' }]);
    expect(await prepared(false)).toEqual([]);
  });

  it('D05: bounds statements, waits for locks, forgotten transactions and the wait for a connection', async () => {
    const pool = createPool(database.url, {
      max: 1,
      statementTimeoutMs: 200,
      lockTimeoutMs: 50,
      idleInTransactionTimeoutMs: 100,
    });
    await expect(pool.query('select pg_sleep(5)')).rejects.toMatchObject({ code: '57014' });
    await inTransaction(database.pool, async (client) => {
      await client.query('select 1 from account where id = 1 for update');
      await expect(pool.query('update account set balance = 0 where id = 1')).rejects.toMatchObject({ code: '55P03' });
    });
    const client = await pool.connect();
    const ended = new Promise<Error>((resolve) => client.once('error', resolve));
    await client.query('begin');
    await expect(pool.query('select 1')).rejects.toThrow('timeout exceeded when trying to connect');
    expect(await ended).toMatchObject({ code: '25P03' });
    client.release(true);
    await pool.end();
  });

  it('D05: has the documented limits when none are given, and passes further settings on', async () => {
    const pool = createPool(database.url, {
      options: '-c plan_cache_mode=force_generic_plan',
      applicationName: 'store',
    });
    const { rows } = await pool.query(
      `select name, setting from pg_settings where name in ('statement_timeout', 'lock_timeout',
       'idle_in_transaction_session_timeout', 'plan_cache_mode', 'application_name', 'TimeZone') order by name collate "C"`,
    );
    expect(rows.map((row: { setting: string }) => row.setting)).toEqual([
      'UTC',
      'store',
      '10000',
      '2000',
      'force_generic_plan',
      '5000',
    ]);
    expect(pool.options.max).toBe(8);
    await pool.end();
  });

  it('reads large integers, times and decimals without losing anything', async () => {
    const { rows } = await database.pool.query(
      `select 9007199254740991::bigint as big, 3.079e-5::numeric as amount, '2026-01-31'::date as day,
       '2026-01-31 13:00:00.1239+01'::timestamptz as at, '2026-01-31 12:00:00Z'::timestamptz as noon`,
    );
    expect(rows).toEqual([
      {
        big: 9007199254740991,
        amount: '0.00003079',
        day: '2026-01-31',
        at: '2026-01-31T12:00:00.123Z',
        noon: '2026-01-31T12:00:00.000Z',
      },
    ]);
    await expect(database.pool.query('select 9007199254740992::bigint')).rejects.toThrow('too large for a number');
    await expect(database.pool.query(`select 'infinity'::timestamptz`)).rejects.toThrow('not a point in time');
  });
});

describe('A transaction', () => {
  const balance = async (): Promise<unknown> =>
    (await database.pool.query('select balance from account where id = 1')).rows[0];

  it('commits what was done, and answers with the result', async () => {
    const answer = await inTransaction(database.pool, async (client) => {
      await client.query('update account set balance = balance + 1 where id = 1');
      return 'done';
    });
    expect({ answer, after: await balance() }).toEqual({ answer: 'done', after: { balance: '11' } });
  });

  it('leaves nothing behind when something is thrown, and returns its connection', async () => {
    const attempt = inTransaction(database.pool, async (client) => {
      await client.query('update account set balance = 0 where id = 1');
      throw new Error('no');
    });
    await expect(attempt).rejects.toThrow('no');
    expect(await balance()).toEqual({ balance: '11' });
    expect(database.pool.idleCount).toBe(database.pool.totalCount);
  });

  it('does not pass for committed when a failed statement was overlooked', async () => {
    const attempt = inTransaction(database.pool, async (client) => {
      await client.query('update account set balance = 0 where id = 1');
      await client.query('select 1 / 0').catch(() => undefined);
    });
    await expect(attempt).rejects.toThrow('rolled back');
    expect(await balance()).toEqual({ balance: '11' });
  });
});

describe('A missing database', () => {
  it('is created once, by however many ask', async () => {
    const name = newDatabaseName();
    await Promise.all([1, 2, 3].map(() => createDatabaseIfMissing(urlFor(name))));
    expect(await asAdmin(`select count(*)::integer as n from pg_database where datname = '${name}'`)).toEqual([
      { n: 1 },
    ]);
    await asAdmin(`drop database "${name}"`);
  });
});

describe('A test', () => {
  it('that leaves a connection open fails when it drops its database', async () => {
    const careless = await testDatabase();
    const pool = createPool(careless.url, { applicationName: 'forgotten' });
    await pool.query('select 1');
    await expect(careless.drop()).rejects.toThrow(/left 1 connection\(s\) open: forgotten/);
    await pool.end();
  });

  it('that does not release a client fails when it drops its database', async () => {
    const careless = await testDatabase();
    const client = await careless.pool.connect();
    await expect(careless.drop()).rejects.toThrow('kept 1 client(s)');
    client.release(true);
  });
});

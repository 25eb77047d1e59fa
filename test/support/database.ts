import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { createPool } from '../../src/platform/database/database.pg.js';

/** A migrated, empty database for one test file. */
export interface TestDatabase {
  url: string;
  pool: pg.Pool;
  /** Ends the pool and drops the database. Fails, after dropping it, when the test left connections or clients behind. */
  drop(): Promise<void>;
}

const environment = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the tests with \`npm test -- <path>\``);
  return value;
};

/** The server's URL with another database in it. */
export const urlFor = (database: string): string => {
  const url = new URL(environment('TEST_DATABASE_URL'));
  url.pathname = `/${database}`;
  return url.href;
};

/** Runs one statement as the administrator, on a connection of its own. */
export const asAdmin = async (sql: string): Promise<Record<string, unknown>[]> => {
  const client = new pg.Client({
    connectionString: environment('TEST_DATABASE_URL'),
    application_name: 'finality-test-admin',
  });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
};

/** A name that no other test has, and that the runner recognises as its own when it cleans up. */
export const newDatabaseName = (): string =>
  `${environment('TEST_TEMPLATE').replace('template', 'test')}_${randomBytes(5).toString('hex')}`;

/** Clones the migrated template. Call it in `beforeAll`, and `drop()` in `afterAll`. */
export const testDatabase = async (): Promise<TestDatabase> => {
  const name = newDatabaseName();
  await cloneTemplate(name);
  const url = urlFor(name);
  const pool = createPool(url, { applicationName: 'finality-test' });
  return { url, pool, drop: () => drop(name, pool) };
};

/** Another clone running at the same moment makes the template busy (55006) for some milliseconds. */
const cloneTemplate = async (name: string): Promise<void> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await asAdmin(`create database "${name}" template "${environment('TEST_TEMPLATE')}"`);
      return;
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || error.code !== '55006' || attempt === 50) throw error;
      await delay(20 * Math.min(attempt, 10));
    }
  }
};

const drop = async (name: string, pool: pg.Pool): Promise<void> => {
  const kept = pool.totalCount - pool.idleCount;
  const ended = pool.end();
  if (kept === 0) await ended;
  const open = await openConnections(name, kept);
  await asAdmin(`drop database "${name}" with (force)`);
  if (kept > 0) throw new Error(`The test kept ${kept} client(s) of its pool: release what you connect`);
  if (open.length > 0) throw new Error(`The test left ${open.length} connection(s) open: ${open.join('; ')}`);
};

/** A closed connection is seen by the server a moment later, so this asks again for up to two seconds. */
const openConnections = async (name: string, expected: number): Promise<string[]> => {
  for (const deadline = Date.now() + 2000; ; await delay(10)) {
    const rows = await asAdmin(
      `select application_name as app, state, left(query, 100) as query from pg_stat_activity
       where datname = '${name}' and backend_type = 'client backend'`,
    );
    if (rows.length <= expected || Date.now() > deadline)
      return rows.map((row) => `${row['app']} (${row['state']}): ${row['query']}`);
  }
};

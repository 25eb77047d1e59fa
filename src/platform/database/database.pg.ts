import pg from 'pg';
import type { Instant } from '../../kernel/clock.js';

export interface PoolSettings {
  /** Connections at most. Default 8. */
  max?: number;
  /** A statement that runs longer is cancelled by the server (SQLSTATE 57014). Default 5000; 0 for no limit. */
  statementTimeoutMs?: number;
  /** A statement that waits longer for one lock fails (SQLSTATE 55P03). Default 2000; 0 for no limit. */
  lockTimeoutMs?: number;
  /** A transaction that its client forgets is ended. Default 10 000; 0 for no limit. */
  idleInTransactionTimeoutMs?: number;
  /** How the connections call themselves in pg_stat_activity. Default `finality`. */
  applicationName?: string;
  /** Further server settings, as in libpq: `-c plan_cache_mode=force_generic_plan`. */
  options?: string;
  /** False: statements are sent without their names, for a pooler that gives each transaction another connection. Default true. */
  namedStatements?: boolean;
  /** Told when a connection dies while nobody uses it. The pool has already replaced it by then. */
  onError?: (error: Error) => void;
}

/**
 * A pool in which everything is bounded and a dying connection ends nothing but its own query. Getting a connection
 * takes 2 s at most. bigint comes as a number (or fails, beyond 2^53), timestamptz as `Instant` (milliseconds, the
 * rest cut off), date, timestamp and numeric as the text that PostgreSQL writes; the rest as `pg` has it.
 */
export const createPool = (url: string, settings: PoolSettings = {}): pg.Pool => {
  const { max = 8, statementTimeoutMs = 5000, lockTimeoutMs = 2000, idleInTransactionTimeoutMs = 10_000 } = settings;
  const onError = settings.onError ?? (() => undefined);
  const pool = new pg.Pool({
    connectionString: url,
    max,
    connectionTimeoutMillis: 2000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    statement_timeout: statementTimeoutMs,
    lock_timeout: lockTimeoutMs,
    idle_in_transaction_session_timeout: idleInTransactionTimeoutMs,
    // The server's limit comes first; this one is for a server that no longer answers at all.
    ...(statementTimeoutMs > 0 && { query_timeout: statementTimeoutMs + 2000 }),
    application_name: settings.applicationName ?? 'finality',
    options: `-c timezone=UTC -c datestyle=ISO ${settings.options ?? ''}`.trim(),
    types: { getTypeParser },
  });
  pool.on('error', onError);
  // A connection that dies between two queries of one transaction tells only itself; unheard, that would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  if (settings.namedStatements === false) pool.on('connect', forgetNames);
  return pool;
};

/**
 * A named statement is prepared once per connection, and `pg` remembers where. Behind a pooler the server's connection
 * is another one each time, which has not the statement, or has another one of that name.
 */
const forgetNames = (client: pg.PoolClient): void => {
  const query = client.query.bind(client);
  const unnamed = (first: unknown, ...rest: unknown[]): unknown =>
    Reflect.apply(query, client, [withoutName(first), ...rest]);
  Reflect.set(client, 'query', unnamed);
};

/** Cursors and copies come as objects with their own ways, and have no names. */
const withoutName = (statement: unknown): unknown =>
  typeof statement === 'object' && statement !== null && 'name' in statement && !('submit' in statement)
    ? { ...statement, name: undefined }
    : statement;

/**
 * Runs `fn` in one transaction and commits; whatever it throws rolls back and is thrown on. The connection always
 * returns to the pool, or is destroyed when it can no longer be trusted.
 */
export const inTransaction = async <T>(pool: pg.Pool, fn: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
  const client = await pool.connect();
  let broken = false;
  try {
    await client.query('begin');
    const result = await fn(client);
    const { command } = await client.query('commit');
    // PostgreSQL answers a commit after a failed statement with a rollback and no error.
    if (command === 'ROLLBACK') throw new Error('The transaction was rolled back: one of its statements had failed');
    return result;
  } catch (error) {
    broken = await client.query('rollback').then(
      () => false,
      () => true,
    );
    throw error;
  } finally {
    client.release(broken);
  }
};

/** Creates the database that the URL names, if the server does not have it. Safe to run twice at once. */
export const createDatabaseIfMissing = async (url: string): Promise<void> => {
  if ((await sqlStateOf(url, 'select 1')) !== '3D000') return;
  const admin = new URL(url);
  const name = decodeURIComponent(admin.pathname.slice(1));
  admin.pathname = '/postgres';
  const state = await sqlStateOf(admin.href, `create database ${pg.escapeIdentifier(name)}`);
  if (state !== null && state !== '42P04' && state !== '23505')
    throw new Error(`The database ${name} cannot be created (SQLSTATE ${state})`);
};

/** Runs one statement on a connection of its own: null when it worked, else the SQLSTATE of the refusal. */
const sqlStateOf = async (url: string, sql: string): Promise<string | null> => {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(sql);
    return null;
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code) return error.code;
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
};

const { builtins } = pg.types;
const text = (value: string): string => value;

const parsers = new Map<number, (value: string) => unknown>([
  [builtins.INT8, (value) => safeInteger(value)],
  [builtins.TIMESTAMPTZ, (value) => instantOf(value)],
  [builtins.TIMESTAMP, text],
  [builtins.DATE, text],
  [builtins.NUMERIC, text],
]);

function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: never) => unknown {
  return (
    (format === 'binary' ? undefined : parsers.get(oid)) ??
    (pg.types.getTypeParser(oid, 'text') as (value: never) => unknown)
  );
}

const safeInteger = (value: string): number => {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${value} is too large for a number; select it as text`);
  return number;
};

const utc = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?\+00$/;

/** PostgreSQL's `2026-01-31 12:00:00.123456+00` (sessions are in UTC) as an `Instant`. */
const instantOf = (value: string): Instant => {
  const match = utc.exec(value);
  if (!match) throw new RangeError(`${value} is not a point in time that can be represented`);
  const [, day, time, fraction = ''] = match;
  return `${day}T${time}.${fraction.slice(0, 3).padEnd(3, '0')}Z`;
};

import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { DataSource, type Logger, type MigrationInterface, type QueryRunner } from 'typeorm';

/** The database was migrated by a newer release; running this one against it could harm the data. */
export class DatabaseIsNewer extends Error {
  constructor(readonly unknown: readonly string[]) {
    super(
      `The database is newer than this release of the service: it has the migrations ${unknown.join(', ')}, which are not known here. Start the newer release.`,
    );
    this.name = 'DatabaseIsNewer';
  }
}

/** The database does not hold what this release works on: it is another service's, empty, or not migrated yet. */
export class NotOurDatabase extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotOurDatabase';
  }
}

/** `<root>/migrations`, seen from `<root>/src/platform/database` and from `<root>/dist/platform/database` alike. */
const defaultDirectory = fileURLToPath(new URL('../../../migrations/', import.meta.url));

/** One number for everyone who migrates: the first bytes of "finality". */
const advisoryLock = 0x66696e61;
const patience = '5min';

/**
 * Brings the database to the state of this release: runs the numbered SQL files that it has not seen, in order, each
 * in its own transaction, and notes them in the table `migration`. Processes that start together wait for each other,
 * five minutes at most. Answers the names of what it ran, `[]` when there was nothing to do.
 * @throws DatabaseIsNewer when the database has a migration that is not among the files.
 */
export const migrate = async (url: string, directory: string = defaultDirectory): Promise<string[]> => {
  const migrations = await readMigrations(directory);
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5000,
    application_name: 'finality-migrate',
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(`set lock_timeout = '${patience}'`);
    await client.query('select pg_advisory_lock($1)', [advisoryLock]);
    await refuseNewer(client, new Set(migrations.map((migration) => migration.name)));
    return await runPending(url, migrations);
  } finally {
    // Ending the session gives the lock back.
    await client.end();
  }
};

/**
 * Looks whether the database is one that exactly this release has migrated, and touches nothing.
 * @throws DatabaseIsNewer, NotOurDatabase
 */
export const assertMigrated = async (pool: pg.Pool, directory: string = defaultDirectory): Promise<void> => {
  const { rows: tables } = await pool.query<{ tablename: string }>(
    'select tablename from pg_tables where schemaname = current_schema() limit 1000',
  );
  if (tables.length === 0)
    throw new NotOurDatabase('The database is empty. Start the service once: it makes the tables.');
  const known = (await readMigrations(directory)).map((migration) => migration.name);
  if (
    !tables.some(({ tablename }) => tablename === 'event') ||
    !tables.some(({ tablename }) => tablename === 'migration')
  )
    throw new NotOurDatabase("This is another service's database: it holds no events of Finality. Check DATABASE_URL.");
  const { rows } = await pool.query<{ name: string }>('select name from migration order by id');
  const ran = new Set(rows.map((row) => row.name));
  const unknown = [...ran].filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new DatabaseIsNewer(unknown);
  const missing = known.filter((name) => !ran.has(name));
  if (missing.length > 0)
    throw new NotOurDatabase(
      `The database is older than this release: ${missing.join(', ')} did not run yet. Start the service of this release once: it brings the database up to date.`,
    );
};

type MigrationClass = (new () => MigrationInterface) & { name: string };

/** `0001_event_store.sql` becomes a class; TypeORM takes the last 13 characters of its name as its timestamp. */
const readMigrations = async (directory: string): Promise<MigrationClass[]> => {
  const files = (await readdir(directory)).filter((file) => /^\d{4}_\w+\.sql$/.test(file)).sort();
  if (files.length === 0) throw new Error(`There are no migrations in ${directory}`);
  return await Promise.all(files.map(async (file) => classFor(file, await readFile(join(directory, file), 'utf8'))));
};

const classFor = (file: string, sql: string): MigrationClass => {
  const [number = '', ...words] = file.replace(/\.sql$/, '').split('_');
  const migration = class implements MigrationInterface {
    name = `${words.join('_')}_${number.padStart(13, '0')}`;
    async up(runner: QueryRunner): Promise<void> {
      await runner.query(sql).catch((error: unknown) => {
        throw new Error(`The migration ${file} failed: ${error instanceof Error ? error.message : 'no reason'}`, {
          cause: error,
        });
      });
    }
    down(): Promise<void> {
      return Promise.reject(new Error('Migrations only go forward'));
    }
  };
  return Object.defineProperty(migration, 'name', { value: new migration().name });
};

/** TypeORM would print failures to the console; they are thrown, and it is for the caller to tell of them. */
const silent = (): undefined => undefined;
const silence: Logger = {
  logQuery: silent,
  logQueryError: silent,
  logQuerySlow: silent,
  logSchemaBuild: silent,
  logMigration: silent,
  log: silent,
};

const refuseNewer = async (client: pg.Client, known: ReadonlySet<string>): Promise<void> => {
  const { rows: tables } = await client.query(
    `select 1 from pg_tables where schemaname = current_schema() and tablename = 'migration'`,
  );
  if (tables.length === 0) return;
  const { rows } = await client.query<{ name: string }>('select name from migration order by id');
  const unknown = rows.map((row) => row.name).filter((name) => !known.has(name));
  if (unknown.length > 0) throw new DatabaseIsNewer(unknown);
};

const runPending = async (url: string, migrations: MigrationClass[]): Promise<string[]> => {
  const source = new DataSource({
    type: 'postgres',
    url,
    migrations,
    migrationsTableName: 'migration',
    migrationsTransactionMode: 'each',
    applicationName: 'finality-migrate',
    poolSize: 2,
    installExtensions: false,
    logger: silence,
  });
  await source.initialize();
  try {
    return (await source.runMigrations()).map((migration) => migration.name);
  } finally {
    await source.destroy();
  }
};

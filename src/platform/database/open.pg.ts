import { Jobs } from '../jobs/jobs.pg.js';
import { createDatabaseIfMissing } from './database.pg.js';
import { startEmbeddedPostgres } from './embedded-postgres.pg.js';
import { migrate } from './migrate.pg.js';

/** A database that is up, and of this version. */
export interface OpenDatabase {
  url: string;
  /** Stops the server where it was embedded. */
  close(): Promise<void>;
}

/** Opens the database given, or starts an embedded one, and brings it to this version. Throws `DatabaseIsNewer`. */
export async function openDatabase(config: { databaseUrl: string | null; dataDir: string }, log: (line: string) => void): Promise<OpenDatabase> {
  const { databaseUrl: given } = config;
  const embedded = given === null ? await startEmbeddedPostgres({ dataDir: config.dataDir, database: 'finality', log }) : null;
  const url = given ?? embedded?.url ?? '';
  await createDatabaseIfMissing(url);
  const ran = await migrate(url);
  if (ran.length > 0) log(`migrated the database: ${ran.join(', ')}`);
  await migrateJobs(url);
  return { url, close: async () => embedded?.stop() };
}

async function migrateJobs(url: string): Promise<void> {
  const jobs = new Jobs({ url, concurrency: 1 });
  try {
    await jobs.migrate();
  } finally {
    await jobs.stop();
  }
}

import { Jobs } from '../jobs/jobs.pg.js';
import { createDatabaseIfMissing } from './database.pg.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.pg.js';
import { migrate } from './migrate.pg.js';

/** A database that is up, and of this version. */
export interface OpenDatabase {
  /** The one given: a pooler, where there is one. */
  url: string;
  /** Stops the server where it was embedded. */
  close(): Promise<void>;
  /** For a start that failed: stops the embedded server that this one started, and leaves one that already ran to its users. */
  undo(): Promise<void>;
}

/**
 * Opens the database given, or starts an embedded one, and brings it to this version. Throws `DatabaseIsNewer`. An
 * embedded server that dies is started again; `onLost` is told when that fails for good.
 */
export async function openDatabase(
  config: { databaseUrl: string | null; databaseDirectUrl?: string | null; dataDir: string },
  log: (line: string, level: 'info' | 'warn') => void,
  onLost?: (error: Error) => void,
): Promise<OpenDatabase> {
  const { databaseUrl: given, dataDir } = config;
  const options = { dataDir, database: 'finality', log, ...(onLost && { onLost }) };
  const embedded = given === null ? await startEmbeddedPostgres(options) : null;
  const url = given ?? embedded?.url ?? '';
  const undo = (): Promise<void> => undone(embedded);
  try {
    await prepare(config.databaseDirectUrl ?? url, log);
  } catch (error) {
    await undo();
    throw error;
  }
  return { url, undo, close: async () => embedded?.stop() };
}

const undone = async (embedded: EmbeddedPostgres | null): Promise<void> => {
  if (embedded && !embedded.adopted) await embedded.stop();
};

async function prepare(url: string, log: (line: string, level: 'info') => void): Promise<void> {
  await createDatabaseIfMissing(url);
  const ran = await migrate(url);
  if (ran.length > 0) log(`migrated the database: ${ran.join(', ')}`, 'info');
  await migrateJobs(url);
}

async function migrateJobs(url: string): Promise<void> {
  const jobs = new Jobs({ url, concurrency: 1 });
  try {
    await jobs.migrate();
  } finally {
    await jobs.stop();
  }
}

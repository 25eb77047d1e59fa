import type { Pool } from 'pg';
import { Refusal } from '../kernel/refusal.js';
import type { Clock } from '../kernel/clock.js';
import { isUuid } from '../kernel/ids.js';
import type { SystemClock } from '../platform/clock.js';
import type { Config } from '../platform/config.js';
import { createPool } from '../platform/database/database.pg.js';
import { findRunningEmbeddedPostgres } from '../platform/database/embedded-postgres.pg.js';
import { assertMigrated } from '../platform/database/migrate.pg.js';
import { openDatabase } from '../platform/database/open.pg.js';
import { operatorName } from '../platform/database/operator-lock.pg.js';
import { EventStore } from '../platform/event-store/event-store.pg.js';
import { PaymentStreams, type LoadedPayment } from '../payments/payment-streams.pg.js';
import { RandomIds } from '../platform/ids.js';

/** The commands of the service, run by this process: what they append, the running service follows. */
export interface Commands {
  execute<T>(command: object): Promise<T>;
  /** One of the service's own parts, by its class. */
  get<T>(part: abstract new (...args: never[]) => T): T;
  close(): Promise<void>;
}

/** What only the composition of the service can make. */
export interface Parts {
  openCommands: (config: Config, databaseUrl: string) => Promise<Commands>;
  /** The service's own clock, which the sandbox can move. */
  openClock: (config: Config) => SystemClock;
}

/** What a command works with. */
export interface Workspace {
  config: Config;
  /** The environment as it was given, for commands that look at what is not set. */
  env: Readonly<Record<string, string | undefined>>;
  databaseUrl: string;
  pool: Pool;
  store: EventStore;
  clock: Clock;
  /** Throws `Refusal` where there is no such payment. */
  payment(id: string): Promise<LoadedPayment>;
  /** Opened when it is first asked for. */
  commands(): Promise<Commands>;
  close(): Promise<void>;
}

/**
 * Opens the database that the service uses: the one given, the embedded one that runs, or the embedded one started for
 * this command. Throws `DatabaseIsNewer` or `NotOurDatabase` where it is not one of this release, and touches nothing.
 */
export async function openWorkspace(
  config: Config,
  env: Workspace['env'],
  { openCommands, openClock }: Parts,
): Promise<Workspace> {
  // Operators are few, and hold locks: past the pooler, where there is one.
  const running = config.databaseDirectUrl ?? config.databaseUrl ?? (await findRunningEmbeddedPostgres(config.dataDir));
  const database =
    running === null ? await openDatabase(config, () => undefined) : { url: running, close: () => Promise.resolve() };
  const pool = createPool(database.url, { max: 3, applicationName: operatorName() });
  try {
    await reach(pool);
    await assertMigrated(pool);
  } catch (error) {
    await pool.end();
    await database.close();
    throw error;
  }
  const store = new EventStore({ url: database.url, maxConnections: 2 });
  const clock = openClock(config);
  const streams = new PaymentStreams(store, clock, new RandomIds());
  let commands: Promise<Commands> | null = null;
  return {
    config,
    env,
    databaseUrl: database.url,
    pool,
    store,
    clock,
    payment: (id) => {
      if (!isUuid(id)) throw new Refusal('not_found', `"${id.slice(0, 64)}" is not a payment id (a UUID).`);
      return streams.load(id);
    },
    commands: () => (commands ??= openCommands(config, database.url)),
    close: async () => {
      await (await commands)?.close();
      await store.close();
      await pool.end();
      await database.close();
    },
  };
}

/** Throws a sentence where nobody answers, or lets us in. */
async function reach(pool: Pool): Promise<void> {
  try {
    (await pool.connect()).release();
  } catch (error) {
    // Where a name has several addresses, the error has a code and no message.
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no reason given';
    const reason = (error instanceof Error && error.message) || code;
    throw new Error(`The database cannot be reached: ${reason}. Check DATABASE_URL, and that its server runs.`, {
      cause: error,
    });
  }
}

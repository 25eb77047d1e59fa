import { randomBytes } from 'node:crypto';
import { chown, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createDatabaseIfMissing } from './database.pg.js';
import {
  existingHome,
  removeDrafts,
  settledHome,
  shelters,
  syncDirectory,
  whileStarting,
  writeDurably,
  type Home,
} from './postgres-home.pg.js';
import { Keeper, ServerMoved } from './postgres-keeper.pg.js';
import { adoptedServer, launchServer, trimLog, type Server } from './postgres-launch.pg.js';
import { run, serverAccount, usablePrograms, type Account, type Programs } from './postgres-programs.pg.js';
import { answering, readSecrets, stopServer, urlOf, type Secrets } from './postgres-server.pg.js';

/** A PostgreSQL server of our own, for where nobody runs one for us. */
export interface EmbeddedPostgres {
  /** Connects as the server's superuser to the database asked for. Holds the password: never log it. */
  url: string;
  /** True when the server was already running, left by a process that ended without stopping it or still using it. */
  adopted: boolean;
  /** Where the data lies: below dataDir, or in a shelter that the server's account can reach (see `Home`). */
  directory: string;
  /** Stops the server, an adopted one too: what is committed is safe, open transactions end. Takes 15 s at most. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Made if missing. Backing up this directory (while stopped) backs up the data, unless `directory` lies elsewhere. */
  dataDir: string;
  /** Created if missing. */
  database: string;
  log?: Log;
  /** Told when the server died and could not be brought back: nothing more is tried. Without it, that is only logged. */
  onLost?: (error: Error) => void;
}

type Log = (message: string, level: 'info' | 'warn') => void;

/**
 * Written to postgresql.conf once, for the owner to change. The password is 32 random bytes, which many iterations
 * would not make stronger, only every connection slower. Errors go to the client that caused them, not to the log.
 */
const initialSettings: Readonly<Record<string, string>> = {
  max_connections: '200',
  shared_buffers: '128MB',
  max_wal_size: '1GB',
  checkpoint_completion_target: '0.9',
  effective_io_concurrency: '16',
  max_worker_processes: '4',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
  scram_iterations: '1',
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
  log_line_prefix: '%m [%p] ',
};

/**
 * Starts the server of `dataDir`, or adopts the one that runs there already. Data of an earlier start is found again,
 * also after a crash of the server or the machine. Starting twice at once is safe: one starts, the other adopts.
 * While this process lives it watches the server: one that dies is started again on the same port.
 */
export const startEmbeddedPostgres = (options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> =>
  whileStarting(options.dataDir, async () => {
    const log = options.log ?? (() => undefined);
    const existing = await existingHome(options.dataDir);
    const account = await serverAccount(existing && (await ownerOf(existing.cluster)));
    const home = await settledHome(options.dataDir, existing, account);
    if (!existing && !home.directory.startsWith(resolve(options.dataDir)))
      log(`the database lies in ${home.directory}`, 'info');
    const running = existing && (await adoptedServer(home));
    const server = running ?? (await freshServer(home, account, existing === null));
    log(`${running ? 'adopted' : 'started'} PostgreSQL on 127.0.0.1:${server.settings.port}`, 'info');
    try {
      return await handle({ ...options, log, home, account }, server, running !== null);
    } catch (error) {
      if (!running) await stopServer(home);
      throw error;
    }
  });

const freshServer = async (home: Home, account: Account, empty: boolean): Promise<Server> => {
  await removeDrafts(home);
  const programs = await usablePrograms(account, [home.directory, ...shelters]);
  if (empty) await initialise(home, programs, account);
  const port = (await readSecrets(home)).lastPort ?? null;
  return await launchServer({ home, programs, account, port, samePort: false, patienceMs: 30_000 });
};

/** The URL of the server that runs for `dataDir`, or null when none answers. Starts and changes nothing. */
export const findRunningEmbeddedPostgres = async (dataDir: string): Promise<string | null> => {
  const home = await existingHome(dataDir);
  const settings = home && (await answering(home));
  return settings ? urlOf(settings, settings.database) : null;
};

/** What a start has settled. */
interface Settled extends EmbeddedPostgresOptions {
  log: Log;
  home: Home;
  account: Account;
}

/** The watch over each cluster: one per process, so that whichever handle stops the server is not resisted by another. */
const keepers = new Map<string, Keeper>();

const handle = async (settled: Settled, server: Server, adopted: boolean): Promise<EmbeddedPostgres> => {
  const { home, database, log } = settled;
  const { settings } = server;
  const url = urlOf(settings, database);
  await createDatabaseIfMissing(url);
  if (settings.database !== database || settings.lastPort !== settings.port)
    await writeSecrets(home.cluster, { password: settings.password, database, lastPort: settings.port });
  const trimmer = setInterval(() => void trimLog(home), 60_000).unref();
  const onLost = settled.onLost ?? ((error) => log(`PostgreSQL is lost: ${error.message}`, 'warn'));
  await keepers.get(home.cluster)?.end(() => Promise.resolve());
  keepers.set(
    home.cluster,
    new Keeper(server, { log, onLost, restart: (signal) => restarted(settled, settings.port, signal) }),
  );
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    clearInterval(trimmer);
    await keepers.get(home.cluster)?.end(() => stopServer(home));
    await stopServer(home);
  };
  return { url, adopted, directory: home.directory, stop: () => (stopping ??= stop()) };
};

/** Whoever gets the lock first starts the server; the others that used it adopt that one. */
const restarted = ({ dataDir, home, account }: Settled, port: number, signal: AbortSignal): Promise<Server> => {
  const work = async (): Promise<Server> => {
    const running = await adoptedServer(home);
    signal.throwIfAborted();
    if (running && running.settings.port !== port) throw new ServerMoved(port, running.settings.port);
    if (running) return running;
    const programs = await usablePrograms(account, [home.directory, ...shelters]);
    signal.throwIfAborted();
    return await launchServer({ home, programs, account, port, samePort: true, patienceMs: 8000 });
  };
  return whileStarting(dataDir, work, signal);
};

const ownerOf = async (cluster: string): Promise<Account> => {
  const { uid, gid } = await stat(cluster);
  return { uid, gid };
};

/** Makes the cluster under another name and gives it its own only when it is complete and on disk. */
const initialise = async (home: Home, programs: Programs, account: Account): Promise<void> => {
  const draft = join(home.directory, `cluster.new-${randomBytes(6).toString('hex')}`);
  const passwordFile = `${draft}.password`;
  const password = randomBytes(32).toString('base64url');
  try {
    await mkdir(draft, { mode: 0o700 });
    await writeFile(passwordFile, password, { mode: 0o600 });
    await Promise.all([draft, passwordFile].map((path) => giveTo(account, path)));
    const settings = Object.entries(initialSettings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const { ok, output } = await run(
      programs.initdb,
      [
        '-D',
        draft,
        '-U',
        'finality',
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--data-checksums',
        '--no-instructions',
        ...settings,
      ],
      account,
    );
    if (!ok) throw new Error(`initdb failed: ${output}`);
    await writeSecrets(draft, { password, database: 'postgres' });
    await rename(draft, home.cluster);
    await syncDirectory(home.directory);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(draft, { recursive: true, force: true });
  }
};

const writeSecrets = (cluster: string, secrets: Secrets): Promise<void> =>
  writeDurably(join(cluster, 'finality.json'), JSON.stringify(secrets));

const giveTo = async (account: Account, path: string): Promise<void> => {
  if (account.uid !== undefined && account.gid !== undefined) await chown(path, account.uid, account.gid);
};

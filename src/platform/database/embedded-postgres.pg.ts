import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, open, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
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
import {
  plainEnvironment,
  run,
  serverAccount,
  usablePrograms,
  type Account,
  type Programs,
} from './postgres-programs.pg.js';
import {
  answering,
  looksLikeOurs,
  readPostmaster,
  runningServer,
  stopServer,
  urlOf,
  type Settings,
} from './postgres-server.pg.js';

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
  log?: (message: string) => void;
}

/** What protects the data and the machine; given on the command line, so that no settings file weakens it. */
const fixedSettings = (port: number): string[] =>
  Object.entries({
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',
    timezone: 'UTC',
    log_timezone: 'UTC',
    logging_collector: 'off',
    log_destination: 'stderr',
  }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);

/**
 * Written to postgresql.conf once, for the owner to change. The password is 32 random bytes, which many iterations
 * would not make stronger, only every connection slower. Errors go to the client that caused them, not to the log.
 */
const initialSettings: Readonly<Record<string, string>> = {
  max_connections: '100',
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
 */
export const startEmbeddedPostgres = (options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> =>
  whileStarting(options.dataDir, async () => {
    const log = options.log ?? (() => undefined);
    const existing = await existingHome(options.dataDir);
    const account = await serverAccount(existing && (await ownerOf(existing.cluster)));
    const home = await settledHome(options.dataDir, existing, account);
    if (!existing && !home.directory.startsWith(resolve(options.dataDir)))
      log(`the database lies in ${home.directory}`);
    let settings = existing && (await runningServer(home));
    const adopted = settings !== null;
    if (!settings) {
      await removeDrafts(home);
      const programs = await usablePrograms(account, [home.directory, ...shelters]);
      if (!existing) await initialise(home, programs, account);
      settings = await startServer(home, programs, account);
    }
    log(`${adopted ? 'adopted' : 'started'} PostgreSQL on 127.0.0.1:${settings.port}`);
    return await handle(home, settings, options.database, adopted);
  });

/** The URL of the server that runs for `dataDir`, or null when none answers. Starts and changes nothing. */
export const findRunningEmbeddedPostgres = async (dataDir: string): Promise<string | null> => {
  const home = await existingHome(dataDir);
  const settings = home && (await answering(home));
  return settings ? urlOf(settings, settings.database) : null;
};

const handle = async (
  home: Home,
  settings: Settings,
  database: string,
  adopted: boolean,
): Promise<EmbeddedPostgres> => {
  const url = urlOf(settings, database);
  await createDatabaseIfMissing(url);
  if (settings.database !== database) await writeSecrets(home.cluster, settings.password, database);
  const trimmer = setInterval(() => void trimLog(home), 60_000).unref();
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    clearInterval(trimmer);
    stopping ??= stopServer(home);
    return stopping;
  };
  return { url, adopted, directory: home.directory, stop };
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
    await writeSecrets(draft, password, 'postgres');
    await rename(draft, home.cluster);
    await syncDirectory(home.directory);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(draft, { recursive: true, force: true });
  }
};

const writeSecrets = (cluster: string, password: string, database: string): Promise<void> =>
  writeDurably(join(cluster, 'finality.json'), JSON.stringify({ password, database }));

const giveTo = async (account: Account, path: string): Promise<void> => {
  if (account.uid !== undefined && account.gid !== undefined) await chown(path, account.uid, account.gid);
};

/** Reasons not to start that pass by themselves: a port taken meanwhile, children of a killed server still ending. */
const passing =
  /could not bind|address already in use|could not create any TCP|still in use|lock file "postmaster\.pid" already exists/i;

const startServer = async (home: Home, programs: Programs, account: Account): Promise<Settings> => {
  await disownStalePid(home);
  for (const deadline = Date.now() + 30_000; ;) {
    const failure = await attempt(home, programs, account);
    const settings = await runningServer(home);
    if (settings) return settings;
    if (failure === null || !passing.test(failure) || Date.now() > deadline) {
      throw new Error(`PostgreSQL did not start (${logFile(home)}): ${failure ?? 'it ended at once'}`);
    }
    await delay(200);
  }
};

/**
 * A stale postmaster.pid may by chance name a living process of the same account, and PostgreSQL would believe it. It
 * ignores its own parent's id, so the file gets ours; removing the file would lose the guard on shared memory in it.
 */
const disownStalePid = async (home: Home): Promise<void> => {
  const postmaster = await readPostmaster(home);
  if (!postmaster || (await looksLikeOurs(postmaster.pid, home))) return;
  const path = join(home.cluster, 'postmaster.pid');
  const lines = (await readFile(path, 'utf8')).split('\n');
  await writeFile(path, [String(process.pid), ...lines.slice(1)].join('\n'));
};

/** Spawns the server in a session of its own, so that Ctrl-C reaches only us. Answers why it ended, null once ready. */
const attempt = async (home: Home, programs: Programs, account: Account): Promise<string | null> => {
  await trimLog(home);
  const file = await open(logFile(home), 'a', 0o600);
  try {
    const { size } = await file.stat();
    const args = ['-D', home.cluster, ...fixedSettings(await freePort())];
    const child = spawn(programs.postgres, args, {
      ...account,
      cwd: home.directory,
      env: plainEnvironment(),
      detached: true,
      windowsHide: true,
      stdio: ['ignore', file.fd, file.fd],
    });
    const over = new AbortController();
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', () => void logSince(home, size).then(resolve, String));
    }).finally(() => over.abort());
    child.unref();
    return await Promise.race([ended, ready(home, child.pid, over.signal)]);
  } finally {
    await file.close();
  }
};

/** Recovery after a crash may take its time: two minutes, then we give up waiting and leave the server to it. */
const ready = async (home: Home, pid: number | undefined, over: AbortSignal): Promise<null> => {
  for (const deadline = Date.now() + 120_000; !over.aborted && Date.now() < deadline; await delay(10)) {
    const postmaster = await readPostmaster(home);
    if (postmaster?.status === 'ready' && postmaster.pid === pid) return null;
  }
  if (over.aborted) return null;
  throw new Error('PostgreSQL is still recovering after two minutes; it goes on, start again to wait for it');
};

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no free port')),
      );
    });
  });

const logFile = (home: Home): string => join(home.directory, 'postgres.log');

const logSince = async (home: Home, offset: number): Promise<string> =>
  (await readFile(logFile(home))).subarray(offset).toString('utf8').trim().slice(-2000);

/** The log is opened for appending, so it can be cut while the server runs. It holds 8 MB, and the 8 MB before. */
const trimLog = async (home: Home): Promise<void> => {
  const path = logFile(home);
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size < 8_000_000) return;
  await writeFile(`${path}.1`, await readFile(path), { mode: 0o600 }).catch(() => undefined);
  await truncate(path).catch(() => undefined);
};

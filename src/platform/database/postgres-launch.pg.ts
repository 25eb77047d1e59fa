import { spawn, type ChildProcess } from 'node:child_process';
import { open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Home } from './postgres-home.pg.js';
import { plainEnvironment, type Account, type Programs } from './postgres-programs.pg.js';
import { looksLikeOurs, readPostmaster, runningServer, type Settings } from './postgres-server.pg.js';

/** A server that answers. */
export interface Server {
  settings: Settings;
  /** Its process; not a child of ours where the server was adopted. */
  pid: number;
  /** Resolves as soon as the process ends; null where that cannot be awaited but only looked at. */
  ended: Promise<void> | null;
}

export interface Launch {
  home: Home;
  programs: Programs;
  account: Account;
  /** The port that the server had: taken again when it is free, any other if not. Null for any. */
  port: number | null;
  /** No other port than that one: somebody holds its URL. */
  samePort: boolean;
  /** How long reasons that pass by themselves may last, in milliseconds. */
  patienceMs: number;
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

/** Reasons not to start that pass by themselves: a port taken meanwhile, children of a killed server still ending. */
const passing =
  /could not bind|address already in use|could not create any TCP|still in use|lock file "postmaster\.pid" already exists/i;

/** Starts the server of a cluster in which none lives; resolves when it answers, after recovery where it had crashed. */
export const launchServer = async (launch: Launch): Promise<Server> => {
  const { home } = launch;
  await disownStalePid(home);
  for (const deadline = Date.now() + launch.patienceMs; ; await delay(100)) {
    const { failure, child } = await attempt(launch);
    const found = await adoptedServer(home);
    if (found) return found.pid === child.pid ? { ...found, ended: endOf(child) } : found;
    if (failure === null || !passing.test(failure) || Date.now() > deadline) {
      throw new Error(`PostgreSQL did not start (${logFile(home)}): ${failure ?? 'it ended at once'}`);
    }
  }
};

/** The server that lives in this cluster already, once it answers; null when none does (see `runningServer`). */
export const adoptedServer = async (home: Home): Promise<Server | null> => {
  const settings = await runningServer(home);
  const postmaster = settings && (await readPostmaster(home));
  return postmaster ? { settings, pid: postmaster.pid, ended: null } : null;
};

const endOf = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });

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

interface Attempt {
  child: ChildProcess;
  /** What it said before it ended; null once it is ready. */
  failure: string | null;
}

/** Spawns the server in a session of its own, so that Ctrl-C reaches only us. */
const attempt = async (launch: Launch): Promise<Attempt> => {
  const { home, programs, account } = launch;
  await trimLog(home);
  const file = await open(logFile(home), 'a', 0o600);
  try {
    const { size } = await file.stat();
    const args = ['-D', home.cluster, ...fixedSettings(await portFor(launch))];
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
    return { child, failure: await Promise.race([ended, ready(home, child.pid, over.signal)]) };
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

const portFor = async ({ port, samePort }: Launch): Promise<number> => {
  if (port === null) return await freePort(0);
  return samePort ? port : await freePort(port).catch(() => freePort(0));
};

/** The port wanted if it is free, or any that is, for 0. */
const freePort = (wanted: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(wanted, '127.0.0.1', () => {
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
export const trimLog = async (home: Home): Promise<void> => {
  const path = logFile(home);
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size < 8_000_000) return;
  await writeFile(`${path}.1`, await readFile(path), { mode: 0o600 }).catch(() => undefined);
  await truncate(path).catch(() => undefined);
};

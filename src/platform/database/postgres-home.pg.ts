import { createHash, randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { canEnter, isOursAlone, type Account } from './postgres-programs.pg.js';

/**
 * Where the data of an embedded server lies.
 *
 * Normally in `<dataDir>/postgres`. When we are root and the server's account cannot get there (a checkout below a
 * home that only root may enter), it lies in a shelter such as `/var/lib/finality/<name>-<hash>`, and the file
 * `<dataDir>/postgres/location` says so; from then on that file decides. The directory named there says in its file
 * `origin` whose it is, so that a copied dataDir is noticed and never shares a database with its original.
 */
export interface Home {
  directory: string;
  /** PostgreSQL's own data directory; absent until initdb has finished. */
  cluster: string;
}

/** World-traversable places that survive a restart, in order of preference. */
export const shelters: readonly string[] = ['/var/lib/finality', '/var/tmp/finality'];

const homeAt = (directory: string): Home => ({ directory, cluster: join(directory, 'cluster') });
const entrance = (dataDir: string): string => join(resolve(dataDir), 'postgres');
const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => null)) !== null;
const textOf = (path: string): Promise<string | null> =>
  readFile(path, 'utf8').then(
    (text) => text.trim(),
    (error: unknown) => {
      const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
      if (code === 'ENOENT' || code === 'ENOTDIR') return null;
      throw error;
    },
  );

/** The home that dataDir has now, or null when it never had one. Changes nothing. */
export const existingHome = async (dataDir: string): Promise<Home | null> => {
  const own = homeAt(entrance(dataDir));
  const location = await textOf(join(own.directory, 'location'));
  const home = location === null ? own : homeAt(location);
  if (await exists(home.cluster)) return location === null ? own : await claimed(home, dataDir);
  if (location === null) return null;
  throw new Error(
    `${join(own.directory, 'location')} says that the database lies in ${location}, but it is not there. ` +
      'Bring it back from a backup, or delete that file to begin with an empty database.',
  );
};

/** A moved dataDir takes its database along; a copied one must not share it. */
const claimed = async (home: Home, dataDir: string): Promise<Home> => {
  const here = await realpath(entrance(dataDir));
  const origin = (await textOf(join(home.directory, 'origin'))) ?? here;
  if (origin === here) return home;
  if ((await textOf(join(origin, 'location')).catch(() => null)) !== home.directory) return home;
  throw new Error(
    `${here} is a copy of ${origin}: both name ${home.directory} as the place of their database. ` +
      `Delete ${join(here, 'location')} to begin with an empty database of its own.`,
  );
};

/** The home to use, made if need be: `existing`, else `<dataDir>/postgres`, else one in a shelter. */
export const settledHome = async (dataDir: string, existing: Home | null, account: Account): Promise<Home> => {
  const own = homeAt(entrance(dataDir));
  const home = existing ?? own;
  if (await canEnter(account, home.directory)) return home;
  if (existing) {
    throw new Error(
      `The database in ${home.directory} cannot be reached by uid ${account.uid}, which must run it: let others pass through the directories above it (chmod o+x).`,
    );
  }
  return await shelteredHome(own.directory, account);
};

const shelteredHome = async (own: string, account: Account): Promise<Home> => {
  const real = await realpath(own);
  const hash = createHash('sha256').update(real).digest('hex').slice(0, 12);
  const name = `${basename(dirname(dirname(real))) || 'root'}-${hash}-${randomBytes(3).toString('hex')}`;
  for (const shelter of shelters) {
    const home = homeAt(join(shelter, name));
    const made = await makeOpen(shelter)
      .then(() => makeOpen(home.directory))
      .then(
        () => true,
        () => false,
      );
    if (!made || !(await isOursAlone(shelter)) || !(await canEnter(account, home.directory))) continue;
    await writeDurably(join(home.directory, 'origin'), real);
    await writeDurably(join(own, 'location'), home.directory);
    return home;
  }
  throw new Error(
    `uid ${account.uid}, which must run PostgreSQL, can reach neither ${own} nor ${shelters.join(' nor ')}. Set DATA_DIR to a directory that it can reach, or set DATABASE_URL.`,
  );
};

/** Removes what a starter that was killed half-way has left. */
export const removeDrafts = async (home: Home): Promise<void> => {
  for (const name of await readdir(home.directory)) {
    if (name.includes('.new-')) await rm(join(home.directory, name), { recursive: true, force: true });
  }
};

/** A directory that other accounts may pass through, whatever our umask. An existing one keeps its mode. */
export const makeOpen = async (directory: string): Promise<void> => {
  const first = await mkdir(directory, { recursive: true });
  if (first === undefined) return;
  for (let at = directory; at.length >= first.length; at = dirname(at)) await chmod(at, 0o755);
};

/** Writes a small private file so that after a crash there is either the old or the whole new one. */
export const writeDurably = async (path: string, text: string): Promise<void> => {
  const draft = `${path}.new-${randomBytes(6).toString('hex')}`;
  await writeFile(draft, text, { mode: 0o600, flush: true });
  await rename(draft, path);
  await syncDirectory(dirname(path));
};

export const syncDirectory = async (directory: string): Promise<void> => {
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  await handle.sync().finally(() => handle.close());
};

/**
 * Makes `<dataDir>/postgres` and runs `work` while no other process on this machine starts a server there. The signal
 * ends the wait for others, not the work.
 */
export const whileStarting = async <T>(dataDir: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
  const own = entrance(dataDir);
  await makeOpen(own);
  const release = await lock(join(own, 'lock'), signal);
  try {
    return await work();
  } finally {
    await release();
  }
};

const held = new Set<string>();

/**
 * A lock file that names its holder. Breaking a dead holder's lock has a window in which two may pass; it is harmless,
 * because PostgreSQL's own lock lets only one server run and a new cluster appears by one rename.
 */
const lock = async (path: string, signal?: AbortSignal): Promise<() => Promise<void>> => {
  const me = `${process.pid} ${await startTime(process.pid)} ${randomBytes(6).toString('hex')}`;
  const draft = `${path}.${process.pid}-${randomBytes(6).toString('hex')}`;
  await writeFile(draft, me, { mode: 0o600 });
  try {
    for (const deadline = Date.now() + 150_000; ;) {
      signal?.throwIfAborted();
      held.add(me);
      const won = await link(draft, path).then(
        () => true,
        () => false,
      );
      if (won) return () => unlock(path, me);
      held.delete(me);
      const holder = await textOf(path);
      if (holder !== null && !(await isHeld(holder))) await breakLock(path, holder);
      else if (Date.now() > deadline)
        throw new Error(`Another process has been starting the database for long: see ${path}`);
      else await delay(25);
    }
  } finally {
    await rm(draft, { force: true });
  }
};

const unlock = async (path: string, me: string): Promise<void> => {
  held.delete(me);
  if ((await textOf(path)) === me) await rm(path, { force: true });
};

const breakLock = async (path: string, holder: string): Promise<void> => {
  if ((await textOf(path)) === holder) await rm(path, { force: true });
};

const isHeld = async (holder: string): Promise<boolean> => {
  const [pid = '', started = ''] = holder.split(' ');
  if (Number(pid) === process.pid) return held.has(holder);
  return isAlive(Number(pid)) && (await startTime(Number(pid))) === started;
};

/** Whether a process with this id exists. A zombie counts until its parent reaps it; see `hasEnded`. */
export const isAlive = (pid: number): boolean => {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
};

/** Tells a process from a later one with the same id, where the system says so (Linux); '-' elsewhere. */
const startTime = async (pid: number): Promise<string> => (await statFields(pid))[19] ?? '-';

/** Whether the process is gone, or dead and only waiting to be reaped. */
export const hasEnded = async (pid: number): Promise<boolean> => !isAlive(pid) || (await statFields(pid))[0] === 'Z';

const statFields = async (pid: number): Promise<string[]> => {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
};

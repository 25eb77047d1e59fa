// Two embedded PostgreSQL servers: a primary and its streaming standby, made without pg_basebackup (which the npm package
// does not bring). Nobody starts a killed server again, as the service's own keeper would.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, cp, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../dist/platform/database/embedded-postgres.pg.js';
import { settledHome, shelters, whileStarting } from '../../dist/platform/database/postgres-home.pg.js';
import { plainEnvironment, serverAccount, usablePrograms } from '../../dist/platform/database/postgres-programs.pg.js';

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

export const query = async (url, text, values = []) => {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query(text, values)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
};

/** All that a process has started. */
const childrenOf = async (pid) => {
  const found = [];
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid) found.push(Number(name));
  }
  return found;
};

const signal = (pid, name) => {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended already.
  }
};

/** One server, on a port of its own for all its life. */
class Node {
  child = null;

  constructor({ directory, port, credentials, programs, account }) {
    Object.assign(this, { directory, port, programs, account });
    this.url = `postgres://${credentials}@127.0.0.1:${port}/finality`;
  }

  /** Resolves when it takes connections. */
  async start(settings = {}) {
    const all = {
      listen_addresses: '127.0.0.1',
      port: this.port,
      unix_socket_directories: '',
      timezone: 'UTC',
      ...settings,
    };
    const args = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const log = await open(join(this.directory, 'postgres.log'), 'a');
    this.child = spawn(this.programs.postgres, ['-D', join(this.directory, 'cluster'), ...args], {
      ...this.account,
      cwd: this.directory,
      env: plainEnvironment(),
      stdio: ['ignore', log.fd, log.fd],
    });
    this.ended = once(this.child, 'exit');
    await log.close();
    for (const deadline = Date.now() + 30_000; ; await delay(20)) {
      const up = await query(this.url, 'select 1').then(
        () => true,
        () => false,
      );
      if (up) return;
      if (this.child.exitCode !== null || Date.now() > deadline)
        throw new Error(`PostgreSQL did not start: ${await readFile(join(this.directory, 'postgres.log'), 'utf8')}`);
    }
  }

  /** As if the machine had lost its power: no process of the server ends by itself. */
  async kill() {
    const { pid } = this.child;
    // Stopped first, so that it starts no more while its children are counted.
    signal(pid, 'SIGSTOP');
    for (const each of [pid, ...(await childrenOf(pid))]) signal(each, 'SIGKILL');
    await this.ended;
    this.child = null;
  }

  async stop() {
    if (!this.child) return;
    signal(this.child.pid, 'SIGINT');
    const late = setTimeout(() => this.child && void this.kill(), 10_000);
    await this.ended;
    clearTimeout(late);
    this.child = null;
  }
}

/** Copies a running server's files as the manual's "low level" backup does, and makes them a standby's. */
const copyFor = async (primary, standby) => {
  const client = new pg.Client({ connectionString: primary.url });
  await client.connect();
  const [from, to] = [join(primary.directory, 'cluster'), join(standby.directory, 'cluster')];
  try {
    await client.query(`select pg_backup_start('pair', true)`);
    const left = (path) => !/\/postmaster\.(pid|opts)$/.test(path);
    await cp(from, to, { recursive: true, filter: left, preserveTimestamps: true });
    const { rows } = await client.query('select labelfile from pg_backup_stop(false)');
    await writeFile(join(to, 'backup_label'), rows[0].labelfile);
    await writeFile(join(to, 'standby.signal'), '');
  } finally {
    await client.end();
  }
  const { uid, gid } = standby.account;
  if (uid === undefined) return;
  await chown(to, uid, gid);
  for (const entry of await readdir(to, { recursive: true })) await chown(join(to, entry), uid, gid);
};

/**
 * Starts both below `directory`, which others may enter. `synchronous`: the primary acknowledges only what the standby
 * has on its disk too.
 */
export const startPair = async (directory, { synchronous = false, settings = {} } = {}) => {
  const first = await startEmbeddedPostgres({ dataDir: join(directory, 'a'), database: 'finality' });
  await first.stop();
  const account = await serverAccount(null);
  const common = { programs: await usablePrograms(account, shelters), account };
  const { username, password } = new URL(first.url);
  const credentials = `${username}:${password}`;
  const primary = new Node({ ...common, directory: first.directory, port: await freePort(), credentials });
  const dataDir = join(directory, 'b');
  const second = await whileStarting(dataDir, () => settledHome(dataDir, null, account));
  const standby = new Node({ ...common, directory: second.directory, port: await freePort(), credentials });
  const stop = async () => {
    await standby.stop();
    await primary.stop();
  };
  try {
    await primary.start({ wal_keep_size: '1GB', ...settings });
    await copyFor(primary, standby);
    const conninfo = `host=127.0.0.1 port=${primary.port} user=${username} password=${decodeURIComponent(password)} application_name=standby`;
    await standby.start({ primary_conninfo: conninfo, ...settings });
    if (synchronous) {
      await query(primary.url, `alter system set synchronous_standby_names = 'standby'`);
      await query(primary.url, 'select pg_reload_conf()');
      const replication = `select 1 from pg_stat_replication where sync_state = 'sync' and state = 'streaming'`;
      while ((await query(primary.url, replication)).length === 0) await delay(20);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { primary, standby, stop };
};

// A PostgreSQL of the torture's own, and a way to it that can be cut.
import { readdir, readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../dist/platform/database/embedded-postgres.pg.js';

/** All that a process has started. Where there is no /proc, none: the server's children then see by themselves that it is gone. */
const childrenOf = async (pid) => {
  const found = [];
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    // The second field is a name in brackets that may hold anything; after it come the state and the parent.
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    if (parent === pid) found.push(Number(name));
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

/**
 * Starts it in `directory`. Nobody but the server's keeper, which the service has too, starts it again after a kill:
 * `kill` resolves with the milliseconds until it takes connections.
 */
export const startPostgres = async (directory) => {
  const server = await startEmbeddedPostgres({ dataDir: directory, database: 'finality' });
  const pidFile = join(server.directory, 'cluster/postmaster.pid');
  const isUp = () =>
    query(server.url, 'select 1').then(
      () => true,
      () => false,
    );
  return {
    url: server.url,
    kill: async () => {
      const postmaster = Number((await readFile(pidFile, 'utf8')).split('\n')[0]);
      // Stopped first, so that it starts no more while its children are counted.
      signal(postmaster, 'SIGSTOP');
      const children = await childrenOf(postmaster);
      const began = performance.now();
      for (const pid of [postmaster, ...children]) signal(pid, 'SIGKILL');
      while (!(await isUp())) {
        if (performance.now() - began > 60_000) throw new Error('PostgreSQL is not back after a minute');
        await delay(10);
      }
      return performance.now() - began;
    },
    stop: () => server.stop(),
  };
};

/**
 * The way from the services to PostgreSQL. While `rate` is above 0, that share of what a client sends is passed on and
 * the connection is then cut: at once, or when the server's answer arrives, which the client never sees.
 */
export const startWay = async (databaseUrl) => {
  const target = new URL(databaseUrl);
  const way = { rate: 0, cuts: 0 };
  const sockets = new Set();
  const server = createServer((client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port), noDelay: true });
    client.setNoDelay(true);
    let doomed = false;
    const cut = () => {
      way.cuts += 1;
      client.destroy();
      upstream.end();
    };
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.end();
      });
    }
    client.on('data', (bytes) => {
      upstream.write(bytes);
      if (doomed || Math.random() >= way.rate) return;
      if (Math.random() < 0.5) cut();
      else doomed = true;
    });
    upstream.on('data', (bytes) => {
      if (doomed) cut();
      else client.write(bytes);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String(server.address().port);
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return Object.assign(way, { url: url.href, close });
};

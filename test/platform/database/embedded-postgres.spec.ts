import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import {
  findRunningEmbeddedPostgres,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../../../src/platform/database/embedded-postgres.pg.js';
import { hasEnded, isAlive } from '../../../src/platform/database/postgres-home.pg.js';
import {
  ask,
  asRoot,
  builtLauncher,
  postmasterPid,
  remove,
  startElsewhere,
  temporaryDirectory,
} from '../../support/embedded-postgres.js';

describe('The embedded database', () => {
  let dataDir: string;
  let server: EmbeddedPostgres | undefined;
  const start = async (): Promise<EmbeddedPostgres> => {
    server = await startEmbeddedPostgres({ dataDir, database: 'shop' });
    return server;
  };

  beforeAll(async () => {
    dataDir = await temporaryDirectory();
    await ask((await start()).url, 'create table note (id integer primary key)', 'insert into note values (0)');
  });

  afterAll(async () => {
    await server?.stop();
    await remove(dataDir);
  });

  it('finds its data again after a restart', async () => {
    await server?.stop();
    const restarted = await start();
    expect(restarted.adopted).toBe(false);
    expect(await ask(restarted.url, 'select id from note')).toEqual([{ id: 0 }]);
  });

  it('never runs as root and keeps its files to its own account', async () => {
    const { uid, mode } = await stat(join(dataDir, 'postgres/cluster'));
    expect(uid === 0).toBe(false);
    expect(mode & 0o077).toBe(0);
    if (asRoot) expect((await stat(`/proc/${await postmasterPid(join(dataDir, 'postgres'))}`)).uid).toBe(uid);
    expect((await stat(join(dataDir, 'postgres/cluster/finality.json'))).mode & 0o077).toBe(0);
  });

  it('is set to lose nothing, listens on the loopback address only and works in UTC and UTF-8', async () => {
    const { url } = await start();
    const names = ['fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums'];
    const rows = await ask(url, 'select name, setting from pg_settings');
    const settings = new Map(rows.map((row) => [row['name'], row['setting']]));
    expect(names.map((name) => settings.get(name))).toEqual(['on', 'on', 'on', 'on']);
    expect(settings.get('listen_addresses')).toBe('127.0.0.1');
    expect(settings.get('unix_socket_directories')).toBe('');
    expect(settings.get('TimeZone')).toBe('UTC');
    expect(settings.get('server_encoding')).toBe('UTF8');
    expect(await ask(url, 'select datcollate from pg_database where datname = current_database()')).toEqual([
      { datcollate: 'C' },
    ]);
  });

  it('lets nobody in without its password', async () => {
    const url = new URL((await start()).url);
    url.password = 'guess';
    await expect(ask(url.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('is found by another process while it runs, and not afterwards', async () => {
    const { url } = await start();
    expect(await findRunningEmbeddedPostgres(dataDir)).toBe(url);
    await server?.stop();
    expect(await findRunningEmbeddedPostgres(dataDir)).toBeNull();
  });

  it('D01: loses no acknowledged row when it is killed under load', async () => {
    const { url } = await start();
    const pid = await postmasterPid(join(dataDir, 'postgres'));
    const acknowledged: number[] = [];
    let next = 0;
    const write = async (): Promise<void> => {
      const client = new pg.Client({ connectionString: url });
      client.on('error', () => undefined);
      await client.connect();
      try {
        for (;;) {
          const id = (next += 1);
          await client.query('insert into note values ($1)', [id]);
          acknowledged.push(id);
          if (acknowledged.length === 1000) process.kill(pid, 'SIGKILL');
        }
      } catch {
        await client.end().catch(() => undefined);
      }
    };
    await Promise.all([write(), write(), write(), write()]);
    expect(acknowledged.length).toBeGreaterThanOrEqual(1000);

    const found = await ask((await start()).url, 'select id from note');
    const ids = new Set(found.map((row) => row['id']));
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
  });

  it('is adopted when the process that started it was killed, and can then be stopped', async () => {
    await server?.stop();
    const orphaned = await startElsewhere(builtLauncher, dataDir);
    await orphaned.kill();
    const pid = await postmasterPid(orphaned.directory);
    expect(isAlive(pid)).toBe(true);

    const adopted = await start();
    expect({ adopted: adopted.adopted, url: adopted.url }).toEqual({ adopted: true, url: orphaned.url });
    await adopted.stop();
    expect(await hasEnded(pid)).toBe(true);
  });

  it('is not held up by the pid file of a server that is gone, even if another process now has its id', async () => {
    await server?.stop();
    const { uid, gid } = await stat(join(dataDir, 'postgres/cluster'));
    const bystander = spawn('sleep', ['60'], asRoot ? { uid, gid } : {});
    await once(bystander, 'spawn');
    const file = join(dataDir, 'postgres/cluster/postmaster.pid');
    for (const pid of [bystander.pid, 4_194_303]) {
      await writeFile(
        file,
        `${pid}\n${join(dataDir, 'postgres/cluster')}\n1700000000\n5432\n\n127.0.0.1\n  1 1\nready   \n`,
      );
      // As the server itself would have left it, whatever this process's umask.
      if (asRoot) await chown(file, uid, gid);
      expect(await findRunningEmbeddedPostgres(dataDir)).toBeNull();
      expect((await start()).adopted).toBe(false);
      await server?.stop();
    }
    expect(bystander.exitCode).toBeNull();
    bystander.kill();
  });

  it('is not held up by the lock of a starter that is gone', async () => {
    await server?.stop();
    await writeFile(join(dataDir, 'postgres/lock'), '4194303 1 00');
    expect((await start()).adopted).toBe(false);
  });

  it('keeps ordinary errors of clients out of its log', async () => {
    await expect(ask((await start()).url, 'select secret_of_a_payer')).rejects.toThrow('does not exist');
    expect(await readFile(join(dataDir, 'postgres/postgres.log'), 'utf8')).not.toContain('secret_of_a_payer');
  });
});

describe('Two processes that start the embedded database at once', () => {
  it('share one server, on a fresh directory as well', async () => {
    const dataDir = await temporaryDirectory();
    const both = await Promise.all([startElsewhere(builtLauncher, dataDir), startElsewhere(builtLauncher, dataDir)]);
    expect(both.map((one) => one.adopted).sort()).toEqual([false, true]);
    expect(new Set(both.map((one) => one.url)).size).toBe(1);
    await both[0]?.stop();
    await both[1]?.stop();
    expect(await findRunningEmbeddedPostgres(dataDir)).toBeNull();
    await remove(dataDir);
  });
});

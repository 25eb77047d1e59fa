import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { findRunningEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.pg.js';
import { hasEnded, isAlive } from '../../src/platform/database/postgres-home.pg.js';
import { postmasterPid, remove, temporaryDirectory } from '../support/embedded-postgres.js';
import { freePort, until } from '../support/service.js';

/** The service as a process of its own, with a database of its own. */
interface Process {
  child: ChildProcess;
  port: number;
  sandboxPort: number;
  output: { out: string; err: string };
  ended: Promise<number | null>;
}

const launch = async (dataDir: string, ports: { port?: number; sandboxPort?: number } = {}): Promise<Process> => {
  const { port = await freePort(), sandboxPort = await freePort() } = ports;
  const env = {
    PATH: process.env['PATH'] ?? '',
    DATA_DIR: dataDir,
    PORT: String(port),
    SANDBOX_PORT: String(sandboxPort),
  };
  const child = spawn(process.execPath, ['dist/main.js'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { out: '', err: '' };
  child.stdout.on('data', (part: Buffer) => (output.out += part.toString()));
  child.stderr.on('data', (part: Buffer) => (output.err += part.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, port, sandboxPort, output, ended };
};

const says = (process: Process, text: string): Promise<unknown> =>
  until(async () => process.output.out.includes(text), 15_000);

const occupy = async (port: number): Promise<Server> => {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
};

let dataDir: string;
const started: Process[] = [];
const blockers: Server[] = [];
const begin = async (ports?: { port?: number; sandboxPort?: number }): Promise<Process> => {
  const process = await launch(dataDir, ports);
  started.push(process);
  return process;
};
const take = async (port: number): Promise<void> => {
  blockers.push(await occupy(port));
};
const postmaster = (): Promise<number> => postmasterPid(join(dataDir, 'postgres'));

// One directory for all: making a database takes longer than starting one.
beforeAll(async () => {
  dataDir = await temporaryDirectory();
});
afterAll(() => remove(dataDir));
afterEach(async () => {
  for (const blocker of blockers.splice(0)) blocker.close();
  for (const { child, ended } of started.splice(0)) {
    child.kill();
    await ended;
  }
});

describe('A service that cannot start', () => {
  it('names the port that is taken and the variable to set, before it touches anything', async () => {
    const taken = await freePort();
    await take(taken);
    const both = [await begin({ port: taken }), await begin({ sandboxPort: taken })];
    expect(await Promise.all(both.map(({ ended }) => ended))).toEqual([1, 1]);
    expect(both.map(({ output }) => output.err)).toEqual([
      `Finality cannot start: port ${taken} is taken; set PORT to a free one.\n`,
      `Finality cannot start: port ${taken} is taken; set SANDBOX_PORT to a free one.\n`,
    ]);
    expect(await readdir(dataDir)).toEqual([]);
  });

  it('stops the database that it has started, also when the port is lost at the last moment', async () => {
    const service = await begin();
    await says(service, 'started PostgreSQL');
    const pid = await postmaster();
    await take(service.port);
    expect(await service.ended).toBe(1);
    expect(service.output.err).toBe(`Finality cannot start: port ${service.port} is taken; set PORT to a free one.\n`);
    expect(await hasEnded(pid)).toBe(true);
    expect(await findRunningEmbeddedPostgres(dataDir)).toBeNull();
  });

  it('leaves the database alone that another service works on, which stops it when it ends itself', async () => {
    const working = await begin();
    await says(working, 'is ready');
    const pid = await postmaster();
    const second = await begin();
    await says(second, 'adopted PostgreSQL');
    await take(second.sandboxPort);
    expect(await second.ended).toBe(1);
    expect(second.output.err).toContain(`port ${second.sandboxPort} is taken; set SANDBOX_PORT to a free one.`);
    expect(await postmaster()).toBe(pid);
    expect((await fetch(`http://127.0.0.1:${working.port}/health/ready`)).status).toBe(200);

    working.child.kill('SIGTERM');
    expect(await working.ended).toBe(0);
    expect(await hasEnded(pid)).toBe(true);
  });
});

describe('A service that is told to stop', () => {
  it('ends cleanly while it is still starting', async () => {
    const service = await begin();
    await says(service, 'started PostgreSQL');
    const pid = await postmaster();
    service.child.kill('SIGTERM');
    expect({ code: await service.ended, err: service.output.err }).toEqual({ code: 0, err: '' });
    expect(service.output.out).not.toContain('is ready');
    expect(await hasEnded(pid)).toBe(true);
  });

  it('ends at once when it is told again, and takes one Ctrl-C that arrives twice for one', async () => {
    const service = await begin();
    await says(service, 'is ready');
    const pid = await postmaster();
    // A server that does not move holds the stop up for ten seconds.
    process.kill(pid, 'SIGSTOP');
    const told = performance.now();
    service.child.kill('SIGINT');
    service.child.kill('SIGINT');
    await says(service, '"stopping"');
    await until(async () => (service.child.kill('SIGINT') && service.child.exitCode === null ? null : true), 5000);
    expect(await service.ended).toBe(1);
    const tookMs = performance.now() - told;
    expect(tookMs).toBeGreaterThan(240);
    expect(tookMs).toBeLessThan(2000);
    expect(isAlive(pid)).toBe(true);
    process.kill(pid, 'SIGKILL');
  });
});

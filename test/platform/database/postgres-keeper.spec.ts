import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  findRunningEmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../../src/platform/database/embedded-postgres.pg.js';
import { hasEnded, whileStarting } from '../../../src/platform/database/postgres-home.pg.js';
import {
  ask,
  builtLauncher,
  postmasterPid,
  remove,
  startElsewhere,
  temporaryDirectory,
} from '../../support/embedded-postgres.js';
import { apiKey, freePort, until } from '../../support/service.js';

interface Answered {
  status: number;
  body: Record<string, unknown>;
}

describe('A service whose own database is killed', () => {
  let dataDir: string;
  let service: ChildProcess;
  let base: string;
  let sandbox: string;
  let output = '';

  const send = async (url: string, body?: unknown): Promise<Answered> => {
    const answer = await fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  const create = (orderId: string): Promise<Answered> =>
    send(`${base}/v1/payments`, { orderId, amount: '10.00', currency: 'USD' });
  const isReady = async (): Promise<boolean> => (await fetch(`${base}/health/ready`).catch(() => null))?.status === 200;
  const postmaster = (): Promise<number> => postmasterPid(join(dataDir, 'postgres'));

  beforeAll(async () => {
    dataDir = await temporaryDirectory();
    const [port, sandboxPort] = [String(await freePort()), String(await freePort())];
    base = `http://127.0.0.1:${port}`;
    sandbox = `http://127.0.0.1:${sandboxPort}`;
    service = spawn(process.execPath, ['dist/main.js'], {
      env: {
        PATH: process.env['PATH'] ?? '',
        DATA_DIR: dataDir,
        PORT: port,
        SANDBOX_PORT: sandboxPort,
        PUBLIC_URL: base,
        API_KEY: apiKey,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    service.stdout?.on('data', (part: Buffer) => (output += part.toString()));
    await until(isReady, 20_000);
  }, 25_000);
  afterAll(async () => {
    if (service.exitCode === null && service.kill()) await once(service, 'exit');
    await remove(dataDir);
  });

  it('answers 503 meanwhile, has it back within five seconds with all its payments, and takes new ones', async () => {
    const before = await create('before');
    const killed = await postmaster();
    const died = performance.now();
    // Whoever starts a server needs the lock: while this test holds it, the database stays away.
    await whileStarting(dataDir, async () => {
      process.kill(killed, 'SIGKILL');
      await until(async () => !(await isReady()));
      const answers = [await create('meanwhile'), await send(`${base}/v1/payments/${String(before.body['id'])}`)];
      expect(answers.map(({ status, body }) => ({ status, type: typeof body['type'] }))).toEqual(
        answers.map(() => ({ status: 503, type: 'string' })),
      );
    });
    await until(isReady, 5000);
    const awayMs = performance.now() - died;
    expect(awayMs).toBeLessThan(5000);
    expect(await postmaster()).not.toBe(killed);
    expect(output).toContain(`PostgreSQL (process ${killed}) has ended unasked`);

    expect(await send(`${base}/v1/payments/${String(before.body['id'])}`)).toMatchObject({
      status: 200,
      body: { orderId: 'before', trackId: before.body['trackId'] },
    });
    const after = await until(async () => {
      const { status, body } = await create('after');
      return status < 300 && body['trackId'] ? body : null;
    });
    await send(`${sandbox}/_sandbox/scenarios/exact`, { trackId: after['trackId'] });
    await until(async () => (await send(`${base}/v1/payments/${String(after['id'])}`)).body['status'] === 'paid');
    expect(service.exitCode).toBeNull();
  });

  it('ends itself, loudly, when the database cannot be brought back', async () => {
    await rename(join(dataDir, 'postgres/cluster/global'), join(dataDir, 'postgres/cluster/global.lost'));
    process.kill(await postmaster(), 'SIGKILL');
    const [code] = (await once(service, 'exit')) as [number];
    expect(code).toBe(1);
    expect(output).toMatch(/"level":"fatal".*the database died and cannot be brought back/);
    expect(await findRunningEmbeddedPostgres(dataDir)).toBeNull();
  });
});

describe('An embedded database that dies', () => {
  let dataDir: string;
  beforeAll(async () => {
    dataDir = await temporaryDirectory();
  });
  afterAll(() => remove(dataDir));

  it('is started again once, on the same port, for all the processes that share it', async () => {
    const both = [await startElsewhere(builtLauncher, dataDir), await startElsewhere(builtLauncher, dataDir)];
    const [first, second] = both;
    if (!first || !second) throw new Error('two were started');
    expect(second).toMatchObject({ adopted: true, url: first.url });
    const killed = await postmasterPid(first.directory);
    process.kill(killed, 'SIGKILL');
    await until(() => ask(first.url, 'select 1').catch(() => null));
    const revived = await postmasterPid(first.directory);
    expect(revived).not.toBe(killed);

    // The one that goes stops it for both; the other still needs it.
    await first.stop();
    await until(() => ask(second.url, 'select 1').catch(() => null));
    expect(await hasEnded(revived)).toBe(true);
    await second.stop();
    expect(await findRunningEmbeddedPostgres(dataDir)).toBeNull();
  });

  it('is not started again while it is being stopped', async () => {
    const server = await startEmbeddedPostgres({ dataDir, database: 'shop' });
    const pid = await postmasterPid(server.directory);
    process.kill(pid, 'SIGKILL');
    await until(() => hasEnded(pid));
    await server.stop();
    expect(await findRunningEmbeddedPostgres(dataDir)).toBeNull();

    const again = await startEmbeddedPostgres({ dataDir, database: 'shop' });
    expect(again).toMatchObject({ adopted: false, url: server.url });
    await again.stop();
  });
});

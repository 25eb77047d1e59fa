import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testDatabase, type TestDatabase } from '../support/database.js';
import { apiKey, freePort, until } from '../support/service.js';

const rounds = 6;
const paymentsPerRound = 4;

/** The service and its sandbox as one process of their own, which is killed without warning and started again. */
describe('A service that is killed again and again', () => {
  let database: TestDatabase;
  let dataDir: string;
  let env: Record<string, string>;
  let child: ChildProcess | null = null;
  const received = new Map<string, Set<string>>();
  const shop = createServer((request, answer) => {
    let body = '';
    request.on('data', (part: Buffer) => {
      body += part.toString();
    });
    request.on('end', () => {
      const { data } = JSON.parse(body) as { data: { id: string } };
      received.set(data.id, (received.get(data.id) ?? new Set()).add(String(request.headers['webhook-id'])));
      answer.end();
    });
  });

  beforeAll(async () => {
    database = await testDatabase();
    dataDir = await mkdtemp(join(tmpdir(), 'finality-killed-'));
    await new Promise<void>((resolve) => {
      shop.listen(0, '127.0.0.1', resolve);
    });
    const [port, sandboxPort] = [String(await freePort()), String(await freePort())];
    env = {
      DATABASE_URL: database.url,
      DATA_DIR: dataDir,
      PORT: port,
      SANDBOX_PORT: sandboxPort,
      API_KEY: apiKey,
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      LOG_LEVEL: 'warn',
    };
  });
  afterAll(async () => {
    await kill();
    shop.close();
    shop.closeAllConnections();
    await database.drop();
    await rm(dataDir, { recursive: true, force: true });
  });

  const start = async (): Promise<void> => {
    child = spawn(process.execPath, ['dist/main.js'], {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: 'ignore',
    });
    await until(
      async () => (await fetch(`http://127.0.0.1:${env['PORT'] ?? ''}/health/ready`).catch(() => null))?.ok,
      15_000,
    );
  };
  const kill = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  /** Sends until an answer comes: the process may be gone at any moment, as it may for any client. */
  const insist = (
    base: string,
    path: string,
    body: unknown,
  ): Promise<{ id: string; trackId: string | null; status: string }> =>
    until(async () => {
      const answer = await fetch(`http://127.0.0.1:${base}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }).catch(() => null);
      // A repeated scenario may find that the killed one has been played: that, too, is an answer.
      return answer !== null && (answer.status < 300 || path.startsWith('/_sandbox/scenarios'))
        ? ((await answer.json().catch(() => null)) as { id: string; trackId: string | null; status: string } | null)
        : null;
    }, 40_000);

  it('opens each order once, and has each paid payment fulfilled under one message id', async () => {
    await start();
    const port = env['PORT'] ?? '';
    const { port: shopPort } = shop.address() as AddressInfo;
    await insist(port, '/v1/webhook-endpoints', { url: `http://127.0.0.1:${String(shopPort)}/hook` });
    const ids: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const orders = Array.from({ length: paymentsPerRound }, (_, n) => `killed-${String(round)}-${String(n)}`);
      const paid = Promise.all(
        orders.map(async (orderId) => {
          let payment = await insist(port, '/v1/payments', { orderId, amount: '10.00', currency: 'USD' });
          // A create that the kill cut short opens by itself; the sandbox's clock helps it over the wait.
          while (payment.trackId === null) {
            await insist(env['SANDBOX_PORT'] ?? '', '/_sandbox/clock/advance', { seconds: 20 });
            payment = await insist(port, '/v1/payments', { orderId, amount: '10.00', currency: 'USD' });
          }
          await insist(env['SANDBOX_PORT'] ?? '', '/_sandbox/scenarios/exact', { trackId: payment.trackId });
          return payment.id;
        }),
      );
      await new Promise((resolve) => setTimeout(resolve, 40 * (round + 1)));
      await kill();
      await start();
      ids.push(...(await paid));
    }
    expect(new Set(ids).size).toBe(rounds * paymentsPerRound);
    await until(async () => {
      const { rows } = await database.pool.query(`select 1 from payment_view where fulfillment = 'fulfilled'`);
      return rows.length === ids.length;
    }, 60_000);
    expect(ids.map((id) => received.get(id)?.size)).toEqual(ids.map(() => 1));
    const { rows } = await database.pool.query<{ payment: string; times: number }>(
      `select data->>'paymentId' as payment, count(*)::int as times from event where type = 'FulfillmentRequested' group by 1`,
    );
    expect(new Map(rows.map((row) => [row.payment, row.times]))).toEqual(new Map(ids.map((id) => [id, 1])));
    const gaps = await database.pool.query(
      'select stream_id from event group by stream_id having max(version) <> count(*)',
    );
    expect(gaps.rows).toEqual([]);
  }, 150_000);
});

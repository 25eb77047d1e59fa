import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testDatabase, type TestDatabase } from '../support/database.js';
import { apiKey, freePort, payoutKey, until } from '../support/service.js';

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
      OXAPAY_PAYOUT_API_KEY: payoutKey,
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

  const control = (path: string, body: unknown): Promise<unknown> => insist(env['SANDBOX_PORT'] ?? '', path, body);
  /** Each pays a tenth too much: half of them is to be credited, half to be sent back. */
  const wish = (orderId: string, n: number): Record<string, unknown> => ({
    orderId,
    amount: '10.00',
    currency: 'USD',
    ...(n % 2 === 0
      ? { customerId: 'killed' }
      : {
          policy: { overpayment: { tolerancePercent: '0', then: 'refund' } },
          refundTo: { address: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ', network: 'TRON' },
        }),
  });
  /** How often an event of each type happened to each payment, in one number per payment. */
  const times = async (type: string): Promise<number[]> => {
    const { rows } = await database.pool.query<{ times: number }>(
      'select count(*)::int as times from event where type = $1 group by stream_id',
      [type],
    );
    return rows.map((row) => row.times);
  };
  const lost = async (): Promise<unknown[]> => {
    const { rows } = await database.pool.query(
      `select 1 from event where type = 'ReviewOpened' and (data->'reasons')::jsonb ? 'refund_unknown'`,
    );
    return rows;
  };
  const payouts = async (): Promise<{ description: string }[]> => {
    const answer = await fetch(`http://127.0.0.1:${env['SANDBOX_PORT'] ?? ''}/v1/payout?size=200`, {
      headers: { payout_api_key: payoutKey },
    });
    return ((await answer.json()) as { data: { list: { description: string }[] } }).data.list;
  };

  it('P01: opens each order once, has each paid payment fulfilled under one message id, and gives money back once', async () => {
    await start();
    const port = env['PORT'] ?? '';
    const { port: shopPort } = shop.address() as AddressInfo;
    await insist(port, '/v1/webhook-endpoints', {
      url: `http://127.0.0.1:${String(shopPort)}/hook`,
      events: ['fulfillment.requested'],
    });
    const ids: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const orders = Array.from({ length: paymentsPerRound }, (_, n) => `killed-${String(round)}-${String(n)}`);
      const paid = Promise.all(
        orders.map(async (orderId, n) => {
          let payment = await insist(port, '/v1/payments', wish(orderId, n));
          // A create that the kill cut short opens by itself; the sandbox's clock helps it over the wait.
          while (payment.trackId === null) {
            await control('/_sandbox/clock/advance', { seconds: 20 });
            payment = await insist(port, '/v1/payments', wish(orderId, n));
          }
          await control('/_sandbox/scenarios/overpaid', { trackId: payment.trackId });
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
    const half = ids.length / 2;
    await until(async () => {
      const { rows: balances } = await database.pool.query<{ sum: string }>(
        `select coalesce(sum((data->>'amount')::numeric), 0)::text as sum from event where type = 'CreditAdded'`,
      );
      return balances[0]?.sum === String(half);
    }, 30_000);
    expect(await times('CreditGranted')).toEqual(Array.from({ length: half }, () => 1));
    // Each refund ends: confirmed, or with a person where the kill fell between the claim and the answer.
    await until(async () => {
      await control('/_sandbox/clock/advance', { seconds: 300 });
      const ended = [...(await times('RefundConfirmed')), ...(await lost())];
      return ended.length === half;
    }, 60_000);
    expect(await times('RefundRequested')).toEqual(Array.from({ length: half }, () => 1));
    const sent = (await payouts()).map(({ description }) => description);
    expect(new Set(sent).size).toBe(sent.length);
    expect(sent.length).toBeGreaterThanOrEqual((await times('RefundConfirmed')).length);
    const gaps = await database.pool.query(
      'select stream_id from event group by stream_id having max(version) <> count(*)',
    );
    expect(gaps.rows).toEqual([]);
  }, 240_000);
});

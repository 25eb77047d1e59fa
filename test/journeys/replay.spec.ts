import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { said, tx } from '../callbacks/support.js';
import { Receiver } from '../fulfillment/support.js';
import { begin, GatewayHistory, transferOf } from '../reconciliation/gateway-history.js';
import { testDatabase, type TestDatabase } from '../support/database.js';
import { apiKey, merchantKey, payoutKey, startTestService, until } from '../support/service.js';

const run = promisify(execFile);

/** Everything that the store's contents could still set off: rows that were written because of them. */
const consequences = `select (select count(*) from event)::int as events, (select count(*) from inbox)::int as evidence,
  (select count(*) from webhook)::int as webhooks, (select count(*) from webhook_delivery)::int as deliveries,
  (select count(*) from webhook_attempt)::int as attempts, (select count(*) from graphile_worker.jobs)::int as jobs,
  (select json_agg(l order by stream_id) from look l) as looks,
  (select json_agg(s order by name) from subscription s
   where name not in ('orders', 'payment_traces', 'deposit_addresses')) as checkpoints`;

describe('A replay of the whole store', () => {
  let database: TestDatabase;
  let gateway: GatewayHistory;
  const receiver = new Receiver();

  beforeAll(async () => {
    database = await testDatabase();
    gateway = await GatewayHistory.open();
    await receiver.open();
  });
  afterAll(async () => {
    await receiver.close();
    await gateway.close();
    await database.drop();
  });

  it('rebuilds the read models to the same rows, and asks and tells nobody anything', async () => {
    const shop = await startTestService({ sandbox: false, gatewayPort: gateway.port, database });
    await shop.api('POST', '/v1/webhook-endpoints', { url: receiver.url });
    const ids = await begin(shop, gateway, 20);
    for (const [n, row] of gateway.rows.entries()) {
      const hash = `hash-${row.trackId}`;
      row.status = 'paid';
      row.txs = [transferOf(n % 2 === 0 ? 10 : 12, row.createdMs + 1000, hash)];
      const amount = n % 2 === 0 ? 10 : 12;
      const transfer = tx({
        sent_amount: amount,
        received_amount: amount,
        value: amount,
        sent_value: amount,
        tx_hash: hash,
      });
      const body = said({ id: row.orderId, trackId: row.trackId }, { amount: 10, value: 10, txs: [transfer] });
      expect((await shop.callback(body)).status).toBe(200);
    }
    await until(async () => {
      const { rows } = await database.pool.query(`select 1 from payment_view where fulfillment = 'fulfilled'`);
      return rows.length === ids.length;
    }, 30_000);
    await until(async () => {
      const { rows } = await database.pool.query(`select 1 from webhook_delivery where status = 'waiting'`);
      return rows.length === 0;
    }, 30_000);
    await shop.close();

    const asked = gateway.asked.length;
    const told = receiver.requests.length;
    expect(asked).toBeGreaterThan(0);
    // Created, pending, detected, paid and the request to fulfil at least.
    expect(told).toBeGreaterThanOrEqual(5 * ids.length);
    const before = (await database.pool.query(consequences)).rows;
    const views = 'select * from payment_view order by payment_id';
    const rows = (await database.pool.query(views)).rows;

    const { stdout } = await run(process.execPath, ['dist/cli.js', 'replay', '--projection', 'all', '--json'], {
      env: {
        PATH: process.env['PATH'] ?? '',
        DATABASE_URL: database.url,
        API_KEY: apiKey,
        OXAPAY_MERCHANT_API_KEY: merchantKey,
        OXAPAY_PAYOUT_API_KEY: payoutKey,
        SANDBOX_PORT: String(gateway.port),
      },
    });

    const [replayed] = JSON.parse(stdout) as { events: number; tables: { same: boolean }[] }[];
    expect(replayed?.events).toBe((before[0] as { events: number }).events);
    expect(replayed?.tables.every(({ same }) => same)).toBe(true);
    expect((await database.pool.query(views)).rows).toEqual(rows);
    expect((await database.pool.query(consequences)).rows).toEqual(before);
    expect(gateway.asked).toHaveLength(asked);
    expect(receiver.requests).toHaveLength(told);
  }, 90_000);
});

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PoolClient } from 'pg';
import { parse } from 'yaml';
import { WebhookDelivery } from '../../src/fulfillment/webhook-delivery.job.js';
import { CheckpointJob } from '../../src/platform/proof/checkpoint.job.js';
import { ReconcileJob } from '../../src/reconciliation/reconcile.job.js';
import { addDelivery, addOther, otherKey } from '../api/support.js';
import { scrape, type Scrape } from '../support/scrape.js';
import { checkpointKey, startTestService, until, type TestService } from '../support/service.js';
import { holds, isAbsolute } from './fires.js';

interface Rule {
  alert?: string;
  expr: string;
  labels?: { severity: string };
}

const day = 86_400;

/** Alerts that compare what waits with a number: a planted backlog makes each fire, and a healthy service none. */
describe('An alert about a backlog', () => {
  let shop: TestService;
  let directory: string;
  let rules: Rule[];
  let endpointId: string;
  let paymentId: string;
  const held: PoolClient[] = [];

  beforeAll(async () => {
    const url = new URL('../../monitoring/alerts.yml', import.meta.url);
    const { groups } = parse(await readFile(url, 'utf8')) as { groups: { rules: Rule[] }[] };
    rules = groups.flatMap((group) => group.rules).filter(({ expr }) => isAbsolute(expr));
    directory = await mkdtemp(join(tmpdir(), 'finality-alerts-'));
    shop = await startTestService({ env: { CHECKPOINT_KEY: checkpointKey, CHECKPOINT_DIR: directory } });
    const { body } = await shop.api('POST', '/v1/payments', { orderId: 'waits', amount: '50.00', currency: 'USD' });
    paymentId = body.id as string;
    await addOther(shop);
    const endpoint = await shop.api(
      'POST',
      '/v1/webhook-endpoints',
      { url: 'http://127.0.0.1:9/', events: ['payment.refunded'] },
      { authorization: `Bearer ${otherKey}` },
    );
    endpointId = endpoint.body.id as string;
    await until(async () => (await shop.api('GET', '/v1/orders/waits')).body.status === 'pending');
  });
  afterAll(async () => {
    for (const client of held) client.release(true);
    await shop.close();
    await rm(directory, { recursive: true });
  });

  const sql = (text: string, values: unknown[] = []) => shop.database.pool.query(text, values);
  const nowSeconds = (): number => Date.now() / 1000;
  const rule = (alert: string, severity?: string): Rule => {
    const found = rules.find(
      (each) => each.alert === alert && (severity ?? each.labels?.severity) === each.labels?.severity,
    );
    if (!found) throw new Error(`no absolute rule for ${alert}`);
    return found;
  };
  /** Scrapes until the alert would fire, as it stands after so many seconds in which nothing else happens. */
  const comesTrue = (alert: string, afterSeconds = 0, severity?: string): Promise<Scrape> =>
    until(async () => {
      const seen = await scrape(shop.url);
      return holds(rule(alert, severity).expr, seen, nowSeconds() + afterSeconds) && seen;
    }, 15_000);

  it('is silent on a healthy service, all of them', async () => {
    expect(rules.length).toBeGreaterThan(18);
    const noisy = await until(async () => {
      const seen = await scrape(shop.url);
      const loud = rules.filter(({ expr }) => holds(expr, seen, nowSeconds())).map(({ alert }) => alert);
      // A payment that was just made may be behind for a moment; nothing else is.
      return loud.length === 0 && { loud };
    }, 10_000);
    expect(noisy.loud).toEqual([]);
  });

  it('of looks fires where nobody asks the gateway any more', async () => {
    await shop.service.app.get(ReconcileJob).stop();
    await sql(`update look set due_at = now()`);
    await comesTrue('LooksLate', 601);
    await comesTrue('ReconcileNotRunning', 301);
    await sql(`update look set due_at = now() + interval '1 day'`);
  });

  it('of payments fires where one is past its deadline, or has no invoice', async () => {
    await sql(`update look set deadline = now() - interval '1 hour' where stream_id = $1`, [paymentId]);
    const overdue = await comesTrue('PaymentsOverdue', 0, 'page');
    expect(overdue.sum('finality_payments_overdue', { money: 'none' })).toBe(1);
    expect(overdue.sum('finality_payments_open', { status: 'pending' })).toBe(1);
    await sql(`update payment_view set received = 3 where payment_id = $1`, [paymentId]);
    await comesTrue('PaymentsOverdue', 0, 'ticket');
    await sql(`update payment_view set status = 'created' where payment_id = $1`, [paymentId]);
    await comesTrue('PaymentsNotOpening', 601);
    await sql(`update look set deadline = now() + interval '1 hour'`);
    await sql(`update payment_view set status = 'pending', received = 0 where payment_id = $1`, [paymentId]);
  });

  it('of reviews fires where a person has not decided for a day', async () => {
    await sql(
      `update payment_view set review = 'open', state = jsonb_set(state::jsonb, '{payment,money,review}',
         jsonb_build_object('openedAt', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))::json where payment_id = $1`,
      [paymentId],
    );
    const seen = await comesTrue('ReviewsWaiting', day + 60);
    expect(seen.sum('finality_reviews_open')).toBe(1);
    expect(holds(rule('ReviewsWaiting').expr, seen, nowSeconds())).toBe(false);
    await sql(`update payment_view set review = 'none' where payment_id = $1`, [paymentId]);
  });

  it('of webhooks fires for one that nobody attempts, and for one that is tried in vain', async () => {
    await shop.service.app.get(WebhookDelivery).stop();
    const id = await addDelivery(shop, { endpointId, key: otherKey, status: 'waiting' });
    const stuck = await comesTrue('WebhookDeliveryStuck', 301);
    expect(stuck.sum('finality_webhooks_pending', { endpoint: 'well' })).toBe(1);
    await comesTrue('WebhookUndelivered', 6 * 3600 + 60, 'page');
    // Neither due nor under way: whatever its state, it is not delivered.
    await sql('update webhook_delivery set due_at = null where id = $1', [id]);
    await comesTrue('WebhookUndelivered', 3601, 'ticket');
    await sql(`update webhook_endpoint set failing_since = now() where id = $1`, [endpointId]);
    const failing = await comesTrue('WebhookEndpointsFailing');
    expect(failing.sum('finality_webhooks_pending', { endpoint: 'failing' })).toBe(1);
    await sql(`update webhook_delivery set attempts = 9, created_at = now() - interval '3 days' where id = $1`, [id]);
    await until(async () => {
      // Sent again by hand: it waits since then, and not for three days.
      const oldest = (await scrape(shop.url)).sum('finality_webhook_oldest_undelivered_timestamp_seconds');
      return oldest !== null && nowSeconds() - oldest < 60;
    });
    await sql('delete from webhook_delivery');
    await until(
      async () => (await scrape(shop.url)).sum('finality_webhook_oldest_undelivered_timestamp_seconds') === null,
    );
  });

  it('of the books fires where the store was changed, where nobody looks, and where sides differ', async () => {
    await shop.service.app.get(CheckpointJob).now();
    const first = await until(async () => {
      const seen = await scrape(shop.url);
      return (seen.sum('finality_checkpoint_last_timestamp_seconds') ?? 0) > 0 && seen;
    });
    expect(holds(rule('CheckpointOverdue').expr, first, nowSeconds() + 10_700)).toBe(false);
    expect(holds(rule('CheckpointOverdue').expr, first, nowSeconds() + 10_900)).toBe(true);
    await sql(`insert into verification values (now(), now(), 5, 1, 2, '[]')`);
    const tampered = await comesTrue('StoreTampered');
    expect(tampered.sum('finality_verification_breaks')).toBe(2);
    expect(holds(rule('StoreNotVerified').expr, tampered, nowSeconds() + 26 * 3600 + 1)).toBe(true);
    await sql(`insert into match_report (day, claimed_until, made_at, complete, compared, difference_count, explained_count)
      values (current_date - 1, now(), now(), true, '{"payments": 3}', 1, 0)`);
    const differs = await comesTrue('MatchDiffers');
    expect(holds(rule('MatchNotMade').expr, differs, nowSeconds())).toBe(false);
    expect(holds(rule('MatchNotMade').expr, differs, nowSeconds() + 28 * 3600 + 1)).toBe(true);
    await sql('delete from verification');
    await sql('delete from match_report');
  });

  it('of the inbox fires for what nobody could read, and for what belongs to nobody', async () => {
    expect(await shop.callback('no JSON at all')).toMatchObject({ status: 200, text: 'ok' });
    await comesTrue('InboxQuarantined', 3601);
    await sql(`update inbox set status = 'unmatched'`);
    const seen = await comesTrue('InboxUnmatched', 3601);
    expect(seen.sum('finality_inbox_open', { source: 'callback', status: 'unmatched' })).toBe(1);
  });

  it('of a follower fires where it is stopped, and where it is behind', async () => {
    await sql(`update subscription set error = 'planted', failures = 5, updated_at = now() + interval '1 hour', position = 0
      where name = 'customer_credit'`);
    const seen = await comesTrue('FollowerStopped');
    expect(seen.sum('finality_follower_stopped')).toBe(1);
    expect(seen.sum('finality_follower_stopped', { follower: 'customer_credit' })).toBe(1);
    expect(seen.sum('finality_follower_lag_events', { follower: 'customer_credit' })).toBeGreaterThan(1);
    expect(holds(rule('FollowerLagging').expr, seen, nowSeconds() + 90)).toBe(true);
    await sql(`update subscription set error = null, failures = 0 where name = 'customer_credit'`);
    await until(async () => !holds(rule('FollowerStopped').expr, await scrape(shop.url), nowSeconds()));
  });

  it('of the log fires where a transaction holds it back', async () => {
    const client = await shop.database.pool.connect();
    held.push(client);
    await client.query(
      'begin; set local idle_in_transaction_session_timeout = 0; lock table event in row exclusive mode',
    );
    await comesTrue('OpenTransactionBlocksReaders', 31);
    await client.query('rollback');
    await until(async () => (await scrape(shop.url)).sum('finality_log_oldest_open_write_timestamp_seconds') === null);
  });

  it('of jobs fires where one is late, and where one was given up', async () => {
    await sql(`select graphile_worker.add_job('nobody-does-this', '{}'::json)`);
    const late = await comesTrue('JobsLate', 301);
    expect(late.sum('finality_jobs', { state: 'waiting' })).toBe(1);
    await sql(`update graphile_worker._private_jobs set attempts = max_attempts`);
    await comesTrue('JobsGivenUp');
  });

  it('of the gateway fires where the breaker opens', async () => {
    await shop.control('/_sandbox/faults', { seed: 1, api: { errorRate: 1, status: 500 } }, 'PUT');
    for (let n = 0; n < 25; n++)
      await shop.api('POST', '/v1/payments', { orderId: `down-${String(n)}`, amount: '5.00', currency: 'USD' });
    const seen = await comesTrue('GatewayDown');
    const failed = seen.sum('finality_gateway_requests_total', { operation: 'open_invoice', outcome: 'failed' }) ?? 0;
    const held = seen.sum('finality_gateway_skipped_total', { reason: 'breaker' });
    expect(failed).toBeGreaterThan(9);
    // Each create was either sent in vain, and may have been carried out, or held back.
    expect(seen.sum('finality_failures_total', { stage: 'create', cause: 'unknown' })).toBe(failed);
    expect(seen.sum('finality_failures_total', { stage: 'create', cause: 'unavailable' })).toBe(25 - failed);
    expect(held).toBe(25 - failed);
  });

  it('of a pool fires where somebody waits for a connection', async () => {
    const statements = Array.from({ length: 9 }, () => `select pg_sleep(3)`);
    const { DatabasePool } = await import('../../src/platform/database/pool.pg.js');
    const pool = shop.service.app.get<typeof shop.database.pool>(DatabasePool);
    const busy = Promise.allSettled(statements.map((text) => pool.query(text)));
    const seen = await comesTrue('PoolSaturated');
    expect(seen.sum('finality_db_pool_connections', { pool: 'requests', state: 'used' })).toBe(8);
    await busy;
  });

  it('is blind and says so where its backlog cannot be read, and the scrape is answered all the same', async () => {
    const locked = await shop.database.pool.connect();
    held.push(locked);
    await locked.query(
      'begin; set local idle_in_transaction_session_timeout = 0; lock table webhook_delivery in access exclusive mode',
    );
    const blind = await until(async () => {
      const began = performance.now();
      const seen = await scrape(shop.url);
      expect(performance.now() - began).toBeLessThan(8000);
      return seen.sum('finality_backlog_up', { backlog: 'webhooks' }) === 0 && seen;
    }, 15_000);
    expect(blind.sum('finality_webhooks_pending')).toBeNull();
    expect(blind.sum('finality_backlog_up', { backlog: 'followers' })).toBe(1);
    expect(blind.sum('finality_backlog_failures_total', { backlog: 'webhooks' })).toBeGreaterThan(0);
    await locked.query('rollback');
    await until(async () => (await scrape(shop.url)).sum('finality_backlog_up', { backlog: 'webhooks' }) === 1);
  });
});

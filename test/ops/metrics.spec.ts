import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sign } from '../../src/gateway/signature.js';
import { scrape, type Scrape } from '../support/scrape.js';
import { merchantKey, startTestService, until, type TestService } from '../support/service.js';

/** The four first questions (does it arrive, does it complete, how long does it take, what goes wrong), after real traffic. */
describe('What a day of payments leaves in the metrics', () => {
  let shop: TestService;
  let receiver: Server;
  let before: Scrape;
  beforeAll(async () => {
    receiver = createServer((request, answer) => {
      request.resume();
      answer.writeHead(request.url === '/gone' ? 410 : 200).end();
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    shop = await startTestService();
    before = await scrape(shop.url);
  });
  afterAll(async () => {
    await shop.close();
    receiver.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
  });

  const receiverAt = (path: string): string =>
    `http://127.0.0.1:${String((receiver.address() as AddressInfo).port)}${path}`;
  const create = async (orderId: string, changes = {}): Promise<{ id: string; trackId: string }> => {
    const { body } = await shop.api('POST', '/v1/payments', { orderId, amount: '50.00', currency: 'USD', ...changes });
    return body as { id: string; trackId: string };
  };
  const play = async (name: string, changes = {}): Promise<string> => {
    const { id, trackId } = await create(name, changes);
    expect((await shop.control(`/_sandbox/scenarios/${name}`, { trackId })).status).toBeLessThan(300);
    return id;
  };
  const becomes = (id: string, expected: Record<string, unknown>): Promise<unknown> =>
    until(async () => {
      const { body } = await shop.api('GET', `/v1/payments/${id}`);
      return Object.entries(expected).every(([key, value]) => body[key] === value) && body;
    }, 10_000);
  /** How much more there is now than in the beginning. */
  const grown = async (name: string, labels: Record<string, string> = {}): Promise<number> =>
    ((await scrape(shop.url)).sum(name, labels) ?? 0) - (before.sum(name, labels) ?? 0);
  const grows = (by: number, name: string, labels: Record<string, string> = {}): Promise<true> =>
    until(async () => (await grown(name, labels)) === by, 10_000);

  it('begins every closed series at nothing, so that the first event shows as an increase', () => {
    expect(before.sum('finality_failures_total')).toBe(0);
    expect(before.series.filter(({ name }) => name === 'finality_failures_total').length).toBeGreaterThan(30);
    expect(before.sum('finality_payment_time_to_paid_seconds_count', { witness: 'callback' })).toBe(0);
    expect(before.sum('finality_webhook_dead_letters_total', { reason: 'failed' })).toBe(0);
    expect(before.sum('finality_callbacks_received_total', { result: 'rejected', reason: 'wrong_key' })).toBe(0);
  });

  it('counts one that is paid in full by a callback: created, finished, and how long it took', async () => {
    await becomes(await play('exact'), { status: 'paid', fulfillable: true });
    await grows(1, 'finality_payments_finished_total', { status: 'paid', currency: 'USD' });
    await grows(1, 'finality_payment_confirmation_delay_seconds_count');
    expect(await grown('finality_payments_created_total', { currency: 'USD' })).toBe(1);
    expect(await grown('finality_payment_time_to_paid_seconds_count', { witness: 'callback' })).toBe(1);
    expect(await grown('finality_payment_time_to_paid_seconds_bucket', { witness: 'callback', le: '86400' })).toBe(1);
    expect(await grown('finality_payment_detected_to_paid_seconds_count', { witness: 'callback' })).toBe(1);
    expect(await grown('finality_callbacks_received_total', { result: 'applied' })).toBeGreaterThanOrEqual(1);
    expect(await grown('finality_callback_answer_duration_seconds_count', { result: 'applied' })).toBe(
      await grown('finality_callbacks_received_total', { result: 'applied' }),
    );
    expect(await grown('finality_evidence_applied_delay_seconds_count')).toBeGreaterThanOrEqual(2);
    expect(await grown('finality_payments_labelled_total', { label: 'sandbox' })).toBe(1);
    expect(await grown('finality_events_appended_total', { type: 'PaymentPaid' })).toBe(1);
    expect(await grown('finality_gateway_requests_total', { operation: 'open_invoice', outcome: 'ok' })).toBe(1);
    expect(await grown('finality_gateway_request_duration_seconds_count', { operation: 'open_invoice' })).toBe(1);
    expect(await grown('finality_reconcile_corrections_total')).toBe(0);
    expect(
      await grown('http_server_request_duration_seconds_count', {
        http_route: '/v1/payments',
        http_request_method: 'POST',
        http_response_status_class: '2xx',
      }),
    ).toBe(1);
  });

  it('counts one whose callbacks were all lost as corrected by a look, told by a poll', async () => {
    const id = await play('no_callbacks');
    await shop.control('/_sandbox/clock/advance', { seconds: 70 });
    await becomes(id, { status: 'paid', fulfillable: true });
    await grows(1, 'finality_reconcile_corrections_total', { kind: 'missed_callback' });
    expect(await grown('finality_payment_time_to_paid_seconds_count', { witness: 'poll' })).toBe(1);
    expect(await grown('finality_reconcile_looks_total', { outcome: 'done' })).toBeGreaterThanOrEqual(1);
  });

  it('counts too much, with its label and for what a person is asked', async () => {
    await becomes(await play('overpaid'), { status: 'paid', fulfillable: true });
    await grows(1, 'finality_payments_labelled_total', { label: 'overpaid' });
    await grows(1, 'finality_reviews_opened_total', { reason: 'overpaid' });
    await grows(1, 'finality_reviews_open');
    expect(await grown('finality_failures_total', { stage: 'decide', cause: 'review' })).toBe(1);
  });

  it('counts too little as underpaid, and nothing at all as expired, whatever their currency', async () => {
    const short = await play('underpaid', { currency: 'EUR' });
    const rare = await create('rare', { currency: 'SEK' });
    await shop.control('/_sandbox/clock/advance', { seconds: 3700 });
    await Promise.all([becomes(short, { status: 'expired' }), becomes(rare.id, { status: 'expired' })]);
    await grows(1, 'finality_payments_finished_total', { status: 'underpaid', currency: 'EUR' });
    await grows(1, 'finality_payments_labelled_total', { label: 'underpaid' });
    await grows(1, 'finality_payments_finished_total', { status: 'expired', currency: 'other' });
    expect(await grown('finality_payments_finished_total', { currency: 'SEK' })).toBe(0);
  });

  it('counts money that comes too late with its label, and once', async () => {
    await play('late');
    await grows(1, 'finality_payments_labelled_total', { label: 'late' });
    await grows(1, 'finality_reviews_opened_total', { reason: 'late_payment' });
    await grows(2, 'finality_reviews_open');
  });

  it('counts a create that the gateway refuses as failed, by stage and cause', async () => {
    const { status } = await shop.api('POST', '/v1/payments', { orderId: 'refused', amount: '5.00', currency: 'ZZZ' });
    expect(status).toBe(422);
    await grows(1, 'finality_failures_total', { stage: 'create', cause: 'refused' });
    await grows(1, 'finality_payments_finished_total', { status: 'refused', currency: 'other' });
    await grows(1, 'finality_gateway_requests_total', { operation: 'open_invoice', outcome: 'refused' });
  });

  it('counts callbacks that are not applied, by why', async () => {
    const send = (body: string, hmac?: string) =>
      fetch(`${shop.url}/v1/callbacks/oxapay/default`, {
        method: 'POST',
        body,
        headers: hmac === undefined ? {} : { hmac },
      });
    expect((await send('{}')).status).toBe(401);
    expect((await send('{}', 'ab'.repeat(64))).status).toBe(401);
    expect((await send('{]', sign('{]', merchantKey))).status).toBe(200);
    await grows(1, 'finality_callbacks_received_total', { result: 'rejected', reason: 'no_signature' });
    await grows(1, 'finality_callbacks_received_total', { result: 'rejected', reason: 'wrong_signature' });
    await grows(1, 'finality_callbacks_received_total', { result: 'quarantined', reason: 'not_json' });
    await grows(1, 'finality_inbox_open', { source: 'callback', status: 'quarantined' });
    expect(await grown('finality_failures_total', { stage: 'intake', cause: 'rejected' })).toBe(2);
    expect(await grown('finality_failures_total', { stage: 'intake', cause: 'quarantined' })).toBe(1);
  });

  it('counts webhooks that arrive, how long after their event, and the goods that follow', async () => {
    await shop.api('POST', '/v1/webhook-endpoints', { url: receiverAt('/well'), events: ['fulfillment.requested'] });
    const { id, trackId } = await create('goods');
    await shop.control('/_sandbox/scenarios/exact', { trackId });
    await becomes(id, { status: 'paid', fulfillable: true });
    await grows(1, 'finality_webhook_delivery_latency_seconds_count', { attempts: '1' });
    await grows(1, 'finality_fulfillment_steps_total', { step: 'fulfilled' });
    await grows(1, 'finality_fulfillment_delay_seconds_count');
    expect(await grown('finality_webhook_attempts_total', { outcome: 'success', attempt: 'first' })).toBe(1);
    expect(await grown('finality_webhook_delivery_latency_seconds_bucket', { attempts: '1', le: '15' })).toBe(1);
    expect(await grown('finality_webhook_attempt_duration_seconds_count', { result: 'success' })).toBe(1);
  });

  it('counts attempts at a dead endpoint and at one that is gone, dead letters and the endpoint that was disabled', async () => {
    await shop.api('POST', '/v1/webhook-endpoints', { url: receiverAt('/gone'), events: ['payment.created'] });
    await shop.api('POST', '/v1/webhook-endpoints', { url: 'http://127.0.0.1:9/', events: ['payment.created'] });
    await create('told');
    await grows(1, 'finality_webhook_dead_letters_total', { reason: 'failed' });
    await grows(1, 'finality_webhook_dead_letters');
    await grows(1, 'finality_webhook_endpoints_disabled_total', { reason: 'gone' });
    await grows(1, 'finality_webhook_endpoints', { state: 'disabled' });
    await grows(1, 'finality_webhook_endpoints', { state: 'failing' });
    await grows(1, 'finality_webhooks_pending', { endpoint: 'failing' });
    expect(await grown('finality_webhook_attempts_total', { outcome: 'connect', attempt: 'first' })).toBe(1);
    expect(await grown('finality_failures_total', { stage: 'deliver', cause: 'http_4xx' })).toBe(1);
    expect(await grown('finality_failures_total', { stage: 'deliver', cause: 'given_up' })).toBe(1);
  });

  it('never tells apart addresses where nothing is', async () => {
    for (const path of ['/nothing', '/v1/nothing/else']) await shop.api('GET', path);
    await shop.api('PURGE', '/v1/payments').catch(() => undefined);
    const seen = await scrape(shop.url);
    const routes = seen.series.filter(({ name }) => name === 'http_server_request_duration_seconds_count');
    expect(routes.filter(({ labels }) => labels['http_route'] === 'none')).toHaveLength(1);
    expect(routes.every(({ labels }) => !/nothing|PURGE/.test(JSON.stringify(labels)))).toBe(true);
  });

  it('tells what a look at the store has found, also where the newest checkpoint was made unreadable', async () => {
    await shop.database.pool.query(
      `insert into checkpoint (number, up_to, statement, signature) values (1000000, 0, 'none', decode(repeat('00', 64), 'hex'))`,
    );
    await shop.database.pool.query(
      `insert into verification (began_at, ended_at, events, messages, breaks, found) values (now(), now(), 1, 1, 2, '[]')`,
    );
    await until(async () => (await scrape(shop.url)).sum('finality_verification_breaks') === 2, 10_000);
    expect((await scrape(shop.url)).sum('finality_backlog_up', { backlog: 'checkpoints' })).toBe(0);
  });
});

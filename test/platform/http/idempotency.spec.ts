import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { IdempotencyKeys } from '../../../src/platform/http/idempotency.pg.js';
import { ReconcileJob } from '../../../src/reconciliation/reconcile.job.js';
import { startTestService, until, type Answer, type TestService } from '../../support/service.js';
import { created, expectProblem, invoicesOf, order, paymentsOf, send } from '../../api/support.js';

/** A gateway that takes requests and never answers; a create waits for it some seconds, so it begins before the other tests. */
const held: ServerResponse[] = [];
const gateway = createServer((_request, response) => void held.push(response));
let unanswered: TestService;
let silentCreate: Promise<{ answer: Answer; tookMs: number }>;

beforeAll(async () => {
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
  unanswered = await startTestService({ sandbox: false, gatewayPort: (gateway.address() as AddressInfo).port });
  const began = performance.now();
  silentCreate = unanswered
    .api('POST', '/v1/payments', order('a11'), { 'idempotency-key': 'a11' })
    .then((answer) => ({ answer, tookMs: performance.now() - began }));
});

afterAll(async () => {
  for (const response of held) response.destroy();
  gateway.closeAllConnections();
  await new Promise((resolve) => gateway.close(resolve));
  await unanswered.close();
});

describe('A repeated request', () => {
  let shop: TestService;
  let replica: TestService;
  beforeAll(async () => {
    shop = await startTestService();
    const { config, database, clock } = shop;
    replica = await startTestService({
      database,
      clock,
      sandbox: false,
      gatewayPort: config.sandboxPort,
      env: { PUBLIC_URL: config.publicUrl },
    });
  });
  afterAll(async () => {
    await replica.close();
    await shop.close();
  });

  // The replica is configured with the public address of the first; it listens elsewhere.
  const replicaUrl = (): string => `http://127.0.0.1:${String(replica.config.port)}`;

  it('A04 without an Idempotency-Key (optional here: the open order id makes a create idempotent) creates one payment', async () => {
    const first = await shop.api('POST', '/v1/payments', order('no-key'));
    const second = await shop.api('POST', '/v1/payments', order('no-key'));
    expect([first.status, second.status, second.body.id, second.body.trackId]).toEqual([
      201,
      201,
      first.body.id,
      first.body.trackId,
    ]);
    expect(second.headers.get('idempotency-replayed')).toBeNull();
    expect(await invoicesOf(shop, first.body.id)).toHaveLength(1);
  });

  it('A05 with the same key and body, later, gets the first answer again, even where the payment has moved on', async () => {
    const headers = { 'idempotency-key': 'a05' };
    const first = await send(shop.url, { body: JSON.stringify(order('a05')), headers });
    await shop.api('POST', `/v1/payments/${String(first.body.id)}/cancel`);
    for (const url of [shop.url, replicaUrl()]) {
      const again = await send(url, { body: JSON.stringify(order('a05')), headers });
      expect([again.status, again.text, again.headers['idempotency-replayed']]).toEqual([201, first.text, 'true']);
    }
    expect(first.headers['idempotency-replayed']).toBeUndefined();
  });

  it('A05 is answered again on every route that changes something, a cancel and a removed endpoint included', async () => {
    const { id } = await created(shop, 'a05-cancel');
    const endpoint = await shop.api(
      'POST',
      '/v1/webhook-endpoints',
      { url: 'http://127.0.0.1:9/a05' },
      { 'idempotency-key': 'a05-endpoint' },
    );
    const endpointAgain = await shop.api(
      'POST',
      '/v1/webhook-endpoints',
      { url: 'http://127.0.0.1:9/a05' },
      { 'idempotency-key': 'a05-endpoint' },
    );
    expect(endpointAgain.body).toEqual(endpoint.body);
    for (const [method, path, status] of [
      ['POST', `/v1/payments/${id}/cancel`, 200],
      ['DELETE', `/v1/webhook-endpoints/${String(endpoint.body.id)}`, 204],
    ] as const) {
      const key = { 'idempotency-key': `a05-${method}` };
      const [first, again] = [
        await send(shop.url, { method, path, headers: key }),
        await send(shop.url, { method, path, headers: key }),
      ];
      expect([first.status, again.status, again.text]).toEqual([status, status, first.text]);
      expect([first.headers['idempotency-replayed'], again.headers['idempotency-replayed']]).toEqual([
        undefined,
        'true',
      ]);
    }
  });

  it('A06 with the same key and another body, or on another route, gets 422 and changes nothing', async () => {
    const headers = { 'idempotency-key': 'a06' };
    const { id } = await created(shop, 'a06', {}, headers);
    expectProblem(
      await shop.api('POST', '/v1/payments', order('a06', { amount: '50.00' }), headers),
      'idempotency_key_reused',
    );
    expectProblem(await shop.api('POST', '/v1/payments', order('a06-other'), headers), 'idempotency_key_reused');
    expectProblem(await shop.api('POST', `/v1/payments/${id}/cancel`, undefined, headers), 'idempotency_key_reused');
    expect((await shop.api('GET', `/v1/payments/${id}`)).body.status).toBe('pending');
  });

  it('A06 keeps no answer of a request that was refused: the key may be used for the corrected one', async () => {
    const headers = { 'idempotency-key': 'a06-corrected' };
    expectProblem(
      await shop.api('POST', '/v1/payments', order('a06-corrected', { amount: 1 }), headers),
      'invalid_request',
    );
    await created(shop, 'a06-corrected', {}, headers);
  });

  it('A07 gets 409 with Retry-After: 1 while the first is still running, on either replica', async () => {
    await shop.control('/_sandbox/faults', { seed: '1', api: { latencyMs: 1500 } }, 'PUT');
    const headers = { 'idempotency-key': 'a07' };
    const first = shop.api('POST', '/v1/payments', order('a07'), headers);
    await until(
      async () => (await shop.database.pool.query("select 1 from idempotency_key where key = 'a07'")).rowCount === 1,
    );
    for (const url of [shop.url, replicaUrl()]) {
      const second = await send(url, { body: JSON.stringify(order('a07')), headers });
      expectProblem(second, 'request_in_progress');
      expect(second.headers['retry-after']).toBe('1');
    }
    const answer = await first;
    await shop.control('/_sandbox/faults', {}, 'PUT');
    expect(answer.status).toBe(201);
    const later = await shop.api('POST', '/v1/payments', order('a07'), headers);
    expect([later.status, later.body.id]).toEqual([201, answer.body.id]);
  });

  it.each([
    ['with a key', { 'idempotency-key': 'a08' }],
    ['without one', {}],
  ])(
    'A08 a hundred times at once over two replicas, %s, creates one payment with one invoice',
    async (name, headers) => {
      const orderId = `a08 ${name}`;
      const before = await paymentsOf(shop.database);
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, at) =>
          send(at % 2 === 0 ? shop.url : replicaUrl(), { body: JSON.stringify(order(orderId)), headers }),
        ),
      );
      const made = (await paymentsOf(shop.database)).filter((id) => !before.includes(id));
      expect(made).toHaveLength(1);
      const [id = ''] = made;
      expect(await invoicesOf(shop, id)).toHaveLength(1);
      for (const answer of answers) {
        expect([201, 202, 409]).toContain(answer.status);
        if (answer.status !== 409) expect(answer.body.id).toBe(id);
      }
      if ('idempotency-key' in headers) {
        expect(
          answers.filter((answer) => answer.status === 201 && answer.headers['idempotency-replayed'] === undefined),
        ).toHaveLength(1);
        for (const answer of answers.filter(({ status }) => status === 409))
          expectProblem(answer, 'request_in_progress');
      } else {
        expect(answers.filter((answer) => answer.status === 409)).toEqual([]);
      }
    },
  );

  it.each([
    ['of 256 characters', 'k'.repeat(256)],
    ['that is empty', ''],
    ['outside ASCII', 'schl\u00fcssel'],
    ['that is blank', '   '],
    ['with a tab', 'a\tb'],
  ])('A09 refuses a key %s with 400', async (_, key) => {
    const before = await paymentsOf(shop.database);
    expectProblem(
      await send(shop.url, { body: JSON.stringify(order('a09')), headers: { 'idempotency-key': key } }),
      'invalid_idempotency_key',
    );
    expect(await paymentsOf(shop.database)).toEqual(before);
  });

  it('A09 takes a key of 255 characters, and any printable one', async () => {
    for (const key of ['k'.repeat(255), `"'; drop table idempotency_key; --`, '%s %00 ${x}']) {
      await created(shop, `a09-${key.slice(0, 8)}`, {}, { 'idempotency-key': key });
    }
  });

  it('A07 may be taken over by a repeat once the lease of a process that died has ended, and not before', async () => {
    const keys = shop.service.app.get(IdempotencyKeys);
    const owner = '0190a6b2-0000-7000-8000-000000000001';
    const hash = Buffer.alloc(32, 1);
    expect(await keys.claim(owner, 'died', hash)).toEqual({ kind: 'run' });
    expect(await keys.claim(owner, 'died', hash)).toEqual({ kind: 'running' });
    expect(await keys.claim(owner, 'died', Buffer.alloc(32, 2))).toEqual({ kind: 'reused' });
    shop.clock.advance(61);
    const claims = await Promise.all(Array.from({ length: 10 }, () => keys.claim(owner, 'died', hash)));
    expect(claims.filter((claim) => claim.kind === 'run')).toHaveLength(1);
    await keys.keep(owner, 'died', { status: 201, body: '{"a":1}', location: '/v1/payments/1' });
    expect(await keys.claim(owner, 'died', hash)).toEqual({
      kind: 'replay',
      status: 201,
      body: '{"a":1}',
      location: '/v1/payments/1',
    });
  });

  it('is answered with what the first was refused, where the gateway refused it, and opens nothing more', async () => {
    const headers = { 'idempotency-key': 'refused-by-the-gateway' };
    const first = await shop.api('POST', '/v1/payments', { ...order('refused-once'), currency: 'ZZZ' }, headers);
    const again = await shop.api('POST', '/v1/payments', { ...order('refused-once'), currency: 'ZZZ' }, headers);
    expect([first.status, again.status, again.body]).toEqual([422, 422, first.body]);
    expect(again.headers.get('content-type')).toContain('application/problem+json');
  });

  it('repeats where the payment is to be found', async () => {
    const headers = { 'idempotency-key': 'located' };
    const first = await shop.api('POST', '/v1/payments', order('located'), headers);
    const again = await shop.api('POST', '/v1/payments', order('located'), headers);
    expect(again.headers.get('location')).toBe(`/v1/payments/${String(first.body.id)}`);
  });

  it('is carried out anew a day later, when its first answer was forgotten', async () => {
    const keys = shop.service.app.get(IdempotencyKeys);
    const headers = { 'idempotency-key': 'yesterday' };
    const { id } = await created(shop, 'yesterday', {}, headers);
    // A look would find it expired, and the order free for another payment.
    for (const { service } of [shop, replica]) await service.app.get(ReconcileJob).stop();
    shop.clock.advance(24 * 3600 + 60);
    const again = await shop.api('POST', '/v1/payments', order('yesterday'), headers);
    expect([again.headers.get('idempotency-replayed'), again.body.id]).toEqual([null, id]);
    shop.clock.advance(24 * 3600 + 60);
    expect(await keys.expire()).toBeGreaterThan(0);
    expect((await shop.database.pool.query('select 1 from idempotency_key')).rowCount).toBe(0);
  });
});

describe('A create whose gateway is silent', () => {
  it('A11 is answered 202 `created` within ten seconds, and its repeats too, with and without the key', async () => {
    const { answer: first, tookMs } = await silentCreate;
    expect(tookMs).toBeLessThan(10_000);
    expect([first.status, first.body.status, first.body.progress, first.body.trackId]).toEqual([
      202,
      'created',
      'opening',
      null,
    ]);
    const replayed = await unanswered.api('POST', '/v1/payments', order('a11'), { 'idempotency-key': 'a11' });
    const repeated = await unanswered.api('POST', '/v1/payments', order('a11'));
    expect([replayed.status, replayed.body.id, repeated.status, repeated.body.id]).toEqual([
      202,
      first.body.id,
      202,
      first.body.id,
    ]);
    expect(await paymentsOf(unanswered.database)).toEqual([first.body.id]);
    expect(held.filter((response) => response.req.method === 'POST')).toHaveLength(1);
    const explained = await unanswered.api('GET', `/v1/payments/${String(first.body.id)}/explanation`);
    expect(explained.body).toMatchObject({ complete: false, blockedBy: 'invoice_not_open', waitingOn: 'gateway' });
  });
});

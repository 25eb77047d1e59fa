import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { CommandBus } from '@nestjs/cqrs';
import { addMinutes } from '../../src/kernel/clock.js';
import { ReconcilePage } from '../../src/payments/history.handlers.js';
import { merchantKey, startTestService, until, type TestService } from '../support/service.js';
import { expectProblem, order } from './support.js';

const embedded = (orderId: string, more: Record<string, unknown> = {}) =>
  order(orderId, { presentation: 'embedded', payCurrency: 'USDT', network: 'TRON', ...more });

describe('A payment on a page of our own', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterEach(async () => {
    await shop.control('/_sandbox/faults', { seed: 1, api: {} }, 'PUT');
  });
  afterAll(() => shop.close());

  it('says what the payer is to send where, and is paid like any other', async () => {
    const created = await shop.api('POST', '/v1/payments', embedded('white-label'));
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({
      status: 'pending',
      progress: 'awaiting_payment',
      presentation: 'embedded',
      paymentUrl: null,
      payTo: {
        address: expect.stringMatching(/^T\w{33}$/),
        memo: null,
        network: 'Tron Network',
        currency: 'USDT',
        amount: '49.9',
      },
    });
    await shop.control(`/_sandbox/scenarios/exact`, { trackId: created.body.trackId });
    const paid = await until(async () => {
      const { body } = await shop.api('GET', `/v1/payments/${created.body.id}`);
      return body.fulfillable && body;
    }, 10_000);
    expect(paid).toMatchObject({ status: 'paid', received: '49.90', delta: '0.00', review: null });
    const page = await (await fetch(created.body.statusUrl)).text();
    expect(page).not.toContain('Pay now');
  });

  it('names the memo without which the money would be lost', async () => {
    const { body } = await shop.api('POST', '/v1/payments', embedded('with-memo', { network: 'TON' }));
    expect(body.payTo).toMatchObject({ memo: expect.stringMatching(/^\d+$/), network: 'Ton Network' });
  });

  it('takes the usual network of the coin where none is named', async () => {
    const { body } = await shop.api(
      'POST',
      '/v1/payments',
      embedded('usual', { network: undefined, payCurrency: 'BTC' }),
    );
    expect(body.payTo).toMatchObject({ currency: 'BTC', network: 'Bitcoin Network', amount: '0.000499' });
  });

  it('asks for the terms of its policy, never for those of the panel', async () => {
    const policy = { underpayment: { tolerancePercent: '2.5', then: 'reject' } };
    const { body } = await shop.api('POST', '/v1/payments', embedded('terms', { policy, lifetimeMinutes: 30 }));
    const answer = await fetch(`${shop.sandboxUrl}/v1/payment/${body.trackId}`, {
      headers: { merchant_api_key: merchantKey },
    });
    const { data } = (await answer.json()) as { data: Record<string, unknown> };
    expect(data).toMatchObject({ type: 'white_label', lifetime: 30, under_paid_coverage: 2.5, order_id: body.id });
  });

  it.each([
    [{ payCurrency: undefined, network: undefined }, ['/payCurrency']],
    [{ presentation: 'hosted' }, ['/payCurrency', '/network']],
    [{ presentation: undefined }, ['/payCurrency', '/network']],
    [{ presentation: 'iframe' }, ['/presentation']],
    [{ payCurrency: 'usdt' }, ['/payCurrency']],
    [{ payCurrency: 'USD' }, ['/payCurrency']],
    [{ payCurrency: 'ÜSDT' }, ['/payCurrency']],
    [{ network: 'TR ON' }, ['/network']],
    [{ network: '../x' }, ['/network']],
  ])('refuses %j at the field that is wrong, and begins nothing', async (change, pointers) => {
    const answer = await shop.api('POST', '/v1/payments', embedded('refused', change));
    expectProblem(answer, 'invalid_request');
    expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(pointers);
    expect((await shop.api('GET', '/v1/payments?orderId=refused')).body.items).toEqual([]);
  });

  it('fails with the reason where the gateway does not know the network', async () => {
    const answer = await shop.api('POST', '/v1/payments', embedded('nowhere', { network: 'BTC' }));
    expectProblem(answer, 'gateway_refused');
    expect(answer.body.detail).toContain('network');
  });

  it('is opened anew where the answer was lost: nobody has seen the address of the first', async () => {
    await shop.control('/_sandbox/faults', { seed: 3, api: { timeoutRate: 1, timeoutMs: 200 } }, 'PUT');
    const created: { status: number; body: any }[] = [];
    for (let n = 0; n < 4; n++) created.push(await shop.api('POST', '/v1/payments', embedded(`lost-${String(n)}`)));
    await shop.control('/_sandbox/faults', { seed: 3, api: {} }, 'PUT');
    expect(created.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
    await shop.control('/_sandbox/clock/advance', { seconds: 60 });
    for (const { body } of created) {
      const opened = await until(async () => {
        const { body: now } = await shop.api('GET', `/v1/payments/${body.id}`);
        return now.status === 'pending' && now;
      }, 10_000);
      expect(opened.payTo.address).toMatch(/^T/);
      await shop.control('/_sandbox/scenarios/exact', { trackId: opened.trackId });
      await until(async () => (await shop.api('GET', `/v1/payments/${body.id}`)).body.status === 'paid', 10_000);
    }
    // What was left behind at the gateway asks nobody anything.
    const span = { from: addMinutes(shop.clock.now(), -60), to: addMinutes(shop.clock.now(), 5) };
    const cause = { actor: 'reconciler', correlationId: randomUUID(), causationId: randomUUID() };
    const heard = await shop.service.app.get(CommandBus).execute(new ReconcilePage(span, 1, cause));
    expect(heard).toMatchObject({ failed: [] });
    const [{ id, trackId }] = created.map(({ body }) => body);
    const left = {
      track_id: '900000001',
      order_id: id,
      status: 'Expired',
      type: 'white_label',
      amount: 25,
      currency: 'USD',
      txs: [],
    };
    expect(left.track_id).not.toBe(trackId);
    for (let n = 0; n < 2; n++) expect((await shop.callback(JSON.stringify(left))).status).toBe(200);
    const { rows } = await shop.database.pool.query(
      "select reason from inbox where status in ('unmatched', 'quarantined')",
    );
    expect(rows).toEqual([]);
    expect((await shop.api('GET', `/v1/payments/${id}`)).body.status).toBe('paid');
  });
});

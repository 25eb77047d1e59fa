import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, until, type TestService } from '../support/service.js';
import { addOther, asOther, expectProblem } from './support.js';

const day = 86_400;

describe('A deposit address', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
    await addOther(shop);
  });
  afterEach(async () => {
    await shop.control('/_sandbox/faults', { seed: 1, api: {}, callbacks: {} }, 'PUT');
  });
  afterAll(() => shop.close());

  const open = async (customerId: string, network = 'TRON') => {
    const { status, body } = await shop.api('POST', '/v1/deposit-addresses', { customerId, network });
    expect([status, body.status]).toEqual([201, 'open']);
    return body as { id: string; address: string; trackId: string; deposits: number };
  };
  const send = (trackId: string, amount: string, more: object = {}) =>
    shop.control(`/_sandbox/payments/${trackId}/transfers`, { amount, currency: 'USDT', network: 'TRON', ...more });
  const confirm = (trackId: string, count = 20) =>
    shop.control(`/_sandbox/payments/${trackId}/confirmations`, { count });
  const paymentsOf = async (customerId: string) =>
    (await shop.api('GET', `/v1/payments?customerId=${customerId}`)).body.items as any[];
  const balanceOf = async (customerId: string): Promise<unknown> =>
    (await shop.api('GET', `/v1/customers/${customerId}/balance`)).body.balances;
  const credited = (customerId: string, amount: string) =>
    until(async () => JSON.stringify(await balanceOf(customerId)).includes(`"${amount}"`), 15_000);

  it('is one per customer and network', async () => {
    const first = await open('one');
    const again = await shop.api('POST', '/v1/deposit-addresses', { customerId: 'one', network: 'tron' });
    expect([again.status, again.body.id, again.body.address]).toEqual([200, first.id, first.address]);
    const other = await open('one', 'BSC');
    expect(other.address).toMatch(/^0x/);
    expect((await shop.api('GET', `/v1/deposit-addresses/${first.id}`)).body).toMatchObject({
      customerId: 'one',
      network: 'TRON',
      networkName: 'Tron Network',
      status: 'open',
      memo: null,
      deposits: 0,
      endsIdleAt: expect.any(String),
    });
  });

  it('is made once, however many ask for it at the same moment', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, () =>
        shop.api('POST', '/v1/deposit-addresses', { customerId: 'crowd', network: 'TRON' }),
      ),
    );
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const rows = await fetch(`${shop.sandboxUrl}/v1/payment/static-address?size=200&order_id=${answers[0]?.body.id}`, {
      headers: { merchant_api_key: shop.config.merchantKeys[0] ?? '' },
    });
    expect(((await rows.json()) as { data: { list: unknown[] } }).data.list).toHaveLength(1);
  });

  it('makes a payment of each transfer, and credits each to the customer once', async () => {
    const { id, trackId } = await open('payer');
    await send(trackId, '25');
    const [seen] = await until(async () => {
      const all = await paymentsOf('payer');
      return all.length === 1 && all[0].progress === 'detected' && all;
    });
    expect(seen).toMatchObject({
      amount: '25',
      currency: 'USDT',
      status: 'pending',
      progress: 'detected',
      customerId: 'payer',
    });
    expect(await balanceOf('payer')).toEqual([]);
    await confirm(trackId);
    await credited('payer', '25');
    // Later ones come under the same track id, and the gateway tells of the earlier ones with them.
    await send(trackId, '7.5');
    await send(trackId, '1000', { currency: 'TRX' }); // 1000 dollars are 4000 TRX
    await confirm(trackId);
    await credited('payer', '32.5');
    await credited('payer', '4000');
    const payments = await until(async () => {
      const all = await paymentsOf('payer');
      return all.length === 3 && all.every(({ labels }) => labels.includes('credited')) && all;
    });
    expect(
      payments
        .map(({ status, amount, currency, allocation }) => [status, amount, currency, allocation.credited])
        .sort(),
    ).toEqual([
      ['paid', '25', 'USDT', '25'],
      ['paid', '4000', 'TRX', '4000'],
      ['paid', '7.5', 'USDT', '7.5'],
    ]);
    expect((await shop.api('GET', `/v1/deposit-addresses/${id}`)).body.deposits).toBe(3);
    const ledger = (await shop.api('GET', '/v1/customers/payer/ledger')).body.items;
    expect(ledger.filter(({ reason }: { reason: string }) => reason === 'deposit').length).toBeGreaterThanOrEqual(3);
  });

  it('says of each deposit that it is complete once it is credited, and asks nobody to deliver anything', async () => {
    const { trackId } = await open('explained');
    await send(trackId, '5', { confirmations: 20 });
    await credited('explained', '5');
    const [payment] = await paymentsOf('explained');
    const { body } = await shop.api('GET', `/v1/payments/${payment.id}/explanation`);
    expect(body).toMatchObject({ complete: true, blockedBy: null, waitingOn: null });
    expect(body.sentence).toContain('5 USDT was credited to the customer (deposit).');
    expect(payment).toMatchObject({ fulfillable: false, review: null, deposit: { addressId: expect.any(String) } });
    const refund = { address: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ', network: 'TRON', reason: 'asked' };
    expectProblem(await shop.api('POST', `/v1/payments/${payment.id}/refunds`, refund), 'nothing_to_refund');
  });

  it('credits once what callbacks tell of twice, in any order and cumulatively', async () => {
    const { trackId, id, address } = await open('told');
    const tx = (hash: string, amount: number, status: string, count: number) => ({
      status,
      tx_hash: hash,
      sent_amount: amount,
      received_amount: amount,
      value: amount,
      currency: 'USDT',
      network: 'Tron Network',
      sender_address: 'TExampleSenderNotForUse000000000000',
      address,
      rate: 1,
      confirmations: count,
      date: 1760000300,
    });
    const callback = (status: string, txs: unknown[]) =>
      shop.callback(
        JSON.stringify({
          track_id: trackId,
          status,
          type: 'static_address',
          amount: 0,
          value: 25,
          currency: 'USDT',
          order_id: id,
          date: 1760000000,
          txs,
        }),
      );
    const [a, b] = ['a'.repeat(64), 'b'.repeat(64)];
    const all = [
      callback('Paying', [tx(a, 3, 'confirming', 0)]),
      callback('Paid', [tx(a, 3, 'confirmed', 20)]),
      callback('Paying', [tx(a, 3, 'confirmed', 20), tx(b, 4, 'confirming', 1)]),
      callback('Paid', [tx(b, 4, 'confirmed', 21)]),
      callback('Paid', [tx(a, 3, 'confirmed', 20), tx(b, 4, 'confirmed', 21)]),
      callback('Paying', [tx(a, 3, 'confirming', 0)]),
    ];
    expect((await Promise.all(all)).map(({ status, text }) => [status, text])).toEqual(all.map(() => [200, 'ok']));
    const payments = await until(async () => {
      const told = await paymentsOf('told');
      return told.length === 2 && told.every(({ status }) => status === 'paid') && told;
    });
    expect(payments.map(({ amount, status }) => [amount, status]).sort()).toEqual([
      ['3', 'paid'],
      ['4', 'paid'],
    ]);
    // Nothing is credited on a callback's word alone: this gateway does not know of them.
    expect(payments.map(({ fulfillable, allocation }) => [fulfillable, allocation.credited])).toEqual([
      [false, '0'],
      [false, '0'],
    ]);
    expect((await shop.api('GET', `/v1/deposit-addresses/${id}`)).body.deposits).toBe(2);
  });

  it('finds a deposit by itself whose callbacks never came', async () => {
    const { trackId } = await open('unheard');
    await shop.control('/_sandbox/faults', { seed: 1, callbacks: { drop: 1 } }, 'PUT');
    await send(trackId, '11', { confirmations: 20 });
    await shop.control('/_sandbox/clock/advance', { seconds: 900 });
    await credited('unheard', '11');
  });

  it('is watched until the gateway ends it for idleness, and a new one is given then', async () => {
    const first = await open('idle');
    await shop.control('/_sandbox/clock/advance', { seconds: 2 * day });
    await fetch(`${shop.sandboxUrl}/v1/payment/static-address/revoke`, {
      method: 'POST',
      headers: { merchant_api_key: shop.config.merchantKeys[0] ?? '', 'content-type': 'application/json' },
      body: JSON.stringify({ address: first.address, network: 'TRON' }),
    });
    await shop.control('/_sandbox/clock/advance', { seconds: day });
    const ended = await until(async () => {
      const { body } = await shop.api('GET', `/v1/deposit-addresses/${first.id}`);
      return body.status === 'revoked' && body;
    }, 15_000);
    expect(ended).toMatchObject({ revokedBy: 'gateway', endsIdleAt: null });
    expect((await open('idle')).id).not.toBe(first.id);
  });

  it('is revoked at the gateway before it is called so, and what comes later is recorded all the same', async () => {
    const { id, trackId, address } = await open('gone');
    await shop.control('/_sandbox/faults', { seed: 1, api: { errorRate: 1, status: 503 } }, 'PUT');
    const failed = await shop.api('DELETE', `/v1/deposit-addresses/${id}`);
    expectProblem(failed, 'gateway_unavailable');
    expect((await shop.api('GET', `/v1/deposit-addresses/${id}`)).body.status).toBe('open');
    await shop.control('/_sandbox/faults', { seed: 1, api: {} }, 'PUT');
    for (let n = 0; n < 2; n++) expect((await shop.api('DELETE', `/v1/deposit-addresses/${id}`)).status).toBe(204);
    const txs = [
      {
        status: 'confirmed',
        tx_hash: 'c'.repeat(64),
        sent_amount: 9,
        currency: 'USDT',
        network: 'Tron Network',
        address,
        confirmations: 30,
      },
    ];
    const body = JSON.stringify({
      track_id: trackId,
      status: 'Paid',
      type: 'static_address',
      amount: 0,
      currency: 'USDT',
      order_id: id,
      txs,
    });
    expect((await shop.callback(body)).status).toBe(200);
    const [payment] = await until(async () => {
      const all = await paymentsOf('gone');
      return all.length === 1 && all[0].status === 'paid' && all;
    });
    expect(payment).toMatchObject({ deposit: { afterRevocation: true }, allocation: { credited: '0' } });
  });

  it('stays opening while the gateway does not answer, and opens by itself', async () => {
    await shop.control('/_sandbox/faults', { seed: 3, api: { errorRate: 1, status: 503 } }, 'PUT');
    const { status, body } = await shop.api('POST', '/v1/deposit-addresses', { customerId: 'later', network: 'TRON' });
    expect([status, body.status, body.address]).toEqual([202, 'opening', null]);
    await shop.control('/_sandbox/faults', { seed: 3, api: {} }, 'PUT');
    await shop.control('/_sandbox/clock/advance', { seconds: 60 });
    const opened = await until(async () => {
      const { body: now } = await shop.api('GET', `/v1/deposit-addresses/${body.id}`);
      return now.status === 'open' && now;
    }, 15_000);
    expect(opened.address).toMatch(/^T/);
  });

  it.each([
    [{ customerId: 'x' }, '/network'],
    [{ network: 'TRON' }, '/customerId'],
    [{ customerId: '', network: 'TRON' }, '/customerId'],
    [{ customerId: 'a\u0007b', network: 'TRON' }, '/customerId'],
    [{ customerId: 'x'.repeat(129), network: 'TRON' }, '/customerId'],
    [{ customerId: 7, network: 'TRON' }, '/customerId'],
    [{ customerId: 'x', network: 'TR ON' }, '/network'],
    [{ customerId: 'x', network: ['TRON'] }, '/network'],
    [{ customerId: 'x', network: 'TRON', address: 'mine' }, '/address'],
  ])('refuses %j, and asks the gateway for nothing', async (body, pointer) => {
    const answer = await shop.api('POST', '/v1/deposit-addresses', body);
    expectProblem(answer, 'invalid_request');
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
  });

  it('is refused with the reason where the gateway does not know the network, and can be asked for anew', async () => {
    for (let n = 0; n < 2; n++) {
      const answer = await shop.api('POST', '/v1/deposit-addresses', { customerId: 'nowhere', network: 'NOCHAIN' });
      expectProblem(answer, 'gateway_refused');
    }
  });

  it('is listed newest first, by pages, by customer and by status, and is nobody else’s', async () => {
    const ids: string[] = [];
    for (const network of ['TRON', 'BSC', 'ETH']) ids.unshift((await open('listed', network)).id);
    await shop.api('DELETE', `/v1/deposit-addresses/${ids[1] ?? ''}`);
    const list = async (query: string) =>
      (await shop.api('GET', `/v1/deposit-addresses?customerId=listed${query}`)).body;
    await until(async () => (await list('&status=revoked')).items.length === 1);
    expect((await list('')).items.map(({ id }: { id: string }) => id)).toEqual(ids);
    const page = await list('&limit=2');
    expect(page.items.map(({ id }: { id: string }) => id)).toEqual(ids.slice(0, 2));
    const rest = await list(`&limit=2&cursor=${page.nextCursor}`);
    expect([rest.items[0].id, rest.nextCursor]).toEqual([ids[2], null]);
    expect((await list('&status=revoked')).items.map(({ id }: { id: string }) => id)).toEqual([ids[1]]);
    expect((await shop.api('GET', '/v1/deposit-addresses?customerId=listed', undefined, asOther)).body.items).toEqual(
      [],
    );
    for (const method of ['GET', 'DELETE'])
      expectProblem(await shop.api(method, `/v1/deposit-addresses/${ids[0] ?? ''}`, undefined, asOther), 'not_found');
    expectProblem(await shop.api('GET', '/v1/deposit-addresses?status=gone'), 'malformed_request');
  });
});

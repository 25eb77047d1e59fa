import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { World } from './support.js';

let world: World;
beforeAll(async () => {
  world = await new World().start();
});
afterAll(() => world.stop());

describe('Creating an invoice', () => {
  it('answers with the track id, the page, the deadline and the time, in the envelope of the gateway', async () => {
    const { status, json } = await world.merchant('POST', '/payment/invoice', { amount: 49.9, lifetime: 30 });
    expect(status).toBe(200);
    expect(json).toEqual({
      data: {
        track_id: expect.stringMatching(/^[0-9]{9}$/),
        payment_url: expect.stringMatching(new RegExp(`^http://localhost:[0-9]+/pay/${json.data.track_id}$`)),
        expired_at: json.data.date + 30 * 60,
        date: expect.any(Number),
      },
      message: 'Operation completed successfully!',
      error: {},
      status: 200,
      version: '1.0.0',
    });
  });

  it('keeps every field as it was given', async () => {
    const given = {
      amount: 15,
      currency: 'EUR',
      lifetime: 45,
      fee_paid_by_payer: 1,
      under_paid_coverage: 21.5,
      mixed_payment: true,
      callback_url: 'https://example.com/callback',
      return_url: 'https://example.com/success',
      email: 'payer@example.com',
      order_id: 'ORD-12345',
      thanks_message: 'Thanks Message',
      description: 'Order #12345',
    };
    const trackId = await world.invoice({ ...given, to_currency: 'USDT', auto_withdrawal: false, sandbox: false });
    const info = await world.information(trackId);
    expect(info).toMatchObject({ ...given, track_id: trackId, type: 'invoice', status: 'new', txs: [] });
    expect(info.expired_at - info.date).toBe(45 * 60);
  });

  it('takes dollars, an hour and the strictest terms where nothing is said', async () => {
    const { json } = await world.merchant('POST', '/payment/invoice', { amount: '10' });
    expect(await world.information(json.data.track_id)).toMatchObject({
      currency: 'USD',
      lifetime: 60,
      fee_paid_by_payer: 0,
      under_paid_coverage: 0,
      mixed_payment: false,
      callback_url: '',
      order_id: '',
    });
  });

  it.each([
    [true, 'true', 1, '1'],
    [false, 'false', 0, '0'],
  ])('reads a flag however clients write %s', async (meant, ...spellings) => {
    for (const mixed_payment of [meant, ...spellings]) {
      const trackId = await world.invoice({ mixed_payment, fee_paid_by_payer: mixed_payment });
      expect(await world.information(trackId)).toMatchObject({
        mixed_payment: meant,
        fee_paid_by_payer: meant ? 1 : 0,
      });
    }
  });

  it('keeps every digit of an amount, in whatever spelling it came', async () => {
    const spellings: [string, string][] = [
      ['0.123456789012345678', '0.123456789012345678'],
      ['"123456789.123456789"', '123456789.123456789'],
      ['3.079e-5', '3.079e-5'],
      ['1E2', '100'],
    ];
    for (const [sent, printed] of spellings) {
      const { json } = await world.merchant('POST', '/payment/invoice', `{"amount":${sent},"currency":"BTC"}`);
      const { text } = await world.merchant('GET', `/payment/${json.data.track_id}`);
      expect(text).toContain(`"amount":${printed},`);
    }
  });

  it.each([
    [{}, 'amount', 'The amount field is required.'],
    [{ amount: 0 }, 'amount', 'The amount field must be greater than 0.'],
    [{ amount: -1 }, 'amount', 'The amount field must be greater than 0.'],
    [{ amount: 'ten' }, 'amount', 'The amount field must be a number.'],
    [{ amount: '1e9999999' }, 'amount', 'The amount field must be a number.'],
    [{ amount: [1] }, 'amount', 'The amount field must be a string.'],
    [{ amount: 1, currency: 'NOPE' }, 'currency', 'The selected currency is invalid.'],
    [{ amount: 1, lifetime: 'soon' }, 'lifetime', 'The lifetime field must be an integer.'],
    [{ amount: 1, lifetime: 15.5 }, 'lifetime', 'The lifetime field must be an integer.'],
    [{ amount: 1, lifetime: 14 }, 'lifetime', 'The lifetime field must be between 15 and 2880.'],
    [{ amount: 1, lifetime: 2881 }, 'lifetime', 'The lifetime field must be between 15 and 2880.'],
    [
      { amount: 1, under_paid_coverage: 60.1 },
      'under_paid_coverage',
      'The under_paid_coverage field must not be greater than 60.',
    ],
    [
      { amount: 1, under_paid_coverage: -1 },
      'under_paid_coverage',
      'The under_paid_coverage field must be at least 0.',
    ],
    [{ amount: 1, fee_paid_by_payer: 2 }, 'fee_paid_by_payer', 'The fee_paid_by_payer field must be true or false.'],
    [{ amount: 1, to_currency: 'BTC' }, 'to_currency', 'The selected to_currency is invalid.'],
    [{ amount: 1, callback_url: 'ftp://example.com' }, 'callback_url', 'The callback_url field must be a valid URL.'],
    [{ amount: 1, return_url: 'javascript:alert(1)' }, 'return_url', 'The return_url field must be a valid URL.'],
    [{ amount: 1, email: 'nobody' }, 'email', 'The email field must be a valid email address.'],
    [
      { amount: 1, order_id: 'x'.repeat(256) },
      'order_id',
      'The order_id field must not be greater than 255 characters.',
    ],
  ])('refuses %j and names the field', async (body, key, message) => {
    const { status, json } = await world.merchant('POST', '/payment/invoice', body);
    expect(status).toBe(400);
    expect(json).toEqual({
      data: {},
      message: '',
      error: { type: 'validation', key, message },
      status: 400,
      version: '1.0.0',
    });
  });

  it('takes the shortest and longest lifetimes', async () => {
    for (const lifetime of [15, 2880])
      expect((await world.information(await world.invoice({ lifetime }))).lifetime).toBe(lifetime);
  });

  it('opens a new invoice for each request, even with the same order id', async () => {
    const first = await world.invoice({ order_id: 'SAME' });
    expect(await world.invoice({ order_id: 'SAME' })).not.toBe(first);
  });

  it('refuses a body that is no JSON object', async () => {
    for (const body of ['{', '"text"', '[1]', '{"amount":1,"amount":2}'])
      expect((await world.merchant('POST', '/payment/invoice', body)).status).toBe(400);
  });
});

describe('The key', () => {
  it.each([
    ['/payment/invoice', 'POST', 'merchant_api_key'],
    ['/payment', 'GET', 'merchant_api_key'],
    ['/payout', 'GET', 'payout_api_key'],
    ['/general/account/balance', 'GET', 'general_api_key'],
  ])('of %s must be right', async (path, method, header) => {
    for (const headers of [{}, { [header]: 'WRONG' }, { merchant_api_key: 'SANDBX-PAYOUT-000000-000001' }]) {
      const { status, json } = await world.ask(
        method,
        `/v1${path}`,
        method === 'POST' ? { amount: 1 } : undefined,
        headers,
      );
      expect(status).toBe(401);
      expect(json).toMatchObject({ data: {}, status: 401, error: { key: header } });
    }
  });

  it('of payouts does not open payments', async () => {
    expect((await world.payout('GET', '/payment')).status).toBe(401);
  });

  it('is not asked for by the common lists', async () => {
    for (const path of ['prices', 'currencies', 'fiats', 'networks', 'monitor'])
      expect((await world.ask('GET', `/v1/common/${path}`)).json).toMatchObject({ status: 200, error: {} });
  });
});

describe('The lists of the gateway', () => {
  it('name the coins, their prices and the confirmations that each network needs', async () => {
    const { json: prices } = await world.ask('GET', '/v1/common/prices');
    expect(prices.data).toMatchObject({ BTC: 100000, USDT: 1, TRX: 0.25, XMR: 250 });
    const { json: currencies } = await world.ask('GET', '/v1/common/currencies');
    expect(currencies.data.USDT.networks.TRON).toMatchObject({
      network: 'TRON',
      name: 'Tron Network',
      keys: ['trx', 'trc20', 'tron'],
      required_confirmations: 19,
    });
    const { json: fiats } = await world.ask('GET', '/v1/common/fiats');
    expect(fiats.data.JPY).toEqual({ symbol: 'JPY', name: 'Japanese Yen', price: 0.0065, display_precision: 0 });
    const { json: accepted } = await world.merchant('GET', '/payment/accepted-currencies');
    expect(accepted.data.list).toEqual(expect.arrayContaining(['BTC', 'ETH', 'USDT', 'USDC', 'BNB', 'DOGE']));
  });

  it('show a balance', async () => {
    const headers = { general_api_key: 'SANDBX-MRCHNT-000000-000001' };
    expect((await world.ask('GET', '/v1/general/account/balance', undefined, headers)).json.data.USDT).toBe(10000);
    expect((await world.ask('GET', '/v1/general/account/balance?currency=btc', undefined, headers)).json.data).toEqual({
      BTC: 0.5,
    });
  });
});

describe('A swap', () => {
  const ask = (method: string, path: string, body?: object) =>
    world.ask(method, `/v1/general/swap${path}`, body, { general_api_key: 'SANDBX-MRCHNT-000000-000001' });

  it('is quoted, made and listed at the fixed prices', async () => {
    const order = { from_currency: 'BTC', to_currency: 'USDT', amount: 0.5 };
    expect((await ask('POST', '/rate', { from: 'BTC', to: 'USDT' })).json.data).toEqual({ rate: 100000 });
    expect((await ask('POST', '/calculate', order)).json.data).toEqual({ to_amount: 50000, rate: 100000, amount: 0.5 });
    const { json } = await ask('POST', '', order);
    expect(json.data).toMatchObject({ from_amount: 0.5, to_amount: 50000, from_currency: 'BTC', to_currency: 'USDT' });
    expect((await ask('GET', '?from_currency=btc')).json.data.list).toEqual([json.data]);
    expect((await ask('GET', '/pairs?size=1')).json.data.list).toEqual([
      { from_currency: 'BTC', to_currency: 'ETH', min_amount: 0.00001 },
    ]);
  });

  it('of a coin into itself is refused', async () => {
    expect((await ask('POST', '', { from_currency: 'BTC', to_currency: 'btc', amount: 1 })).json.error.key).toBe(
      'to_currency',
    );
  });
});

describe('What does not exist', () => {
  it('is answered 404 in the envelope', async () => {
    for (const path of ['/payment/999', '/nothing', '/payment/a/b'])
      expect((await world.merchant('GET', path)).json).toMatchObject({ data: {}, status: 404 });
  });
});

describe('A white-label session', () => {
  it('names the coin, the network, the address and the exact amount to send', async () => {
    const { json } = await world.merchant('POST', '/payment/white-label', {
      amount: 100,
      pay_currency: 'btc',
      order_id: 'WL',
    });
    expect(json.data).toMatchObject({
      amount: 100,
      currency: 'USD',
      pay_amount: 0.001,
      pay_currency: 'BTC',
      network: 'Bitcoin Network',
      address: expect.stringMatching(/^bc1q/),
      memo: '',
      order_id: 'WL',
      rate: 100000,
      lifetime: 60,
    });
    expect((await world.information(json.data.track_id)).status).toBe('waiting');
    expect((await fetch(json.data.qr_code)).headers.get('content-type')).toContain('image/svg+xml');
  });

  it('refuses an unknown coin and a network that the coin is not on', async () => {
    const ask = async (body: object) =>
      (await world.merchant('POST', '/payment/white-label', { amount: 1, ...body })).json.error.key;
    expect(await ask({})).toBe('pay_currency');
    expect(await ask({ pay_currency: 'USD' })).toBe('pay_currency');
    expect(await ask({ pay_currency: 'USDT', network: 'BTC' })).toBe('network');
  });
});

describe('A static address', () => {
  it('takes many deposits, each with callbacks of its own', async () => {
    const { json } = await world.merchant('POST', '/payment/static-address', {
      network: 'TRC20',
      callback_url: world.callbackUrl,
      order_id: 'user-42',
    });
    const { track_id: trackId, address } = json.data;
    expect(json.data.network).toBe('Tron Network');
    const before = world.receiver.calls.length;
    await world.control(`/payments/${trackId}/transfers`, { amount: '25' });
    await world.control(`/payments/${trackId}/confirmations`, { count: 19 });
    await world.control(`/payments/${trackId}/transfers`, { amount: '10', currency: 'TRX' });
    await world.control(`/payments/${trackId}/confirmations`, { count: 19 });
    const bodies = world.receiver.bodies.slice(before);
    expect(
      bodies.map((body) => [body.status, body.track_id, body.amount, body.currency, body.value, body.txs.length]),
    ).toEqual([
      ['Paying', trackId, 0, 'USDT', 25, 1],
      ['Paid', trackId, 0, 'USDT', 25, 1],
      ['Paying', trackId, 0, 'TRX', 10, 1],
      ['Paid', trackId, 0, 'TRX', 10, 1],
    ]);
    expect(bodies[3].txs[0]).toMatchObject({ sent_amount: 40, address, currency: 'TRX', network: 'Tron Network' });
    expect((await world.information(trackId)).txs).toHaveLength(2);
  });

  it('is listed until it is revoked, and takes nothing afterwards', async () => {
    const { json } = await world.merchant('POST', '/payment/static-address', {
      network: 'BTC',
      email: 'a@example.com',
    });
    const { track_id: trackId, address } = json.data;
    const list = async () =>
      (await world.merchant('GET', '/payment/static-address?size=200&network=bitcoin')).json.data.list;
    expect(await list()).toEqual([expect.objectContaining({ track_id: trackId, address, email: 'a@example.com' })]);
    expect((await world.merchant('POST', '/payment/static-address/revoke', { address })).json).toMatchObject({
      data: {},
      status: 200,
    });
    expect(await list()).toEqual([]);
    expect((await world.control(`/payments/${trackId}/transfers`, { amount: '1' })).status).toBe(409);
    expect((await world.merchant('POST', '/payment/static-address/revoke', { address })).status).toBe(404);
  });
});

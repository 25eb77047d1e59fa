import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RefusalCode } from '../../src/kernel/refusal.js';
import { startTestService, type TestService } from '../support/service.js';
import { created, expectProblem, invoicesOf, order, paymentsOf, rowsOf, send } from './support.js';

describe('Creating a payment', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  /** Refused, and nothing was written by it. */
  async function refuses(
    body: string | Buffer,
    code: RefusalCode,
    pointers?: string[],
    headers: Record<string, string | undefined> = {},
  ): Promise<void> {
    const before = await rowsOf(shop.database);
    const answer = await send(shop.url, {
      body,
      headers: { 'idempotency-key': 'a-key-that-must-stay-free', ...headers },
    });
    expectProblem(answer, code, pointers);
    expect(await rowsOf(shop.database)).toEqual(before);
  }

  const refusesField = (field: string, value: unknown): Promise<void> =>
    refuses(JSON.stringify(order('refused', { [field]: value })), 'invalid_request', [`/${field}`]);

  it('answers 201 with the payment, the address for the payer and where to read it again', async () => {
    const answer = await shop.api(
      'POST',
      '/v1/payments',
      order('o-1', {
        description: 'Blue shoes',
        email: 'payer@shop.example',
        metadata: { cart: 'c-17' },
        customerId: 'c-1',
        returnUrl: 'https://shop.example/thanks',
        lifetimeMinutes: 30,
      }),
    );
    expect(answer.status).toBe(201);
    expect(answer.headers.get('location')).toBe(`/v1/payments/${String(answer.body.id)}`);
    expect(answer.body).toMatchObject({
      status: 'pending',
      amount: '49.90',
      currency: 'USD',
      metadata: { cart: 'c-17' },
      email: 'payer@shop.example',
      returnUrl: 'https://shop.example/thanks',
    });
    const lifetimeMs = Date.parse(answer.body.expiresAt) - Date.parse(answer.body.createdAt);
    expect(Math.round(lifetimeMs / 60_000)).toBe(30);
    expect(await invoicesOf(shop, answer.body.id)).toEqual([answer.body.trackId]);
  });

  it.each([
    ['a JSON number', 49.9],
    ['a whole JSON number', 50],
    ['zero', '0'],
    ['zero with decimals', '0.00'],
    ['less than nothing', '-1'],
    ['a signed amount', '+1'],
    ['not a number', 'NaN'],
    ['infinite', 'Infinity'],
    ['an exponent', '1e400'],
    ['a small exponent', '1e2'],
    ['40 decimals', `0.${'0'.repeat(39)}1`],
    ['40 digits', '9'.repeat(40)],
    ['hexadecimal', '0x10'],
    ['a comma', '49,90'],
    ['spaces', ' 49.90 '],
    ['empty', ''],
    ['other digits', '４９.90'],
    ['null', null],
    ['a boolean', true],
    ['an array', ['49.90']],
    ['an object', { value: '49.90' }],
    ['a third decimal of a dollar', '49.901'],
  ])('A12 refuses an amount that is %s', async (_, amount) => {
    await refusesField('amount', amount);
  });

  it('A12 refuses more decimals than a coin has, and takes as many as it has', async () => {
    await refuses(JSON.stringify(order('decimals', { amount: '1.123456789', currency: 'USDT' })), 'invalid_request', [
      '/amount',
    ]);
    await refuses(JSON.stringify(order('decimals', { amount: '100.5', currency: 'JPY' })), 'invalid_request', [
      '/amount',
    ]);
    const answer = await shop.api('POST', '/v1/payments', order('decimals', { amount: '1.123456', currency: 'USDT' }));
    expect([answer.status, answer.body.amount]).toEqual([201, '1.123456']);
  });

  it.each([
    '{"orderId":"n","amount":1e400,"currency":"USD"}',
    '{"orderId":"n","amount":-0,"currency":"USD"}',
    `{"orderId":"n","amount":${'9'.repeat(400)},"currency":"USD"}`,
  ])('A12 refuses the JSON number in %.60s', async (body) => {
    await refuses(body, 'invalid_request', ['/amount']);
  });

  it.each(['NaN', 'Infinity', '-Infinity', 'undefined', '+1', '01', '.5', '1.', '0x10', "'1'"])(
    'A12 refuses %s where JSON knows no such word',
    async (word) => {
      await refuses(`{"orderId":"n","amount":${word},"currency":"USD"}`, 'malformed_request');
    },
  );

  it.each(['usd', 'Usd', 'ＵＳＤ', 'UЅD', 'U', 'US', 'US D', 'USD\n', '', 'ABCDEFGHIJKL', '$', 5, null, ['USD'], {}])(
    'A13 refuses the currency %j',
    async (currency) => {
      // Two letters make a symbol for all we know; the gateway is asked about those.
      if (currency === 'US') return;
      await refusesField('currency', currency);
    },
  );

  it('A13 refuses a currency that the gateway does not know, says which payment failed, and leaves the order free', async () => {
    const refused = await shop.api('POST', '/v1/payments', order('unknown-currency', { currency: 'QQQ' }));
    expectProblem(refused, 'gateway_refused');
    const failed = await shop.api('GET', `/v1/payments/${String(refused.body.paymentId)}`);
    expect(failed.body).toMatchObject({ status: 'failed', progress: 'closed', trackId: null });
    expect(failed.body.failure).toMatch(/currency/i);
    expect((await shop.api('POST', '/v1/payments', order('unknown-currency'))).status).toBe(201);
  });

  it.each([14, 2881, 0, -60, 30.5, 1e21, '30', '', true, null, [30], {}])(
    'A14 refuses a lifetime of %j minutes',
    async (lifetimeMinutes) => {
      // Null is the same as left out.
      if (lifetimeMinutes === null) return;
      await refusesField('lifetimeMinutes', lifetimeMinutes);
    },
  );

  it.each([15, 2880])('A14 takes a lifetime of %d minutes', async (lifetimeMinutes) => {
    await created(shop, `lifetime-${String(lifetimeMinutes)}`, { lifetimeMinutes });
  });

  it.each([
    ['10 kB', 'x'.repeat(10_240)],
    ['129 characters', 'x'.repeat(129)],
    ['empty', ''],
    ['a line break', 'a\nb'],
    ['an escape character', 'a\u001b[31m'],
    ['DEL', 'a\u007f'],
    ['a C1 control', 'a\u0085b'],
    ['a number', 5],
    ['null', null],
    ['an array', ['x']],
    ['an object', { id: 1 }],
  ])('A15 refuses an order id that is or holds %s', async (_, orderId) => {
    await refusesField('orderId', orderId);
  });

  it.each([
    ['RTL marks', 'order-\u202e1001-\u200f'],
    ['a formula', '=HYPERLINK("https://evil.example")'],
    ['a way up', '../../etc/passwd'],
    ['quotes', `'"; drop table event; --`],
    ['markup', '<script>alert(1)</script>'],
    ['128 emoji', '😀'.repeat(128)],
    ['wildcards', '100%_\\'],
    ['a slash', 'a/b?c=d#e'],
    ['dots', '..'],
    ['a space', ' '],
    ['the name of an inherited method', 'constructor'],
  ])('A15 keeps an order id with %s as it is, and finds it again by it', async (_, orderId) => {
    const { id, position } = await created(shop, orderId);
    expect((await shop.api('GET', `/v1/payments/${id}`)).body.orderId).toBe(orderId);
    const found = await shop.api(
      'GET',
      `/v1/payments?orderId=${encodeURIComponent(orderId)}&minPosition=${String(position)}`,
    );
    expect(found.body.items.map((item: { id: string }) => item.id)).toEqual([id]);
    if (orderId === '..') return; // a client normalises such a path away before it is sent
    const one = await shop.api('GET', `/v1/orders/${encodeURIComponent(orderId)}`);
    expect([one.status, one.body.orderId]).toEqual([200, orderId]);
  });

  it('A16 answers a second create on other terms 409 with the id of the payment that is in the way', async () => {
    const { id } = await created(shop, 'twice');
    for (const more of [
      { amount: '50.00' },
      { currency: 'EUR' },
      { customerId: 'c-9' },
      { lifetimeMinutes: 61 },
      { metadata: { a: 'b' } },
      { policy: { paidWhen: { rule: 'detected' } } },
    ]) {
      const second = await shop.api('POST', '/v1/payments', order('twice', more));
      expectProblem(second, 'order_has_payment');
      expect(second.body.paymentId).toBe(id);
    }
    expect(await invoicesOf(shop, id)).toHaveLength(1);
  });

  it('A16 opens a new payment for an order whose payment was cancelled, and lets another application use the same order id', async () => {
    const { id } = await created(shop, 'again');
    await shop.api('POST', `/v1/payments/${id}/cancel`);
    const second = await created(shop, 'again', { amount: '60.00' });
    expect(second.id).not.toBe(id);
  });

  it.each(['status', 'merchant_id', 'id', 'applicationId', 'paid', 'Amount', '$ref', 'a/b', 'a~b', ''])(
    'A17 refuses the unknown field %j, and names it by its pointer',
    async (name) => {
      await refuses(JSON.stringify(order('mass', { [name]: 'paid' })), 'invalid_request', [
        `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
      ]);
    },
  );

  it.each([
    'toString',
    'hasOwnProperty',
    'valueOf',
    'isPrototypeOf',
    '__defineGetter__',
    'propertyIsEnumerable',
    'toLocaleString',
  ])('A17 refuses the field %s, which every object inherits', async (name) => {
    await refuses(JSON.stringify(order('mass', { [name]: 'paid' })), 'invalid_request', [`/${name}`]);
    await refuses(JSON.stringify(order('mass', { policy: { [name]: 'paid' } })), 'invalid_request', [
      `/policy/${name}`,
    ]);
  });

  it.each(['__proto__', 'constructor', 'prototype'])('A17 cannot be reached by %s, at any depth', async (name) => {
    await refuses(
      `{"orderId":"mass","amount":"1.00","currency":"USD","${name}":{"status":"paid"}}`,
      'malformed_request',
    );
    await refuses(
      `{"orderId":"mass","amount":"1.00","currency":"USD","metadata":{"${name}":"x"}}`,
      'malformed_request',
    );
  });

  it.each([
    ['policy', 'gold', ['/policy']],
    ['policy', 5, ['/policy']],
    ['policy', ['default'], ['/policy']],
    ['policy', true, ['/policy']],
    ['policy', { paidWhen: { rule: 'never' } }, ['/policy/paidWhen/rule']],
    ['policy', { paidWhen: 'settled' }, ['/policy/paidWhen']],
    ['policy', { paidWhen: [] }, ['/policy/paidWhen']],
    ['policy', { paidWhen: { rule: 'confirmations' } }, ['/policy/paidWhen/count']],
    ['policy', { paidWhen: { rule: 'settled', count: 3 } }, ['/policy/paidWhen/count']],
    ['policy', { paidWhen: { rule: 'confirmations', count: null } }, ['/policy/paidWhen/count']],
    ['policy', { paidWhen: { rule: 'confirmations', count: 0 } }, ['/policy/paidWhen/count']],
    ['policy', { paidWhen: { rule: 'confirmations', count: 1.5 } }, ['/policy/paidWhen/count']],
    ['policy', { underpayment: { tolerancePercent: '61', then: 'reject' } }, ['/policy/underpayment/tolerancePercent']],
    ['policy', { underpayment: { tolerancePercent: 5, then: 'reject' } }, ['/policy/underpayment/tolerancePercent']],
    ['policy', { overpayment: { then: 'keep' } }, ['/policy/overpayment/tolerancePercent']],
    ['policy', { latePayment: { window: 'P31D', then: 'accept' } }, ['/policy/latePayment/window']],
    ['policy', { latePayment: { window: '72h', then: 'accept' } }, ['/policy/latePayment/window']],
    ['policy', { surprise: 1 }, ['/policy/surprise']],
    ['policy', { paidWhen: { rule: 'settled', surprise: 1 } }, ['/policy/paidWhen/surprise']],
    ['customerId', 'x'.repeat(129), ['/customerId']],
    ['customerId', '', ['/customerId']],
    ['customerId', 7, ['/customerId']],
    ['description', 'x'.repeat(257), ['/description']],
    ['description', 'a\u0007', ['/description']],
    ['description', [], ['/description']],
    ['email', 'nobody', ['/email']],
    ['email', `${'x'.repeat(250)}@shop.example`, ['/email']],
    ['email', 'a@b@c', ['/email']],
    ['email', {}, ['/email']],
    ['metadata', 'x', ['/metadata']],
    ['metadata', ['x'], ['/metadata']],
    ['metadata', { a: 1 }, ['/metadata']],
    ['metadata', { a: { b: 'c' } }, ['/metadata']],
    ['metadata', { 'a b': 'c' }, ['/metadata']],
    ['metadata', { a: 'x'.repeat(501) }, ['/metadata']],
    ['metadata', Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`k${String(at)}`, 'v'])), ['/metadata']],
  ] as const)('A18 refuses %s = %j', async (field, value, pointers) => {
    await refuses(JSON.stringify(order('refused', { [field]: value })), 'invalid_request', [...pointers]);
  });

  it('takes a policy by its name, and says so where a name is not known', async () => {
    const { id } = await created(shop, 'by-name', { policy: 'default' });
    expect((await shop.api('GET', `/v1/payments/${id}`)).body.policy).toMatchObject({
      name: 'default',
      version: 1,
      rules: { paidWhen: { rule: 'settled' } },
    });
    const refused = await shop.api('POST', '/v1/payments', order('refused', { policy: 'gold' }));
    expect(refused.body.errors).toEqual([
      {
        pointer: '/policy',
        detail: 'there is no policy named "gold": define it with PUT /v1/policies/gold, or send its rules here',
      },
    ]);
  });

  it('A18 names every field at fault at once', async () => {
    await refuses('{"amount":1,"currency":"usd","lifetimeMinutes":1}', 'invalid_request', [
      '/amount',
      '/currency',
      '/lifetimeMinutes',
      '/orderId',
    ]);
  });

  it('A18 takes null for an optional field that is left out', async () => {
    const nothing = Object.fromEntries(
      ['customerId', 'description', 'email', 'returnUrl', 'lifetimeMinutes', 'policy', 'metadata'].map((name) => [
        name,
        null,
      ]),
    );
    const { id } = await created(shop, 'nulls', nothing);
    expect((await shop.api('GET', `/v1/payments/${id}`)).body).toMatchObject({
      customerId: null,
      email: null,
      metadata: {},
      policy: { name: 'default', version: 1 },
    });
    expect((await created(shop, 'nulls')).id).toBe(id);
  });

  it.each([
    ['an array', '[]'],
    ['an array of payments', `[${JSON.stringify(order('in-array'))}]`],
    ['a string', '"x"'],
    ['a number', '5'],
    ['true', 'true'],
    ['null', 'null'],
    ['nothing', ''],
  ])('A18 refuses a body that is %s', async (_, body) => {
    await refuses(body, 'invalid_request', ['']);
  });

  it.each([
    ['is cut off', '{"orderId":"x"'],
    ['has a key twice', '{"orderId":"x","amount":"1.00","amount":"100.00","currency":"USD"}'],
    ['has a key twice in two spellings', '{"orderId":"x","amount":"1.00","\\u0061mount":"2.00","currency":"USD"}'],
    ['is nested 1,000 deep', `{"metadata":${'['.repeat(1000)}${']'.repeat(1000)}}`],
    ['is nested 30,000 deep', '['.repeat(30_000)],
    ['holds an escaped NUL', JSON.stringify(order('a\u0000b'))],
    ['holds a NUL in a key', '{"a\\u0000":1}'],
    ['holds a raw NUL', '{"orderId":"a\u0000b"}'],
    ['holds a high surrogate alone', '{"orderId":"\\ud83d","amount":"1.00","currency":"USD"}'],
    ['holds a low surrogate alone', '{"orderId":"x","amount":"1.00","currency":"USD","description":"\\udc00!"}'],
    ['holds a surrogate alone in metadata', '{"metadata":{"a":"\\ud800\\ud800"}}'],
    ['ends twice', '{}{}'],
    ['begins with a byte order mark', '\ufeff{}'],
    ['is a form', 'orderId=x&amount=1'],
    ['is XML', '<payment/>'],
    ['is white space', '  \n'],
  ])('A18 refuses a body that %s as unreadable', async (_, body) => {
    await refuses(body, 'malformed_request');
  });

  it.each([
    ['not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
    ['UTF-16', Buffer.from(JSON.stringify(order('x')), 'utf16le')],
    [
      'a surrogate in UTF-8 (CESU)',
      Buffer.concat([Buffer.from('{"orderId":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]),
    ],
    ['random', Buffer.from(Array.from({ length: 500 }, (_, at) => (at * 7919) % 256))],
  ])('A18 refuses bytes that are %s', async (_, body) => {
    await refuses(body, 'malformed_request');
  });

  it('A18 refuses a body over 64 KiB with 413, whether or not its length was announced', async () => {
    const body = JSON.stringify(order('large', { description: 'x'.repeat(70_000) }));
    await refuses(body, 'body_too_large');
    await refuses(body, 'body_too_large', undefined, { 'transfer-encoding': 'chunked' });
    await refuses('x'.repeat(5_000_000), 'body_too_large');
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'application/jsonp',
    'text/json',
    'application/json-seq',
    'nonsense',
    '',
    'application/json; charset=utf-16',
    'application/json;charset="latin1"',
  ])('A18 refuses the content type %j with 415', async (type) => {
    await refuses(JSON.stringify(order('typed')), 'unsupported_media_type', undefined, { 'content-type': type });
  });

  it('A18 refuses a body without a content type, and one that is compressed, with 415', async () => {
    await refuses(JSON.stringify(order('typed')), 'unsupported_media_type', undefined, { 'content-type': undefined });
    for (const encoding of ['gzip', 'br', 'deflate', 'zstd']) {
      await refuses(Buffer.from([0x1f, 0x8b]), 'unsupported_media_type', undefined, { 'content-encoding': encoding });
    }
  });

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON;charset="UTF-8"',
    'application/merge-patch+json',
  ])('A18 takes the content type %j', async (type) => {
    const answer = await send(shop.url, {
      body: JSON.stringify(order(`type ${type}`)),
      headers: { 'content-type': type },
    });
    expect(answer.status).toBe(201);
  });

  it.each([
    'javascript:alert(1)',
    'data:text/html,x',
    '//evil.example',
    '/thanks',
    'http://shop.example/thanks',
    'ftp://shop.example',
    'https://user:pass@shop.example/',
    'https://',
    `https://shop.example/${'x'.repeat(2048)}`,
    'https://shop.example/\u0000',
    'https://shop.example/a\nb',
    'java\tscript:alert(1)',
    ' ',
    5,
    {},
    ['https://shop.example'],
  ])('A19 refuses the return address %j', async (returnUrl) => {
    const body = JSON.stringify(order('refused', { returnUrl }));
    if (body.includes('\\u0000')) await refuses(body, 'malformed_request');
    else await refuses(body, 'invalid_request', ['/returnUrl']);
  });

  it('has created nothing by all that was refused', async () => {
    const ids = await paymentsOf(shop.database);
    const { items } = (await shop.api('GET', '/v1/payments?limit=100')).body as { items: { orderId: string }[] };
    expect(items.some((item) => ['refused', 'mass', 'typed', 'large', 'n', 'x'].includes(item.orderId))).toBe(false);
    expect(new Set(ids).size).toBe(ids.length);
    expect(shop.logged.filter((line) => line.includes('unexpected error'))).toEqual([]);
  });
});

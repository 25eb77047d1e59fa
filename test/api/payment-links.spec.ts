import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, type TestService } from '../support/service.js';
import { addOther, asOther, expectProblem, rowsOf } from './support.js';

const wish = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  amount: '49.90',
  currency: 'USD',
  description: 'Tea ceremony for two',
  ...more,
});

describe('Payment links over the API', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
    await addOther(shop);
  });
  afterAll(() => shop.close());

  const make = async (more: Record<string, unknown> = {}, headers: Record<string, string> = {}) => {
    const answer = await shop.api('POST', '/v1/payment-links', wish(more), headers);
    expect([answer.status, answer.body.errors]).toEqual([201, undefined]);
    return answer.body as { id: string; url: string; position: number };
  };

  it('are made with an address that nobody can guess', async () => {
    const answer = await shop.api('POST', '/v1/payment-links', wish({ amount: '49.9' }));
    expect(answer.status).toBe(201);
    const { id, url, position, createdAt } = answer.body;
    expect(answer.body).toEqual({
      id,
      url,
      amount: '49.90',
      minAmount: null,
      maxAmount: null,
      currency: 'USD',
      description: 'Tea ceremony for two',
      singleUse: false,
      active: true,
      orderId: `link-${id}`,
      paymentId: null,
      customerId: null,
      returnUrl: null,
      lifetimeMinutes: 60,
      policy: 'default',
      metadata: {},
      createdAt,
      deletedAt: null,
      position,
    });
    expect(answer.headers.get('location')).toBe(`/v1/payment-links/${id}`);
    // 17 of 58 characters are 99 bits.
    expect(url.replace(shop.url, '')).toMatch(/^\/l\/[1-9A-HJ-NP-Za-km-z]{17}$/);
    expect((await make()).url).not.toBe(url);
    expect((await shop.api('GET', `/v1/payment-links/${id}`)).body).toEqual(answer.body);
  });

  it('keep every wish, and let the payer choose where none is made', async () => {
    const wishes = {
      amount: undefined,
      minAmount: '5',
      maxAmount: '500.00',
      currency: 'EUR',
      singleUse: true,
      customerId: 'customer-7',
      returnUrl: 'https://shop.example/thanks',
      lifetimeMinutes: 120,
      policy: { paidWhen: { rule: 'detected' } },
      metadata: { campaign: 'spring' },
    };
    const { id } = await make(wishes);
    expect((await shop.api('GET', `/v1/payment-links/${id}`)).body).toMatchObject({
      ...wishes,
      amount: null,
      minAmount: '5.00',
      policy: 'inline',
    });
    const { body } = await shop.api('POST', '/v1/payment-links', { amount: null, currency: 'USD', description: 'tip' });
    expect([body.amount, body.singleUse]).toEqual([null, false]);
  });

  it.each<[string, Record<string, unknown>, string[]]>([
    ['no currency', { currency: undefined }, ['/currency']],
    ['a currency in lower case', { currency: 'usd' }, ['/currency']],
    ['a currency with a Cyrillic letter', { currency: 'UЅD' }, ['/currency']],
    ['a coin that the gateway does not know', { currency: 'NOSUCHCOIN' }, ['/currency']],
    ['no description', { description: undefined }, ['/description']],
    ['an empty description', { description: '' }, ['/description']],
    ['a description of spaces', { description: '   ' }, ['/description']],
    ['a description with a control character', { description: 'a\u0007b' }, ['/description']],
    ['a description that is too long', { description: 'x'.repeat(257) }, ['/description']],
    ['an amount as a number', { amount: 49.9 }, ['/amount']],
    ['an amount of nothing', { amount: '0.00' }, ['/amount']],
    ['a negative amount', { amount: '-1' }, ['/amount']],
    ['an amount with an exponent', { amount: '1e3' }, ['/amount']],
    ['an amount with a comma', { amount: '1,50' }, ['/amount']],
    ['an amount with a space', { amount: ' 1' }, ['/amount']],
    ['an amount in Arabic digits', { amount: '٤٩' }, ['/amount']],
    ['an amount of more decimals than the currency has', { amount: '49.901' }, ['/amount']],
    ['yen with decimals', { amount: '100.5', currency: 'JPY' }, ['/amount']],
    ['an amount that is empty', { amount: '' }, ['/amount']],
    ['bounds for an amount that is fixed', { minAmount: '1', maxAmount: '2' }, ['/maxAmount', '/minAmount']],
    ['bounds that nothing is between', { amount: undefined, minAmount: '2', maxAmount: '1.99' }, ['/maxAmount']],
    ['a bound with too many decimals', { amount: undefined, minAmount: '1.001' }, ['/minAmount']],
    ['singleUse as a text', { singleUse: 'true' }, ['/singleUse']],
    ['a lifetime that is too short', { lifetimeMinutes: 14 }, ['/lifetimeMinutes']],
    ['a way back that is a script', { returnUrl: 'javascript:alert(1)' }, ['/returnUrl']],
    ['a way back with credentials', { returnUrl: 'https://a:b@shop.example' }, ['/returnUrl']],
    ['a policy that was never defined', { policy: 'nothing' }, ['/policy']],
    ['a policy with an unknown clause', { policy: { surprise: 1 } }, ['/policy/surprise']],
    ['metadata of our own key', { metadata: { paymentLinkId: 'x' } }, ['/metadata/paymentLinkId']],
    [
      'too much metadata',
      { metadata: Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`k${at}`, 'v'])) },
      ['/metadata'],
    ],
    ['an unknown field', { amonut: '1' }, ['/amonut']],
    ['an order id, which is ours to give', { orderId: 'o' }, ['/orderId']],
    ['a name that every object has', { toString: 'x' }, ['/toString']],
  ])('are refused with %s', async (_, more, pointers) => {
    const before = await rowsOf(shop.database);
    expectProblem(await shop.api('POST', '/v1/payment-links', wish(more)), 'invalid_request', pointers);
    expect(await rowsOf(shop.database)).toEqual(before);
  });

  it('take any coin while the gateway does not answer', async () => {
    const alone = await startTestService({ database: shop.database, sandbox: false });
    const answer = await alone.api('POST', '/v1/payment-links', wish({ currency: 'NOSUCHCOIN' }));
    expect(answer.status).toBe(201);
    await alone.close();
  });

  it('are made once under one Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'a-link' };
    const [first, again] = [await make({}, headers), await make({}, headers)];
    expect(again).toEqual(first);
    const other = await shop.api('POST', '/v1/payment-links', wish({ amount: '1' }), headers);
    expectProblem(other, 'idempotency_key_reused');
  });

  it('are deleted for good, as often as one likes, and can still be read', async () => {
    const { id } = await make();
    for (const headers of [{}, {}, { 'idempotency-key': 'delete' }, { 'idempotency-key': 'delete' }])
      expect((await shop.api('DELETE', `/v1/payment-links/${id}`, undefined, headers)).status).toBe(204);
    const { body } = await shop.api('GET', `/v1/payment-links/${id}`);
    expect([body.active, body.deletedAt]).toEqual([false, expect.stringMatching(/Z$/)]);
    const { rows } = await shop.database.pool.query('select type from event where stream_id = $1 order by version', [
      id,
    ]);
    expect(rows.map(({ type }) => type)).toEqual(['PaymentLinkCreated', 'PaymentLinkDeleted']);
  });

  it('are deleted once, by however many at a time', async () => {
    const { id } = await make();
    const answers = await Promise.all(Array.from({ length: 8 }, () => shop.api('DELETE', `/v1/payment-links/${id}`)));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(204));
    const { rowCount } = await shop.database.pool.query('select 1 from event where stream_id = $1', [id]);
    expect(rowCount).toBe(2);
  });

  it("are their application's alone", async () => {
    const { id } = await make();
    const missing = await shop.api('GET', '/v1/payment-links/0190a6b2-0000-7000-8000-000000000000');
    for (const method of ['GET', 'DELETE']) {
      const answer = await shop.api(method, `/v1/payment-links/${id}`, undefined, asOther);
      expectProblem(answer, 'not_found');
      expect(answer.body).toEqual(missing.body);
    }
    expect((await shop.api('GET', '/v1/payment-links', undefined, asOther)).body.items).toEqual([]);
    expect((await shop.api('GET', `/v1/payment-links/${id}`)).body.active).toBe(true);
  });

  it('are no payments, and payments are no links', async () => {
    const { id } = await make();
    expectProblem(await shop.api('GET', `/v1/payments/${id}`), 'not_found');
    const payment = await shop.api('POST', '/v1/payments', { orderId: 'plain', amount: '1', currency: 'USD' });
    expectProblem(await shop.api('GET', `/v1/payment-links/${String(payment.body.id)}`), 'not_found');
    expectProblem(await shop.api('DELETE', `/v1/payment-links/${String(payment.body.id)}`), 'not_found');
  });

  it('are listed newest first, page by page, each once', async () => {
    const made: string[] = [];
    for (let count = 0; count < 7; count++) made.unshift((await make({}, asOther)).id);
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page = await shop.api(
        'GET',
        `/v1/payment-links?limit=3${cursor && `&cursor=${cursor}`}`,
        undefined,
        asOther,
      );
      seen.push(...(page.body.items as { id: string }[]).map((link) => link.id));
      cursor = page.body.nextCursor as string | null;
    }
    expect(seen).toEqual(made);
  });
});

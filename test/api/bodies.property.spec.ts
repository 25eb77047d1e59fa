import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { startTestService, type TestService } from '../support/service.js';
import { order, paymentsOf, rowsOf, send } from './support.js';

const fields = [
  'orderId',
  'amount',
  'currency',
  'customerId',
  'description',
  'email',
  'returnUrl',
  'lifetimeMinutes',
  'policy',
  'metadata',
];
const clauses = [
  'paidWhen',
  'underpayment',
  'overpayment',
  'latePayment',
  'rule',
  'count',
  'tolerancePercent',
  'then',
  'window',
];
const inherited = [
  'toString',
  'hasOwnProperty',
  'valueOf',
  '__defineGetter__',
  'then',
  'length',
  'constructor',
  '__proto__',
];
const words = [
  'default',
  'settled',
  'confirmations',
  'detected',
  'reject',
  'credit',
  'keep',
  'review',
  'PT72H',
  '0',
  '49.90',
  '-1',
  '1e400',
  'NaN',
  'USD',
  'USDT',
  'BTC',
  'a@b.example',
  'https://shop.example',
  'javascript:x',
];

const leaf = fc.oneof(
  fc.constantFrom(...words),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ maxLength: 30 }),
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(
      fc.oneof(fc.constantFrom(...fields, ...clauses, ...inherited), fc.string({ maxLength: 10 })),
      tie('value'),
      { maxKeys: 5 },
    ),
  ),
}));

/** A good body of which some fields were replaced by anything, and some taken away. */
const nearlyGood = fc
  .tuple(
    fc.dictionary(fc.constantFrom(...fields, ...inherited, 'extra'), value, { minKeys: 1, maxKeys: 3 }),
    fc.subarray(fields),
    fc.nat(9),
  )
  .map(([replaced, kept, one]) => {
    const good = order(`random-${String(one)}`, {
      lifetimeMinutes: 60,
      description: 'x',
      policy: { paidWhen: { rule: 'settled' } },
      metadata: { a: 'b' },
    });
    return Object.fromEntries(
      Object.entries({ ...good, ...replaced }).filter(([name]) => !kept.includes(name) || name in replaced),
    );
  });

/** What callers may well send: most of it acceptable, all of it odd. */
const odd = fc.record(
  {
    orderId: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
    amount: fc.stringMatching(/^[1-9][0-9]{0,8}(\.[0-9]{1,2})?$/),
    currency: fc.constantFrom('USD', 'EUR', 'USDT', 'BTC', 'ETH', 'JPY'),
    customerId: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
    description: fc.string({ unit: 'grapheme', maxLength: 120 }),
    email: fc.emailAddress(),
    returnUrl: fc.webUrl({ validSchemes: ['https'], withQueryParameters: true, withFragments: true }),
    lifetimeMinutes: fc.integer({ min: 10, max: 2900 }),
    policy: fc.constantFrom(
      'default',
      {},
      { paidWhen: { rule: 'detected' } },
      { paidWhen: { rule: 'confirmations', count: 3 } },
      { latePayment: { window: 'P3DT4H', then: 'accept' } },
    ),
    metadata: fc.dictionary(fc.stringMatching(/^[\w.-]{1,12}$/), fc.string({ unit: 'grapheme', maxLength: 20 }), {
      maxKeys: 4,
    }),
  },
  { requiredKeys: ['orderId', 'amount', 'currency'] },
);

describe('Any body whatever', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  it('is answered 201, 202 or 4xx by POST /v1/payments, and writes nothing where it is refused', async () => {
    const seen = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(fc.oneof(odd, nearlyGood, value), async (body) => {
        const before = await rowsOf(shop.database);
        const answer = await send(shop.url, { body: JSON.stringify(body) });
        seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
        expect(answer.status).toBeLessThan(500);
        if (answer.status < 400) return;
        expect(String(answer.headers['content-type'])).toContain('application/problem+json');
        expect(Object.keys(answer.body as object)).toEqual(
          expect.arrayContaining(['type', 'title', 'status', 'detail']),
        );
        if (answer.body.type !== 'urn:finality:problem:gateway-refused')
          expect(await rowsOf(shop.database)).toEqual(before);
      }),
      { numRuns: 450, endOnFailure: true },
    );
    expect([...seen.keys()]).toEqual(expect.arrayContaining([201, 400, 422]));
  }, 60_000);

  it('is answered 2xx or 4xx by every other route that takes one', async () => {
    const { body } = await shop.api('POST', '/v1/payments', order('target'));
    const id = String((body as { id: string }).id);
    const paths = [`/v1/payments/${id}/fulfillment`, '/v1/webhook-endpoints', `/v1/payments/${id}/reconcile`];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...paths),
        fc.oneof(value, fc.dictionary(fc.constantFrom('url', 'events', 'outcome', 'reference', 'note'), value)),
        async (path, any) => {
          const answer = await send(shop.url, { path, body: JSON.stringify(any) });
          expect(answer.status).toBeLessThan(500);
        },
      ),
      { numRuns: 150, endOnFailure: true },
    );
  }, 60_000);

  it('is answered 4xx by POST /v1/payments where it is no JSON at all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        const answer = await send(shop.url, { body: Buffer.from(bytes) });
        expect([400, 422]).toContain(answer.status);
      }),
      { numRuns: 100, endOnFailure: true },
    );
  }, 60_000);

  it('leaves every payment complete: begun, and opened or refused', async () => {
    for (const id of await paymentsOf(shop.database)) {
      const { items } = (await shop.api('GET', `/v1/payments/${id}/events`)).body as { items: { type: string }[] };
      expect(['InvoiceOpened', 'InvoiceRefused']).toContain(items[1]?.type);
    }
    expect((await shop.api('GET', '/health/live')).status).toBe(200);
    expect(shop.logged.filter((line) => line.includes('unexpected error'))).toEqual([]);
  });
});

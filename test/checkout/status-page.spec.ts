import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, until, type TestService } from '../support/service.js';
import { textOf } from './status-page-text.js';

describe("The payer's status page", () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  it('says what was seen and what to do, from open to paid, and nothing private', async () => {
    const { body } = await shop.api('POST', '/v1/payments', {
      orderId: 'secret-order',
      amount: '50.00',
      currency: 'USD',
      email: 'payer@example.com',
      description: '<b>Two</b> books',
      returnUrl: 'https://shop.example/done',
    });
    const page = async (): Promise<string> => (await fetch(body.statusUrl as string)).text();
    const open = await page();
    expect(open).toContain('Waiting for your payment');
    expect(open).toContain('&lt;b&gt;Two&lt;/b&gt; books');
    for (const secret of ['secret-order', 'payer@example.com', body.id as string]) expect(open).not.toContain(secret);
    await shop.control('/_sandbox/scenarios/exact', { trackId: body.trackId as string });
    const paid = await until(async () => {
      const text = await page();
      return text.includes('Your payment is complete') && text;
    });
    expect(paid).toContain('https://shop.example/done');
  });

  it('tells the payer of a payment that closed short that the money was seen, and what to do', async () => {
    const { body } = await shop.api('POST', '/v1/payments', { orderId: 'short', amount: '50.00', currency: 'USD' });
    await shop.control('/_sandbox/scenarios/underpaid', { trackId: body.trackId as string });
    await until(async () => (await shop.api('GET', `/v1/payments/${body.id as string}`)).body.received === '30.00');
    await shop.control('/_sandbox/clock/advance', { seconds: 3700 });
    const closed = await until(async () => {
      const text = await (await fetch(body.statusUrl as string)).text();
      return text.includes('This payment is closed') && text;
    });
    expect(textOf(closed)).toContain('With the shop 30.00 USD');
    expect(closed).toContain('was seen; the shop will tell you what happens to it');
    expect(closed).toContain('Please do not pay any more');
  });

  it('tells the payer what became of money that was too much, and what credit pays', async () => {
    const { body } = await shop.api('POST', '/v1/payments', {
      orderId: 'too-much',
      amount: '50.00',
      currency: 'USD',
      customerId: 'c',
    });
    await shop.control('/_sandbox/scenarios/overpaid', { trackId: body.trackId as string });
    const paid = await until(async () => {
      const text = await (await fetch(body.statusUrl as string)).text();
      return text.includes('Credited to you') && text;
    });
    expect(textOf(paid)).toContain('Credited to you 5.00 USD the shop keeps it for your next purchase');
    await until(async () => (await shop.api('GET', '/v1/customers/c/balance')).body.balances.length === 1);
    const next = await shop.api('POST', '/v1/payments', {
      orderId: 'next',
      amount: '8.00',
      currency: 'USD',
      customerId: 'c',
      useCredit: true,
    });
    const page = textOf(await (await fetch(next.body.statusUrl as string)).text());
    expect(page).toContain('Paid by your credit 5.00 USD');
    expect(page).toContain('Left to pay 3.00 USD');
  });

  it('does not ask for the rest where another payment collects it', async () => {
    const { body } = await shop.api('POST', '/v1/payments', { orderId: 'rest', amount: '50.00', currency: 'USD' });
    await shop.control('/_sandbox/scenarios/underpaid', { trackId: body.trackId as string });
    await until(async () => (await shop.api('GET', `/v1/payments/${body.id as string}`)).body.received === '30.00');
    const before = await (await fetch(body.statusUrl as string)).text();
    expect(before).toContain('Pay now');
    expect((await shop.api('POST', '/v1/payments', { remainderOf: body.id })).status).toBe(201);
    const after = await (await fetch(body.statusUrl as string)).text();
    expect(after).not.toContain('Pay now');
    expect(after).toContain('please pay that one');
  });

  it('is a friendly page where there is no payment, in the language of whoever asks, and a problem for a program', async () => {
    const ask = (headers: Record<string, string>, token = 'a'.repeat(32)) =>
      fetch(`${shop.url}/pay/${token}`, { headers });
    const answer = await ask({ accept: 'text/html,*/*', 'accept-language': 'tr-TR,tr;q=0.9,en;q=0.8' });
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([404, 'no-store']);
    expect(await answer.text()).toContain('Burada bir ödeme yok');
    const known = await (await ask({}, 'a'.repeat(32))).text();
    expect(await (await ask({}, 'malformed')).text()).toBe(known);
    const problem = await ask({ accept: 'application/json' });
    expect([problem.status, problem.headers.get('content-type')]).toEqual([
      404,
      'application/problem+json; charset=utf-8',
    ]);
  });

  it('runs no script but its own', async () => {
    const { body } = await shop.api('POST', '/v1/payments', { orderId: 'o', amount: '1.00', currency: 'USD' });
    const page = await fetch(body.statusUrl as string);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.headers.get('cache-control')).toBe('no-store');
  });
});

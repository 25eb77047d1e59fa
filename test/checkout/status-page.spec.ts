import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, until, type TestService } from '../support/service.js';

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

  it('is not found by guessing, and runs no script', async () => {
    const answer = await fetch(`${shop.url}/pay/${'a'.repeat(32)}`);
    expect(answer.status).toBe(404);
    const { body } = await shop.api('POST', '/v1/payments', { orderId: 'o', amount: '1.00', currency: 'USD' });
    const page = await fetch(body.statusUrl as string);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.headers.get('cache-control')).toBe('no-store');
  });
});

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, until, type TestService } from '../support/service.js';
import { created, expectProblem, payAll, send } from './support.js';

describe('The status page, to whoever should not see it', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  const page = (path: string, headers: Record<string, string | undefined> = {}) =>
    send(shop.url, { method: 'GET', path, headers: { authorization: undefined, ...headers } });
  const pathOf = (statusUrl: string): string => new URL(statusUrl).pathname;

  it('A27 is not found by guessing: the same 404 for every token, until 429, while the right one still opens', async () => {
    const { statusUrl } = await created(shop, 'guessed');
    const right = pathOf(statusUrl);
    expect(right).toMatch(/^\/pay\/[A-Za-z0-9_-]{32}$/);
    const near = [
      right.slice(0, -1) + (right.endsWith('A') ? 'B' : 'A'),
      `/pay/${right.slice(5).toUpperCase()}`,
      `${right}A`,
      right.slice(0, -1),
      `${right}%00`,
    ];
    // More than two windows of a minute let through, should one turn meanwhile.
    const random = Array.from({ length: 820 }, () => `/pay/${randomBytes(24).toString('base64url')}`);
    const answers = [];
    for (const path of [...near, ...random]) answers.push(await page(path));
    const [first] = answers;
    const found = answers.filter((answer) => answer.status === 404);
    const limited = answers.filter((answer) => answer.status === 429);
    expect(found.length + limited.length).toBe(answers.length);
    expect(new Set(found.map((answer) => answer.text))).toEqual(new Set([first?.text]));
    expect(limited.length).toBeGreaterThan(0);
    for (const answer of limited) expectProblem(answer, 'rate_limited');
    expect(Number(limited[0]?.headers['retry-after'])).toBeGreaterThan(0);
    expect((await page(right)).status).toBe(200);
    shop.clock.advance(60);
    expect((await page(random[0] ?? '')).status).toBe(404);
  });

  it('A27 has a token of its own for each payment, which no id and no key replaces', async () => {
    const made = [await created(shop, 'token-1'), await created(shop, 'token-2')];
    expect(new Set(made.map(({ statusUrl }) => statusUrl)).size).toBe(2);
    for (const { id, trackId } of made)
      for (const guess of [id, trackId]) expect((await page(`/pay/${guess}`)).status).toBe(404);
  });

  it.each(['awaiting', 'paid'] as const)(
    'A28 shows amount, currency and state while %s, and nothing else of the payment',
    async (state) => {
      const secrets = {
        customerId: 'customer-secret',
        email: 'payer@private.example',
        metadata: { cart: 'metadata-secret' },
      };
      const payment = await created(shop, `order-secret-${state}`, { ...secrets, description: 'Two books' });
      if (state === 'paid') {
        await payAll(shop, payment.trackId);
        await until(async () => (await shop.api('GET', `/v1/payments/${payment.id}`)).body.fulfillable);
      }
      const { text } = await page(pathOf(payment.statusUrl));
      expect(text).toContain('49.90');
      expect(text).toContain('USD');
      expect(text).toContain('Two books');
      // The button leads to the gateway's own page, whose address holds the track id; nothing else does.
      const shown = text.replace(/<a class="button main"[^>]*>/, '');
      for (const secret of [
        'order-secret',
        'customer-secret',
        'private.example',
        'metadata-secret',
        payment.id,
        payment.trackId,
        'default',
        'application',
      ])
        expect(shown).not.toContain(secret);
    },
  );

  it('A29 shows a script in any field as text, and lets no browser run, frame, keep or pass on anything', async () => {
    const script = `"><script>alert(1)</script><img src=x onerror='alert(2)'>&lt;`;
    const payment = await created(shop, `a29 ${script}`, {
      description: script,
      returnUrl: `https://shop.example/?a="><script>&b='x'`,
      customerId: script,
    });
    for (const paid of [false, true]) {
      if (paid) {
        await payAll(shop, payment.trackId);
        await until(async () => (await shop.api('GET', `/v1/payments/${payment.id}`)).body.status === 'paid');
      }
      const { text, headers } = await page(pathOf(payment.statusUrl));
      expect(text).toContain(
        '&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=&#39;alert(2)&#39;&gt;&amp;lt;',
      );
      const own = /<script type="module" src="\/assets\/status\.[0-9a-f]{12}\.js"><\/script>/g;
      expect(text.match(own)).toHaveLength(1);
      expect(text.replace(own, '')).not.toMatch(/<script|<img|<[^>]+\son\w+\s*=|<[^>]+\sstyle\s*=|<style/i);
      const policy = String(headers['content-security-policy']);
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("base-uri 'none'");
      expect(policy).not.toMatch(/unsafe-inline|unsafe-eval|\*/);
      expect([headers['cache-control'], headers['referrer-policy'], headers['x-content-type-options']]).toEqual([
        'no-store',
        'no-referrer',
        'nosniff',
      ]);
    }
  });

  it.each(['status=paid', 'status=paid&status=expired', 'key=x', '__proto__=1', '%ff', 'trackId=1'])(
    'A34 ignores ?%s and shows the stored state',
    async (query) => {
      const { statusUrl } = await created(shop, `a34 ${query}`);
      const { status, text } = await page(`${pathOf(statusUrl)}?${query}`);
      expect(status).toBe(200);
      expect(text).toContain('Waiting for your payment');
      expect(text).not.toContain('Your payment is complete');
    },
  );
});

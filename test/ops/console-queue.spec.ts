import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { created } from '../api/support.js';
import { openPayment, said } from '../callbacks/support.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { get, logIn, post, tokenIn, words } from './console-browser.js';
import { keptCallback, plantExceptions, type Exceptions } from './console-exceptions.js';

const viewPassword = 'test-ops-view-password';

describe('The exception queue', () => {
  let shop: TestService;
  let cookie: string;
  let csrf: string;
  let planted: Exceptions;
  const page = (path: string, as = cookie) => get(shop, path, as);
  const audited = async (action: string): Promise<{ actor: string; data: Record<string, unknown> }[]> => {
    const text = `select actor, data from event where type = 'OperatorActed' and data ->> 'action' = $1 order by position`;
    return (await shop.database.pool.query<{ actor: string; data: Record<string, unknown> }>(text, [action])).rows;
  };

  beforeAll(async () => {
    shop = await startTestService({ env: { OPS_VIEW_PASSWORD: viewPassword } });
    cookie = await logIn(shop, { name: 'support@shop.example' });
    const first = await page('/ops');
    expect(words(first)).toContain('Nothing waits for you');
    csrf = tokenIn(first);
    planted = await plantExceptions(shop);
  }, 90_000);
  afterAll(() => shop.close());

  it('is the first page, and shows what waits, oldest first: what it is, since when, how much, and why', async () => {
    const answer = await page('/ops');
    const text = words(answer);
    expect(answer.status).toBe(200);
    expect(text).toContain('All 5');
    expect(text).toMatch(/Reviews 1 Conflicts 1 Refunds 0 Fulfilments 0 Not opened 0 Callbacks 2 Dead letters 1/);
    expect(text).toMatch(/Review since [^.]* Order shop-1001 Less arrived than is due\. 50\.00 USD default/);
    expect(text).toMatch(
      /Conflict with the gateway since 1 hour Order shop-1002 .*does not confirm its callback\. 120\.00 USD/,
    );
    expect(text).toContain('No payment here has its track id; it is applied by itself when one appears.');
    expect(text).toContain('It is no JSON.');
    expect(text).toMatch(
      /Dead letter since 1 hour Order shop-1003 payment\.created to http\S+: it refused the webhook\./,
    );
    for (const path of [
      `/ops/payments/${planted.underpaid}`,
      `/ops/payments/${planted.conflicting}`,
      `/ops/callbacks/${planted.unmatched}`,
    ])
      expect(answer.text).toContain(`href="${path}"`);
    const order = ['shop-1002', 'track id 777000111', 'without a track id', 'shop-1003', 'shop-1001'];
    expect([...order].sort((a, b) => text.indexOf(a) - text.indexOf(b))).toEqual(order);
  });

  it.each([
    ['review', 'shop-1001'],
    ['conflict', 'shop-1002'],
    ['delivery', 'shop-1003'],
  ])('shows %s alone where that is asked for', async (kind, orderId) => {
    const text = words(await page(`/ops?kind=${kind}`));
    expect(text.match(/Order shop-\d+/g)).toEqual([`Order ${orderId}`]);
  });

  it('shows one application, and says of another that it has none', async () => {
    expect(words(await page('/ops?application=default'))).toContain('All 3');
    expect((await page('/ops?application=nobody')).status).toBe(404);
  });

  it('goes on where a page ends', async () => {
    const text = (await page('/ops?kind=callback')).text;
    const since = /<time\s+datetime="([^"]+)"/.exec(text)?.[1] ?? '';
    const rest = words(await page(`/ops?kind=callback&after=${since}_${planted.unmatched}`));
    expect(rest).toContain('Callback without a track id');
    expect(rest).not.toContain('Callback about track id 777000111');
    for (const nonsense of ['x', "'; drop table event --", `${since}_not-a-uuid`])
      expect((await page(`/ops?after=${encodeURIComponent(nonsense)}`)).status).toBe(200);
  });

  it('shows an invoice that could not be opened', async () => {
    await shop.control('/_sandbox/faults', { seed: 1, api: { errorRate: 1 } }, 'PUT');
    const { body } = await shop.api('POST', '/v1/payments', { orderId: 'shop-1004', amount: '10.00', currency: 'USD' });
    expect(body.status).toBe('created');
    await shop.control('/_sandbox/clock/advance', { seconds: 600 });
    const text = words(
      await until(async () => {
        const answer = await page('/ops?kind=opening');
        return answer.text.includes('shop-1004') && answer;
      }),
    );
    expect(text).toMatch(/Invoice not opened since 10 minutes Order shop-1004 .*by itself\./);
    await shop.control('/_sandbox/faults', { seed: 1 }, 'PUT');
    await until(
      async () => (await shop.api('GET', `/v1/payments/${String(body.id)}`)).body.status === 'pending',
      45_000,
    );
    await until(async () => words(await page('/ops?kind=opening')).includes('Nothing of this kind'));
  }, 60_000);

  it('shows a callback as it came, and nothing of it as markup', async () => {
    const answer = await page(`/ops/callbacks/${planted.quarantined}`);
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}');
    expect(answer.text).not.toContain('<script>alert');
    expect(words(answer)).toMatch(/content-type application\/json/);
    expect(answer.text).not.toContain('of a proxy');
    for (const id of ['x', '00000000-0000-7000-8000-000000000000'])
      expect((await page(`/ops/callbacks/${id}`)).status).toBe(404);
  });

  it('applies a callback anew, with a reason, once; the audit stream says who and why', async () => {
    const payment = await openPayment(shop);
    const id = await keptCallback(shop, said(payment), 'unknown_status', payment.trackId);
    const path = `/ops/callbacks/${id}/reprocess`;
    expect((await post(shop, path, { csrf, reason: ' ' }, { cookie })).status).toBe(422);
    expect((await post(shop, path, { reason: 'x' }, { cookie })).status).toBe(403);
    for (let at = 0; at < 2; at++) {
      const done = await post(shop, path, { csrf, reason: 'the new version reads it' }, { cookie });
      expect([done.status, done.headers['location']]).toEqual([303, `/ops/callbacks/${id}?result=applied`]);
    }
    const shown = words(await page(`/ops/callbacks/${id}?result=applied`));
    expect(shown).toContain('It is applied. What it caused stands below.');
    expect(shown).toContain('PaymentPaid');
    expect(shown).toContain(payment.id);
    const entries = await audited('callback.reprocess');
    expect(entries).toHaveLength(2);
    expect(entries[0]).toMatchObject({
      actor: 'operator:support@shop.example',
      data: { role: 'act', target: { kind: 'callback', id }, reason: 'the new version reads it', outcome: 'done' },
    });
    const { rows } = await shop.database.pool.query(
      `select 1 from event where stream_id = $1 and type = 'PaymentPaid'`,
      [payment.id],
    );
    expect(rows).toHaveLength(1);
  });

  it('says why a callback stays as it is', async () => {
    const path = `/ops/callbacks/${planted.quarantined}/reprocess`;
    const kept = await post(shop, path, { csrf, reason: 'a try' }, { cookie });
    expect(kept.headers['location']).toBe(`/ops/callbacks/${planted.quarantined}?result=not_json`);
    expect(words(await page(String(kept.headers['location'])))).toContain(
      'It was not applied. It stays as it is: it is no JSON.',
    );
    expect((await audited('callback.reprocess')).at(-1)).toMatchObject({
      data: { outcome: 'refused', detail: { stays: 'not_json' } },
    });
  });

  it('A22 shows its pages whatever stands in their addresses, names of the language included', async () => {
    for (const name of ['constructor', 'toString', '__proto__'])
      for (const path of ['/ops?said=', '/ops?kind=', `/ops/callbacks/${planted.quarantined}?result=`])
        expect([path, name, (await page(path + name)).status]).toEqual([path, name, 200]);
  });

  it('A35 lets whoever may look only see all of it, and change nothing', async () => {
    const viewer = await logIn(shop, { password: viewPassword, name: 'auditor' });
    const seen = await page('/ops', viewer);
    expect(words(seen)).toContain('Order shop-1003');
    expect(seen.text).not.toContain('/redeliver"');
    expect((await page(`/ops/callbacks/${planted.unmatched}`, viewer)).text).not.toContain('/reprocess"');
    for (const path of [`/ops/deliveries/${planted.dead}/redeliver`, `/ops/callbacks/${planted.unmatched}/reprocess`]) {
      const refused = await post(shop, path, { csrf: tokenIn(seen), reason: 'x' }, { cookie: viewer });
      expect([refused.status, words(refused).includes('You are logged in to look only.')]).toEqual([403, true]);
    }
    const of = (path: string) => ({
      actor: 'operator:auditor',
      data: { role: 'view', detail: { method: 'POST', path } },
    });
    expect(await audited('form.looks_only')).toMatchObject([
      of(`/ops/deliveries/${planted.dead}/redeliver`),
      of(`/ops/callbacks/${planted.unmatched}/reprocess`),
    ]);
  });

  it('sends a dead letter again, with a reason, and leads back to where that was asked', async () => {
    const path = `/ops/deliveries/${planted.dead}/redeliver`;
    expect((await post(shop, path, { csrf }, { cookie })).status).toBe(422);
    const form = { csrf, reason: 'their server is back', back: '/ops?kind=delivery' };
    const sent = await post(shop, path, form, { cookie });
    expect([sent.status, sent.headers['location']]).toEqual([303, '/ops?kind=delivery&said=redelivered']);
    expect(words(await page(String(sent.headers['location'])))).toContain('The webhook is on its way again.');
    expect(await audited('delivery.redeliver')).toMatchObject([
      { actor: 'operator:support@shop.example', data: { reason: 'their server is back', outcome: 'done' } },
    ]);
    const away = await post(shop, path, { ...form, back: 'https://evil.example/' }, { cookie });
    expect(away.headers['location']).toBe('/ops?said=redelivered');
    expect((await post(shop, '/ops/deliveries/x/redeliver', form, { cookie })).status).toBe(404);
    expect((await audited('delivery.redeliver')).at(-1)).toMatchObject({ data: { outcome: 'refused' } });
  });

  it('leaves what a person has decided', async () => {
    const { status } = await shop.api('POST', `/v1/payments/${planted.underpaid}/review`, {
      decision: 'reject',
      actor: 'support@shop.example',
      note: 'the payer does not answer',
    });
    expect(status).toBe(200);
    await until(async () => !words(await page('/ops?kind=review')).includes('shop-1001'));
    await created(shop, 'shop-1005');
    expect(words(await page('/ops?kind=review'))).toContain('Nothing of this kind');
  });
});

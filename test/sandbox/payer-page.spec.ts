import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { World } from './support.js';

let world: World;
beforeAll(async () => {
  world = await new World().start();
});
afterAll(() => world.stop());

const press = (trackId: string, action: string, headers: Record<string, string> = {}) =>
  world.ask('POST', `/pay/${trackId}/actions`, `action=${action}`, {
    'content-type': 'application/x-www-form-urlencoded',
    ...headers,
  });
const page = async (trackId: string) => (await world.ask('GET', `/pay/${trackId}`)).text;

describe("The payer's page", () => {
  it('shows the amount, the status, the time that is left, transfers and callbacks', async () => {
    const trackId = await world.invoice({ lifetime: 30, order_id: 'ORD-9' });
    await world.control(`/payments/${trackId}/transfers`, { percent: 40 });
    const text = await page(trackId);
    for (const shown of [
      '49.90 USD',
      'Payment seen',
      /(30 min 0|29 min 5[0-9]) s left/,
      'ORD-9',
      trackId,
      '19.96 USDT',
      '0 of 19 confirmations',
      '29.94 USD',
      'Paying',
      '/callback',
    ])
      expect(text).toMatch(shown);
  });

  it('escapes everything that a merchant wrote', async () => {
    const nasty = `"><script>alert('1')</script>&`;
    const trackId = await world.invoice({
      description: nasty,
      order_id: nasty,
      thanks_message: nasty,
      return_url: 'https://example.com/?a="><b>',
    });
    await world.play('exact', trackId);
    const text = await page(trackId);
    expect(text).not.toContain('<script');
    expect(text).not.toContain('"><b>');
    expect(text).toContain('&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;');
    expect((await world.ask('GET', `/pay/${trackId}?notice=${encodeURIComponent(nasty)}`)).text).not.toContain(
      '<script',
    );
  });

  it('runs no script and sends forms only to itself', async () => {
    const answer = await fetch(`${world.url}/pay/${await world.invoice()}`);
    const policy = answer.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("form-action 'self'");
    expect(policy).not.toContain('unsafe');
    const style = await fetch(`${world.url}/pay.css`);
    expect([style.status, style.headers.get('content-type')]).toEqual([200, 'text/css; charset=utf-8']);
  });

  it('says so where there is no such payment', async () => {
    expect((await world.ask('GET', '/pay/1')).status).toBe(404);
    expect((await press('1', 'exact')).status).toBe(404);
  });

  it.each([
    ['exact', 'paid'],
    ['detect', 'paying'],
    ['underpaid', 'paying'],
    ['topped_up', 'paid'],
    ['overpaid', 'paid'],
    ['late', 'expired'],
    ['mixed', 'paid'],
    ['expire', 'expired'],
    ['duplicate_callbacks', 'paid'],
    ['out_of_order', 'paid'],
    ['no_callbacks', 'paid'],
    ['conflicting', 'paying'],
    ['refund', 'refunded'],
    ['manual_accept', 'manual_accept'],
  ])('has a button %s after which the payment is %s', async (action, status) => {
    const trackId = await world.invoice({ mixed_payment: true });
    expect(await page(trackId)).toContain(`name="action" value="${action}"`);
    expect((await press(trackId, action)).status).toBe(303);
    expect((await world.information(trackId)).status).toBe(status);
  });

  it('confirms what was seen, and says why where there is nothing to confirm', async () => {
    const trackId = await world.invoice();
    const answer = await fetch(`${world.url}/pay/${trackId}/actions`, {
      method: 'POST',
      body: new URLSearchParams({ action: 'confirm' }),
    });
    expect(await answer.text()).toContain('Nothing happened: there is no transfer to confirm.');
    await press(trackId, 'detect');
    await press(trackId, 'confirm');
    expect((await world.information(trackId)).status).toBe('paid');
    expect((await press(trackId, 'dance')).status).toBe(303);
  });

  it('does not obey forms of other sites, and neither do the control routes', async () => {
    const trackId = await world.invoice();
    await press(trackId, 'exact', { 'sec-fetch-site': 'cross-site' });
    const forged = await world.ask(
      'POST',
      '/_sandbox/scenarios/exact',
      { trackId },
      { 'sec-fetch-site': 'cross-site' },
    );
    expect(forged.status).toBe(403);
    expect((await world.information(trackId)).status).toBe('new');
  });
});

describe('What a browser or a stray client may send', () => {
  it('never breaks the server', async () => {
    const trackId = await world.invoice();
    expect((await world.ask('GET', '/')).status).toBe(404);
    expect((await world.control('/nothing', {})).status).toBe(404);
    expect((await world.ask('POST', '/v1/payment/invoice', 'x'.repeat(70_000))).status).toBe(413);
    expect((await world.ask('GET', '/pay/%00')).status).toBe(404);
    expect((await world.ask('GET', `/pay/${trackId}?notice=a&notice=b`)).status).toBe(200);
    expect((await fetch(`${world.url}/_sandbox/reset`, { method: 'POST', body: '[]' })).status).toBe(400);
  });
});

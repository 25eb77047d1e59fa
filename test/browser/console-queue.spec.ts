import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { created } from '../api/support.js';
import { plantExceptions, type Exceptions } from '../ops/console-exceptions.js';
import { get, logIn, post, tokenIn } from '../ops/console-browser.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { axe, desktop, overflowOf, phone, screen, startBrowser, visit, type Visited } from './support.js';

// Chromium and axe share the machine with all other tests.
jest.setTimeout(120_000);

const narrow: BrowserContextOptions = { ...phone, viewport: { width: 320, height: 640 } };

/** With pixels of its own, so that the picture stays small. */
const pictured: BrowserContextOptions = { ...phone, deviceScaleFactor: 1 };

describe('The exception queue, the search and the audit page in a browser', () => {
  let shop: TestService;
  let browser: Browser;
  let planted: Exceptions;
  beforeAll(async () => {
    [shop, browser] = [await startTestService(), await startBrowser()];
    planted = await plantExceptions(shop);
    await post(shop, '/ops/login', { password: 'not the password' });
    const cookie = await logIn(shop, { name: 'night@shop.example' });
    await post(shop, `/ops/callbacks/${planted.unmatched}/reprocess`, { csrf: 'stale', reason: 'x' }, { cookie });
    const csrf = tokenIn(await get(shop, '/ops', cookie));
    const reason = 'is its payment there by now?';
    await post(shop, `/ops/callbacks/${planted.unmatched}/reprocess`, { csrf, reason }, { cookie });
    for (const [at, orderId] of ['shop-2001', 'shop-2002', 'shop-2003'].entries())
      await created(shop, orderId, { amount: `${String(19 + at * 20)}.90`, email: 'payer@shop.example' });
    await until(async () => (await shop.api('GET', '/v1/payments?orderId=shop-2003')).body.items.length === 1);
  }, 90_000);
  afterAll(async () => {
    await browser.close();
    await shop.close();
  });

  const entered = async (path: string, options?: BrowserContextOptions): Promise<Visited> => {
    const visited = await visit(browser, `${shop.url}${path}`, options);
    await visited.page.fill('#name', 'support@shop.example');
    await visited.page.fill('#password', 'test-ops-password');
    await visited.page.keyboard.press('Enter');
    await visited.page.waitForURL(`${shop.url}${path}`);
    return visited;
  };

  it.each([
    ['/ops', desktop, 'light', 'console-queue-desktop'],
    ['/ops', pictured, 'light', 'console-queue-phone'],
    ['/ops', narrow, 'dark', null],
    ['/ops', desktop, 'dark', null],
    ['/ops/search?q=payer%40shop.example', desktop, 'light', 'console-search-desktop'],
    ['/ops/search?q=payer%40shop.example', narrow, 'dark', null],
    ['/ops/search?q=nobody', narrow, 'light', null],
    ['/ops/audit', desktop, 'light', null],
    ['/ops/audit', narrow, 'dark', null],
  ] as const)(
    '%s is whole: nothing that axe objects to, nothing wider than the window',
    async (path, size, scheme, picture) => {
      const { page, troubles, close } = await entered(path, { ...size, colorScheme: scheme });
      expect(await axe(page)).toEqual([]);
      expect(await overflowOf(page)).toBe(0);
      if (picture !== null) await screen(page, picture);
      expect(troubles).toEqual([]);
      await close();
    },
  );

  it('is used by keyboard alone: from the queue to a dead letter, which is sent again', async () => {
    const { page, troubles, close } = await entered('/ops?kind=delivery');
    const focused = (): Promise<string> => page.evaluate(() => document.activeElement?.textContent?.trim() ?? '');
    const tabTo = async (text: string): Promise<void> => {
      for (let at = 0; at < 40; at++) {
        await page.keyboard.press('Tab');
        if ((await focused()) === text) return;
      }
      throw new Error(`no way to “${text}” by keyboard`);
    };
    await tabTo('Skip to the content');
    await page.keyboard.press('Enter');
    await tabTo('Send again');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.type('their server is back');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${shop.url}/ops?kind=delivery&said=redelivered`);
    expect(await page.textContent('[role=status]')).toContain('The webhook is on its way again.');
    await page.keyboard.press('Tab');
    await tabTo('Audit');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${shop.url}/ops/audit`);
    expect(await page.textContent('tbody tr:first-child')).toContain('their server is back');
    await screen(page, 'console-audit-desktop');
    await page.focus('#q');
    await page.keyboard.type('payer@shop.example');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/ops\/search\?q=payer/);
    expect(await page.locator('tbody tr').count()).toBe(3);
    expect(troubles).toEqual([]);
    await close();
  });

  it.each([
    [desktop, 'light'],
    [narrow, 'dark'],
  ] as const)('shows a callback whole, whatever stands in it', async (size, colorScheme) => {
    const { page, troubles, close } = await entered(`/ops/callbacks/${planted.quarantined}`, { ...size, colorScheme });
    expect(await page.textContent('pre')).toContain('<script>alert(1)</script>\\u{202e}');
    expect(await axe(page)).toEqual([]);
    expect(await overflowOf(page)).toBe(0);
    expect(troubles).toEqual([]);
    await close();
  });
});

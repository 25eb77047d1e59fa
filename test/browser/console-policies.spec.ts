import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { created } from '../api/support.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { axe, desktop, overflowOf, phone, screen, startBrowser, visit, type Visited } from './support.js';

/** Chromium and axe share the machine with all other tests. */
const patience = 90_000;

describe('Policies in a browser', () => {
  let shop: TestService;
  let browser: Browser;
  beforeAll(async () => {
    [shop, browser] = [await startTestService(), await startBrowser()];
    const kinds = ['exact', 'underpaid', 'exact', 'overpaid', 'exact', 'underpaid'];
    for (const [at, scenario] of kinds.entries()) {
      const { trackId } = await created(shop, `order-${String(1042 + at)}`, { amount: `${String(40 + at * 7)}.00` });
      await shop.control(`/_sandbox/scenarios/${scenario}`, { trackId });
    }
    await shop.control('/_sandbox/clock/advance', { seconds: 3700 });
    await until(async () => (await shop.api('GET', '/v1/payments?status=expired')).body.items.length === 2, 15_000);
    await shop.api('PUT', '/v1/policies/careful', { paidWhen: { rule: 'confirmations', count: 6 } });
    await shop.api('PUT', '/v1/policies/default', { underpayment: { tolerancePercent: '1.5', then: 'review' } });
  }, patience);
  afterAll(async () => {
    await browser.close();
    await shop.close();
  });

  async function open(path: string, options: BrowserContextOptions = desktop): Promise<Visited> {
    const visited = await visit(browser, `${shop.url}/ops/login`, options);
    await visited.page.fill('#name', 'support@shop.example');
    await visited.page.fill('#password', 'test-ops-password');
    await visited.page.press('#password', 'Enter');
    await visited.page.waitForURL(`${shop.url}/ops`);
    await visited.page.goto(shop.url + path);
    return visited;
  }

  it(
    'are changed by keyboard alone, after a look at what that would have done',
    async () => {
      const { page, troubles, close } = await open('/ops/policies');
      expect(await axe(page)).toEqual([]);
      await screen(page, 'console-policies-desktop');
      await page.locator('a[aria-label="What if, for default of default"]').focus();
      await page.keyboard.press('Enter');
      await page.waitForURL(/policies\/default\/default/);
      await page.locator('#shortTolerance').focus();
      await page.keyboard.press('ControlOrMeta+A');
      await page.keyboard.type('50');
      await page.keyboard.press('Enter');
      await page.waitForSelector('#save');
      expect(await page.textContent('#save')).toContain('Save as version 3 of “default”');
      expect(await axe(page)).toEqual([]);
      await screen(page, 'console-policy-whatif-desktop', false);
      await page.locator('#reason').focus();
      await page.keyboard.type('Half of the price is as good as all of it.');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.waitForURL(/saved=3/);
      expect(await page.textContent('[role="status"]')).toContain('Version 3 is saved');
      expect(await axe(page)).toEqual([]);
      expect(troubles).toEqual([]);
      await close();
    },
    patience,
  );

  it(
    'fit the narrowest phone, in the dark',
    async () => {
      const { page, close } = await open('/ops/policies/default/default?shortTolerance=20&shortThen=reject', {
        ...phone,
        viewport: { width: 320, height: 700 },
        colorScheme: 'dark',
      });
      expect(await page.locator('#save').isVisible()).toBe(true);
      expect(await overflowOf(page)).toBe(0);
      expect(await axe(page)).toEqual([]);
      await page.goto(`${shop.url}/ops/policies`);
      expect(await overflowOf(page)).toBe(0);
      await close();
    },
    patience,
  );
});

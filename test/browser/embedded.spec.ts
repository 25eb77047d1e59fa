import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { startTestService, type TestService } from '../support/service.js';
import { axe, overflowOf, phone, startBrowser, visit } from './support.js';

describe('A payment whose address this service shows, in a browser', () => {
  let shop: TestService;
  let browser: Browser;
  beforeAll(async () => {
    [shop, browser] = [await startTestService(), await startBrowser()];
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await shop.close();
  });

  it('takes a payer from the code and the address to “paid”, without a reload', async () => {
    const wish = {
      orderId: 'embedded',
      amount: '49.90',
      currency: 'USD',
      presentation: 'embedded',
      payCurrency: 'USDT',
    };
    const { body } = await shop.api('POST', '/v1/payments', { ...wish, network: 'TRON' });
    const { page, context, troubles, close } = await visit(browser, body.statusUrl, phone);
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    expect(await page.textContent('h1')).toBe('Waiting for your payment');
    expect(await page.locator('main svg').count()).toBe(1);
    await page.click(`button.copy[data-copy="${String(body.payTo.address)}"]`);
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(body.payTo.address);
    expect([await axe(page), await overflowOf(page)]).toEqual([[], 0]);

    await shop.control(`/_sandbox/payments/${String(body.trackId)}/transfers`, { percent: 100, confirmations: 3 });
    await page.waitForSelector('h1:text("Your transaction is confirming")');
    // Nobody pays twice who cannot see where to.
    expect(await page.locator(`.qr, button.copy[data-copy="${String(body.payTo.address)}"]`).count()).toBe(0);
    await shop.control(`/_sandbox/payments/${String(body.trackId)}/confirmations`, { count: 30 });
    await page.waitForSelector('h1:text("Paid")');
    expect(troubles).toEqual([]);
    await close();
  }, 60_000);
});

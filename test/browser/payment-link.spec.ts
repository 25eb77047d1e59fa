import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { payAll } from '../api/support.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { axe, desktop, overflowOf, phone, screen, startBrowser, visit } from './support.js';

// Chromium and axe share the machine with all other tests.
jest.setTimeout(120_000);

const languages = ['en', 'tr', 'es', 'de', 'fr', 'ar', 'fa', 'ru', 'zh'];
const narrow: BrowserContextOptions = { viewport: { width: 320, height: 640 } };
const long = 'A_description_without_a_single_space_that_is_as_long_as_an_application_may_make_it_'.repeat(3);

describe('A payment link in a browser', () => {
  let shop: TestService;
  let browser: Browser;
  beforeAll(async () => {
    [shop, browser] = [await startTestService(), await startBrowser()];
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await shop.close();
  });

  const make = async (more: Record<string, unknown> = {}): Promise<{ id: string; url: string }> => {
    const wish = { currency: 'EUR', description: 'Donation to the lighthouse', ...more };
    return (await shop.api('POST', '/v1/payment-links', wish)).body as { id: string; url: string };
  };
  const newest = async (): Promise<{ id: string; trackId: string; amount: string; status: string }> =>
    (await shop.api('GET', '/v1/payments?limit=1')).body.items[0];

  it('takes a payer from the amount to the status page and the money', async () => {
    const { url } = await make({ minAmount: '5', maxAmount: '500' });
    const { page, troubles, close } = await visit(browser, url, phone);
    expect(await axe(page)).toEqual([]);
    expect(await overflowOf(page)).toBe(0);
    await screen(page, 'link-amount-phone');
    await page.fill('#amount', '1,000');
    await page.click('main button');
    await page.waitForSelector('[aria-invalid]');
    expect(await page.getAttribute('#amount', 'aria-invalid')).toBe('true');
    expect(await page.inputValue('#amount')).toBe('1,000');
    expect(await page.textContent('[role=alert]')).toContain('two ways');
    expect(await axe(page)).toEqual([]);
    // A 422 is what the browser itself notes of the first try.
    expect(troubles.splice(0).filter((trouble) => !trouble.includes('422'))).toEqual([]);
    await page.fill('#amount', '25,50');
    await page.click('main button');
    await page.waitForURL(/\/pay\//);
    const status = page.url();
    expect(await page.textContent('main')).toContain('25.50 EUR');
    await page.goto(url);
    expect(await page.textContent('h1')).toBe('You have an open payment');
    expect(await axe(page)).toEqual([]);
    await page.click('a.button');
    await page.waitForURL(status);
    const payment = await until(async () => {
      const found = await newest();
      return found?.amount === '25.50' && found;
    });
    await payAll(shop, payment.trackId);
    await until(async () => (await newest()).status === 'paid');
    await page.goto(url);
    expect(await page.textContent('h1')).toBe('You have paid');
    expect(await axe(page)).toEqual([]);
    await page.click('a.button');
    await page.waitForURL(status);
    expect(troubles).toEqual([]);
    await close();
  });

  it('is filled in and sent by keyboard alone', async () => {
    const { url } = await make();
    const { page, troubles, close } = await visit(browser, url);
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('amount');
    await page.keyboard.type('7');
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('BUTTON');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/pay\//);
    expect(await page.textContent('main')).toContain('7.00 EUR');
    expect(troubles).toEqual([]);
    await close();
  });

  it('needs no script', async () => {
    const { url } = await make();
    const { page, close } = await visit(browser, url, { ...phone, javaScriptEnabled: false });
    await page.fill('#amount', '12');
    await page.press('#amount', 'Enter');
    await page.waitForURL(/\/pay\//);
    expect(await page.textContent('main')).toContain('12.00 EUR');
    await close();
  });

  it('with a fixed amount leads straight to the payment', async () => {
    const { url } = await make({ amount: '49.90' });
    const { page, troubles, close } = await visit(browser, url, desktop);
    expect(page.url()).toMatch(/\/pay\//);
    expect(await page.textContent('main')).toContain('49.90 EUR');
    expect(troubles).toEqual([]);
    await close();
  });

  it('that a browser fetched ahead opens nothing, until its payer goes on', async () => {
    const { url } = await make({ amount: '31.00' });
    const { page, troubles, close } = await visit(browser, url, {
      ...phone,
      extraHTTPHeaders: { 'sec-purpose': 'prefetch;prerender' },
    });
    expect(await page.textContent('main')).toContain('31.00 EUR');
    expect(await axe(page)).toEqual([]);
    await page.click('main button');
    await page.waitForURL(/\/pay\//);
    expect(troubles).toEqual([]);
    await close();
  });

  it.each(['light', 'dark'] as const)('has nothing that axe objects to, %s', async (colorScheme) => {
    const { id, url } = await make({ minAmount: '5' });
    const { page, close } = await visit(browser, url, { ...desktop, colorScheme });
    expect(await axe(page)).toEqual([]);
    if (colorScheme === 'light') await screen(page, 'link-amount-desktop');
    await page.fill('#amount', 'x');
    await page.click('main button');
    await page.waitForSelector('[aria-invalid]');
    expect(await axe(page)).toEqual([]);
    await page.fill('#amount', '6');
    await page.click('main button');
    await page.waitForURL(/\/pay\//);
    await page.goto(url);
    expect(await page.textContent('h1')).toBe('You have an open payment');
    expect(await axe(page)).toEqual([]);
    await shop.api('DELETE', `/v1/payment-links/${id}`);
    const stranger = await visit(browser, url, { ...phone, colorScheme });
    expect(await stranger.page.textContent('h1')).toBe('This link is no longer valid');
    expect(await axe(stranger.page)).toEqual([]);
    if (colorScheme === 'light') await screen(stranger.page, 'link-gone-phone');
    await stranger.close();
    await page.goto(`${shop.url}/l/unknown`);
    expect(await page.textContent('h1')).toBe('There is no such link');
    expect(await axe(page)).toEqual([]);
    await close();
  });

  it.each(languages)('fits a screen of 320 px in %s, and is read in its direction', async (language) => {
    const { id, url } = await make({ description: long.slice(0, 256), minAmount: '5', maxAmount: '123456789012.50' });
    const { page, close } = await visit(browser, `${url}?lang=${language}`, narrow);
    const rtl = language === 'ar' || language === 'fa';
    const fits = async (): Promise<void> => {
      expect(await overflowOf(page)).toBe(0);
      expect(await page.getAttribute('html', 'lang')).toBe(language);
      expect(
        await page.evaluate(() => getComputedStyle(document.querySelector('main') ?? document.body).direction),
      ).toBe(rtl ? 'rtl' : 'ltr');
      expect(await axe(page)).toEqual([]);
    };
    await fits();
    await page.fill('#amount', '1,000');
    await page.click('main button');
    await page.waitForSelector('[aria-invalid]');
    await fits();
    await page.fill('#amount', '123456789012.50');
    await page.click('main button');
    await page.waitForURL(/\/pay\//);
    await page.goto(`${url}?lang=${language}`);
    await fits();
    await page.click('a.quiet');
    await page.waitForSelector('#amount');
    await fits();
    await shop.api('DELETE', `/v1/payment-links/${id}`);
    await page.goto(`${url}?lang=${language}`);
    await fits();
    await close();
  });
});

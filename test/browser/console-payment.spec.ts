/// <reference lib="dom" />
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { Receiver } from '../fulfillment/support.js';
import { Shop } from '../ops/console-payments.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { axe, desktop, overflowOf, phone, screen, startBrowser, visit, type Visited } from './support.js';

jest.setTimeout(120_000);

describe("The console's page of one payment in a browser", () => {
  let service: TestService;
  let shop: Shop;
  let receiver: Receiver;
  let browser: Browser;
  let paid: string;
  beforeAll(async () => {
    [service, browser] = [await startTestService(), await startBrowser()];
    receiver = await new Receiver().open();
    await service.api('POST', '/v1/webhook-endpoints', { url: receiver.url });
    shop = new Shop(service);
    const made = await shop.paid('BOOK-2041', {
      description: 'Two books and a lamp',
      email: 'payer@example.com',
      customerId: 'customer-17',
    });
    await shop.delivered(made.id);
    paid = made.id;
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await service.close();
    await receiver.close();
  });

  /** Opens the page of a payment as an operator. */
  const open = async (id: string, options: BrowserContextOptions = desktop, query = ''): Promise<Visited> => {
    const path = `/ops/payments/${id}${query}`;
    const visited = await visit(browser, `${service.url}/ops/login?next=${encodeURIComponent(path)}`, options);
    await visited.page.fill('#name', 'support@shop.example');
    await visited.page.fill('#password', 'test-ops-password');
    await visited.page.keyboard.press('Enter');
    await visited.page.waitForURL(service.url + path);
    return visited;
  };

  /** Takes a picture of the upper part of a page: all of it would be longer than anybody looks at. */
  const picture = async (page: Page, name: string, height: number): Promise<void> => {
    await page.evaluate((px) => {
      scrollTo(0, 0);
      const main = document.querySelector('main');
      if (main) main.style.cssText = `block-size: ${String(px)}px; overflow: hidden; position: relative`;
    }, height);
    await screen(page, name);
    await page.evaluate(() => document.querySelector('main')?.removeAttribute('style'));
  };

  /** What a slider or a note says now, once it says something that fits. */
  const says = (page: Page, selector: string, fits: RegExp): Promise<string> =>
    until(async () => {
      const text = (await page.textContent(selector)) ?? '';
      return fits.test(text) ? text.replace(/\s+/g, ' ') : null;
    });

  it.each([
    ['desktop', desktop],
    ['phone', phone],
  ] as const)('is calm on a %s, in light and dark, and nothing in it is for the eye alone', async (name, options) => {
    const { page, troubles, close } = await open(paid, options);
    await picture(page, `console-payment-${name}`, 1700);
    await page.evaluate(() => {
      for (const each of document.querySelectorAll('details')) each.open = true;
    });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await axe(page)).toEqual([]);
    }
    for (const width of [320, 768, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      expect(await overflowOf(page)).toBe(0);
    }
    expect(troubles).toEqual([]);
    await close();
  });

  it('leads through its versions by keyboard alone, and says each', async () => {
    const { page, troubles, close } = await open(paid);
    const slider = page.getByRole('slider', { name: 'Version' });
    await slider.focus();
    expect(await slider.getAttribute('aria-valuetext')).toMatch(
      /^Version (\d+) of \1: \w+, \d{4}-\d\d-\d\d [\d:]+ UTC$/,
    );
    await page.keyboard.press('Home');
    expect(await slider.getAttribute('aria-valuetext')).toMatch(/^Version 1 of \d+: PaymentRequested, /);
    await says(page, '#standing', /The gateway is being asked/);
    expect(await page.locator('.item.later').count()).toBeGreaterThan(3);
    await page.keyboard.press('ArrowRight');
    expect(await says(page, '#standing', /No transfer was seen yet/)).toMatch(
      /As it was at .*, by the 2 of \d+ events/,
    );
    expect(await says(page, '#told', /^Version 2:/)).toContain('awaiting payment');
    await until(() => Promise.resolve(page.url().endsWith('?asOf=2')));
    expect(await axe(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await axe(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'light' });
    await picture(page, 'console-payment-version-desktop', 1750);
    await page.reload();
    expect(await page.locator('#which').textContent()).toContain('Version 2 of');
    await page.getByRole('slider', { name: 'Version' }).press('End');
    await says(page, '#standing', /Paid at .*, and the gateway confirmed it/);
    expect([await page.locator('.item.later').count(), page.url()]).toEqual([0, `${service.url}/ops/payments/${paid}`]);
    expect(troubles).toEqual([]);
    await close();
  });

  it('has a review decided by keyboard alone', async () => {
    const id = await shop.underpaid('BOOK-2042');
    const { page, troubles, close } = await open(id);
    expect(await axe(page)).toEqual([]);
    await picture(page, 'console-payment-review-desktop', 1450);
    await page.getByRole('radio', { name: /^Accept/ }).focus();
    await page.keyboard.press('Space');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.type('paid the rest by card');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\?done=/);
    expect(await says(page, '.done', /./)).toMatch(
      /The review is decided\. New: #\d+ ReviewResolved, #\d+ PaymentPaid/,
    );
    expect([await axe(page), troubles]).toEqual([[], []]);
    await close();
  });

  it('leads through its versions and acts without script', async () => {
    const { id } = await shop.open('BOOK-2043');
    const { page, troubles, close } = await open(id, { ...phone, javaScriptEnabled: false });
    expect(await page.getByRole('slider').count()).toBe(0);
    await page.getByRole('link', { name: 'Version 1', exact: true }).click();
    await page.waitForURL(/\?asOf=1$/);
    expect(await page.textContent('#standing')).toContain('The gateway is being asked');
    await page.getByRole('link', { name: 'As it is now', exact: true }).first().click();
    await page.waitForURL(`${service.url}/ops/payments/${id}`);
    await page.getByText('Cancel the payment').first().click();
    await page.fill('#cancel-reason', 'no');
    await page.getByRole('button', { name: 'Cancel the payment' }).click();
    expect(await page.textContent('[role=alert]')).toContain('has to say why');
    expect(await page.inputValue('#cancel-reason')).toBe('no');
    await page.fill('#cancel-reason', 'the shop asked for it');
    await page.getByRole('button', { name: 'Cancel the payment' }).click();
    await page.waitForURL(/\?done=/);
    expect(await page.textContent('.done')).toContain('The payment is cancelled.');
    expect(troubles.filter((trouble) => !trouble.includes('422'))).toEqual([]);
    await close();
  });
});

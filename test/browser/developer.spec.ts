import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { msOf } from '../../src/kernel/clock.js';
import { scenarioNames } from '../../src/sandbox/scenarios.js';
import { apiKey, startTestService, until, type TestService } from '../support/service.js';
import { axe, overflowOf, phone, screen, startBrowser, visit } from './support.js';

// axe takes its time over the page of the API, which is long.
jest.setTimeout(120_000);

let shop: TestService;
let browser: Browser;
beforeAll(async () => {
  [shop, browser] = [await startTestService(), await startBrowser()];
}, 60_000);
afterAll(async () => {
  await browser.close();
  await shop.close();
});

/** Nothing that axe objects to, in light and in dark, and nothing to be scrolled sideways on the narrowest phone. */
async function expectGood(page: Page): Promise<void> {
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    expect([colorScheme, await axe(page)]).toEqual([colorScheme, []]);
  }
  const size = page.viewportSize() ?? { width: 1280, height: 800 };
  await page.setViewportSize({ width: 320, height: 640 });
  expect(await overflowOf(page)).toBe(0);
  await page.setViewportSize(size);
}

describe('The landing page', () => {
  it('leads by clicks from nothing to a payment that the status page shows as paid', async () => {
    const { page, troubles, close } = await visit(browser, shop.url);
    await expectGood(page);
    await screen(page, 'landing-desktop', false);
    await page.getByRole('button', { name: 'Create a test payment' }).click();
    await page.waitForURL(/\/\?payment=/);
    await expectGood(page);
    const landing = page.url();
    await page.getByRole('link', { name: 'Pay it in the sandbox' }).click();
    await page.getByRole('button', { name: 'Pay exactly' }).click();
    await page.waitForURL(/notice=/);
    await page.goto(landing);
    await page.getByText('paid', { exact: true }).waitFor();
    await page.getByRole('link', { name: 'What the payer sees' }).click();
    await page.getByRole('heading', { level: 1, name: 'Paid' }).waitFor();
    expect(troubles).toEqual([]);
    await close();
  });

  it('shows what happens to a test payment while nobody touches it', async () => {
    const { page, troubles, close } = await visit(browser, shop.url, { ...phone, deviceScaleFactor: 1 });
    await page.getByRole('button', { name: 'Create a test payment' }).click();
    await page.getByText('waiting for money').waitFor();
    await page.evaluate(() => {
      (document.activeElement as HTMLElement | null)?.blur();
    });
    await screen(page, 'landing-phone', false);
    const id = new URL(page.url()).searchParams.get('payment') ?? '';
    const trackId = (await shop.api('GET', `/v1/payments/${id}`)).body.trackId as string;
    await shop.control('/_sandbox/scenarios/exact', { trackId });
    await page.getByText('paid', { exact: true }).waitFor();
    expect(troubles).toEqual([]);
    await close();
  });

  it('is whole without script, and says which field of the form is wrong', async () => {
    const { page, troubles, close } = await visit(browser, shop.url, { ...phone, javaScriptEnabled: false });
    await page.fill('#amount', '1,5');
    await page.getByRole('button', { name: 'Create a test payment' }).click();
    expect(await page.getByRole('alert').textContent()).toContain('amount');
    expect(await page.inputValue('#amount')).toBe('1,5');
    await page.fill('#amount', '1.50');
    await page.getByRole('button', { name: 'Create a test payment' }).click();
    await page.getByText('1.50 USD').first().waitFor();
    expect(troubles.filter((trouble) => !trouble.includes('422'))).toEqual([]);
    await close();
  });
});

describe("The sandbox's page for the payer", () => {
  const opened = async (body: Record<string, unknown>): Promise<{ url: string; trackId: string; id: string }> => {
    const { body: made } = await shop.api('POST', '/v1/payments', { amount: '49.90', currency: 'USD', ...body });
    return { url: made.paymentUrl, trackId: made.trackId, id: made.id };
  };

  it('has a button with a sentence for each of the ten cases, and shows what came of it', async () => {
    const { url } = await opened({ orderId: 'payer-1', description: 'Two tickets', returnUrl: 'https://shop.example' });
    const { page, troubles, close } = await visit(browser, url, { ...phone, deviceScaleFactor: 1 });
    await expectGood(page);
    await screen(page, 'payer-sandbox-phone', false);
    for (const scenario of scenarioNames) {
      const button = page.locator(`li:has(input[value="${scenario}"]) button`);
      const sentence = (await button.getAttribute('aria-describedby')) ?? '';
      expect(await page.locator(`#${sentence}`).textContent()).toMatch(/^[A-Z].{20,}\.$/);
    }
    await page.getByRole('button', { name: 'Underpay' }).click();
    await page.getByRole('alert').getByText('29.94 USDT was seen').waitFor();
    await page.getByRole('button', { name: 'Top up' }).click();
    await page.getByRole('status').getByText('Paid').waitFor();
    await page.setViewportSize({ width: 1280, height: 800 });
    await expectGood(page);
    await screen(page, 'payer-sandbox-desktop', false);
    await page.getByRole('link', { name: 'What the service makes of it' }).click();
    await page.getByText('paid', { exact: true }).waitFor();
    expect(troubles).toEqual([]);
    await close();
  });

  it('takes an amount, confirmations, a status and a jump of the clock by hand, without script', async () => {
    const { url, id } = await opened({ orderId: 'payer-2' });
    const { page, troubles, close } = await visit(browser, url, { javaScriptEnabled: false });
    await page.fill('#amount', '20');
    await page.selectOption('#currency', 'LTC');
    await page.getByRole('button', { name: 'Send a transfer' }).click();
    await page.getByRole('alert').getByText('0.25 LTC was seen').waitFor();
    await page.fill('#count', '3');
    await page.getByRole('button', { name: 'Set the confirmations' }).click();
    await page.getByText('3 of').waitFor();
    await page.fill('#amount', 'plenty');
    await page.getByRole('button', { name: 'Send a transfer' }).click();
    await page.getByRole('alert').getByText('Nothing happened').waitFor();
    await page.selectOption('#status', 'manual_accept');
    await page.getByRole('button', { name: 'Set the status' }).click();
    await page.getByRole('status').getByText('Accepted by the merchant').waitFor();
    const before = shop.clock.now();
    await page.selectOption('#seconds', '900');
    await page.getByRole('button', { name: 'Move the clock' }).click();
    await page.getByRole('alert').getByText('moved 900 seconds').waitFor();
    expect(msOf(shop.clock.now()) - msOf(before)).toBeGreaterThanOrEqual(900_000);
    await until(async () => (await shop.api('GET', `/v1/payments/${id}`)).body.status === 'paid');
    expect(troubles).toEqual([]);
    await close();
  });
});

describe('The page of the API', () => {
  it('lets a route be tried on this service: authorize, execute, and read the 200', async () => {
    const { page, troubles, close } = await visit(browser, `${shop.url}/docs`);
    await page.waitForSelector('.opblock');
    await page.click('button.authorize');
    await page.fill('.auth-container input', apiKey);
    await page.click('.auth-btn-wrapper button.authorize');
    await page.click('.auth-btn-wrapper .btn-done');
    await tryOut(page, 'PaymentsController_list', '200');
    await expectGood(page);
    expect(troubles).toEqual([]);
    await close();
  });

  it('creates a payment by the example that it shows', async () => {
    const { page, troubles, close } = await visit(browser, `${shop.url}/docs`);
    await page.evaluate((key) => {
      const value = { bearer: { name: 'bearer', schema: { type: 'http', scheme: 'bearer' }, value: key } };
      localStorage.setItem('authorized', JSON.stringify(value));
    }, apiKey);
    await page.reload();
    await page.waitForSelector('.opblock');
    await tryOut(page, 'PaymentsController_create', '201');
    await page.evaluate(() => {
      window.scrollTo(0, 0);
    });
    await screen(page, 'docs-desktop', false);
    const made = await until(async () => (await shop.api('GET', '/v1/payments?orderId=order-1001')).body.items[0]);
    expect(made.amount).toBe('49.90');
    expect(troubles).toEqual([]);
    await close();
  });
});

/** Opens an operation, executes it as it stands there, and awaits the status of the answer. */
async function tryOut(page: Page, operation: string, status: string): Promise<void> {
  const block = page.locator(`[id$="-${operation}"].opblock`);
  await block.locator('.opblock-summary-control').click();
  await block.locator('.execute').click();
  await block.locator('.live-responses-table .response .response-col_status').waitFor();
  expect(await block.locator('.live-responses-table .response .response-col_status').first().textContent()).toContain(
    status,
  );
}

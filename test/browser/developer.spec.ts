import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { apiKey, startTestService, type TestService } from '../support/service.js';
import { axe, desktop, overflowOf, phone, screen, startBrowser, visit } from './support.js';

let shop: TestService;
let browser: Browser;
beforeAll(async () => {
  [shop, browser] = [await startTestService(), await startBrowser()];
}, 60_000);
afterAll(async () => {
  await browser.close();
  await shop.close();
});

describe('The landing page', () => {
  it('leads by clicks from nothing to a payment that the status page shows as paid', async () => {
    const { page, troubles, close } = await visit(browser, shop.url);
    await screen(page, 'landing-desktop');
    await page.click('button:has-text("Create a test payment")');
    await page.waitForURL(/\/\?payment=/);
    const statusUrl = await page.getAttribute('a:has-text("What the payer sees")', 'href');
    await page.click('a:has-text("Pay it in the sandbox")');
    await page.waitForURL(`${shop.sandboxUrl.replace('127.0.0.1', 'localhost')}/pay/**`);
    await page.click('button[value="exact"], form:has(input[value="exact"]) button');
    await page.waitForURL(/notice=/);
    await page.goto(statusUrl ?? '');
    await page.waitForSelector('h1:has-text("Paid")');
    expect(troubles).toEqual([]);
    await close();
  });
});

describe('The page of the API', () => {
  it('lets a route be tried on this service: authorize, execute, and read the 200', async () => {
    const { page, troubles, close } = await visit(browser, `${shop.url}/docs`);
    await page.waitForSelector('.opblock');
    await screen(page, 'docs-desktop');
    await page.click('button.authorize');
    await page.fill('.auth-container input', apiKey);
    await page.click('.auth-btn-wrapper button.authorize');
    await page.click('.auth-btn-wrapper .btn-done');
    await page.click('#operations-payments-PaymentsController_list .opblock-summary-control');
    await page.click('#operations-payments-PaymentsController_list .execute');
    await page.waitForSelector('#operations-payments-PaymentsController_list .live-responses-table .response-col_status');
    expect(await page.textContent('.live-responses-table .response .response-col_status')).toContain('200');
    console.log(await axe(page));
    expect(troubles).toEqual([]);
    await close();
  });
});

import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { startTestService, type TestService } from '../support/service.js';
import { axe, overflowOf, phone, startBrowser, visit } from './support.js';

// Chromium and axe share the machine with all other tests.
jest.setTimeout(120_000);

describe("The operators' console in a browser", () => {
  let shop: TestService;
  let browser: Browser;
  beforeAll(async () => {
    [shop, browser] = [await startTestService(), await startBrowser()];
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await shop.close();
  });

  it('lets an operator in by keyboard alone, on a phone, and has nothing that axe objects to', async () => {
    const { page, troubles, close } = await visit(browser, `${shop.url}/ops`, phone);
    expect(await axe(page)).toEqual([]);
    await page.keyboard.type('test-ops-password');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${shop.url}/ops`);
    expect(await page.textContent('h1')).toBe('Waiting for a person');
    expect(await axe(page)).toEqual([]);
    expect(await overflowOf(page)).toBe(0);
    expect(troubles).toEqual([]);
    await close();
  });
});

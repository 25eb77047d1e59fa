/// <reference lib="dom" />
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { generatePast } from '../ops/generated-past.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { axe, desktop, overflowOf, phone, screen, startBrowser, visit, type Visited } from './support.js';

/** A plot and what of it is drawn: the share of its pixels that are not as the empty corner is. */
const drawn = (page: Page): Promise<{ id: string; share: number }[]> =>
  page.$$eval('figure[data-plot]', (figures) =>
    figures.map((figure) => {
      const canvas = figure.querySelector('canvas');
      const context = canvas?.getContext('2d');
      if (!canvas || !context || canvas.width === 0) return { id: figure.id, share: 0 };
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      let marked = 0;
      for (let at = 3; at < data.length; at += 4) if (data[at] !== 0) marked++;
      return { id: figure.id, share: marked / (data.length / 4) };
    }),
  );

/** Chromium and axe share the machine with all other tests. */
const patience = 90_000;

/** Leaves these parts of the page alone: a picture of all of it is too long to be looked at. */
const only = (page: Page, parts: readonly string[]): Promise<void> =>
  page.$$eval(
    'section',
    (sections, kept) => {
      for (const section of sections)
        if (!kept.includes(section.getAttribute('aria-labelledby') ?? '')) section.remove();
    },
    [...parts],
  );

describe('The dashboards in a browser', () => {
  let shop: TestService;
  let browser: Browser;
  beforeAll(async () => {
    [shop, browser] = [await startTestService(), await startBrowser()];
    const { rows } = await shop.database.pool.query<{ id: string }>('select id from application');
    const application = rows[0]?.id ?? '';
    await generatePast(shop.database.pool, { now: shop.clock.now(), days: 60, payments: 2400, application });
  }, 90_000);
  afterAll(async () => {
    await browser.close();
    await shop.close();
  });

  async function open(query: string, options: BrowserContextOptions = desktop): Promise<Visited> {
    const visited = await visit(browser, `${shop.url}/ops/login?next=${encodeURIComponent('/ops')}`, options);
    await visited.page.fill('#password', 'test-ops-password');
    await visited.page.press('#password', 'Enter');
    await visited.page.waitForURL(`${shop.url}/ops`);
    await visited.page.goto(`${shop.url}/ops/dashboards?${query}`);
    return visited;
  }

  it(
    'draws every plot from the table beside it, and folds the table away',
    async () => {
      const { page, troubles, close } = await open('range=30d');
      await page.waitForSelector('#failures-over-time canvas');
      const plots = await drawn(page);
      expect(plots.map(({ id }) => id)).toEqual([
        'outcomes',
        'from-created',
        'from-detected',
        'callbacks',
        'attempts',
        'lag',
        'failures-over-time',
      ]);
      for (const { id, share } of plots) expect([id, share > 0.02]).toEqual([id, true]);
      expect(await page.$$eval('.plots details[open]', (all) => all.length)).toBe(0);
      expect(await axe(page)).toEqual([]);
      expect(troubles).toEqual([]);
      await only(page, ['completion', 'time']);
      await screen(page, 'console-dashboards-desktop');
      await close();
    },
    patience,
  );

  it(
    'tells the values of the bar under the pointer',
    async () => {
      const { page, close } = await open('range=30d');
      const over = page.locator('#outcomes .u-over');
      const box = await over.boundingBox();
      if (!box) throw new Error('the plot is not there');
      await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.5);
      const [said, row] = await page.$eval('#outcomes', (figure) => {
        const values = [...figure.querySelectorAll('.u-legend .u-value')].map((cell) => cell.textContent ?? '');
        const row = [...figure.querySelectorAll('tbody tr')].find(
          (each) => each.querySelector('time')?.textContent === values[0],
        );
        return [values.slice(1).reverse(), [...(row?.querySelectorAll('td') ?? [])].map((cell) => cell.textContent)];
      });
      expect(said.length).toBeGreaterThan(2);
      expect(said).toEqual(row);
      await close();
    },
    patience,
  );

  it(
    'fits a phone, also the narrowest, and is drawn anew when its room changes',
    async () => {
      const { page, troubles, close } = await open('range=7d', { ...phone, deviceScaleFactor: 1 });
      await page.waitForSelector('#failures-over-time canvas');
      expect(await overflowOf(page)).toBe(0);

      await page.setViewportSize({ width: 320, height: 700 });
      await page.waitForFunction(
        () => (document.querySelector('#outcomes .uplot')?.getBoundingClientRect().width ?? 999) < 300,
      );
      expect(await overflowOf(page)).toBe(0);
      await only(page, ['completion']);
      expect(await axe(page)).toEqual([]);
      expect(troubles).toEqual([]);
      await page.setViewportSize({ width: 375, height: 812 });
      await screen(page, 'console-dashboards-phone');
      await close();
    },
    patience,
  );

  it(
    'takes the colours of the dark when it comes',
    async () => {
      const { page, troubles, close } = await open('range=30d');
      const ground = (): Promise<number[]> =>
        page.$eval('#lag canvas', (canvas) => {
          const { data } = (canvas as HTMLCanvasElement).getContext('2d')?.getImageData(0, 0, 2000, 500) ?? {
            data: [],
          };
          const sum = [0, 0, 0];
          for (let at = 0; at < data.length; at += 4)
            if (data[at + 3] === 255) for (const c of [0, 1, 2]) sum[c] = (sum[c] ?? 0) + (data[at + c] ?? 0);
          return sum;
        });
      const light = await ground();
      await page.emulateMedia({ colorScheme: 'dark' });
      // Drawn anew a moment later.
      const dark = await until(async () => {
        const drawn = await ground().catch(() => light);
        return JSON.stringify(drawn) !== JSON.stringify(light) && drawn;
      });
      expect(dark).not.toEqual(light);
      await only(page, ['delivery', 'failures']);
      expect(await axe(page)).toEqual([]);
      // What Chromium thinks of this test's own reading of the canvas.
      expect(troubles.filter((text) => !text.includes('willReadFrequently'))).toEqual([]);
      await screen(page, 'console-dashboards-dark', false);
      await close();
    },
    patience,
  );

  it(
    'is whole without script: the tables say what the plots would',
    async () => {
      const { page, close } = await open('range=24h', { ...desktop, javaScriptEnabled: false });
      expect(await page.locator('canvas').count()).toBe(0);
      expect(await page.locator('#outcomes details[open] tbody tr').count()).toBe(24);
      expect(await page.locator('#outcomes tbody tr').first().isVisible()).toBe(true);
      await close();
    },
    patience,
  );

  it(
    'is used by keyboard alone: ranges, application, tables',
    async () => {
      const { page, close } = await open('range=24h');
      await page.locator('.ranges a').nth(1).focus();
      await page.keyboard.press('Enter');
      await page.waitForURL(/range=7d/);
      await page.locator('#application').selectOption('default');
      await page.locator('.choices button').focus();
      await page.keyboard.press('Enter');
      await page.waitForURL(/application=default/);
      await page.locator('#outcomes summary').focus();
      await page.keyboard.press('Enter');
      expect(await page.locator('#outcomes tbody tr').first().isVisible()).toBe(true);
      await close();
    },
    patience,
  );
});

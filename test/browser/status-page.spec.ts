/// <reference lib="dom" />
import { brotliCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { directionOf, languages, tagOf, type Language } from '../../src/checkout/language.js';
import { textsIn } from '../../src/checkout/languages/texts-in.js';
import { SystemClock } from '../../src/platform/clock.js';
import { created, payAll } from '../api/support.js';
import { addState, states, type State, type StateName } from '../checkout/status-states.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { axe, desktop, overflowOf, phone, screen, startBrowser, visit, type Visited } from './support.js';

const names = Object.keys(states) as StateName[];
/** Pictures are kept small. */
const small = { ...phone, deviceScaleFactor: 1 };
const narrow = { ...small, viewport: { width: 320, height: 640 } };

/** Stands still, so that the pictures do not change with the time of day. */
class StillClock extends SystemClock {
  override now(): string {
    return new Date(Date.UTC(2026, 2, 2, 12) + this.offset).toISOString();
  }
}

describe("The payer's page in a browser", () => {
  /** Without a gateway: what these payments have come to is written down, and nothing moves them on. */
  let shop: TestService;
  let browser: Browser;
  const urls = new Map<StateName, string>();
  const urlOf = (name: StateName): string => urls.get(name) ?? '';

  beforeAll(async () => {
    shop = await startTestService({ sandbox: false, clock: new StillClock() });
    for (const name of names) urls.set(name, await addState(shop, states[name]));
    browser = await startBrowser();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await shop.close();
  });

  const lookAt = async <T>(
    url: string,
    options: Parameters<typeof visit>[2],
    look: (visited: Visited) => Promise<T>,
  ): Promise<T> => {
    const visited = await visit(browser, url, options);
    try {
      return await look(visited);
    } finally {
      await visited.close();
    }
  };

  it.each(names)(
    'shows the state %s on a phone and a desktop, in light and dark, and axe objects to nothing',
    async (name) => {
      const state: State = states[name];
      await lookAt(urlOf(name), small, async ({ page, troubles }) => {
        expect(await page.textContent('h1')).toBe(textsIn('en').stories[state.situation].heading);
        expect(await page.textContent('[role=status]')).toBe(await page.textContent('h1'));
        expect(await page.locator('.steps li').count()).toBe(3);
        expect(await axe(page)).toEqual([]);
        expect(await overflowOf(page)).toBe(0);
        await screen(page, `status-${name}-phone`);
        await page.emulateMedia({ colorScheme: 'dark' });
        expect(await axe(page)).toEqual([]);
        if (name === 'address' || name === 'confirming') await screen(page, `status-${name}-dark-phone`);
        await page.setViewportSize({ width: 320, height: 640 });
        expect(await overflowOf(page)).toBe(0);
        expect(troubles).toEqual([]);
      });
      await lookAt(urlOf(name), desktop, async ({ page, troubles }) => {
        expect(await page.locator('main').isVisible()).toBe(true);
        expect(await overflowOf(page)).toBe(0);
        expect(troubles).toEqual([]);
        await screen(page, `status-${name}-desktop`);
      });
    },
    60_000,
  );

  it.each(languages)(
    'is whole in %s: its direction, nothing cut off, amounts as they are',
    async (language: Language) => {
      for (const name of ['memo', 'partial', 'late', 'underpaid'] as const) {
        const text = await lookAt(`${urlOf(name)}?lang=${language}`, narrow, async ({ page, troubles }) => {
          const { lang, dir } = await page.evaluate(() => ({
            lang: document.documentElement.lang,
            dir: getComputedStyle(document.body).direction,
          }));
          expect([lang, dir]).toEqual([tagOf(language), directionOf(language)]);
          expect(await page.textContent('h1')).toBe(textsIn(language).stories[states[name].situation].heading);
          for (const width of [320, 375]) {
            await page.setViewportSize({ width, height: 700 });
            expect(await overflowOf(page)).toBe(0);
          }
          if (name === 'memo') {
            expect(await axe(page)).toEqual([]);
            if (['ar', 'de'].includes(language)) await screen(page, `status-lang-${language}-phone`);
          }
          expect(troubles).toEqual([]);
          return page.textContent('main');
        });
        expect(text).toContain('50.00 USD');
      }
    },
    60_000,
  );

  it('speaks the language of the browser, and the one that is chosen of the picker', async () => {
    await lookAt(urlOf('confirming'), { ...small, locale: 'es-MX' }, async ({ page }) => {
      expect(await page.textContent('h1')).toBe('Su transacción se está confirmando');
      await page.click('text=Türkçe');
      expect(await page.textContent('h1')).toBe('İşleminiz onaylanıyor');
      expect(await page.textContent('footer [aria-current]')).toContain('Türkçe');
    });
  });

  it('is complete without JavaScript: no promise that it cannot keep, no button that does nothing, a link to look again', async () => {
    await lookAt(urlOf('memo'), { ...small, javaScriptEnabled: false }, async ({ page, troubles }) => {
      const text = await page.innerText('body');
      for (const part of ['4218806', 'UQBvW8Z5', '15.625 TON', 'Ton Network', '1 hour', 'Not seen yet', 'Check again'])
        expect(text).toContain(part);
      expect(await page.locator('button:visible').count()).toBe(0);
      expect(await page.locator('svg.qr').isVisible()).toBe(true);
      await page.click('noscript a');
      expect(await page.textContent('h1')).toBe('Waiting for your payment');
      expect(troubles).toEqual([]);
      await screen(page, 'status-no-script-phone');
    });
  });

  it('is used by keyboard alone: every control is reached in order, and seen to be', async () => {
    await lookAt(urlOf('partial'), desktop, async ({ page }) => {
      const reached: string[] = [];
      for (let presses = 0; presses < 30; presses++) {
        await page.keyboard.press('Tab');
        const [label, outline] = await page.evaluate(() => {
          const focused = document.activeElement;
          const isControl = focused !== null && focused !== document.body;
          return isControl ? [focused.textContent?.trim() ?? '', getComputedStyle(focused).outlineStyle] : ['', ''];
        });
        if (label === '') break;
        expect(outline).not.toBe('none');
        reached.push(label);
      }
      const wanted = ['Pay now', 'See it on the network', 'If amount or time do not fit', 'English', '中文'];
      const at = wanted.map((part) => reached.findIndex((label) => label.startsWith(part)));
      expect(at).toEqual([...at].sort((a, b) => a - b));
      expect(at).not.toContain(-1);
      await page.focus('summary');
      await page.keyboard.press('Enter');
      expect(await page.locator('details[open] li').count()).toBe(3);
    });
  });

  it('gives every control room enough for a thumb', async () => {
    await lookAt(urlOf('partial'), small, async ({ page }) => {
      const low = await page.evaluate(() =>
        [...document.querySelectorAll('a, button, summary')]
          .filter((control) => control.getClientRects().length > 0)
          .filter((control) => control.getBoundingClientRect().height < 24)
          .map(({ textContent }) => textContent),
      );
      expect(low).toEqual([]);
    });
  });

  it('shows the same after a reload, and A34 whatever the address claims', async () => {
    await lookAt(`${urlOf('confirming')}?status=paid&success=true`, small, async ({ page }) => {
      const before = await page.innerText('main');
      expect(before).toContain('7 of 19 confirmations');
      expect(before).not.toContain('Your payment is complete');
      await page.reload();
      expect(await page.innerText('main')).toBe(before);
    });
  });

  it('A28 tells whoever has its link nothing private, and A29 shows a script as text', async () => {
    const script = `<script>document.title = 'broken into'</script><img src=x onerror="document.title='broken into'">`;
    const url = await addState(shop, {
      ...states.settled,
      terms: {
        orderId: 'order-secret',
        email: 'payer@private.example',
        customerId: 'customer-secret',
        metadata: { cart: 'metadata-secret' },
        description: script,
        returnUrl: 'https://shop.example/thanks',
      },
    });
    await lookAt(url, small, async ({ page, troubles }) => {
      expect(await page.title()).toBe('Paid');
      expect(await page.textContent('.what')).toBe(script);
      expect(troubles).toEqual([]);
      const markup = await page.content();
      for (const secret of ['order-secret', 'private.example', 'customer-secret', 'metadata-secret', '100000001'])
        expect(markup).not.toContain(secret);
    });
  });

  it('has a code that says the address, with white around it in the dark too', async () => {
    await lookAt(urlOf('address'), { ...phone, colorScheme: 'dark' }, async ({ page }) => {
      const code = await page.evaluate(() => {
        const [ground, modules] = [...document.querySelectorAll('svg.qr path')];
        const size = document.querySelector<SVGSVGElement>('svg.qr')?.viewBox.baseVal.width ?? 0;
        const box = (modules as SVGGraphicsElement).getBBox();
        return {
          colours: [ground, modules].map((path) => path && getComputedStyle(path).fill),
          margin: [box.x, box.y, size - box.x - box.width, size - box.y - box.height],
        };
      });
      expect(code).toEqual({ colours: ['rgb(255, 255, 255)', 'rgb(0, 0, 0)'], margin: [4, 4, 4, 4] });
    });
  });

  it('is a friendly page where there is no payment', async () => {
    await lookAt(`${shop.url}/pay/${'x'.repeat(32)}?lang=fa`, small, async ({ page, troubles }) => {
      expect(await page.textContent('h1')).toBe('اینجا پرداختی نیست');
      expect(await axe(page)).toEqual([]);
      expect(troubles).toEqual([expect.stringContaining('404')]);
      await screen(page, 'status-unknown-phone');
    });
  });

  it('loads under 50 KB, packed or not, in its heaviest state', async () => {
    const sizes = await lookAt(urlOf('memo'), small, async ({ page }) => {
      const parts: { url: string; plain: number; packed: number }[] = [];
      const bodies: Promise<unknown>[] = [];
      page.on('response', (response) => {
        // The stream is no part of what has to be there; its body has no end.
        if (response.url().includes('/events')) return;
        bodies.push(
          response.body().then((body) => {
            parts.push({ url: response.url(), plain: body.length, packed: brotliCompressSync(body).length });
          }),
        );
      });
      await page.reload({ waitUntil: 'load' });
      await Promise.all(bodies);
      return parts;
    });
    expect(sizes.map(({ url }) => new URL(url).pathname.replace(/\.[0-9a-f]{12}|\/pay\/.*/, '')).sort()).toEqual([
      '',
      '/assets/status.css',
      '/assets/status.js',
    ]);
    const sum = (by: 'plain' | 'packed'): number => sizes.reduce((total, part) => total + part[by], 0);
    expect(sum('plain')).toBeLessThan(50_000);
    expect(sum('packed')).toBeLessThan(50_000);
  });

  it('can be read within a second on a slow line: 1.6 Mbit/s, 150 ms away, nothing cached', async () => {
    const painted: number[] = [];
    for (let load = 0; load < 5; load++) {
      await lookAt('about:blank', small, async ({ page, context }) => {
        const session = await context.newCDPSession(page);
        await session.send('Network.enable');
        await session.send('Network.emulateNetworkConditions', {
          offline: false,
          latency: 150,
          downloadThroughput: (1.6 * 1024 * 1024) / 8,
          uploadThroughput: (750 * 1024) / 8,
        });
        await page.goto(urlOf('memo'));
        await page.waitForSelector('main h1');
        const first = await page.evaluate(async () => {
          const entry = (): PerformanceEntry | undefined => performance.getEntriesByName('first-contentful-paint')[0];
          while (!entry()) await new Promise(requestAnimationFrame);
          return entry()?.startTime ?? Infinity;
        });
        painted.push(first);
      });
    }
    const [, , median = Infinity] = painted.sort((a, b) => a - b);
    expect(median).toBeLessThan(1000);
  }, 60_000);
});

describe("A payer's journey in a browser", () => {
  let shop: TestService;
  let browser: Browser;
  beforeAll(async () => {
    [shop, browser] = [await startTestService(), await startBrowser()];
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await shop.close();
  });

  it('goes from the open payment to the paid one and back to the shop, without JavaScript', async () => {
    const { id, trackId, statusUrl } = await created(shop, 'journey', {
      returnUrl: 'https://shop.example/thanks',
      policy: { paidWhen: { rule: 'confirmations', count: 3 } },
    });
    const { page, close } = await visit(browser, statusUrl, { ...phone, javaScriptEnabled: false });
    expect(await page.textContent('h1')).toBe('Waiting for your payment');
    await shop.control(`/_sandbox/payments/${trackId}/transfers`, { percent: 100 });
    const sees = (heading: string): Promise<unknown> =>
      until(async () => {
        await page.reload();
        return (await page.textContent('h1')) === heading;
      }, 10_000);
    await sees('We see your transaction');
    expect(await page.textContent('.steps')).toContain('0 of 3 confirmations');
    await payAll(shop, trackId).catch(() => undefined);
    await until(async () => (await shop.api('GET', `/v1/payments/${id}`)).body.status === 'paid', 10_000);
    await sees('Paid');
    expect(await page.getAttribute('text=Back to the shop', 'href')).toBe('https://shop.example/thanks');
    await close();
  }, 60_000);
});

/// <reference lib="dom" />
import { access, mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { AxeBuilder } from '@axe-core/playwright';
import sparticuz from '@sparticuz/chromium';
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';

/** Where browsers are usually installed. */
const installed = [
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

async function executable(): Promise<{ path: string; args: string[] }> {
  const given = process.env['CHROMIUM_PATH'];
  for (const path of given ? [given] : installed) {
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (found) return { path, args: [] };
    if (given) throw new Error(`CHROMIUM_PATH leads to nothing: ${path}`);
  }
  // A Chromium that comes as an npm package, so that the pages are tested wherever npm works.
  // Its flags are made for a sandbox that forbids child processes; a renderer inside the browser's process takes the
  // browser with it where it stumbles.
  const args = sparticuz.args.filter((flag) => flag !== '--single-process' && flag !== '--no-zygote');
  return { path: await sparticuz.executablePath(), args };
}

/** A real Chromium: CHROMIUM_PATH, else an installed one, else the one that npm brought. */
export async function startBrowser(): Promise<Browser> {
  const { path, args } = await executable();
  return chromium.launch({ executablePath: path, args: ['--no-sandbox', ...args], chromiumSandbox: false });
}

export const phone: BrowserContextOptions = {
  viewport: { width: 375, height: 812 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};
export const desktop: BrowserContextOptions = { viewport: { width: 1280, height: 800 } };

/** A page, and everything that went wrong in it: script errors, refused resources, breaches of its own security policy. */
export interface Visited {
  page: Page;
  context: BrowserContext;
  troubles: string[];
  close(): Promise<void>;
}

/** Opens an address as a new visitor. */
export async function visit(browser: Browser, url: string, options: BrowserContextOptions = desktop): Promise<Visited> {
  const context = await browser.newContext({ locale: 'en-US', timezoneId: 'UTC', ...options });
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') troubles.push(message.text());
  });
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText ?? '';
    // A stream that ends because its page was left.
    if (why !== 'net::ERR_ABORTED') troubles.push(`${request.url()}: ${why}`);
  });
  await page.goto(url);
  return { page, context, troubles, close: () => context.close() };
}

/** What axe finds against WCAG 2.2 AA and its best practices; empty where a page is as it should be. */
export async function axe(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`);
}

/** How much wider than the window the page is, px; 0 where nothing has to be scrolled sideways. */
export const overflowOf = (page: Page): Promise<number> =>
  page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - window.innerWidth));

const screens = fileURLToPath(new URL('../../docs/screens/', import.meta.url));

/**
 * Takes a picture of the whole page, or of what the window shows of it. With `UPDATE_SCREENS=1` it is kept as `docs/screens/<name>.png`. Every picture that
 * the documents show is taken by a test.
 */
export async function screen(page: Page, name: string, fullPage = true): Promise<void> {
  const picture = await page.screenshot({ fullPage, animations: 'disabled' });
  if (process.env['UPDATE_SCREENS'] !== '1') return;
  await mkdir(screens, { recursive: true });
  await writeFile(`${screens}${name}.png`, picture);
}

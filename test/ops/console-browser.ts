import { send, type RawAnswer } from '../api/support.js';
import type { TestService } from '../support/service.js';

export const password = 'test-ops-password';

/** A browser that keeps no cookie by itself. */
export const get = (shop: TestService, path: string, cookie?: string): Promise<RawAnswer> =>
  send(shop.url, { method: 'GET', path, headers: { authorization: undefined, cookie } });

export const post = (
  shop: TestService,
  path: string,
  form: Record<string, string> | string,
  headers: Record<string, string | undefined> = {},
): Promise<RawAnswer> =>
  send(shop.url, {
    path,
    headers: { authorization: undefined, 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
  });

export const cookieIn = ({ headers }: RawAnswer): string => String(headers['set-cookie'] ?? '').split(';')[0] ?? '';

export const logIn = async (shop: TestService, form: Record<string, string> = {}): Promise<string> =>
  cookieIn(await post(shop, '/ops/login', { password, ...form }));

export const tokenIn = ({ text }: RawAnswer): string => /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? '';

/** What a page says, without its markup. */
export const words = ({ text }: RawAnswer): string =>
  text
    .replace(/<[^>]*>/g, ' ')
    .replace(/&#39;/g, "'")
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, '&')
    .replace(/\s+/g, ' ');

/** The start of a window of the limit, so that a test cannot meet its end. */
export const toNextMinute = ({ clock }: TestService): void =>
  clock.advance(60 - (Math.floor(Date.parse(clock.now()) / 1000) % 60));

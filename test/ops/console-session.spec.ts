import { describe, expect, it } from '@jest/globals';
import {
  cookieOf,
  csrfTokenOf,
  idIn,
  isCsrfToken,
  isPassword,
  keyFrom,
  pathAfterLogin,
} from '../../src/ops/console-session.js';

const key = keyFrom('a password of operators');
const id = 'i'.repeat(43);

describe("A session's cookie", () => {
  it('is known to every replica with the same password, and to none with another', () => {
    expect(idIn(keyFrom('a password of operators'), cookieOf(key, id))).toBe(id);
    expect(idIn(keyFrom('a new password of operators'), cookieOf(key, id))).toBeNull();
  });

  it('is nothing once any of its characters is another', () => {
    const cookie = cookieOf(key, id);
    const other = (at: number): string => cookie.slice(0, at) + (cookie[at] === 'A' ? 'B' : 'A') + cookie.slice(at + 1);
    for (let at = 0; at < cookie.length; at++) expect(idIn(key, other(at))).toBeNull();
    for (const text of ['', '.', id, `${id}.`, `${cookie}A`, ` ${cookie}`, `${cookie}\n`, cookie.slice(1)])
      expect(idIn(key, text)).toBeNull();
  });

  it('is not what its forms carry', () => {
    const token = csrfTokenOf(key, id);
    expect(isCsrfToken(key, id, token)).toBe(true);
    expect(isCsrfToken(key, 'j'.repeat(43), token)).toBe(false);
    expect(isCsrfToken(key, id, '')).toBe(false);
    expect(cookieOf(key, id)).not.toContain(token);
    expect(idIn(key, `${id}.${token}`)).toBeNull();
  });
});

describe("The operators' password", () => {
  it('is the whole of it', () => {
    expect(isPassword('a password', 'a password')).toBe(true);
    for (const wrong of ['', 'a passwor', 'a password ', 'A password', 'null'])
      expect(isPassword(wrong, 'a password')).toBe(false);
  });

  it('is never right where none is set', () => {
    for (const given of ['', 'null', 'undefined']) expect(isPassword(given, null)).toBe(false);
  });
});

describe('A login', () => {
  it.each(['/ops', '/ops/policies', '/ops?x=1', '/ops/policies/a%2Fb/default?from=2026-01-01&count='])(
    'leads on to %s',
    (path) => {
      expect(pathAfterLogin(path)).toBe(path);
    },
  );

  it.each([
    undefined,
    ['/ops/policies'],
    '',
    '/',
    '/opsy',
    '/v1/payments',
    '//evil.example/ops',
    'https://evil.example/ops',
    '/ops\\evil',
    '/ops/\r\nset-cookie: a=b',
    '/ops/ x',
    '/ops/\u00eb',
    '/ops/login?next=/ops/login',
    '/ops/logout',
    `/ops/${'x'.repeat(2001)}`,
  ])('leads nowhere but to the first page where %j was asked for', (asked) => {
    expect(pathAfterLogin(asked)).toBe('/ops');
  });
});

import { createHash, createHmac, scryptSync, timingSafeEqual } from 'node:crypto';

/*
 * What a session of the console is made of: a random id that the cookie carries with a signature, and that the database
 * knows as a hash. The keys come from the operators' password, so that every replica and every restart has the same ones,
 * and a new password ends all sessions.
 */

/** How long a session lasts, seconds: a shift, and no longer by being used. */
export const sessionSeconds = 8 * 3600;

export const sessionCookie = 'finality_ops';

/** The one key of all signatures. Slow on purpose: whoever holds a cookie could otherwise guess at the password with it. */
export const keyFrom = (password: string): Buffer => scryptSync(password, 'finality operators console 1', 32);

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

const same = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other));

/** Compares in a time that tells nothing. Where no password is set, none is right. */
export const isPassword = (given: string, password: string | null): boolean =>
  same(given, password ?? '') && password !== null;

const signature = (key: Buffer, purpose: 'session' | 'csrf', id: string): string =>
  createHmac('sha256', key).update(`${purpose} ${id}`).digest('base64url');

/** What the cookie carries for a session. */
export const cookieOf = (key: Buffer, id: string): string => `${id}.${signature(key, 'session', id)}`;

const cookiePattern = /^([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$/;

/** The session's id; null where the cookie was not signed with this key. */
export function idIn(key: Buffer, cookie: string): string | null {
  const [, id, signed] = cookiePattern.exec(cookie) ?? [];
  if (id === undefined || signed === undefined) return null;
  return same(signed, signature(key, 'session', id)) ? id : null;
}

/** What each form of a session carries, which another site cannot know. */
export const csrfTokenOf = (key: Buffer, id: string): string => signature(key, 'csrf', id);

export const isCsrfToken = (key: Buffer, id: string, given: string): boolean => same(given, csrfTokenOf(key, id));

/** What the database knows of a session's id. */
export const hashOf = (id: string): Buffer => digest(id);

const path = /^\/ops(?:[/?][!-[\]-~]{0,2000})?$/;

/** Where a login leads: an address of the console, or its first page where something else was asked for. */
export const pathAfterLogin = (asked: unknown): string =>
  typeof asked === 'string' && path.test(asked) && !/^\/ops\/log(in|out)\b/.test(asked) ? asked : '/ops';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Applications, newApiKey } from '../../src/platform/http/applications.pg.js';
import { apiKey, type TestService } from '../support/service.js';
import { credentials, passwords, rows, type Credential, type Row } from './access-rows.js';
import { accessWorld, type AccessWorld } from './access-world.js';
import { otherKey, send } from './support.js';

/** Whoever is refused asks first: what the owner does may end an object. */
const inOrder: readonly Credential[] = ['none', 'revoked', 'view', 'act', 'other', 'own'];

describe('Who may call which route', () => {
  let world: AccessWorld;
  let shop: TestService;
  const revoked = newApiKey();

  beforeAll(async () => {
    world = await accessWorld();
    ({ shop } = world);
    const applications = shop.service.app.get(Applications);
    await applications.ensure('default', revoked, 'old');
    await applications.ensure('default', newApiKey(), 'old');
  });
  afterAll(() => shop.close());

  it('has a row for every route that the server knows, and none for another', () => {
    const tree = shop.service.app.getHttpAdapter().getInstance().printRoutes({ commonPrefix: false }) as string;
    const known = routesIn(tree);
    expect(known.length).toBeGreaterThan(40);
    const without = known.filter((route) => !(route in rows));
    const advice = (route: string): string => `${route}: ${adviceFor(route)}`;
    expect(without.map(advice)).toEqual([]);
    const gone = Object.keys(rows).filter((route) => !known.includes(route));
    expect(gone.map((route) => `${route}: the server has no such route; take its row out`)).toEqual([]);
  });

  it('has a row for every route that the API documents', async () => {
    const { paths } = (await shop.api('GET', '/openapi.json')).body as { paths: Record<string, object> };
    const documented = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(documented.sort()).toEqual(
      Object.keys(rows)
        .filter((route) => route.includes(' /v1/'))
        .sort(),
    );
  });

  it.each(Object.entries(rows))(
    'A01 A02 A03 answers %s as the table says, to each kind of caller',
    async (route, row) => {
      const answered: Partial<Record<Credential, number>> = {};
      for (const credential of inOrder) answered[credential] = await ask(route, row, credential);
      expect(answered).toEqual(row.answers);
    },
  );

  async function ask(route: string, { path, body, form }: Row, credential: Credential): Promise<number> {
    const { headers, csrf } = await shows(credential);
    const fields = form && new URLSearchParams({ ...form, ...(csrf !== null && { csrf }) }).toString();
    const sent = fields ?? (body === undefined ? undefined : world.at(JSON.stringify(body)));
    const type = fields === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await send(shop.url, {
      method: route.slice(0, route.indexOf(' ')),
      path: world.at(path),
      headers: { ...type, ...headers },
      ...(sent !== undefined && { body: sent }),
    });
    return answer.status;
  }

  async function shows(credential: Credential): Promise<{
    headers: Record<string, string | undefined>;
    csrf: string | null;
  }> {
    if (credential === 'act' || credential === 'view') return session(passwords[credential]);
    const keys = { own: apiKey, other: otherKey, revoked, none: null };
    const key = keys[credential];
    return { headers: { authorization: key === null ? undefined : `Bearer ${key}` }, csrf: null };
  }

  /** Logs in anew: one of the routes ends the session. */
  async function session(password: string): Promise<{ headers: Record<string, string | undefined>; csrf: string }> {
    const form = { 'content-type': 'application/x-www-form-urlencoded', authorization: undefined };
    const login = await send(shop.url, { path: '/ops/login', headers: form, body: `password=${password}` });
    expect(login.status).toBe(303);
    const cookie = String(login.headers['set-cookie']).split(';')[0] ?? '';
    const headers = { cookie, authorization: undefined };
    const home = await send(shop.url, { method: 'GET', path: '/ops', headers });
    return { headers, csrf: /name="csrf" value="([^"]+)"/.exec(home.text)?.[1] ?? '' };
  }

  it('tells each kind of caller apart', () => {
    expect(inOrder.toSorted()).toEqual(Object.keys(credentials).sort());
  });
});

/** What to add for a route that has no row yet. */
function adviceFor(route: string): string {
  const path = route.slice(route.indexOf(' ') + 1);
  const kind = path.startsWith('/v1/')
    ? `keyed('${path}', { own: 200, other: 404 })`
    : path.startsWith('/ops')
      ? route.startsWith('GET')
        ? `page('${path}')`
        : `act('${path}', { field: 'value' })`
      : `open('${path}', 200, 'why nobody is asked')`;
  return `add to test/api/access-rows.ts, with a path that leads to something: '${route}': ${kind}`;
}

/** Reads Fastify's printed tree: each line is a part of a path, indented by its depth, with its methods. */
function routesIn(tree: string): string[] {
  const parts: string[] = [];
  return tree
    .split('\n')
    .flatMap((line) => {
      const match = /^([\s│├└─]*)(\S+)(?: \(([^)]*)\))?/.exec(line);
      if (!match?.[2]) return [];
      const depth = (match[1] ?? '').length / 4;
      parts.length = Math.max(0, depth - 1);
      parts.push(match[2]);
      const methods = (match[3] ?? '')
        .split(', ')
        .filter((method) => method !== '' && !/^(HEAD|OPTIONS)$/.test(method));
      return methods.map((method) => `${method} ${parts.join('')}`);
    })
    .map((route) => route.replace(/:(\w+)/g, '{$1}').replace(/(?<!\/)\*$/, '/*'));
}

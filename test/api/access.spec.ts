import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ids } from '../../src/kernel/ids.js';
import { Applications, newApiKey } from '../../src/platform/http/applications.pg.js';
import { apiKey, type TestService } from '../support/service.js';
import { rows, type Row } from './access-rows.js';
import { accessWorld, missing, type AccessWorld } from './access-world.js';
import { addDelivery, asOther, created, expectProblem, order, otherKey, paymentsOf, rowsOf, send } from './support.js';

const keyedRoutes = Object.keys(rows).filter((route) => rows[route]?.asks === 'key');
const row = (route: string): Row => {
  const found = rows[route];
  if (!found) throw new Error(`no row for ${route}`);
  return found;
};

describe('Who may call what of the API', () => {
  let world: AccessWorld;
  let shop: TestService;
  let ids: Record<string, string>;
  const at = (path: string): string => world.at(path);
  const textOf = (body: unknown): string => at(JSON.stringify(body));

  beforeAll(async () => {
    world = await accessWorld();
    ({ shop, ids } = world);
  });
  afterAll(() => shop.close());

  it.each(keyedRoutes)(
    'A01 answers %s without a key, with an unknown or a malformed one, with the same 401',
    async (route) => {
      const { path, body } = row(route);
      const before = await rowsOf(shop.database);
      const sent = body === undefined ? {} : { body: textOf(body) };
      const keys = [
        undefined,
        'Bearer ',
        'Bearer',
        apiKey,
        `Basic ${apiKey}`,
        `Bearer ${newApiKey()}`,
        `Bearer ${apiKey}x`,
        `Bearer ${apiKey.toUpperCase()}`,
        `Bearer ${apiKey} ${apiKey}`,
        `Bearer ${'k'.repeat(256)}`,
      ];
      const answers = await Promise.all(
        keys.map((authorization) =>
          send(shop.url, { method: methodOf(route), path: at(path), headers: { authorization }, ...sent }),
        ),
      );
      for (const answer of answers) {
        expectProblem(answer, 'unauthorized');
        expect(answer.headers['www-authenticate']).toBe('Bearer');
      }
      expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
      expect(await rowsOf(shop.database)).toEqual(before);
    },
  );

  it.each(keyedRoutes)(
    'A02 answers another application that calls %s as if the object were missing, byte for byte',
    async (route) => {
      const { path, body, answers } = row(route);
      const { other } = answers;
      const sent = {
        method: methodOf(route),
        headers: asOther,
        ...(body === undefined ? {} : { body: textOf(body) }),
      };
      const theirs = await send(shop.url, { ...sent, path: at(path) });
      expect(theirs.status).toBe(other);
      if (other === 404) {
        const nobodys = await send(shop.url, {
          ...sent,
          path: path.replace(/\{\w+\}|access-1/, missing),
          ...(body === undefined ? {} : { body: JSON.stringify(body).replace(/\{\w+\}/, missing) }),
        });
        expect([theirs.status, theirs.text, theirs.headers['content-type']]).toEqual([
          nobodys.status,
          nobodys.text,
          nobodys.headers['content-type'],
        ]);
        expectProblem(theirs, 'not_found');
      } else {
        for (const value of [...Object.values(ids), 'access-1', 'access-2']) expect(theirs.text).not.toContain(value);
      }
    },
  );

  it.each(keyedRoutes.filter((route) => route.includes('{id}')))(
    'answers %s for an id that is none as for one that is unknown',
    async (route) => {
      const { path, body } = row(route);
      const sent = { method: methodOf(route), ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      const unknown = await send(shop.url, { ...sent, path: path.replace(/\{\w+\}/, missing) });
      for (const id of [
        'x',
        '1',
        missing.toUpperCase(),
        `${missing}0`,
        `%7B${missing}%7D`,
        '%00',
        "'%20or%201=1--",
        '..%2F..',
        '%F0%9F%98%80',
        'a'.repeat(1000),
        'null',
        '-1',
      ]) {
        const answer = await send(shop.url, { ...sent, path: path.replace(/\{\w+\}/, id) });
        expect([id, answer.status, answer.text]).toEqual([id, 404, unknown.text]);
      }
    },
  );

  it('A01 ends a revoked key within seconds', async () => {
    const key = newApiKey();
    const applications = shop.service.app.get(Applications);
    await applications.ensure('rotating', key, 'one');
    const call = async (): Promise<number> =>
      (await shop.api('GET', '/v1/orders', undefined, { authorization: `Bearer ${key}` })).status;
    expect(await call()).toBe(200);
    const next = newApiKey();
    await applications.ensure('rotating', next, 'one');
    shop.clock.advance(3);
    expect(await call()).toBe(401);
    expect((await shop.api('GET', '/v1/orders', undefined, { authorization: `Bearer ${next}` })).status).toBe(200);
  });

  it.each(['api_key', 'apikey', 'apiKey', 'key', 'token', 'access_token', 'authorization'])(
    'A01 refuses a key sent as ?%s= with 400, and notes the leak without the key',
    async (name) => {
      for (const headers of [{}, { authorization: undefined }]) {
        const answer = await send(shop.url, { method: 'GET', path: `/v1/payments?limit=1&${name}=${apiKey}`, headers });
        expectProblem(answer, 'key_in_url');
        expect(answer.text).not.toContain(apiKey);
      }
      expect(shop.logged.some((line) => line.includes('has leaked'))).toBe(true);
      expect(shop.logged.filter((line) => line.includes(apiKey))).toEqual([]);
    },
  );

  it('A09 scopes Idempotency-Keys to their application', async () => {
    const headers = { 'idempotency-key': 'the-same-key' };
    const mine = await created(shop, 'access-scoped', {}, headers);
    const theirs = await created(shop, 'access-scoped', {}, { ...headers, ...asOther });
    expect(theirs.id).not.toBe(mine.id);
    const reused = await shop.api('POST', '/v1/payments', order('access-scoped'), { ...headers, ...asOther });
    expect([reused.headers.get('idempotency-replayed'), reused.body.id]).toEqual(['true', theirs.id]);
  });

  it('A21 refuses a cursor of another application with 400', async () => {
    await addDelivery(shop, { endpointId: ids['endpoint'] ?? '' });
    for (const list of ['/v1/payments', '/v1/orders', '/v1/policies', '/v1/webhook-deliveries']) {
      const { body } = await shop.api('GET', `${list}?limit=1`);
      const { nextCursor } = body as { nextCursor: string };
      const answer = await shop.api('GET', `${list}?cursor=${nextCursor}`, undefined, asOther);
      expectProblem(answer, 'invalid_cursor');
      expect((await shop.api('GET', `${list}?cursor=${nextCursor}`)).status).toBe(200);
    }
  });

  it('shows each application only its own payments, orders, events and endpoints', async () => {
    const theirs = await created(shop, 'access-own', {}, asOther);
    await addDelivery(shop, { endpointId: shop.service.app.get(Ids).next(), key: otherKey });
    const position = `minPosition=${String(theirs.position)}`;
    const owners = new Map<string, number>();
    for (const path of [
      `/v1/payments?${position}&limit=100`,
      `/v1/orders?${position}&limit=100`,
      '/v1/events?limit=100',
      '/v1/webhook-endpoints',
      '/v1/webhook-deliveries',
    ]) {
      const [mine, other] = await Promise.all([
        send(shop.url, { method: 'GET', path }),
        send(shop.url, { method: 'GET', path, headers: { authorization: `Bearer ${otherKey}` } }),
      ]);
      const idsOf = (text: string): string[] => text.match(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}/g) ?? [];
      expect(idsOf(mine.text).filter((id) => idsOf(other.text).includes(id))).toEqual([]);
      owners.set(path, idsOf(other.text).length);
    }
    expect([...owners.values()].every((count) => count > 0)).toBe(true);
    expect(await paymentsOf(shop.database)).toContain(theirs.id);
  });
});

const methodOf = (route: string): string => route.slice(0, route.indexOf(' '));

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Pool } from 'pg';
import { Ids } from '../../src/kernel/ids.js';
import { DatabasePool } from '../../src/platform/database/pool.pg.js';
import { EventStore } from '../../src/platform/event-store/event-store.pg.js';
import { Audit } from '../../src/ops/audit.pg.js';
import type { AuditEntry } from '../../src/ops/audit-entry.js';
import { startTestService, type TestService } from '../support/service.js';
import { get, logIn, password, post, toNextMinute, tokenIn, words } from './console-browser.js';

const refund: AuditEntry = {
  action: 'payment.refund',
  actor: 'support@shop.example',
  role: 'act',
  target: { kind: 'payment', id: '0198c0de-0000-7000-8000-000000000000' },
  reason: 'paid twice',
  outcome: 'done',
  detail: { amount: '10.00' },
};

interface Row {
  stream_id: string;
  version: number;
  actor: string;
  tenant: string;
  data: Record<string, unknown>;
}
const recorded = async ({ database }: TestService): Promise<Row[]> => {
  const text = `select stream_id, version, actor, tenant, data from event where type = 'OperatorActed' order by position`;
  return (await database.pool.query<Row>(text)).rows;
};
const actions = async (shop: TestService): Promise<unknown[]> =>
  (await recorded(shop)).map(({ data }) => data['action']);

describe('The audit stream', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  it('A35 has every login and logout, and who is turned away: wrong passwords, forms from elsewhere, sessions that are over', async () => {
    toNextMinute(shop);
    const cookie = await logIn(shop, { name: 'support@shop.example' });
    const csrf = tokenIn(await get(shop, '/ops', cookie));
    const wrong = await Promise.all(
      Array.from({ length: 11 }, () => post(shop, '/ops/login', { password: 'wrong-password', name: 'wrong-name' })),
    );
    expect(wrong.map(({ status }) => status).sort()).toEqual([...Array<number>(10).fill(401), 429]);
    expect((await post(shop, '/ops/logout', { csrf: 'x' }, { cookie })).status).toBe(403);
    expect((await post(shop, '/ops/login', { password }, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await post(shop, '/ops/logout', { csrf }, { cookie })).status).toBe(303);
    expect((await get(shop, '/ops', cookie)).status).toBe(401);
    expect((await get(shop, '/ops', cookie)).headers['x-frame-options']).toBe('DENY');
    const rows = await recorded(shop);
    expect(rows.map(({ actor, data }) => [data['action'], data['outcome'], actor]).sort()).toEqual([
      ['form.not_from_console', 'refused', 'operator:support@shop.example'],
      ['form.not_from_console', 'refused', 'operator:unnamed'],
      ['session.ended', 'refused', 'operator:unnamed'],
      ['session.login', 'done', 'operator:support@shop.example'],
      ['session.logout', 'done', 'operator:support@shop.example'],
      ['session.too_many_passwords', 'refused', 'operator:unnamed'],
      ['session.wrong_password', 'refused', 'operator:unnamed'],
    ]);
    expect(rows.every(({ data }) => (data['detail'] as Record<string, unknown>)['address'] === '127.0.0.1')).toBe(true);
    const told = JSON.stringify(rows);
    for (const secret of [password, 'wrong-password', 'wrong-name', csrf, cookie.slice(13, 56)])
      expect(told).not.toContain(secret);
  });

  it('is not filled by a flood at the door: thirty refusals a minute are recorded, whatever their addresses', async () => {
    toNextMinute(shop);
    const audit = shop.service.app.get(Audit);
    const before = (await actions(shop)).length;
    const attempt = { ...refund, action: 'session.wrong_password', role: null, detail: null };
    await Promise.all(Array.from({ length: 100 }, (_, at) => audit.recordRefusal(attempt, `192.0.2.${String(at)}`)));
    expect((await actions(shop)).length - before).toBe(30);
    // What somebody who is logged in tried is not hidden by that.
    await audit.recordRefusal({ ...attempt, role: 'view', action: 'form.looks_only' }, '192.0.2.1');
    expect((await actions(shop)).length - before).toBe(31);
    toNextMinute(shop);
    await audit.recordRefusal(attempt, '192.0.2.1');
    expect((await actions(shop)).length - before).toBe(32);
  });

  it('is one stream a month, in order and without a gap, whoever writes at once', async () => {
    const replica = await startTestService({ database: shop.database, sandbox: false, clock: shop.clock });
    const both = [shop, replica].map(({ service }) => service.app.get(Audit));
    await Promise.all(both.flatMap((audit) => Array.from({ length: 10 }, () => audit.record(refund))));
    const rows = await recorded(shop);
    expect(new Set(rows.map(({ stream_id }) => stream_id)).size).toBe(1);
    expect(rows.map(({ version }) => version)).toEqual(rows.map((_, at) => at + 1));
    shop.clock.advance(32 * 86_400);
    await Promise.all(both.map((audit) => audit.record(refund)));
    const later = (await recorded(shop)).slice(rows.length);
    expect(new Set(later.map(({ stream_id }) => stream_id)).size).toBe(1);
    expect(later.map(({ version }) => version)).toEqual([1, 2]);
    expect(later[0]?.stream_id).not.toBe(rows[0]?.stream_id);
    await replica.close();
  });

  it('has the entries of many processes that act in the same moment', async () => {
    const { app } = shop.service;
    const [store, pool, ids] = [app.get(EventStore), app.get<Pool>(DatabasePool), app.get(Ids)];
    const before = (await actions(shop)).length;
    const processes = Array.from({ length: 24 }, () => new Audit(store, pool, shop.clock, ids));
    await Promise.all(processes.map((audit) => audit.record(refund)));
    expect((await actions(shop)).length - before).toBe(24);
  });

  it("is in no application's feed of events", async () => {
    const { body } = await shop.api('GET', '/v1/events?limit=100');
    expect(body.items).toEqual([]);
    expect(await recorded(shop)).not.toEqual([]);
  });

  it('keeps what can be read again, and no more than it should', async () => {
    const audit = shop.service.app.get(Audit);
    await audit.record({ ...refund, actor: 'x\u0000y', reason: `a\u0000${'b'.repeat(2000)}`, detail: { a: '\u0000' } });
    await audit.record({ ...refund, detail: { a: 'x'.repeat(5000) } });
    const [second, first] = await audit.list({}, { before: null, limit: 2 });
    expect(first?.actor).toBe('operator:x y');
    expect(first?.reason).toHaveLength(1000);
    for (const entry of [first, second]) expect(entry?.detail).toEqual({ leftOut: 'too large, or unreadable' });
  });
});

describe('The audit page', () => {
  let shop: TestService;
  let cookie: string;
  beforeAll(async () => {
    shop = await startTestService();
    cookie = await logIn(shop, { name: 'support@shop.example' });
    const audit = shop.service.app.get(Audit);
    await audit.record({ ...refund, actor: 'night shift', reason: '<script>alert(1)</script>' });
    for (let at = 0; at < 60; at++) await audit.record({ ...refund, reason: `reason ${String(at)}` });
  });
  afterAll(() => shop.close());

  it('shows the newest first, a page at a time, down to the first', async () => {
    const first = await get(shop, '/ops/audit', cookie);
    expect(words(first)).toContain('payment refund done payment 0198c0de-0000-7000-8000-000000000000 reason 59');
    expect(words(first)).not.toContain('reason 9 ');
    const older = /href="(\/ops\/audit\?before=\d+)"/.exec(first.text)?.[1] ?? '';
    const second = await get(shop, older, cookie);
    expect(words(second)).toContain('reason 9 ');
    expect(words(second)).toContain('Log in done');
    expect(second.text).toContain('&lt;script&gt;');
    expect(second.text).not.toContain('<script>alert');
    expect(second.text).not.toContain('>Older<');
  });

  it('shows what one person did, or one kind of action', async () => {
    const one = words(await get(shop, '/ops/audit?actor=operator%3Anight+shift', cookie));
    expect(one).toContain('alert(1)');
    expect(one).not.toContain('reason 59');
    const logins = words(await get(shop, '/ops/audit?action=session.login', cookie));
    expect(logins).toContain('Log in done');
    expect(logins).not.toContain('reason 59');
    expect(words(await get(shop, '/ops/audit?action=session.login&actor=operator%3Anight+shift', cookie))).toContain(
      'Nothing fits',
    );
  });

  it('A22 answers whatever stands in its address, at once', async () => {
    for (const query of [
      "actor=' or 1=1 --",
      'action=$1',
      'action=constructor',
      `actor=${'('.repeat(150)}`,
      'before=-1',
      'before=1e9',
    ]) {
      const began = performance.now();
      expect((await get(shop, `/ops/audit?${encodeURI(query)}`, cookie)).status).toBe(200);
      expect(performance.now() - began).toBeLessThan(1000);
    }
    expect((await get(shop, '/ops/audit?actor=%00', cookie)).status).toBe(400);
    expect((await get(shop, `/ops/audit?actor=${'x'.repeat(201)}`, cookie)).status).toBe(400);
    expect((await get(shop, '/ops/audit?actor=a&actor=b', cookie)).status).toBe(400);
  });
});

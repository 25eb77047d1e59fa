import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '../../src/kernel/json.js';
import { policyScope } from '../../src/payments/policies.js';
import { Policies } from '../../src/payments/policies.pg.js';
import { defaultPolicy, type PolicyRules } from '../../src/payments/policy.js';
import { SystemClock } from '../../src/platform/clock.js';
import { EventStore } from '../../src/platform/event-store/event-store.pg.js';
import { RandomIds } from '../../src/platform/ids.js';
import { testDatabase, type TestDatabase } from '../support/database.js';

const ids = new RandomIds();
const clock = new SystemClock();

let database: TestDatabase;
let store: EventStore;
let policies: Policies;
/** Another process on the same database. */
let otherStore: EventStore;
let otherPolicies: Policies;

beforeAll(async () => {
  database = await testDatabase();
  store = new EventStore({ url: database.url });
  policies = new Policies(store, clock, ids);
  otherStore = new EventStore({ url: database.url });
  otherPolicies = new Policies(otherStore, clock, ids);
});
afterAll(async () => {
  await Promise.all([store.close(), otherStore.close()]);
  await database.drop();
});

const cause = () => ({ actor: 'application:test', correlationId: randomUUID(), causationId: randomUUID() });
const confirmations = (count: number): PolicyRules => ({
  ...defaultPolicy.rules,
  paidWhen: { rule: 'confirmations', count },
});
const define = (app: string, name: string, rules: PolicyRules, by = policies) => by.define(app, name, rules, cause());
const streamsOf = async (app: string): Promise<string[]> => [
  ...(await store.streamsOf(policyScope(app), 1000)).values(),
];

describe('A policy', () => {
  it('begins at version 1 and gets one more at each change of its rules; no version is lost', async () => {
    const app = ids.next();
    expect(await policies.find(app, 'gold')).toBeNull();
    const first = await define(app, 'gold', confirmations(1));
    expect(first).toMatchObject({ name: 'gold', version: 1, rules: confirmations(1), added: true });
    expect(await define(app, 'gold', confirmations(2))).toMatchObject({ version: 2, added: true });
    expect(await define(app, 'gold', confirmations(1))).toMatchObject({ version: 3, added: true });
    expect(await policies.find(app, 'gold')).toMatchObject({ version: 3, rules: confirmations(1) });
    const history = await policies.history(app, 'gold');
    expect(history.map(({ version, rules }) => [version, rules])).toEqual([
      [1, confirmations(1)],
      [2, confirmations(2)],
      [3, confirmations(1)],
    ]);
    expect(history[0]?.definedAt).toBe(first.definedAt);
  });

  it('gets no new version by the rules that its newest one has, however they are spelled', async () => {
    const app = ids.next();
    const rules: PolicyRules = {
      ...defaultPolicy.rules,
      underpayment: { tolerancePercent: '1.50', then: 'review' },
      latePayment: { window: 'P3D', then: 'accept' },
    };
    const first = await define(app, 'gold', rules);
    const again = await define(app, 'gold', {
      latePayment: { then: 'accept', window: 'PT72H' },
      underpayment: { then: 'review', tolerancePercent: '1.5' },
      overpayment: { then: 'credit', tolerancePercent: '0.0' },
      paidWhen: { rule: 'settled' },
    });
    expect(again).toEqual({ ...first, added: false });
    expect(again.rules).toEqual(rules);
    expect(await policies.history(app, 'gold')).toHaveLength(1);
  });

  it.each<[string, Partial<PolicyRules>]>([
    ['when it is paid', { paidWhen: { rule: 'detected' } }],
    ['how many confirmations it needs', { paidWhen: { rule: 'confirmations', count: 2 } }],
    ['how much may be missing', { underpayment: { tolerancePercent: '0.01', then: 'reject' } }],
    ['what happens to too little', { underpayment: { tolerancePercent: '0', then: 'partial_credit' } }],
    ['how much may be too much', { overpayment: { tolerancePercent: '0.01', then: 'credit' } }],
    ['what happens to too much', { overpayment: { tolerancePercent: '0', then: 'keep' } }],
    ['until when late money counts', { latePayment: { window: 'PT71H59M', then: 'review' } }],
    ['what happens to late money', { latePayment: { window: 'PT72H', then: 'accept' } }],
  ])('gets a new version by a change of %s alone', async (_, change) => {
    const app = ids.next();
    await define(app, 'gold', confirmations(1));
    await define(app, 'gold', defaultPolicy.rules);
    expect(await define(app, 'gold', { ...defaultPolicy.rules, ...change })).toMatchObject({ version: 3, added: true });
  });

  it('is one stream of facts that say what, when and by whom', async () => {
    const app = ids.next();
    const by = cause();
    await policies.define(app, 'gold', confirmations(1), by);
    await policies.define(app, 'gold', confirmations(2), by);
    const streamIds = await streamsOf(app);
    expect(streamIds).toHaveLength(1);
    const { events } = await store.read(streamIds[0] ?? '');
    expect(events.map((event) => [event.type, event.schemaVersion, event.version])).toEqual([
      ['PolicyDefined', 1, 1],
      ['PolicyDefined', 1, 2],
    ]);
    const [event] = events;
    expect(event).toMatchObject({ tenant: app, ...by });
    expect(event?.data).toEqual({ name: 'gold', version: 1, rules: confirmations(1), at: event?.recordedAt });
  });

  it('that a newer Finality has written is not guessed at', async () => {
    const app = ids.next();
    await define(app, 'gold', confirmations(1));
    const [streamId = ''] = await streamsOf(app);
    const { head } = await store.read(streamId);
    const data: JsonObject = { name: 'gold', version: 2 };
    await store.append({
      streamId,
      head,
      events: [{ id: ids.next(), type: 'PolicyDefined', schemaVersion: 2, data }],
      metadata: { tenant: app, ...cause(), recordedAt: clock.now() },
    });
    await expect(policies.find(app, 'gold')).rejects.toThrow(/not known to this version/);
  });

  it('is not there for another application, which may have one of the same name', async () => {
    const [mine, theirs] = [ids.next(), ids.next()];
    await define(mine, 'gold', confirmations(1));
    await define(mine, 'gold', confirmations(2));
    expect(await policies.find(theirs, 'gold')).toBeNull();
    expect(await policies.history(theirs, 'gold')).toEqual([]);
    expect(await define(theirs, 'gold', confirmations(9))).toMatchObject({ version: 1 });
    expect(await policies.find(mine, 'gold')).toMatchObject({ version: 2, rules: confirmations(2) });
  });

  it.each([
    'inline',
    '',
    'Gold',
    '1st',
    '-a',
    '_a',
    'a b',
    'a/b',
    'a.b',
    'gölд',
    'a\u0000',
    'a\n',
    `a${'x'.repeat(64)}`,
  ])('cannot be named %j', async (name) => {
    const app = ids.next();
    await expect(define(app, name, confirmations(1))).rejects.toMatchObject({ code: 'invalid_request' });
    expect(await policies.find(app, name)).toBeNull();
    expect(await streamsOf(app)).toEqual([]);
  });

  it.each(['a', 'a-b_c9', 'default2', `a${'x'.repeat(63)}`])('can be named %s', async (name) => {
    expect(await define(ids.next(), name, confirmations(1))).toMatchObject({ name, version: 1 });
  });
});

describe('The policy `default`', () => {
  it('is there before anybody defines it', async () => {
    const app = ids.next();
    const builtIn = { ...defaultPolicy, definedAt: null };
    expect(await policies.find(app, 'default')).toEqual(builtIn);
    expect(await policies.history(app, 'default')).toEqual([builtIn]);
    expect(await policies.list(app)).toEqual([builtIn]);
  });

  it('stays the built-in one where an application defines the same', async () => {
    const app = ids.next();
    expect(await define(app, 'default', defaultPolicy.rules)).toEqual({
      ...defaultPolicy,
      definedAt: null,
      added: false,
    });
    expect(await streamsOf(app)).toEqual([]);
  });

  it('is at version 2 when an application first defines its own, and the built-in one stays to be seen', async () => {
    const app = ids.next();
    expect(await define(app, 'default', confirmations(3))).toMatchObject({ version: 2, added: true });
    expect(await define(app, 'default', defaultPolicy.rules)).toMatchObject({ version: 3, added: true });
    expect((await policies.history(app, 'default')).map(({ version, rules }) => [version, rules])).toEqual([
      [1, defaultPolicy.rules],
      [2, confirmations(3)],
      [3, defaultPolicy.rules],
    ]);
    expect(await policies.find(ids.next(), 'default')).toMatchObject({ version: 1 });
  });
});

describe('Definitions at the same moment', () => {
  it('by two processes give 20 versions without a gap, each with the rules of one of them', async () => {
    const app = ids.next();
    const counts = Array.from({ length: 20 }, (_, at) => at + 1);
    const defined = await Promise.all(
      counts.map((count) => define(app, 'gold', confirmations(count), count % 2 === 0 ? policies : otherPolicies)),
    );
    expect(defined.map(({ version }) => version).sort((a, b) => a - b)).toEqual(counts);
    const history = await policies.history(app, 'gold');
    expect(history.map(({ version }) => version)).toEqual(counts);
    for (const { version, rules } of defined) expect(history[version - 1]?.rules).toEqual(rules);
    expect(history.map(({ rules }) => JSON.stringify(rules)).sort()).toEqual(
      counts.map((count) => JSON.stringify(confirmations(count))).sort(),
    );
    expect(await streamsOf(app)).toHaveLength(1);
  });

  it('of the same rules are one version, which one of them has made', async () => {
    const app = ids.next();
    const defined = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        define(app, 'gold', confirmations(1), at % 2 === 0 ? policies : otherPolicies),
      ),
    );
    expect(defined.filter(({ added }) => added)).toHaveLength(1);
    expect(new Set(defined.map(({ version }) => version))).toEqual(new Set([1]));
    expect(await policies.history(app, 'gold')).toHaveLength(1);
  });

  it('of different names are policies of their own', async () => {
    const app = ids.next();
    const names = Array.from({ length: 20 }, (_, at) => `p${String(at).padStart(2, '0')}`);
    const defined = await Promise.all(names.map((name) => define(app, name, confirmations(1))));
    expect(defined.every(({ version, added }) => version === 1 && added)).toBe(true);
    expect((await policies.list(app)).map(({ name }) => name)).toEqual(['default', ...names]);
  });
});

describe('The policies of an application', () => {
  it('are listed by name, the newest version of each, and page by page with none lost or twice', async () => {
    const app = ids.next();
    const names = ['b', 'a', 'default', 'a-b', 'a_b', 'ab', 'zebra', 'e'];
    for (const name of names) await define(app, name, confirmations(1));
    await define(app, 'ab', confirmations(2));
    const all = await policies.list(app);
    expect(all.map(({ name }) => name)).toEqual([...names].sort());
    expect(all.map(({ version }) => version)).toEqual(
      all.map(({ name }) => (name === 'ab' || name === 'default' ? 2 : 1)),
    );
    const paged: string[] = [];
    for (let after: string | null = null, page = ['-']; page.length > 0; after = page.at(-1) ?? null) {
      page = (await policies.list(app, { after, limit: 3 })).map(({ name }) => name);
      paged.push(...page);
    }
    expect(paged).toEqual(all.map(({ name }) => name));
  });

  it('are 500 at most; what is there can still be changed', async () => {
    const app = ids.next();
    const names = Array.from({ length: 500 }, (_, at) => `p${String(at)}`);
    await Promise.all(names.map((name) => define(app, name, confirmations(1))));
    await expect(define(app, 'one-more', confirmations(1))).rejects.toMatchObject({ code: 'conflict' });
    expect(await policies.find(app, 'one-more')).toBeNull();
    expect(await define(app, 'p17', confirmations(2))).toMatchObject({ version: 2 });
    expect(await policies.list(app)).toHaveLength(501);
    expect(await define(ids.next(), 'one-more', confirmations(1))).toMatchObject({ version: 1 });
  });

  it('have 500 versions each at most', async () => {
    const app = ids.next();
    await define(app, 'gold', confirmations(1));
    const [streamId = ''] = await streamsOf(app);
    const { head } = await store.read(streamId);
    const events = Array.from({ length: 499 }, (_, at) => ({
      id: ids.next(),
      type: 'PolicyDefined',
      schemaVersion: 1,
      data: {
        name: 'gold',
        version: at + 2,
        rules: confirmations(at + 2) as unknown as JsonObject,
        at: clock.now(),
      },
    }));
    await store.append({
      streamId,
      head,
      events,
      metadata: { tenant: app, ...cause(), recordedAt: clock.now() },
    });
    expect(await policies.find(app, 'gold')).toMatchObject({ version: 500 });
    await expect(define(app, 'gold', confirmations(1))).rejects.toMatchObject({ code: 'conflict' });
    expect(await define(app, 'gold', confirmations(500))).toMatchObject({ version: 500, added: false });
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testDatabase, type TestDatabase } from '../../support/database.js';
import {
  Conflict,
  EventStore,
  StoreUnavailable,
  type Append,
} from '../../../src/platform/event-store/event-store.pg.js';
import { cuttingProxy, type CuttingProxy } from './cutting-proxy.js';
import { aMessage, anEvent, newId, noEvents, someMetadata } from './samples.js';

let database: TestDatabase;
let proxy: CuttingProxy;
let store: EventStore;
let direct: EventStore;

beforeAll(async () => {
  database = await testDatabase();
  proxy = await cuttingProxy(database.url);
  store = new EventStore({ url: proxy.url });
  direct = new EventStore({ url: database.url });
});
afterAll(async () => {
  await Promise.all([store.close(), direct.close()]);
  await proxy.close();
  await database.drop();
});

const anAppend = (more: Partial<Append> = {}): Append => {
  return { streamId: newId(), head: noEvents, events: [anEvent()], metadata: someMetadata(), ...more };
};
const idsIn = async (streamId: string) => (await direct.read(streamId)).events.map((event) => event.id);

describe.each(['answered', 'sent'] as const)('When the connection is cut as soon as a statement is %s', (when) => {
  const shapes: [string, () => Append][] = [
    ['an event', () => anAppend()],
    ['several events', () => anAppend({ events: [anEvent(), anEvent()] })],
    ['an event with its message', () => anAppend({ message: aMessage(newId()) })],
    [
      'several events with a message and keys',
      () =>
        anAppend({
          events: [anEvent(), anEvent()],
          message: aMessage(newId()),
          keys: [{ scope: 'order', key: newId() }],
        }),
    ],
  ];

  it.each(shapes)('D02: %s is appended once, and the caller hears of it', async (_, shape) => {
    const append = shape();
    const cuts = proxy.cuts();
    proxy.cut('append-', when);
    const outcome = await store.append(append);
    expect(proxy.cuts()).toBe(cuts + 1);
    const { events } = await direct.read(append.streamId);
    expect(events.map((event) => event.id)).toEqual(append.events.map((event) => event.id));
    expect(outcome).toEqual({
      outcome: 'appended',
      head: (await direct.read(append.streamId)).head,
      position: events.at(-1)?.position,
      events,
    });
    if (append.message)
      expect(await direct.messagesOf(append.streamId)).toMatchObject([{ id: append.message.id, receipts: 1 }]);
    for (const { scope, key } of append.keys ?? []) expect(await direct.streamOf(scope, key)).toBe(append.streamId);
  });

  it('D02: a takeover of a key is done once', async () => {
    const owner = anAppend({ keys: [{ scope: 'order', key: newId() }] });
    await direct.append(owner);
    const keys = (owner.keys ?? []).map((claim) => ({ ...claim, replaces: owner.streamId }));
    const heir = anAppend({ keys });
    proxy.cut('append-', when);
    expect(await store.append(heir)).toMatchObject({ outcome: 'appended', head: { version: 1 } });
    expect(await direct.streamOf('order', keys[0]?.key ?? '')).toBe(heir.streamId);
  });

  it('D02: a message alone is recorded once and counted once', async () => {
    const message = aMessage(newId());
    const streamId = newId();
    proxy.cut('append-', when);
    expect(await store.recordMessage(streamId, message)).toMatchObject({ outcome: 'appended' });
    expect(await direct.messagesOf(streamId)).toMatchObject([{ id: message.id, receipts: 1 }]);
  });

  it('D02: every member of a shared statement is appended once', async () => {
    const appends = Array.from({ length: 60 }, (_, n) => anAppend(n % 2 ? { message: aMessage(newId()) } : {}));
    proxy.cut('append-many', when);
    const outcomes = await Promise.all(appends.map((append) => store.append(append)));
    expect(outcomes.every((one) => one.outcome === 'appended' && one.head.version === 1 && one.position > 0)).toBe(
      true,
    );
    for (const append of appends) expect(await idsIn(append.streamId)).toEqual([append.events[0]?.id]);
  });
});

describe('When the outcome of an append was not known', () => {
  it('and another process wrote that version, it is a conflict', async () => {
    const append = anAppend();
    const rival = anAppend({ streamId: append.streamId });
    proxy.cut('append-', 'sent');
    const [own, other] = await Promise.allSettled([store.append(append), direct.append(rival)]);
    const winner = [own, other].filter((one) => one.status === 'fulfilled');
    const loser = [own, other].filter((one) => one.status === 'rejected');
    expect([winner.length, loser.length]).toEqual([1, 1]);
    expect(loser[0]?.reason).toBeInstanceOf(Conflict);
    expect(await idsIn(append.streamId)).toHaveLength(1);
  });

  it('D07: and stays unknown, the caller is told so, and may try the same append again without harm', async () => {
    const append = anAppend({ message: aMessage(newId()) });
    proxy.cut('append-', 'answered', 1000);
    await expect(store.append(append)).rejects.toThrow(StoreUnavailable);
    proxy.cut('', 'sent', 0);
    expect(await idsIn(append.streamId)).toEqual([append.events[0]?.id]);
    expect(await store.append(append)).toMatchObject({ outcome: 'appended', head: { version: 1 } });
    expect(await idsIn(append.streamId)).toEqual([append.events[0]?.id]);
    expect(await direct.messagesOf(append.streamId)).toMatchObject([{ receipts: 1 }]);
  });
});

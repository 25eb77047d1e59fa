import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testDatabase, type TestDatabase } from '../../support/database.js';
import { auditChains } from '../../../src/platform/event-store/chain-audit.pg.js';
import {
  Conflict,
  EventStore,
  KeyTaken,
  StoreUnavailable,
  type Append,
  type StreamHead,
} from '../../../src/platform/event-store/event-store.pg.js';
import { aMessage, anEvent, newId, noEvents, someMetadata } from './samples.js';

let database: TestDatabase;
let store: EventStore;

beforeAll(async () => {
  database = await testDatabase();
  store = new EventStore({ url: database.url });
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const append = (streamId: string, head: StreamHead, more: Partial<Append> = {}) =>
  store.append({ streamId, head, events: [anEvent()], metadata: someMetadata(), ...more });
const headOf = async (streamId: string): Promise<StreamHead> => (await store.read(streamId)).head;
/** Everything that the store holds about a stream. */
const rowsOf = async (streamId: string) => {
  const count = async (table: string): Promise<number> => {
    const { rows } = await database.pool.query(`select count(*)::integer as n from ${table} where stream_id = $1`, [
      streamId,
    ]);
    return rows[0].n;
  };
  return { events: await count('event'), messages: await count('inbox'), keys: await count('stream_key') };
};
const nothing = { events: 0, messages: 0, keys: 0 };

describe('A stream', () => {
  it('without events is at version 0', async () => {
    const streamId = newId();
    expect(await store.read(streamId)).toEqual({ streamId, events: [], head: noEvents });
  });

  it('gives back what was appended, at gap-free versions and growing positions', async () => {
    const streamId = newId();
    const metadata = someMetadata();
    const [a, b, c] = [anEvent({ n: 1 }), anEvent({ n: 2 }), anEvent({ n: 3 })];
    const first = await append(streamId, noEvents, { events: [a, b], metadata });
    const second = await append(streamId, await headOf(streamId), { events: [c], metadata });
    const { events, head } = await store.read(streamId);
    expect(events.map((event) => [event.version, event.id, event.data])).toEqual([
      [1, a.id, { n: 1 }],
      [2, b.id, { n: 2 }],
      [3, c.id, { n: 3 }],
    ]);
    expect(events[0]).toMatchObject({ ...metadata, streamId, type: 'PaymentSeen', schemaVersion: 1 });
    expect(head.version).toBe(3);
    expect([first, second]).toMatchObject([
      { outcome: 'appended', head: { version: 2 }, position: events[1]?.position, events: events.slice(0, 2) },
      { outcome: 'appended', head: { version: 3 }, position: events[2]?.position, events: events.slice(2) },
    ]);
    const positions = events.map((event) => event.position);
    expect(positions).toEqual([...positions].sort((x, y) => x - y));
  });

  it('is read alone and among others with the same result, and only in the spelling that we issue', async () => {
    const ids = [newId(), newId(), newId()];
    await Promise.all(ids.slice(0, 2).map((streamId) => append(streamId, noEvents)));
    const many = await store.readMany(ids);
    for (const streamId of ids) expect(many.get(streamId)).toEqual(await store.read(streamId));
    await expect(store.read(newId().toUpperCase())).rejects.toThrow(TypeError);
  });

  it('keeps the bytes of its data, and reads them back as they were meant', async () => {
    const streamId = newId();
    const data = {
      text: 'Grüße 😀 "quoted" \\ back\u2028 \u0001 {a,b} NULL',
      tiny: 3.079e-5,
      huge: 1e21,
      list: [[], {}, null, true, -0.5],
      '': 'empty key',
    };
    await Promise.all([
      append(streamId, noEvents, { events: [anEvent(data), anEvent(data)] }),
      append(newId(), noEvents),
    ]);
    const { rows } = await database.pool.query<{ text: string }>(
      'select data::text as text from event where stream_id = $1',
      [streamId],
    );
    expect(rows.map((row) => row.text)).toEqual([JSON.stringify(data), JSON.stringify(data)]);
    expect((await store.read(streamId)).events[1]?.data).toEqual(data);
  });

  it('keeps its times to the millisecond in one spelling', async () => {
    const times = ['2026-01-31T12:00:00.000Z', '2026-01-31T12:00:00.100Z', '2026-12-31T23:59:59.999Z'];
    for (const recordedAt of times) {
      const streamId = newId();
      await append(streamId, noEvents, { metadata: { ...someMetadata(), recordedAt } });
      expect((await store.read(streamId)).events[0]?.recordedAt).toBe(recordedAt);
    }
  });
});

describe('An append that was decided on an old state', () => {
  it('is a conflict and leaves nothing: no event, no evidence, no key', async () => {
    const streamId = newId();
    await append(streamId, noEvents);
    const before = await rowsOf(streamId);
    const more = { message: aMessage(streamId), keys: [{ scope: 'order', key: streamId }] };
    await expect(append(streamId, noEvents)).rejects.toThrow(Conflict);
    await expect(append(streamId, noEvents, { message: more.message })).rejects.toThrow(Conflict);
    await expect(append(streamId, noEvents, more)).rejects.toThrow(Conflict);
    await expect(append(streamId, noEvents, { ...more, events: [anEvent(), anEvent()] })).rejects.toThrow(Conflict);
    expect(await rowsOf(streamId)).toEqual(before);
  });

  it('is a conflict too when its predecessor is missing or has another hash', async () => {
    const streamId = newId();
    await append(streamId, noEvents);
    const { version, hash } = await headOf(streamId);
    const message = aMessage(streamId);
    for (const head of [
      { version: version + 1, hash },
      { version, hash: Buffer.alloc(32, 7) },
      { version, hash: null },
    ]) {
      await expect(append(streamId, head)).rejects.toThrow(Conflict);
      await expect(append(streamId, head, { message })).rejects.toThrow(Conflict);
      await expect(append(streamId, head, { message, events: [anEvent(), anEvent()] })).rejects.toThrow(Conflict);
    }
    expect(await rowsOf(streamId)).toEqual({ events: 1, messages: 0, keys: 0 });
  });

  it('loses alone: of many for one stream exactly one is written, and its neighbours are', async () => {
    const streamId = newId();
    const others = Array.from({ length: 40 }, newId);
    const rivals = Array.from({ length: 40 }, (_, n) =>
      append(streamId, noEvents, { message: aMessage(`rival ${streamId} ${n}`) }),
    );
    const settled = await Promise.allSettled([...rivals, ...others.map((id) => append(id, noEvents))]);
    const failed = settled.filter((one) => one.status === 'rejected');
    expect(failed.map((one) => one.reason.name)).toEqual(Array.from({ length: 39 }, () => 'Conflict'));
    expect(await rowsOf(streamId)).toEqual({ events: 1, messages: 1, keys: 0 });
    for (const id of others) expect(await rowsOf(id)).toMatchObject({ events: 1 });
  });

  it('D06: loses alone against another process that commits while both are in flight', async () => {
    const second = new EventStore({ url: database.url });
    const shared = Array.from({ length: 30 }, newId);
    const round = (through: EventStore) =>
      shared.map((streamId) =>
        through.append({ streamId, head: noEvents, events: [anEvent()], metadata: someMetadata() }),
      );
    const settled = await Promise.allSettled([...round(store), ...round(second)]);
    await second.close();
    const outcomes = settled.map((one) => (one.status === 'fulfilled' ? 'appended' : one.reason.name));
    expect(outcomes.filter((outcome) => outcome === 'appended')).toHaveLength(30);
    expect(outcomes.filter((outcome) => outcome === 'Conflict')).toHaveLength(30);
    for (const streamId of shared) expect(await rowsOf(streamId)).toMatchObject({ events: 1 });
  });
});

describe('An append with values that the database refuses', () => {
  it('fails alone, with the reason', async () => {
    const good = newId();
    const bad = newId();
    const refused = append(bad, noEvents, { metadata: { ...someMetadata(), tenant: 'nobody' } });
    const [one, two] = await Promise.allSettled([append(good, noEvents), refused]);
    expect([one.status, two.status]).toEqual(['fulfilled', 'rejected']);
    expect(two).toMatchObject({ reason: { code: '22P02' } });
    expect(await rowsOf(bad)).toEqual(nothing);
  });
});

describe('A message', () => {
  it('is kept with the events it caused, byte for byte', async () => {
    const streamId = newId();
    const headers = { hmac: 'ab"c', 'user-agent': 'Ünknown/1' };
    const message = aMessage('{"status": "Paid",\n "ü": 1}', { reason: 'seen', headers });
    await append(streamId, noEvents, { message });
    const kept = await store.messagesOf(streamId);
    expect(kept).toEqual([{ ...message, streamId, lastReceivedAt: message.receivedAt, receipts: 1 }]);
  });

  it('that comes again is counted and causes nothing, whatever the stream has become', async () => {
    const streamId = newId();
    await append(streamId, noEvents, { message: aMessage(streamId) });
    const again = aMessage(streamId, { receivedAt: '2026-02-03T05:00:00.000Z' });
    expect(await append(streamId, await headOf(streamId), { message: again })).toEqual({
      outcome: 'duplicate',
      receipts: 2,
      status: 'applied',
    });
    expect(await append(streamId, noEvents, { message: aMessage(streamId) })).toMatchObject({
      outcome: 'duplicate',
      receipts: 3,
    });
    expect(
      await append(streamId, await headOf(streamId), { message: aMessage(streamId), events: [anEvent(), anEvent()] }),
    ).toMatchObject({ receipts: 4 });
    expect(await rowsOf(streamId)).toEqual({ events: 1, messages: 1, keys: 0 });
    expect((await store.messagesOf(streamId))[0]).toMatchObject({ lastReceivedAt: again.receivedAt, receipts: 4 });
  });

  it('that arrives many times at once is applied once', async () => {
    const streamId = newId();
    const second = new EventStore({ url: database.url });
    const deliver = async (through: EventStore): Promise<string> => {
      for (;;) {
        const { head } = await through.read(streamId);
        try {
          const append = { streamId, head, events: [anEvent()], metadata: someMetadata(), message: aMessage(streamId) };
          return (await through.append(append)).outcome;
        } catch (error) {
          if (!(error instanceof Conflict)) throw error;
        }
      }
    };
    const outcomes = await Promise.all(Array.from({ length: 40 }, (_, n) => deliver(n % 2 ? store : second)));
    await second.close();
    expect(outcomes.filter((outcome) => outcome === 'appended')).toHaveLength(1);
    expect(await rowsOf(streamId)).toEqual({ events: 1, messages: 1, keys: 0 });
    expect((await store.messagesOf(streamId))[0]?.receipts).toBe(40);
  });

  it('about the same subject is another message for another stream', async () => {
    const [one, two] = [newId(), newId()];
    await append(one, noEvents, { message: aMessage('same') });
    expect(await append(two, noEvents, { message: aMessage('same') })).toMatchObject({ outcome: 'appended' });
  });

  it('without events is kept alone, whatever the head', async () => {
    const streamId = newId();
    const outcome = await append(
      streamId,
      { version: 9, hash: Buffer.alloc(32) },
      { events: [], message: aMessage(streamId) },
    );
    expect(outcome).toMatchObject({ outcome: 'appended', events: [] });
    expect(await rowsOf(streamId)).toEqual({ events: 0, messages: 1, keys: 0 });
  });

  it('that no stream was found for waits, once per content, until it is matched', async () => {
    const subject = newId();
    const lost = (content: string) =>
      store.recordMessage(null, aMessage(content + subject, { subject, status: 'unmatched' }));
    const outcomes = await Promise.all([lost('a'), lost('b'), lost('a')]);
    expect(outcomes.map((one) => one.outcome)).toEqual(['appended', 'appended', 'duplicate']);
    const open = await store.openMessages('callback', subject);
    expect(open.map((message) => [message.body.toString(), message.receipts])).toEqual([
      ['a' + subject, 2],
      ['b' + subject, 1],
    ]);
    const [first] = open;
    if (!first) throw new Error('nothing is open');
    expect([await store.markMatched(null, first.digest), await store.markMatched(null, first.digest)]).toEqual([
      true,
      false,
    ]);
    expect(await store.openMessages('callback', subject)).toHaveLength(1);
  });
});

describe('A key', () => {
  it('leads to the stream that claimed it', async () => {
    const streamId = newId();
    await append(streamId, noEvents, {
      keys: [
        { scope: 'order', key: streamId },
        { scope: 'track', key: streamId },
      ],
    });
    expect(await store.streamOf('order', streamId)).toBe(streamId);
    expect(await store.streamOf('other scope', streamId)).toBeNull();
    expect(await rowsOf(streamId)).toEqual({ events: 1, messages: 0, keys: 2 });
  });

  it('of another stream cannot be claimed: nothing is written, not even the other keys', async () => {
    const [owner, rival] = [newId(), newId()];
    await append(owner, noEvents, { keys: [{ scope: 'order', key: owner }] });
    const keys = [
      { scope: 'track', key: rival },
      { scope: 'order', key: owner },
    ];
    const refused = await append(rival, noEvents, { keys, message: aMessage(rival) }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(KeyTaken);
    expect(refused).toMatchObject({ scope: 'order', key: owner, streamId: owner });
    expect(await rowsOf(rival)).toEqual(nothing);
  });

  it('that many claim at once goes to one of them', async () => {
    const second = new EventStore({ url: database.url });
    const key = newId();
    const streams = Array.from({ length: 20 }, newId);
    const settled = await Promise.allSettled(
      streams.map((streamId, n) =>
        (n % 2 ? store : second).append({
          streamId,
          head: noEvents,
          events: [anEvent()],
          metadata: someMetadata(),
          keys: [{ scope: 'order', key }],
        }),
      ),
    );
    await second.close();
    const winners = streams.filter((_, n) => settled[n]?.status === 'fulfilled');
    expect(winners).toEqual([await store.streamOf('order', key)]);
    for (const one of settled) if (one.status === 'rejected') expect(one.reason).toBeInstanceOf(KeyTaken);
    for (const streamId of streams)
      expect(await rowsOf(streamId)).toMatchObject({ events: winners.includes(streamId) ? 1 : 0 });
  });

  it('can be claimed again by its own stream', async () => {
    const streamId = newId();
    const keys = [{ scope: 'order', key: streamId }];
    await append(streamId, noEvents, { keys });
    expect(await append(streamId, await headOf(streamId), { keys })).toMatchObject({
      outcome: 'appended',
      head: { version: 2 },
    });
  });

  it('is taken over from the stream that is named, and from no other', async () => {
    const [old, next, late] = [newId(), newId(), newId()];
    await append(old, noEvents, {
      keys: [
        { scope: 'order', key: old },
        { scope: 'track', key: old },
      ],
    });
    const keys = [{ scope: 'order', key: old, replaces: old }];
    expect(await append(next, noEvents, { keys })).toMatchObject({ outcome: 'appended' });
    expect(await store.streamOf('order', old)).toBe(next);
    expect(await store.streamOf('track', old)).toBe(old);
    await expect(append(late, noEvents, { keys })).rejects.toMatchObject({ name: 'KeyTaken', streamId: next });
    expect(await rowsOf(late)).toEqual(nothing);
  });

  it('that many want to take over goes to one of them', async () => {
    const second = new EventStore({ url: database.url });
    const [old, ...rivals] = Array.from({ length: 12 }, newId) as [string, ...string[]];
    await append(old, noEvents, { keys: [{ scope: 'order', key: old }] });
    const keys = [{ scope: 'order', key: old, replaces: old }];
    const settled = await Promise.allSettled(
      rivals.map((streamId, n) =>
        (n % 2 ? store : second).append({
          streamId,
          head: noEvents,
          events: [anEvent()],
          metadata: someMetadata(),
          keys,
        }),
      ),
    );
    await second.close();
    expect(settled.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
    const written = await Promise.all(rivals.map(async (streamId) => (await rowsOf(streamId)).events));
    expect(written.reduce((sum, n) => sum + n, 0)).toBe(1);
  });
});

describe('What is written', () => {
  it.each(['update event set actor = actor', 'delete from event', 'truncate event'])(
    'refuses "%s"',
    async (statement) => {
      await append(newId(), noEvents);
      await expect(database.pool.query(statement)).rejects.toMatchObject({ code: '23001' });
    },
  );

  it('D13: forms a chain per stream, in which one changed byte is found', async () => {
    const streamId = newId();
    await append(streamId, noEvents, {
      events: [anEvent({ amount: '10.00' }), anEvent({ amount: '20.00' }), anEvent()],
    });
    expect((await auditChains(database.pool)).breaks).toEqual([]);
    const client = await database.pool.connect();
    await client.query('begin; set local session_replication_role = replica');
    await client.query(`update event set data = '{"amount":"20.01"}' where stream_id = $1 and version = 2`, [streamId]);
    await client.query('commit');
    client.release();
    expect((await auditChains(database.pool)).breaks).toMatchObject([
      { streamId, version: 2, reason: 'hash_mismatch' },
    ]);
  });
});

describe('The event store', () => {
  it('tells its own process of what it committed, and of nothing else', async () => {
    const told: number[] = [];
    const stop = store.onAppended((position) => told.push(position));
    const streamId = newId();
    const outcome = await append(streamId, noEvents);
    await append(streamId, noEvents).catch(() => undefined);
    await store.recordMessage(streamId, aMessage('quiet'));
    stop();
    await append(newId(), noEvents);
    expect(told).toEqual([outcome.outcome === 'appended' && outcome.position]);
  });

  it('refuses appends beyond its bound instead of piling them up', async () => {
    const small = new EventStore({ url: database.url, maxWaiting: 5 });
    const settled = await Promise.allSettled(
      Array.from({ length: 20 }, () =>
        small.append({ streamId: newId(), head: noEvents, events: [anEvent()], metadata: someMetadata() }),
      ),
    );
    await small.close();
    expect(settled.filter((one) => one.status === 'fulfilled')).toHaveLength(5);
    for (const one of settled) if (one.status === 'rejected') expect(one.reason).toBeInstanceOf(StoreUnavailable);
  });

  it('finishes what it accepted when it closes, and then takes no more', async () => {
    const closing = new EventStore({ url: database.url });
    const one = () =>
      closing.append({ streamId: newId(), head: noEvents, events: [anEvent()], metadata: someMetadata() });
    const accepted = Array.from({ length: 50 }, one);
    const closed = closing.close();
    await expect(one()).rejects.toThrow(StoreUnavailable);
    expect((await Promise.all(accepted)).every((outcome) => outcome.outcome === 'appended')).toBe(true);
    await closed;
    await expect(closing.read(newId())).rejects.toThrow(StoreUnavailable);
  });

  it('is unavailable, and says so, while there is no database', async () => {
    const url = new URL(database.url);
    url.port = '1';
    const away = new EventStore({ url: url.href });
    await expect(away.read(newId())).rejects.toThrow(StoreUnavailable);
    const lost = away.append({ streamId: newId(), head: noEvents, events: [anEvent()], metadata: someMetadata() });
    await expect(lost).rejects.toThrow(StoreUnavailable);
    await away.close();
  });

  it('D09: is unavailable while the database is read-only', async () => {
    const url = new URL(database.url);
    url.searchParams.set('options', '-c default_transaction_read_only=on');
    const readOnly = new EventStore({ url: url.href });
    const append = { streamId: newId(), head: noEvents, events: [anEvent()], metadata: someMetadata() };
    const outcome = await readOnly.append(append).catch((error: unknown) => error);
    await readOnly.close();
    expect(outcome).toBeInstanceOf(StoreUnavailable);
    expect(outcome).toMatchObject({ cause: { code: '25006' } });
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import type { RecordedEvent } from '../../../src/kernel/event.js';
import { EventStore } from '../../../src/platform/event-store/event-store.pg.js';
import { LogReader } from '../../../src/platform/event-store/log-reader.pg.js';
import { Follower } from '../../../src/platform/subscriptions/follower.pg.js';
import { JetStreamReactor, streamName } from '../../../src/platform/subscriptions/jetstream.client.js';
import { testDatabase, type TestDatabase } from '../../support/database.js';
import { natsProgram, natsServer, type NatsServer } from '../../support/nats.js';
import { newId } from '../event-store/samples.js';
import { appendTo } from './tallies.js';

if (natsProgram === null)
  process.stderr.write(
    '\n!!! NOT TESTED: publishing to NATS JetStream. No nats-server is on PATH: apt-get install nats-server\n\n',
  );

let database: TestDatabase;
let store: EventStore;
let nats: NatsServer;
const closers: (() => Promise<void>)[] = [];

const reactor = (): JetStreamReactor => {
  const made = new JetStreamReactor(nats.url);
  closers.push(() => made.close());
  return made;
};

const follow = (published: JetStreamReactor, onError: (error: unknown) => void = () => undefined): Follower => {
  const options = { batchSize: 50, retryMs: 5, restMs: 50 };
  const log = new LogReader(database.pool);
  const deps = { pool: database.pool, log, appends: store, options };
  const follower = new Follower({ ...deps, onError: (_, error) => onError(error) }, published);
  closers.push(() => follower.stop());
  follower.start();
  return follower;
};

/** Everything in the stream, in its order. */
const messages = async (): Promise<{ subject: string; id: string; position: number; event: RecordedEvent }[]> => {
  const connection = await connect({ servers: nats.url });
  try {
    const manager = await jetstreamManager(connection);
    const { state } = await manager.streams.info(streamName);
    const found = [];
    for (let seq = Math.max(1, state.first_seq); seq <= state.last_seq; seq += 1) {
      const message = await manager.streams.getMessage(streamName, { seq });
      if (!message) throw new Error(`the message ${String(seq)} is gone`);
      const { subject, header } = message;
      const position = Number(header.get('Finality-Position'));
      found.push({ subject, id: header.get('Nats-Msg-Id'), position, event: message.json<RecordedEvent>() });
    }
    return found;
  } finally {
    await connection.close();
  }
};

const logged = (): Promise<RecordedEvent[]> => new LogReader(database.pool).read(0, 10_000);
const idsOf = (events: readonly { id: string }[]): string[] => events.map(({ id }) => id);

(natsProgram === null ? describe.skip : describe)('The log on NATS JetStream', () => {
  beforeAll(async () => {
    database = await testDatabase();
    store = new EventStore({ url: database.url });
    nats = await natsServer(natsProgram ?? '');
    await nats.start();
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  afterAll(async () => {
    await nats.remove();
    await store.close();
    await database.drop();
  });

  it('has each event once, in order, as it stands in the log and under its id', async () => {
    const follower = follow(reactor());
    const stream = newId();
    await appendTo(store, stream, 3);
    expect(await follower.waitFor(await appendTo(store), 5000)).toBe(true);
    const found = await messages();
    const log = await logged();
    expect(found.map(({ event }) => event)).toEqual(log);
    expect(idsOf(found)).toEqual(idsOf(log));
    expect(found.map(({ position }) => position)).toEqual(log.map(({ position }) => position));
    for (const { subject, event } of found)
      expect(subject).toBe(`finality.events.${event.tenant}.${event.type}.${event.streamId}`);
  });

  it('waits while NATS is away, says so, and goes on where it stood', async () => {
    const errors: unknown[] = [];
    const follower = follow(reactor(), (error) => errors.push(error));
    expect(await follower.waitFor(await appendTo(store), 5000)).toBe(true);
    await nats.kill();
    const streams = Array.from({ length: 40 }, newId);
    let last = 0;
    for (const stream of streams) last = await appendTo(store, stream, 5);
    expect(await follower.waitFor(last, 300)).toBe(false);
    expect(errors.length).toBeGreaterThan(0);
    await nats.start();
    expect(await follower.waitFor(last, 10_000)).toBe(true);
    expect(idsOf(await messages())).toEqual(idsOf(await logged()));
    expect((await follower.status()).error).toBeNull();
  });

  it('passes over what was published and not noted, however the pages were cut', async () => {
    const follower = follow(reactor());
    expect(await follower.waitFor(await appendTo(store), 5000)).toBe(true);
    await follower.stop();
    const after = (await messages()).at(-1)?.position ?? 0;
    for (let n = 0; n < 6; n += 1) await appendTo(store, newId(), 5);
    const events = (await logged()).filter(({ position }) => position > after);
    const [one, other] = [reactor(), reactor()];
    await one.react(null, events.slice(0, 20));
    await other.react(null, events.slice(0, 7));
    await one.react(null, events.slice(7, 25));
    await other.react(null, events.slice(20));
    expect(idsOf(await messages())).toEqual(idsOf(await logged()));
  });

  it('stands still where the database has another past than the stream', async () => {
    const events = await logged();
    const [first] = events;
    if (!first) throw new Error('the log is empty');
    const other = events.map((event, at) => (at === 3 ? { ...event, id: newId() } : event));
    await expect(reactor().react(null, other.slice(0, 4))).rejects.toThrow(
      /another event at position \d+ than the log/,
    );
    await reactor().react(null, events.slice(0, 4));
    expect(idsOf(await messages())).toEqual(idsOf(events));
  });
});

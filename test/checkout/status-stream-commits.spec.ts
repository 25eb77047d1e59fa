import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PaymentStreams } from '../../src/payments/payment-streams.pg.js';
import { created } from '../api/support.js';
import { scrape } from '../support/scrape.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { readStream, type StreamReader } from './stream-reader.js';

const rounds = 100;
const limitMs = 250;

/** One more event of a payment, committed by this service. */
const commit = async (shop: TestService, id: string): Promise<number> => {
  const cause = { actor: 'service', correlationId: randomUUID(), causationId: randomUUID() };
  const { added } = await shop.service.app.get(PaymentStreams).decide(id, cause, () => [
    {
      type: 'GatewayReported',
      data: { status: 'waiting', valueUsd: null, witness: 'poll', at: shop.clock.now() },
    },
  ]);
  return added.at(-1)?.version ?? 0;
};

const eventsOf = ({ statusUrl }: { statusUrl: string }): string => `${new URL(statusUrl).pathname}/events`;
const sorted = (times: readonly number[]): number[] => [...times].sort((a, b) => a - b);
const share = (times: readonly number[], part: number): number =>
  sorted(times)[Math.ceil(times.length * part) - 1] ?? Infinity;
const figures = (times: readonly number[]): string =>
  `p50 ${share(times, 0.5).toFixed(1)} ms, p95 ${share(times, 0.95).toFixed(1)} ms, max ${share(times, 1).toFixed(1)} ms`;

/** When a stream told of a version. */
const toldAt = (reader: StreamReader, version: number): Promise<number> =>
  until(() => Promise.resolve(reader.told.find(({ id }) => Number(id) >= version)?.at));

describe('From a commit to the streams of two processes', () => {
  let [here, there]: TestService[] = [];
  beforeAll(async () => {
    here = await startTestService();
    there = await startTestService({ database: here.database, sandbox: false, clock: here.clock });
  }, 60_000);
  afterAll(async () => {
    await there?.close();
    await here?.close();
  });
  const both = (): { here: TestService; there: TestService } => {
    if (!here || !there) throw new Error('not started');
    return { here, there };
  };

  it(`takes less than ${String(limitMs)} ms, by whichever of them it was made`, async () => {
    const { here, there } = both();
    const payment = await created(here, 'near-and-far');
    const near = await readStream(here.url, eventsOf(payment));
    const far = await readStream(there.url, eventsOf(payment));
    const [own, others]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      const began = performance.now();
      const version = await commit(here, payment.id);
      own.push((await toldAt(near, version)) - began);
      others.push((await toldAt(far, version)) - began);
    }
    process.stderr.write(`from before the commit to the event, the same process: ${figures(own)}\n`);
    process.stderr.write(`from before the commit to the event, another process: ${figures(others)}\n`);
    expect(far.told.map(({ id }) => id)).toEqual(near.told.map(({ id }) => id));
    expect(share(own, 0.95)).toBeLessThan(limitMs);
    expect(share(others, 0.95)).toBeLessThan(limitMs);
    near.close();
    far.close();
  }, 60_000);

  it('loses none of the commits that others make while streams begin', async () => {
    const { here, there } = both();
    const payment = await created(here, 'while-beginning');
    let [done, last] = [false, 0];
    const writing = (async () => {
      while (!done) {
        last = await commit(here, payment.id);
        await pause(10);
      }
    })();
    const readers: StreamReader[] = [];
    for (let round = 0; round < 20; round++) {
      const reader = await readStream(there.url, eventsOf(payment));
      readers.push(reader);
      await until(() => Promise.resolve(reader.told.length > 0));
      // Sometimes nobody watches, and the looks at the log begin anew.
      if (round % 4 !== 3) continue;
      for (const open of readers.splice(0)) open.close();
      await until(async () => (await scrape(there.url)).sum('finality_status_streams') === 0);
    }
    const reader = await readStream(there.url, eventsOf(payment));
    done = true;
    await writing;
    await toldAt(reader, last);
    const ids = reader.told.map(({ id }) => Number(id));
    expect(ids).toEqual(sorted(ids));
    expect(ids.at(-1)).toBe(last);
    reader.close();
  }, 60_000);

  it('comes though a transaction with an earlier position commits later', async () => {
    const { here, there } = both();
    const [held, free] = [await created(here, 'held'), await created(here, 'free')];
    const reader = await readStream(there.url, eventsOf(free));
    await until(() => Promise.resolve(reader.told.length > 0));
    const client = await here.database.pool.connect();
    try {
      await client.query('begin');
      await client.query(
        `insert into event (stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash)
         select stream_id, version + 1, $2, 'GatewayReported', 1, recorded_at, tenant, actor, correlation_id, causation_id,
           json_build_object('status', 'waiting', 'valueUsd', null, 'witness', 'poll', 'at', recorded_at), hash
         from event where stream_id = $1 order by version desc limit 1`,
        [held.id, randomUUID()],
      );
      const late = await readStream(there.url, eventsOf(held));
      await until(() => Promise.resolve(late.told.length > 0));
      const version = await commit(here, free.id);
      await client.query('commit');
      await toldAt(reader, version);
      await toldAt(late, held.version + 1);
      late.close();
    } finally {
      client.release();
    }
    reader.close();
  });
});

describe('Many streams', () => {
  const streams = 1000;
  const payments = 200;
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });

  it(`are told of each commit by one process, ${String(streams)} of them, and end at once when it stops`, async () => {
    const made = await Promise.all(Array.from({ length: payments }, (_, at) => created(shop, `many-${String(at)}`)));
    const readers: { reader: StreamReader; id: string }[] = [];
    const began = performance.now();
    for (const { id, statusUrl } of made) {
      const own = Array.from({ length: streams / payments }, () => readStream(shop.url, eventsOf({ statusUrl })));
      for (const reader of await Promise.all(own)) readers.push({ reader, id });
    }
    const openedMs = performance.now() - began;
    expect((await scrape(shop.url)).sum('finality_status_streams')).toBe(streams);
    const times: number[] = [];
    for (const { id } of made.slice(0, rounds)) {
      const at = performance.now();
      const version = await commit(shop, id);
      for (const watching of readers.filter((one) => one.id === id))
        times.push((await toldAt(watching.reader, version)) - at);
    }
    process.stderr.write(
      `${String(streams)} streams: opened in ${openedMs.toFixed(0)} ms; from before the commit to the event: ${figures(times)}\n`,
    );
    expect(share(times, 0.95)).toBeLessThan(limitMs);
    const stopping = performance.now();
    await shop.close();
    const stoppedMs = performance.now() - stopping;
    await Promise.all(readers.map(({ reader }) => reader.ended));
    process.stderr.write(`stopped with ${String(streams)} streams open in ${stoppedMs.toFixed(0)} ms\n`);
    // A server that waits for its answers would be cut off after 9 s.
    expect(stoppedMs).toBeLessThan(8000);
  }, 120_000);
});

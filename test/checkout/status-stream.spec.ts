import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { streamsInAll, streamsOfAddress, streamsOfPayment, StreamLimits } from '../../src/checkout/stream-limits.js';
import { StatusStreams } from '../../src/checkout/status-stream.job.js';
import { eventMessage } from '../../src/checkout/event-stream.js';
import { PaymentStreams } from '../../src/payments/payment-streams.pg.js';
import { created, expectProblem, payAll, send } from '../api/support.js';
import { scrape } from '../support/scrape.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { readStream, type StreamReader } from './stream-reader.js';

const pathOf = (statusUrl: string): string => new URL(statusUrl).pathname;
const versionIn = (card: string): number => Number(/data-version="(\d+)"/.exec(card)?.[1]);

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

describe('The live stream of a status page', () => {
  let shop: TestService;
  const readers: StreamReader[] = [];
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterEach(async () => {
    for (const reader of readers.splice(0)) reader.close();
    await until(async () => (await scrape(shop.url)).sum('finality_status_streams') === 0);
  });
  afterAll(() => shop.close());

  const open = async (path: string, headers: Record<string, string> = {}, at = shop): Promise<StreamReader> => {
    const reader = await readStream(at.url, path, headers);
    readers.push(reader);
    return reader;
  };
  const eventsOf = ({ statusUrl }: { statusUrl: string }): string => `${pathOf(statusUrl)}/events`;
  const heard = (reader: StreamReader, count: number): Promise<unknown> =>
    until(() => Promise.resolve(reader.told.length >= count));

  it('tells how the payment is now, and then each commit, in order, from open to paid', async () => {
    const payment = await created(shop, 'live');
    const reader = await open(eventsOf(payment));
    expect(reader.status).toBe(200);
    expect(reader.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    await heard(reader, 1);
    expect(reader.told[0]?.data).toContain('id="payment"');
    expect(versionIn(reader.told[0]?.data ?? '')).toBe(payment.version);
    expect(reader.retry()).toBeGreaterThanOrEqual(1000);
    await payAll(shop, payment.trackId);
    const { version, status } = await until(async () => {
      const { body } = await shop.api('GET', `/v1/payments/${payment.id}`);
      return body.fulfillable && (body as { version: number; status: string });
    });
    expect(status).toBe('paid');
    await until(() => Promise.resolve(Number(reader.told.at(-1)?.id) >= version));
    const ids = reader.told.map(({ id }) => Number(id));
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
    expect(reader.told.map(({ data }) => versionIn(data))).toEqual(ids);
    expect(reader.told.every(({ event }) => event === 'payment')).toBe(true);
    const page = await (await fetch(payment.statusUrl)).text();
    const heading = /<h1[^>]*>([^<]+)/.exec(page)?.[1] ?? 'none';
    expect(reader.told.at(-1)?.data).toContain(heading);
  });

  it('says nothing where a message changed nothing', async () => {
    const payment = await created(shop, 'nothing-new');
    const reader = await open(eventsOf(payment));
    await heard(reader, 1);
    const cause = { actor: 'service', correlationId: randomUUID(), causationId: randomUUID() };
    await shop.service.app.get(PaymentStreams).decide(payment.id, cause, () => []);
    const version = await commit(shop, payment.id);
    await heard(reader, 2);
    expect(reader.told.map(({ id }) => Number(id))).toEqual([payment.version, version]);
  });

  it('does not count as a slow request, and answers HEAD with its headers alone', async () => {
    const payment = await created(shop, 'head');
    const head = await readStream(shop.url, eventsOf(payment), {}, 'HEAD');
    await head.ended;
    expect([head.status, head.told.length]).toEqual([200, 0]);
    const reader = await open(eventsOf(payment));
    await heard(reader, 1);
    const name = 'http_server_request_duration_seconds_count';
    const metrics = await scrape(shop.url);
    expect(metrics.sum('finality_status_streams')).toBe(1);
    expect(metrics.sum(name, { http_route: '/pay/:token/events', http_response_status_class: '2xx' }) ?? 0).toBe(0);
  });

  it('A27 is not found by guessing: 404 alike for every token, as for the page, until 429', async () => {
    const { statusUrl, id, trackId } = await created(shop, 'guessed');
    const right = pathOf(statusUrl).slice('/pay/'.length);
    // 32 characters of 6 bits.
    expect(right).toMatch(/^[A-Za-z0-9_-]{32}$/);
    const near = [right.slice(0, -1), `${right}A`, right.toUpperCase(), id, trackId, `${right}%0a`];
    const random = Array.from({ length: 820 }, () => randomBytes(24).toString('base64url'));
    const answers = [];
    for (const token of [...near, ...random])
      answers.push(await send(shop.url, { method: 'GET', path: `/pay/${token}/events`, headers: {} }));
    const missing = answers.filter(({ status }) => status === 404);
    const limited = answers.filter(({ status }) => status === 429);
    expect(missing.length + limited.length).toBe(answers.length);
    expect(new Set(missing.map(({ text }) => text)).size).toBe(1);
    for (const answer of limited) expectProblem(answer, 'rate_limited');
    expect(Number(limited[0]?.headers['retry-after'])).toBeGreaterThan(0);
    const reader = await open(`/pay/${right}/events`);
    await heard(reader, 1);
    shop.clock.advance(60);
  });

  it('A30 tells of the payment of its token and of no other', async () => {
    const [mine, other] = [await created(shop, 'mine'), await created(shop, 'other')];
    const reader = await open(eventsOf(mine));
    await commit(shop, other.id);
    const version = await commit(shop, mine.id);
    await heard(reader, 2);
    expect(reader.told.map(({ id }) => Number(id))).toEqual([mine.version, version]);
    const token = pathOf(other.statusUrl).slice('/pay/'.length);
    expect(reader.told.some(({ data }) => data.includes(token))).toBe(false);
  });

  it('A30 refuses a sixth stream of one payer with 429, and takes it once another has ended', async () => {
    const payment = await created(shop, 'six');
    for (let at = 0; at < streamsOfPayment; at++) expect((await open(eventsOf(payment))).status).toBe(200);
    const refused = await send(shop.url, { method: 'GET', path: eventsOf(payment) });
    expectProblem(refused, 'rate_limited');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await send(shop.url, { method: 'GET', path: pathOf(payment.statusUrl) })).status).toBe(200);
    const neighbour = await created(shop, 'seven');
    expect((await open(eventsOf(neighbour))).status).toBe(200);
    readers[0]?.close();
    await until(async () => (await readAgain(eventsOf(payment))) === 200);
  });
  const readAgain = async (path: string): Promise<number> => (await open(path)).status;

  it('A30 refuses the 5,001st stream with 503 and says when to try again', async () => {
    const payment = await created(shop, 'full');
    const streams = shop.service.app.get(StatusStreams);
    const places = Array.from({ length: streamsInAll }, (_, at) => streams.take(`token ${String(at)}`, '127.0.0.1'));
    const refused = await send(shop.url, { method: 'GET', path: eventsOf(payment) });
    expectProblem(refused, 'service_unavailable');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await send(shop.url, { method: 'GET', path: pathOf(payment.statusUrl) })).status).toBe(200);
    for (const give of places) give();
    expect((await open(eventsOf(payment))).status).toBe(200);
  });

  it('A30 counts public addresses too, and not those that a proxy in front of all payers has', () => {
    const limits = new StreamLimits();
    const places = Array.from({ length: streamsOfAddress }, (_, at) =>
      limits.take(`t${String(at)}`, at % 2 === 0 ? '8.8.8.8' : '::ffff:8.8.8.8'),
    );
    expect(() => limits.take('one more', '8.8.8.8')).toThrow(/live views/);
    for (const address of ['8.8.4.4', '10.0.0.1', '127.0.0.1', '::1']) limits.take(`from ${address}`, address);
    for (let at = 0; at < streamsOfAddress * 2; at++) limits.take(`proxied ${String(at)}`, '10.0.0.1');
    places[0]?.();
    places[0]?.();
    limits.take('in its place', '8.8.8.8');
    expect(() => limits.take('one more', '8.8.8.8')).toThrow(/live views/);
  });

  it('A31 drops a reader who reads nothing, by what waits for it', async () => {
    const payment = await created(shop, 'deaf');
    const [deaf, well] = [await open(eventsOf(payment)), await open(eventsOf(payment))];
    await Promise.all([heard(deaf, 1), heard(well, 1)]);
    deaf.socket.pause();
    const gone = until(async () => (await scrape(shop.url)).sum('finality_status_streams') === 1, 20_000);
    const [stream] = streamsIn(shop);
    // The two systems in between keep some megabytes.
    const large = eventMessage('payment', 1, 'x'.repeat(200_000));
    for (let at = 0; at < 200 && streamsIn(shop).length > 1; at++) {
      stream?.send(large);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await gone;
    await commit(shop, payment.id);
    await heard(well, 2);
  });

  it('A31 drops a reader who takes nothing for two heartbeats, and keeps one who waits for news', async () => {
    const payment = await created(shop, 'slow');
    const [deaf, well] = [await open(eventsOf(payment)), await open(eventsOf(payment))];
    await Promise.all([heard(deaf, 1), heard(well, 1)]);
    deaf.socket.pause();
    const [stream] = streamsIn(shop);
    stream?.send(eventMessage('payment', 1, 'x'.repeat(20_000_000)));
    const streams = shop.service.app.get(StatusStreams);
    const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));
    for (let beat = 0; beat < 3; beat++) {
      streams.beat();
      await turn();
    }
    expect((await scrape(shop.url)).sum('finality_status_streams')).toBe(1);
    // One of the service's own may be among them.
    expect([3, 4]).toContain(well.comments());
  });

  it.each(['0', '1', '-1', '999999999', '99999999999999999999', 'x', "1' or 1=1", '\u00e9'])(
    'A32 begins with the state as it is, whatever Last-Event-ID says: %s',
    async (id) => {
      const payment = await created(shop, `last ${id}`);
      const version = await commit(shop, payment.id);
      const reader = await open(eventsOf(payment), { 'last-event-id': id });
      const next = await commit(shop, payment.id);
      await heard(reader, 2);
      expect(reader.told.map((told) => Number(told.id))).toEqual([version, next]);
    },
  );

  it('A33 has digits alone as ids, whatever text is in the payment', async () => {
    const description = 'a\nid: 7\n\nevent: forged\rdata: x\r\n\u2028retry: 1';
    const answer = await shop.api('POST', '/v1/payments', {
      orderId: 'lines',
      amount: '5.00',
      currency: 'USD',
      description,
    });
    // Where the API takes no line breaks, the stream's own writer still must.
    const { statusUrl } = answer.status === 201 ? answer.body : await created(shop, 'lines');
    const reader = await open(eventsOf({ statusUrl }));
    await heard(reader, 1);
    expect(reader.told.map(({ event, id }) => [event, /^\d+$/.test(id)])).toEqual([['payment', true]]);
    expect(reader.retry()).toBeGreaterThanOrEqual(1000);
    expect(eventMessage('payment', 3, description).toString()).toBe(
      'event: payment\nid: 3\ndata: a\ndata: id: 7\ndata: \ndata: event: forged\ndata: data: x\ndata: \u2028retry: 1\n\n',
    );
  });

  it.each(['status=paid', 'asOf=1', 'lang=xx%0d%0aid:9'])('A34 ignores ?%s', async (query) => {
    const payment = await created(shop, `a34 ${query}`);
    const reader = await open(`${eventsOf(payment)}?${query}`);
    await heard(reader, 1);
    expect(Number(reader.told[0]?.id)).toBe(payment.version);
  });
});

const streamsIn = (shop: TestService): { send(message: Buffer): void }[] => [
  ...(shop.service.app.get(StatusStreams) as unknown as { open: Set<{ send(message: Buffer): void }> }).open,
];

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, until, type TestService } from '../support/service.js';
import { addOther, asOther, created, expectProblem, payAll } from './support.js';

interface Event {
  id: string;
  type: string;
  paymentId: string;
  version: number;
  position: number;
  recordedAt: string;
  actor: string;
}

describe('What a payment was', () => {
  let shop: TestService;
  let id = '';
  let events: Event[] = [];
  beforeAll(async () => {
    shop = await startTestService();
    await addOther(shop);
    const payment = await created(shop, 'history');
    ({ id } = payment);
    shop.clock.advance(60);
    await shop.control(`/_sandbox/payments/${payment.trackId}/transfers`, { percent: 40 });
    shop.clock.advance(60);
    await payAll(shop, payment.trackId);
    await until(async () => (await shop.api('GET', `/v1/payments/${id}`)).body.fulfillable);
    events = ((await shop.api('GET', `/v1/payments/${id}/events`)).body as { items: Event[] }).items;
  });
  afterAll(() => shop.close());

  it('gives the events of a payment page by page, without gaps or repeats', async () => {
    const seen: Event[] = [];
    let cursor = '';
    do {
      const { body } = await shop.api('GET', `/v1/payments/${id}/events?limit=2${cursor}`);
      expect(body.items.length).toBeLessThanOrEqual(2);
      seen.push(...(body.items as Event[]));
      cursor = body.nextCursor === null ? '' : `&cursor=${String(body.nextCursor)}`;
    } while (cursor !== '');
    expect(seen).toEqual(events);
    const foreign = Buffer.from(`${seen[0]?.id ?? ''}/${seen[0]?.id ?? ''}`).toString('base64url');
    expect((await shop.api('GET', `/v1/payments/${id}/events?cursor=${foreign}`)).status).toBe(400);
    expect((await shop.api('GET', `/v1/payments/${id}/events?limit=0`)).status).toBe(400);
  });

  it('is told event by event, oldest first, without a gap', () => {
    expect(events.map((event) => event.version)).toEqual(events.map((_, at) => at + 1));
    expect(events[0]).toMatchObject({ type: 'PaymentRequested', paymentId: id, schemaVersion: 1 });
    expect(events.map((event) => event.type)).toEqual(
      expect.arrayContaining([
        'InvoiceOpened',
        'TransferDetected',
        'AmountAssessed',
        'PaymentPaid',
        'PaymentCorroborated',
      ]),
    );
    const positions = events.map((event) => event.position);
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    expect(events[0]?.actor).toMatch(/^application:/);
  });

  it('can be asked for by version: each answer is the fold of so many events, and the last is the present', async () => {
    const seen: string[] = [];
    for (const { version, position } of events) {
      const { status, body } = await shop.api('GET', `/v1/payments/${id}?asOf=${String(version)}`);
      expect([status, body.version, body.position]).toEqual([200, version, position]);
      seen.push(body.status);
    }
    expect(seen[0]).toBe('created');
    expect(seen[1]).toBe('pending');
    const forward = ['created', 'pending', 'paid'];
    expect(seen.map((status) => forward.indexOf(status))).toEqual(
      [...seen.map((status) => forward.indexOf(status))].sort(),
    );
    const [now, after] = await Promise.all([
      shop.api('GET', `/v1/payments/${id}`),
      shop.api('GET', `/v1/payments/${id}?asOf=999999`),
    ]);
    const { asOf, ...same } = after.body;
    expect(same).toEqual(now.body);
    expect(asOf).toMatchObject({ version: events.length, newestVersion: events.length, learnedLater: [] });
    expect(now.body.version).toBe(events.length);
  });

  it('can be asked for by time, to the millisecond, in any offset', async () => {
    for (const [at, { recordedAt }] of events.entries()) {
      const upTo = events.filter((event) => event.recordedAt <= recordedAt).length;
      const { body } = await shop.api('GET', `/v1/payments/${id}?asOf=${recordedAt}`);
      expect(body.version).toBe(upTo);
      const before = events.filter((event) => Date.parse(event.recordedAt) < Date.parse(recordedAt)).length;
      const earlier = await shop.api(
        'GET',
        `/v1/payments/${id}?asOf=${new Date(Date.parse(recordedAt) - 1).toISOString()}`,
      );
      expect(at === 0 ? earlier.status : earlier.body.version).toBe(at === 0 || before === 0 ? 404 : before);
    }
    const opened = events[1]?.recordedAt ?? '';
    const shifted = new Date(Date.parse(opened) + 2 * 3_600_000).toISOString().replace('Z', '+02:00');
    const { body } = await shop.api('GET', `/v1/payments/${id}?asOf=${encodeURIComponent(shifted)}`);
    expect(body.version).toBe(events.filter((event) => event.recordedAt <= opened).length);
  });

  it('did not exist before it was created', async () => {
    const answer = await shop.api('GET', `/v1/payments/${id}?asOf=2020-01-01T00:00:00Z`);
    expectProblem(answer, 'not_found');
  });

  it.each([
    '0',
    '-1',
    '1.5',
    '01',
    '1e3',
    '9999999999',
    'now',
    'latest',
    '',
    '2026-13-45T99:99:99Z',
    '2026-02-30T00:00:00Z',
    '2026-01-01',
    '0000-01-01T00:00:00Z',
    '2026-01-01T00:00:00%2B99:00',
    '1&asOf=2',
    '%00',
    "1'",
  ])('cannot be asked for as of %s', async (asOf) => {
    for (const path of ['', '/explanation'])
      expectProblem(await shop.api('GET', `/v1/payments/${id}${path}?asOf=${asOf}`), 'malformed_request');
  });

  it('is explained as it was then, with evidence that had been there', async () => {
    const told = new Map<number, string | null>();
    for (const { version } of events) {
      const { body } = await shop.api('GET', `/v1/payments/${id}/explanation?asOf=${String(version)}`);
      told.set(version, body.blockedBy);
      const known = events.slice(0, version).map((event) => event.id);
      for (const evidence of body.evidence as string[]) expect(known).toContain(evidence);
      expect(body.sentence).toMatch(/\.$/);
    }
    expect(told.get(1)).toBe('invoice_not_open');
    expect(told.get(2)).toBe('no_money_seen');
    expect([...told.values()]).toContain('amount_missing');
    const now = await shop.api('GET', `/v1/payments/${id}/explanation`);
    expect(now.body).toMatchObject({ complete: true, blockedBy: null });
  });
});

describe('The feed of events', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
    await addOther(shop);
  });
  afterAll(() => shop.close());

  const read = async (after: string, limit: number, headers: Record<string, string> = {}) => {
    const { status, body } = await shop.api(
      'GET',
      `/v1/events?after=${after}&limit=${String(limit)}`,
      undefined,
      headers,
    );
    expect(status).toBe(200);
    return body as { items: Event[]; nextCursor: string };
  };

  /** Reads page after page until it sees nothing new and `enough` is true. */
  async function follow(limit: number, enough: () => boolean, headers: Record<string, string> = {}): Promise<Event[]> {
    const seen: Event[] = [];
    let after = '0';
    for (;;) {
      // Asked before the page is: what was written until then stands on it.
      const last = enough();
      const page = await read(after, limit, headers);
      seen.push(...page.items);
      if (page.nextCursor === after && last) return seen;
      after = page.nextCursor;
    }
  }

  it("gives every event of an application once, in order, and none of another's, while both are busy", async () => {
    let done = false;
    const busy = Promise.all(
      Array.from({ length: 4 }, async (_, worker) => {
        for (let at = 0; at < 12; at++)
          await created(shop, `feed-${String(worker)}-${String(at)}`, {}, worker % 2 === 0 ? {} : asOther);
      }),
    ).then(() => {
      done = true;
    });
    const [mine, theirs] = await Promise.all([follow(7, () => done), follow(100, () => done, asOther)]);
    await busy;
    const { rows } = await shop.database.pool.query<{ position: number; name: string }>(
      'select e.position, a.name from event e join application a on a.id = e.tenant order by e.position',
    );
    expect(mine.map((event) => event.position)).toEqual(
      rows.filter((row) => row.name === 'default').map((row) => row.position),
    );
    expect(theirs.map((event) => event.position)).toEqual(
      rows.filter((row) => row.name === 'other').map((row) => row.position),
    );
    expect(mine.length).toBe(48);
  });

  it('names the payment of each event, of those about its fulfilment too', async () => {
    const { id, trackId, position } = await created(shop, 'feed-fulfilled');
    await payAll(shop, trackId);
    await until(async () => (await shop.api('GET', `/v1/payments/${id}`)).body.fulfillable);
    await shop.api('POST', `/v1/payments/${id}/fulfillment`, { outcome: 'fulfilled' });
    const types = await until(async () => {
      const { items } = await read(String(position), 100);
      expect(items.every((event) => event.paymentId === id)).toBe(true);
      const seen = items.map((event) => event.type);
      return seen.some((type) => /fulfill?ment/i.test(type)) && seen;
    });
    expect(types).toContain('PaymentPaid');
  });

  it('is empty at its end, and goes on from there', async () => {
    const all = await follow(100, () => true);
    const end = String(all.at(-1)?.position ?? 0);
    const there = await read(end, 10);
    expect(there.items).toEqual([]);
    const { id } = await created(shop, 'feed-next');
    const next = await read(there.nextCursor, 10);
    expect(next.items.map((event) => [event.paymentId, event.type])).toEqual([
      [id, 'PaymentRequested'],
      [id, 'InvoiceOpened'],
    ]);
  });

  it.each([
    'after=-1',
    'after=x',
    'after=1.5',
    'after=',
    'after=9999999999999999',
    'after=1&after=2',
    'limit=0',
    'limit=101',
    'limit=1e2',
    'limit=1&limit=2',
    'unknown=1',
    'after=%00',
  ])('refuses ?%s with 400', async (query) => {
    expectProblem(await shop.api('GET', `/v1/events?${query}`), 'malformed_request');
  });

  it('answers a position far beyond its end with an empty page', async () => {
    const page = await read('999999999999999', 100);
    expect(page).toEqual({ items: [], nextCursor: '999999999999999' });
  });
});

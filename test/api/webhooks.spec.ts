import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Ids } from '../../src/kernel/ids.js';
import { Receiver } from '../fulfillment/support.js';
import { apiKey, startTestService, until, type Answer, type TestService } from '../support/service.js';
import { addDelivery, addOther, asOther, expectProblem, send, type GivenDelivery } from './support.js';

const url = 'http://127.0.0.1:9/hook';
const endpoints = '/v1/webhook-endpoints';
const deliveries = '/v1/webhook-deliveries';
const missing = '0190a6b2-0000-7000-8000-000000000000';

let shop: TestService;
beforeAll(async () => {
  shop = await startTestService({ sandbox: false });
  await addOther(shop);
});
afterAll(() => shop.close());
// An application has 20 at most, and every test wants its own.
beforeEach(() => shop.database.pool.query('delete from webhook_endpoint'));

const create = async (body: Record<string, unknown> = {}): Promise<Answer['body']> => {
  const answer = await shop.api('POST', endpoints, { url, ...body });
  expect(answer.status).toBe(201);
  return answer.body;
};
const set = (id: string, assignments: string) =>
  shop.database.pool.query(`update webhook_endpoint set ${assignments} where id = $1`, [id]);

describe('A webhook endpoint', () => {
  it('is changed field by field, and what is not given stays', async () => {
    const { id, secret: _, ...made } = await create({ events: ['payment.paid'] });
    const path = `${endpoints}/${String(id)}`;
    expect((await shop.api('GET', path)).body).toEqual({ id, ...made });
    const change = async (body: unknown) => (await shop.api('PATCH', path, body)).body;
    expect(await change({ url: `${url}2` })).toEqual({ id, ...made, url: `${url}2` });
    expect(await change({ events: null })).toEqual({ id, ...made, url: `${url}2`, events: null });
    expect(await change({ events: ['payment.late'] })).toEqual({
      id,
      ...made,
      url: `${url}2`,
      events: ['payment.late'],
    });
    expect(await change({})).toEqual((await shop.api('GET', path)).body);
  });

  it('is paused by its owner, and put to use again', async () => {
    const { id } = await create();
    const path = `${endpoints}/${String(id)}`;
    const off = await shop.api('PATCH', path, { enabled: false });
    expect(off.body).toMatchObject({ disabledAt: expect.any(String), disabledReason: null });
    shop.clock.advance(60);
    expect((await shop.api('PATCH', path, { enabled: false })).body).toEqual(off.body);
    expect((await shop.api('PATCH', path, { enabled: true })).body).toMatchObject({ disabledAt: null });
  });

  it('that we disabled says why, and forgets its failures once it is put to use again', async () => {
    const { id } = await create();
    const path = `${endpoints}/${String(id)}`;
    await set(
      id as string,
      `failing_since = now() - interval '5 days', failures = 40, paused_until = now() + interval '5 minutes',
       warned_at = now(), disabled_at = now(), disabled_reason = 'failing'`,
    );
    expect((await shop.api('GET', path)).body).toMatchObject({
      disabledReason: 'failing',
      disabledAt: expect.any(String),
      failingSince: expect.any(String),
    });
    // The reason stays while it is off, whoever would have it off.
    expect((await shop.api('PATCH', path, { enabled: false })).body).toMatchObject({ disabledReason: 'failing' });
    expect((await shop.api('PATCH', path, { enabled: true })).body).toMatchObject({
      disabledReason: null,
      disabledAt: null,
      failingSince: null,
    });
    const { rows } = await shop.database.pool.query('select * from webhook_endpoint where id = $1', [id]);
    expect(rows).toMatchObject([{ failures: 0, failing_since: null, paused_until: null, warned_at: null }]);
    const { body: feed } = await shop.api('GET', '/v1/events');
    const told = (feed.items as { type: string; data: { endpointId?: string } }[]).filter(
      ({ data }) => data.endpointId === id,
    );
    expect(told.map(({ type }) => type)).toEqual(['WebhookEndpointEnabled']);
  });

  it('that moves to another URL forgets the failures of the old one, but stays off', async () => {
    const { id } = await create();
    const path = `${endpoints}/${String(id)}`;
    await set(id as string, `failing_since = now(), failures = 3, disabled_at = now(), disabled_reason = 'gone'`);
    expect((await shop.api('PATCH', path, { url })).body).toMatchObject({ failingSince: expect.any(String) });
    expect((await shop.api('PATCH', path, { url: `${url}2` })).body).toMatchObject({
      failingSince: null,
      disabledReason: 'gone',
    });
  });

  it.each([
    [{ url: 'nonsense' }, '/url'],
    [{ url: null }, '/url'],
    [{ url: 7 }, '/url'],
    [{ url: `http://127.0.0.1/${'x'.repeat(2048)}` }, '/url'],
    [{ events: [] }, '/events'],
    [{ events: 'payment.paid' }, '/events'],
    [{ events: ['payment.paid', 'payment.paid'] }, '/events'],
    [{ events: ['payment.lost'] }, '/events'],
    [{ enabled: null }, '/enabled'],
    [{ enabled: 'true' }, '/enabled'],
    [{ secret: 'whsec_mine' }, '/secret'],
    [{ disabledAt: null }, '/disabledAt'],
    [{ id: missing }, '/id'],
  ])('is not changed by %j', async (body, pointer) => {
    const { id } = await create();
    const before = await shop.api('GET', `${endpoints}/${String(id)}`);
    expectProblem(await shop.api('PATCH', `${endpoints}/${String(id)}`, body), 'invalid_request', [pointer]);
    expect((await shop.api('GET', `${endpoints}/${String(id)}`)).body).toEqual(before.body);
  });

  it('O24: takes no headers of its own', async () => {
    const { id } = await create();
    for (const headers of [{ 'x-key': 'a\r\nhost: b' }, { authorization: 'Bearer x' }, {}]) {
      expectProblem(await shop.api('POST', endpoints, { url, headers }), 'invalid_request', ['/headers']);
      expectProblem(await shop.api('PATCH', `${endpoints}/${String(id)}`, { headers }), 'invalid_request', [
        '/headers',
      ]);
    }
  });

  it('gets no 21st beside it, however many are made at once', async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => shop.api('POST', endpoints, { url })));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(20);
    for (const answer of answers.filter(({ status }) => status !== 201)) expectProblem(answer, 'conflict');
    expect((await shop.api('GET', endpoints)).body.items).toHaveLength(20);
    expect((await shop.api('POST', endpoints, { url }, asOther)).status).toBe(201);
  });
});

describe('The secret of a webhook endpoint', () => {
  const rotate = (id: string, headers: Record<string, string> = {}): Promise<Answer> =>
    shop.api('POST', `${endpoints}/${id}/rotate-secret`, undefined, headers);

  it('is another one after a rotation, and shown in the answer to it alone', async () => {
    const made = await create();
    const { status, body } = await rotate(made.id as string);
    expect([status, body.secret]).toEqual([200, expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/)]);
    expect(body.secret).not.toBe(made.secret);
    expect([made.secretRotatedAt, body.secretRotatedAt]).toEqual([null, expect.any(String)]);
    for (const path of [endpoints, `${endpoints}/${String(made.id)}`])
      expect(JSON.stringify((await shop.api('GET', path)).body)).not.toContain('whsec_');
    expect((await shop.api('PATCH', `${endpoints}/${String(made.id)}`, {})).body.secret).toBeUndefined();
  });

  it('is in the repetition of that answer, until there is a newer one', async () => {
    const once = { 'idempotency-key': 'webhooks-create' };
    const made = await shop.api('POST', endpoints, { url }, once);
    const again = await shop.api('POST', endpoints, { url }, once);
    expect([again.headers.get('idempotency-replayed'), again.status, again.body]).toEqual(['true', 201, made.body]);
    const rotation = { 'idempotency-key': 'webhooks-rotate' };
    const first = await rotate(made.body.id as string, rotation);
    expect((await rotate(made.body.id as string, rotation)).body).toEqual(first.body);
    const { secret: _, ...rest } = made.body as Record<string, unknown>;
    expect((await shop.api('POST', endpoints, { url }, once)).body).toEqual(rest);
    expect((await shop.api('GET', endpoints)).body.items).toHaveLength(1);
  });

  it('O23: is in one row of one table, and in no other, no line of the log, no error and no other answer', async () => {
    const once = { 'idempotency-key': 'webhooks-canary' };
    const made = (await shop.api('POST', endpoints, { url: `${url}?a=canary` }, once)).body;
    const rotated = (await rotate(made.id as string, { 'idempotency-key': 'webhooks-canary-2' })).body;
    const secrets = [made.secret as string, rotated.secret as string].map((secret) => secret.slice('whsec_'.length));
    expect(secrets.every((secret) => secret.length === 44)).toBe(true);
    const path = `${endpoints}/${String(made.id)}`;
    const delivery = await addDelivery(shop, { endpointId: made.id as string, status: 'dead', attempts: [500, null] });
    const answers = [
      await shop.api('GET', endpoints),
      await shop.api('GET', path),
      await shop.api('PATCH', path, { enabled: true, events: null }),
      await shop.api('PATCH', path, { secret: made.secret as string }),
      await shop.api('GET', deliveries),
      await shop.api('GET', `${deliveries}/${delivery}`),
      await shop.api('POST', `${deliveries}/redeliver`, { deliveryIds: [delivery] }),
      await shop.api('GET', '/v1/events'),
      await shop.api('POST', endpoints, { url }, once),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 422, 200, 200, 202, 200, 422]);
    for (const secret of secrets) {
      expect(answers.filter(({ body }) => JSON.stringify(body).includes(secret))).toEqual([]);
      expect(shop.logged.filter((line) => line.includes(secret))).toEqual([]);
    }
    expect(shop.logged.length).toBeGreaterThan(0);
    expect(await tablesWith(secrets)).toEqual(['public.webhook_endpoint']);
  });

  /** The tables that hold one of these texts in any row, of every schema. */
  async function tablesWith(texts: string[]): Promise<string[]> {
    const { pool } = shop.database;
    const { rows } = await pool.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables
       where schemaname not in ('pg_catalog', 'information_schema') order by 1`,
    );
    expect(rows.length).toBeGreaterThan(15);
    const found: string[] = [];
    for (const { name } of rows) {
      const hit = `select 1 from ${name} t where exists (select 1 from unnest($1::text[]) s where position(s in t::text) > 0)`;
      if ((await pool.query(hit, [texts])).rows.length > 0) found.push(name);
    }
    return found;
  }
});

describe('The deliveries of an application', () => {
  it('are listed newest first, page by page, with every attempt', async () => {
    await shop.database.pool.query('truncate webhook_delivery, webhook_attempt, webhook');
    const { id: endpointId } = await create();
    const ids: string[] = [];
    for (let n = 0; n < 5; n++)
      ids.push(await addDelivery(shop, { endpointId, status: 'dead', attempts: [null, 500, 200] }));
    await addDelivery(shop, { endpointId: missing, key: asOther.authorization.slice('Bearer '.length) });
    const seen: Answer['body'][] = [];
    for (let cursor = ''; ;) {
      const { body } = await shop.api('GET', `${deliveries}?limit=2${cursor}`);
      seen.push(...body.items);
      if (body.nextCursor === null) break;
      cursor = `&cursor=${String(body.nextCursor)}`;
    }
    expect(seen.map(({ id }) => id)).toEqual([...ids].reverse());
    const attempt = { at: expect.any(String), durationMs: 12 };
    expect(seen[0]).toEqual({
      id: ids[4],
      webhookId: expect.any(String),
      endpointId,
      paymentId: expect.any(String),
      sequence: 1,
      type: 'payment.late',
      status: 'dead',
      dueAt: null,
      createdAt: expect.any(String),
      endedAt: expect.any(String),
      attemptCount: 3,
      attempts: [
        { ...attempt, attempt: 1, status: null, outcome: 'timeout', answer: null },
        { ...attempt, attempt: 2, status: 500, outcome: 'http_5xx', answer: 'an answer' },
        { ...attempt, attempt: 3, status: 200, outcome: 'success', answer: 'an answer' },
      ],
    });
    expect((await shop.api('GET', `${deliveries}/${String(ids[4])}`)).body).toEqual(seen[0]);
  });

  it('show the last 50 attempts of many, and how many there were', async () => {
    const { id: endpointId } = await create();
    const id = await addDelivery(shop, { endpointId, attempts: Array<number>(60).fill(503) });
    const { body } = await shop.api('GET', `${deliveries}/${id}`);
    expect(body.attemptCount).toBe(60);
    expect(body.attempts.map((each: { attempt: number }) => each.attempt)).toEqual(
      Array.from({ length: 50 }, (_, at) => at + 11),
    );
  });

  it('are found by payment, endpoint, type, status and time, and by all of them together', async () => {
    await shop.database.pool.query('truncate webhook_delivery, webhook_attempt, webhook');
    const { id: endpointId } = await create();
    const { id: otherEndpoint } = await create();
    const paymentId = shop.service.app.get(Ids).next();
    const createdAt = '2026-01-31T12:00:00.000Z';
    const base = { endpointId: endpointId as string, paymentId, type: 'payment.paid', createdAt } as const;
    const wanted = await addDelivery(shop, { ...base, status: 'dead' });
    const { paymentId: _, ...otherPayment } = base;
    const others: GivenDelivery[] = [
      { ...otherPayment, status: 'dead' },
      { ...base, status: 'dead', endpointId: otherEndpoint as string },
      { ...base, status: 'dead', type: 'payment.late' },
      { ...base, status: 'delivered' },
      { ...base, status: 'dead', createdAt: '2026-01-31T11:59:59.999Z' },
      { ...base, status: 'dead', createdAt: '2026-01-31T12:00:01.000Z' },
    ];
    const ids: string[] = [];
    for (const other of others) ids.push(await addDelivery(shop, other));
    const all = [wanted, ...ids];
    const found = async (query: string): Promise<number[]> => {
      const { body } = await shop.api('GET', `${deliveries}?limit=100&${query}`);
      return (body.items as { id: string }[]).map(({ id }) => all.indexOf(id)).sort();
    };
    expect(await found('')).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(await found(`paymentId=${paymentId}`)).toEqual([0, 2, 3, 4, 5, 6]);
    expect(await found(`endpointId=${String(otherEndpoint)}`)).toEqual([2]);
    expect(await found('type=payment.late')).toEqual([3]);
    expect(await found('status=delivered')).toEqual([4]);
    expect(await found('from=2026-01-31T12:00:00Z')).toEqual([0, 1, 2, 3, 4, 6]);
    expect(await found('to=2026-01-31T13:00:00%2B01:00')).toEqual([5]);
    const together = `paymentId=${paymentId}&endpointId=${String(endpointId)}&type=payment.paid&status=dead&from=2026-01-31T12:00:00Z&to=2026-01-31T12:00:01Z`;
    expect(await found(together)).toEqual([0]);
  });

  it.each([
    'paymentId=x',
    'endpointId=1',
    'type=payment.lost',
    'status=lost',
    'from=yesterday',
    'to=2026-02-30T00:00:00Z',
    'limit=0',
    'webhookId=x',
    `paymentId=${missing}&paymentId=${missing}`,
  ])('are not listed by ?%s', async (query) => {
    const name = query.slice(0, query.indexOf('='));
    expectProblem(await shop.api('GET', `${deliveries}?${query}`), 'malformed_request', [`?${name}`]);
  });
});

interface Row {
  id: string;
  webhook_id: string;
  status: string;
  due_at: string | null;
  attempts: number;
  round_attempts: number;
  round_began_at: string;
  lease: number;
  ended_at: string | null;
}

describe('A redelivery', () => {
  const ids = (): string => shop.service.app.get(Ids).next();
  /** An endpoint that the service leaves alone for now, so that what is queued for it stays as it was queued. */
  const quiet = async (): Promise<string> => {
    const { id } = await create();
    await set(id as string, `paused_until = now() + interval '30 days', failing_since = now(), failures = 1`);
    return id as string;
  };
  const rowOf = async (id: string): Promise<Row> => {
    const { rows } = await shop.database.pool.query<Row>('select * from webhook_delivery where id = $1', [id]);
    if (!rows[0]) throw new Error(`there is no delivery ${id}`);
    return rows[0];
  };
  const redeliver = (body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    shop.api('POST', `${deliveries}/redeliver`, body, headers);

  it('queues a dead one under the same webhook id, with a schedule that begins anew', async () => {
    const id = await addDelivery(shop, { endpointId: await quiet(), status: 'dead', attempts: [500, 500] });
    const before = await rowOf(id);
    expect([before.round_attempts, before.due_at]).toEqual([2, null]);
    shop.clock.advance(3600);
    expect(await redeliver({ deliveryIds: [id] })).toMatchObject({ status: 202, body: { matched: 1, queued: 1 } });
    const after = await rowOf(id);
    expect(after).toEqual({
      ...before,
      status: 'waiting',
      due_at: after.round_began_at,
      round_attempts: 0,
      round_began_at: expect.any(String),
      lease: before.lease + 1,
      ended_at: null,
    });
    expect(after.round_began_at > before.round_began_at).toBe(true);
  });

  it('makes one that waits for its next attempt due at once', async () => {
    const dueAt = '2036-01-01T00:00:00.000Z';
    const id = await addDelivery(shop, { endpointId: await quiet(), status: 'waiting', dueAt, attempts: [500] });
    await redeliver({ deliveryIds: [id] });
    const row = await rowOf(id);
    expect([row.status, row.due_at, row.lease]).toEqual(['waiting', row.round_began_at, 1]);
  });

  it('O21: takes a range of time in their order: of each payment and endpoint the first is due, the others follow it', async () => {
    const [one, two] = [await quiet(), await quiet()];
    const [paymentId, another] = [ids(), ids()];
    const createdAt = '2026-03-01T00:00:00.000Z';
    const given = { createdAt, status: 'dead' } as const;
    const queue: Record<string, string[]> = { a: [], b: [], c: [] };
    for (let sequence = 1; sequence <= 3; sequence++) {
      queue['a']?.push(await addDelivery(shop, { ...given, endpointId: one, paymentId }));
      queue['b']?.push(await addDelivery(shop, { ...given, endpointId: two, paymentId }));
      queue['c']?.push(await addDelivery(shop, { ...given, endpointId: one, paymentId: another }));
    }
    const webhookIds = await Promise.all(
      Object.values(queue)
        .flat()
        .map(async (id) => (await rowOf(id)).webhook_id),
    );
    const range = { from: '2026-03-01T00:00:00Z', to: '2026-03-01T00:00:01Z' };
    expect((await redeliver(range)).body).toEqual({ matched: 9, queued: 9 });
    for (const group of Object.values(queue)) {
      const rows = await Promise.all(group.map(rowOf));
      expect(rows.map(({ status }) => status)).toEqual(['waiting', 'waiting', 'waiting']);
      expect(rows.map(({ due_at }) => due_at !== null)).toEqual([true, false, false]);
    }
    expect(
      await Promise.all(
        Object.values(queue)
          .flat()
          .map(async (id) => (await rowOf(id)).webhook_id),
      ),
    ).toEqual(webhookIds);
  });

  it('of an early webhook holds back the later ones that wait', async () => {
    const [endpointId, paymentId] = [await quiet(), ids()];
    const early = await addDelivery(shop, { endpointId, paymentId });
    const untouched = await addDelivery(shop, { endpointId, paymentId });
    const waiting = await addDelivery(shop, { endpointId, paymentId, status: 'waiting' });
    const last = await addDelivery(shop, { endpointId, paymentId, status: 'waiting', dueAt: null });
    expect((await redeliver({ deliveryIds: [early] })).body).toEqual({ matched: 1, queued: 1 });
    const rows = await Promise.all([early, untouched, waiting, last].map(rowOf));
    expect(rows.map(({ status, due_at, lease }) => [status, due_at !== null, lease])).toEqual([
      ['waiting', true, 1],
      ['delivered', false, 0],
      ['waiting', false, 0],
      ['waiting', false, 0],
    ]);
  });

  it('of a late webhook waits for an earlier one, which is due at once', async () => {
    const [endpointId, paymentId] = [await quiet(), ids()];
    const dueAt = '2036-01-01T00:00:00.000Z';
    const earlier = await addDelivery(shop, { endpointId, paymentId, status: 'waiting', dueAt, attempts: [500] });
    const late = await addDelivery(shop, { endpointId, paymentId, status: 'dead' });
    await redeliver({ deliveryIds: [late] });
    const [first, second] = await Promise.all([rowOf(earlier), rowOf(late)]);
    expect([first.due_at, second.due_at]).toEqual([second.round_began_at, null]);
    // It was not asked for: its own schedule goes on where it was.
    expect(first.round_attempts).toBe(1);
  });

  it('counts, but does not queue, what no longer can or should be sent', async () => {
    const paymentId = ids();
    const disabled = await quiet();
    await set(disabled, 'disabled_at = now()');
    const gone = await addDelivery(shop, { endpointId: ids(), paymentId, status: 'dead' });
    const off = await addDelivery(shop, { endpointId: disabled, paymentId, status: 'waiting' });
    const cancelled = await addDelivery(shop, { endpointId: await quiet(), paymentId, status: 'cancelled' });
    const good = await addDelivery(shop, { endpointId: await quiet(), paymentId, status: 'dead' });
    const before = await Promise.all([gone, off, cancelled].map(rowOf));
    expect((await redeliver({ paymentId })).body).toEqual({ matched: 4, queued: 1 });
    expect(await Promise.all([gone, off, cancelled].map(rowOf))).toEqual(before);
    expect((await rowOf(good)).status).toBe('waiting');
  });

  it('takes every filter, each alone', async () => {
    const [endpointId, paymentId] = [await quiet(), ids()];
    const id = await addDelivery(shop, {
      endpointId,
      paymentId,
      type: 'payment.credited',
      createdAt: '2031-01-01T00:00:00.000Z',
      status: 'dead',
    });
    for (const filter of [
      { endpointId },
      { paymentId },
      { type: 'payment.credited' },
      { from: '2031-01-01T00:00:00Z' },
      { status: 'dead', paymentId },
    ]) {
      await shop.database.pool.query(`update webhook_delivery set status = 'dead', due_at = null where id = $1`, [id]);
      expect([filter, (await redeliver(filter)).body]).toEqual([filter, { matched: 1, queued: 1 }]);
    }
    expect((await redeliver({ paymentId: missing })).body).toEqual({ matched: 0, queued: 0 });
  });

  it('refuses more than 10,000 at once with their number, and changes none', async () => {
    const [endpointId, paymentId] = [await quiet(), ids()];
    const id = await addDelivery(shop, { endpointId, paymentId, status: 'dead' });
    await shop.database.pool.query(
      `insert into webhook (id, application_id, payment_id, sequence, type, body, correlation_id, created_at)
       select gen_random_uuid(), application_id, payment_id, n, type, body, correlation_id, created_at
       from webhook, generate_series(2, 10001) n where payment_id = $1`,
      [paymentId],
    );
    await shop.database.pool.query(
      `insert into webhook_delivery (id, webhook_id, endpoint_id, application_id, payment_id, sequence, type, status,
         round_began_at, created_at)
       select gen_random_uuid(), id, $2, application_id, payment_id, sequence, type, 'dead', created_at, created_at
       from webhook where payment_id = $1 and sequence > 1`,
      [paymentId, endpointId],
    );
    const refused = await redeliver({ paymentId });
    expectProblem(refused, 'invalid_request');
    expect(refused.body.detail).toContain('10001 deliveries match');
    const waiting = `select count(*)::int as n from webhook_delivery where payment_id = $1 and status = 'waiting'`;
    expect((await shop.database.pool.query(waiting, [paymentId])).rows).toEqual([{ n: 0 }]);
    await shop.database.pool.query('delete from webhook_delivery where id = $1', [id]);
    expect((await redeliver({ paymentId })).body).toEqual({ matched: 10_000, queued: 10_000 });
    const due = 'select sequence from webhook_delivery where payment_id = $1 and due_at is not null';
    expect((await shop.database.pool.query(due, [paymentId])).rows).toEqual([{ sequence: 2 }]);
  });

  it('O21: arrives under the ids that it had, in the order of the payment, and is delivered', async () => {
    const receiver = await new Receiver().open();
    const { id: endpointId } = await create({ url: receiver.url });
    const given = { endpointId: endpointId as string, paymentId: ids(), status: 'dead', attempts: [500] } as const;
    const queue: string[] = [];
    for (let n = 0; n < 3; n++) queue.push(await addDelivery(shop, given));
    expect((await redeliver({ endpointId, status: 'dead' })).body).toEqual({ matched: 3, queued: 3 });
    await until(
      async () => (await Promise.all(queue.map(rowOf))).every(({ status }) => status === 'delivered'),
      10_000,
    );
    const expected = (await Promise.all(queue.map(rowOf))).map(({ webhook_id }) => webhook_id);
    expect(receiver.requests.map(({ headers }) => headers['webhook-id'])).toEqual(expected);
    const { body } = await shop.api('GET', `${deliveries}/${String(queue[0])}`);
    expect(body).toMatchObject({ status: 'delivered', dueAt: null, attemptCount: 2 });
    expect(body.attempts).toMatchObject([
      { attempt: 1, outcome: 'http_5xx' },
      { attempt: 2, outcome: 'success', status: 200 },
    ]);
    await receiver.close();
  });

  it('is made once for one Idempotency-Key', async () => {
    const id = await addDelivery(shop, { endpointId: await quiet(), status: 'dead' });
    const once = { 'idempotency-key': 'webhooks-redeliver' };
    const answers = [await redeliver({ deliveryIds: [id] }, once), await redeliver({ deliveryIds: [id] }, once)];
    expect(answers.map(({ status, body }) => [status, body.queued])).toEqual([
      [202, 1],
      [202, 1],
    ]);
    expect((await rowOf(id)).lease).toBe(1);
  });

  it('leaves one that is due for each payment and endpoint, however many are asked for at once', async () => {
    const endpointId = await quiet();
    for (let round = 0; round < 10; round++) {
      const paymentId = ids();
      const queue: string[] = [];
      for (let n = 0; n < 8; n++) queue.push(await addDelivery(shop, { endpointId, paymentId, status: 'dead' }));
      // The last first: each that comes after one of the others is to be due in its place.
      const answers = await Promise.all([...queue].reverse().map((id) => redeliver({ deliveryIds: [id] })));
      expect(answers.map(({ status }) => status)).toEqual(queue.map(() => 202));
      const rows = await Promise.all(queue.map(rowOf));
      expect(rows.map(({ status, due_at }) => [status, due_at !== null])).toEqual(
        queue.map((_, at) => ['waiting', at === 0]),
      );
    }
  });

  it('is of nothing at all where one of the ids is unknown, or of another application', async () => {
    const own = await addDelivery(shop, { endpointId: await quiet(), status: 'dead' });
    const key = asOther.authorization.slice('Bearer '.length);
    const theirs = await addDelivery(shop, { endpointId: await quiet(), status: 'dead', key });
    for (const other of [missing, theirs]) expectProblem(await redeliver({ deliveryIds: [own, other] }), 'not_found');
    expect([(await rowOf(own)).status, (await rowOf(theirs)).status]).toEqual(['dead', 'dead']);
  });

  it.each([
    [{}, ['/deliveryIds']],
    [{ status: null }, ['/deliveryIds']],
    [{ deliveryIds: [missing], status: 'dead' }, ['/deliveryIds']],
    [{ deliveryIds: [] }, ['/deliveryIds']],
    [{ deliveryIds: missing }, ['/deliveryIds']],
    [{ deliveryIds: ['x'] }, ['/deliveryIds']],
    [{ deliveryIds: [missing, missing] }, ['/deliveryIds']],
    [
      { deliveryIds: Array.from({ length: 101 }, (_, at) => missing.slice(0, -3) + String(at + 100)) },
      ['/deliveryIds'],
    ],
    [{ paymentId: 'x' }, ['/paymentId']],
    [{ endpointId: 7 }, ['/endpointId']],
    [{ type: 'payment.lost' }, ['/type']],
    [{ status: 'lost' }, ['/status']],
    [{ from: 'yesterday' }, ['/from']],
    [{ to: '2026-02-30T00:00:00Z' }, ['/to']],
    [{ status: 'dead', force: true }, ['/force']],
  ])('is refused for %j', async (body, pointers) => {
    expectProblem(await redeliver(body), 'invalid_request', pointers);
  });

  it('takes a body of JSON, and one only', async () => {
    const path = `${deliveries}/redeliver`;
    const headers = { authorization: `Bearer ${apiKey}` };
    expectProblem(await send(shop.url, { path, headers, body: '[]' }), 'invalid_request');
    expectProblem(await send(shop.url, { path, headers, body: '{' }), 'malformed_request');
  });
});

import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { addSeconds } from '../../src/kernel/clock.js';
import { announcementsIn } from '../../src/fulfillment/announcements.js';
import {
  wellEndpoint,
  type AttemptRecord,
  type ClaimedDelivery,
  type DeliveryNext,
  type NewWebhook,
} from '../../src/fulfillment/delivery.js';
import { WebhookDeliveries } from '../../src/fulfillment/webhook-deliveries.pg.js';
import { fulfillmentStreamOf } from '../../src/fulfillment/fulfillment.js';
import type { JsonObject } from '../../src/kernel/json.js';
import { inTransaction } from '../../src/platform/database/database.pg.js';
import { LogReader } from '../../src/platform/event-store/log-reader.pg.js';
import type { Payment } from '../../src/payments/payment.js';
import { lives } from '../payments/lifecycle-acts.js';
import { liveOn } from '../payments/lifecycle-model.js';
import { seed } from '../payments/seed.js';
import { corroboration, eventually, paidEvents, Receiver, World } from './support.js';

let world: World;
let receiver: Receiver;
beforeEach(async () => {
  world = await World.open();
  receiver = await new Receiver().open();
});
afterEach(async () => {
  await receiver.close();
  await world.close();
});

const react = async (): Promise<void> => {
  const events = await new LogReader(world.database.pool).read(0, 1000);
  await inTransaction(world.database.pool, (tx) => world.webhooks.react(tx, events));
};
const webhook = (paymentId: string, endpointIds: string[], type: NewWebhook['type'] = 'payment.paid'): NewWebhook => ({
  id: world.ids.next(),
  applicationId: world.applicationId,
  paymentId,
  type,
  correlationId: world.ids.next(),
  createdAt: world.clock.now(),
  body: (sequence) => JSON.stringify({ type, data: { id: paymentId, sequence } }),
  endpointIds,
});
const add = (...webhooks: NewWebhook[]): Promise<void> =>
  inTransaction(world.database.pool, (tx) => world.outbox.add(tx, webhooks));
const claim = (room = 32): Promise<ClaimedDelivery[]> =>
  world.outbox.claim(world.clock.now(), addSeconds(world.clock.now(), 45), room);
const attempt = (): AttemptRecord => ({
  at: world.clock.now(),
  durationMs: 1,
  status: 200,
  outcome: 'success',
  answer: null,
});
const finish = (delivery: ClaimedDelivery, next: DeliveryNext = { status: 'delivered' }): Promise<boolean> =>
  world.outbox.finish(delivery, attempt(), next, wellEndpoint);
const only = <T>(items: readonly T[]): T => {
  expect(items).toHaveLength(1);
  const [item] = items;
  if (item === undefined) throw new Error('there is none');
  return item;
};
const count = async (text: string): Promise<number> => (await world.database.pool.query(text)).rows.length;
interface Body {
  type: string;
  data: { id: string; sequence: number; status: string; version: number };
}
const bodies = (path = '/hooks'): Body[] =>
  receiver.requests.filter(({ url }) => url === path).map(({ body }) => JSON.parse(body) as Body);

describe("A payment's webhooks", () => {
  it('are numbered without gaps, in the order of the events, with the payment as it was then', async () => {
    await world.endpoint(receiver.url, null);
    await world.endpoint(`${receiver.url}/some`, ['payment.paid', 'payment.created']);
    world.follow(world.fulfillment, world.webhooks);
    world.startDelivery();
    const id = world.ids.next();
    for (const event of [...paidEvents(id, world.applicationId), corroboration()]) await world.append(id, [event]);
    await eventually('all are told', async () => (await world.status(id)) === 'fulfilled');
    await world.quiet();
    expect(bodies().map(({ type, data }) => [type, data.sequence, data.status])).toEqual([
      ['payment.created', 1, 'created'],
      ['payment.pending', 2, 'pending'],
      ['payment.paid', 3, 'paid'],
      ['fulfillment.requested', 4, 'paid'],
    ]);
    expect(bodies().map(({ data }) => data.version)).toEqual([1, 2, 4, 5]);
    expect(bodies('/hooks/some').map(({ type, data }) => [type, data.sequence])).toEqual([
      ['payment.created', 1],
      ['payment.paid', 3],
    ]);
  });

  it('have the same ids whenever they are made, and are made once', async () => {
    await world.endpoint(receiver.url, null);
    const ids = async (): Promise<unknown[]> =>
      (await world.database.pool.query('select id, sequence, body from webhook order by payment_id, sequence')).rows;
    await world.paidPayment();
    await react();
    const first = await ids();
    await react();
    expect(await ids()).toEqual(first);
    await world.database.pool.query('delete from webhook_delivery');
    await world.database.pool.query('delete from webhook');
    await react();
    expect(await ids()).toEqual(first);
    expect(first).toHaveLength(3);
  });

  it('are numbered without gaps whatever happens to the payment, and wherever the log is cut into batches', async () => {
    await world.endpoint(receiver.url, null);
    const sample = fc.sample(lives, { seed, numRuns: 12 });
    const ids: string[] = [];
    for (const life of sample) {
      const id = world.ids.next();
      let first: Payment | null = null;
      const { history } = liveOn(life, (step) => (first ??= step.before));
      if (!first) continue;
      const { terms } = first as Payment;
      await world.append(id, [
        { type: 'PaymentRequested', data: { ...terms, id, applicationId: world.applicationId } },
        ...history,
      ]);
      ids.push(id);
    }
    const events = await new LogReader(world.database.pool).read(0, 5000);
    const cuts = fc.sample(fc.integer({ min: 1, max: 40 }), { seed, numRuns: events.length });
    for (let at = 0; at < events.length; at += cuts[at] ?? 1) {
      const batch = events.slice(at, at + (cuts[at] ?? 1));
      await inTransaction(world.database.pool, (tx) => world.webhooks.react(tx, batch));
    }
    expect(ids).toHaveLength(12);
    for (const id of ids) {
      const stream = events.filter(({ streamId }) => streamId === id);
      const told = announcementsIn(stream, new Set(stream.map((event) => event.id))).map(({ type }) => type);
      const { rows } = await world.database.pool.query<{ sequence: number; type: string }>(
        'select sequence, type from webhook where payment_id = $1 order by sequence',
        [id],
      );
      expect(rows.map(({ type }) => type)).toEqual(told);
      expect(rows.map(({ sequence }) => sequence)).toEqual(told.map((_, index) => index + 1));
    }
  });

  it('cost nothing for an application without an endpoint', async () => {
    await world.paidPayment();
    const reads = jest.spyOn(world.store, 'readMany');
    await react();
    expect(reads).not.toHaveBeenCalled();
    expect(await count('select 1 from webhook')).toBe(0);
  });

  it('that happen while the only endpoint is disabled are dead, ask a person for the goods, and can be sent again', async () => {
    const { id } = await world.endpoint(receiver.url, null);
    world.follow(world.fulfillment, world.webhooks);
    world.startDelivery();
    await world.endpoints.update(world.applicationId, id, { enabled: false });
    const paymentId = await world.paidPayment();
    await eventually('nobody heard of it', async () => (await world.status(paymentId)) === 'unanswered');
    await world.quiet();
    await world.endpoints.update(world.applicationId, id, { enabled: true });
    const deliveries = new WebhookDeliveries(world.database.pool, world.clock);
    expect(await deliveries.redeliver(world.applicationId, { status: 'dead' })).toEqual({ matched: 4, queued: 4 });
    await eventually('it is delivered', async () => (await world.status(paymentId)) === 'fulfilled');
    expect(bodies().map(({ data }) => data.sequence)).toEqual([1, 2, 3, 4]);
  });

  it('ask for no goods of a payment that was refunded after the giving up, though they are sent again', async () => {
    receiver.answer = (response) => response.writeHead(410).end();
    const { id } = await world.endpoint(receiver.url);
    world.follow(world.fulfillment, world.webhooks);
    world.startDelivery();
    const paymentId = await world.paidPayment();
    await eventually('it is given up', async () => (await world.status(paymentId)) === 'unanswered');
    await world.append(paymentId, [
      { type: 'GatewayReported', data: { status: 'refunded', valueUsd: null, witness: 'poll', at: world.clock.now() } },
    ]);
    await eventually('it is cancelled', async () => only(await world.deliveries(paymentId)).status === 'cancelled');
    receiver.answer = (response) => response.end();
    await world.endpoints.update(world.applicationId, id, { enabled: true });
    const deliveries = new WebhookDeliveries(world.database.pool, world.clock);
    expect(await deliveries.redeliver(world.applicationId, { endpointId: id })).toEqual({ matched: 1, queued: 0 });
    await world.quiet();
    expect(receiver.requests).toHaveLength(1);
  });

  it('O28: arrive in order: a refund is not told before it was told that it is paid', async () => {
    let refused = 0;
    receiver.answer = (response, { body }) =>
      response.writeHead((JSON.parse(body) as Body).type === 'payment.paid' && refused++ < 2 ? 500 : 200).end();
    await world.endpoint(receiver.url, null);
    world.follow(world.webhooks);
    world.startDelivery();
    const id = await world.paidPayment();
    await world.append(id, [
      { type: 'GatewayReported', data: { status: 'refunded', valueUsd: null, witness: 'poll', at: world.clock.now() } },
    ]);
    await eventually('the refund waits in line', async () => (await world.deliveries(id)).length === 4);
    for (let turn = 1; turn <= 2; turn++) {
      await eventually('it is refused', () => refused === turn);
      await world.quiet();
      expect(bodies().map(({ type }) => type)).not.toContain('payment.refunded');
      world.clock.advance(15);
    }
    await eventually('all arrived', async () => (await world.waiting()) === 0);
    expect(bodies().map(({ type }) => type)).toEqual([
      'payment.created',
      'payment.pending',
      'payment.paid',
      'payment.paid',
      'payment.paid',
      'payment.refunded',
    ]);
    expect(bodies().at(-1)?.data.sequence).toBe(4);
  });

  it('never stick behind one that ends while they are added', async () => {
    const endpoint = await world.endpoint(receiver.url, null);
    // No more lanes than the endpoint has attempts at a time: each round ends the head of every lane.
    const payments = Array.from({ length: 6 }, () => world.ids.next());
    const next = (): NewWebhook[] => payments.map((id) => webhook(id, [endpoint.id]));
    await add(...next());
    for (let round = 1; round <= 60; round++) {
      const heads = await claim();
      expect(heads.map(({ sequence }) => sequence)).toEqual(payments.map(() => round));
      await Promise.all([
        add(...next()),
        ...heads.map(async (delivery, index) => {
          await delay((round + index) % 6);
          await finish(delivery);
        }),
      ]);
    }
    await Promise.all((await claim()).map((delivery) => finish(delivery)));
    expect(await world.waiting()).toBe(0);
  });
});

describe('A webhook that is taken back', () => {
  const say = async (paymentId: string, type: string, data: JsonObject): Promise<void> => {
    const { head } = await world.store.read(fulfillmentStreamOf(paymentId));
    const metadata = {
      tenant: world.applicationId,
      actor: 'service',
      correlationId: world.ids.next(),
      causationId: world.ids.next(),
      recordedAt: world.clock.now(),
    };
    const event = { id: world.ids.next(), type, schemaVersion: 1, data };
    await world.store.append({ streamId: fulfillmentStreamOf(paymentId), head, events: [event], metadata });
  };

  it('is not sent, what comes after it is, and it is sent once it is asked for again', async () => {
    await world.endpoint(receiver.url, null);
    world.follow(world.fulfillment, world.webhooks);
    const id = await world.paidPayment();
    await eventually('it is asked for', async () => (await world.waiting()) === 4);
    const messageId = (await world.streams.load(id)).fulfillment?.request.messageId ?? '';
    await say(id, 'FulfillmentStopped', { messageId });
    await world.append(id, [
      { type: 'GatewayReported', data: { status: 'refunded', valueUsd: null, witness: 'poll', at: world.clock.now() } },
    ]);
    await eventually('both are seen', async () => (await world.deliveries(id)).length === 5);
    world.startDelivery();
    await eventually('the rest arrives', async () => (await world.waiting()) === 0);
    expect(bodies().map(({ data }) => data.sequence)).toEqual([1, 2, 3, 5]);
    expect((await world.deliveries(id))[3]).toMatchObject({ status: 'cancelled', due_at: null, attempts: 0 });

    await say(id, 'FulfillmentResumed', { messageId });
    await eventually('it arrives', () => receiver.requests.length === 5);
    expect(bodies().at(-1)).toMatchObject({ type: 'fulfillment.requested', data: { sequence: 4 } });
    expect(receiver.requests.at(-1)?.headers['webhook-id']).toBe(messageId);
  });

  it('goes ahead of what waits behind it when it is asked for again', async () => {
    const { id: endpointId } = await world.endpoint(receiver.url, null);
    const paymentId = world.ids.next();
    const [first, second] = [webhook(paymentId, [endpointId]), webhook(paymentId, [endpointId])];
    await add(first, second);
    await inTransaction(world.database.pool, (tx) => world.outbox.cancel(tx, first.id, world.clock.now()));
    const held = only(await claim());
    expect(held.sequence).toBe(2);
    await inTransaction(world.database.pool, (tx) => world.outbox.resume(tx, first.id, world.clock.now()));
    await finish(held, { status: 'waiting', dueAt: world.clock.now() });
    const next = only(await claim());
    expect(next.sequence).toBe(1);
    await finish(next);
    expect(only(await claim()).sequence).toBe(2);
  });

  it('while it is under way is recorded, and stays taken back', async () => {
    const { id: endpointId } = await world.endpoint(receiver.url, null);
    const paymentId = world.ids.next();
    const message = webhook(paymentId, [endpointId]);
    await add(message);
    const held = only(await claim());
    await inTransaction(world.database.pool, (tx) => world.outbox.cancel(tx, message.id, world.clock.now()));
    expect(await finish(held, { status: 'waiting', dueAt: world.clock.now() })).toBe(true);
    expect(await world.attempts(paymentId)).toHaveLength(1);
    expect(await world.deliveries(paymentId)).toMatchObject([{ status: 'cancelled', due_at: null }]);
    expect(await claim()).toEqual([]);
  });
});

describe('A claim', () => {
  it('O26: is made by one worker alone, whoever else looks at the same moment', async () => {
    const messages = 120;
    let together = 0;
    const under = new Map<string, number>();
    receiver.answer = (response, { headers }) => {
      const id = headers['webhook-id'] ?? '';
      under.set(id, (under.get(id) ?? 0) + 1);
      together = Math.max(together, under.get(id) ?? 0);
      setTimeout(() => {
        under.set(id, (under.get(id) ?? 0) - 1);
        response.end();
      }, 5);
    };
    const { id } = await world.endpoint(receiver.url, null);
    await add(...Array.from({ length: messages }, () => webhook(world.ids.next(), [id])));
    for (let worker = 0; worker < 3; worker++) world.startDelivery();
    await eventually('all arrived', async () => (await world.waiting()) === 0);
    expect(together).toBe(1);
    expect(receiver.requests).toHaveLength(messages);
    expect(receiver.messageIds).toHaveLength(messages);
  });

  it('O26: of a failing endpoint is for one attempt, however many look', async () => {
    const { id } = await world.endpoint(receiver.url, null);
    await add(...Array.from({ length: 30 }, () => webhook(world.ids.next(), [id])));
    await world.database.pool.query('update webhook_endpoint set failing_since = now(), failures = 4');
    for (let round = 0; round < 25; round++) {
      const claimed = await Promise.all(Array.from({ length: 6 }, () => claim()));
      expect(claimed.flat()).toHaveLength(1);
      expect(await claim()).toEqual([]);
      world.clock.advance(46);
    }
  });

  it('O25: whose worker died before the call, or after it and before the mark, is made again within a minute', async () => {
    const { id } = await world.endpoint(receiver.url, null);
    const paymentId = world.ids.next();
    await add(webhook(paymentId, [id]));
    // Before the call: claimed, and never heard of again.
    const before = only(await claim());
    expect(await claim()).toEqual([]);
    world.clock.advance(46);
    // After the call: it arrives, and the process dies before it is recorded.
    const dying = jest.spyOn(world.outbox, 'finish').mockRejectedValueOnce(new Error('killed'));
    await world.delivery().tick();
    await eventually('it arrived', () => dying.mock.calls.length === 1);
    expect(await world.attempts(paymentId)).toEqual([]);
    world.clock.advance(46);
    world.startDelivery();
    await eventually('it is recorded', async () => (await world.waiting()) === 0);
    expect(receiver.requests).toHaveLength(2);
    expect(receiver.messageIds).toEqual([before.webhookId]);
    expect(await world.attempts(paymentId)).toMatchObject([{ attempt: 1, outcome: 'success' }]);
  });

  it('O27: that outlived its lease marks nothing any more', async () => {
    const { id } = await world.endpoint(receiver.url, null);
    const paymentId = world.ids.next();
    await add(webhook(paymentId, [id]), webhook(paymentId, [id]));
    const paused = only(await claim());
    world.clock.advance(46);
    const second = only(await claim());
    expect(second.webhookId).toBe(paused.webhookId);
    expect(await finish(paused, { status: 'dead' })).toBe(false);
    expect(await world.attempts(paymentId)).toEqual([]);
    expect(await finish(second)).toBe(true);
    expect(await finish(paused, { status: 'dead' })).toBe(false);
    expect(await world.deliveries(paymentId)).toMatchObject([
      { status: 'delivered', attempts: 1 },
      { status: 'waiting' },
    ]);
    expect(await world.attempts(paymentId)).toHaveLength(1);
  });

  it('O29: neither hurries nor loses anything when the clock jumps an hour on and back', async () => {
    receiver.answer = () => undefined;
    await world.endpoint(receiver.url, null);
    world.follow(world.webhooks);
    world.startDelivery(600);
    const began = performance.now();
    const id = await world.paidPayment();
    await eventually('the attempt is under way', () => receiver.requests.length === 1);
    world.clock.advance(-3600);
    const [attempted] = await eventually('it is cut off', async () => {
      const rows = await world.attempts(id);
      return rows.length > 0 ? rows : null;
    });
    // By a clock that does not jump.
    expect(performance.now() - began).toBeLessThan(5000);
    expect(attempted).toMatchObject({ outcome: 'timeout' });
    receiver.answer = (response) => response.end();
    // What is new goes out at once, though it was written by a clock an hour ahead.
    const second = await world.paidPayment();
    world.clock.advance(3600);
    await eventually('the second is told of', async () => (await world.deliveries(second)).length === 3);
    await eventually('all arrived', async () => (await world.waiting()) === 0);
    for (const paymentId of [id, second])
      expect((await world.deliveries(paymentId)).map(({ status }) => status)).toEqual(Array(3).fill('delivered'));
  });
});

describe('One endpoint', () => {
  /** Puts so many webhooks in its queue, each of a payment of its own. */
  const backlog = async (endpointId: string, size: number): Promise<void> => {
    const { pool } = world.database;
    const values = [world.applicationId, size];
    await pool.query(
      `insert into webhook (id, application_id, payment_id, sequence, type, body, correlation_id, created_at)
       select gen_random_uuid(), $1, gen_random_uuid(), 1, 'payment.paid', '{}', gen_random_uuid(), now() - interval '1 hour'
       from generate_series(1, $2::integer)`,
      values,
    );
    await pool.query(
      `insert into webhook_delivery (id, webhook_id, endpoint_id, application_id, payment_id, sequence, type, status, due_at,
         round_began_at, created_at)
       select gen_random_uuid(), id, $1, application_id, payment_id, 1, type, 'waiting', created_at, created_at, created_at
       from webhook`,
      [endpointId],
    );
  };
  const late = (times: readonly number[]): number =>
    [...times].sort((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0;

  it('O19: that is dead with 50,000 queued delays no other', async () => {
    const dead = await new Receiver().open();
    dead.answer = () => undefined;
    const { id: deadId } = await world.endpoint(dead.url, null);
    const { id } = await world.endpoint(receiver.url, null);
    await backlog(deadId, 50_000);
    world.startDelivery(800);
    await eventually('it takes what it may', () => dead.requests.length >= 6);
    const times: number[] = [];
    for (let round = 0; round < 100; round++) {
      const began = performance.now();
      const paymentId = world.ids.next();
      const before = receiver.requests.length;
      await add(webhook(paymentId, [deadId, id]));
      await eventually('it arrives', () => receiver.requests.length > before);
      times.push(performance.now() - began);
    }
    expect(late(times)).toBeLessThan(500);
    // A fifth of one process at the most, and soon one at a time.
    expect(await world.health(deadId)).toMatchObject({ disabled_at: null });
    expect(dead.requests.length).toBeLessThan(20);
    await dead.close();
  });

  it('down for 70 hours gets everything after its return, in order and under the same ids (FT12)', async () => {
    let down = true;
    receiver.answer = (response) => response.writeHead(down ? 503 : 200).end();
    await world.endpoint(receiver.url, null);
    world.follow(world.fulfillment, world.webhooks);
    world.startDelivery();
    const payments: string[] = [];
    for (let hour = 0; hour < 70; hour += 2) {
      if (hour === 0 || hour === 10 || hour === 30) {
        payments.push(await world.paidPayment());
        await eventually('it waits', async () => (await world.waiting()) === payments.length * 4);
        await world.quiet();
      }
      world.clock.advance(2 * 3600);
      await world.quiet();
    }
    const tried = new Set(receiver.messageIds);
    expect(await world.waiting()).toBe(3 * 4);
    down = false;
    receiver.requests.length = 0;
    // At the latest when the longest pause is over.
    world.clock.advance(300);
    await eventually('all arrived', async () => (await world.waiting()) === 0);
    expect(receiver.messageIds).toHaveLength(3 * 4);
    expect(receiver.requests).toHaveLength(3 * 4);
    expect([...tried].every((id) => receiver.messageIds.includes(id))).toBe(true);
    for (const id of payments) {
      expect(
        bodies()
          .filter(({ data }) => data.id === id)
          .map(({ data }) => data.sequence),
      ).toEqual([1, 2, 3, 4]);
      expect(await world.status(id)).toBe('fulfilled');
    }
  });

  it('that fails for five days is told of after two, then disabled, and what waits there is dead', async () => {
    receiver.answer = (response) => response.writeHead(500).end();
    const { id } = await world.endpoint(receiver.url, null);
    world.follow(world.fulfillment, world.webhooks);
    world.startDelivery();
    const payments: string[] = [];
    const told = async (): Promise<string[]> => (await world.store.read(id)).events.map(({ type }) => type);
    for (let hour = 0; hour < 120; hour += 4) {
      expect(await told()).toEqual(hour < 48 ? [] : ['WebhookEndpointFailing']);
      if (hour === 0 || hour === 40) {
        payments.push(await world.paidPayment());
        await eventually('it waits', async () => (await world.waiting()) === payments.length * 4);
        await world.quiet();
      }
      world.clock.advance(4 * 3600);
      await world.quiet();
    }
    expect(await told()).toEqual(['WebhookEndpointFailing', 'WebhookEndpointDisabled']);
    expect(await world.health(id)).toMatchObject({ disabled_reason: 'failing' });
    await eventually('nothing waits', async () => (await world.waiting()) === 0);
    for (const paymentId of payments) {
      expect((await world.deliveries(paymentId)).map(({ status }) => status)).toEqual(Array(4).fill('dead'));
      expect(await world.status(paymentId)).toBe('unanswered');
    }
  });

  it('that gives up leaves the fulfilment to the others, and unanswered where there is none', async () => {
    receiver.answer = (response, { url }) => response.writeHead(url === '/hooks/a' ? 410 : 503).end();
    await world.endpoint(`${receiver.url}/a`);
    const { id } = await world.endpoint(`${receiver.url}/b`);
    world.follow(world.fulfillment, world.webhooks);
    world.startDelivery();
    const paymentId = await world.paidPayment();
    await eventually('both have answered', async () => (await world.attempts(paymentId)).length === 2);
    expect(await world.status(paymentId)).toBe('requested');
    await world.endpoints.remove(world.applicationId, id);
    world.clock.advance(10);
    await eventually('nobody is left', async () => (await world.status(paymentId)) === 'unanswered');
    expect(receiver.requests).toHaveLength(2);
  });

  it('and another that give up at the same moment: one of them is the last, and knows it', async () => {
    receiver.answer = (response) => response.writeHead(410).end();
    for (let round = 0; round < 10; round++) {
      await world.endpoint(`${receiver.url}/a`);
      await world.endpoint(`${receiver.url}/b`);
      const paymentId = await world.paidPayment();
      const events = await new LogReader(world.database.pool).read(0, 1000);
      await inTransaction(world.database.pool, (tx) => world.fulfillment.react(tx, events));
      await react();
      const [one, other] = await claim();
      if (!one || !other) throw new Error('two were due');
      const dying = (delivery: ClaimedDelivery, last: string[]) =>
        world.outbox.finish(delivery, attempt(), { status: 'dead' }, wellEndpoint, {
          whenLast: () => {
            last.push(delivery.id);
            return Promise.resolve();
          },
        });
      const last: string[] = [];
      await Promise.all([dying(one, last), dying(other, last)]);
      expect(last).toHaveLength(1);
      expect(await world.status(paymentId)).toBe('requested');
      await world.database.pool.query('delete from webhook_endpoint');
    }
  });
});

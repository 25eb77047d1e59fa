import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RecordedEvent } from '../../src/kernel/event.js';
import { ReportFulfillment, ReportFulfillmentHandler } from '../../src/fulfillment/fulfillment.handlers.js';
import { inTransaction } from '../../src/platform/database/database.pg.js';
import { LogReader } from '../../src/platform/event-store/log-reader.pg.js';
import type { Reactor } from '../../src/platform/subscriptions/projection.js';
import { corroboration, eventually, Receiver, World } from './support.js';

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

const log = (): Promise<RecordedEvent[]> => new LogReader(world.database.pool).read(0, 1000);
const react = async (reactor: Reactor): Promise<void> => {
  const events = await log();
  await inTransaction(world.database.pool, (tx) => reactor.react(tx, events));
};
/** Runs the reactor and dies before the commit. */
const reactAndDie = async (reactor: Reactor): Promise<void> => {
  const events = await log();
  await inTransaction(world.database.pool, async (tx) => {
    await reactor.react(tx, events);
    throw new Error('killed');
  }).catch(() => undefined);
};
const delivered = (paymentId: string) =>
  eventually('it is fulfilled', async () => (await world.status(paymentId)) === 'fulfilled');

describe('The fulfilment saga', () => {
  it('asks once, whatever is repeated and wherever it is killed', async () => {
    await world.endpoint(receiver.url);
    const paymentId = await world.paidPayment();
    await reactAndDie(world.fulfillment);
    await react(world.fulfillment);
    await react(world.fulfillment);
    await Promise.all([react(world.fulfillment), react(world.fulfillment)]);
    expect(await world.story(paymentId)).toEqual(['FulfillmentRequested']);

    await reactAndDie(world.webhooks);
    expect(await world.waiting()).toBe(0);
    await react(world.webhooks);
    await react(world.webhooks);
    expect(await world.waiting()).toBe(1);
    world.startDelivery();
    await delivered(paymentId);
    await react(world.fulfillment);
    expect(receiver.messageIds).toHaveLength(1);
    expect(await world.story(paymentId)).toEqual(['FulfillmentRequested', 'FulfillmentReported']);
  });

  it('asks once where two processes follow the log', async () => {
    await world.endpoint(receiver.url);
    world.follow(world.fulfillment, world.webhooks, world.fulfillment, world.webhooks);
    world.startDelivery();
    const payments = await Promise.all(Array.from({ length: 10 }, () => world.paidPayment()));
    for (const paymentId of payments) await delivered(paymentId);
    expect(receiver.requests).toHaveLength(10);
    expect(receiver.messageIds).toHaveLength(10);
  });

  it('keeps up with a burst, and a slow endpoint does not hold up the others', async () => {
    const slow = await new Receiver().open();
    slow.answer = () => undefined;
    const quick = await world.endpoint(receiver.url);
    await world.endpoint(slow.url);
    const payments = await Promise.all(Array.from({ length: 40 }, () => world.paidPayment()));
    await react(world.fulfillment);
    await react(world.webhooks);
    world.startDelivery(5000);
    await eventually('the quick endpoint has them all', () => receiver.requests.length === 40, 4000);
    // A fifth of what one process has under way: the slow endpoint held no more than that.
    expect(slow.requests.length).toBeLessThanOrEqual(6);
    expect(new Set(receiver.messageIds).size).toBe(40);
    expect(payments).toHaveLength(40);
    expect(quick.url).toBe(receiver.url);
    await slow.close();
  });

  it('asks once the confirmation comes', async () => {
    const paymentId = await world.paidPayment({ corroborated: false });
    await react(world.fulfillment);
    expect(await world.story(paymentId)).toEqual([]);
    await world.append(paymentId, [corroboration()]);
    await react(world.fulfillment);
    expect(await world.story(paymentId)).toEqual(['FulfillmentRequested']);
  });

  it('does not ask for what is held by a review, until the review is withdrawn', async () => {
    const paymentId = await world.paidPayment({ corroborated: false });
    await world.append(paymentId, [
      { type: 'ReviewOpened', data: { reasons: ['gateway_conflict'], at: '2026-01-31T12:00:00.000Z' } },
      corroboration(),
    ]);
    await react(world.fulfillment);
    expect(await world.story(paymentId)).toEqual([]);
    await world.append(paymentId, [
      { type: 'ReviewWithdrawn', data: { reasons: ['gateway_conflict'], at: '2026-01-31T12:30:00.000Z' } },
    ]);
    await react(world.fulfillment);
    expect(await world.story(paymentId)).toEqual(['FulfillmentRequested']);
  });

  it('asks nothing of the database for events that do not concern it', async () => {
    const events = (await world.paidPayment({ corroborated: false }), await log()).filter(
      ({ type }) => type === 'GatewayReported',
    );
    await world.store.close();
    const client = await world.database.pool.connect();
    client.release(true);
    await world.fulfillment.react(client, events);
    await world.webhooks.react(client, events);
    expect(events).toHaveLength(1);
  });
});

describe('A report by the API', () => {
  const report = (paymentId: string, outcome: 'fulfilled' | 'rejected', readyFor: string | null = null) => {
    const cause = { actor: 'application:a', correlationId: world.ids.next(), causationId: world.ids.next() };
    const command = new ReportFulfillment(paymentId, outcome, 'parcel 7', null, cause, readyFor);
    return new ReportFulfillmentHandler(world.streams, world.clock).execute(command);
  };

  it('may come as soon as the payment is ready, before the request was recorded; both are then recorded once', async () => {
    const paymentId = await world.paidPayment();
    await report(paymentId, 'fulfilled', world.ids.next());
    await react(world.fulfillment);
    expect(await world.story(paymentId)).toEqual(['FulfillmentRequested', 'FulfillmentReported']);
  });

  it('counts once, and another outcome is refused', async () => {
    const paymentId = await world.paidPayment();
    await expect(report(paymentId, 'fulfilled')).rejects.toMatchObject({ code: 'not_fulfillable' });
    await react(world.fulfillment);
    const reports = await Promise.all(Array.from({ length: 5 }, () => report(paymentId, 'fulfilled')));
    expect(reports.flatMap(({ added }) => added)).toHaveLength(1);
    expect(reports[0]?.fulfillment).toMatchObject({
      status: 'fulfilled',
      report: { via: 'api', reference: 'parcel 7' },
    });
    await expect(report(paymentId, 'rejected')).rejects.toMatchObject({ code: 'fulfillment_already_reported' });
  });

  it('stands when the webhook is answered otherwise', async () => {
    receiver.answer = (response) => response.end('{"outcome":"rejected"}');
    await world.endpoint(receiver.url);
    const paymentId = await world.paidPayment();
    await react(world.fulfillment);
    await react(world.webhooks);
    await report(paymentId, 'fulfilled');
    world.startDelivery();
    await eventually('the attempt is recorded', async () => (await world.attempts(paymentId)).length === 1);
    expect(await world.story(paymentId)).toEqual(['FulfillmentRequested', 'FulfillmentReported']);
    expect(await world.status(paymentId)).toBe('fulfilled');
  });
});

describe('A worker killed while it delivers', () => {
  const dist = fileURLToPath(new URL('../../dist', import.meta.url));
  const script = fileURLToPath(new URL('worker-process.mjs', import.meta.url));

  it('O25: is followed by another that sends the same message again', async () => {
    receiver.answer = (response) => (receiver.requests.length === 1 ? undefined : response.end());
    await world.endpoint(receiver.url);
    const paymentId = await world.paidPayment();
    await react(world.fulfillment);
    await react(world.webhooks);

    const child = spawn(process.execPath, [script, dist, world.database.url], {
      stdio: 'ignore',
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const exited = new Promise((resolve) => child.once('exit', resolve));
    await eventually('the first process delivers', () => receiver.requests.length === 1);
    child.kill('SIGKILL');
    await exited;

    const next = world.startDelivery();
    await next.tick();
    expect(receiver.requests).toHaveLength(1);
    world.clock.advance(46);
    await delivered(paymentId);
    await world.quiet();
    expect(receiver.requests).toHaveLength(2);
    expect(receiver.messageIds).toHaveLength(1);
    expect(await world.attempts(paymentId)).toMatchObject([{ attempt: 1, outcome: 'success' }]);
  });
});

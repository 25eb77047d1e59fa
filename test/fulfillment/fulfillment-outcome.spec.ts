import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FulfillmentDeadline, FulfillmentOutcomeReactor } from '../../src/fulfillment/fulfillment-outcome.job.js';
import { acceptFulfillment, giveUpFulfillment, reportFulfillment } from '../../src/fulfillment/fulfillment.js';
import type { FulfillmentDecision } from '../../src/fulfillment/fulfillment-streams.pg.js';
import { openReviewOf } from '../../src/payments/money.js';
import { PaymentStreams } from '../../src/payments/payment-streams.pg.js';
import { StreamReviewDesk } from '../../src/payments/review-desk.handlers.js';
import { isFulfillable } from '../../src/payments/standing.js';
import { LogReader } from '../../src/platform/event-store/log-reader.pg.js';
import { Jobs } from '../../src/platform/jobs/jobs.pg.js';
import type { Reactor } from '../../src/platform/subscriptions/projection.js';
import { World } from './support.js';

let world: World;
let streams: PaymentStreams;
let outcome: FulfillmentOutcomeReactor;
let jobs: Jobs;
let position = 0;

beforeAll(async () => {
  world = await World.open();
  streams = new PaymentStreams(world.store, world.clock, world.ids);
  jobs = new Jobs({ url: world.database.url, concurrency: 1 });
  await jobs.migrate();
  outcome = new FulfillmentOutcomeReactor(world.store, new StreamReviewDesk(streams, world.clock), jobs);
});
afterAll(async () => {
  await jobs.stop();
  await world.close();
});

/** Has everything that is new in the log reacted upon twice, as after a crash. */
async function react(...reactors: Reactor[]): Promise<void> {
  const events = await new LogReader(world.database.pool).read(position, 1000);
  position = events.at(-1)?.position ?? position;
  const client = await world.database.pool.connect();
  for (const reactor of reactors) for (const _ of [1, 2]) await reactor.react(client, events);
  client.release();
}

/** A payment whose fulfilment was asked for. */
async function asked(): Promise<string> {
  const paymentId = await world.paidPayment();
  await react(world.fulfillment);
  return paymentId;
}

const cause = () => ({ actor: 'application:a', correlationId: world.ids.next(), causationId: world.ids.next() });
const says = async (paymentId: string, decision: FulfillmentDecision): Promise<void> => {
  await world.streams.decide(paymentId, null, cause(), decision);
  await react(world.fulfillment, outcome);
};
const reported = (paymentId: string, what: 'fulfilled' | 'rejected'): Promise<void> =>
  says(paymentId, (fulfillment) =>
    reportFulfillment(fulfillment, { outcome: what, via: 'api', reference: null, note: null }, world.clock.now()),
  );
const reasons = async (paymentId: string): Promise<string[]> => {
  const { payment } = await streams.load(paymentId);
  return 'money' in payment ? (openReviewOf(payment.money)?.reasons ?? []) : [];
};
const fulfillable = async (paymentId: string): Promise<boolean> =>
  isFulfillable((await streams.load(paymentId)).payment);
/** The gateway says that it has given the money back. */
const refundedByGateway = async (paymentId: string): Promise<void> => {
  const at = world.clock.now();
  await world.append(paymentId, [
    { type: 'GatewayReported', data: { status: 'refunded', valueUsd: null, witness: 'poll', at } },
  ]);
  await react(world.fulfillment, outcome);
};

describe('What an application makes of a paid order', () => {
  it('needs nobody where it was fulfilled', async () => {
    const paymentId = await asked();
    await reported(paymentId, 'fulfilled');
    expect(await reasons(paymentId)).toEqual([]);
    expect(await fulfillable(paymentId)).toBe(true);
  });

  it('needs a person where it was rejected: money is there, and nothing will be delivered for it', async () => {
    const paymentId = await asked();
    await reported(paymentId, 'rejected');
    expect(await reasons(paymentId)).toEqual(['fulfillment_rejected']);
    expect(await fulfillable(paymentId)).toBe(false);
    expect(await world.status(paymentId)).toBe('rejected');
  });

  it('needs a person where nobody answered, holds up nothing, and needs nobody once an answer came after all', async () => {
    const paymentId = await asked();
    await says(paymentId, (fulfillment) => giveUpFulfillment(fulfillment, world.clock.now()));
    expect(await reasons(paymentId)).toEqual(['fulfillment_unanswered']);
    expect(await fulfillable(paymentId)).toBe(true);
    await reported(paymentId, 'fulfilled');
    expect(await reasons(paymentId)).toEqual([]);
    expect(await world.status(paymentId)).toBe('fulfilled');
  });

  it('needs a person where it was promised for later and no report came within three days', async () => {
    const paymentId = await asked();
    await says(paymentId, (fulfillment) => acceptFulfillment(fulfillment, world.clock.now()));
    const { rows } = await world.database.pool.query<{ payload: unknown; hours: string }>(
      `select j.payload, round(extract(epoch from jobs.run_at - now()) / 3600)::text as hours
       from graphile_worker._private_jobs j join graphile_worker.jobs jobs using (id)
       where jobs.task_identifier = 'fulfillment_deadline' and j.payload->>'paymentId' = $1
         and j.payload->>'status' = 'accepted'`,
      [paymentId],
    );
    expect(rows.map(({ hours }) => hours)).toEqual(['72']);
    const run = { id: '1', attempt: 1, maxAttempts: 25, signal: new AbortController().signal };
    await new FulfillmentDeadline(world.streams, world.clock).task(rows[0]?.payload, run);
    await react(world.fulfillment, outcome);
    expect(await reasons(paymentId)).toEqual(['fulfillment_unanswered']);
  });

  it('needs a person where nobody said anything for four days: an application without endpoints reports by the API', async () => {
    const paymentId = await asked();
    await react(world.fulfillment, outcome);
    const payload = { paymentId, status: 'requested', correlationId: world.ids.next(), causationId: world.ids.next() };
    const run = { id: '1', attempt: 1, maxAttempts: 25, signal: new AbortController().signal };
    await new FulfillmentDeadline(world.streams, world.clock).task(payload, run);
    await react(world.fulfillment, outcome);
    expect(await reasons(paymentId)).toEqual(['fulfillment_unanswered']);
    await reported(paymentId, 'fulfilled');
    expect(await reasons(paymentId)).toEqual([]);
  });

  it('is asked for no more once the money went back, and a person is told where it was delivered all the same', async () => {
    const paymentId = await asked();
    await refundedByGateway(paymentId);
    expect(await world.status(paymentId)).toBe('stopped');
    expect(await world.story(paymentId)).toEqual(['FulfillmentRequested', 'FulfillmentStopped']);
    await reported(paymentId, 'fulfilled');
    expect(await reasons(paymentId)).toEqual(['fulfilled_after_stop']);
  });

  it('is nothing to ask about where it was rejected because the money went back', async () => {
    const paymentId = await asked();
    await refundedByGateway(paymentId);
    await reported(paymentId, 'rejected');
    expect(await reasons(paymentId)).toEqual([]);
  });

  it('is no matter of what came after it: a refund of delivered goods asks nobody', async () => {
    const paymentId = await asked();
    await world.streams.decide(paymentId, null, cause(), (fulfillment) =>
      reportFulfillment(
        fulfillment,
        { outcome: 'fulfilled', via: 'api', reference: null, note: null },
        world.clock.now(),
      ),
    );
    await refundedByGateway(paymentId);
    expect(await reasons(paymentId)).toEqual([]);
    expect(await world.story(paymentId)).toEqual(['FulfillmentRequested', 'FulfillmentReported']);
  });

  it('is asked on where a conflict was settled by a person', async () => {
    const paymentId = await asked();
    const at = world.clock.now();
    await world.append(paymentId, [{ type: 'ReviewOpened', data: { reasons: ['gateway_conflict'], at } }]);
    await react(world.fulfillment, outcome);
    expect(await world.status(paymentId)).toBe('stopped');
    await world.append(paymentId, [
      {
        type: 'ReviewResolved',
        data: {
          decision: 'accept',
          actor: 'support@shop.example',
          note: 'seen',
          reasons: ['gateway_conflict'],
          at,
        },
      },
    ]);
    await react(world.fulfillment, outcome);
    expect(await world.status(paymentId)).toBe('requested');
    const { events } = await world.streams.load(paymentId);
    expect(events.map(({ type }) => type)).toEqual([
      'FulfillmentRequested',
      'FulfillmentStopped',
      'FulfillmentResumed',
    ]);
    expect(new Set(events.map(({ data }) => data['messageId'])).size).toBe(1);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Pool } from 'pg';
import { v7 } from 'uuid';
import { defaultPolicy } from '../../src/payments/policy.js';
import { Simulations } from '../../src/payments/simulations.pg.js';
import { scanStreams } from '../../src/platform/event-store/stream-scan.pg.js';
import { testDatabase, type TestDatabase } from '../support/database.js';

const at = '2026-02-03T04:05:06.000Z';
const [ours, others] = [v7(), v7()];
let database: TestDatabase;
let ids: string[];

const insert = (pool: Pool, tenant: string, streamId: string, type: string, from: number, to: number, data: object) =>
  pool.query(
    `insert into event (stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash)
     select $1, n, gen_random_uuid(), $2, 1, $3, $4, 'test', gen_random_uuid(), gen_random_uuid(), $5, '\\x${'00'.repeat(32)}'
     from generate_series($6::integer, $7::integer) n`,
    [streamId, type, at, tenant, JSON.stringify(data), from, to],
  );

const requested = (id: string, applicationId: string) => ({
  ...{ id, applicationId, orderId: id, amount: '10.00', currency: 'USD', customerId: null, description: null },
  ...{ email: null, returnUrl: null, lifetimeMinutes: 60, policy: defaultPolicy, metadata: {} },
  ...{ statusToken: id, sandbox: true, requestedAt: at },
});

async function payment(tenant: string): Promise<string> {
  const id = v7();
  await insert(database.pool, tenant, id, 'PaymentRequested', 1, 1, requested(id, tenant));
  await insert(database.pool, tenant, id, 'InvoiceDelayed', 2, 4, { outcome: 'unavailable', detail: '', at });
  return id;
}

/** Two payments, an account that was written to often, a payment, as often what is another's, and a payment. */
beforeAll(async () => {
  database = await testDatabase();
  ids = [await payment(ours), await payment(ours)];
  await insert(database.pool, ours, v7(), 'CreditAdded', 1, 2000, {});
  ids.push(await payment(ours));
  await insert(database.pool, others, v7(), 'CreditAdded', 1, 45_000, {});
  ids.push(await payment(ours));
}, 60_000);
afterAll(() => database.drop());

const clock = { now: () => at };
const run = (withinMs: number | null, applicationId: string | null, after?: string) =>
  new Simulations(database.pool, clock).run(
    { policy: 'default', applicationId, rules: defaultPolicy.rules, ...(after === undefined ? {} : { after }) },
    { listed: 10, withinMs, pageSize: 7 },
  );

describe('A simulation that is out of time', () => {
  it.each([
    ['one application', () => ours],
    ['all applications', () => null],
  ])('goes on where it ended, whatever lies between the payments of %s', async (_, application) => {
    const parts = [];
    let next: string | null | undefined;
    for (; next !== null && parts.length < 50; next = parts.at(-1)?.next)
      parts.push(await run(-1, application(), next));
    expect(parts.length).toBeGreaterThan(2);
    expect(parts.reduce((sum, { payments }) => sum + payments, 0)).toBe(4);
    expect((await run(null, application())).payments).toBe(4);
  });
});

describe('A scan of streams', () => {
  it.each([1, 3, 4, 5, 1000])('of one application reads each whole stream once, by pages of %d', async (pageSize) => {
    const found: [string, number][] = [];
    const ends = new Set<string | null>();
    const wanted = { beginsWith: 'PaymentRequested', tenant: ours, pageSize };
    for await (const { streams, last } of scanStreams(database.pool, wanted)) {
      found.push(...streams.map((events): [string, number] => [events[0]?.streamId ?? '', events.length]));
      ends.add(last);
    }
    expect(found).toEqual(ids.map((id) => [id, 4]));
    // What is another's is passed over in parts, so that no page takes longer than a request may.
    expect(ends.size).toBeGreaterThan(1);
  });
});

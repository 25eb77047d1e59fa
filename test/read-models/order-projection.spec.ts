import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RecordedEvent } from '../../src/kernel/event.js';
import { inTransaction } from '../../src/platform/database/database.pg.js';
import { OrderProjection } from '../../src/read-models/order-projection.pg.js';
import { paidEvents } from '../fulfillment/support.js';
import { newId, someMetadata } from '../platform/event-store/samples.js';
import { testDatabase, type TestDatabase } from '../support/database.js';

describe('The order read model of an order with two payments', () => {
  let database: TestDatabase;
  const projection = new OrderProjection();
  const application = newId();
  const [older, newer] = [newId(), newId()];

  /** A payment's first events, at positions from `position` on. */
  const history = (id: string, position: number, requestedAt: string): RecordedEvent[] =>
    paidEvents(id, application)
      .slice(0, 2)
      .map(({ type, data }, at) => ({
        ...someMetadata(),
        id: newId(),
        type,
        schemaVersion: 1,
        data: { ...data, ...(at === 0 && { orderId: 'twice', requestedAt }) } as RecordedEvent['data'],
        streamId: id,
        version: at + 1,
        position: position + at,
      }));
  // The payment with the later id was recorded first.
  const first = history(newer, 1, '2026-01-31T12:00:00.001Z');
  const second = history(older, 3, '2026-01-31T12:00:00.000Z');

  beforeAll(async () => {
    database = await testDatabase();
  });
  afterAll(() => database.drop());

  const rows = async (): Promise<unknown[]> => [
    (await database.pool.query('select * from payment_view order by payment_id')).rows,
    (await database.pool.query('select * from order_view order by order_id')).rows,
  ];
  const apply = (...pages: RecordedEvent[][]): Promise<void> =>
    inTransaction(database.pool, async (tx) => {
      for (const page of pages) await projection.apply(tx, page);
    });
  const anew = async (...pages: RecordedEvent[][]): Promise<unknown[]> => {
    await inTransaction(database.pool, (tx) => projection.reset(tx));
    await apply(...pages);
    return rows();
  };

  it('is the same whatever the pages in which its events were applied', async () => {
    expect(await anew(first, second)).toEqual(await anew([...first, ...second]));
    const { rows: orders } = await database.pool.query('select first_payment_id, payments from order_view');
    expect(orders).toEqual([{ first_payment_id: older, payments: [older, newer] }]);
  });

  it('keeps what it knows of one of them while the other one is built anew', async () => {
    const whole = await anew(first, second);
    await inTransaction(database.pool, (tx) =>
      projection.parts.forget(tx, projection.parts.streamsOf(second[0] ?? never())),
    );
    const { rows: orders } = await database.pool.query('select payments from order_view');
    expect(orders).toEqual([{ payments: [newer] }]);
    await apply(second);
    expect(await rows()).toEqual(whole);
    await inTransaction(database.pool, (tx) => projection.parts.forget(tx, [older, newer]));
    expect(await rows()).toEqual([[], []]);
  });
});

const never = (): never => {
  throw new Error('there is no event');
};

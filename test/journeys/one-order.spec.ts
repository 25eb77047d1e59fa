import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, until, type TestService } from '../support/service.js';

const accepting = { currency: 'USDT', policy: { latePayment: { window: 'PT72H', then: 'accept' } } };

describe('An order with more than one attempt to pay it', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  const create = async (orderId: string): Promise<{ id: string; trackId: string }> => {
    const { status, body } = await shop.api('POST', '/v1/payments', { orderId, amount: '50.00', ...accepting });
    expect(status).toBe(201);
    return body as { id: string; trackId: string };
  };
  const becomes = (id: string, status: string): Promise<unknown> =>
    until(async () => (await shop.api('GET', `/v1/payments/${id}`)).body.status === status, 10_000);
  const payLate = async (trackId: string): Promise<void> => {
    await shop.control(`/_sandbox/payments/${trackId}/transfers`, {
      amount: '50',
      currency: 'USDT',
      confirmations: 30,
    });
    await shop.control('/_sandbox/clock/advance', { seconds: 900 });
  };

  it('is paid and fulfilled once, although the expired first attempt is paid late after all', async () => {
    const first = await create('twice');
    await shop.control('/_sandbox/clock/advance', { seconds: 3700 });
    await becomes(first.id, 'expired');
    const second = await create('twice');
    await shop.control('/_sandbox/scenarios/exact', { trackId: second.trackId });
    await becomes(second.id, 'paid');
    await until(async () => (await shop.api('GET', '/v1/orders/twice')).body.fulfillment === 'requested');

    await payLate(first.trackId);
    const doubted = await until(async () => {
      const { body } = await shop.api('GET', `/v1/payments/${first.id}`);
      return body.review !== null && body;
    }, 10_000);
    expect(doubted).toMatchObject({
      status: 'expired',
      fulfillable: false,
      received: '50',
      review: { reasons: ['order_taken'] },
    });
    const { rows } = await shop.database.pool.query(`select 1 from event where type = 'FulfillmentRequested'`);
    expect(rows).toHaveLength(1);
  });

  it('is paid by the first attempt paid late, where no other stands, and then takes no further one', async () => {
    const first = await create('late');
    await shop.control('/_sandbox/clock/advance', { seconds: 3700 });
    await becomes(first.id, 'expired');
    await payLate(first.trackId);
    await becomes(first.id, 'paid');
    const again = await shop.api('POST', '/v1/payments', { orderId: 'late', amount: '60.00', ...accepting });
    expect(again.status).toBe(409);
  });

  it('tells the same terms by their value, however the amount is spelt', async () => {
    const one = await shop.api('POST', '/v1/payments', { orderId: 'spelt', amount: '49.90', currency: 'USD' });
    const two = await shop.api('POST', '/v1/payments', { orderId: 'spelt', amount: '49.9', currency: 'USD' });
    expect(two.body.id).toBe(one.body.id);
  });
});

it('Many transfers of one payment, told at once, are all acknowledged and all counted', async () => {
  const shop = await startTestService();
  try {
    const { body } = await shop.api('POST', '/v1/payments', { orderId: 'many', amount: '40.00', currency: 'USD' });
    const tell = (n: number): Promise<{ status: number }> =>
      shop.callback(
        JSON.stringify({
          track_id: body.trackId,
          status: 'Paying',
          type: 'invoice',
          amount: 40,
          currency: 'USD',
          order_id: body.id,
          value: 40,
          txs: [
            {
              status: 'confirming',
              tx_hash: `transaction-number-${String(n)}`,
              sent_amount: 1,
              received_amount: 0.99,
              value: 1,
              currency: 'USDT',
              network: 'Tron Network',
              confirmations: 0,
            },
          ],
        }),
      );
    const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => tell(n)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const payment = await shop.api('GET', `/v1/payments/${body.id as string}`);
    expect(payment.body).toMatchObject({ received: '40.00', delta: '0.00' });
  } finally {
    await shop.close();
  }
});

it('A callback that cannot be read at all has the open payments looked up at the gateway', async () => {
  const shop = await startTestService();
  try {
    const { body } = await shop.api('POST', '/v1/payments', { orderId: 'unread', amount: '10.00', currency: 'USD' });
    const next = async (): Promise<number> => {
      const { rows } = await shop.database.pool.query<{ s: number }>(
        'select extract(epoch from due_at - now())::float8 as s from look where stream_id = $1',
        [body.id],
      );
      return rows[0]?.s ?? 0;
    };
    await until(async () => (await next()) > 45);
    await shop.control('/_sandbox/scenarios/no_callbacks', { trackId: body.trackId as string });
    expect(await shop.callback('{"status":"Paid", nothing that can be read')).toMatchObject({
      status: 200,
      text: 'ok',
    });
    await until(async () => (await shop.api('GET', `/v1/payments/${body.id as string}`)).body.status === 'paid');
  } finally {
    await shop.close();
  }
});

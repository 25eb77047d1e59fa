import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { Receiver } from '../fulfillment/support.js';
import { startTestService, until, type TestService } from '../support/service.js';

interface Told {
  type: string;
  data: { id: string; sequence: number; status: string; received: string; fulfillable: boolean };
}

describe('A shop that wants to hear everything', () => {
  let shop: TestService;
  let receiver: Receiver;
  let secret = '';
  beforeAll(async () => {
    receiver = await new Receiver().open();
    shop = await startTestService();
    const made = await shop.api('POST', '/v1/webhook-endpoints', { url: receiver.url });
    secret = String(made.body.secret);
  });
  afterAll(async () => {
    await shop.close();
    await receiver.close();
  });

  const told = (id: string): Told[] =>
    receiver.requests
      .map(({ body, headers }) => new Webhook(secret).verify(body, headers) as Told)
      .filter(({ data }) => data.id === id);

  const heard = (id: string, wanted: string): Promise<unknown> =>
    until(() => Promise.resolve(told(id).some(({ type }) => type === wanted)));

  it('is told each step of a payment that is paid in two parts, in order, and then asked for the goods', async () => {
    const created = await shop.api('POST', '/v1/payments', { orderId: 'two-parts', amount: '50.00', currency: 'USD' });
    const { id, trackId } = created.body as { id: string; trackId: string };
    await shop.control(`/_sandbox/payments/${trackId}/transfers`, { percent: 40, confirmations: 30 });
    await heard(id, 'payment.partially_paid');
    await shop.control(`/_sandbox/payments/${trackId}/transfers`, { percent: 60, confirmations: 30 });
    await heard(id, 'fulfillment.requested');
    expect(told(id).map(({ type, data }) => [data.sequence, type, data.status, data.received])).toEqual([
      [1, 'payment.created', 'created', '0.00'],
      [2, 'payment.pending', 'pending', '0.00'],
      [3, 'payment.detected', 'pending', '20.00'],
      [4, 'payment.partially_paid', 'pending', '20.00'],
      [5, 'payment.paid', 'paid', '50.00'],
      [6, 'fulfillment.requested', 'paid', '50.00'],
    ]);
    expect(told(id).at(-1)?.data.fulfillable).toBe(true);
    expect(receiver.messageIds).toHaveLength(6);
  });

  it('O04: that answers 410 is told of it in its feed of events, and hears no more', async () => {
    const before = receiver.requests.length;
    receiver.answer = (response) => response.writeHead(410).end();
    await shop.api('POST', '/v1/payments', { orderId: 'gone-1', amount: '5.00', currency: 'USD' });
    const event = await until(async () => {
      const { body } = await shop.api('GET', '/v1/events?limit=100');
      return (body.items as { type: string }[]).find(({ type }) => type === 'WebhookEndpointDisabled');
    });
    expect(event).toMatchObject({ paymentId: null, data: { reason: 'gone' } });
    await shop.api('POST', '/v1/payments', { orderId: 'gone-2', amount: '5.00', currency: 'USD' });
    await until(async () => {
      const { rows } = await shop.database.pool.query(`select 1 from webhook_delivery where status = 'waiting'`);
      return rows.length === 0;
    });
    expect(receiver.requests).toHaveLength(before + 1);
    const { rows } = await shop.database.pool.query<{ error: string | null }>('select error from subscription');
    expect(rows.every(({ error }) => error === null)).toBe(true);
  });
});

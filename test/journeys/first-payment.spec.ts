import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, until, type TestService } from '../support/service.js';

describe('A first payment', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  it('goes from created to paid to fulfilled', async () => {
    const created = await shop.api('POST', '/v1/payments', { orderId: 'order-1', amount: '49.90', currency: 'USD' });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({
      status: 'pending',
      progress: 'awaiting_payment',
      fulfillable: false,
      labels: ['sandbox'],
    });
    const { id, trackId } = created.body as { id: string; trackId: string };

    await shop.control(`/_sandbox/payments/${trackId}/transfers`, { percent: 100 });
    const detected = await until(async () => {
      const { body } = await shop.api('GET', `/v1/payments/${id}`);
      return body.progress === 'detected' && body;
    });
    expect(detected).toMatchObject({ status: 'pending', received: '49.90', delta: '0.00' });

    await shop.control(`/_sandbox/payments/${trackId}/confirmations`, { count: 30 });
    const paid = await until(async () => {
      const { body } = await shop.api('GET', `/v1/payments/${id}`);
      return body.fulfillable && body;
    });
    expect(paid).toMatchObject({ status: 'paid', progress: 'settled', received: '49.90' });

    await until(async () => {
      const order = await shop.api('GET', '/v1/orders/order-1');
      return order.body.fulfillment === 'requested';
    });
    const reported = await shop.api('POST', `/v1/payments/${id}/fulfillment`, {
      outcome: 'fulfilled',
      reference: 'parcel-7',
    });
    expect(reported.status).toBe(200);
    const order = await shop.api('GET', `/v1/orders/order-1?minPosition=${String(reported.body.position)}`);
    expect(order.body).toMatchObject({
      status: 'paid',
      complete: true,
      fulfillment: 'fulfilled',
      due: '49.90',
      received: '49.90',
    });
  });
});

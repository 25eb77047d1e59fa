import { describe, expect, it } from '@jest/globals';
import { orderOf, type OrderRow } from '../../src/read-models/order.js';

const payment = (changes: Partial<OrderRow>): OrderRow => ({
  payment_id: 'p1',
  status: 'pending',
  fulfillable: false,
  fulfillment: 'none',
  amount: '50',
  currency: 'USD',
  received: '0',
  created_at: '2026-01-01T00:00:00.000Z',
  ...changes,
});

describe('An order', () => {
  it('stands where its newest payment stands, while none is paid', () => {
    const order = orderOf([payment({ status: 'expired' }), payment({ payment_id: 'p2' })]);
    expect(order).toMatchObject({ status: 'pending', complete: false, payments: ['p1', 'p2'] });
  });

  it('is paid by whichever of its payments is', () => {
    const order = orderOf([
      payment({ status: 'paid', fulfillable: true, fulfillment: 'requested', received: '50' }),
      payment({ payment_id: 'p2', status: 'expired' }),
    ]);
    expect(order).toMatchObject({ status: 'paid', complete: true, fulfillment: 'requested', received: '50' });
  });

  it('sums what its payments received, and admits not to know where one is not known', () => {
    expect(orderOf([payment({ received: '0.1' }), payment({ received: '0.2' })]).received).toBe('0.3');
    expect(orderOf([payment({ received: '10' }), payment({ received: null })]).received).toBeNull();
  });
});

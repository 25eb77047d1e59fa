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
  credit: '0',
  remainder_of: null,
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

  it('is complete with the payment whose missing part another one collected', () => {
    const order = orderOf([
      payment({ status: 'paid', fulfillable: true, fulfillment: 'requested', received: '30' }),
      payment({ payment_id: 'p2', status: 'paid', amount: '20', received: '20', remainder_of: 'p1' }),
    ]);
    expect(order).toMatchObject({ status: 'paid', complete: true, due: '50', received: '50', payments: ['p1', 'p2'] });
  });

  it('is not paid by the part alone', () => {
    const order = orderOf([
      payment({ received: '30' }),
      payment({ payment_id: 'p2', status: 'paid', amount: '20', received: '20', remainder_of: 'p1' }),
    ]);
    expect(order).toMatchObject({ status: 'pending', complete: false, due: '50' });
  });

  it('sums what its payments received, and admits not to know where one is not known', () => {
    expect(orderOf([payment({ received: '0.1' }), payment({ received: '0.2' })]).received).toBe('0.3');
    expect(orderOf([payment({ received: '10' }), payment({ received: null })]).received).toBeNull();
  });
});

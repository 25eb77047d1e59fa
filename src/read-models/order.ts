import type { Instant } from '../kernel/clock.js';
import { Decimal, plain } from '../payments/decimal.js';

/** One payment of an order, as the read model holds it. */
export interface OrderRow {
  payment_id: string;
  status: string;
  fulfillable: boolean;
  fulfillment: string;
  amount: string;
  currency: string;
  received: string | null;
  /** What the customer's credit pays of it. */
  credit: string;
  /** The payment whose missing part this one collects. */
  remainder_of: string | null;
  created_at: Instant;
}

export interface OrderSummary {
  status: string;
  complete: boolean;
  fulfillment: string;
  due: string;
  currency: string;
  received: string | null;
  credit: string;
  payments: string[];
}

/**
 * What an order's payments say of the order, oldest payment first. The payment that counts is the paid one, or else the
 * newest; one that only collects the missing part of another never is. Money is summed over all of them in its currency,
 * and unknown where the worth of one of them is.
 */
export function orderOf(payments: readonly OrderRow[]): OrderSummary {
  const whole = payments.filter((payment) => payment.remainder_of === null);
  const standing = whole.find((payment) => payment.status === 'paid') ?? whole.at(-1) ?? payments.at(-1);
  if (!standing) throw new Error('an order has at least one payment');
  const same = payments.filter((payment) => payment.currency === standing.currency);
  const received = same.some((payment) => payment.received === null)
    ? null
    : plain(same.reduce((sum, payment) => sum.plus(payment.received ?? '0'), new Decimal('0')));
  return {
    status: standing.status,
    complete: standing.fulfillable,
    fulfillment: standing.fulfillment,
    due: standing.amount,
    currency: standing.currency,
    received,
    credit: standing.credit,
    payments: payments.map((payment) => payment.payment_id),
  };
}

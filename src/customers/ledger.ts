import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { Decimal, plain } from '../payments/decimal.js';
import { readCreditEvent, type MovementEvent } from './credit.js';

/** One side of a transaction: exactly one of `debit` and `credit` is an amount, a positive plain decimal. */
export interface Entry {
  /** `customer:<customerId>` or `payment:<paymentId>`. */
  account: string;
  debit: string | null;
  credit: string | null;
}

/** One movement of an account's credit, as double entries that come to zero. */
export interface Transaction {
  /** The event that it was derived from. */
  id: string;
  /** Where that event stands in the log, which orders the transactions of all accounts. */
  position: number;
  at: Instant;
  type: 'credited' | 'spent' | 'returned';
  /** The clause of the policy that gave the customer a credit; null for other types. */
  reason: string | null;
  paymentId: string;
  currency: string;
  /** Signed as the customer sees it: negative where it was spent. */
  amount: string;
  /** What the customer had after it. */
  balance: string;
  entries: Entry[];
}

/**
 * The double entries of an event. A credit is owed to the customer, so their account grows on the credit side and
 * shrinks on the debit side; the payment that the money came from or went to stands against it.
 */
export function entriesOf({ type, data: { customerId, paymentId, amount } }: MovementEvent): Entry[] {
  const customer = `customer:${customerId}`;
  const payment = `payment:${paymentId}`;
  const [from, to] = type === 'CreditSpent' ? [customer, payment] : [payment, customer];
  return [
    { account: from, debit: amount, credit: null },
    { account: to, debit: null, credit: amount },
  ];
}

const types = { CreditAdded: 'credited', CreditSpent: 'spent', CreditReturned: 'returned' } as const;

/** The transactions of one account, oldest first. */
export function transactionsOf(events: readonly RecordedEvent[]): Transaction[] {
  let balance = new Decimal('0');
  return events.flatMap((recorded) => {
    const event = readCreditEvent(recorded);
    if (event.type === 'CreditDeclined') return [];
    const { at, paymentId, currency, amount } = event.data;
    const signed = event.type === 'CreditSpent' ? `-${amount}` : amount;
    balance = balance.plus(signed);
    return {
      id: recorded.id,
      position: recorded.position,
      at,
      type: types[event.type],
      reason: event.type === 'CreditAdded' ? event.data.reason : null,
      paymentId,
      currency,
      amount: signed,
      balance: plain(balance),
      entries: entriesOf(event),
    };
  });
}

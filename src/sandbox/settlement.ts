import { Decimal, plain, sum } from './amounts.js';
import { type Payment, type PaymentStatus, type Transfer } from './ledger.js';
import { fromUsd, storedNetwork, toUsd } from './market.js';

/** The gateway's service fee, as its plugins advertise it: 0.4 percent. */
const feeRate = new Decimal('0.004');
const one = new Decimal('1');
const hundred = new Decimal('100');

export const isOpen = (payment: Payment): boolean =>
  payment.status === 'new' || payment.status === 'waiting' || payment.status === 'paying';

/** What the payer has to send, in the payment's own currency: the amount, and the fee on top where the payer bears it. */
export function amountDue(payment: Payment): Decimal {
  const amount = new Decimal(payment.amount);
  return payment.feePaidByPayer ? amount.times(one.plus(feeRate)) : amount;
}

/** Coin units left of a transfer after the gateway's fee. */
export function received(payment: Payment, transfer: Transfer): string {
  const sent = new Decimal(transfer.sent);
  return plain(payment.feePaidByPayer ? sent.div(one.plus(feeRate)) : sent.times(one.minus(feeRate)));
}

export const isConfirmed = (transfer: Transfer): boolean =>
  transfer.confirmations >= storedNetwork(transfer.network).required;

const worthOf = (transfers: readonly Transfer[]): Decimal =>
  sum(transfers.filter((transfer) => transfer.counts).map((transfer) => transfer.worth));

/** The least worth in US dollars at which the payment is paid: what is due, less the tolerated percentage. */
const enough = (payment: Payment): Decimal =>
  toUsd(amountDue(payment), payment.currency).times(hundred.minus(payment.coverage)).div(hundred);

/** What is still missing, in the payment's own currency; zero when nothing is. */
export function missing(payment: Payment): Decimal {
  const rest = toUsd(amountDue(payment), payment.currency).minus(worthOf(payment.transfers));
  return rest.gt('0') ? fromUsd(rest, payment.currency) : new Decimal('0');
}

/**
 * The status that follows from the transfers and the clock. Only an open session moves: what was closed, or set by
 * hand, stays. Money short of the amount keeps it `paying` until the deadline; the full amount without its
 * confirmations keeps it `paying` beyond the deadline too.
 */
export function settle(payment: Payment, nowMs: number): PaymentStatus {
  if (payment.type === 'static_address') return settleDeposits(payment);
  if (!isOpen(payment)) return payment.status;
  const counted = payment.transfers.filter((transfer) => transfer.counts);
  if (counted.length > 0 && worthOf(counted.filter(isConfirmed)).gte(enough(payment))) return 'paid';
  const over = payment.expiresMs !== null && nowMs >= payment.expiresMs;
  if (!over) return payment.transfers.length > 0 ? 'paying' : payment.status;
  if (payment.transfers.length === 0) return 'expired';
  return worthOf(counted).gte(enough(payment)) ? 'paying' : 'underpaid';
}

function settleDeposits(payment: Payment): PaymentStatus {
  if (payment.transfers.length === 0) return payment.status;
  return payment.transfers.every(isConfirmed) ? 'paid' : 'paying';
}

/**
 * Whether a new transfer in this coin counts: while the session is open and, unless mixed payment is on, in the coin
 * of the first transfer (or the one that a white-label session named).
 */
export function counts(payment: Payment, currency: string): boolean {
  if (payment.type === 'static_address') return true;
  if (!isOpen(payment)) return false;
  return payment.mixedPayment || payment.payCurrency === '' || payment.payCurrency === currency;
}

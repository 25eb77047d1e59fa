import { addMinutes, type Instant } from '../kernel/clock.js';
import type { GatewayReport } from './payment-gateway.js';
import type { Payment, PaymentEvent, Reportable } from './payment.js';
import { pair } from './transfers.js';

/*
 * A payment that one transfer to a customer's deposit address has made: nobody asked for an amount, so that all of it is
 * the price, and all of it goes to the customer's credit.
 */

/** What makes such a payment; part of its terms. */
export interface Deposit {
  /** The stream of the address. */
  addressId: string;
  /** The gateway's id of the address: all transfers to it come under this one. */
  trackId: string;
  address: string;
  memo: string | null;
  network: string;
  /** The transfer as it was first told of. */
  transfer: DepositedTransfer;
  /** Whether it came after the address was revoked: the gateway may never credit it. */
  afterRevocation: boolean;
}

export interface DepositedTransfer {
  /** As given; may be a placeholder. */
  txHash: string;
  currency: string;
  /** Coin units. */
  sentAmount: string;
  receivedAmount: string | null;
}

/** How long the gateway is asked often about a transfer that does not confirm; no payer is bound by it. */
export const depositPatienceMinutes = 60;

/** What was seen is its invoice: there is nothing to ask the gateway for. */
export const depositOpened = (payment: Payment, now: Instant): PaymentEvent[] => {
  const { deposit, requestedAt } = payment.terms;
  if (!deposit || payment.status !== 'created') return [];
  const expiresAt = addMinutes(requestedAt, depositPatienceMinutes);
  return [
    { type: 'InvoiceOpened', data: { trackId: deposit.trackId, paymentUrl: null, expiresAt, adopted: false, at: now } },
  ];
};

/**
 * What a report about the address says of this payment: its own transfer alone, and the status that this transfer has.
 * Reports may be cumulative or name the newest transfer alone; their top-level amount is 0 and their status is that of
 * the newest (inferred from public handlers; never documented).
 */
export function ownPart(payment: Reportable, report: GatewayReport): GatewayReport {
  const { deposit } = payment.terms;
  if (!deposit) return report;
  const known = payment.money.transfers[0] ?? deposit.transfer;
  const [own] = pair([known], report.transfers).pairs.map(([, reported]) => reported);
  const alone = own !== undefined && report.transfers.length === 1;
  const returned = alone && (report.status === 'refunding' || report.status === 'refunded');
  const confirmed = own?.status === 'confirmed' ? 'paid' : own?.status === 'confirming' ? 'paying' : 'waiting';
  return {
    ...report,
    orderId: report.orderId === deposit.addressId ? null : report.orderId,
    amount: null,
    currency: null,
    valueUsd: own?.valueUsd ?? null,
    status: returned ? report.status : confirmed,
    transfers: own ? [own] : [],
  };
}

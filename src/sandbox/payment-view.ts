import { instantFromMs } from '../kernel/clock.js';
import { plain } from './amounts.js';
import { worthSeen } from './commands.js';
import type { Wire } from './envelope.js';
import type { Delivery, Payment, Payout, Transfer } from './ledger.js';
import { paymentInformation } from './payment-answers.js';
import { payoutInformation } from './payouts.js';
import { amountDue, isConfirmed, missing } from './settlement.js';

/** Everything the sandbox knows of a payment, for tests and people: amounts are decimal strings, times RFC 3339. */
export function paymentView(payment: Payment): Wire {
  return {
    trackId: payment.trackId,
    type: payment.type,
    status: payment.status,
    orderId: payment.orderId,
    amount: payment.amount,
    currency: payment.currency,
    amountDue: plain(amountDue(payment)),
    missing: plain(missing(payment)),
    seenWorthUsd: plain(worthSeen(payment)),
    createdAt: instantFromMs(payment.createdMs),
    expiresAt: payment.expiresMs === null ? null : instantFromMs(payment.expiresMs),
    callbackUrl: payment.callbackUrl,
    transfers: payment.transfers.map(transferView),
    callbacks: payment.deliveries.map(deliveryView),
    /** The same payment as the gateway's own API answers it. */
    gateway: paymentInformation(payment),
  };
}

export const payoutView = (payout: Payout): Wire => ({
  trackId: payout.trackId,
  status: payout.status,
  callbacks: payout.deliveries.map(deliveryView),
  gateway: payoutInformation(payout),
});

const transferView = (transfer: Transfer): Wire => ({
  hash: transfer.hash,
  amount: transfer.sent,
  currency: transfer.currency,
  network: transfer.network,
  worthUsd: transfer.worth,
  confirmations: transfer.confirmations,
  confirmed: isConfirmed(transfer),
  counts: transfer.counts,
  seenAt: instantFromMs(transfer.seenMs),
});

const deliveryView = (delivery: Delivery): Wire => ({
  id: delivery.id,
  status: delivery.status,
  url: delivery.url,
  queuedAt: instantFromMs(delivery.queuedMs),
  nextAttemptAt: delivery.dueMs === null ? null : instantFromMs(delivery.dueMs),
  acknowledged: delivery.attempts.some((attempt) => attempt.acknowledged),
  attempts: delivery.attempts.map((attempt) => ({
    at: instantFromMs(attempt.atMs),
    httpStatus: attempt.httpStatus,
    answer: attempt.answer,
    acknowledged: attempt.acknowledged,
  })),
  body: delivery.body,
});

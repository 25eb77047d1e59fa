import { Decimal, plain, sum, wireNumber } from './amounts.js';
import type { Wire } from './envelope.js';
import type { Payment, Transfer } from './ledger.js';
import { priceOf, storedNetwork, toUsd } from './market.js';
import { isConfirmed, received } from './settlement.js';

export const seconds = (ms: number): number => Math.floor(ms / 1000);

/** `manual_accept` → `Manual_Accept`, `paid` → `Paid`: callbacks write statuses with capitals, answers without. */
export const capitalised = (status: string): string =>
  status
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('_');

const convertedAmount = (payment: Payment, transfer: Transfer): string =>
  payment.toCurrency !== '' && isConfirmed(transfer)
    ? plain(toUsd(new Decimal(received(payment, transfer)), transfer.currency))
    : '0';

/** A payment as `GET /payment/{track_id}` and the history show it (docs: payment-information). */
export function paymentInformation(payment: Payment): Wire {
  return {
    track_id: payment.trackId,
    type: payment.type,
    amount: wireNumber(payment.amount),
    currency: payment.currency,
    status: payment.status,
    mixed_payment: payment.mixedPayment,
    fee_paid_by_payer: payment.feePaidByPayer ? 1 : 0,
    under_paid_coverage: wireNumber(payment.coverage),
    lifetime: payment.lifetime,
    callback_url: payment.callbackUrl,
    return_url: payment.returnUrl,
    email: payment.email,
    order_id: payment.orderId,
    description: payment.description,
    thanks_message: payment.thanksMessage,
    expired_at: payment.expiresMs === null ? 0 : seconds(payment.expiresMs),
    date: seconds(payment.createdMs),
    txs: payment.transfers.map((transfer) => transferInformation(payment, transfer)),
  };
}

function transferInformation(payment: Payment, transfer: Transfer): Wire {
  const converted = convertedAmount(payment, transfer);
  return {
    tx_hash: transfer.hash,
    amount: wireNumber(transfer.sent),
    currency: transfer.currency,
    network: storedNetwork(transfer.network).name,
    address: transfer.address,
    status: isConfirmed(transfer) ? 'confirmed' : 'confirming',
    confirmations: transfer.confirmations,
    auto_convert: { processed: converted !== '0', amount: wireNumber(converted), currency: 'USDT' },
    auto_withdrawal: { processed: payment.autoWithdrawal && isConfirmed(transfer) },
    date: seconds(transfer.seenMs),
  };
}

/**
 * The body of a callback (docs: webhook). For invoices `value` is the worth of the amount asked for, `sent_value` the
 * worth of what came; a static address has no amount, so that both are the worth of the deposit.
 */
export function paymentCallback(payment: Payment, status: string, transfers: readonly Transfer[]): Wire {
  const sentValue = plain(sum(transfers.map((transfer) => transfer.worth)));
  const isDeposit = payment.type === 'static_address';
  const value = isDeposit ? sentValue : plain(toUsd(new Decimal(payment.amount), payment.currency));
  return {
    track_id: payment.trackId,
    status: capitalised(status),
    type: payment.type,
    module_name: 'Sandbox',
    amount: wireNumber(payment.amount),
    value: wireNumber(value),
    sent_value: wireNumber(sentValue),
    currency: isDeposit ? (transfers[0]?.currency ?? payment.currency) : payment.currency,
    order_id: payment.orderId,
    email: payment.email,
    note: payment.sandbox ? null : '',
    fee_paid_by_payer: payment.feePaidByPayer ? 1 : 0,
    under_paid_coverage: wireNumber(payment.coverage),
    description: payment.description,
    date: seconds(payment.createdMs),
    txs: transfers.map((transfer) => transferCallback(payment, transfer)),
  };
}

function transferCallback(payment: Payment, transfer: Transfer): Wire {
  const rate = payment.sandbox ? '1' : plain(priceOf(transfer.currency) ?? new Decimal('0'));
  return {
    status: isConfirmed(transfer) ? 'confirmed' : 'confirming',
    tx_hash: transfer.hash,
    sent_amount: wireNumber(transfer.sent),
    received_amount: wireNumber(received(payment, transfer)),
    value: wireNumber(transfer.worth),
    sent_value: wireNumber(transfer.worth),
    currency: transfer.currency,
    network: storedNetwork(transfer.network).name,
    sender_address: payment.sandbox ? null : transfer.sender,
    address: transfer.address,
    rate: wireNumber(rate),
    confirmations: transfer.confirmations,
    auto_convert_amount: wireNumber(convertedAmount(payment, transfer)),
    auto_convert_currency: 'USDT',
    date: seconds(transfer.seenMs),
  };
}

/** The answer to a white-label request. */
export function whiteLabelAnswer(payment: Payment, payAmount: string, qrCode: string): Wire {
  return {
    track_id: payment.trackId,
    amount: wireNumber(payment.amount),
    currency: payment.currency,
    pay_amount: wireNumber(payAmount),
    pay_currency: payment.payCurrency,
    network: storedNetwork(payment.network).name,
    address: payment.address,
    memo: payment.memo,
    callback_url: payment.callbackUrl,
    description: payment.description,
    email: payment.email,
    fee_paid_by_payer: payment.feePaidByPayer ? 1 : 0,
    lifetime: payment.lifetime,
    order_id: payment.orderId,
    under_paid_coverage: wireNumber(payment.coverage),
    rate: wireNumber(plain(priceOf(payment.payCurrency) ?? new Decimal('0'))),
    qr_code: qrCode,
    expired_at: payment.expiresMs === null ? 0 : seconds(payment.expiresMs),
    date: seconds(payment.createdMs),
  };
}

/** One row of the list of static addresses. */
export function staticAddressRow(payment: Payment): Wire {
  return {
    track_id: payment.trackId,
    address: payment.address,
    network: storedNetwork(payment.network).name,
    callback_url: payment.callbackUrl,
    email: payment.email,
    order_id: payment.orderId,
    description: payment.description,
    date: seconds(payment.createdMs),
  };
}

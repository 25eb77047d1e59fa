import { plain } from './amounts.js';
import { fieldFault } from './envelope.js';
import type { Fields } from './fields.js';
import { depositAddress, depositMemo } from './identity.js';
import type { Payment } from './ledger.js';
import { coinOf, fromUsd, type Network, networkFor, networkOf, toUsd } from './market.js';
import { amountDue } from './settlement.js';

/** What a new session is given besides its fields. */
export interface Opening {
  trackId: string;
  nowMs: number;
  keyId: string;
}

const common = (fields: Fields, opening: Opening): Payment => ({
  trackId: opening.trackId,
  type: 'invoice',
  status: 'new',
  // Whole seconds, so that `expired_at - date` is exactly the lifetime.
  createdMs: Math.floor(opening.nowMs / 1000) * 1000,
  callbackUrl: fields.url('callback_url'),
  keyId: opening.keyId,
  description: fields.text('description', 1000),
  deliveries: [],
  amount: '0',
  currency: 'USD',
  lifetime: 0,
  expiresMs: null,
  paidMs: null,
  feePaidByPayer: false,
  coverage: '0',
  mixedPayment: false,
  toCurrency: toCurrency(fields),
  autoWithdrawal: fields.flag('auto_withdrawal', false),
  returnUrl: '',
  email: email(fields),
  orderId: fields.text('order_id'),
  thanksMessage: '',
  sandbox: false,
  payCurrency: '',
  network: '',
  address: '',
  memo: '',
  revoked: false,
  transfers: [],
});

function toCurrency(fields: Fields): string {
  const symbol = fields.text('to_currency').toUpperCase();
  if (symbol !== '' && symbol !== 'USDT') throw fieldFault('to_currency', 'The selected to_currency is invalid.');
  return symbol;
}

function email(fields: Fields): string {
  const text = fields.text('email');
  if (text !== '' && !/^[^@\s]+@[^@\s]+$/.test(text))
    throw fieldFault('email', 'The email field must be a valid email address.');
  return text;
}

/** An amount with a deadline: what invoices and white-label sessions share. The panel's defaults here are 0, 0 and off. */
function priced(fields: Fields, opening: Opening): Payment {
  const session = common(fields, opening);
  const lifetime = fields.integer('lifetime', { min: 15, max: 2880 }, 60);
  return {
    ...session,
    amount: fields.positive('amount'),
    currency: fields.currency('currency', 'USD'),
    lifetime,
    expiresMs: session.createdMs + lifetime * 60_000,
    feePaidByPayer: fields.flag('fee_paid_by_payer', false),
    coverage: fields.amount('under_paid_coverage', { min: '0', max: '60' }) ?? '0',
  };
}

/** `POST /payment/invoice`. */
export const openInvoice = (fields: Fields, opening: Opening): Payment => ({
  ...priced(fields, opening),
  mixedPayment: fields.flag('mixed_payment', false),
  returnUrl: fields.url('return_url'),
  thanksMessage: fields.text('thanks_message', 1000),
  sandbox: fields.flag('sandbox', false),
});

/** `POST /payment/white-label`: the coin is chosen from the start, so the session is `waiting` at once. */
export function openWhiteLabel(fields: Fields, opening: Opening): { payment: Payment; payAmount: string } {
  const symbol = fields.required('pay_currency').toUpperCase();
  if (!coinOf(symbol)) throw fieldFault('pay_currency', 'The selected pay_currency is invalid.');
  const chain = networkFor(symbol, fields.has('network') ? fields.text('network') : null);
  if (!chain) throw fieldFault('network', 'The selected network is invalid.');
  const payment: Payment = {
    ...priced(fields, opening),
    type: 'white_label',
    status: 'waiting',
    payCurrency: symbol,
    ...deposit(opening.trackId, chain),
  };
  return { payment, payAmount: plain(fromUsd(toUsd(amountDue(payment), payment.currency), symbol)) };
}

/** `POST /payment/static-address`: no amount and no deadline; any coin of the network may come, any number of times. */
export function openStaticAddress(fields: Fields, opening: Opening): Payment {
  const chain = networkOf(fields.required('network'));
  if (!chain) throw fieldFault('network', 'The selected network is invalid.');
  return {
    ...common(fields, opening),
    type: 'static_address',
    status: 'waiting',
    mixedPayment: true,
    ...deposit(opening.trackId, chain),
  };
}

const deposit = (trackId: string, chain: Network): Pick<Payment, 'network' | 'address' | 'memo'> => ({
  network: chain.code,
  address: depositAddress(trackId, chain),
  memo: depositMemo(trackId, chain),
});

import { Decimal, plain, wireNumber } from './amounts.js';
import { fieldFault, type Wire } from './envelope.js';
import type { Fields } from './fields.js';
import { transactionHash } from './identity.js';
import type { Payout } from './ledger.js';
import { coinOf, networkFor, storedNetwork, toUsd } from './market.js';
import type { Opening } from './opening.js';
import { capitalised, seconds } from './payment-answers.js';

/** How long after its creation a payout is on chain, and done. The gateway publishes no such times. */
const payoutTimes = { confirmingMs: 30_000, confirmedMs: 120_000 } as const;

/** One US dollar, in the coin that is paid out. */
export const withdrawFee = (price: string): string => plain(new Decimal('1').div(price));

/** `POST /payout`. */
export function openPayout(fields: Fields, opening: Opening): Payout {
  const symbol = fields.required('currency').toUpperCase();
  const found = coinOf(symbol);
  if (!found) throw fieldFault('currency', 'The selected currency is invalid.');
  const named = fields.has('network') ? fields.text('network') : null;
  if (named === null && found.networks.length > 1) throw fieldFault('network', 'The network field is required.');
  const chain = networkFor(symbol, named);
  if (!chain) throw fieldFault('network', 'The selected network is invalid.');
  return {
    trackId: opening.trackId,
    status: 'processing',
    createdMs: Math.floor(opening.nowMs / 1000) * 1000,
    callbackUrl: fields.url('callback_url'),
    keyId: opening.keyId,
    description: fields.text('description', 1000),
    deliveries: [],
    address: fields.required('address'),
    currency: symbol,
    network: chain.code,
    amount: fields.positive('amount'),
    fee: withdrawFee(found.price),
    hash: '',
    memo: fields.text('memo'),
  };
}

/** The next step that the clock has reached, or null: processing → confirming → confirmed. */
export function dueStep(payout: Payout, nowMs: number): 'confirming' | 'confirmed' | null {
  const age = nowMs - payout.createdMs;
  if (payout.status === 'processing' && age >= payoutTimes.confirmingMs) return 'confirming';
  if (payout.status === 'confirming' && age >= payoutTimes.confirmedMs) return 'confirmed';
  return null;
}

/** When the clock will bring the next step; null where none will come by itself. */
export function nextStepMs(payout: Payout): number | null {
  if (payout.status === 'processing') return payout.createdMs + payoutTimes.confirmingMs;
  if (payout.status === 'confirming') return payout.createdMs + payoutTimes.confirmedMs;
  return null;
}

/** The hash that a payout carries in a status: none before it is on chain, none when it failed. */
export const hashIn = (payout: Payout, status: string): string =>
  status === 'confirming' || status === 'confirmed'
    ? transactionHash(payout.trackId, 0, storedNetwork(payout.network))
    : payout.hash;

export const payoutInformation = (payout: Payout): Wire => ({
  track_id: payout.trackId,
  address: payout.address,
  currency: payout.currency,
  network: storedNetwork(payout.network).name,
  amount: wireNumber(payout.amount),
  fee: wireNumber(payout.fee),
  status: payout.status,
  tx_hash: payout.hash,
  description: payout.description,
  internal: false,
  memo: payout.memo,
  date: seconds(payout.createdMs),
});

export const payoutCallback = (payout: Payout): Wire => ({
  track_id: payout.trackId,
  status: capitalised(payout.status),
  type: 'payout',
  tx_hash: payout.hash,
  address: payout.address,
  amount: wireNumber(payout.amount),
  value: wireNumber(plain(toUsd(new Decimal(payout.amount), payout.currency))),
  currency: payout.currency,
  network: storedNetwork(payout.network).name,
  description: payout.description,
  date: seconds(payout.createdMs),
});

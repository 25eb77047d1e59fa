import { createHash } from 'node:crypto';
import type { AddressForm, Network } from './market.js';

// Everything that looks random on a chain is derived from the track id: a run repeats exactly, and no address is real.
const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

function letters(hex: string, count: number): string {
  const bytes = Buffer.from(hex, 'hex');
  return Array.from({ length: count }, (_, at) => alphabet[(bytes[at % bytes.length] ?? 0) % alphabet.length]).join('');
}

const forms: Readonly<Record<AddressForm, (hex: string) => string>> = {
  tron: (hex) => `T${letters(hex, 33)}`,
  evm: (hex) => `0x${hex.slice(0, 40)}`,
  bitcoin: (hex) => `bc1q${hex.slice(0, 38)}`,
  litecoin: (hex) => `ltc1q${hex.slice(0, 38)}`,
  base58: (hex) => letters(hex, 32),
};

export const depositAddress = (trackId: string, chain: Network): string =>
  forms[chain.address](digest(`deposit ${trackId} ${chain.code}`));
export const senderAddress = (trackId: string, chain: Network): string =>
  forms[chain.address](digest(`sender ${trackId} ${chain.code}`));
export const depositMemo = (trackId: string, chain: Network): string => (chain.memo ? trackId : '');

/** The hash of the nth transaction of a payment or payout; hexadecimal, with `0x` where the chain writes it so. */
export const transactionHash = (trackId: string, nth: number, chain: Network): string =>
  `${chain.address === 'evm' ? '0x' : ''}${digest(`transaction ${trackId} ${nth}`)}`;

/** Names a key without showing it. */
export const keyDigest = (key: string): string => digest(key).slice(0, 16);

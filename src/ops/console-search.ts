import { isUuid } from '../kernel/ids.js';
import { spelled } from '../read-models/payment-trace.js';

/** What a search can match, in the words of the page. */
export const matchWords = {
  payment: 'payment id',
  order: 'order id',
  track: 'track id',
  transaction: 'transaction',
  address: 'address',
  email: 'e-mail',
  customer: 'customer',
} as const;
export type MatchKind = keyof typeof matchWords;

/** Longer texts are none of these. */
export const soughtAtMost = 200;
/** Shorter beginnings would find half of all payments. */
export const beginningAtLeast = 4;

/** What is looked for, in every spelling that it may be stored in. */
export interface Sought {
  /** As it was typed. */
  text: string;
  /** The payment that it may be. */
  paymentId: string | null;
  /** As transactions and addresses are stored; explorers show hashes with and without the `0x`. */
  traces: readonly string[];
  /** The same for one that may be the beginning of a transaction or an address only. */
  traceBeginnings: readonly string[];
  email: string;
}

/** The last part of an explorer's address is the transaction or the address that it shows. */
const pathEnd = /^https?:\/\/[^\s?]{1,200}\/([0-9a-z]{8,128})\/?$/i;

/** Of a hash, in capitals or not; an address in Base58 can begin so, too. */
const hexBeginning = /^[0-9a-f]{4,63}$/i;

export function readSought(typed: string): Sought {
  const text = pathEnd.exec(typed)?.[1] ?? typed;
  const trace = spelled(text);
  const others = /^[0-9a-f]{64}$/.test(trace) ? [`0x${trace}`] : /^0x[0-9a-f]{64}$/.test(trace) ? [trace.slice(2)] : [];
  const id = text.toLowerCase();
  const traceBeginnings = [...new Set([trace, ...(hexBeginning.test(text) ? [id, `0x${id}`] : [])])];
  return { text, paymentId: isUuid(id) ? id : null, traces: [trace, ...others], traceBeginnings, email: id };
}

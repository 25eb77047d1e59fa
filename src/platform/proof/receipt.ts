import type { Instant } from '../../kernel/clock.js';
import type { ChainedEvent, HashedEvent } from '../event-store/hash-chain.js';
import type { Head } from './checkpoint.js';

/*
 * A receipt: one stream with all that its hashes cover, signed, and the way from its head to a checkpoint. Whoever has it
 * and the public key can check it without us: examples/check-receipt.mjs does.
 */

export const receiptFormat = 'finality-receipt-1';

/** An event with every field that its hash covers; `data` is the stored text, `hash` in hex. */
export type ReceiptEvent = HashedEvent & { hash: string };

/** That a head of the stream was there when a span of the log was sealed. */
export interface SealedHead {
  /** The signed text, and its signature (base64). */
  statement: string;
  signature: string;
  head: Head;
  /** Which leaf of the tree over the span's heads it is, and its neighbours up to the root (hex). */
  index: number;
  path: string[];
}

/** What a receipt says of its payment at a glance; its events say the same at length. */
export interface ReceiptSummary {
  id: string;
  orderId: string;
  status: string;
  amount: string;
  currency: string;
  received: string | null;
  paidAt: Instant | null;
  closedAt: Instant | null;
}

export interface Receipt {
  format: typeof receiptFormat;
  issuedAt: Instant;
  payment: ReceiptSummary;
  events: ReceiptEvent[];
  /** The last event. */
  head: { version: number; hash: string };
  /** Null where no event of the payment was sealed yet. */
  checkpoint: SealedHead | null;
  publicKey: string;
  /** Base64, over `signedText`. */
  signature: string;
}

export const receiptEvent = ({ hash, ...event }: ChainedEvent): ReceiptEvent => ({
  ...event,
  hash: hash.toString('hex'),
});

/**
 * The text that a receipt's signature is over: its fields in a fixed order, each behind its length in bytes (decimal) and
 * a colon; one that is null is a lone hyphen.
 */
export function signedText(receipt: Omit<Receipt, 'signature' | 'events' | 'checkpoint'>): string {
  const { format, issuedAt, payment, head, publicKey } = receipt;
  const { id, orderId, status, amount, currency, received, paidAt, closedAt } = payment;
  const fields = [format, issuedAt, id, orderId, status, amount, currency, received, paidAt, closedAt];
  return [...fields, String(head.version), head.hash, publicKey]
    .map((field) => (field === null ? '-' : `${String(Buffer.byteLength(field))}:${field}`))
    .join('');
}

import type { CallbackSignature } from '../payments/payment-gateway.js';
import type { ReprocessRefusal } from '../payments/reprocess.handlers.js';

/*
 * What is said of a message in the inbox, in the words that the command line and the console share.
 */

/** Null where the bytes are not UTF-8. */
export function textOf(body: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return null;
  }
}

/** Whose signature a callback carries, as far as the keys of today tell. */
export function verdictOn(
  { signer, fits }: CallbackSignature,
  headers: Readonly<Record<string, string>> | null,
): string {
  if (signer !== null) {
    const keys = signer === 'both' ? 'a key for payments that is one for payouts too' : `a ${signer} key`;
    return fits ? `good, by ${keys} that is configured now` : `by ${keys}, which may not speak of this`;
  }
  return headers?.['hmac'] === undefined ? 'not kept' : 'signed with a key that is not configured any more';
}

/** Why something stays, and what can be done about it. Faults of reading have no sentence: their name says it. */
const sentences: Readonly<Record<ReprocessRefusal, string>> = {
  not_a_callback: 'an answer to a question, which is asked again with: reconcile --payment',
  hash_differs: 'refused: it is not as it was stored; somebody has changed it in the database',
  hash_missing: 'refused: its hash is gone; somebody has changed it in the database',
  no_signature_kept: 'its signature was not kept, so that nothing shows where it is from',
  unknown_key: 'signed with a key that is not configured any more',
  wrong_key: 'refused: its key may not speak of this',
  unknown_track_id: 'no payment here has its track id',
  unknown_payout: 'no payout of ours has its track id',
  identity_mismatch: 'its order id and its track id are of different payments',
  decision_failed: 'it could not be decided upon: a defect, or an event of a newer version',
};

const isRefusal = (reason: string): reason is ReprocessRefusal => Object.hasOwn(sentences, reason);

/** Why a callback stays as it is; `believe` says how it is taken in all the same, where that is for a person to say. */
export function keptInWords(reason: string, believe: string): string {
  if (!isRefusal(reason)) return `cannot be read (${reason})`;
  const open = reason === 'no_signature_kept' || reason === 'unknown_key';
  return `${reason}, ${sentences[reason]}${open ? `; ${believe}` : ''}`;
}

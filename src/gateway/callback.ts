import type { CallbackSays } from '../payments/payment-gateway.js';
import { fitsType, type SignerKind } from './signature.js';
import { contentOf, type CallbackReading } from './wire.js';

/** What a callback says, in the payments' words, with the text by which the same content is recognised again. */
export function saidIn(reading: CallbackReading): CallbackSays {
  if (reading.kind === 'unreadable') return { kind: 'unreadable', reason: reading.reason, trackId: reading.trackId };
  return { ...reading, content: contentOf(reading.report) };
}

/** A payout's callback is signed with the payout key, every other with the merchant's: neither key speaks for the other. */
export function maySpeak(signer: SignerKind, reading: CallbackReading): boolean {
  const kind = reading.kind === 'unreadable' ? reading.about : reading.kind;
  return kind === null || fitsType(signer, kind);
}

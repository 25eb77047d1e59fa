import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * OxaPay signs a callback with HMAC-SHA512 over the raw body bytes, in hex, in the header `HMAC`; the secret is the
 * API key itself (docs.oxapay.com/webhook). Payments are signed with the merchant key, payouts with the payout key.
 */
export type SignerKind = 'merchant' | 'payout' | 'both';

const sha512Hex = /^[0-9a-f]{128}$/i;

/** The signature of `body` under `key`: 128 lower-case hex digits. */
export function sign(body: Buffer | string, key: string): string {
  return createHmac('sha512', key).update(body).digest('hex');
}

/**
 * Whether `header` is the signature of exactly these bytes under any of `keys` (several during a key rotation).
 * Never throws. Every key is tried, in constant time, so that the time taken says nothing about which one fits.
 * Refused: an absent or repeated header, anything but 128 hex digits, and every blank key.
 */
export function verify(body: Buffer, header: string | string[] | undefined, keys: readonly string[]): boolean {
  // The pattern comes before decoding: Buffer.from(…, 'hex') cuts silently at the first character that is not hex.
  if (typeof header !== 'string' || !sha512Hex.test(header)) return false;
  const given = Buffer.from(header, 'hex');
  let matched = false;
  for (const key of keys) {
    if (key.trim() === '') continue;
    const fits = timingSafeEqual(createHmac('sha512', key).update(body).digest(), given);
    matched = fits || matched;
  }
  return matched;
}

/**
 * Whose key signed the callback, or null for none. The body is unverified until this has answered, so its `type` must
 * not choose the key: all keys are tried, and the caller then demands that the answer fits the type (`fitsType`).
 */
export function verifyCallback(
  body: Buffer,
  header: string | string[] | undefined,
  keys: { merchant: readonly string[]; payout: readonly string[] },
): SignerKind | null {
  const merchant = verify(body, header, keys.merchant);
  const payout = verify(body, header, keys.payout);
  if (merchant && payout) return 'both';
  if (merchant) return 'merchant';
  return payout ? 'payout' : null;
}

/** Whether the key that signed may speak of this: otherwise the holder of a payout key could forge a payment. */
export function fitsType(signer: SignerKind, kind: 'payment' | 'payout'): boolean {
  return signer === 'both' || signer === (kind === 'payment' ? 'merchant' : 'payout');
}

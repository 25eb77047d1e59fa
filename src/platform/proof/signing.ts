import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';

/*
 * Ed25519 (RFC 8032) over the UTF-8 bytes of a text. A text names its own format, so that what was signed as one kind of
 * statement is never taken for another.
 */

/** What stands before the raw 32 bytes in the DER encodings of RFC 8410. */
const privatePrefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex');
const keyBytes = 32;

/** Whether a text is a seed or a public key: 32 bytes in base64, in the one spelling of them. */
export function isKey(text: string): boolean {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === keyBytes && bytes.toString('base64') === text;
}

/** What proofs are signed with, and what they are checked against. */
export abstract class ProofKeys {
  /** Null where none is configured: nothing is signed then. */
  abstract readonly signer: Signer | null;
  /** Of the signer and of those that came before it: base64, 32 bytes each. */
  abstract readonly publicKeys: readonly string[];
}

export class Signer {
  private readonly key: KeyObject;
  /** The raw 32 bytes in base64. */
  readonly publicKey: string;

  /** `seed`: 32 bytes in base64. */
  constructor(seed: string) {
    this.key = createPrivateKey({
      key: Buffer.concat([privatePrefix, Buffer.from(seed, 'base64')]),
      format: 'der',
      type: 'pkcs8',
    });
    const spki = createPublicKey(this.key).export({ format: 'der', type: 'spki' });
    this.publicKey = spki.subarray(publicPrefix.length).toString('base64');
  }

  sign(text: string): Buffer {
    return sign(null, Buffer.from(text), this.key);
  }
}

/** `seeds`: the first signs. */
export function proofKeys(seeds: readonly string[]): ProofKeys {
  const signers = seeds.map((seed) => new Signer(seed));
  return { signer: signers[0] ?? null, publicKeys: signers.map(({ publicKey }) => publicKey) };
}

/** Whether the holder of a key has signed exactly this text. False for whatever is no key or no signature. */
export function isSignedBy(publicKey: string, text: string, signature: Buffer): boolean {
  if (!isKey(publicKey) || signature.length !== 64) return false;
  try {
    const spki = Buffer.concat([publicPrefix, Buffer.from(publicKey, 'base64')]);
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    return verify(null, Buffer.from(text), key, signature);
  } catch {
    return false;
  }
}

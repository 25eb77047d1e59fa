import { isPublicAddress } from '../fulfillment/public-address.js';
import { Refusal } from '../kernel/refusal.js';

/** Of one payment: as many windows as a payer and the family have open. */
export const streamsOfPayment = 5;
/** From one public address: many payers may share a carrier's. */
export const streamsOfAddress = 100;
export const streamsInAll = 5000;

/** Seconds until it is worth to try again; a page that is refused asks at intervals meanwhile. */
const retryAfter = 60;

/**
 * Counts the open streams of a process. A payer is whoever holds a payment's token; addresses are counted besides where
 * they tell anybody apart, which those of a proxy in front of us (loopback, private) do not.
 */
export class StreamLimits {
  private readonly counts = new Map<string, number>();
  private all = 0;

  get open(): number {
    return this.all;
  }

  /** Takes a place; returns how to give it back. Throws `Refusal('rate_limited' | 'service_unavailable')`. */
  take(token: string, address: string): () => void {
    const keys = keysOf(token, address);
    if (keys.some(([key, most]) => (this.counts.get(key) ?? 0) >= most))
      throw new Refusal('rate_limited', 'Too many live views of this payment are open; close one.', [], { retryAfter });
    if (this.all >= streamsInAll)
      throw new Refusal('service_unavailable', 'No more live views can be opened now; load the page instead.', [], {
        retryAfter,
      });
    this.add(keys, 1);
    let held = true;
    return () => {
      if (held) this.add(keys, -1);
      held = false;
    };
  }

  private add(keys: readonly [string, number][], by: 1 | -1): void {
    this.all += by;
    for (const [key] of keys) {
      const count = (this.counts.get(key) ?? 0) + by;
      if (count === 0) this.counts.delete(key);
      else this.counts.set(key, count);
    }
  }
}

function keysOf(token: string, address: string): [string, number][] {
  const plain = address.replace(/^::ffff:/i, '');
  return [
    [`token ${token}`, streamsOfPayment],
    ...(isPublicAddress(plain) ? [[`address ${plain}`, streamsOfAddress] satisfies [string, number]] : []),
  ];
}

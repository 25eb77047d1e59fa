/** What the sandbox remembers. Amounts are plain decimal strings, times are milliseconds of the shared clock. */

export const paymentStatuses = [
  'new',
  'waiting',
  'paying',
  'paid',
  'manual_accept',
  'underpaid',
  'refunding',
  'refunded',
  'expired',
  'failed',
] as const;
export type PaymentStatus = (typeof paymentStatuses)[number];

export const payoutStatuses = [
  'processing',
  'pending',
  'confirming',
  'confirmed',
  'canceled',
  'rejected',
  'failed',
] as const;
export type PayoutStatus = (typeof payoutStatuses)[number];

type PaymentType = 'invoice' | 'white_label' | 'static_address';

/** One transaction on chain. */
export interface Transfer {
  hash: string;
  /** Coin units. */
  sent: string;
  /** Worth in US dollars at the sandbox's fixed price. */
  worth: string;
  currency: string;
  network: string;
  address: string;
  sender: string;
  confirmations: number;
  seenMs: number;
  /** Whether it counts toward the amount: false once the session was over, or in another coin where that is not allowed. */
  counts: boolean;
}

/** One try to deliver a callback. */
export interface Attempt {
  atMs: number;
  /** Null where no answer came. */
  httpStatus: number | null;
  /** The first 1 KiB of the answer, or why there is none. */
  answer: string;
  acknowledged: boolean;
}

/** One callback: fixed bytes, tried until acknowledged or given up. */
export interface Delivery {
  id: string;
  status: string;
  url: string;
  body: string;
  /** Which key signs it. */
  signer: 'merchant' | 'payout';
  queuedMs: number;
  /** How many tries of the schedule are used up. */
  tries: number;
  /** When the next try is due; null once acknowledged or given up. */
  dueMs: number | null;
  attempts: Attempt[];
  /** Faults drawn for this callback when it was queued. */
  fault: { duplicate: boolean; drops: readonly boolean[] };
}

interface Callable {
  trackId: string;
  createdMs: number;
  callbackUrl: string;
  /** Which of the configured keys created it (a digest, never the key). */
  keyId: string;
  description: string;
  deliveries: Delivery[];
}

export interface Payment extends Callable {
  type: PaymentType;
  status: PaymentStatus;
  /** `0` for a static address. */
  amount: string;
  currency: string;
  lifetime: number;
  /** Null for a static address. */
  expiresMs: number | null;
  paidMs: number | null;
  feePaidByPayer: boolean;
  coverage: string;
  mixedPayment: boolean;
  toCurrency: string;
  autoWithdrawal: boolean;
  returnUrl: string;
  email: string;
  orderId: string;
  thanksMessage: string;
  sandbox: boolean;
  /** Coin of the session once chosen; empty until then. */
  payCurrency: string;
  /** Code of the network; empty until chosen. */
  network: string;
  address: string;
  memo: string;
  revoked: boolean;
  transfers: Transfer[];
}

export interface Payout extends Callable {
  status: PayoutStatus;
  address: string;
  currency: string;
  network: string;
  amount: string;
  fee: string;
  hash: string;
  memo: string;
}

/** How much is kept: beyond it the oldest go, so that a long-running sandbox does not grow without end. */
export const limits = { payments: 20_000, payouts: 5_000, transfers: 50, deliveries: 100, attempts: 20 } as const;

/** A map that forgets its oldest entries beyond `max`; says which, so that a copy elsewhere can forget them too. */
export class BoundedMap<T> {
  private readonly entries = new Map<string, T>();

  constructor(private readonly max: number) {}

  get(key: string): T | undefined {
    return this.entries.get(key);
  }

  set(key: string, value: T): string | null {
    this.entries.set(key, value);
    if (this.entries.size <= this.max) return null;
    const oldest = this.entries.keys().next();
    if (oldest.done) return null;
    this.entries.delete(oldest.value);
    return oldest.value;
  }

  values(): T[] {
    return [...this.entries.values()];
  }

  [Symbol.iterator](): Iterator<T> {
    return this.entries.values();
  }

  clear(): void {
    this.entries.clear();
  }
}

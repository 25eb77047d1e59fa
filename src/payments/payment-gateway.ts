import type { Instant } from '../kernel/clock.js';

/**
 * The port to whoever takes the crypto: what the payments need of a gateway, in our words. One adapter exists
 * (`gateway/`); nothing on this side knows a wire format.
 */
export abstract class PaymentGateway {
  /**
   * Asks for an invoice, once; never repeated by the adapter, because the gateway has no idempotency. With `payWith` the
   * gateway shows the payer no page: the answer says what is to be sent where.
   * Throws `GatewayRefused` (it said no), `GatewayUnavailable` (nothing can have been created) or
   * `GatewayOutcomeUnknown` (an invoice may exist).
   */
  abstract openInvoice(request: InvoiceRequest): Promise<OpenedInvoice>;

  /** Where a payer pays the invoice with this track id, told by an `earlier` one of the same account; null where it cannot be told. */
  abstract paymentUrl(trackId: string, earlier: { trackId: string; paymentUrl: string } | null): string | null;

  /** What the gateway says of one payment now; null where it does not know it. Throws `GatewayUnavailable`. */
  abstract findPayment(trackId: string): Promise<GatewayReport | null>;

  /** One page of payments created in a span of time, oldest first. Throws `GatewayUnavailable`. */
  abstract listPayments(query: { from: Instant; to: Instant; page: number }): Promise<ReportPage>;

  /**
   * What a stored callback says. Pure: it asks nobody, and any bytes give a reading. Needed again when a callback that
   * came before its payment was known, or that an earlier version could not read, is applied later.
   */
  abstract readCallback(body: Buffer): CallbackSays;

  /** Whose key, of those that are configured now, made the signature that was kept with a callback. Pure. */
  abstract signatureOf(body: Buffer, headers: Readonly<Record<string, string>> | null): CallbackSignature;

  /**
   * Asks for an address that stays open, once; throws as `openInvoice`. `reference` is ours, and echoed in reports.
   */
  abstract openAddress(request: AddressRequest): Promise<OpenedAddress>;

  /** Ends an address: what comes to it later is not credited. One that is not there counts as ended. Throws as `openInvoice`. */
  abstract revokeAddress(address: { address: string; network: string }): Promise<void>;

  /** Whether the gateway may still have the address with this track id: false only where it says that it has none. Throws `GatewayUnavailable`. */
  abstract hasAddress(trackId: string): Promise<boolean>;

  /** Symbols that the merchant's account accepts. Throws `GatewayUnavailable`. */
  abstract acceptedCurrencies(): Promise<string[]>;

  /**
   * US dollars for one unit of each currency that the gateway prices, coins and states' currencies alike, as exact
   * decimals. Throws `GatewayUnavailable`.
   */
  abstract prices(): Promise<ReadonlyMap<string, string>>;

  /**
   * Sends money out, once; never repeated by the adapter, because the gateway has no idempotency for it either. Throws
   * `GatewayRefused` (it said no), `GatewayUnavailable` (nothing can have been sent) or `GatewayOutcomeUnknown` (money
   * may be on its way).
   */
  abstract sendPayout(request: PayoutRequest): Promise<{ trackId: string }>;

  /** What the gateway says of one payout; null where it does not know it. Throws `GatewayUnavailable`. */
  abstract findPayout(trackId: string): Promise<PayoutReport | null>;

  /** One page of payouts created in a span of time, oldest first. Throws `GatewayUnavailable`. */
  abstract listPayouts(query: { from: Instant; to: Instant; page: number }): Promise<PayoutPage>;
}

export interface InvoiceRequest {
  /** Our payment id: the gateway echoes it, and a lost answer is found again by it. */
  orderId: string;
  amount: string;
  currency: string;
  lifetimeMinutes: number;
  /** Percent that may be missing for the gateway to call it paid, as a decimal string, 0 to 60. */
  underPaidCoverage: string;
  feePaidByPayer: boolean;
  mixedPayment: boolean;
  callbackUrl: string;
  returnUrl?: string;
  email?: string;
  description?: string;
  /** The coin that the payer pays with, and its network (null: the coin's usual one). */
  payWith?: { currency: string; network: string | null };
}

export interface OpenedInvoice {
  trackId: string;
  /** Null where the gateway shows no page. */
  paymentUrl: string | null;
  expiresAt: Instant;
  /** Null where the gateway's page tells it. */
  payTo: { address: string; memo: string | null; network: string; currency: string; amount: string } | null;
}

export interface AddressRequest {
  reference: string;
  /** The network's code. */
  network: string;
  callbackUrl: string;
}

export interface OpenedAddress {
  trackId: string;
  address: string;
  memo: string | null;
  /** As the gateway names it. */
  network: string;
}

export const gatewayStatuses = [
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
/** The gateway's own word for a payment, in one spelling; `failed` is a word of its older interface. */
export type GatewayStatus = (typeof gatewayStatuses)[number];

/** One witness's claim about one payment: a callback or an answer to a question, in one model. Amounts are decimal strings. */
export interface GatewayReport {
  trackId: string;
  /** The order id as the gateway echoes it (our payment id); null where absent or empty. */
  orderId: string | null;
  type: string;
  status: GatewayStatus;
  /** What was asked for, in `currency`; null where absent or 0 (static addresses have none). */
  amount: string | null;
  currency: string | null;
  /** Worth of the whole payment in US dollars as the gateway counts it; callbacks only. */
  valueUsd: string | null;
  transfers: ReportedTransfer[];
  createdAt: Instant | null;
  /** Answers to questions only. */
  expiresAt: Instant | null;
  /** The terms that the gateway applies; answers to questions only. */
  terms: { underPaidCoverage: string | null; feePaidByPayer: boolean | null; mixedPayment: boolean | null } | null;
}

/** One on-chain transaction as one witness described it. */
export interface ReportedTransfer {
  /** As given; may be empty or a placeholder, so it identifies nothing by itself. */
  txHash: string;
  status: 'confirming' | 'confirmed' | 'failed';
  currency: string;
  /** Display name or code, as given. */
  network: string;
  address: string | null;
  senderAddress: string | null;
  /** Coin units that the payer sent. */
  sentAmount: string;
  /** Coin units left after the gateway's fee; callbacks only. */
  receivedAmount: string | null;
  /** Worth in US dollars; callbacks only. */
  valueUsd: string | null;
  confirmations: number | null;
  /** When the gateway saw it. */
  seenAt: Instant | null;
}

/** What the bytes of a callback say; `content` is one text for one content, however it was written. */
export type CallbackSays =
  | { kind: 'payment'; report: GatewayReport; content: string }
  | { kind: 'payout'; report: PayoutReport; content: string }
  | { kind: 'unreadable'; reason: string; trackId: string | null };

export interface CallbackSignature {
  /** Null: no key that is configured now. */
  signer: 'merchant' | 'payout' | 'both' | null;
  /** Whether that key may speak of what the callback is about: one for payouts cannot speak for a payment. */
  fits: boolean;
}

export interface ReportPage {
  reports: GatewayReport[];
  /** Order ids of payments that are there, in a status that this version does not know. */
  unread: string[];
  page: number;
  lastPage: number;
}

export interface PayoutRequest {
  address: string;
  /** The coin that is sent. */
  currency: string;
  network: string;
  /** Coin units, a plain decimal. */
  amount: string;
  memo?: string;
  /** Our reference: the gateway keeps no other, so that a lost answer can be found again by it alone. */
  description: string;
  callbackUrl: string;
}

export interface PayoutReport {
  trackId: string;
  status: 'processing' | 'pending' | 'confirming' | 'confirmed' | 'canceled' | 'rejected' | 'failed';
  amount: string;
  currency: string;
  network: string;
  address: string;
  fee: string | null;
  txHash: string | null;
  description: string | null;
  createdAt: Instant | null;
}

export interface PayoutPage {
  reports: PayoutReport[];
  /** Descriptions of payouts that are there, in a status that this version does not know: they may have been sent. */
  unread: string[];
  page: number;
  lastPage: number;
}

/** The gateway understood the request and refused it. Repeating it changes nothing. */
export class GatewayRefused extends Error {
  constructor(
    readonly httpStatus: number,
    /** The field at fault, where the gateway named one. */
    readonly field: string | null,
    message: string,
  ) {
    super(message);
    this.name = 'GatewayRefused';
  }
}

/** The gateway could not be asked, or said that it cannot serve now: nothing changed there. */
export class GatewayUnavailable extends Error {
  constructor(
    message: string,
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(message);
    this.name = 'GatewayUnavailable';
  }
}

/** It answered that it does not serve us, or not this: that is no silence, and bears nothing out. */
export class GatewayDenies extends GatewayUnavailable {
  constructor(message: string, retryAfterSeconds: number | null = null) {
    super(message, retryAfterSeconds);
    this.name = 'GatewayDenies';
  }
}

/** It was not even asked, for reasons of our own: that says nothing of the gateway. */
export class GatewayNotAsked extends GatewayUnavailable {
  constructor(message: string) {
    super(message);
    this.name = 'GatewayNotAsked';
  }
}

/** The request left, and no usable answer came back: it may have taken effect. */
export class GatewayOutcomeUnknown extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'GatewayOutcomeUnknown';
  }
}

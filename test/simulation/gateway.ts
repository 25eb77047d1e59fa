import type { InvoiceRequest } from '../../src/payments/payment-gateway.js';
import type { World } from './world.js';

/** Money on its way: worth in hundredths of the invoice's currency. Times are virtual milliseconds. */
export interface Sent {
  hash: string;
  cents: number;
  seenAt: number;
  settledAt: number;
  /** Never confirmed: it is undone when it would have settled. */
  fails: boolean;
}

/** What a payer, and people at the gateway, will have done. */
export interface Plan {
  sent: Sent[];
  acceptedAt: number | null;
  refundingAt: number | null;
  refundedAt: number | null;
  /** Whether the gateway's own verdict counts money after the deadline; its documentation does not say. */
  countsLate: boolean;
  /** What its callbacks say, and nobody sent. */
  lies: Sent[];
  /** When one callback names another amount than the invoice has. */
  contradictedAt: number | null;
}

export interface Invoice {
  trackId: string;
  orderId: string;
  /** Hundredths of its currency. */
  cents: number;
  currency: string;
  /** How it differs from what was asked for. */
  mistake: 'amount' | 'currency' | null;
  coverage: number;
  createdAt: number;
  expiresAt: number;
  /** `nothing` until the payer knows of it. */
  plan: Plan;
}

export type Word = 'waiting' | 'paying' | 'paid' | 'manual_accept' | 'underpaid' | 'expired' | 'refunding' | 'refunded';

export const nothing: Plan = {
  sent: [],
  acceptedAt: null,
  refundingAt: null,
  refundedAt: null,
  countsLate: false,
  lies: [],
  contradictedAt: null,
};

/** How the coin of an invoice is priced: US dollars for one unit, and units for one dollar. */
const coins = { USDT: { usd: '1', units: 100 }, TRX: { usd: '0.25', units: 400 } } as const;
export type Coin = keyof typeof coins;
export const prices: ReadonlyMap<string, string> = new Map([
  ['USD', '1'],
  ...Object.entries(coins).map(([symbol, { usd }]) => [symbol, usd] as const),
]);

/** Hundredths as a decimal. */
export const decimal = (cents: number): string =>
  `${String(Math.floor(cents / 100))}.${String(cents % 100).padStart(2, '0')}`;

/** The gateway: what is true there, now and at any time before. */
export class Gateway {
  readonly invoices: Invoice[] = [];
  private readonly byTrack = new Map<string, Invoice>();
  /** What goes wrong with the invoice of an order, decided by the scenario. */
  mistakeFor: (orderId: string) => Invoice['mistake'] = () => null;
  coinFor: (orderId: string) => Coin = () => 'USDT';
  /** Told of each new invoice. */
  opened: (invoice: Invoice) => void = () => undefined;

  constructor(private readonly world: World) {}

  open(request: InvoiceRequest): Invoice {
    const [whole = '0', fraction = ''] = request.amount.split('.');
    const asked = parseInt(whole, 10) * 100 + parseInt(fraction.padEnd(2, '0').slice(0, 2), 10);
    const mistake = this.mistakeFor(request.orderId);
    const invoice: Invoice = {
      trackId: String(180_000_000 + this.invoices.length * 7919 + this.world.rng('tracks').int(0, 7000)),
      orderId: request.orderId,
      cents: mistake === 'amount' ? Math.max(1, Math.floor(asked / 10)) : asked,
      currency: mistake === 'currency' ? 'TRX' : request.currency,
      mistake,
      coverage: parseInt(request.underPaidCoverage, 10),
      createdAt: this.world.now,
      expiresAt: this.world.now + request.lifetimeMinutes * 60_000,
      plan: nothing,
    };
    this.invoices.push(invoice);
    this.byTrack.set(invoice.trackId, invoice);
    this.opened(invoice);
    return invoice;
  }

  find(trackId: string): Invoice | undefined {
    return this.byTrack.get(trackId);
  }

  /** The invoice as the gateway would tell it at a time. */
  body(invoice: Invoice, at: number, kind: 'callback' | 'answer'): Record<string, unknown> {
    const { trackId, orderId, plan } = invoice;
    const lies = kind === 'callback' ? plan.lies : [];
    const sent = [...plan.sent, ...lies].filter(({ seenAt }) => seenAt <= at);
    const coin = invoice.mistake === 'currency' ? 'TRX' : this.coinFor(orderId);
    const common = {
      track_id: trackId,
      type: 'invoice',
      status: lies.length > 0 && sent.length > 0 ? 'Paid' : capital(wordOf(invoice, at), kind),
      amount: raw(decimal(invoice.cents)),
      currency: invoice.currency,
      order_id: orderId,
      date: this.seconds(invoice.createdAt),
      txs: sent.map((each) => this.transfer(each, at, kind, coin)),
    };
    if (kind === 'callback') {
      const value = raw(decimal(invoice.cents));
      return { ...common, value, sent_value: value, fee_paid_by_payer: 0, under_paid_coverage: invoice.coverage };
    }
    const terms = { mixed_payment: true, fee_paid_by_payer: 0, under_paid_coverage: invoice.coverage };
    return { ...common, ...terms, expired_at: this.seconds(invoice.expiresAt) };
  }

  seconds(at: number): number {
    return Math.floor((this.world.ms() - this.world.now + at) / 1000);
  }

  private transfer(each: Sent, at: number, kind: 'callback' | 'answer', coin: Coin): Record<string, unknown> {
    const over = each.settledAt <= at;
    const units = raw(decimal((each.cents * coins[coin].units) / 100));
    const common = {
      tx_hash: each.hash,
      status: over ? (each.fails ? 'failed' : 'confirmed') : 'confirming',
      currency: coin,
      network: 'Tron Network',
      address: 'TExampleAddressNotForUse00000000000',
      confirmations: over && !each.fails ? 20 : at > each.seenAt + 20_000 ? 2 : 0,
      date: this.seconds(each.seenAt),
    };
    return kind === 'callback'
      ? { ...common, sent_amount: units, received_amount: units, value: raw(decimal(each.cents)) }
      : { ...common, amount: units };
  }
}

/** The gateway's word at a time. */
export function wordOf({ plan, cents, coverage, expiresAt }: Invoice, at: number): Word {
  if (plan.refundedAt !== null && plan.refundedAt <= at) return 'refunded';
  if (plan.refundingAt !== null && plan.refundingAt <= at) return 'refunding';
  if (plan.acceptedAt !== null && plan.acceptedAt <= at) return 'manual_accept';
  const counting = plan.sent.filter(({ seenAt }) => seenAt <= at && (seenAt <= expiresAt || plan.countsLate));
  const settled = counting.filter(({ settledAt }) => settledAt <= at);
  const confirmed = settled.filter(({ fails }) => !fails).reduce((total, each) => total + each.cents, 0);
  if (confirmed * 100 >= cents * (100 - coverage)) return 'paid';
  if (settled.length < counting.length) return 'paying';
  if (at < expiresAt) return confirmed > 0 ? 'paying' : 'waiting';
  return confirmed > 0 ? 'underpaid' : 'expired';
}

/** Confirmed money at a time, in hundredths; `late` counts what was sent after the deadline, too. */
export const confirmedAt = ({ plan, expiresAt }: Invoice, at: number, late: boolean): number =>
  plan.sent
    .filter((each) => !each.fails && each.settledAt <= at && (late || each.seenAt <= expiresAt))
    .reduce((total, { cents }) => total + cents, 0);

const capital = (word: Word, kind: 'callback' | 'answer'): string =>
  kind === 'answer' ? word : `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`;

/** A number in JSON with every digit as written. */
const mark = '\u0001';
const raw = (digits: string): string => mark + digits + mark;

/** JSON text in which the marked decimals are numbers. */
export const jsonOf = (value: unknown): string => JSON.stringify(value).replace(/"\\u0001([0-9.]+)\\u0001"/g, '$1');

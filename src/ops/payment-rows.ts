import { msOf, type Instant } from '../kernel/clock.js';
import { decimalsOf } from '../kernel/money.js';
import { Decimal, plain, sum } from '../payments/decimal.js';
import { factsOf, isReportable, type Payment, type Reportable } from '../payments/payment.js';
import { showAmount, viewPayment, type PaymentView } from '../payments/payment-view.js';
import { counted, worthOf, type Transfer } from '../payments/worth.js';

/*
 * Payments as rows of a report: what was due, what came, in which coin and at which rate.
 */

/** Where a rate comes from. `recorded_price`: looked up here when the money was first seen, because the gateway told no worth. */
type RateSource = 'same_currency' | 'gateway' | 'recorded_price';

/** One on-chain transaction toward a payment. Amounts are decimal strings; coin units but `worth`, which is in the payment's currency. */
export interface TransferRow {
  paymentId: string;
  txHash: string;
  network: string;
  currency: string;
  sentAmount: string;
  /** What the gateway left of it after its fee; null where it did not say. */
  receivedAmount: string | null;
  status: Transfer['status'];
  firstSeenAt: Instant;
  confirmations: number | null;
  /** Null where nobody can say, or where it failed. The worths of a payment's transfers come to what it received. */
  worth: string | null;
  worthCurrency: string;
  /** Units of `worthCurrency` for one unit of `currency`: `worth` divided by `sentAmount`, to 18 places. */
  rate: string | null;
  rateSource: RateSource | null;
}

/** One payment. Amounts are in `currency`, but `paidAmount`, which is in units of the coin `paidCurrency`. */
export interface PaymentRow extends Pick<
  PaymentView,
  | 'id'
  | 'orderId'
  | 'trackId'
  | 'customerId'
  | 'status'
  | 'labels'
  | 'createdAt'
  | 'expiresAt'
  | 'paidAt'
  | 'closedAt'
  | 'amount'
  | 'currency'
  | 'received'
  | 'delta'
  | 'estimated'
  | 'credit'
  | 'allocation'
  | 'remainderOf'
> {
  applicationId: string;
  application: string;
  review: 'none' | 'open' | 'resolved';
  reviewReasons: string[];
  policy: { name: string; version: number };
  /** Null where nothing was paid, or in several coins: then `mixed`, and the transfers tell. */
  paidCurrency: string | null;
  paidAmount: string | null;
  mixed: boolean;
  /** Units of `currency` for one unit of `paidCurrency`: `received` divided by `paidAmount`, to 18 places. */
  rate: string | null;
  rateSource: RateSource | null;
  transfers: TransferRow[];
  refunds: PaymentView['refunds'];
}

const rateDigits = 18;

const rateOf = (worth: string | null, units: Decimal): string | null =>
  worth === null || units.lte('0') ? null : plain(new Decimal(worth).div(units).round(rateDigits, Decimal.roundHalfUp));

/** The row of one payment; `application` is the name of the one that it belongs to. */
export function paymentRow(payment: Payment, application: string): PaymentRow {
  const { terms } = payment;
  const { delta, review, refunds, ...view } = viewPayment(payment, 0, '');
  return {
    ...pick(view),
    applicationId: terms.applicationId,
    application,
    // A number for whoever calculates with it: a sign only where it is less.
    delta: delta?.replace(/^\+/, '') ?? null,
    review: review === null ? 'none' : review.resolvedAt === undefined ? 'open' : 'resolved',
    reviewReasons: review?.reasons ?? [],
    policy: { name: terms.policy.name, version: terms.policy.version },
    ...paidOf(payment),
    transfers: isReportable(payment) ? transferRows(payment) : [],
    refunds,
  };
}

const pick = ({
  id,
  orderId,
  trackId,
  customerId,
  status,
  labels,
  createdAt,
  expiresAt,
  paidAt,
  closedAt,
  amount,
  currency,
  received,
  estimated,
  credit,
  allocation,
  remainderOf,
}: Omit<PaymentView, 'delta' | 'review' | 'refunds'>) => ({
  id,
  orderId,
  trackId,
  customerId,
  status,
  labels,
  createdAt,
  expiresAt,
  paidAt,
  closedAt,
  amount: showAmount(amount, currency),
  currency,
  received,
  estimated,
  credit,
  allocation,
  remainderOf,
});

const nothingPaid = { paidCurrency: null, paidAmount: null, mixed: false, rate: null, rateSource: null };

function paidOf(payment: Payment): Pick<PaymentRow, keyof typeof nothingPaid> {
  if (!isReportable(payment)) return nothingPaid;
  const { transfers, received, estimated } = payment.money;
  const live = transfers.filter(counted);
  const [first] = live;
  if (!first) return nothingPaid;
  if (live.some(({ currency }) => currency !== first.currency)) return { ...nothingPaid, mixed: true };
  const units = sum(live.map(({ sentAmount }) => sentAmount));
  const rate = rateOf(received, units);
  const source = first.currency === payment.terms.currency ? 'same_currency' : estimated ? 'recorded_price' : 'gateway';
  return {
    paidCurrency: first.currency,
    paidAmount: plain(units),
    mixed: false,
    rate,
    rateSource: rate === null ? null : source,
  };
}

function transferRows(payment: Reportable): TransferRow[] {
  const { terms, money } = payment;
  const worths = worthsOf(payment);
  return money.transfers.map((transfer) => {
    const worth = worths.get(transfer.key) ?? null;
    const rate = rateOf(worth, new Decimal(transfer.sentAmount));
    return {
      paymentId: terms.id,
      txHash: transfer.txHash,
      network: transfer.network,
      currency: transfer.currency,
      sentAmount: transfer.sentAmount,
      receivedAmount: transfer.receivedAmount,
      status: transfer.status,
      firstSeenAt: transfer.firstSeenAt,
      confirmations: transfer.confirmations,
      worth: worth && showAmount(worth, terms.currency),
      worthCurrency: terms.currency,
      rate,
      rateSource: rate === null ? null : sourceOf(transfer, terms.currency),
    };
  });
}

function sourceOf({ currency, valueUsd, pinned }: Transfer, due: string): RateSource {
  if (currency === due) return 'same_currency';
  return valueUsd !== null && !pinned ? 'gateway' : 'recorded_price';
}

/**
 * What each counted transfer is worth, by its key. Together they come to what was received, to the last decimal: what
 * rounding, or the gateway's word for the whole, makes of the sum is shared out in proportion, and the last takes the rest.
 */
function worthsOf(payment: Reportable): Map<string, string> {
  const facts = factsOf(payment);
  const { received, transfers } = payment.money;
  const own = transfers.filter((transfer) => counted(transfer) && transfer.currency === facts.currency);
  const others = transfers.filter((transfer) => counted(transfer) && transfer.currency !== facts.currency);
  const worths = new Map(own.map(({ key, sentAmount }) => [key, plain(new Decimal(sentAmount))]));
  const alone = others.map((transfer) => worthOf([transfer], facts, false)?.amount ?? null);
  const known = alone.filter((worth) => worth !== null);
  const whole = known.reduce((total, worth) => total.plus(worth), new Decimal('0'));
  const target = received === null ? null : new Decimal(received).minus(sum([...worths.values()]));
  const scaled = target !== null && target.gt('0') && whole.gt('0') && known.length === others.length;
  const digits = Math.min(decimalsOf(facts.currency), 8);
  let left = target ?? whole;
  others.forEach(({ key }, index) => {
    const worth = alone[index];
    if (worth === null || worth === undefined) return;
    const share = scaled ? worth.times(target).div(whole).round(digits, Decimal.roundHalfUp) : worth;
    worths.set(key, plain(scaled && index === others.length - 1 ? left : share));
    left = left.minus(share);
  });
  return worths;
}

/** A column of the table: its name, and what stands in it. `money`: a number as it is, which no spreadsheet takes for a formula. */
interface Column<T> {
  name: string;
  of: (row: T) => string | number | boolean | null | undefined;
  money?: true;
}

export const paymentColumns: readonly Column<PaymentRow>[] = [
  { name: 'payment_id', of: ({ id }) => id },
  { name: 'application_id', of: ({ applicationId }) => applicationId },
  { name: 'application', of: ({ application }) => application },
  { name: 'order_id', of: ({ orderId }) => orderId },
  { name: 'track_id', of: ({ trackId }) => trackId },
  { name: 'customer_id', of: ({ customerId }) => customerId },
  { name: 'status', of: ({ status }) => status },
  { name: 'labels', of: ({ labels }) => labels.join(' ') },
  { name: 'review', of: ({ review }) => review },
  { name: 'review_reasons', of: ({ reviewReasons }) => reviewReasons.join(' ') },
  { name: 'policy', of: ({ policy }) => policy.name },
  { name: 'policy_version', of: ({ policy }) => policy.version },
  { name: 'created_at', of: ({ createdAt }) => createdAt },
  { name: 'expires_at', of: ({ expiresAt }) => expiresAt },
  { name: 'paid_at', of: ({ paidAt }) => paidAt },
  { name: 'closed_at', of: ({ closedAt }) => closedAt },
  { name: 'currency', of: ({ currency }) => currency },
  { name: 'amount', of: ({ amount }) => amount, money: true },
  { name: 'received', of: ({ received }) => received, money: true },
  { name: 'delta', of: ({ delta }) => delta, money: true },
  { name: 'estimated', of: ({ estimated }) => estimated },
  { name: 'credit', of: ({ credit }) => credit, money: true },
  { name: 'applied', of: ({ allocation }) => allocation?.applied, money: true },
  { name: 'kept', of: ({ allocation }) => allocation?.kept, money: true },
  { name: 'credited', of: ({ allocation }) => allocation?.credited, money: true },
  { name: 'refunded', of: ({ allocation }) => allocation?.refunded, money: true },
  { name: 'refunding', of: ({ allocation }) => allocation?.refunding, money: true },
  { name: 'unallocated', of: ({ allocation }) => allocation?.unallocated, money: true },
  { name: 'paid_currency', of: ({ paidCurrency, mixed }) => (mixed ? 'mixed' : paidCurrency) },
  { name: 'paid_amount', of: ({ paidAmount }) => paidAmount, money: true },
  { name: 'rate', of: ({ rate }) => rate, money: true },
  { name: 'rate_source', of: ({ rateSource }) => rateSource },
  { name: 'transfers', of: ({ transfers }) => transfers.length },
  { name: 'remainder_of', of: ({ remainderOf }) => remainderOf },
];

export const transferColumns: readonly Column<TransferRow>[] = [
  { name: 'payment_id', of: ({ paymentId }) => paymentId },
  { name: 'tx_hash', of: ({ txHash }) => txHash },
  { name: 'network', of: ({ network }) => network },
  { name: 'coin', of: ({ currency }) => currency },
  { name: 'sent_amount', of: ({ sentAmount }) => sentAmount, money: true },
  { name: 'received_amount', of: ({ receivedAmount }) => receivedAmount, money: true },
  { name: 'status', of: ({ status }) => status },
  { name: 'first_seen_at', of: ({ firstSeenAt }) => firstSeenAt },
  { name: 'confirmations', of: ({ confirmations }) => confirmations },
  { name: 'worth', of: ({ worth }) => worth, money: true },
  { name: 'worth_currency', of: ({ worthCurrency }) => worthCurrency },
  { name: 'rate', of: ({ rate }) => rate, money: true },
  { name: 'rate_source', of: ({ rateSource }) => rateSource },
];

const number = /^-?\d+(?:\.\d+)?$/;
// What spreadsheets take for a formula, plain and full-width, also behind blanks that some of them cut off.
const formula = /^[\s\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]*[=+\-@\uff0b\uff0d\uff1d\uff20]|^[\t\r\n]/;

/** Text of others as a cell that no spreadsheet runs: a `'` stands before what would be taken for a formula. */
export const safeText = (text: string): string => (formula.test(text) ? `'${text}` : text);

/** The cells of one row. */
export const cellsOf = <T>(columns: readonly Column<T>[], row: T): string[] =>
  columns.map(({ of, money }) => {
    const value = of(row);
    if (value === null || value === undefined) return '';
    const text = String(value);
    return money && number.test(text) ? text : safeText(text);
  });

/** The least id that is given out at a time (UUIDv7, RFC 9562 §5.7), to the millisecond. */
export function firstIdAt(time: Instant): string {
  const ms = Math.max(0, msOf(time)).toString(16).padStart(12, '0');
  return `${ms.slice(0, 8)}-${ms.slice(8)}-0000-0000-000000000000`;
}

import type { Instant } from '../kernel/clock.js';
import { decimalsOf, isFiat } from '../kernel/money.js';
import { allocationOf, type Allocation } from './allocation.js';
import type { Deposit } from './deposit.js';
import { isReportable, type Payment, type PayTo, type ReviewDecision } from './payment.js';
import type { Remainder, Review } from './money.js';
import type { Payout, Refund } from './refund.js';
import { isFulfillable, labelsOf, progressOf, type Label, type Progress } from './standing.js';
import { Decimal, plain } from './decimal.js';
import type { PinnedPolicy } from './policy.js';
import { holdsFulfillment, type ReviewReason } from './review-reasons.js';
import type { Transfer } from './worth.js';

/** A payment as every reader outside sees it: the REST API, webhooks, lists and the status page. */
export interface PaymentView {
  id: string;
  orderId: string;
  status: Payment['status'];
  progress: Progress;
  labels: Label[];
  fulfillable: boolean;
  amount: string;
  currency: string;
  /** What the transfers are worth in `currency`; null where that is not known. */
  received: string | null;
  /** received − amount, signed; null where nothing was received or its worth is not known. */
  delta: string | null;
  /** Whether `received` rests on prices that were looked up, because the gateway told no worth. */
  estimated: boolean;
  /** What the customer's credit pays of `amount`. */
  credit: string;
  /** Where the received money went; the shares add up to `received`. Null where its worth is not known. */
  allocation: Allocation | null;
  review: ReviewView | null;
  refunds: RefundView[];
  /** Other payments that collect the missing part of this one. */
  remainders: Remainder[];
  /** The payment whose missing part this one collects. */
  remainderOf: string | null;
  transfers: Omit<Transfer, 'key'>[];
  trackId: string | null;
  paymentUrl: string | null;
  /** `hosted`: the payer pays on the gateway's page. `embedded`: on a page that shows `payTo`. */
  presentation: 'hosted' | 'embedded';
  /** The deposit address that the money came to; null for payments that were asked for. */
  deposit: { addressId: string; address: string; network: string; afterRevocation: boolean } | null;
  /** What the payer sends where; null until the invoice is open, and for hosted payments. */
  payTo: PayTo | null;
  statusUrl: string;
  createdAt: Instant;
  expiresAt: Instant | null;
  paidAt: Instant | null;
  closedAt: Instant | null;
  failure: string | null;
  gatewayStatus: string | null;
  customerId: string | null;
  description: string | null;
  email: string | null;
  returnUrl: string | null;
  metadata: Record<string, string>;
  policy: PinnedPolicy;
  /** The number of events behind this view. */
  version: number;
}

export interface ReviewView {
  reasons: ReviewReason[];
  openedAt: Instant;
  holdsFulfillment: boolean;
  resolvedAt?: Instant;
  decision?: ReviewDecision;
  actor?: string;
  note?: string;
}

export type RefundView = Pick<
  Refund,
  'number' | 'status' | 'amount' | 'reason' | 'clause' | 'trackId' | 'txHash' | 'detail'
> & {
  /** The payment's currency, of which `amount` is. */
  currency: string;
  payout: Payout;
  requestedAt: Instant;
};

/** Money for people and machines alike: at least the minor units of a state's currency, never an exponent. */
export function showAmount(amount: string, currency: string): string {
  const text = plain(new Decimal(amount));
  const digits = text.split('.')[1]?.length ?? 0;
  const least = isFiat(currency) ? decimalsOf(currency) : 0;
  if (digits >= least) return text;
  return digits === 0 ? `${text}.${'0'.repeat(least)}` : text + '0'.repeat(least - digits);
}

/** A signed amount: `+0.50`, `-5.00`, `0.00`. */
function showDelta(delta: string, currency: string): string {
  const value = new Decimal(delta);
  const sign = value.gt('0') ? '+' : value.lt('0') ? '-' : '';
  return sign + showAmount(plain(value.abs()), currency);
}

export function viewPayment(payment: Payment, version: number, publicUrl: string): PaymentView {
  const { terms } = payment;
  const invoice = 'invoice' in payment ? payment.invoice : null;
  return {
    id: terms.id,
    orderId: terms.orderId,
    status: payment.status,
    progress: progressOf(payment),
    labels: labelsOf(payment),
    fulfillable: isFulfillable(payment),
    amount: terms.amount,
    currency: terms.currency,
    ...viewMoney(payment),
    credit: showAmount('credit' in payment ? (payment.credit ?? '0') : '0', terms.currency),
    remainderOf: terms.remainderOf ?? null,
    trackId: invoice?.trackId ?? null,
    paymentUrl: invoice?.paymentUrl ?? null,
    presentation: terms.embedded ? 'embedded' : 'hosted',
    payTo: invoice?.payTo ?? null,
    deposit: viewDeposit(terms.deposit ?? null),
    statusUrl: `${publicUrl}/pay/${terms.statusToken}`,
    createdAt: terms.requestedAt,
    expiresAt: invoice?.expiresAt ?? null,
    paidAt: payment.status === 'paid' ? payment.paidAt : null,
    closedAt: payment.status === 'expired' ? payment.expiredAt : payment.status === 'failed' ? payment.failedAt : null,
    failure: payment.status !== 'failed' ? null : payment.reason === 'refused' ? payment.detail : payment.reason,
    customerId: terms.customerId,
    description: terms.description,
    email: terms.email,
    returnUrl: terms.returnUrl,
    metadata: terms.metadata,
    policy: terms.policy,
    version,
  };
}

const viewDeposit = (deposit: Deposit | null): PaymentView['deposit'] =>
  deposit && {
    addressId: deposit.addressId,
    address: deposit.address,
    network: deposit.network,
    afterRevocation: deposit.afterRevocation,
  };

type MoneyView = Pick<
  PaymentView,
  | 'received'
  | 'delta'
  | 'estimated'
  | 'allocation'
  | 'review'
  | 'refunds'
  | 'remainders'
  | 'transfers'
  | 'gatewayStatus'
>;

const nothingYet: Omit<MoneyView, 'received'> = {
  delta: null,
  estimated: false,
  allocation: null,
  review: null,
  refunds: [],
  remainders: [],
  transfers: [],
  gatewayStatus: null,
};

function viewMoney(payment: Payment): MoneyView {
  const { currency } = payment.terms;
  if (!isReportable(payment)) {
    const review = 'money' in payment && payment.money.review ? viewReview(payment.money.review) : null;
    return { ...nothingYet, review, received: showAmount('0', currency) };
  }
  const { money } = payment;
  return {
    received: money.received === null ? null : showAmount(money.received, currency),
    delta: money.delta === null ? null : showDelta(money.delta, currency),
    estimated: money.estimated,
    allocation: showAllocation(allocationOf(payment), payment.terms.currency),
    review: money.review && viewReview(money.review),
    refunds: money.refunds.map((refund) => viewRefund(refund, currency)),
    remainders: money.remainders.map((each) => ({ ...each, amount: showAmount(each.amount, currency) })),
    transfers: money.transfers.map(({ key: _, ...transfer }) => transfer),
    gatewayStatus: money.gatewayStatus,
  };
}

/** The same for each share of the received money; null where its worth is not known. */
export function showAllocation(allocation: Allocation | null, currency: string): Allocation | null {
  if (allocation === null) return null;
  const show = (amount: string): string => showAmount(amount, currency);
  return {
    applied: show(allocation.applied),
    kept: show(allocation.kept),
    credited: show(allocation.credited),
    refunded: show(allocation.refunded),
    refunding: show(allocation.refunding),
    unallocated: show(allocation.unallocated),
  };
}

function viewReview({ reasons, openedAt, resolved }: Review): ReviewView {
  const holds = resolved === null && reasons.some(holdsFulfillment);
  const view = { reasons, openedAt, holdsFulfillment: holds };
  if (resolved === null) return view;
  const { at: resolvedAt, decision, actor, note } = resolved;
  return { ...view, resolvedAt, decision, actor, note };
}

function viewRefund(refund: Refund, currency: string): RefundView {
  const { number, status, amount, reason, clause, trackId, txHash, detail, payout, requestedAt } = refund;
  const shown = showAmount(amount, currency);
  return { number, status, amount: shown, currency, reason, clause, trackId, txHash, detail, payout, requestedAt };
}

import type { Instant } from '../kernel/clock.js';
import { decimalsOf, isFiat } from '../kernel/money.js';
import { isReportable, type Payment, type Review } from './payment.js';
import { isFulfillable, labelsOf, progressOf, type Label, type Progress } from './standing.js';
import { Decimal, plain, type PinnedPolicy, type Transfer } from './policy.js';

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
  review: (Review & { holdsFulfillment: boolean }) | null;
  transfers: Omit<Transfer, 'key'>[];
  trackId: string | null;
  paymentUrl: string | null;
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
    trackId: invoice?.trackId ?? null,
    paymentUrl: invoice?.paymentUrl ?? null,
    statusUrl: `${publicUrl}/pay/${terms.statusToken}`,
    createdAt: terms.requestedAt,
    expiresAt: invoice?.expiresAt ?? null,
    paidAt: payment.status === 'paid' ? payment.paidAt : null,
    closedAt: payment.status === 'expired' ? payment.expiredAt : payment.status === 'failed' ? payment.failedAt : null,
    failure: payment.status !== 'failed' ? null : payment.reason === 'refused' ? payment.detail : 'cancelled',
    customerId: terms.customerId,
    description: terms.description,
    email: terms.email,
    returnUrl: terms.returnUrl,
    metadata: terms.metadata,
    policy: terms.policy,
    version,
  };
}

function viewMoney(
  payment: Payment,
): Pick<PaymentView, 'received' | 'delta' | 'review' | 'transfers' | 'gatewayStatus'> {
  const { currency } = payment.terms;
  if (!isReportable(payment)) {
    return { received: showAmount('0', currency), delta: null, review: null, transfers: [], gatewayStatus: null };
  }
  const { money } = payment;
  const holdsFulfillment = money.review !== null && money.review.reasons.some((reason) => reason !== 'overpaid');
  return {
    received: money.received === null ? null : showAmount(money.received, currency),
    delta: money.delta === null ? null : showDelta(money.delta, currency),
    review: money.review && { ...money.review, holdsFulfillment },
    transfers: money.transfers.map(({ key: _, ...transfer }) => transfer),
    gatewayStatus: money.gatewayStatus,
  };
}

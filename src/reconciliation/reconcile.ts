import { addMinutes, addSeconds, msOf, type Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import type { Look } from '../payments/looks.pg.js';
import { lateUntil } from '../payments/standing.js';
import { isReportable, type Payment, type Reportable } from '../payments/payment.js';

/**
 * When the gateway is to be asked about a payment again; null where nothing it could say matters any more. Quick while
 * money is on its way or a deadline is near, slower later, and on until the window for late money has closed.
 */
export function nextLook(payment: Payment, now: Instant): Instant | null {
  if (payment.status === 'created') return addSeconds(now, 15);
  if (!isReportable(payment)) return null;
  if (payment.status === 'paid') {
    if (payment.corroboratedAt === null) return addSeconds(now, corroborationPause(payment.paidAt, now));
    return isUnsettled(payment) && now < lastLookAt(payment)
      ? addSeconds(now, settlingPause(payment.paidAt, now))
      : null;
  }
  if (payment.status === 'pending') return addSeconds(now, pendingPause(payment, now));
  const end = lastLookAt(payment);
  const pause = afterDeadlineMinutes(payment.invoice.expiresAt, now);
  return now < end ? earlier(addMinutes(now, isUnsettled(payment) ? Math.min(pause, 10) : pause), end) : null;
}

/** Whether a look at this time is the last that anybody takes, and something is still open. */
export const isLastLook = (payment: Payment, now: Instant): boolean =>
  isReportable(payment) &&
  (payment.status === 'pending' || (payment.status === 'expired' && isUnsettled(payment))) &&
  now > lastLookAt(payment);

/** Until the window for late money has closed; longer while money that was seen is not confirmed. */
function lastLookAt(payment: Reportable): Instant {
  const end = addMinutes(lateUntil(payment), 5);
  const settlingEnd = addMinutes(payment.invoice.expiresAt, 7 * 24 * 60);
  return payment.status !== 'pending' && isUnsettled(payment) && settlingEnd > end ? settlingEnd : end;
}

function corroborationPause(paidAt: Instant, now: Instant): number {
  const age = (msOf(now) - msOf(paidAt)) / 1000;
  return age < 10 ? 2 : age < 60 ? 5 : age < 900 ? 30 : 600;
}

/** Money that was seen, and that the gateway has not called confirmed when it was asked: nothing of it can be given back yet. */
const isUnsettled = (payment: Reportable): boolean =>
  payment.money.transfers.some(({ status, vouched }) => status !== 'failed' && !vouched);

function settlingPause(paidAt: Instant, now: Instant): number {
  const age = (msOf(now) - msOf(paidAt)) / 1000;
  return age < 600 ? 60 : age < 7200 ? 600 : 21_600;
}

const isMoving = (payment: Reportable): boolean =>
  payment.money.transfers.some((transfer) => transfer.status === 'confirming');

function pendingPause(payment: Extract<Payment, { status: 'pending' }>, now: Instant): number {
  const left = (msOf(payment.invoice.expiresAt) - msOf(now)) / 1000;
  if (isMoving(payment)) return 20;
  if (left > 0) return Math.min(60, Math.max(5, left + 2));
  return left > -600 ? 20 : left > -7200 ? 300 : 3600;
}

const afterDeadlineMinutes = (deadline: Instant, now: Instant): number =>
  msOf(now) - msOf(deadline) < 2 * 3600_000 ? 10 : 360;

const earlier = (a: Instant, b: Instant): Instant => (a < b ? a : b);

/** What one event says about the next look, before anybody has folded the payment: undefined says nothing. */
export function lookAfter({ type, recordedAt }: RecordedEvent): Look | null | undefined {
  const inSeconds = (seconds: number): Look => ({ at: addSeconds(recordedAt, seconds), urgent: false });
  switch (type) {
    case 'PaymentRequested':
    case 'InvoiceRetried':
      return inSeconds(30);
    case 'InvoiceDelayed':
      return inSeconds(10);
    case 'InvoiceOpened':
      return inSeconds(60);
    case 'TransferDetected':
    case 'TransferUpdated':
      return inSeconds(20);
    // What another payment has paid may make some of this one's money too much.
    case 'RemainderSettled':
      return inSeconds(5);
    case 'PaymentPaid':
      return { at: recordedAt, urgent: true };
    case 'InvoiceRefused':
      return null;
    // Money is given back only upon the gateway's own answer.
    case 'PaymentExpired':
      return inSeconds(5);
    case 'PaymentCancelled':
      return inSeconds(600);
    default:
      return undefined;
  }
}

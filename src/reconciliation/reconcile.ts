import { addMinutes, addSeconds, msOf, type Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import type { ClaimedLook, Look } from '../payments/looks.pg.js';
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
    if (payment.corroboratedAt === null && !payment.denied)
      return addSeconds(now, corroborationPause(payment.paidAt, now));
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

/** The gateway may accept a payment by hand, or late, and tell nobody: looks go on so long after every deadline. */
const looksAfterExpiryMinutes = 72 * 60;

/** Until the window for late money has closed, and for 72 hours at least; longer while money that was seen is not confirmed. */
function lastLookAt(payment: Reportable): Instant {
  const { expiresAt } = payment.invoice;
  const windowEnd = addMinutes(lateUntil(payment), 5);
  const least = addMinutes(expiresAt, looksAfterExpiryMinutes);
  const end = windowEnd > least ? windowEnd : least;
  const settlingEnd = addMinutes(expiresAt, 7 * 24 * 60);
  return payment.status !== 'pending' && isUnsettled(payment) && settlingEnd > end ? settlingEnd : end;
}

function corroborationPause(paidAt: Instant, now: Instant): number {
  const age = (msOf(now) - msOf(paidAt)) / 1000;
  return age < 10 ? 2 : age < 60 ? 5 : age < 900 ? 30 : age < 259_200 ? 600 : 21_600;
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
  // Money that is on its way for longer than an hour after the deadline is in no great hurry any more.
  if (isMoving(payment)) return left > -3600 ? 20 : 240;
  if (left > 0) return Math.min(60, Math.max(5, left + 2));
  return left > -600 ? 20 : left > -7200 ? 300 : 3600;
}

const afterDeadlineMinutes = (deadline: Instant, now: Instant): number =>
  msOf(now) - msOf(deadline) < 2 * 3600_000 ? 10 : 360;

const earlier = (a: Instant, b: Instant): Instant => (a < b ? a : b);

/** What one event says about the next look, before anybody has folded the payment: undefined says nothing. */
export function lookAfter({ type, data, recordedAt }: RecordedEvent): Look | null | undefined {
  const inSeconds = (seconds: number): Look => ({ at: addSeconds(recordedAt, seconds), urgent: false });
  switch (type) {
    // The history dates a deposit by its address: such payments are asked for one by one.
    case 'PaymentRequested':
      return { ...inSeconds(30), ...(data['deposit'] ? {} : { createdAt: recordedAt }) };
    case 'InvoiceRetried':
      return inSeconds(30);
    case 'InvoiceDelayed':
      return inSeconds(10);
    case 'InvoiceOpened':
      return { ...inSeconds(60), ...(typeof data['expiresAt'] === 'string' ? { deadline: data['expiresAt'] } : {}) };
    case 'TransferDetected':
    case 'TransferUpdated':
      return inSeconds(20);
    // What another payment has paid may make some of this one's money too much.
    case 'RemainderSettled':
      return inSeconds(5);
    // A callback's claim needs the gateway's own word; an answer of the gateway is that.
    case 'PaymentPaid':
      return data['witness'] === 'poll' ? undefined : { at: recordedAt, urgent: true };
    case 'InvoiceRefused':
      return null;
    // Money is given back only upon the gateway's own answer.
    case 'PaymentExpired':
      return inSeconds(5);
    case 'PaymentCancelled':
      return inSeconds(600);
    default:
      return lookAtAddressAfter(type, inSeconds);
  }
}

/** The same for the address that customers deposit to. */
function lookAtAddressAfter(type: string, inSeconds: (seconds: number) => Look): Look | null | undefined {
  switch (type) {
    case 'DepositAddressRequested':
    case 'DepositAddressRetried':
      return inSeconds(30);
    case 'DepositAddressDelayed':
      return inSeconds(10);
    case 'DepositAddressOpened':
    case 'DepositSeen':
    case 'DepositAddressRevoked':
      return inSeconds(600);
    case 'DepositAddressRefused':
      return null;
    default:
      return undefined;
  }
}

/** Looks at payments that were asked for at about the same time: the history of that span tells of all of them. */
export interface Span {
  from: Instant;
  to: Instant;
  ids: string[];
}

const farApartMs = 3_600_000;
/** The gateway dates an invoice by its own clock, and one that was tried again is younger than its payment. */
const clocksApartMinutes = 5;

/** Where the history is to be read for these looks; those whose age is not known here are in none. */
export function spansOf(looks: readonly ClaimedLook[]): Span[] {
  const dated = looks
    .flatMap(({ id, createdAt }) => (createdAt === null ? [] : [{ id, at: createdAt }]))
    .sort((a, b) => (a.at < b.at ? -1 : 1));
  const groups: { id: string; at: Instant }[][] = [];
  for (const look of dated) {
    const group = groups.at(-1);
    const newest = group?.at(-1);
    if (group && newest && msOf(look.at) - msOf(newest.at) <= farApartMs) group.push(look);
    else groups.push([look]);
  }
  return groups.map((group) => ({
    from: addMinutes(group[0]?.at ?? '', -clocksApartMinutes),
    to: addMinutes(group.at(-1)?.at ?? '', clocksApartMinutes),
    ids: group.map(({ id }) => id),
  }));
}

import { addSeconds, msOf, type Instant } from '../kernel/clock.js';
import type { Payment } from './payment.js';
import { historyLagSeconds, lastAskSeconds, type Refund } from './refund.js';

/*
 * When a refund is taken a step further, and by which step. It follows from the refund and the time alone, so that any
 * process may look at any refund as often as it likes.
 */

/** What to do about a refund now. */
export type RefundStep =
  /** Its next step is not due yet. */
  | { do: 'wait'; seconds: number }
  /** Nobody has tried to send it. */
  | { do: 'send' }
  /** An attempt came to nothing: it is sent again, if the payout history agrees that it was not sent. */
  | { do: 'send_again' }
  /** An answer was lost: only the payout history tells whether it was sent. */
  | { do: 'search' }
  /** The gateway has it, and knows what becomes of it. */
  | { do: 'ask' };

/** An attempt without an outcome has been cut short after this time: no answer of the gateway is waited for so long. */
const abandonedSeconds = 45;
/** How long it is tried, or searched for in vain, before a person is told. */
const patienceSeconds = 24 * 3600;
const firstAskSeconds = 5;

const firstPauseSeconds = 30;
const longestPauseSeconds = 3600;

/** Seconds between the n-th attempt (from 1) and the next: 30 s, doubling up to an hour. */
const pauseAfter = (attempt: number): number =>
  Math.min(firstPauseSeconds * 2 ** Math.min(attempt - 1, 20), longestPauseSeconds);

/** The next step; null where nothing is left to do. */
export function refundStep(refund: Refund, now: Instant): RefundStep | null {
  switch (refund.status) {
    case 'requested':
      return refund.attempt === 0 ? { do: 'send' } : dueAfter(refund, pauseAfter(refund.attempt), now, 'send_again');
    case 'sending':
      return dueAfter(refund, abandonedSeconds, now, 'search');
    case 'unknown':
      return { do: 'search' };
    case 'submitted':
      return dueAfter(refund, firstAskSeconds, now, 'ask');
    case 'confirmed':
    case 'failed':
      return null;
  }
}

function dueAfter(refund: Refund, seconds: number, now: Instant, step: 'send_again' | 'search' | 'ask'): RefundStep {
  const left = seconds - ageOf(refund, now);
  return left > 0 ? { do: 'wait', seconds: left } : { do: step };
}

/** Seconds since the latest attempt began. */
const ageOf = ({ attemptedAt, requestedAt }: Refund, now: Instant): number =>
  (msOf(now) - msOf(attemptedAt ?? requestedAt)) / 1000;

/** Seconds until the next look after one that was made now; null where nothing more is expected. */
export function nextLookSeconds(refund: Refund, now: Instant): number | null {
  const step = refundStep(refund, now);
  if (step === null) return null;
  if (step.do === 'wait') return step.seconds;
  if (step.do === 'send') return 1;
  const age = ageOf(refund, now);
  return step.do === 'ask' && age > lastAskSeconds ? null : gapAt(age);
}

/** Seconds between two looks at a refund whose latest attempt is so many seconds old. */
function gapAt(age: number): number {
  if (age < 60) return 10;
  if (age < historyLagSeconds) return 30;
  if (age < 3600) return 60;
  return age < 24 * 3600 ? 900 : 6 * 3600;
}

/**
 * Whether a refund that was searched for counts as lost: the history was read to its end and can no longer lag, or it
 * could not be read for a day.
 */
export const isLost = (refund: Refund, historyRead: boolean, now: Instant): boolean =>
  ageOf(refund, now) >= (historyRead ? historyLagSeconds : patienceSeconds);

/** Whether a refund that could not be sent has been tried for so long that a person is told. A person's decision begins anew. */
export function isTriedEnough(payment: Payment, refund: Refund, now: Instant): boolean {
  const decidedAt = 'money' in payment ? payment.money.review?.resolved?.at : undefined;
  const since = decidedAt !== undefined && decidedAt > refund.requestedAt ? decidedAt : refund.requestedAt;
  return now > addSeconds(since, patienceSeconds);
}

export const refundsOf = (payment: Payment): readonly Refund[] => ('money' in payment ? payment.money.refunds : []);

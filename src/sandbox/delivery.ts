import { type CallbackFault, heldBackMs } from './faults.js';
import { type Attempt, type Delivery, limits } from './ledger.js';

const minute = 60_000;

/**
 * The gateway's schedule (docs: webhook): at once, then 1 minute, 3 minutes, 30 minutes and 3 hours after the try
 * before. It ends with the first answer 200 whose body is `ok`.
 */
export const retryGapsMs = [0, minute, 3 * minute, 30 * minute, 180 * minute] as const;
export const answerTimeoutMs = 10_000;

/** Whether an answer ends the schedule: exactly `ok` with status 200. */
export const acknowledges = (httpStatus: number, answer: string): boolean => httpStatus === 200 && answer === 'ok';

export interface Message {
  status: string;
  url: string;
  body: string;
  signer: 'merchant' | 'payout';
}

/** Queues a message on whatever it is about. The oldest of too many deliveries is forgotten. */
export function enqueue(
  subject: { trackId: string; deliveries: Delivery[] },
  message: Message,
  fault: CallbackFault,
  nowMs: number,
): Delivery {
  const last = subject.deliveries.at(-1)?.id.split('-').at(-1) ?? '0';
  const delivery: Delivery = {
    ...message,
    id: `${subject.trackId}-${Number(last) + 1}`,
    queuedMs: nowMs,
    tries: 0,
    dueMs: nowMs + (fault.heldBack ? heldBackMs : fault.delayMs),
    attempts: [],
    fault: { duplicate: fault.duplicate, drops: fault.drops },
  };
  subject.deliveries.push(delivery);
  if (subject.deliveries.length > limits.deliveries) subject.deliveries.shift();
  return delivery;
}

/** The delivery to try now, the one due for longest first; undefined where none is. */
export function nextDue(deliveries: readonly Delivery[], nowMs: number): Delivery | undefined {
  let found: Delivery | undefined;
  for (const delivery of deliveries) {
    if (delivery.dueMs === null || delivery.dueMs > nowMs) continue;
    if (!found || delivery.dueMs < (found.dueMs ?? 0)) found = delivery;
  }
  return found;
}

/** Notes the outcome of one try of the schedule (several attempts where a fault doubled it) and when the next is due. */
export function recordTry(delivery: Delivery, attempts: readonly Attempt[]): void {
  // The next try counts from when this one was due, so that moving the clock far makes all the skipped ones due.
  const dueMs = delivery.dueMs ?? delivery.queuedMs;
  delivery.attempts.push(...attempts);
  delivery.attempts.splice(0, delivery.attempts.length - limits.attempts);
  delivery.tries += 1;
  const gap = retryGapsMs[delivery.tries];
  const acknowledged = attempts.some((attempt) => attempt.acknowledged);
  delivery.dueMs = acknowledged || gap === undefined ? null : dueMs + gap;
}

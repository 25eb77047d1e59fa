import { addSeconds, msOf, type Instant } from '../kernel/clock.js';
import { gapSeconds, isExhausted, secondsLeftOf } from './retry-schedule.js';
import { isFinal, type DeliveryOutcome } from './webhook-answer.js';
import type { WebhookType } from './webhook-types.js';

/*
 * What follows from an attempt to deliver a webhook: for the delivery, and for the endpoint. Pure; the outbox writes it.
 */

/** Why nothing is sent to an endpoint any more: it answered 410, or nothing got through for days. */
export type DisabledReason = 'gone' | 'failing';

/** How an endpoint fares. */
export interface EndpointHealth {
  /** Since when every attempt has failed; null while it is well. */
  failingSince: Instant | null;
  /** How many attempts have failed in a row. */
  failures: number;
  /** Until when it is left alone. */
  pausedUntil: Instant | null;
  /** When its owner was told that it fails. */
  warnedAt: Instant | null;
  disabled: DisabledReason | null;
  /** It is back after an outage: what waits there for a later attempt is due at once. */
  recovered: boolean;
}

/** A delivery that one worker has for itself until its lease ends. */
export interface ClaimedDelivery {
  id: string;
  /** The header `webhook-id`. */
  webhookId: string;
  endpointId: string;
  applicationId: string;
  paymentId: string;
  sequence: number;
  type: WebhookType;
  correlationId: string;
  /** When the event was recorded that it tells of. */
  toldAt: Instant;
  /** The exact JSON text. */
  body: string;
  /** The number of the attempt that is to be made now, of all to this endpoint, from 1. */
  attempt: number;
  /** The same since the delivery was last queued: a redelivery begins the schedule anew. */
  roundAttempt: number;
  roundBeganAt: Instant;
  /** Counts the claims of this delivery: whoever comes with an older one writes nothing. */
  lease: number;
  /** Where to; null where the endpoint was removed or disabled, and nothing can be sent. */
  target: { url: string; /** Each signs; newest first. */ secrets: string[] } | null;
  /** The endpoint's, as it was when this was claimed. */
  health: EndpointHealth;
}

/** One attempt as it is kept. */
export interface AttemptRecord {
  at: Instant;
  durationMs: number;
  /** Null where no answer came. */
  status: number | null;
  outcome: DeliveryOutcome;
  /** What is kept of the answer's body; null where there was none. */
  answer: string | null;
}

/** What becomes of a delivery. */
export type DeliveryNext = { status: 'delivered' } | { status: 'dead' } | { status: 'waiting'; dueAt: Instant };

/** A webhook to be sent, before it has its number. */
export interface NewWebhook {
  id: string;
  applicationId: string;
  paymentId: string;
  type: WebhookType;
  correlationId: string;
  createdAt: Instant;
  /** The exact JSON text, given its number among the payment's webhooks. */
  body: (sequence: number) => string;
  /** Whom it goes to; it is numbered and kept where there is nobody, too. */
  endpointIds: readonly string[];
}

/** What happens to an endpoint, in a stream of its own whose id is the endpoint's. */
export type EndpointEvent =
  | {
      type: 'WebhookEndpointFailing';
      data: { endpointId: string; since: Instant; disabledAfter: Instant; at: Instant };
    }
  | { type: 'WebhookEndpointDisabled'; data: { endpointId: string; reason: DisabledReason; at: Instant } }
  | { type: 'WebhookEndpointEnabled'; data: { endpointId: string; at: Instant } };

/** Attempts that may be under way to one endpoint at a time: no more than a fifth of those of one process. */
export const atOncePerEndpoint = 6;

/** From the first failure on an endpoint gets one attempt at a time; from this many in a row on, with pauses between. */
const pausedFrom = 3;
const shortestPauseSeconds = 5;
const longestPauseSeconds = 300;
/** What failed in a shorter outage is back soon by its own schedule; one bad webhook between good ones is no outage. */
const outageSeconds = 60;
const warnAfterSeconds = 2 * 24 * 3600;
const disableAfterSeconds = 5 * 24 * 3600;
const fewestFailures = 10;

export const wellEndpoint: EndpointHealth = {
  failingSince: null,
  failures: 0,
  pausedUntil: null,
  warnedAt: null,
  disabled: null,
  recovered: false,
};

/** What came of an attempt. */
export interface AttemptResult {
  outcome: DeliveryOutcome;
  status: number | null;
  retryAfterSeconds: number | null;
}

/**
 * Whether there is another attempt, and when: after growing gaps, or when the answer asks for it; none after a final
 * answer or three days of at least ten attempts. `chance` in [0, 1) spreads the gaps.
 */
export function nextOf(
  { roundAttempt, roundBeganAt }: Pick<ClaimedDelivery, 'roundAttempt' | 'roundBeganAt'>,
  { outcome, status, retryAfterSeconds }: AttemptResult,
  now: Instant,
  chance: number,
): DeliveryNext {
  if (outcome === 'success') return { status: 'delivered' };
  const age = secondsBetween(roundBeganAt, now);
  if (isFinal(outcome, status) || isExhausted(roundAttempt, age)) return { status: 'dead' };
  const gap = retryAfterSeconds ?? Math.min(gapSeconds(roundAttempt, chance), secondsLeftOf(age));
  return { status: 'waiting', dueAt: addSeconds(now, gap) };
}

/** How the endpoint fares after an attempt. */
export function healthAfter(
  before: EndpointHealth,
  { outcome, status, retryAfterSeconds }: AttemptResult,
  now: Instant,
  chance: number,
): EndpointHealth {
  const failingSince = before.failingSince ?? now;
  const seconds = secondsBetween(failingSince, now);
  if (outcome === 'success') return { ...wellEndpoint, recovered: seconds >= outageSeconds };
  const failures = before.failures + 1;
  const pause = failures < pausedFrom ? 0 : Math.max(pauseSeconds(failures, chance), retryAfterSeconds ?? 0);
  const failing = seconds >= disableAfterSeconds && failures >= fewestFailures;
  return {
    failingSince,
    failures,
    pausedUntil: pause > 0 ? addSeconds(now, Math.min(pause, longestPauseSeconds)) : null,
    warnedAt: before.warnedAt ?? (seconds >= warnAfterSeconds ? now : null),
    disabled: status === 410 ? 'gone' : failing ? 'failing' : null,
    recovered: false,
  };
}

/** What the owner of the endpoint is told: once that it fails, and once that nothing is sent any more. */
export function endpointEvents(
  endpointId: string,
  before: EndpointHealth,
  after: EndpointHealth,
  now: Instant,
): EndpointEvent[] {
  if (after.disabled !== null)
    return [{ type: 'WebhookEndpointDisabled', data: { endpointId, reason: after.disabled, at: now } }];
  const { failingSince: since, warnedAt } = after;
  if (since === null || warnedAt === null || before.warnedAt !== null) return [];
  const disabledAfter = addSeconds(since, disableAfterSeconds);
  return [{ type: 'WebhookEndpointFailing', data: { endpointId, since, disabledAfter, at: now } }];
}

function pauseSeconds(failures: number, chance: number): number {
  const pause = Math.min(shortestPauseSeconds * 2 ** Math.min(failures - pausedFrom, 10), longestPauseSeconds);
  return pause * (0.8 + 0.2 * chance);
}

const secondsBetween = (from: Instant, to: Instant): number => (msOf(to) - msOf(from)) / 1000;

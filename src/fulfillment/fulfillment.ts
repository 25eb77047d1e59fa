import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { Refusal } from '../kernel/refusal.js';

/** What was asked of the application, once per payment. */
export interface FulfillmentRequest {
  paymentId: string;
  /** The webhook's id: the same at every attempt, so that its receiver can tell repeats. */
  messageId: string;
}

export type FulfillmentOutcome = 'fulfilled' | 'rejected';

/** What an application says it has done about a payment. */
export interface FulfillmentReport {
  outcome: FulfillmentOutcome;
  via: 'webhook' | 'api';
  /** The application's own name for the delivery. */
  reference: string | null;
  note: string | null;
}

export type FulfillmentEvent =
  | { type: 'FulfillmentRequested'; data: FulfillmentRequest & { at: Instant } }
  /** The application took note and answers later, by the API. */
  | { type: 'FulfillmentAccepted'; data: { at: Instant } }
  | { type: 'FulfillmentReported'; data: FulfillmentReport & { at: Instant } }
  /** The payment ceased to be good for the goods before the application had answered for good: nothing more is asked of it. */
  | { type: 'FulfillmentStopped'; data: { messageId: string; reason: string; at: Instant } }
  /** The payment is good for the goods again: what was asked is asked on, under the same message id. */
  | { type: 'FulfillmentResumed'; data: { messageId: string; at: Instant } }
  /** No attempt was acknowledged and none is left, or no report followed. A report that comes after all still counts. */
  | { type: 'FulfillmentUnanswered'; data: { at: Instant } };

interface Awaited {
  status: 'requested' | 'accepted' | 'unanswered';
  request: FulfillmentRequest;
  requestedAt: Instant;
}

interface Stopped extends Omit<Awaited, 'status'> {
  status: 'stopped';
  /** Where it goes on when it is resumed. */
  before: Awaited['status'];
  /** Why the payment is not good for the goods any more, as the explanation's code (`blockedBy`). */
  reason: string;
}

interface Reported {
  status: FulfillmentOutcome;
  request: FulfillmentRequest;
  requestedAt: Instant;
  report: FulfillmentReport;
  reportedAt: Instant;
}

/** How far the application is with what was bought; null stands for a payment whose fulfilment was not asked for. */
export type Fulfillment = Awaited | Stopped | Reported;

/** Applies one event. Total: an event that does not fit the state leaves it as it is. */
export function evolveFulfillment(fulfillment: Fulfillment | null, event: FulfillmentEvent): Fulfillment | null {
  if (event.type === 'FulfillmentRequested') return fulfillment ?? requested(event.data);
  if (fulfillment === null || isReported(fulfillment)) return fulfillment;
  switch (event.type) {
    case 'FulfillmentAccepted':
      // The request was under way when it was stopped: its answer counts when it is resumed.
      return isStopped(fulfillment) ? { ...fulfillment, before: 'accepted' } : { ...fulfillment, status: 'accepted' };
    case 'FulfillmentUnanswered':
      return isStopped(fulfillment) ? fulfillment : { ...fulfillment, status: 'unanswered' };
    case 'FulfillmentStopped':
      return isStoppable(fulfillment)
        ? { ...fulfillment, status: 'stopped', before: fulfillment.status, reason: event.data.reason }
        : fulfillment;
    case 'FulfillmentResumed':
      return isStopped(fulfillment) ? resumed(fulfillment) : fulfillment;
    case 'FulfillmentReported': {
      const { at, ...report } = event.data;
      const { request, requestedAt } = fulfillment;
      return { status: report.outcome, request, requestedAt, report, reportedAt: at };
    }
  }
}

const requested = ({ at, ...request }: FulfillmentRequest & { at: Instant }): Fulfillment => ({
  status: 'requested',
  request,
  requestedAt: at,
});

const resumed = ({ request, requestedAt, before }: Stopped): Fulfillment => ({ status: before, request, requestedAt });

const isReported = (fulfillment: Fulfillment): fulfillment is Reported =>
  fulfillment.status === 'fulfilled' || fulfillment.status === 'rejected';

const isStopped = (fulfillment: Fulfillment): fulfillment is Stopped => fulfillment.status === 'stopped';

/** One that was given up too: its webhook could be sent again, and be answered with the goods. */
const isStoppable = (fulfillment: Fulfillment | null): fulfillment is Awaited =>
  fulfillment !== null && !isReported(fulfillment) && !isStopped(fulfillment);

/** Asks the application for the goods. Asked already: nothing. */
export function requestFulfillment(
  fulfillment: Fulfillment | null,
  request: FulfillmentRequest,
  now: Instant,
): FulfillmentEvent[] {
  return fulfillment === null ? [{ type: 'FulfillmentRequested', data: { ...request, at: now } }] : [];
}

/** The payment ceased to be good for the goods, and nobody has delivered yet as far as we know. Otherwise: nothing. */
export const stopFulfillment = (fulfillment: Fulfillment | null, reason: string, now: Instant): FulfillmentEvent[] =>
  isStoppable(fulfillment)
    ? [{ type: 'FulfillmentStopped', data: { messageId: fulfillment.request.messageId, reason, at: now } }]
    : [];

/** The payment is good for the goods again. Unless it was stopped: nothing. */
export const resumeFulfillment = (fulfillment: Fulfillment | null, now: Instant): FulfillmentEvent[] =>
  fulfillment !== null && isStopped(fulfillment)
    ? [{ type: 'FulfillmentResumed', data: { messageId: fulfillment.request.messageId, at: now } }]
    : [];

/** The application took note and will report later. Once it has, or has reported: nothing. */
export function acceptFulfillment(fulfillment: Fulfillment | null, now: Instant): FulfillmentEvent[] {
  const waiting =
    fulfillment?.status === 'requested' ||
    fulfillment?.status === 'unanswered' ||
    (fulfillment?.status === 'stopped' && fulfillment.before !== 'accepted');
  return waiting ? [{ type: 'FulfillmentAccepted', data: { at: now } }] : [];
}

/**
 * The application says what it did. The same outcome again: nothing.
 * Throws `Refusal`: `not_fulfillable` before it was asked, `fulfillment_already_reported` for another outcome.
 */
export function reportFulfillment(
  fulfillment: Fulfillment | null,
  report: FulfillmentReport,
  now: Instant,
): FulfillmentEvent[] {
  if (fulfillment === null) {
    throw new Refusal(
      'not_fulfillable',
      'Fulfilment of this payment was not asked for (yet): it is not complete and confirmed.',
    );
  }
  // Stopped or not: it tells what it has done already.
  if (!isReported(fulfillment)) return [{ type: 'FulfillmentReported', data: { ...report, at: now } }];
  if (fulfillment.status === report.outcome) return [];
  throw new Refusal('fulfillment_already_reported', `This payment was already reported as ${fulfillment.status}.`);
}

/**
 * Nothing is tried any more, or (`accepted`) the time for the report that was promised is over. Where the application
 * has answered otherwise: nothing.
 */
export function giveUpFulfillment(
  fulfillment: Fulfillment | null,
  now: Instant,
  expected: 'requested' | 'accepted' = 'requested',
): FulfillmentEvent[] {
  return fulfillment?.status === expected ? [{ type: 'FulfillmentUnanswered', data: { at: now } }] : [];
}

/** The schema version that this code writes; a later one refuses the stream rather than guess at it. */
export const fulfillmentSchemaVersion = 1;

const fulfillmentEventTypes: ReadonlySet<string> = new Set<FulfillmentEvent['type']>([
  'FulfillmentRequested',
  'FulfillmentAccepted',
  'FulfillmentReported',
  'FulfillmentStopped',
  'FulfillmentResumed',
  'FulfillmentUnanswered',
]);

export const isFulfillmentEvent = (event: Pick<RecordedEvent, 'type'>): boolean =>
  fulfillmentEventTypes.has(event.type);

/** Reads a recorded event as one of ours. Throws where its type or schema version is newer than this code. */
export function readFulfillmentEvent(event: RecordedEvent): FulfillmentEvent {
  if (!isFulfillmentEvent(event) || event.schemaVersion > fulfillmentSchemaVersion) {
    throw new Error(
      `event ${event.type} v${String(event.schemaVersion)} in stream ${event.streamId} is not known to this version of Finality`,
    );
  }
  return { type: event.type, data: event.data } as unknown as FulfillmentEvent;
}

/** Folds a fulfilment's stream, oldest event first; null where it is empty. */
export const foldFulfillment = (events: readonly RecordedEvent[]): Fulfillment | null =>
  events.reduce<Fulfillment | null>(
    (fulfillment, event) => evolveFulfillment(fulfillment, readFulfillmentEvent(event)),
    null,
  );

// Where the version stands in the text of a UUID: `xxxxxxxx-xxxx-Vxxx-…`.
const versionAt = 14;

/**
 * The stream of a payment's fulfilment: the payment's id (UUIDv7) as a UUIDv8, which RFC 9562 leaves to us. So there is
 * exactly one, it needs no directory, and both streams lie side by side in time.
 */
export const fulfillmentStreamOf = (paymentId: string): string => withVersion(paymentId, '7', '8');

/** The payment that a fulfilment's stream belongs to. */
export const paymentOfFulfillment = (streamId: string): string => withVersion(streamId, '8', '7');

function withVersion(id: string, from: string, to: string): string {
  if (id[versionAt] !== from) throw new TypeError(`${id} is not a UUID of version ${from}`);
  return id.slice(0, versionAt) + to + id.slice(versionAt + 1);
}

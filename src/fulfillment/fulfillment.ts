import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { Refusal } from '../kernel/refusal.js';

/** What was asked of the application, once per payment. */
export interface FulfillmentRequest {
  paymentId: string;
  /** The webhook's id: the same at every attempt, so that its receiver can tell repeats. */
  messageId: string;
  /** The webhook's number among those about this payment, from 1. */
  sequence: number;
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
  /** No attempt was acknowledged and none is left. A report that comes after all still counts. */
  | { type: 'FulfillmentUnanswered'; data: { at: Instant } };

interface Awaited {
  status: 'requested' | 'accepted' | 'unanswered';
  request: FulfillmentRequest;
  requestedAt: Instant;
}

interface Reported {
  status: FulfillmentOutcome;
  request: FulfillmentRequest;
  requestedAt: Instant;
  report: FulfillmentReport;
  reportedAt: Instant;
}

/** How far the application is with what was bought; null stands for a payment whose fulfilment was not asked for. */
export type Fulfillment = Awaited | Reported;

/** Applies one event. Total: an event that does not fit the state leaves it as it is. */
export function evolveFulfillment(fulfillment: Fulfillment | null, event: FulfillmentEvent): Fulfillment | null {
  if (event.type === 'FulfillmentRequested') return fulfillment ?? requested(event.data);
  if (!isAwaited(fulfillment)) return fulfillment;
  switch (event.type) {
    case 'FulfillmentAccepted':
      return { ...fulfillment, status: 'accepted' };
    case 'FulfillmentUnanswered':
      return { ...fulfillment, status: 'unanswered' };
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

const isAwaited = (fulfillment: Fulfillment | null): fulfillment is Awaited =>
  fulfillment?.status === 'requested' || fulfillment?.status === 'accepted' || fulfillment?.status === 'unanswered';

/** Asks the application for the goods. Asked already: nothing. */
export function requestFulfillment(
  fulfillment: Fulfillment | null,
  request: FulfillmentRequest,
  now: Instant,
): FulfillmentEvent[] {
  return fulfillment === null ? [{ type: 'FulfillmentRequested', data: { ...request, at: now } }] : [];
}

/** The application took note and will report later. Once it has, or has reported: nothing. */
export function acceptFulfillment(fulfillment: Fulfillment | null, now: Instant): FulfillmentEvent[] {
  const waiting = fulfillment?.status === 'requested' || fulfillment?.status === 'unanswered';
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
  if (isAwaited(fulfillment)) return [{ type: 'FulfillmentReported', data: { ...report, at: now } }];
  if (fulfillment.status === report.outcome) return [];
  throw new Refusal('fulfillment_already_reported', `This payment was already reported as ${fulfillment.status}.`);
}

/** Nothing is tried any more. Where the application has answered in any way: nothing. */
export function giveUpFulfillment(fulfillment: Fulfillment | null, now: Instant): FulfillmentEvent[] {
  return fulfillment?.status === 'requested' ? [{ type: 'FulfillmentUnanswered', data: { at: now } }] : [];
}

/** The schema version that this code writes; a later one refuses the stream rather than guess at it. */
export const fulfillmentSchemaVersion = 1;

const fulfillmentEventTypes: ReadonlySet<string> = new Set<FulfillmentEvent['type']>([
  'FulfillmentRequested',
  'FulfillmentAccepted',
  'FulfillmentReported',
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

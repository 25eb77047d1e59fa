import { readInstant, type Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { Refusal } from '../kernel/refusal.js';
import { foldPayment, readPaymentEvent } from './payment-stream.js';
import type { Payment } from './payment.js';

/*
 * A payment as it was. Two clocks tell two different things: what was known here, by the time at which an event was
 * recorded, and what was true, by the time that the gateway gives for what happened on the chain.
 */

/** A moment of a payment's past: after its first n events, or at a time. */
export type Moment = { version: number } | { time: Instant };

/** Something that had happened by then, of which nothing was known here until later. */
export interface LearnedLater {
  eventId: string;
  version: number;
  type: string;
  /** When it happened, by the gateway's clock. */
  happenedAt: Instant;
  /** When it was recorded here. */
  recordedAt: Instant;
}

/** How the past that an answer tells of relates to what is known now. */
export interface AsOf {
  /** The time that was asked for; that of the last event where a version was. */
  time: Instant;
  /** The events that were known then. */
  version: number;
  /** The events that are known now. */
  newestVersion: number;
  /** What was true then and not known: oldest first. */
  learnedLater: LearnedLater[];
}

/** Reads `asOf`: an event version, or an RFC 3339 time. Null where it is neither. */
export function momentOf(text: string): Moment | null {
  if (/^[1-9]\d{0,8}$/.test(text)) return { version: parseInt(text, 10) };
  const time = readInstant(text);
  return time === null ? null : { time };
}

/** The payment as it was known then. Throws `Refusal('not_found')` where it did not exist yet. */
export function asItWas(
  all: readonly RecordedEvent[],
  moment: Moment,
): { payment: Payment; events: RecordedEvent[]; asOf: AsOf } {
  const isKnown = (event: RecordedEvent): boolean =>
    'version' in moment ? event.version <= moment.version : event.recordedAt <= moment.time;
  // Up to the first that was not: the clocks of those who record may be apart, and no event is without those before it.
  const unknown = all.findIndex((event) => !isKnown(event));
  const events = unknown < 0 ? [...all] : all.slice(0, unknown);
  const last = events.at(-1);
  if (!last) throw new Refusal('not_found', 'The payment did not exist yet then.');
  const time = 'time' in moment ? moment.time : last.recordedAt;
  const asOf = {
    time,
    version: last.version,
    newestVersion: all.at(-1)?.version ?? last.version,
    learnedLater: all.slice(events.length).flatMap((event) => learnedLater(event, time)),
  };
  return { payment: foldPayment(events), events, asOf };
}

/** When something happened by the gateway's clock; null for what has no time but that of its recording. */
export function happenedAt(event: RecordedEvent): Instant | null {
  const read = readPaymentEvent(event);
  // Only the first sight of a transfer is dated by the gateway: it tells no time at which a state changed.
  return read.type === 'TransferDetected' ? read.data.transfer.firstSeenAt : null;
}

function learnedLater(event: RecordedEvent, time: Instant): LearnedLater[] {
  const happened = happenedAt(event);
  if (happened === null || happened > time) return [];
  const { id, version, type, recordedAt } = event;
  return [{ eventId: id, version, type, happenedAt: happened, recordedAt }];
}

import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { announcementsIn } from '../fulfillment/announcements.js';
import { webhookIdOf } from '../fulfillment/webhook-id.js';

/*
 * A payment's life as rows of a table: what was heard, what was decided upon it, and what was told of that, side by side.
 */

/** What of a message places it in time and among events. */
interface Heard {
  id: string;
  receivedAt: Instant;
}

interface Told {
  webhookId: string;
  createdAt: Instant;
}

/** `since`: the version of the payment from which on it was known; 0 before the first event. */
type Dated<T> = T & { since: number };

export interface Row<M, D> {
  /** When the first of it happened here. */
  at: Instant;
  heard: Dated<{ message: M }>[];
  decided: Dated<{ event: RecordedEvent }>[];
  told: Dated<{ delivery: D }>[];
}

interface Life<M, D> {
  paymentId: string;
  events: readonly RecordedEvent[];
  fulfillment: readonly RecordedEvent[];
  messages: readonly M[];
  deliveries: readonly D[];
}

/** The rows, oldest first. What has the same cause stands in one row; what is told stands beside the event that it tells. */
export function timelineRows<M extends Heard, D extends Told>(life: Life<M, D>): Row<M, D>[] {
  const rows: Row<M, D>[] = [];
  const rowOfCause = new Map<string, Row<M, D>>();
  const rowOfEvent = new Map<string, Row<M, D>>();
  const messages = new Map(life.messages.map((message) => [message.id, message]));
  const open = (at: Instant): Row<M, D> => {
    const row: Row<M, D> = { at, heard: [], decided: [], told: [] };
    rows.push(row);
    return row;
  };
  for (const event of [...life.events, ...life.fulfillment].sort((a, b) => a.position - b.position)) {
    const since = versionAt(life.events, event);
    const row = rowFor(event, rows, rowOfCause, rowOfEvent) ?? open(event.recordedAt);
    const message = messages.get(event.causationId);
    if (message && messages.delete(event.causationId)) {
      row.heard.push({ message, since });
      if (message.receivedAt < row.at) row.at = message.receivedAt;
    }
    row.decided.push({ event, since });
    rowOfCause.set(event.causationId, row);
    rowOfEvent.set(event.id, row);
  }
  for (const message of messages.values())
    open(message.receivedAt).heard.push({ message, since: versionWhen(life.events, message.receivedAt) });
  tell(life, rowOfEvent, open);
  return rows.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : orderOf(a) - orderOf(b)));
}

const orderOf = <M, D>({ decided }: Row<M, D>): number => decided[0]?.event.position ?? 0;

/** The row of what has the same cause, and of the event that caused it where nothing else has happened since. */
function rowFor<M, D>(
  event: RecordedEvent,
  rows: readonly Row<M, D>[],
  rowOfCause: ReadonlyMap<string, Row<M, D>>,
  rowOfEvent: ReadonlyMap<string, Row<M, D>>,
): Row<M, D> | undefined {
  const same = rowOfCause.get(event.causationId);
  // A message is applied at once; what else has a cause may follow it hours later, when other things have happened.
  if (same && same.heard.length > 0) return same;
  const before = same ?? rowOfEvent.get(event.causationId);
  return before === rows.at(-1) ? before : undefined;
}

function tell<M, D extends Told>(
  { paymentId, events, fulfillment, deliveries }: Life<M, D>,
  rowOfEvent: ReadonlyMap<string, Row<M, D>>,
  open: (at: Instant) => Row<M, D>,
): void {
  const causes = new Map(
    announcementsIn(events, new Set(events.map(({ id }) => id))).map(({ type, number, eventId }) => [
      webhookIdOf(paymentId, type, number),
      eventId,
    ]),
  );
  const asked = fulfillment.find(({ type }) => type === 'FulfillmentRequested');
  if (asked) causes.set(webhookIdOf(paymentId, 'fulfillment.requested', 1), asked.id);
  const byId = new Map([...events, ...fulfillment].map((event) => [event.id, event]));
  for (const delivery of deliveries) {
    const cause = byId.get(causes.get(delivery.webhookId) ?? '');
    const row = cause && rowOfEvent.get(cause.id);
    const since = cause ? versionAt(events, cause) : versionWhen(events, delivery.createdAt);
    (row ?? open(delivery.createdAt)).told.push({ delivery, since });
  }
}

/** The payment's version once this event was there. */
const versionAt = (events: readonly RecordedEvent[], event: RecordedEvent): number =>
  events.findLast(({ position }) => position <= event.position)?.version ?? 0;

/** The payment's version at a time. */
const versionWhen = (events: readonly RecordedEvent[], at: Instant): number =>
  events.findLast(({ recordedAt }) => recordedAt <= at)?.version ?? 0;

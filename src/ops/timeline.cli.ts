import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { fulfillmentStreamOf } from '../fulfillment/fulfillment.js';
import type { Report } from './command.cli.js';
import type { Workspace } from './workspace.pg.js';

/** One line of a payment's history. */
interface Entry {
  at: Instant;
  kind: 'event' | 'evidence' | 'delivery';
  what: string;
  detail: string;
  id: string;
}

interface Attempt {
  message_id: string;
  attempted_at: Instant;
  attempt: number;
  type: string;
  outcome: string;
  status: number | null;
}

/** A payment's events, the evidence that was received about it, and the deliveries it caused, oldest first. */
export async function timeline(workspace: Workspace, id: string): Promise<Report> {
  const { events } = await workspace.payment(id);
  const fulfillment = await workspace.store.read(fulfillmentStreamOf(id));
  const messages = await workspace.store.messagesOf(id);
  const { rows } = await workspace.pool.query<Attempt>(
    'select message_id, attempted_at, attempt, type, outcome, status from webhook_attempt where payment_id = $1 order by attempted_at limit 500',
    [id],
  );
  const entries: Entry[] = [
    ...[...events, ...fulfillment.events].map(eventEntry),
    ...messages.map(({ id: messageId, receivedAt, source, receipts, status }): Entry => ({
      at: receivedAt,
      kind: 'evidence',
      what: source,
      detail: receipts > 1 ? `${status}, received ${String(receipts)} times` : status,
      id: messageId,
    })),
    ...rows.map(({ message_id, attempted_at, attempt, type, outcome, status }): Entry => ({
      at: attempted_at,
      kind: 'delivery',
      what: type,
      detail: `attempt ${String(attempt)}: ${outcome}${status === null ? '' : ` (${String(status)})`}`,
      id: message_id,
    })),
  ];
  entries.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : rank[a.kind] - rank[b.kind]));
  const text = entries
    .map(({ at, kind, what, detail }) => `${at}  ${kind.padEnd(9)} ${what.padEnd(22)} ${detail}`)
    .join('\n');
  return { ok: true, json: entries, text };
}

const rank = { evidence: 0, event: 1, delivery: 2 } as const;

const eventEntry = (event: RecordedEvent): Entry => ({
  at: event.recordedAt,
  kind: 'event',
  what: event.type,
  detail: `v${String(event.version)} by ${event.actor}: ${summary(event)}`,
  id: event.id,
});

/** The event's data on one line; control characters cannot reach the terminal, for JSON escapes them. */
const summary = (event: RecordedEvent): string => {
  const text = JSON.stringify(event.data);
  return text.length > 160 ? `${text.slice(0, 159)}…` : text;
};

import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { WebhookDeliveries, type Delivery } from '../fulfillment/webhook-deliveries.pg.js';
import type { StoredMessage } from '../platform/event-store/event-store.pg.js';
import type { Report } from './command.cli.js';
import { readRecord } from './timeline-reader.pg.js';
import type { Workspace } from './workspace.pg.js';

/** One line of a payment's history. */
interface Entry {
  at: Instant;
  kind: 'event' | 'evidence' | 'delivery';
  what: string;
  detail: string;
  id: string;
}

/** A payment's events, the evidence that was received about it, and the deliveries it caused, oldest first. */
export async function timeline(workspace: Workspace, id: string): Promise<Report> {
  const { pool, store, clock } = workspace;
  const deliveries = new WebhookDeliveries(pool, clock);
  const record = await readRecord({ pool, store, deliveries }, await workspace.payment(id));
  const entries: Entry[] = [
    ...[...record.loaded.events, ...record.fulfillment].map(eventEntry),
    ...[...record.messages, ...record.waiting].map(evidenceEntry),
    ...record.deliveries.flatMap(attemptEntries),
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

const evidenceEntry = ({ id, receivedAt, source, receipts, status, reason }: StoredMessage): Entry => ({
  at: receivedAt,
  kind: 'evidence',
  what: source,
  detail: `${status}${reason === null ? '' : ` (${reason})`}${receipts > 1 ? `, received ${String(receipts)} times` : ''}`,
  id,
});

const attemptEntries = ({ webhookId, type, attempts }: Delivery): Entry[] =>
  attempts.map(({ at, attempt, outcome, status }) => ({
    at,
    kind: 'delivery',
    what: type,
    detail: `attempt ${String(attempt)}: ${outcome}${status === null ? '' : ` (${String(status)})`}`,
    id: webhookId,
  }));

/** The event's data on one line; control characters cannot reach the terminal, for JSON escapes them. */
const summary = (event: RecordedEvent): string => {
  const text = JSON.stringify(event.data);
  return text.length > 160 ? `${text.slice(0, 159)}…` : text;
};

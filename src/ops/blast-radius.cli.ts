import type { Pool } from 'pg';
import type { RecordedEvent } from '../kernel/event.js';
import { createPool } from '../platform/database/database.pg.js';
import { readCheckpoint } from '../platform/subscriptions/checkpoint.pg.js';
import { scanStreams } from '../platform/event-store/stream-scan.pg.js';
import { Decimal } from '../payments/decimal.js';
import { differences, outcomeOf, type Outcome } from '../payments/outcome.js';
import { fold, firstPaymentEvent } from '../payments/payment-stream.js';
import { redecide } from '../payments/redecide.js';
import { momentsOf } from '../payments/what-if.js';
import { counted, printable, printableJson, type Report, type Terminal } from './command.cli.js';
import type { Workspace } from './workspace.pg.js';

/** Where this code and what is stored part: at the read model's row, or at what was decided. */
interface Difference {
  /** `read_model`: the row tells something else than the events do. `decision`: the same facts would be decided otherwise. `unreadable`: the events cannot be read. */
  kind: 'read_model' | 'decision' | 'unreadable';
  field: string;
  stored: unknown;
  wouldBe: unknown;
}

interface Affected {
  paymentId: string;
  orderId: string;
  status: string;
  differences: Difference[];
}

/** What the read model stores of a payment that lists and searches go by. */
interface Row {
  payment_id: string;
  version: number;
  status: string;
  labels: string[];
  fulfillable: boolean;
  received: string | null;
  review: string;
}

const rowsText = `select payment_id, version, status, labels, fulfillable, received::text as received, review
  from payment_view where payment_id = any($1::uuid[])`;

/**
 * Lists every payment whose state would be another by this code than the one that is stored, before anything is
 * written: its read model's row against its own events, and what was decided against what this code decides from the
 * same facts. Reads only; the running service may be of another release.
 */
export async function blastRadius(
  workspace: Workspace,
  terminal: Terminal,
  { json = false }: { json?: boolean },
): Promise<Report> {
  const pool = createPool(workspace.databaseUrl, { max: 2, statementTimeoutMs: 60_000 });
  const progress = terminal.progress('diff', 'payments');
  const total = await estimatedPayments(pool);
  // What the read model has applied before anything is read has a row by then.
  const { position: applied } = await readCheckpoint(pool, 'orders');
  const sums = { payments: 0, differing: 0, byField: new Map<string, number>() };
  if (json) await terminal.write('{"differing":[');
  try {
    for await (const { streams } of scanStreams(pool, { beginsWith: firstPaymentEvent, signal: terminal.signal })) {
      const rows = await rowsOf(pool, streams);
      for (const events of streams) {
        const affected = affectedBy(events, rows.get(events[0]?.streamId ?? ''), applied);
        sums.payments++;
        if (affected === null) continue;
        for (const { kind, field } of affected.differences) count(sums.byField, `${kind} ${field}`);
        await terminal.write(json ? `${sums.differing > 0 ? ',' : ''}\n${printableJson(affected)}` : lineOf(affected));
        sums.differing++;
      }
      progress.update(sums.payments, Math.max(total, sums.payments));
    }
  } finally {
    progress.end();
    await pool.end();
  }
  const { payments, differing } = sums;
  const byField = Object.fromEntries([...sums.byField].sort(([a], [b]) => (a < b ? -1 : 1)));
  await terminal.write(
    json
      ? `\n],"payments":${String(payments)},"count":${String(differing)},"byField":${printableJson(byField)}}\n`
      : summary(payments, differing, byField),
  );
  return { ok: differing === 0, streamed: true };
}

const count = (counts: Map<string, number>, key: string): void => {
  counts.set(key, (counts.get(key) ?? 0) + 1);
};

async function rowsOf(pool: Pool, streams: readonly RecordedEvent[][]): Promise<Map<string, Row>> {
  const ids = streams.map(([first]) => first?.streamId);
  const { rows } = await pool.query<Row>({ name: 'blast-radius-rows', text: rowsText, values: [ids] });
  return new Map(rows.map((row) => [row.payment_id, row]));
}

function affectedBy(events: readonly RecordedEvent[], row: Row | undefined, applied: number): Affected | null {
  const [first] = events;
  const orderId = typeof first?.data['orderId'] === 'string' ? first.data['orderId'] : '';
  const of = (status: string, found: Difference[]): Affected | null =>
    found.length > 0 ? { paymentId: first?.streamId ?? '', orderId, status, differences: found } : null;
  try {
    const payment = fold(events);
    if (payment === null) return null;
    const recorded = outcomeOf(payment);
    const decided = betweenOutcomes(recorded, outcomeOf(redecide(momentsOf(events), null)));
    return of(payment.status, [...(row ? againstRow(events, row) : lostRow(events, applied)), ...decided]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return of(row?.status ?? 'unknown', [
      { kind: 'unreadable', field: 'events', stored: events.length, wouldBe: reason },
    ]);
  }
}

const betweenOutcomes = (recorded: Outcome, anew: Outcome): Difference[] =>
  differences(recorded, anew).map((field) => ({
    kind: 'decision',
    field,
    stored: recorded[field],
    wouldBe: anew[field],
  }));

/**
 * The row is held against the events that it was made of; one that has moved on since the events were read is ahead, and
 * not wrong.
 */
function againstRow(events: readonly RecordedEvent[], row: Row): Difference[] {
  if (row.version > events.length) return [];
  const payment = fold(events.filter(({ version }) => version <= row.version));
  if (payment === null) return [];
  const { status, labels, fulfillable, received } = outcomeOf(payment);
  const reviewed = 'money' in payment ? payment.money.review : null;
  const review = reviewed === null ? 'none' : reviewed.resolved === null ? 'open' : 'resolved';
  const fields: [string, unknown, unknown, boolean][] = [
    ['status', row.status, status, row.status === status],
    ['labels', row.labels, labels, row.labels.join() === labels.join()],
    ['fulfillable', row.fulfillable, fulfillable, row.fulfillable === fulfillable],
    ['received', row.received, received, sameAmount(row.received, received)],
    ['review', row.review, review, row.review === review],
  ];
  return fields.flatMap(([field, stored, wouldBe, same]) =>
    same ? [] : [{ kind: 'read_model' as const, field, stored, wouldBe }],
  );
}

/** A payment that the read model has passed has a row; one that it has not reached yet is behind, and not wrong. */
const lostRow = ([first]: readonly RecordedEvent[], applied: number): Difference[] =>
  first && first.position <= applied ? [{ kind: 'read_model', field: 'row', stored: null, wouldBe: 'a row' }] : [];

const sameAmount = (a: string | null, b: string | null): boolean =>
  a === null || b === null ? a === b : new Decimal(a).eq(b);

const lineOf = ({ paymentId, orderId, status, differences: found }: Affected): string =>
  printable(
    `${paymentId}  ${orderId}  ${status}\n${found
      .map(
        ({ kind, field, stored, wouldBe }) =>
          `  ${kind} ${field}: ${JSON.stringify(stored)} → ${JSON.stringify(wouldBe)}`,
      )
      .join('\n')}\n`,
  );

function summary(payments: number, differing: number, byField: Readonly<Record<string, number>>): string {
  if (differing === 0) return `${counted(payments)} payments: each stands by this code as it is stored.\n`;
  const lines = Object.entries(byField).map(([what, n]) => `  ${what}: ${counted(n)}`);
  const advice = [
    ...(Object.keys(byField).some((key) => key.startsWith('read_model'))
      ? ['  read_model: `finality replay --projection orders` would write these rows anew.']
      : []),
    ...(Object.keys(byField).some((key) => key.startsWith('decision'))
      ? ['  decision: nothing that was recorded changes; these would be decided otherwise if they came again.']
      : []),
  ];
  return `${[`${counted(differing)} of ${counted(payments)} payments would stand differently by this code:`, ...lines, ...advice].join('\n')}\n`;
}

async function estimatedPayments(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `select greatest(reltuples, 0)::bigint as n from pg_class where oid = 'payment_view'::regclass`,
  );
  return rows[0]?.n ?? 0;
}

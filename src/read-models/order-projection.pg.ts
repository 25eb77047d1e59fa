import type { PoolClient } from 'pg';
import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import {
  evolveFulfillment,
  fulfillmentStreamOf,
  isFulfillmentEvent,
  paymentOfFulfillment,
  readFulfillmentEvent,
  type Fulfillment,
} from '../fulfillment/fulfillment.js';
import { evolve, type Payment } from '../payments/payment.js';
import { firstPaymentEvent, isPaymentEvent, readPaymentEvent } from '../payments/payment-stream.js';
import { isFulfillable, labelsOf } from '../payments/standing.js';
import { jsonLines, plainArray, textArray } from '../platform/event-store/array-literal.js';
import type { Projection, ProjectionParts } from '../platform/subscriptions/projection.js';
import { orderOf, type OrderRow } from './order.js';

/** One payment in the read model: its folded state, and the columns that lists are filtered by. */
interface Entry {
  payment: Payment | null;
  fulfillment: Fulfillment | null;
  version: number;
}

/** The order read model: payments and orders, for lists and search. */
export class OrderProjection implements Projection {
  readonly kind = 'projection';
  readonly name = 'orders';
  readonly tables = ['payment_view', 'order_view'] as const;
  readonly lookups = ['payment_view_order'];

  /** `kept`: payments as they were last written, for who alone writes them; null: they are read each time. */
  constructor(private readonly kept: Map<string, Entry> | null = null) {}

  alone(): Projection {
    return new OrderProjection(new Map());
  }

  async apply(tx: PoolClient, events: readonly RecordedEvent[]): Promise<void> {
    const ids = [...new Set(events.map(subjectOf))].filter((id) => id !== null);
    if (ids.length === 0) return;
    const entries = await this.load(tx, ids, events);
    for (const event of events) applyEvent(entries, event);
    this.keep(entries);
    const payments = [...entries.values()].filter(
      (entry): entry is Entry & { payment: Payment } => entry.payment !== null,
    );
    await savePayments(tx, payments);
    await saveOrders(
      tx,
      payments.map(({ payment }) => payment.terms),
    );
  }

  /** What is kept is not asked for, nor is what begins on this page. */
  private async load(
    tx: PoolClient,
    ids: readonly string[],
    events: readonly RecordedEvent[],
  ): Promise<Map<string, Entry>> {
    const { kept } = this;
    if (kept === null) return load(tx, ids);
    const begun = new Set(events.filter(({ type }) => type === firstPaymentEvent).map(({ streamId }) => streamId));
    const entries = await load(
      tx,
      ids.filter((id) => !kept.has(id) && !begun.has(id)),
    );
    for (const id of ids) {
      const entry = kept.get(id);
      if (entry) entries.set(id, entry);
    }
    return entries;
  }

  private keep(entries: ReadonlyMap<string, Entry>): void {
    if (this.kept === null) return;
    for (const [id, entry] of entries) {
      this.kept.delete(id);
      this.kept.set(id, entry);
    }
    for (const id of this.kept.keys()) {
      if (this.kept.size <= mostKept) return;
      this.kept.delete(id);
    }
  }

  async reset(tx: PoolClient): Promise<void> {
    await tx.query('truncate payment_view, order_view');
  }

  /** A payment follows from its own stream and its fulfilment's; an order from the rows of its payments. */
  readonly parts: ProjectionParts = {
    streamsOf: (event) => {
      const id = subjectOf(event);
      return id === null ? [] : [id, fulfillmentStreamOf(id)];
    },
    forget: async (tx, streamIds) => {
      const { rows } = await tx.query<{ applicationId: string; orderId: string }>(
        `delete from payment_view where payment_id = any($1::uuid[])
         returning application_id as "applicationId", order_id as "orderId"`,
        [streamIds],
      );
      await tx.query(
        `delete from order_view o using unnest($1::uuid[], $2::text[]) as gone (application_id, order_id)
         where o.application_id = gone.application_id and o.order_id = gone.order_id`,
        [rows.map((row) => row.applicationId), rows.map((row) => row.orderId)],
      );
      // Of an order's other payments, which may stay as they are.
      await saveOrders(tx, rows);
    },
  };
}

/** Payments that a rebuild keeps, some kilobytes each: those that the next pages are likely to go on with. */
const mostKept = 10_000;

/** The payment that an event is about; null for events of other kinds. */
function subjectOf(event: RecordedEvent): string | null {
  if (isPaymentEvent(event)) return event.streamId;
  return isFulfillmentEvent(event) ? paymentOfFulfillment(event.streamId) : null;
}

function applyEvent(entries: Map<string, Entry>, event: RecordedEvent): void {
  const id = subjectOf(event);
  if (id === null) return;
  const entry = entries.get(id) ?? { payment: null, fulfillment: null, version: 0 };
  entries.set(id, entry);
  if (isFulfillmentEvent(event)) {
    entry.fulfillment = evolveFulfillment(entry.fulfillment, readFulfillmentEvent(event));
  } else if (event.version > entry.version) {
    entry.payment = evolve(entry.payment, readPaymentEvent(event));
    entry.version = event.version;
  }
}

interface Stored {
  payment_id: string;
  version: number;
  state: { payment: Payment; fulfillment: Fulfillment | null };
}

async function load(tx: PoolClient, ids: readonly string[]): Promise<Map<string, Entry>> {
  if (ids.length === 0) return new Map();
  const { rows } = await tx.query<Stored>({
    name: 'orders-load',
    text: 'select payment_id, version, state from payment_view where payment_id = any($1::uuid[])',
    values: [ids],
  });
  return new Map(rows.map(({ payment_id, version, state }) => [payment_id, { ...state, version }]));
}

const upsertPayments = `
insert into payment_view (payment_id, application_id, order_id, status, labels, track_id, customer_id, email, amount, currency,
  received, fulfillable, fulfillment, created_at, version, state, review, remainder_of, credit, paid_at, first_seen_at)
select payment_id, application_id, order_id, status, string_to_array(labels, ','), track_id, customer_id, email, amount, currency,
  received, fulfillable, fulfillment, created_at, version, state, review, remainder_of, credit, paid_at, first_seen_at
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::numeric[], $10::text[],
  $11::numeric[], $12::boolean[], $13::text[], $14::timestamptz[], $15::integer[],
  string_to_array($16, chr(10), '')::json[],
  $17::text[], $18::uuid[], $19::numeric[], $20::timestamptz[], $21::timestamptz[])
  as t (payment_id, application_id, order_id, status, labels, track_id, customer_id, email, amount, currency, received, fulfillable,
    fulfillment, created_at, version, state, review, remainder_of, credit, paid_at, first_seen_at)
on conflict (payment_id) do update set status = excluded.status, labels = excluded.labels, track_id = excluded.track_id,
  received = excluded.received, fulfillable = excluded.fulfillable, fulfillment = excluded.fulfillment, version = excluded.version,
  state = excluded.state, review = excluded.review, credit = excluded.credit, paid_at = excluded.paid_at,
  first_seen_at = excluded.first_seen_at
where excluded.version >= payment_view.version`;

async function savePayments(tx: PoolClient, entries: readonly (Entry & { payment: Payment })[]): Promise<void> {
  type Of<T> = (entry: Entry & { payment: Payment }) => T;
  const plain = (pick: Of<string | number | null>): string => plainArray(entries.map(pick));
  // A field that came later is missing in older events.
  const text = (pick: Of<string | null | undefined>): string => textArray(entries.map((entry) => pick(entry) ?? null));
  const values = [
    plain(({ payment }) => payment.terms.id),
    plain(({ payment }) => payment.terms.applicationId),
    text(({ payment }) => payment.terms.orderId),
    plain(({ payment }) => payment.status),
    text(({ payment }) => labelsOf(payment).join(',')),
    text(({ payment }) => ('invoice' in payment ? (payment.invoice?.trackId ?? null) : null)),
    text(({ payment }) => payment.terms.customerId),
    text(({ payment }) => payment.terms.email),
    plain(({ payment }) => payment.terms.amount),
    plain(({ payment }) => payment.terms.currency),
    plain(({ payment }) => ('money' in payment ? payment.money.received : '0')),
    plain(({ payment }) => String(isFulfillable(payment))),
    plain(({ fulfillment }) => fulfillment?.status ?? 'none'),
    plain(({ payment }) => payment.terms.requestedAt),
    plain(({ version }) => version),
    jsonLines(entries.map(({ payment, fulfillment }) => JSON.stringify({ payment, fulfillment }))),
    plain(({ payment }) => reviewOf(payment)),
    plain(({ payment }) => payment.terms.remainderOf ?? null),
    plain(({ payment }) => ('credit' in payment ? (payment.credit ?? '0') : '0')),
    plain(({ payment }) => (payment.status === 'paid' ? payment.paidAt : null)),
    plain(({ payment }) => firstSeenOf(payment)),
  ];
  await tx.query({ name: 'orders-save-payments', text: upsertPayments, values });
}

/** When its first money was seen; null where there was none. */
const firstSeenOf = (payment: Payment): Instant | null =>
  'money' in payment ? (payment.money.transfers.map(({ firstSeenAt }) => firstSeenAt).sort()[0] ?? null) : null;

const reviewOf = (payment: Payment): 'none' | 'open' | 'resolved' => {
  const review = 'money' in payment ? payment.money.review : null;
  return review === null ? 'none' : review.resolved === null ? 'open' : 'resolved';
};

const upsertOrders = `
insert into order_view (application_id, order_id, status, complete, fulfillment, due, currency, received, payments, first_payment_id, created_at, credit)
select application_id, order_id, status, complete, fulfillment, due, currency, received, string_to_array(payments, ',')::uuid[],
  first_payment_id, created_at, credit
from unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::text[], $6::numeric[], $7::text[], $8::numeric[], $9::text[],
  $10::uuid[], $11::timestamptz[], $12::numeric[])
  as t (application_id, order_id, status, complete, fulfillment, due, currency, received, payments, first_payment_id, created_at, credit)
on conflict (application_id, order_id) do update set status = excluded.status, complete = excluded.complete,
  fulfillment = excluded.fulfillment, due = excluded.due, currency = excluded.currency, received = excluded.received,
  payments = excluded.payments, first_payment_id = excluded.first_payment_id, created_at = excluded.created_at, credit = excluded.credit`;

/** Recomputes these orders from all their payments; one that has none is not made. */
async function saveOrders(
  tx: PoolClient,
  terms: readonly Pick<Payment['terms'], 'applicationId' | 'orderId'>[],
): Promise<void> {
  const { rows } = await tx.query<OrderRow & { application_id: string; order_id: string }>({
    name: 'orders-of-payments',
    text: `select p.application_id, p.order_id, p.payment_id, p.status, p.fulfillable, p.fulfillment, p.amount, p.currency, p.received, p.created_at, p.credit, p.remainder_of
     from (select distinct * from unnest($1::uuid[], $2::text[])) o (application_id, order_id)
     join payment_view p using (application_id, order_id) order by p.payment_id`,
    values: [terms.map((term) => term.applicationId), terms.map((term) => term.orderId)],
  });
  const groups = new Map<string, typeof rows>();
  for (const row of rows) {
    const key = JSON.stringify([row.application_id, row.order_id]);
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  const orders = [...groups.values()].flatMap((group) => {
    const [first] = group;
    return first ? [{ ...orderOf(group), applicationId: first.application_id, orderId: first.order_id, first }] : [];
  });
  type Order = (typeof orders)[number];
  const plain = (pick: (order: Order) => string | null): string => plainArray(orders.map(pick));
  const text = (pick: (order: Order) => string): string => textArray(orders.map(pick));
  const values = [
    plain((order) => order.applicationId),
    text((order) => order.orderId),
    plain((order) => order.status),
    plain((order) => String(order.complete)),
    plain((order) => order.fulfillment),
    plain((order) => order.due),
    plain((order) => order.currency),
    plain((order) => order.received),
    text((order) => order.payments.join(',')),
    plain((order) => order.first.payment_id),
    plain((order) => order.first.created_at),
    plain((order) => order.credit),
  ];
  await tx.query({ name: 'orders-save', text: upsertOrders, values });
}

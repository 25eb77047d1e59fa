import type { ClientBase } from 'pg';
import { msOf, type Instant } from '../kernel/clock.js';
import { callbackSource } from '../payments/evidence.js';
import { ranges, type Window } from './dashboard-window.js';

/** How many of something there were: in a bucket of the window, or in all of the time before it (-1). */
export interface Count {
  bucket: number;
  count: number;
}

/** How long something took, by bins of a logarithmic scale; see `dashboard-bins.ts`. */
export interface Timing extends Count {
  bin: number;
}

/** What the database says about a window, over all processes. */
export interface Numbers {
  payments: (Count & { currency: string; outcome: 'paid' | 'open' | 'short' | 'expired' | 'failed' })[];
  labels: (Count & { label: string })[];
  /** From the request, and from the first sight of money. */
  paid: (Timing & { measure: 'created' | 'detected' })[];
  callbacks: (Count & { result: string; reason: string; repeats: number })[];
  /** From receipt to commit, seconds, of the newest; null where there is none. */
  callbackLag: { sampled: number; p50: number | null; p99: number | null };
  attempts: (Count & { outcome: string; again: boolean })[];
  delivered: Timing[];
  /** Deliveries that were given up, by how the last attempt ended. */
  dead: (Count & { reason: string })[];
  troubles: (Count & { stage: string; cause: string })[];
}

/** As many callbacks are looked at for how long they took. */
export const sampledCallbacks = 1000;

// $1 and $2: the time before; $3 and $4: the window; $5: seconds of a bucket; $6: the application, or null for all.
const within = (at: string): string => `((${at} >= $3 and ${at} < $4) or (${at} >= $1 and ${at} < $2))`;
// Not `extract`, which reckons in numerics, row by row.
const bucket = (at: string): string =>
  `case when ${at} >= $3 then date_bin(make_interval(secs => $5), ${at}, $3) end as start`;
const own = (column: string): string => `($6::uuid is null or ${column} = $6)`;
/** The logarithm of 1.1, and a hundredth of a second as the least: what `dashboard-bins.ts` reads. */
const bin = (time: string): string =>
  `floor(ln(greatest(date_part('epoch', ${time}), 0.01)) / 0.0953101798043249)::int`;

// Times are of no bucket: of the window, and of the time before.
const paymentsText = `with found as materialized (
    select ${bucket('created_at')}, currency, labels, created_at, paid_at, first_seen_at,
      case status when 'created' then 'open' when 'pending' then 'open'
        when 'expired' then case when received is null or received > 0 then 'short' else 'expired' end
        else status end as outcome
    from payment_view where created_at >= $1 and ${within('created_at')} and ${own('application_id')}),
  timed as (select case when start is null then null else $3::timestamptz end as start,
      ${bin('paid_at - created_at')} as created, ${bin('paid_at - first_seen_at')} as detected
    from found where paid_at is not null)
  select 'payments' as about, start, currency as name, outcome as kind, count(*)::int as count from found group by 2, 3, 4
  union all
  select 'labels', case when start is null then null else $3::timestamptz end, label, '', count(*)::int
    from found cross join unnest(labels) label group by 2, 3
  union all
  select 'created', start, '', created::text, count(*)::int from timed group by start, created
  union all
  select 'detected', start, '', detected::text, count(*)::int from timed where detected is not null group by start, detected`;

const ofApplication = (column: string): string =>
  `($6::uuid is null or ${column} in (select payment_id from payment_view where application_id = $6))`;

const callbacksText = `select ${bucket('received_at')}, status as result, coalesce(reason, 'none') as reason,
    count(*)::int as count, sum(receipts - 1)::int as repeats
  from inbox where source = '${callbackSource}' and received_at >= $1 and ${within('received_at')} and ${ofApplication('stream_id')}
  group by 1, 2, 3`;

// What was turned away belongs to nobody.
const rejectionsText = `select ${bucket('hour')}, 'rejected' as result, reason, sum(count)::int as count, 0 as repeats
  from callback_rejection where hour >= $1 and ${within('hour')} and $6::uuid is null group by 1, 3`;

const lagText = `select count(*)::int as sampled, percentile_disc(0.5) within group (order by lag) as p50,
    percentile_disc(0.99) within group (order by lag) as p99
  from (select stream_id, id, received_at from inbox where source = '${callbackSource}' and status = 'applied'
      and received_at >= $1 and received_at < $2 and ($3::uuid is null or stream_id in
        (select payment_id from payment_view where application_id = $3))
      order by received_at desc limit ${String(sampledCallbacks)}) i
  cross join lateral (select greatest(extract(epoch from e.recorded_at - i.received_at), 0)::float8 as lag from event e
      where e.stream_id = i.stream_id and e.causation_id = i.id order by e.version limit 1) e`;

const attemptsText = `select ${bucket('attempted_at')}, outcome, attempt > 1 as again, count(*)::int as count
  from webhook_attempt where application_id in (select id from application where ${own('id')})
    and attempted_at >= $1 and ${within('attempted_at')} group by 1, 2, 3`;

const deliveredText = `select ${bucket('ended_at')}, ${bin('ended_at - created_at')} as bin, count(*)::int as count
  from webhook_delivery where status = 'delivered' and ended_at >= $1 and ${within('ended_at')} and ${own('application_id')}
  group by 1, 2`;

const deadText = `select ${bucket('d.ended_at')}, coalesce(a.outcome, 'never_attempted') as reason, count(*)::int as count
  from webhook_delivery d left join lateral (select outcome from webhook_attempt a
      where a.message_id = d.webhook_id and a.endpoint_id = d.endpoint_id order by attempt desc limit 1) a on true
  where d.status = 'dead' and d.ended_at >= $1 and ${within('d.ended_at')} and ${own('d.application_id')} group by 1, 2`;

// The condition is that of the index `event_of_trouble`, word by word.
const troublesText = `select ${bucket('recorded_at')}, stage, cause, count(*)::int as count
  from (select recorded_at, case type when 'InvoiceRefused' then 'create' when 'InvoiceDelayed' then 'create'
        when 'ContradictionFound' then 'decide' when 'ReviewOpened' then 'decide'
        when 'CorroborationDelayed' then 'confirm' when 'CorroborationWaived' then 'confirm'
        when 'RefundFailed' then 'refund' when 'RefundDelayed' then 'refund' else 'fulfill' end as stage,
      case type when 'InvoiceRefused' then 'refused' when 'InvoiceDelayed' then data ->> 'outcome'
        when 'ContradictionFound' then data ->> 'kind'
        when 'ReviewOpened' then 'review: ' || coalesce(data -> 'reasons' ->> 0, 'none')
        when 'CorroborationDelayed' then data ->> 'reason' when 'CorroborationWaived' then 'waived'
        when 'RefundFailed' then 'failed' when 'RefundDelayed' then data ->> 'outcome'
        when 'FulfillmentUnanswered' then 'unanswered' when 'FulfillmentStopped' then 'stopped' else 'rejected' end as cause
    from event where (type in ('InvoiceRefused', 'InvoiceDelayed', 'ContradictionFound',
      'ReviewOpened', 'CorroborationDelayed', 'CorroborationWaived', 'RefundFailed', 'RefundDelayed', 'FulfillmentUnanswered',
      'FulfillmentStopped') or (type = 'FulfillmentReported' and data ->> 'outcome' = 'rejected'))
      and recorded_at >= $1 and ${within('recorded_at')} and ${own('tenant')}) t
  group by 1, 2, 3`;

interface PaymentsRow extends Count {
  about: 'payments' | 'labels' | 'created' | 'detected';
  name: string;
  kind: string;
}

/** As rows come: with the bucket's beginning, which is null in the time before. */
type Row<T> = T & { start: Instant | null };

/** Asks all of it on one connection, so that the numbers of one page are of one moment where it is in a transaction. */
export async function askNumbers(client: ClientBase, window: Window, applicationId: string | null): Promise<Numbers> {
  const { before, from, to, range } = window;
  const { seconds } = ranges[range];
  const values = [before.from, before.to, from, to, seconds, applicationId];
  const ask = async <T extends Count>(text: string): Promise<T[]> => {
    const { rows } = await client.query<Row<T>>(text, values);
    const place = (start: Instant | null): number =>
      start === null ? -1 : (msOf(start) - msOf(from)) / (seconds * 1000);
    return rows.map((row) => ({ ...row, bucket: place(row.start) }));
  };
  const payments = await ask<PaymentsRow>(paymentsText);
  const about = (which: PaymentsRow['about']) => payments.filter((row) => row.about === which);
  const paid = (measure: 'created' | 'detected'): Numbers['paid'] =>
    about(measure).map(({ bucket, kind, count }) => ({ bucket, count, measure, bin: parseInt(kind, 10) }));
  const lag = await client.query<Numbers['callbackLag']>(lagText, [from, to, applicationId]);
  return {
    payments: about('payments').map(({ bucket, name, kind, count }) => {
      return { bucket, count, currency: name, outcome: outcomeIn(kind) };
    }),
    labels: about('labels').map(({ bucket, name, count }) => ({ bucket, count, label: name })),
    paid: [...paid('created'), ...paid('detected')],
    callbacks: [
      ...(await ask<Numbers['callbacks'][number]>(callbacksText)),
      ...(await ask<Numbers['callbacks'][number]>(rejectionsText)),
    ],
    callbackLag: lag.rows[0] ?? { sampled: 0, p50: null, p99: null },
    attempts: await ask<Numbers['attempts'][number]>(attemptsText),
    delivered: await ask<Timing>(deliveredText),
    dead: await ask<Numbers['dead'][number]>(deadText),
    troubles: await ask<Numbers['troubles'][number]>(troublesText),
  };
}

const outcomes = ['paid', 'open', 'short', 'expired', 'failed'] as const;

function outcomeIn(text: string): (typeof outcomes)[number] {
  const found = outcomes.find((each) => each === text);
  if (found === undefined) throw new Error(`a payment cannot end as ${text}`);
  return found;
}

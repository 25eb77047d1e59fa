import type { Pool } from 'pg';
import { inTransaction } from '../../src/platform/database/database.pg.js';

/**
 * Fills the tables that dashboards add up with payments of many kinds, spread evenly over the days before `now`; the
 * same numbers at each call. They have no events but those that tell of trouble, so that nothing but dashboards can be
 * asked about them.
 */
export function generatePast(pool: Pool, { now, days, payments, application }: Past): Promise<void> {
  return inTransaction(pool, async (client) => {
    await client.query(`set local statement_timeout = '2min'`);
    await client.query(paymentsText, [now, days, payments, application]);
    for (const text of [callbacksText, webhooksText, attemptsText, troublesText])
      await client.query(text, [application]);
    await client.query(rejectionsText, [now, days]);
    await client.query('analyze payment_view, inbox, webhook_attempt, webhook_delivery, event');
  });
}

const rejectionsText = `insert into callback_rejection select date_trunc('hour', $1::timestamptz) - make_interval(hours => i * 23),
    (array['wrong_signature', 'no_signature', 'too_large'])[1 + i % 3], 1 + i % 4
  from generate_series(1, $2::int) i`;

interface Past {
  now: string;
  days: number;
  payments: number;
  application: string;
}

/** How busy a day is follows the week. Of a hundred payments some seventy are paid. */
const paymentsText = `insert into payment_view (payment_id, application_id, order_id, status, labels, track_id, amount, currency, received,
    fulfillable, fulfillment, created_at, version, state, paid_at, first_seen_at)
  select gen_random_uuid(), $4::uuid, 'past-' || i, status, labels, (700000000 + i)::text, 49.9,
    (array['USD', 'USD', 'USD', 'EUR', 'EUR', 'USDT', 'GBP'])[1 + i % 7],
    case when status = 'paid' then 49.9 when label = 'underpaid' then 20 else 0 end, status = 'paid', 'none', at, 6,
    json_build_object('payment', json_build_object('status', status,
      'paidAt', case when status = 'paid' then to_char(at + took, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end,
      'money', json_build_object('transfers', case when status = 'paid'
        then json_build_array(json_build_object('firstSeenAt', to_char(at + took * 0.35, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))
        else json_build_array() end))),
    case when status = 'paid' then (at + took) at time zone 'UTC' end,
    case when status = 'paid' then (at + took * 0.35) at time zone 'UTC' end
  from generate_series(1, $3::int) i
  cross join lateral (select abs(hashint4(i)) % 100 as chance) c
  cross join lateral (select ($1::timestamptz - make_interval(secs => 60 + ($2 * 86400.0 / $3) * (i + 0.5 * ($3 / (6.2832 * $2 / 7)) *
      sin(i * 6.2832 * ($2 / 7.0) / $3)))) at time zone 'UTC' as at,
    make_interval(secs => 40 * exp(((i * 7919) % 1000) / 190.0)) as took,
    case when i < $3 / 60 then 'pending' when chance < 71 then 'paid' when chance < 96 then 'expired' else 'failed' end as status,
    case when chance >= 71 and chance < 80 and i >= $3 / 60 then 'underpaid' when i % 37 = 0 then 'overpaid' when i % 41 = 0 then 'late'
      when i % 29 = 0 then 'multiple_transfers' end as label) p
  cross join lateral (select case when label is null then '{}'::text[] else array[label] end as labels) l`;

const callbacksText = `insert into inbox (stream_id, digest, id, source, subject, status, reason, body, received_at, last_received_at, receipts)
  select case when odd then '00000000-0000-0000-0000-000000000000' else payment_id end, sha256((payment_id::text || k)::bytea),
    gen_random_uuid(), 'callback:default', track_id, case when odd and k = 1 then 'unmatched' when odd then 'quarantined' else 'applied' end,
    case when odd and k = 1 then 'unknown_track_id' when odd then 'unknown_status' end, 'x',
    created_at + make_interval(mins => k), created_at + make_interval(mins => k), 1 + (k % 2)
  from payment_view cross join generate_series(1, 2) k cross join lateral (select abs(hashtext(track_id)) % 47 = 0 as odd) o
  where application_id = $1`;

const webhooksText = `with told as (insert into webhook select gen_random_uuid(), application_id, payment_id, k, 'payment.paid', '{}',
    gen_random_uuid(), created_at + make_interval(mins => k) from payment_view cross join generate_series(1, 2) k
    where application_id = $1 returning *)
  insert into webhook_delivery (id, webhook_id, endpoint_id, application_id, payment_id, sequence, type, status, attempts, round_attempts,
    round_began_at, created_at, ended_at)
  select gen_random_uuid(), id, application_id, application_id, payment_id, sequence, type,
    case when abs(hashint8(n)) % 211 = 0 then 'dead' else 'delivered' end, 1 + (abs(hashint8(n)) % 19 = 0)::int, 1, created_at, created_at,
    created_at + make_interval(secs => 0.08 * exp((n * 7919 % 1000) / 170.0))
  from (select *, row_number() over (order by created_at, sequence) as n from told) t`;

const attemptsText = `insert into webhook_attempt
  select webhook_id, endpoint_id, k, application_id, payment_id, type, ended_at - make_interval(secs => attempts - k), 80, 200,
    case when k = attempts and status = 'delivered' then 'success'
      else (array['http_5xx', 'timeout', 'http_4xx', 'connect'])[1 + (extract(minute from ended_at)::int % 4)] end, null
  from webhook_delivery cross join lateral generate_series(1, attempts) k where application_id = $1`;

const troublesText = `insert into event (stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id,
    causation_id, data, hash)
  select payment_id, 1, gen_random_uuid(), type, 1, created_at + interval '2 minutes', application_id, 'service', payment_id, payment_id,
    data::json, sha256('x')
  from (select *, (row_number() over (order by created_at))::int as n from payment_view where application_id = $1) p
  cross join lateral (select (array['InvoiceDelayed', 'ReviewOpened', 'CorroborationDelayed', 'ReviewOpened', 'FulfillmentUnanswered',
      'RefundFailed', 'ContradictionFound'])[1 + n / 14 % 7] as type,
    (array['{"outcome":"unavailable"}', '{"reasons":["underpaid"]}', '{"reason":"silent"}', '{"reasons":["late_payment"]}', '{}', '{}',
      '{"kind":"amount"}'])[1 + n / 14 % 7] as data) t
  where n % 14 = 0`;

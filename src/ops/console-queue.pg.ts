import { Inject, Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { addMinutes, Clock, type Instant } from '../kernel/clock.js';
import { DatabasePool } from '../platform/database/pool.pg.js';
import { refundTask } from '../payments/refund-looks.job.js';
import { queueKinds, type Exception, type QueueCursor, type QueueKind } from './console-queue.js';

/** Counting ends here: what is more needs no exact number. */
export const countedAtMost = 1000;

/** Dead letters are exceptions for so long; older ones are found by `webhooks list --status dead`. */
export const deadLetterDays = 30;

const review = `state #> '{payment,money,review}'`;

/*
 * Each source gives: kind, id, since, payment_id, application_id, order_id, amount, currency, why. $1 is the time before
 * which what should be over by itself has waited for too long, $2 that before which a dead letter is history.
 */

/** An open review is of the kind that its gravest reason says. */
const reviews = `
  select case when why && array['gateway_conflict', 'amount_mismatch', 'currency_mismatch', 'gateway_failed'] then 'conflict'
      when why && array['refund_failed', 'refund_unknown', 'refund_conflict', 'refund_coin_unknown', 'no_refund_address'] then 'refund'
      when why && array['fulfillment_unanswered', 'fulfillment_rejected', 'fulfilled_after_stop'] then 'fulfillment'
      else 'review' end as kind,
    payment_id as id, since, payment_id, application_id, order_id, amount, currency, why
  from (select p.*, (${review} ->> 'openedAt')::timestamptz as since,
      array(select json_array_elements_text(${review} -> 'reasons')) as why
    from payment_view p where review = 'open') opened`;

/** Whoever sends a refund is a job, so that no payment is read for this but those that have one. */
const stuckRefunds = `
  select distinct on (p.payment_id) 'refund' as kind, p.payment_id as id, (r ->> 'requestedAt')::timestamptz as since, p.payment_id,
    p.application_id, p.order_id, p.amount, p.currency, array['refund_stuck'] as why
  from graphile_worker.jobs j
  join payment_view p on p.payment_id = case when j.task_identifier = '${refundTask}' then split_part(j.key, ':', 2)::uuid end
  cross join lateral json_array_elements(p.state #> '{payment,money,refunds}') r
  where j.task_identifier = '${refundTask}' and p.review <> 'open' and r ->> 'number' = split_part(j.key, ':', 3)
    and r ->> 'status' not in ('confirmed', 'failed') and (r ->> 'requestedAt')::timestamptz < $1::timestamptz - interval '55 minutes'
  order by p.payment_id, since`;

/** Every payment that may still change has a look, so that none of those that are over is read. */
const notOpened = `
  select 'opening' as kind, p.payment_id as id, p.created_at as since, p.payment_id, p.application_id, p.order_id, p.amount,
    p.currency, array[coalesce(p.state #>> '{payment,opening,outcome}', '')] as why
  from look l join payment_view p on p.payment_id = l.stream_id where p.status = 'created' and p.created_at < $1`;

const callbacks = `
  select 'callback' as kind, i.id, i.received_at as since, null::uuid as payment_id, null::uuid as application_id,
    null::text as order_id, null::numeric as amount, null::text as currency, array[coalesce(i.reason, i.status), coalesce(i.subject, '')] as why
  from inbox i where i.status in ('unmatched', 'quarantined') and i.source like 'callback:%'`;

const deadLetters = `
  select 'delivery' as kind, d.id, coalesce(d.ended_at, d.created_at) as since, d.payment_id, d.application_id, p.order_id,
    p.amount, p.currency,
    array[d.type, coalesce(e.url, 'an endpoint that was removed'), coalesce((select a.outcome from webhook_attempt a
      where a.message_id = d.webhook_id and a.endpoint_id = d.endpoint_id order by a.attempt desc limit 1), '')] as why
  from webhook_delivery d left join webhook_endpoint e on e.id = d.endpoint_id
  left join payment_view p on p.payment_id = d.payment_id
  where d.status = 'dead' and d.ended_at > $2`;

const all = [reviews, stuckRefunds, notOpened, callbacks, deadLetters].map((source) => `(${source})`);
const columns = 'kind, id, since, payment_id, application_id, order_id, amount, currency, why';

/** What one kind is read from. */
const sourcesOf: Readonly<Record<QueueKind, readonly string[]>> = {
  review: [reviews],
  conflict: [reviews],
  refund: [reviews, stuckRefunds],
  fulfillment: [reviews],
  opening: [notOpened],
  callback: [callbacks],
  delivery: [deadLetters],
};

interface Row {
  kind: QueueKind;
  id: string;
  since: Instant;
  payment_id: string | null;
  application: string | null;
  order_id: string | null;
  amount: string | null;
  currency: string | null;
  why: string[];
}

/** Which exceptions are meant. */
export interface QueueFilter {
  kind: QueueKind | null;
  applicationId: string | null;
}

/** How many of each kind wait, up to `countedAtMost`. */
export type QueueCounts = Readonly<Record<QueueKind, number>>;

/** What waits for a person, of all applications. */
@Injectable()
export class ConsoleQueue {
  constructor(
    @Inject(DatabasePool) private readonly pool: Pool,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** Oldest first, and one more than `limit` where there are more. */
  async list(
    { kind, applicationId }: QueueFilter,
    page: { after: QueueCursor | null; limit: number },
  ): Promise<Exception[]> {
    const sources = kind === null ? all : sourcesOf[kind].map((source) => `(${source})`);
    const text = `select kind, q.id, since, payment_id, a.name as application, order_id, amount, currency, why
      from (${sources.map((source) => `select ${columns} from ${source} s`).join(' union all ')}) q
      left join application a on a.id = q.application_id
      where ($3::text is null or kind = $3) and ($4::uuid is null or q.application_id = $4)
        and ($5::timestamptz is null or (since, q.id) > ($5, $6::uuid)) and $1::timestamptz is not null and $2::timestamptz is not null
      order by since, q.id limit $7`;
    const { after, limit } = page;
    const values = [...this.times(), kind, applicationId, after?.since ?? null, after?.id ?? null, limit + 1];
    return (await this.pool.query<Row>(text, values)).rows.map(exceptionOf);
  }

  /** How many there are of each kind. */
  async counts(applicationId: string | null): Promise<QueueCounts> {
    const text = `select kind, count(*)::int as count from (${all
      .map(
        (source) =>
          `(select kind from ${source} s where $3::uuid is null or application_id = $3 limit ${String(countedAtMost * 4)})`,
      )
      .join(' union all ')}) q group by kind`;
    const { rows } = await this.pool.query<{ kind: QueueKind; count: number }>(text, [...this.times(), applicationId]);
    const found = new Map(rows.map((row) => [row.kind, Math.min(row.count, countedAtMost)]));
    const count = (kind: QueueKind): number => found.get(kind) ?? 0;
    return Object.fromEntries(queueKinds.map((kind) => [kind, count(kind)])) as Record<QueueKind, number>;
  }

  private times(): [Instant, Instant] {
    const now = this.clock.now();
    return [addMinutes(now, -5), addMinutes(now, -deadLetterDays * 24 * 60)];
  }
}

const exceptionOf = ({ payment_id, order_id, ...row }: Row): Exception => ({
  ...row,
  paymentId: payment_id,
  orderId: order_id,
});

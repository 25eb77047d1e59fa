import { Inject, Injectable } from '@nestjs/common';
import { DatabaseError, type Pool, type PoolClient } from 'pg';
import { Clock, type Instant } from '../kernel/clock.js';
import { isUuid } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import { inTransaction } from '../platform/database/database.pg.js';
import { DatabasePool } from '../platform/database/pool.pg.js';
import type { DeliveryOutcome } from './webhook-answer.js';
import type { WebhookType } from './webhook-types.js';

export const deliveryStatuses = ['waiting', 'delivered', 'dead', 'cancelled'] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];

/** One try to deliver, and what came back. */
export interface Attempt {
  /** From 1, over all rounds. */
  attempt: number;
  at: Instant;
  durationMs: number;
  /** The HTTP status; null where no answer came. */
  status: number | null;
  outcome: DeliveryOutcome;
  /** The first KiB of the answer's body; null where it was empty. */
  answer: string | null;
}

/** One webhook on its way to one endpoint. */
export interface Delivery {
  id: string;
  applicationId: string;
  /** The header `webhook-id`; a redelivery keeps it. */
  webhookId: string;
  endpointId: string;
  paymentId: string;
  sequence: number;
  type: WebhookType;
  status: DeliveryStatus;
  /** When it is tried next; null where it is not waiting, or waits for one before it. */
  dueAt: Instant | null;
  createdAt: Instant;
  endedAt: Instant | null;
  attemptCount: number;
  /** The last 50, oldest first. */
  attempts: Attempt[];
}

/** Which deliveries are meant; those that fit every member given. `to` is exclusive. */
export interface DeliveryFilter {
  ids?: readonly string[];
  paymentId?: string;
  endpointId?: string;
  type?: string;
  status?: string;
  /** When the delivery was created. */
  from?: Instant;
  to?: Instant;
}

export interface Redelivery {
  matched: number;
  /** Less where an endpoint is gone or disabled, or the webhook was cancelled. */
  queued: number;
}

/** What a redelivery would send, by endpoint; `url` is null for one that nothing can be sent to. */
export interface RedeliveryPlan extends Redelivery {
  endpoints: { endpointId: string; url: string | null; matched: number; queued: number }[];
}

/** As many are queued at once. */
export const redeliverAtMost = 10_000;
const attemptsShown = 50;
const maxTries = 3;

interface Row {
  id: string;
  application_id: string;
  webhook_id: string;
  endpoint_id: string;
  payment_id: string;
  sequence: number;
  type: WebhookType;
  status: DeliveryStatus;
  due_at: Instant | null;
  created_at: Instant;
  ended_at: Instant | null;
  attempts: number;
}

interface AttemptRow {
  message_id: string;
  endpoint_id: string;
  attempt: number;
  attempted_at: Instant;
  duration_ms: number;
  status: number | null;
  outcome: DeliveryOutcome;
  answer: string | null;
}

interface Match {
  id: string;
  endpoint_id: string;
  url: string | null;
  sendable: boolean;
}

const columns = `d.id, d.application_id, d.webhook_id, d.endpoint_id, d.payment_id, d.sequence, d.type, d.status, d.due_at,
  d.created_at, d.ended_at, d.attempts`;

/**
 * What became of the webhooks, and sending them again. `scope` is the application whose deliveries are meant, or null
 * for those of all: an operator's.
 */
@Injectable()
export class WebhookDeliveries {
  constructor(
    @Inject(DatabasePool) private readonly pool: Pool,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** Newest first, and one more than `limit` where there are more. `before` is the last id of the page before. */
  async list(
    scope: string | null,
    filter: DeliveryFilter,
    page: { before: string | null; limit: number },
  ): Promise<Delivery[]> {
    const { where, values } = conditionsOf(scope, filter);
    const at = values.push(page.before, page.limit + 1);
    const text = `select ${columns} from webhook_delivery d
      where ${where} and ($${String(at - 1)}::uuid is null or d.id < $${String(at - 1)}::uuid)
      order by d.id desc limit $${String(at)}`;
    const { rows } = await this.pool.query<Row>(text, values);
    const attempts = await this.attemptsOf(rows);
    return rows.map((row) => deliveryOf(row, attempts.get(keyOf(row.webhook_id, row.endpoint_id)) ?? []));
  }

  /** Null where there is none. */
  async get(scope: string | null, id: string): Promise<Delivery | null> {
    if (!isUuid(id)) return null;
    const [delivery] = await this.list(scope, { ids: [id] }, { before: null, limit: 1 });
    return delivery ?? null;
  }

  /**
   * Sets deliveries waiting again, under the same webhook ids and with a retry schedule that begins anew. Of a payment's
   * deliveries to an endpoint the first that waits is due at once, the others follow it. Throws `Refusal`:
   * `not_found` where an id is unknown, `invalid_request` for more than 10,000.
   */
  async redeliver(scope: string | null, filter: DeliveryFilter): Promise<Redelivery> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await inTransaction(this.pool, (tx) => this.matchAndQueue(tx, scope, filter));
      } catch (error) {
        // An attempt that ends may want what we hold while we wait for its own; it is over in a moment.
        if (attempt >= maxTries || !isDeadlock(error)) throw error;
      }
    }
  }

  /** What `redeliver` would do now; changes nothing. Throws as it does. */
  async plan(scope: string | null, filter: DeliveryFilter): Promise<RedeliveryPlan> {
    const matches = await this.match(this.pool, scope, filter);
    const endpoints = new Map<string, RedeliveryPlan['endpoints'][number]>();
    for (const { endpoint_id: endpointId, url, sendable } of matches) {
      const endpoint = endpoints.get(endpointId) ?? { endpointId, url, matched: 0, queued: 0 };
      endpoint.matched += 1;
      if (sendable) endpoint.queued += 1;
      endpoints.set(endpointId, endpoint);
    }
    const queued = matches.filter(({ sendable }) => sendable).length;
    return { matched: matches.length, queued, endpoints: [...endpoints.values()] };
  }

  private async matchAndQueue(tx: PoolClient, scope: string | null, filter: DeliveryFilter): Promise<Redelivery> {
    const matches = await this.match(tx, scope, filter);
    const ids = matches.filter(({ sendable }) => sendable).map(({ id }) => id);
    const queued = ids.length === 0 ? 0 : await this.queue(tx, ids);
    return { matched: matches.length, queued };
  }

  private async match(db: Pool | PoolClient, scope: string | null, filter: DeliveryFilter): Promise<Match[]> {
    const { where, values } = conditionsOf(scope, filter);
    const text = `select d.id, d.endpoint_id, e.url, e.id is not null and d.status <> 'cancelled' as sendable
      from webhook_delivery d left join webhook_endpoint e on e.id = d.endpoint_id and e.disabled_at is null
      where ${where} limit ${String(redeliverAtMost + 1)}`;
    const { rows } = await db.query<Match>(text, values);
    if (filter.ids && rows.length < new Set(filter.ids).size)
      throw new Refusal('not_found', 'There is no webhook delivery with one of these ids.');
    if (rows.length > redeliverAtMost) throw await this.tooMany(db, where, values);
    return rows;
  }

  private async tooMany(db: Pool | PoolClient, where: string, values: unknown[]): Promise<Refusal> {
    const { rows } = await db.query<{ n: number }>(
      `select count(*) as n from webhook_delivery d where ${where}`,
      values,
    );
    return new Refusal(
      'invalid_request',
      `${String(rows[0]?.n)} deliveries match, and at most ${String(redeliverAtMost)} are sent again at once: narrow it down, by time for one.`,
    );
  }

  private async queue(tx: PoolClient, ids: readonly string[]): Promise<number> {
    // One redelivery of a payment's webhooks at a time: those that two of them queue have to see each other.
    const turn = `select w.id from webhook w where w.sequence = 1
      and w.payment_id in (select payment_id from webhook_delivery where id = any($1::uuid[])) order by w.id for no key update`;
    await tx.query(turn, [ids]);
    // An endpoint that is removed meanwhile would leave deliveries behind that wait for ever.
    const locked = `select e.id from webhook_endpoint e where e.disabled_at is null
      and e.id in (select endpoint_id from webhook_delivery where id = any($1::uuid[])) order by e.id for key share`;
    const endpoints = (await tx.query<{ id: string }>(locked, [ids])).rows.map(({ id }) => id);
    // In the order in which an attempt that ends takes them: first itself, then the next of the payment.
    const rows = `select d.id from webhook_delivery d
      join (select distinct endpoint_id, payment_id from webhook_delivery where id = any($1::uuid[])) touched
        using (endpoint_id, payment_id)
      where d.status = 'waiting' or d.id = any($1::uuid[])
      order by d.endpoint_id, d.payment_id, d.sequence for update of d`;
    await tx.query(rows, [ids]);
    const now = this.clock.now();
    // What is under way is not sent a second time beside it: its attempt counts, and the schedule begins anew after it.
    const again = `update webhook_delivery set status = 'waiting', round_attempts = 0, round_began_at = $3, ended_at = null,
        due_at = case when status = 'waiting' and leased_until > $3 then due_at end,
        lease = lease + case when status = 'waiting' and leased_until > $3 then 0 else 1 end
      where id = any($1::uuid[]) and endpoint_id = any($2::uuid[]) and status <> 'cancelled'`;
    const { rowCount } = await tx.query(again, [ids, endpoints, now]);
    await this.order(tx, ids, now);
    return rowCount ?? 0;
  }

  /** Makes the first of each payment's that waits for an endpoint due now, and lets the others follow it. */
  private async order(tx: PoolClient, ids: readonly string[], now: Instant): Promise<void> {
    const text = `with first as (
        select distinct on (d.endpoint_id, d.payment_id) d.endpoint_id, d.payment_id, d.id as head
        from webhook_delivery d
        join (select distinct endpoint_id, payment_id from webhook_delivery where id = any($1::uuid[])) touched
          using (endpoint_id, payment_id)
        where d.status = 'waiting' and d.endpoint_id in (select id from webhook_endpoint where disabled_at is null)
        order by d.endpoint_id, d.payment_id, d.sequence
      )
      update webhook_delivery d set due_at = case when d.id = first.head then $2::timestamptz end
      from first
      where d.endpoint_id = first.endpoint_id and d.payment_id = first.payment_id and d.status = 'waiting'
        and (d.id = first.head or d.due_at is not null) and (d.leased_until is null or d.leased_until <= $2)`;
    await tx.query(text, [ids, now]);
  }

  private async attemptsOf(rows: readonly Row[]): Promise<Map<string, Attempt[]>> {
    const text = `select a.* from unnest($1::uuid[], $2::uuid[]) as d (webhook_id, endpoint_id)
      cross join lateral (
        select message_id, endpoint_id, attempt, attempted_at, duration_ms, status, outcome, answer from webhook_attempt
        where message_id = d.webhook_id and endpoint_id = d.endpoint_id order by attempt desc limit ${String(attemptsShown)}
      ) a order by a.attempt`;
    const values = [rows.map((row) => row.webhook_id), rows.map((row) => row.endpoint_id)];
    const found = await this.pool.query<AttemptRow>(text, values);
    const attempts = new Map<string, Attempt[]>();
    for (const row of found.rows) {
      const key = keyOf(row.message_id, row.endpoint_id);
      attempts.set(key, [...(attempts.get(key) ?? []), attemptOf(row)]);
    }
    return attempts;
  }
}

const isDeadlock = (error: unknown): boolean => error instanceof DatabaseError && error.code === '40P01';

const keyOf = (webhookId: string, endpointId: string): string => `${webhookId}/${endpointId}`;

function conditionsOf(scope: string | null, filter: DeliveryFilter): { where: string; values: unknown[] } {
  const { ids, paymentId, endpointId, type, status, from, to } = filter;
  const asked: [string, unknown][] = [
    ['d.application_id = ?', scope ?? undefined],
    ['d.id = any(?::uuid[])', ids],
    ['d.payment_id = ?', paymentId],
    ['d.endpoint_id = ?', endpointId],
    ['d.type = ?', type],
    ['d.status = ?', status],
    ['d.created_at >= ?', from],
    ['d.created_at < ?', to],
  ];
  const given = asked.filter(([, value]) => value !== undefined);
  const where = given.map(([condition], at) => condition.replace('?', `$${String(at + 1)}`)).join(' and ');
  return { where: where === '' ? 'true' : where, values: given.map(([, value]) => value) };
}

const deliveryOf = (row: Row, attempts: Attempt[]): Delivery => ({
  id: row.id,
  applicationId: row.application_id,
  webhookId: row.webhook_id,
  endpointId: row.endpoint_id,
  paymentId: row.payment_id,
  sequence: row.sequence,
  type: row.type,
  status: row.status,
  dueAt: row.due_at,
  createdAt: row.created_at,
  endedAt: row.ended_at,
  attemptCount: row.attempts,
  attempts,
});

const attemptOf = (row: AttemptRow): Attempt => ({
  attempt: row.attempt,
  at: row.attempted_at,
  durationMs: row.duration_ms,
  status: row.status,
  outcome: row.outcome,
  answer: row.answer,
});

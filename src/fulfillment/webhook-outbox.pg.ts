import { Inject, Injectable } from '@nestjs/common';
import type { Pool, PoolClient } from 'pg';
import { Clock, type Instant } from '../kernel/clock.js';
import { Ids } from '../kernel/ids.js';
import { inTransaction } from '../platform/database/database.pg.js';
import { BackgroundPool } from '../platform/database/pool.pg.js';
import {
  atOncePerEndpoint,
  type AttemptRecord,
  type ClaimedDelivery,
  type DeliveryNext,
  type EndpointHealth,
  type NewWebhook,
} from './delivery.js';
import { claimedOf, claimText, type ClaimedRow } from './webhook-claim.pg.js';
import type { WebhookType } from './webhook-types.js';

/** An endpoint and what it wants. */
export interface Subscriber {
  id: string;
  /** Null for everything. */
  events: WebhookType[] | null;
}

interface Lane {
  endpoint_id: string;
  payment_id: string;
}

// What was cancelled while it was under way stays so, unless it has arrived. What an earlier one waits for, again, follows it.
const finishText = `
with held as (
  select id from webhook_delivery where id = $1 and lease = $2 and status in ('waiting', 'cancelled') for update
), kept as (
  insert into webhook_attempt (message_id, endpoint_id, attempt, application_id, payment_id, type, attempted_at, duration_ms,
    status, outcome, answer)
  select d.webhook_id, d.endpoint_id, d.attempts + 1, d.application_id, d.payment_id, d.type, $6, $7::integer, $8::integer,
    $9, $10
  from held join webhook_delivery d on d.id = held.id where $6::timestamptz is not null
)
update webhook_delivery d set
  status = case when d.status = 'waiting' or $3 = 'delivered' then $3 else d.status end,
  due_at = case when d.status = 'waiting' and not exists (select from webhook_delivery o where o.endpoint_id = d.endpoint_id
    and o.payment_id = d.payment_id and o.status = 'waiting' and o.sequence < d.sequence) then $4::timestamptz end,
  leased_until = null,
  ended_at = case when $3 = 'waiting' then d.ended_at else $5 end,
  attempts = d.attempts + case when $6::timestamptz is null then 0 else 1 end,
  round_attempts = d.round_attempts + case when $6::timestamptz is null then 0 else 1 end
from held where d.id = held.id
returning d.status`;

// A time that this process's clock and the database's both have passed: neither may run ahead of the other.
const passed = (now: string): string => `least(${now}::timestamptz, now())`;

// A follower's own time begins when its turn comes. One that is still under way is not begun a second time.
const promoteText = `
update webhook_delivery set
  due_at = greatest(${passed('$3')}, case when leased_until > $3 then leased_until end),
  round_began_at = case when round_attempts = 0 then ${passed('$3')} else round_began_at end
where due_at is null and id = (
  select id from webhook_delivery where endpoint_id = $1 and payment_id = $2 and status = 'waiting'
  order by sequence limit 1 for no key update)`;

/**
 * What is to be sent and what was: the tables `webhook` and `webhook_delivery`. Of a payment's deliveries to an endpoint
 * only the first that waits is ever due. Whoever ends one takes its row for itself, and whoever adds one behind it holds
 * that row until the commit: so none is added behind one that has just ended.
 */
@Injectable()
export class WebhookOutbox {
  constructor(
    @Inject(BackgroundPool) private readonly pool: Pool,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
  ) {}

  /**
   * The endpoints by application; an application without any is not in the map. One that is disabled is among them: what
   * is for it dies when it comes due, so that goods nobody hears of open a review, and it can be sent again.
   */
  async subscribers(tx: PoolClient, applicationIds: readonly string[]): Promise<Map<string, Subscriber[]>> {
    const { rows } = await tx.query<Subscriber & { application_id: string }>({
      name: 'webhook-subscribers',
      text: `select id, application_id, events from webhook_endpoint
        where application_id = any($1::uuid[]) order by id`,
      values: [applicationIds],
    });
    const found = new Map<string, Subscriber[]>();
    for (const { id, application_id, events } of rows) {
      const wanted = events && events.length > 0 ? events : null;
      found.set(application_id, [...(found.get(application_id) ?? []), { id, events: wanted }]);
    }
    return found;
  }

  /**
   * Numbers webhooks in the order given and queues them for their endpoints. Those that are there already are left as
   * they are. One writer at a time: the caller's transaction holds the checkpoint of the log.
   */
  async add(tx: PoolClient, webhooks: readonly NewWebhook[]): Promise<void> {
    const fresh = await this.unknown(tx, webhooks);
    if (fresh.length === 0) return;
    const last = await this.lastSequences(tx, fresh);
    const numbered = fresh.map((webhook) => {
      const sequence = (last.get(webhook.paymentId) ?? 0) + 1;
      last.set(webhook.paymentId, sequence);
      return { ...webhook, sequence };
    });
    const column = <T>(pick: (webhook: NewWebhook & { sequence: number }) => T): T[] => numbered.map(pick);
    await tx.query({
      name: 'webhook-add',
      text: `insert into webhook (id, application_id, payment_id, sequence, type, body, correlation_id, created_at)
        select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::uuid[],
          $8::timestamptz[])`,
      values: [
        column(({ id }) => id),
        column(({ applicationId }) => applicationId),
        column(({ paymentId }) => paymentId),
        column(({ sequence }) => sequence),
        column(({ type }) => type),
        column(({ body, sequence }) => body(sequence)),
        column(({ correlationId }) => correlationId),
        column(({ createdAt }) => createdAt),
      ],
    });
    const deliveries = numbered.flatMap(({ id, endpointIds }) =>
      endpointIds.map((endpointId) => ({ id: this.ids.next(), webhookId: id, endpointId })),
    );
    if (deliveries.length > 0) await this.queue(tx, deliveries, [...last.keys()]);
  }

  /**
   * Takes what is due for this process alone, `room` at most, oldest first, until `leaseUntil`. One endpoint gets a few
   * at a time, a failing one a single one, a paused one none. What waits for an endpoint that is gone comes without a
   * target. Of the room, failing endpoints get `roomForFailing` at most, so that many of them delay no well one.
   */
  async claim(now: Instant, leaseUntil: Instant, room: number, roomForFailing = room): Promise<ClaimedDelivery[]> {
    const values = [now, leaseUntil, room, atOncePerEndpoint, roomForFailing];
    const { rows } = await this.pool.query<ClaimedRow>({ name: 'webhook-claim', text: claimText, values });
    return rows.map(claimedOf);
  }

  /**
   * Records an attempt (null where none was made) and what becomes of the delivery and its endpoint, and lets the next
   * one of the payment go. False where the lease has passed to somebody else: then nothing is written. `whenLast` runs
   * before the commit where the delivery dies and no other of its webhook waits or arrived, `whenTended` where the
   * endpoint's health was written; what they throw undoes all.
   */
  async finish(
    delivery: ClaimedDelivery,
    attempt: AttemptRecord | null,
    next: DeliveryNext,
    health: EndpointHealth,
    { whenLast, whenTended }: { whenLast?: () => Promise<void>; whenTended?: () => Promise<void> } = {},
  ): Promise<boolean> {
    return inTransaction(this.pool, async (tx) => {
      // Two endpoints that give up at once take turns, so that the second sees that it is the last.
      const mayBeLast = next.status === 'dead' && whenLast !== undefined;
      if (mayBeLast) await tx.query('select from webhook where id = $1 for no key update', [delivery.webhookId]);
      const now = this.clock.now();
      const status = await this.mark(tx, delivery, attempt, next, now);
      if (status === null) return false;
      if (mayBeLast && status === 'dead' && (await this.isLast(tx, delivery.webhookId))) await whenLast();
      await this.promote(tx, delivery.endpointId, delivery.paymentId, now);
      if (attempt !== null && (await this.tend(tx, delivery, health, now))) await whenTended?.();
      return true;
    });
  }

  /**
   * Ends what waits of a webhook that is no longer to be sent, and what is dead: it is not sent again either. What is under
   * way cannot be called back.
   */
  async cancel(tx: PoolClient, webhookId: string, now: Instant): Promise<void> {
    const { rows } = await tx.query<Lane & { leased_until: Instant | null }>(
      `update webhook_delivery set status = 'cancelled', due_at = null, ended_at = $2
       where webhook_id = $1 and status in ('waiting', 'dead') returning endpoint_id, payment_id, leased_until`,
      [webhookId, now],
    );
    // What follows one that may be under way does not overtake it.
    for (const { endpoint_id, payment_id, leased_until: held } of rows)
      await this.promote(tx, endpoint_id, payment_id, held !== null && held > now ? held : now);
  }

  /** Queues again what was cancelled of a webhook, ahead of what came later. */
  async resume(tx: PoolClient, webhookId: string, now: Instant): Promise<void> {
    const { rows } = await tx.query<Lane & { sequence: number }>(
      `update webhook_delivery set status = 'waiting', ended_at = null, round_attempts = 0, round_began_at = $2
       where webhook_id = $1 and status = 'cancelled' returning endpoint_id, payment_id, sequence`,
      [webhookId, now],
    );
    for (const { endpoint_id, payment_id, sequence } of rows) {
      await tx.query(
        `update webhook_delivery set due_at = null where endpoint_id = $1 and payment_id = $2 and status = 'waiting'
           and sequence > $3 and due_at is not null and (leased_until is null or leased_until <= $4)`,
        [endpoint_id, payment_id, sequence, now],
      );
      await this.promote(tx, endpoint_id, payment_id, now);
    }
  }

  private async unknown(tx: PoolClient, webhooks: readonly NewWebhook[]): Promise<NewWebhook[]> {
    if (webhooks.length === 0) return [];
    const { rows } = await tx.query<{ id: string }>({
      name: 'webhook-known',
      text: 'select id from webhook where id = any($1::uuid[])',
      values: [webhooks.map(({ id }) => id)],
    });
    const known = new Set(rows.map(({ id }) => id));
    return webhooks.filter(({ id }) => !known.has(id));
  }

  private async lastSequences(tx: PoolClient, webhooks: readonly NewWebhook[]): Promise<Map<string, number>> {
    const { rows } = await tx.query<{ payment_id: string; last: number | null }>({
      name: 'webhook-last',
      text: `select p.payment_id, w.last from unnest($1::uuid[]) p (payment_id) cross join lateral
        (select max(sequence) as last from webhook where webhook.payment_id = p.payment_id) w`,
      values: [[...new Set(webhooks.map(({ paymentId }) => paymentId))]],
    });
    return new Map(rows.map(({ payment_id, last }) => [payment_id, last ?? 0]));
  }

  /** The first of its lane is due at once; the others follow, also one that waits already and cannot end before our commit. */
  private async queue(
    tx: PoolClient,
    deliveries: readonly { id: string; webhookId: string; endpointId: string }[],
    paymentIds: readonly string[],
  ): Promise<void> {
    const { rows } = await tx.query<Lane>({
      name: 'webhook-lanes',
      text: `select endpoint_id, payment_id from webhook_delivery
        where endpoint_id = any($1::uuid[]) and payment_id = any($2::uuid[]) and status = 'waiting' for key share`,
      values: [[...new Set(deliveries.map(({ endpointId }) => endpointId))], paymentIds],
    });
    await tx.query({
      name: 'webhook-queue',
      text: `insert into webhook_delivery (id, webhook_id, endpoint_id, application_id, payment_id, sequence, type, status,
          due_at, round_began_at, created_at)
        select n.id, w.id, n.endpoint_id, w.application_id, w.payment_id, w.sequence, w.type, 'waiting',
          case when not exists (select from unnest($4::uuid[], $5::uuid[]) l (endpoint_id, payment_id)
              where l.endpoint_id = n.endpoint_id and l.payment_id = w.payment_id)
            and row_number() over (partition by n.endpoint_id, w.payment_id order by w.sequence) = 1
            then ${passed('$6')} end,
          ${passed('$6')}, $6
        from unnest($1::uuid[], $2::uuid[], $3::uuid[]) n (id, webhook_id, endpoint_id)
        join webhook w on w.id = n.webhook_id`,
      values: [
        deliveries.map(({ id }) => id),
        deliveries.map(({ webhookId }) => webhookId),
        deliveries.map(({ endpointId }) => endpointId),
        rows.map(({ endpoint_id }) => endpoint_id),
        rows.map(({ payment_id }) => payment_id),
        this.clock.now(),
      ],
    });
  }

  private async mark(
    tx: PoolClient,
    { id, lease }: ClaimedDelivery,
    attempt: AttemptRecord | null,
    next: DeliveryNext,
    now: Instant,
  ): Promise<string | null> {
    const { rows } = await tx.query<{ status: string }>({
      name: 'webhook-finish',
      text: finishText,
      values: [
        id,
        lease,
        next.status,
        next.status === 'waiting' ? next.dueAt : null,
        now,
        attempt?.at ?? null,
        attempt?.durationMs ?? null,
        attempt?.status ?? null,
        attempt?.outcome ?? null,
        attempt?.answer ?? null,
      ],
    });
    return rows[0]?.status ?? null;
  }

  private async isLast(tx: PoolClient, webhookId: string): Promise<boolean> {
    const text = `select 1 from webhook_delivery where webhook_id = $1 and status in ('waiting', 'delivered') limit 1`;
    return (await tx.query(text, [webhookId])).rows.length === 0;
  }

  /** Gives the first that waits its turn, where it has none yet. */
  private async promote(tx: PoolClient, endpointId: string, paymentId: string, now: Instant): Promise<void> {
    await tx.query({ name: 'webhook-promote', text: promoteText, values: [endpointId, paymentId, now] });
  }

  /** The endpoint's row comes last: a claim holds deliveries while it waits for that. */
  private async tend(
    tx: PoolClient,
    delivery: ClaimedDelivery,
    health: EndpointHealth,
    now: Instant,
  ): Promise<boolean> {
    const { endpointId, target, health: before } = delivery;
    const { failingSince, failures, pausedUntil, warnedAt, disabled, recovered } = health;
    if (failures === 0 && before.failures === 0) return false;
    if (recovered || disabled !== null) {
      await tx.query(
        `update webhook_delivery set due_at = $2 where endpoint_id = $1 and due_at > $2
           and (leased_until is null or leased_until <= $2)`,
        [endpointId, now],
      );
    }
    // What was seen at another URL tells nothing. A success, and that it is gone, count in any case; another failure only
    // where nothing else was seen of the endpoint since the claim.
    const { rowCount } = await tx.query({
      name: 'webhook-health',
      text: `update webhook_endpoint set failing_since = $2, failures = $3, paused_until = $4, warned_at = $5,
          disabled_reason = coalesce($6, disabled_reason), disabled_at = case when $6 is null then disabled_at else $7 end
        where id = $1 and disabled_at is null and url = $10
          and ($3 = 0 or $6 = 'gone' or failures = $8 and failing_since is not distinct from $9::timestamptz)`,
      values: [
        endpointId,
        failingSince,
        failures,
        pausedUntil,
        warnedAt,
        disabled,
        now,
        before.failures,
        before.failingSince,
        target?.url ?? null,
      ],
    });
    return rowCount === 1;
  }
}

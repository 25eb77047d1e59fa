import type { Instant } from '../kernel/clock.js';
import { wellEndpoint, type ClaimedDelivery } from './delivery.js';
import type { WebhookType } from './webhook-types.js';

/** What a claim returns. */
export interface ClaimedRow {
  id: string;
  webhook_id: string;
  endpoint_id: string;
  application_id: string;
  payment_id: string;
  sequence: number;
  type: WebhookType;
  correlation_id: string;
  told_at: Instant;
  body: string;
  attempts: number;
  round_attempts: number;
  round_began_at: Instant;
  lease: number;
  url: string | null;
  secret: string | null;
  previous: string | null;
  failing_since: Instant | null;
  failures: number | null;
  paused_until: Instant | null;
  warned_at: Instant | null;
}

/*
 * Endpoints that something waits for are found by skipping through the index from one to the next, so that a claim costs
 * a few probes for each of them and nothing for what waits there. Those with the fewest attempts under way come first,
 * well ones and failing ones by turns, and all get the same share; the failing ones together get no more than `$5`. A
 * failing endpoint is paused for as long as the one attempt on it may take: the update of its row decides between two
 * workers.
 */
export const claimText = `
with recursive queued (endpoint_id) as (
  (select d.endpoint_id from webhook_delivery d where d.due_at is not null order by d.endpoint_id limit 1)
  union all
  select (select d.endpoint_id from webhook_delivery d where d.due_at is not null and d.endpoint_id > q.endpoint_id
    order by d.endpoint_id limit 1)
  from queued q where q.endpoint_id is not null
), ready as materialized (
  select * from (select q.endpoint_id, at_most.failing, at_most.attempts - busy.attempts as room, busy.attempts as under_way,
    row_number() over (partition by at_most.failing order by busy.attempts, first.due_at) as place
  from queued q
  left join webhook_endpoint e on e.id = q.endpoint_id and e.disabled_at is null
  cross join lateral (select e.failing_since is not null as failing,
    case when e.failing_since is null then $4::integer else 1 end as attempts) at_most
  cross join lateral (select count(*)::integer as attempts from webhook_delivery d
    where d.endpoint_id = q.endpoint_id and d.leased_until > $1) busy
  cross join lateral (select d.due_at from webhook_delivery d where d.endpoint_id = q.endpoint_id and d.due_at <= $1
    order by d.due_at limit 1) first
  where q.endpoint_id is not null and (e.paused_until is null or e.paused_until <= $1) and busy.attempts < at_most.attempts
  ) r where not failing or place <= $5 order by under_way, place, failing limit $3
), picked as materialized (
  select d.id, r.endpoint_id, r.failing
  from (select *, ceil($3::numeric / count(*) over ())::integer as share from ready) r
  cross join lateral (select d.id from webhook_delivery d where d.endpoint_id = r.endpoint_id and d.due_at <= $1
    order by d.due_at limit least(r.room, r.share) for no key update skip locked) d
  limit $3
), probed as (
  update webhook_endpoint e set paused_until = $2 from picked p where p.failing and e.id = p.endpoint_id
    and (e.paused_until is null or e.paused_until <= $1) returning e.id
)
update webhook_delivery d set due_at = $2, leased_until = $2, lease = d.lease + 1
from picked p
  join webhook_delivery was on was.id = p.id
  join webhook w on w.id = was.webhook_id
  left join webhook_endpoint e on e.id = p.endpoint_id and e.disabled_at is null
where d.id = p.id and d.status = 'waiting' and (not p.failing or p.endpoint_id in (select id from probed))
returning d.id, d.webhook_id, d.endpoint_id, d.application_id, d.payment_id, d.sequence, d.type, d.attempts,
  d.round_attempts, d.round_began_at, d.lease, w.correlation_id, w.created_at as told_at, w.body, e.url, e.secret,
  case when e.previous_secret_until > $1 then e.previous_secret end as previous,
  e.failing_since, e.failures, e.paused_until, e.warned_at`;

/** A claimed delivery as its worker needs it. */
export function claimedOf(row: ClaimedRow): ClaimedDelivery {
  const { url, secret, previous } = row;
  return {
    id: row.id,
    webhookId: row.webhook_id,
    endpointId: row.endpoint_id,
    applicationId: row.application_id,
    paymentId: row.payment_id,
    sequence: row.sequence,
    type: row.type,
    correlationId: row.correlation_id,
    toldAt: row.told_at,
    body: row.body,
    attempt: row.attempts + 1,
    roundAttempt: row.round_attempts + 1,
    roundBeganAt: row.round_began_at,
    lease: row.lease,
    target:
      url === null || secret === null ? null : { url, secrets: previous === null ? [secret] : [secret, previous] },
    health: {
      ...wellEndpoint,
      failingSince: row.failing_since,
      failures: row.failures ?? 0,
      pausedUntil: row.paused_until,
      warnedAt: row.warned_at,
    },
  };
}

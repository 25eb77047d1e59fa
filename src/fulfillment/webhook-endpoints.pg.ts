import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { addMinutes, Clock, type Instant } from '../kernel/clock.js';
import { Ids, isUuid } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import { inTransaction } from '../platform/database/database.pg.js';
import { isWebhookType, webhookTypes, type WebhookType } from './webhook-types.js';
import { webhookUrlFault, type WebhookUrlRules } from './webhook-url.js';

/** Where an application wants its webhooks. The secret is not part of it. */
export interface WebhookEndpoint {
  id: string;
  url: string;
  /** What it asked for; null for everything. */
  events: WebhookType[] | null;
  createdAt: Instant;
  /** Since when nothing is sent there; null while it is in use. */
  disabledAt: Instant | null;
  /** Why we disabled it: it answered 410, or nothing got through for days. Null where its owner did, or nobody. */
  disabledReason: DisabledReason | null;
  /** Since when every attempt fails; null while it answers. */
  failingSince: Instant | null;
  /** When it last got a new secret; null for never. */
  secretRotatedAt: Instant | null;
}

type DisabledReason = 'gone' | 'failing';

/** What is left out stays as it is. */
export interface EndpointChange {
  url?: string;
  /** Null for everything. */
  events?: readonly string[] | null;
  /** True puts a disabled endpoint to use again and forgets its failures; false sends nothing there any more. */
  enabled?: boolean;
}

interface Row {
  id: string;
  url: string;
  events: WebhookType[] | null;
  created_at: Instant;
  disabled_at: Instant | null;
  disabled_reason: DisabledReason | null;
  failing_since: Instant | null;
  previous_secret_until: Instant | null;
}

const maxPerApplication = 20;
const rotationMinutes = 24 * 60;
const secretBytes = 32;
const columns = 'id, url, events, created_at, disabled_at, disabled_reason, failing_since, previous_secret_until';

const endpointOf = (row: Row): WebhookEndpoint => ({
  id: row.id,
  url: row.url,
  events: row.events,
  createdAt: row.created_at,
  disabledAt: row.disabled_at,
  disabledReason: row.disabled_reason,
  failingSince: row.failing_since,
  secretRotatedAt: row.previous_secret_until && addMinutes(row.previous_secret_until, -rotationMinutes),
});

/** Standard Webhooks: `whsec_` and the key in base64. */
const newSecret = (): string => `whsec_${randomBytes(secretBytes).toString('base64')}`;

/** The table `webhook_endpoint`. An application only ever meets its own. */
@Injectable()
export class WebhookEndpoints {
  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
    private readonly ids: Ids,
    private readonly rules: WebhookUrlRules,
  ) {}

  /** The only answer, beside that of a rotation, that shows the secret. Throws `Refusal('invalid_request')`. */
  async create(given: {
    applicationId: string;
    url: string;
    events: readonly string[] | null;
  }): Promise<WebhookEndpoint & { secret: string }> {
    const { applicationId, url } = given;
    this.checkUrl(url);
    const events = checkedEvents(given.events);
    const secret = newSecret();
    const text = `insert into webhook_endpoint (id, application_id, url, events, secret, created_at)
      select $1, $2, $3, $4, $5, $6 where (select count(*) from webhook_endpoint where application_id = $2) < $7
      returning ${columns}`;
    const values = [this.ids.next(), applicationId, url, events, secret, this.clock.now(), maxPerApplication];
    const [row] = await inTransaction(this.pool, async (tx) => {
      // One create at a time, so that the count holds until the insert.
      await tx.query('select 1 from application where id = $1 for no key update', [applicationId]);
      return (await tx.query<Row>(text, values)).rows;
    });
    if (!row)
      throw new Refusal('conflict', `An application has at most ${String(maxPerApplication)} webhook endpoints.`);
    return { ...endpointOf(row), secret };
  }

  /** Oldest first. */
  async list(applicationId: string): Promise<WebhookEndpoint[]> {
    const text = `select ${columns} from webhook_endpoint where application_id = $1 order by id limit $2`;
    const { rows } = await this.pool.query<Row>(text, [applicationId, maxPerApplication]);
    return rows.map(endpointOf);
  }

  /** Null where the application has no such endpoint. */
  async get(applicationId: string, id: string): Promise<WebhookEndpoint | null> {
    if (!isUuid(id)) return null;
    const text = `select ${columns} from webhook_endpoint where application_id = $1 and id = $2`;
    const { rows } = await this.pool.query<Row>(text, [applicationId, id]);
    return rows[0] ? endpointOf(rows[0]) : null;
  }

  /** Changes what is given. Another URL forgets the failures of the old one. Null where there is none. Throws as `create`. */
  async update(applicationId: string, id: string, change: EndpointChange): Promise<WebhookEndpoint | null> {
    if (!isUuid(id)) return null;
    const { url = null, enabled = null } = change;
    if (url !== null) this.checkUrl(url);
    const events = checkedEvents(change.events ?? null);
    const unlessFresh = (column: string): string =>
      `${column} = case when $6::boolean or $3::text <> url then null else ${column} end`;
    const text = `update webhook_endpoint set url = coalesce($3::text, url),
        events = case when $4::boolean then $5::text[] else events end,
        disabled_at = case when $6::boolean then null when not $6::boolean then coalesce(disabled_at, $7) else disabled_at end,
        disabled_reason = case when $6::boolean then null else disabled_reason end,
        failures = case when $6::boolean or $3::text <> url then 0 else failures end,
        ${['failing_since', 'paused_until', 'warned_at'].map(unlessFresh).join(', ')}
      where application_id = $1 and id = $2 returning ${columns}`;
    const values = [applicationId, id, url, change.events !== undefined, events, enabled, this.clock.now()];
    const { rows } = await this.pool.query<Row>(text, values);
    return rows[0] ? endpointOf(rows[0]) : null;
  }

  /** A new secret; the one before it signs beside it for 24 hours. Null where there is no such endpoint. */
  async rotateSecret(applicationId: string, id: string): Promise<(WebhookEndpoint & { secret: string }) | null> {
    if (!isUuid(id)) return null;
    const secret = newSecret();
    const text = `update webhook_endpoint set previous_secret = secret, previous_secret_until = $3, secret = $4
      where application_id = $1 and id = $2 returning ${columns}`;
    const { rows } = await this.pool.query<Row>(text, [
      applicationId,
      id,
      addMinutes(this.clock.now(), rotationMinutes),
      secret,
    ]);
    return rows[0] ? { ...endpointOf(rows[0]), secret } : null;
  }

  /**
   * The secret that an endpoint has since its last rotation at `rotatedAt` (null: since it was made); null where it has
   * another by now.
   */
  async secretSince(applicationId: string, id: string, rotatedAt: Instant | null): Promise<string | null> {
    const text = `select secret from webhook_endpoint
      where application_id = $1 and id = $2 and previous_secret_until is not distinct from $3`;
    const until = rotatedAt && addMinutes(rotatedAt, rotationMinutes);
    const { rows } = await this.pool.query<{ secret: string }>(text, [applicationId, id, until]);
    return rows[0]?.secret ?? null;
  }

  /** False where there was none. Deliveries that wait for it are dropped when they are due. */
  async remove(applicationId: string, id: string): Promise<boolean> {
    if (!isUuid(id)) return false;
    const { rowCount } = await this.pool.query('delete from webhook_endpoint where application_id = $1 and id = $2', [
      applicationId,
      id,
    ]);
    return rowCount === 1;
  }

  private checkUrl(url: string): void {
    const fault = webhookUrlFault(url, this.rules);
    if (fault !== null) throw new Refusal('invalid_request', `The URL ${fault}.`, [{ pointer: '/url', detail: fault }]);
  }
}

/** Null for everything; a list without any says the same. */
function checkedEvents(events: readonly string[] | null): WebhookType[] | null {
  if (events === null || events.length === 0) return null;
  const known = events.filter(isWebhookType);
  if (known.length === events.length) return [...new Set(known)];
  const errors = events.flatMap((event, at) =>
    isWebhookType(event)
      ? []
      : [{ pointer: `/events/${String(at)}`, detail: `must be one of ${webhookTypes.join(', ')}` }],
  );
  throw new Refusal('invalid_request', 'An event is not known.', errors.slice(0, 20));
}

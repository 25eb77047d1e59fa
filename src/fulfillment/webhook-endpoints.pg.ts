import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Pool, PoolClient } from 'pg';
import { addMinutes, Clock, type Instant } from '../kernel/clock.js';
import { Ids, isUuid } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import { isWebhookType, webhookTypes, type WebhookType } from './webhook-types.js';
import { webhookUrlFault, type WebhookUrlRules } from './webhook-url.js';

/** Where an application wants its webhooks. The secret is not part of it. */
export interface WebhookEndpoint {
  id: string;
  url: string;
  /** What it asked for; null for everything. */
  events: WebhookType[] | null;
  createdAt: Instant;
  /** Since when nothing is sent there, because it answered 410; null while it is in use. */
  disabledAt: Instant | null;
}

/** What a delivery needs. */
export interface WebhookTarget {
  url: string;
  /** Each of them signs; the newest first. */
  secrets: string[];
}

interface Row {
  id: string;
  url: string;
  events: WebhookType[] | null;
  created_at: Instant;
  disabled_at: Instant | null;
}

const maxPerApplication = 20;
const rotationMinutes = 24 * 60;
const secretBytes = 32;
const columns = 'id, url, events, created_at, disabled_at';

const endpointOf = (row: Row): WebhookEndpoint => ({
  id: row.id,
  url: row.url,
  events: row.events,
  createdAt: row.created_at,
  disabledAt: row.disabled_at,
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
    const events = this.checked(url, given.events);
    const secret = newSecret();
    const text = `insert into webhook_endpoint (id, application_id, url, events, secret, created_at)
      select $1, $2, $3, $4, $5, $6 where (select count(*) from webhook_endpoint where application_id = $2) < $7
      returning ${columns}`;
    const values = [this.ids.next(), applicationId, url, events, secret, this.clock.now(), maxPerApplication];
    const { rows } = await this.pool.query<Row>(text, values);
    if (!rows[0])
      throw new Refusal('conflict', `An application has at most ${String(maxPerApplication)} webhook endpoints.`);
    return { ...endpointOf(rows[0]), secret };
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

  /** Changes what is given and puts a disabled endpoint to use again. Null where there is none. Throws as `create`. */
  async update(
    applicationId: string,
    id: string,
    change: { url?: string; events?: readonly string[] | null },
  ): Promise<WebhookEndpoint | null> {
    const current = await this.get(applicationId, id);
    if (!current) return null;
    const url = change.url ?? current.url;
    const events = this.checked(url, change.events === undefined ? current.events : change.events);
    const text = `update webhook_endpoint set url = $3, events = $4, disabled_at = null
      where application_id = $1 and id = $2 returning ${columns}`;
    const { rows } = await this.pool.query<Row>(text, [applicationId, id, url, events]);
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

  /** False where there was none. Deliveries that wait for it are dropped when they are due. */
  async remove(applicationId: string, id: string): Promise<boolean> {
    if (!isUuid(id)) return false;
    const { rowCount } = await this.pool.query('delete from webhook_endpoint where application_id = $1 and id = $2', [
      applicationId,
      id,
    ]);
    return rowCount === 1;
  }

  /** The endpoints in use that want webhooks of this type. */
  async endpointsFor(tx: PoolClient, applicationId: string, type: WebhookType): Promise<string[]> {
    const text = `select id from webhook_endpoint where application_id = $1 and disabled_at is null
      and (events is null or cardinality(events) = 0 or $2 = any(events)) order by id`;
    const { rows } = await tx.query<{ id: string }>({
      name: 'webhook-endpoints-for',
      text,
      values: [applicationId, type],
    });
    return rows.map((row) => row.id);
  }

  /** Where and how to deliver; null for an endpoint that is gone or disabled. */
  async target(id: string): Promise<WebhookTarget | null> {
    const text = `select url, secret, case when previous_secret_until > $2 then previous_secret end as previous
      from webhook_endpoint where id = $1 and disabled_at is null`;
    const { rows } = await this.pool.query<{ url: string; secret: string; previous: string | null }>(text, [
      id,
      this.clock.now(),
    ]);
    const [row] = rows;
    return row ? { url: row.url, secrets: [row.secret, ...(row.previous === null ? [] : [row.previous])] } : null;
  }

  /** Sends nothing there any more. */
  async disable(tx: PoolClient, id: string): Promise<void> {
    await tx.query('update webhook_endpoint set disabled_at = $2 where id = $1 and disabled_at is null', [
      id,
      this.clock.now(),
    ]);
  }

  private checked(url: string, events: readonly string[] | null): WebhookType[] | null {
    const fault = webhookUrlFault(url, this.rules);
    if (fault !== null) throw new Refusal('invalid_request', `The URL ${fault}.`, [{ pointer: '/url', detail: fault }]);
    if (events === null) return null;
    const known = events.filter(isWebhookType);
    if (known.length === events.length) return [...new Set(known)];
    const errors = events.flatMap((event, at) =>
      isWebhookType(event)
        ? []
        : [{ pointer: `/events/${String(at)}`, detail: `must be one of ${webhookTypes.join(', ')}` }],
    );
    throw new Refusal('invalid_request', 'An event is not known.', errors.slice(0, 20));
  }
}

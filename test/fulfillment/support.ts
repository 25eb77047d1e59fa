import { randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { JsonObject } from '../../src/kernel/json.js';
import { addMinutes } from '../../src/kernel/clock.js';
import { EndpointStreams } from '../../src/fulfillment/endpoint-streams.pg.js';
import { FulfillmentReactor } from '../../src/fulfillment/fulfillment.job.js';
import { FulfillmentStreams } from '../../src/fulfillment/fulfillment-streams.pg.js';
import { fulfillmentStreamOf } from '../../src/fulfillment/fulfillment.js';
import { WebhookDelivery } from '../../src/fulfillment/webhook-delivery.job.js';
import { WebhookEndpoints } from '../../src/fulfillment/webhook-endpoints.pg.js';
import { WebhookOutbox } from '../../src/fulfillment/webhook-outbox.pg.js';
import { WebhookReactor } from '../../src/fulfillment/webhook.job.js';
import { WebhookClient } from '../../src/fulfillment/webhook.client.js';
import { defaultPolicy } from '../../src/payments/policy.js';
import type { PaymentEvent } from '../../src/payments/payment.js';
import { SystemClock } from '../../src/platform/clock.js';
import { EventStore } from '../../src/platform/event-store/event-store.pg.js';
import { LogReader } from '../../src/platform/event-store/log-reader.pg.js';
import { RandomIds } from '../../src/platform/ids.js';
import { Follower } from '../../src/platform/subscriptions/follower.pg.js';
import type { Reactor } from '../../src/platform/subscriptions/projection.js';
import { testDatabase, type TestDatabase } from '../support/database.js';

/** Waits until `condition` gives something; fails with `what` after the bound. */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  withinMs = 10_000,
): Promise<NonNullable<T>> {
  for (const deadline = Date.now() + withinMs; ; await delay(15)) {
    const value = await condition();
    if (value !== null && value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`not within ${String(withinMs)} ms: ${what}`);
  }
}

export interface Received {
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** An application's own HTTP server. */
export class Receiver {
  readonly requests: Received[] = [];
  answer: (response: ServerResponse, received: Received) => void = (response) => response.end();
  private readonly server: Server;

  constructor(listener?: RequestListener) {
    this.server = createServer(
      listener ??
        ((request, response) => {
          const chunks: Buffer[] = [];
          request.on('data', (chunk: Buffer) => chunks.push(chunk));
          request.on('end', () => {
            const received = {
              url: request.url ?? '',
              headers: plainHeaders(request.headers),
              body: Buffer.concat(chunks).toString(),
            };
            this.requests.push(received);
            response.on('error', () => undefined);
            this.answer(response, received);
          });
        }),
    );
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${String(this.port)}/hooks`;
  }

  /** What arrived at a path, in the order of arrival. */
  typesAt(path: string): string[] {
    return this.requests
      .filter(({ url }) => url === path)
      .map(({ body }) => (JSON.parse(body) as { type: string }).type);
  }

  /** The different messages that arrived. */
  get messageIds(): string[] {
    return [...new Set(this.requests.map((request) => request.headers['webhook-id'] ?? ''))];
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const plainHeaders = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

interface HealthRow {
  failures: number;
  failing_since: string | null;
  paused_until: string | null;
  warned_at: string | null;
  disabled_at: string | null;
  disabled_reason: string | null;
}

interface DeliveryRow {
  endpoint_id: string;
  sequence: number;
  type: string;
  status: string;
  attempts: number;
  due_at: string | null;
}

/** Everything of this part over a real database, wired as the service wires it. */
export class World {
  readonly applicationId = new RandomIds().next();
  readonly clock = new SystemClock();
  readonly ids = new RandomIds();
  readonly store: EventStore;
  readonly outbox: WebhookOutbox;
  readonly endpoints: WebhookEndpoints;
  readonly streams: FulfillmentStreams;
  readonly fulfillment: FulfillmentReactor;
  readonly webhooks: WebhookReactor;
  readonly publicUrl = 'https://pay.example.com';
  private readonly rules = { sandbox: true, publicUrl: this.publicUrl };
  private readonly followers: Follower[] = [];
  private readonly clients: WebhookClient[] = [];
  private readonly workers: WebhookDelivery[] = [];
  private readonly ticks: NodeJS.Timeout[] = [];

  private constructor(readonly database: TestDatabase) {
    this.store = new EventStore({ url: database.url, maxConnections: 3 });
    this.endpoints = new WebhookEndpoints(database.pool, this.clock, this.ids, this.rules);
    this.streams = new FulfillmentStreams(this.store, this.clock, this.ids);
    this.fulfillment = new FulfillmentReactor(this.store, this.streams, this.clock);
    this.outbox = new WebhookOutbox(database.pool, this.clock, this.ids);
    this.webhooks = new WebhookReactor(this.store, this.outbox, this.clock, this.publicUrl);
  }

  static async open(): Promise<World> {
    const world = new World(await testDatabase());
    await world.database.pool.query('insert into application (id, name, created_at) values ($1, $2, now())', [
      world.applicationId,
      'shop',
    ]);
    return world;
  }

  /** A worker of its own; it does nothing by itself. */
  delivery(timeoutMs = 1000): WebhookDelivery {
    const client = new WebhookClient({ ...this.rules, userAgent: 'Finality/0.1.0', timeoutMs });
    this.clients.push(client);
    const endpoints = new EndpointStreams(this.store, this.clock);
    const delivery = new WebhookDelivery(this.outbox, client, this.streams, endpoints, this.clock);
    this.workers.push(delivery);
    return delivery;
  }

  /** Starts a worker that looks for due deliveries, as the service does but more often. */
  startDelivery(timeoutMs = 1000): WebhookDelivery {
    const delivery = this.delivery(timeoutMs);
    this.ticks.push(setInterval(() => void delivery.tick(), 20));
    return delivery;
  }

  follow(...reactors: Reactor[]): void {
    for (const reactor of reactors) {
      const follower = new Follower(
        {
          pool: this.database.pool,
          log: new LogReader(this.database.pool),
          appends: this.store,
          options: { idleMs: 20, retryMs: 10 },
        },
        reactor,
      );
      follower.start();
      this.followers.push(follower);
    }
  }

  async unfollow(): Promise<void> {
    await Promise.all(this.followers.splice(0).map((follower) => follower.stop()));
  }

  /** One that wants to be asked for goods only, unless it says otherwise; null stands for everything. */
  endpoint(url: string, events: string[] | null = ['fulfillment.requested']) {
    return this.endpoints.create({ applicationId: this.applicationId, url, events });
  }

  /** A payment that is paid, and confirmed by the gateway's own answer unless `corroborated` is false. */
  async paidPayment({ corroborated = true } = {}): Promise<string> {
    const id = this.ids.next();
    await this.append(
      id,
      corroborated ? [...paidEvents(id, this.applicationId), corroboration()] : paidEvents(id, this.applicationId),
    );
    return id;
  }

  async append(id: string, events: PaymentEvent[]): Promise<void> {
    const { head } = await this.store.read(id);
    await this.store.append({
      streamId: id,
      head,
      events: events.map(({ type, data }) => ({
        id: this.ids.next(),
        type,
        schemaVersion: 1,
        data: data as unknown as JsonObject,
      })),
      metadata: {
        tenant: this.applicationId,
        actor: 'gateway',
        correlationId: randomUUID(),
        causationId: randomUUID(),
        recordedAt: this.clock.now(),
      },
    });
  }

  /** The types of the events in a payment's fulfilment stream. */
  async story(paymentId: string): Promise<string[]> {
    return (await this.store.read(fulfillmentStreamOf(paymentId))).events.map(({ type }) => type);
  }

  async status(paymentId: string): Promise<string | null> {
    return (await this.streams.load(paymentId)).fulfillment?.status ?? null;
  }

  async attempts(
    paymentId: string,
  ): Promise<{ attempt: number; outcome: string; status: number | null; answer: string | null; message_id: string }[]> {
    const text =
      'select attempt, outcome, status, answer, message_id from webhook_attempt where payment_id = $1 order by attempt';
    return (
      await this.database.pool.query<{
        attempt: number;
        outcome: string;
        status: number | null;
        answer: string | null;
        message_id: string;
      }>(text, [paymentId])
    ).rows;
  }

  /** Deliveries that wait, due or not. */
  async waiting(): Promise<number> {
    return (await this.database.pool.query(`select 1 from webhook_delivery where status = 'waiting'`)).rows.length;
  }

  /** Resolves once nothing is under way, and nothing is due but what waits for a paused endpoint. */
  async quiet(): Promise<void> {
    const text = `select 1 from webhook_delivery d left join webhook_endpoint e on e.id = d.endpoint_id and e.disabled_at is null
      where d.leased_until > $1 or d.due_at <= $1 and (e.paused_until is null or e.paused_until <= $1)`;
    await eventually(
      'nothing is due or under way',
      async () => (await this.database.pool.query(text, [this.clock.now()])).rows.length === 0,
    );
  }

  /** How an endpoint fares. */
  async health(id: string): Promise<HealthRow> {
    const text = `select failures, failing_since, paused_until, warned_at, disabled_at, disabled_reason
      from webhook_endpoint where id = $1`;
    const { rows } = await this.database.pool.query<HealthRow>(text, [id]);
    if (!rows[0]) throw new Error(`there is no endpoint ${id}`);
    return rows[0];
  }

  /** A payment's deliveries in their order. */
  async deliveries(paymentId: string): Promise<DeliveryRow[]> {
    const text = `select endpoint_id, sequence, type, status, attempts, due_at from webhook_delivery
      where payment_id = $1 order by endpoint_id, sequence`;
    return (await this.database.pool.query<DeliveryRow>(text, [paymentId])).rows;
  }

  /** When the next attempt is due. */
  async nextDue(): Promise<string | null> {
    const text = 'select min(due_at) as due from webhook_delivery where leased_until is null';
    return (await this.database.pool.query<{ due: string | null }>(text)).rows[0]?.due ?? null;
  }

  async close(): Promise<void> {
    await this.unfollow();
    for (const tick of this.ticks) clearInterval(tick);
    await Promise.all(this.workers.map((delivery) => delivery.stop()));
    for (const client of this.clients) client.onApplicationShutdown();
    await this.store.close();
    await this.database.drop();
  }
}

const at = '2026-01-31T12:00:00.000Z';

export const corroboration = (): PaymentEvent => ({ type: 'PaymentCorroborated', data: { transfers: [], at } });

export const paidEvents = (id: string, applicationId: string): PaymentEvent[] => [
  {
    type: 'PaymentRequested',
    data: {
      id,
      applicationId,
      orderId: `order-${id.slice(-6)}`,
      amount: '49.90',
      currency: 'USD',
      customerId: null,
      description: 'Two tickets',
      email: null,
      returnUrl: null,
      lifetimeMinutes: 60,
      policy: defaultPolicy,
      metadata: {},
      statusToken: 'token',
      sandbox: true,
      requestedAt: at,
    },
  },
  {
    type: 'InvoiceOpened',
    data: {
      trackId: '184747701',
      paymentUrl: 'https://pay.oxapay.com/1',
      expiresAt: addMinutes(at, 60),
      adopted: false,
      at,
    },
  },
  { type: 'GatewayReported', data: { status: 'paid', valueUsd: '49.90', witness: 'callback', at } },
  { type: 'PaymentPaid', data: { clause: 'paidWhen', late: false, witness: 'callback', at } },
];

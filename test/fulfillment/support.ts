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
import { FulfillmentReactor, WebhookReactor } from '../../src/fulfillment/fulfillment.job.js';
import { FulfillmentStreams } from '../../src/fulfillment/fulfillment-streams.pg.js';
import { fulfillmentStreamOf } from '../../src/fulfillment/fulfillment.js';
import { WebhookDelivery, deliverWebhookTask } from '../../src/fulfillment/webhook-delivery.job.js';
import { WebhookEndpoints } from '../../src/fulfillment/webhook-endpoints.pg.js';
import { WebhookClient } from '../../src/fulfillment/webhook.client.js';
import { defaultPolicy } from '../../src/payments/policy.js';
import type { PaymentEvent } from '../../src/payments/payment.js';
import { SystemClock } from '../../src/platform/clock.js';
import { EventStore } from '../../src/platform/event-store/event-store.pg.js';
import { LogReader } from '../../src/platform/event-store/log-reader.pg.js';
import { RandomIds } from '../../src/platform/ids.js';
import { Jobs } from '../../src/platform/jobs/jobs.pg.js';
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

/** Everything of this part over a real database, wired as the service wires it. */
export class World {
  readonly applicationId = new RandomIds().next();
  readonly clock = new SystemClock();
  readonly ids = new RandomIds();
  readonly store: EventStore;
  readonly jobs: Jobs;
  readonly endpoints: WebhookEndpoints;
  readonly streams: FulfillmentStreams;
  readonly fulfillment: FulfillmentReactor;
  readonly webhooks: WebhookReactor;
  readonly publicUrl = 'https://pay.example.com';
  private readonly rules = { sandbox: true, publicUrl: this.publicUrl };
  private readonly followers: Follower[] = [];
  private readonly clients: WebhookClient[] = [];

  private constructor(readonly database: TestDatabase) {
    this.store = new EventStore({ url: database.url, maxConnections: 3 });
    this.jobs = new Jobs({ url: database.url, concurrency: 4, pollIntervalMs: 50 });
    this.endpoints = new WebhookEndpoints(database.pool, this.clock, this.ids, this.rules);
    this.streams = new FulfillmentStreams(this.store, this.clock, this.ids);
    this.fulfillment = new FulfillmentReactor(this.store, this.streams, this.clock);
    this.webhooks = new WebhookReactor(this.store, this.endpoints, this.jobs, this.publicUrl);
  }

  static async open(): Promise<World> {
    const world = new World(await testDatabase());
    await world.jobs.migrate();
    await world.database.pool.query('insert into application (id, name, created_at) values ($1, $2, now())', [
      world.applicationId,
      'shop',
    ]);
    return world;
  }

  delivery(timeoutMs = 1000): WebhookDelivery {
    const client = new WebhookClient({ ...this.rules, userAgent: 'Finality/0.1.0', timeoutMs });
    this.clients.push(client);
    return new WebhookDelivery(this.database.pool, this.endpoints, client, this.jobs, this.streams, this.clock);
  }

  async startJobs(timeoutMs = 1000): Promise<void> {
    await this.jobs.start({ [deliverWebhookTask]: this.delivery(timeoutMs).task });
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

  endpoint(url: string, events: string[] | null = null) {
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

  async waitingJobs(): Promise<number> {
    return (await this.database.pool.query('select 1 from graphile_worker.jobs')).rows.length;
  }

  async close(): Promise<void> {
    await this.unfollow();
    await this.jobs.stop();
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

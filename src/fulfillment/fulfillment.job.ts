import { Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { Clock } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { Ids } from '../kernel/ids.js';
import { fold, foldPayment } from '../payments/payment-stream.js';
import type { PaymentEvent } from '../payments/payment.js';
import { isFulfillable } from '../payments/standing.js';
import { viewPayment } from '../payments/payment-view.js';
import { EventStore, type Stream } from '../platform/event-store/event-store.pg.js';
import { Jobs } from '../platform/jobs/jobs.pg.js';
import type { Reactor } from '../platform/subscriptions/projection.js';
import {
  fulfillmentStreamOf,
  readFulfillmentEvent,
  requestFulfillment,
  type FulfillmentRequest,
} from './fulfillment.js';
import { FulfillmentStreams, type FulfillmentDecision } from './fulfillment-streams.pg.js';
import { addDelivery } from './webhook-delivery.job.js';
import { WebhookEndpoints } from './webhook-endpoints.pg.js';

// After these a payment may have become fulfillable; its stream says whether it has.
const openingTypes: ReadonlySet<string> = new Set<PaymentEvent['type']>([
  'PaymentCorroborated',
  'ReviewWithdrawn',
  'ReviewResolved',
  'CreditApplied',
]);
const streamsAtOnce = 100;

/** Asks for fulfilment once per payment that has become fulfillable, whatever is repeated and whoever else runs. */
@Injectable()
export class FulfillmentReactor implements Reactor {
  readonly kind = 'reactor';
  readonly name = 'fulfillment';

  constructor(
    private readonly store: EventStore,
    private readonly streams: FulfillmentStreams,
    private readonly clock: Clock,
    private readonly ids: Ids,
  ) {}

  async react(_tx: PoolClient, events: readonly RecordedEvent[]): Promise<void> {
    const last = new Map(events.filter(({ type }) => openingTypes.has(type)).map((event) => [event.streamId, event]));
    const causes = [...last.values()];
    for (let at = 0; at < causes.length; at += streamsAtOnce) await this.request(causes.slice(at, at + streamsAtOnce));
  }

  private async request(causes: readonly RecordedEvent[]): Promise<void> {
    const ids = causes.map((cause) => cause.streamId);
    const streams = await this.store.readMany([...ids, ...ids.map(fulfillmentStreamOf)]);
    // Together, so that the store writes them in a few statements.
    await Promise.all(
      causes.map(async (cause) => {
        const fulfillment = streams.get(fulfillmentStreamOf(cause.streamId));
        const asked = fulfillment !== undefined && fulfillment.events.length > 0;
        if (!asked && isReady(streams.get(cause.streamId))) await this.ask(cause, fulfillment);
      }),
    );
  }

  /** Its own commit, ahead of the checkpoint's: seen again, the stream is there and nothing is added. */
  private async ask({ id, streamId, tenant, correlationId }: RecordedEvent, known: Stream | undefined): Promise<void> {
    const request = { paymentId: streamId, messageId: this.ids.next(), sequence: 1 };
    const cause = { actor: 'service', correlationId, causationId: id };
    const decision: FulfillmentDecision = (fulfillment) => requestFulfillment(fulfillment, request, this.clock.now());
    await this.streams.decide(streamId, tenant, cause, decision, known);
  }
}

function isReady(stream: Stream | undefined): boolean {
  const payment = fold(stream?.events ?? []);
  return payment !== null && isFulfillable(payment);
}

/** Turns what applications are to hear into one job per endpoint, committed with the checkpoint: none lost, none twice. */
@Injectable()
export class WebhookReactor implements Reactor {
  readonly kind = 'reactor';
  readonly name = 'webhooks';

  constructor(
    private readonly store: EventStore,
    private readonly endpoints: WebhookEndpoints,
    private readonly jobs: Jobs,
    private readonly publicUrl: string,
  ) {}

  async react(tx: PoolClient, events: readonly RecordedEvent[]): Promise<void> {
    for (const event of events) {
      if (event.type !== 'FulfillmentRequested') continue;
      const read = readFulfillmentEvent(event);
      if (read.type === 'FulfillmentRequested') await this.announce(tx, event, read.data);
    }
  }

  private async announce(
    tx: PoolClient,
    event: RecordedEvent,
    { paymentId, messageId, sequence }: FulfillmentRequest,
  ): Promise<void> {
    const type = 'fulfillment.requested';
    const { tenant: applicationId, correlationId, recordedAt } = event;
    const endpointIds = await this.endpoints.endpointsFor(tx, applicationId, type);
    if (endpointIds.length === 0) return;
    const stream = await this.store.read(paymentId);
    const view = viewPayment(foldPayment(stream.events), stream.head.version, this.publicUrl);
    const body = JSON.stringify({ type, timestamp: recordedAt, data: { ...view, sequence } });
    for (const endpointId of endpointIds) {
      await addDelivery(this.jobs, tx, { messageId, endpointId, paymentId, applicationId, correlationId, type, body });
    }
  }
}

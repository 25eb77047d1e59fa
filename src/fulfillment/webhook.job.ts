import { Injectable } from '@nestjs/common';
import { SpanKind } from '@opentelemetry/api';
import type { PoolClient } from 'pg';
import { Clock } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { foldPayment } from '../payments/payment-stream.js';
import type { Payment } from '../payments/payment.js';
import { viewPayment } from '../payments/payment-view.js';
import { EventStore, type Stream } from '../platform/event-store/event-store.pg.js';
import { mark } from '../platform/spans.js';
import { afterEvent } from '../platform/trace-context.js';
import type { Reactor } from '../platform/subscriptions/projection.js';
import { announcementsIn, mayAnnounce } from './announcements.js';
import type { NewWebhook } from './delivery.js';
import { foldFulfillment, isFulfillmentEvent, paymentOfFulfillment, readFulfillmentEvent } from './fulfillment.js';
import { webhookIdOf } from './webhook-id.js';
import { WebhookOutbox, type Subscriber } from './webhook-outbox.pg.js';
import type { WebhookType } from './webhook-types.js';

const streamsAtOnce = 100;

/** What a webhook tells of, before it has its number and its receivers. */
interface Told {
  id: string;
  type: WebhookType;
  event: RecordedEvent;
  payment: Payment;
  version: number;
}

/**
 * Turns what applications are to hear into webhooks for their endpoints, committed with the checkpoint: none lost, none
 * twice. Nothing is read for an application without an endpoint.
 */
@Injectable()
export class WebhookReactor implements Reactor {
  readonly kind = 'reactor';
  readonly name = 'webhooks';

  constructor(
    private readonly store: EventStore,
    private readonly outbox: WebhookOutbox,
    private readonly clock: Clock,
    private readonly publicUrl: string,
  ) {}

  concerns(event: RecordedEvent): boolean {
    return isFulfillmentEvent(event) || mayAnnounce(event);
  }

  async react(tx: PoolClient, events: readonly RecordedEvent[]): Promise<void> {
    const telling = events.filter((event) => event.type === 'FulfillmentRequested' || mayAnnounce(event));
    if (telling.length > 0) await this.tell(tx, telling);
    for (const event of events) if (isFulfillmentEvent(event)) await this.steer(tx, event);
  }

  /** Keeps the request for the goods in step with whether it is still to be made. */
  private async steer(tx: PoolClient, event: RecordedEvent): Promise<void> {
    const read = readFulfillmentEvent(event);
    const now = this.clock.now();
    if (read.type === 'FulfillmentStopped') await this.outbox.cancel(tx, read.data.messageId, now);
    if (read.type === 'FulfillmentResumed') await this.outbox.resume(tx, read.data.messageId, now);
    // Who has reported by the API is not asked again by a webhook that is late.
    if (read.type === 'FulfillmentReported' && read.data.via === 'api') {
      const { events } = await this.store.read(event.streamId);
      const request = foldFulfillment(events)?.request;
      if (request) await this.outbox.cancel(tx, request.messageId, now);
    }
  }

  private async tell(tx: PoolClient, events: readonly RecordedEvent[]): Promise<void> {
    const subscribers = await this.outbox.subscribers(tx, [...new Set(events.map(({ tenant }) => tenant))]);
    const wanted = events.filter(({ tenant }) => subscribers.has(tenant));
    const upTo = positionsOf(wanted);
    const paymentIds = [...upTo.keys()];
    const told: Told[] = [];
    for (let at = 0; at < paymentIds.length; at += streamsAtOnce) {
      const ids = paymentIds.slice(at, at + streamsAtOnce);
      const streams = await this.store.readUpTo(new Map(ids.map((id) => [id, upTo.get(id) ?? Infinity])));
      told.push(...toldBy(streams, wanted));
    }
    told.sort((a, b) => a.event.position - b.event.position);
    const webhooks = told.map((each) => this.webhookOf(each, subscribers.get(each.event.tenant) ?? []));
    // Its locks keep deliveries from ending until the commit: it comes last.
    await this.outbox.add(tx, webhooks);
  }

  private webhookOf({ id, type, event, payment, version }: Told, subscribers: readonly Subscriber[]): NewWebhook {
    const { tenant: applicationId, correlationId, recordedAt: createdAt } = event;
    const view = viewPayment(payment, version, this.publicUrl);
    const endpointIds = subscribers.filter(({ events }) => events?.includes(type) ?? true).map(({ id }) => id);
    if (endpointIds.length > 0) mark(`webhook ${type}`, id, { of: afterEvent(event), kind: SpanKind.PRODUCER });
    return {
      id,
      applicationId,
      paymentId: payment.terms.id,
      type,
      correlationId,
      createdAt,
      body: (sequence) => JSON.stringify({ type, timestamp: createdAt, data: { ...view, sequence } }),
      endpointIds,
    };
  }
}

/** The payment that an event tells of. */
const subjectOf = ({ type, streamId }: RecordedEvent): string =>
  type === 'FulfillmentRequested' ? paymentOfFulfillment(streamId) : streamId;

/** How far each payment has to be read that these events tell of: to its end where its fulfilment tells of it. */
const positionsOf = (events: readonly RecordedEvent[]): Map<string, number> => {
  const positions = new Map<string, number>();
  for (const event of events) {
    const position = event.type === 'FulfillmentRequested' ? Infinity : event.position;
    positions.set(subjectOf(event), Math.max(position, positions.get(subjectOf(event)) ?? 0));
  }
  return positions;
};

/** What these of the events tell of these payments. Several told by one event keep their order. */
function toldBy(streams: ReadonlyMap<string, Stream>, events: readonly RecordedEvent[]): Told[] {
  const byId = new Map(events.map((event) => [event.id, event]));
  const ids = new Set(byId.keys());
  const told = [...streams].flatMap(([paymentId, stream]) =>
    announcementsIn(stream.events, ids).flatMap(({ type, number, eventId, payment, version }): Told[] => {
      const event = byId.get(eventId);
      return event ? [{ id: webhookIdOf(paymentId, type, number), type, event, payment, version }] : [];
    }),
  );
  const asked = events.flatMap((event): Told[] => {
    const stream = streams.get(subjectOf(event));
    if (event.type !== 'FulfillmentRequested' || !stream) return [];
    const read = readFulfillmentEvent(event);
    if (read.type !== 'FulfillmentRequested') return [];
    const before = stream.events.filter(({ position }) => position < event.position);
    const version = before.at(-1)?.version ?? 0;
    const { messageId: id } = read.data;
    return [{ id, type: 'fulfillment.requested', event, payment: foldPayment(before), version }];
  });
  return [...told, ...asked];
}

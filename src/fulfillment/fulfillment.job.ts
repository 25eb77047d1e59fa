import { Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { Clock } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { fold } from '../payments/payment-stream.js';
import type { Payment, PaymentEvent } from '../payments/payment.js';
import { isFulfillable } from '../payments/standing.js';
import { verdictOf } from '../payments/verdict.js';
import { EventStore, type Stream } from '../platform/event-store/event-store.pg.js';
import { inSpan } from '../platform/spans.js';
import { afterEvent } from '../platform/trace-context.js';
import type { Reactor } from '../platform/subscriptions/projection.js';
import { fulfillmentStreamOf, requestFulfillment, resumeFulfillment, stopFulfillment } from './fulfillment.js';
import { FulfillmentStreams } from './fulfillment-streams.pg.js';
import { webhookIdOf } from './webhook-id.js';

// After these a payment may have become good for the goods, or have ceased to be; its stream says which.
const turningTypes: ReadonlySet<string> = new Set<PaymentEvent['type']>([
  'PaymentCorroborated',
  'CorroborationWaived',
  'ReviewOpened',
  'ReviewWithdrawn',
  'ReviewResolved',
  'CreditApplied',
  'CreditGranted',
  'CreditReleased',
  'RefundRequested',
  'RefundFailed',
]);
const streamsAtOnce = 100;

/** Whether an event may turn a payment good or bad for the goods. Most of the gateway's words do not. */
function isTurning(event: RecordedEvent): boolean {
  if (turningTypes.has(event.type)) return true;
  if (event.type !== ('GatewayReported' satisfies PaymentEvent['type'])) return false;
  const status = event.data['status'];
  return status === 'refunding' || status === 'refunded';
}

/**
 * Asks for fulfilment once per payment that has become fulfillable, and stops asking where a refund or a conflict comes
 * between, whatever is repeated and whoever else runs.
 */
@Injectable()
export class FulfillmentReactor implements Reactor {
  readonly kind = 'reactor';
  readonly name = 'fulfillment';

  constructor(
    private readonly store: EventStore,
    private readonly streams: FulfillmentStreams,
    private readonly clock: Clock,
  ) {}

  concerns(event: RecordedEvent): boolean {
    return isTurning(event);
  }

  async react(_tx: PoolClient, events: readonly RecordedEvent[]): Promise<void> {
    const last = new Map(events.filter(isTurning).map((event) => [event.streamId, event]));
    const causes = [...last.values()];
    for (let at = 0; at < causes.length; at += streamsAtOnce) await this.turn(causes.slice(at, at + streamsAtOnce));
  }

  private async turn(causes: readonly RecordedEvent[]): Promise<void> {
    const ids = causes.map((cause) => cause.streamId);
    const [payments, fulfillments] = await Promise.all([
      this.store.readUpTo(new Map(causes.map(({ streamId, position }) => [streamId, position]))),
      this.store.readMany(ids.map(fulfillmentStreamOf)),
    ]);
    // Together, so that the store writes them in a few statements.
    await Promise.all(
      causes.map(async (cause) => {
        const payment = fold(payments.get(cause.streamId)?.events ?? []);
        const known = fulfillments.get(fulfillmentStreamOf(cause.streamId));
        const asked = known !== undefined && known.events.length > 0;
        if (payment !== null && (asked || isFulfillable(payment)))
          await inSpan('fulfillment', { of: afterEvent(cause) }, () => this.decide(cause, payment, known));
      }),
    );
  }

  /** Its own commit, ahead of the checkpoint's: seen again, the stream is there and nothing is added. */
  private async decide(
    { id, streamId, tenant, correlationId }: RecordedEvent,
    payment: Payment,
    known: Stream | undefined,
  ): Promise<void> {
    const cause = { actor: 'service', correlationId, causationId: id };
    const { complete, blockedBy } = verdictOf(payment);
    await this.streams.decide(
      streamId,
      tenant,
      cause,
      (fulfillment) => {
        const now = this.clock.now();
        if (!complete) return stopFulfillment(fulfillment, blockedBy ?? 'unknown', now);
        const request = { paymentId: streamId, messageId: webhookIdOf(streamId, 'fulfillment.requested', 1) };
        return fulfillment === null
          ? requestFulfillment(fulfillment, request, now)
          : resumeFulfillment(fulfillment, now);
      },
      known,
    );
  }
}

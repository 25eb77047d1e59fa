import { Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { Clock } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import type { Reactor } from '../platform/subscriptions/projection.js';
import { decideAfter, type Claim } from './decisions.js';
import { PaymentStreams } from './payment-streams.pg.js';
import { readPaymentEvent } from './payment-stream.js';
import { evolve, type Payment, type PaymentEvent } from './payment.js';
import { remainderReview, settleRemainder, type RemainderOutcome } from './remainder.js';

function settledBy(payment: Payment, outcome: RemainderOutcome, claim: Claim): PaymentEvent[] {
  const events = decideAfter(payment, (current) => settleRemainder(current, outcome, claim.now), claim);
  const after = events.reduce<Payment | null>(evolve, payment);
  return events.length > 0 && after ? [...events, ...remainderReview(after, outcome, claim.now)] : events;
}

/** Tells a payment that is short how the one ended that collects its missing part. */
@Injectable()
export class RemainderReactor implements Reactor {
  readonly kind = 'reactor';
  readonly name = 'remainders';

  constructor(
    private readonly streams: PaymentStreams,
    private readonly clock: Clock,
  ) {}

  concerns({ type }: RecordedEvent): boolean {
    return type === ('RemainderConcluded' satisfies PaymentEvent['type']);
  }

  /** Its own commits, ahead of the checkpoint's: seen again, the outcome is known and nothing is added. */
  async react(_tx: PoolClient, events: readonly RecordedEvent[]): Promise<void> {
    for (const event of events) {
      if (!this.concerns(event)) continue;
      const read = readPaymentEvent(event);
      if (read.type === 'RemainderConcluded') await this.settle(event, read.data);
    }
  }

  private async settle(
    { id, streamId, correlationId }: RecordedEvent,
    { of, outcome, amount }: Extract<PaymentEvent, { type: 'RemainderConcluded' }>['data'],
  ): Promise<void> {
    const now = this.clock.now();
    const cause = { actor: 'service', correlationId, causationId: id };
    await this.streams.decide(of, cause, (payment, orderTaken) =>
      settledBy(payment, { paymentId: streamId, outcome, amount }, { witness: 'service', now, orderTaken }),
    );
  }
}

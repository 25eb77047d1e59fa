import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import type { RecordedEvent } from '../kernel/event.js';
import type { TaskHandler } from '../platform/jobs/jobs.pg.js';
import type { Reactor } from '../platform/subscriptions/projection.js';
import { isPaymentEvent, readPaymentEvent } from './payment-stream.js';
import { readLook, RefundLooks, type RefundLook } from './refund-looks.job.js';
import { RefundSender } from './refund-sender.handlers.js';

/** Has every refund looked at that was asked for or begun, by whomever: when its next step is due, the look itself says. */
export class RefundReactor implements Reactor {
  readonly kind = 'reactor';
  readonly name = 'refunds';

  constructor(private readonly looks: RefundLooks) {}

  concerns(event: RecordedEvent): boolean {
    return refundToLookAt(event) !== null;
  }

  async react(tx: PoolClient, events: readonly RecordedEvent[]): Promise<void> {
    const due = new Map<string, RefundLook>();
    for (const event of events) {
      const number = refundToLookAt(event);
      if (number === null) continue;
      const { streamId: paymentId, correlationId, id: causationId } = event;
      due.set(`${paymentId}:${String(number)}`, { paymentId, number, correlationId, causationId });
    }
    for (const look of due.values()) await this.looks.add(tx, look);
  }
}

function refundToLookAt(recorded: RecordedEvent): number | null {
  if (!isPaymentEvent(recorded)) return null;
  const event = readPaymentEvent(recorded);
  switch (event.type) {
    case 'RefundRequested':
    // A process that died after this one is noticed by the look.
    case 'RefundAttempted':
      return event.data.number;
    case 'RefundDelayed':
      // By the gateway, or by a person who found that it was not sent.
      return event.data.outcome === 'unavailable' ? event.data.number : null;
    default:
      return null;
  }
}

/** The task `refund`: one step of one refund, and the look that follows it. */
@Injectable()
export class RefundJob {
  constructor(
    @Inject(RefundSender) private readonly sender: RefundSender,
    @Inject(RefundLooks) private readonly looks: RefundLooks,
  ) {}

  /** A look that follows is a job of its own, so that none runs out of attempts but by failures of its own. */
  readonly task: TaskHandler = async (payload) => {
    const look = readLook(payload);
    const { paymentId, number, correlationId, causationId } = look;
    const nextMs = await this.sender.step(paymentId, number, { actor: 'service', correlationId, causationId });
    if (nextMs !== null) await this.looks.schedule(look, nextMs);
  };
}

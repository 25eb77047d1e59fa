import { Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { Clock } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { fold } from '../payments/payment-stream.js';
import { ReviewDesk } from '../payments/review-desk.js';
import { isFulfillable, isHeld } from '../payments/standing.js';
import { EventStore } from '../platform/event-store/event-store.pg.js';
import type { Jobs, NewJob, TaskHandler } from '../platform/jobs/jobs.pg.js';
import type { Reactor } from '../platform/subscriptions/projection.js';
import {
  foldFulfillment,
  giveUpFulfillment,
  isFulfillmentEvent,
  paymentOfFulfillment,
  readFulfillmentEvent,
  type FulfillmentEvent,
} from './fulfillment.js';
import { FulfillmentStreams } from './fulfillment-streams.pg.js';

export const fulfillmentDeadlineTask = 'fulfillment_deadline';

const dayMs = 24 * 3_600_000;
/** How long an application that answered "later" may take before a person is asked: as long as webhooks are tried. */
const promisedWithinMs = 3 * dayMs;
/** How long one may say nothing at all: longer than webhooks are tried, for who has no endpoint reports by the API. */
const answeredWithinMs = 4 * dayMs;

/** What the job of a deadline carries: how far the fulfilment was when it was set. */
interface Deadline {
  paymentId: string;
  status: 'requested' | 'accepted';
  correlationId: string;
  causationId: string;
}

/** Asks for a person where an application did not deliver, did not answer, or delivered what it should not have. */
@Injectable()
export class FulfillmentOutcomeReactor implements Reactor {
  readonly kind = 'reactor';
  readonly name = 'fulfillment_outcome';

  constructor(
    private readonly store: EventStore,
    private readonly desk: ReviewDesk,
    private readonly jobs: Pick<Jobs, 'add'>,
  ) {}

  concerns(event: RecordedEvent): boolean {
    return isFulfillmentEvent(event);
  }

  /** Its own commits, ahead of the checkpoint's: seen again, the desk knows the cause and nothing is added. */
  async react(tx: PoolClient, events: readonly RecordedEvent[]): Promise<void> {
    const deadlines: NewJob[] = [];
    for (const event of events) {
      const deadline = this.concerns(event) ? await this.reactTo(event) : null;
      if (deadline) deadlines.push(deadline);
    }
    await this.jobs.add(tx, fulfillmentDeadlineTask, deadlines);
  }

  /** The deadline that the event sets, where it sets one. */
  private async reactTo(event: RecordedEvent): Promise<NewJob | null> {
    const read = readFulfillmentEvent(event);
    const paymentId = paymentOfFulfillment(event.streamId);
    const why = { correlationId: event.correlationId, causationId: event.id };
    switch (read.type) {
      case 'FulfillmentRequested':
        return deadlineOf(event, paymentId, 'requested');
      case 'FulfillmentAccepted':
        await this.desk.withdraw(paymentId, 'fulfillment_unanswered', why);
        return deadlineOf(event, paymentId, 'accepted');
      case 'FulfillmentResumed':
        // The time that ran while it was stopped does not count, and its end may have gone by unheard.
        return this.deadlineAgain(event, paymentId);
      case 'FulfillmentUnanswered':
        await this.desk.ask(paymentId, 'fulfillment_unanswered', why);
        return null;
      case 'FulfillmentReported':
        await this.desk.withdraw(paymentId, 'fulfillment_unanswered', why);
        await this.reported(event, paymentId, read.data);
        return null;
      default:
        return null;
    }
  }

  /** The deadline that stood when it was stopped, from its beginning; null where none did. */
  private async deadlineAgain(event: RecordedEvent, paymentId: string): Promise<NewJob | null> {
    const { events } = await this.store.read(event.streamId);
    const status = foldFulfillment(events.filter(({ position }) => position <= event.position))?.status;
    return status === 'requested' || status === 'accepted' ? deadlineOf(event, paymentId, status) : null;
  }

  private async reported(
    event: RecordedEvent,
    paymentId: string,
    { outcome }: Extract<FulfillmentEvent, { type: 'FulfillmentReported' }>['data'],
  ): Promise<void> {
    const { good, held } = await this.standingAt(paymentId, event.position);
    const why = { correlationId: event.correlationId, causationId: event.id };
    // What is only held may be good again, and the application will not be asked a second time.
    if (outcome === 'rejected' && (good || held)) await this.desk.ask(paymentId, 'fulfillment_rejected', why);
    if (outcome === 'fulfilled' && !good) await this.desk.ask(paymentId, 'fulfilled_after_stop', why);
  }

  /** Whether the payment was good for the goods, or held, when the application spoke; what came after is another story. */
  private async standingAt(paymentId: string, position: number): Promise<{ good: boolean; held: boolean }> {
    const { events } = await this.store.read(paymentId);
    const payment = fold(events.filter((event) => event.position < position));
    return payment === null ? { good: false, held: false } : { good: isFulfillable(payment), held: isHeld(payment) };
  }
}

/** The job by which a person is asked where the fulfilment has not come further than this in its time. */
function deadlineOf(event: RecordedEvent, paymentId: string, status: Deadline['status']): NewJob {
  const payload: Deadline = { paymentId, status, correlationId: event.correlationId, causationId: event.id };
  const runAfterMs = status === 'accepted' ? promisedWithinMs : answeredWithinMs;
  return { payload, key: `fulfillment:${event.id}`, runAfterMs };
}

/** The task `fulfillment_deadline`: an answer, or the report that was promised, has not come in time. */
@Injectable()
export class FulfillmentDeadline {
  constructor(
    private readonly streams: FulfillmentStreams,
    private readonly clock: Clock,
  ) {}

  readonly task: TaskHandler = async (payload) => {
    const { paymentId, status, correlationId, causationId } = readDeadline(payload);
    const cause = { actor: 'service', correlationId, causationId };
    await this.streams.decide(paymentId, null, cause, (fulfillment) =>
      giveUpFulfillment(fulfillment, this.clock.now(), status),
    );
  };
}

function readDeadline(value: unknown): Deadline {
  const { paymentId, status, correlationId, causationId } = (value ?? {}) as Record<string, unknown>;
  const known = status === 'requested' || status === 'accepted';
  if (typeof paymentId !== 'string' || !known || typeof correlationId !== 'string' || typeof causationId !== 'string')
    throw new TypeError('the payload of a fulfilment deadline cannot be read');
  return { paymentId, status, correlationId, causationId };
}

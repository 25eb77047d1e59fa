import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Clock } from '../kernel/clock.js';
import { evolveFulfillment, reportFulfillment, requestFulfillment, type FulfillmentOutcome } from './fulfillment.js';
import { FulfillmentStreams, type DecidedFulfillment, type FulfillmentCause } from './fulfillment-streams.pg.js';
import { webhookIdOf } from './webhook-id.js';

/** The application reports by the API what became of a payment's goods. Whose payment it is, the caller has checked. */
export class ReportFulfillment {
  constructor(
    readonly paymentId: string,
    readonly outcome: FulfillmentOutcome,
    readonly reference: string | null,
    readonly note: string | null,
    readonly cause: FulfillmentCause,
    /** The application, where the payment may be fulfilled as of now; the report may then come before the request did. */
    readonly readyFor: string | null,
  ) {}
}

/** Throws `Refusal`: `not_fulfillable`, `fulfillment_already_reported`. */
@CommandHandler(ReportFulfillment)
export class ReportFulfillmentHandler implements ICommandHandler<ReportFulfillment, DecidedFulfillment> {
  constructor(
    @Inject(FulfillmentStreams) private readonly streams: FulfillmentStreams,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  execute({ paymentId, outcome, reference, note, cause, readyFor }: ReportFulfillment): Promise<DecidedFulfillment> {
    const report = { outcome, via: 'api', reference, note } as const;
    const request = { paymentId, messageId: webhookIdOf(paymentId, 'fulfillment.requested', 1) };
    return this.streams.decide(paymentId, readyFor, cause, (fulfillment) => {
      const now = this.clock.now();
      const asked = readyFor === null ? [] : requestFulfillment(fulfillment, request, now);
      return [...asked, ...reportFulfillment(asked.reduce(evolveFulfillment, fulfillment), report, now)];
    });
  }
}

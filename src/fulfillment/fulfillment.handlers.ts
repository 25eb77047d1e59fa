import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Clock } from '../kernel/clock.js';
import { reportFulfillment, type FulfillmentOutcome } from './fulfillment.js';
import { FulfillmentStreams, type DecidedFulfillment, type FulfillmentCause } from './fulfillment-streams.pg.js';

/** The application reports by the API what became of a payment's goods. Whose payment it is, the caller has checked. */
export class ReportFulfillment {
  constructor(
    readonly paymentId: string,
    readonly outcome: FulfillmentOutcome,
    readonly reference: string | null,
    readonly note: string | null,
    readonly cause: FulfillmentCause,
  ) {}
}

/** Throws `Refusal`: `not_fulfillable`, `fulfillment_already_reported`. */
@CommandHandler(ReportFulfillment)
export class ReportFulfillmentHandler implements ICommandHandler<ReportFulfillment, DecidedFulfillment> {
  constructor(
    @Inject(FulfillmentStreams) private readonly streams: FulfillmentStreams,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  execute({ paymentId, outcome, reference, note, cause }: ReportFulfillment): Promise<DecidedFulfillment> {
    const report = { outcome, via: 'api', reference, note } as const;
    return this.streams.decide(paymentId, null, cause, (fulfillment) =>
      reportFulfillment(fulfillment, report, this.clock.now()),
    );
  }
}

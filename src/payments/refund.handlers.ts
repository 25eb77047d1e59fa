import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Clock } from '../kernel/clock.js';
import { PaymentStreams, type Cause, type LoadedPayment } from './payment-streams.pg.js';
import { requestRefund, type RefundWish } from './refunds.js';

/** Asks for money of a payment to be sent back. */
export class RequestRefund {
  constructor(
    readonly id: string,
    readonly wish: RefundWish,
    readonly cause: Cause,
  ) {}
}

/**
 * Answers as soon as the request is recorded; the money is sent afterwards. Throws `Refusal`: `not_found` and those of
 * `requestRefund`.
 */
@CommandHandler(RequestRefund)
export class RequestRefundHandler implements ICommandHandler<RequestRefund, LoadedPayment> {
  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  execute({ id, wish, cause }: RequestRefund): Promise<LoadedPayment> {
    return this.streams.decide(id, cause, (payment) => requestRefund(payment, wish, this.clock.now()));
  }
}

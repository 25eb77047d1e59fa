import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Clock } from '../kernel/clock.js';
import { PaymentStreams, type Cause, type LoadedPayment } from './payment-streams.pg.js';
import { refundsOf } from './refund-schedule.js';
import type { Refund } from './refund.js';
import { requestRefund, type RefundWish } from './refunds.js';

/** Asks for money of a payment to be sent back. */
export class RequestRefund {
  constructor(
    readonly id: string,
    readonly wish: RefundWish,
    readonly cause: Cause,
  ) {}
}

export interface RequestedRefund extends LoadedPayment {
  refund: Refund;
}

/**
 * Answers as soon as the request is recorded; the money is sent afterwards. Throws `Refusal`: `not_found` and those of
 * `requestRefund`.
 */
@CommandHandler(RequestRefund)
export class RequestRefundHandler implements ICommandHandler<RequestRefund, RequestedRefund> {
  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  async execute({ id, wish, cause }: RequestRefund): Promise<RequestedRefund> {
    const decided = await this.streams.decide(id, cause, (payment) => requestRefund(payment, wish, this.clock.now()));
    const refund = refundsOf(decided.payment).at(-1);
    if (!refund) throw new Error(`the refund of payment ${id} was requested and is not there`);
    return { ...decided, refund };
  }
}

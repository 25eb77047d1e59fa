import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Clock } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { InvoiceOpener } from './invoice-opener.handlers.js';
import { cancel, giveUp } from './decisions.js';
import { Poll } from './gateway-event.handlers.js';
import { PaymentStreams, type Cause, type LoadedPayment } from './payment-streams.pg.js';
import { isReportable } from './payment.js';

/** Closes a payment that no money was seen for. */
export class CancelPayment {
  constructor(
    readonly id: string,
    readonly cause: Cause,
  ) {}
}

/** Throws `Refusal`: `not_found`, `money_was_seen`, `not_cancellable`. */
@CommandHandler(CancelPayment)
export class CancelPaymentHandler implements ICommandHandler<CancelPayment, LoadedPayment> {
  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  execute({ id, cause }: CancelPayment): Promise<LoadedPayment> {
    return this.streams.decide(id, cause, (payment) => cancel(payment, this.clock.now()));
  }
}

/** Asks the gateway about a payment now, and takes one that is not open yet a step further. */
export class Reconcile {
  constructor(
    readonly id: string,
    readonly cause: Cause,
    /** Whether this is the last look that anybody will take. */
    readonly last = false,
  ) {}
}

export interface Reconciled extends LoadedPayment {
  added: readonly RecordedEvent[];
}

/** Throws `Refusal('not_found')` and `GatewayUnavailable`. */
@CommandHandler(Reconcile)
export class ReconcileHandler implements ICommandHandler<Reconcile, Reconciled> {
  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(InvoiceOpener) private readonly opener: InvoiceOpener,
    @Inject(Poll) private readonly poll: Poll,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  async execute({ id, cause, last }: Reconcile): Promise<Reconciled> {
    const before = await this.streams.load(id);
    const opening = before.payment.status === 'created';
    const looked = opening ? await this.opener.resume(before, cause) : await this.poll.poll(before, cause);
    const after = last ? await this.abandon(looked, cause) : looked;
    return { ...after, added: after.events.slice(before.events.length) };
  }

  private abandon(looked: LoadedPayment, cause: Cause): Promise<LoadedPayment> {
    return this.streams.decide(
      looked.payment.terms.id,
      cause,
      (payment) => (isReportable(payment) ? giveUp(payment, this.clock.now()) : []),
      { loaded: looked },
    );
  }
}

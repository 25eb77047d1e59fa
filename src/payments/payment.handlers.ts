import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Clock } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { InvoiceOpener } from './invoice-opener.handlers.js';
import { cancel, gatewaySilent, giveUp, silencePatienceMinutes, unconfirmed } from './decisions.js';
import { ApplyUnmatched } from './gateway-event.handlers.js';
import { GatewayDenies, GatewayNotAsked, GatewayUnavailable } from './payment-gateway.js';
import { PaymentStreams, type Cause, type LoadedPayment } from './payment-streams.pg.js';
import { Poll } from './poll.handlers.js';
import { isReportable, isWithoutInvoice } from './payment.js';
import type { Resolution } from './money.js';
import type { RefundTarget } from './refund.js';
import { resolveReview } from './review.js';

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
  ) {}
}

export interface Reconciled extends LoadedPayment {
  added: readonly RecordedEvent[];
}

/** What asking the gateway needs to know of this installation. */
export abstract class ReconcileSettings {
  /** Minutes of silence of the gateway's API after which a callback alone will do for fulfilment; null: never. */
  abstract readonly goAheadMinutes: number | null;
}

/** Throws `Refusal('not_found')` and `GatewayUnavailable`. */
@CommandHandler(Reconcile)
export class ReconcileHandler implements ICommandHandler<Reconcile, Reconciled> {
  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(InvoiceOpener) private readonly opener: InvoiceOpener,
    @Inject(Poll) private readonly poll: Poll,
    @Inject(ApplyUnmatched) private readonly unmatched: ApplyUnmatched,
    @Inject(ReconcileSettings) private readonly settings: ReconcileSettings,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  async execute({ id, cause }: Reconcile): Promise<Reconciled> {
    const before = await this.streams.load(id);
    const after = await this.further(before, cause);
    return { ...after, added: after.events.slice(before.events.length) };
  }

  private further(before: LoadedPayment, cause: Cause): Promise<LoadedPayment> {
    if (before.payment.status === 'created') return this.opener.resume(before, cause);
    return isWithoutInvoice(before.payment) ? this.opener.lookFor(before, cause) : this.ask(before, cause);
  }

  private async ask(before: LoadedPayment, cause: Cause): Promise<LoadedPayment> {
    const { payment } = before;
    const trackId = isReportable(payment) ? payment.invoice.trackId : null;
    // A paid payment needs the gateway's own word, which an answer gives and no callback.
    const matched = trackId === null || payment.status === 'paid' ? 0 : await this.unmatched.apply(trackId, cause);
    try {
      return await this.poll.poll(matched > 0 ? await this.streams.load(payment.terms.id) : before, cause);
    } catch (error) {
      if (error instanceof GatewayUnavailable && !(error instanceof GatewayNotAsked))
        await this.unanswered(payment.terms.id, error, cause);
      throw error;
    }
  }

  private unanswered(id: string, error: GatewayUnavailable, cause: Cause): Promise<LoadedPayment> {
    const { goAheadMinutes } = this.settings;
    return this.streams.decide(id, cause, (payment) =>
      error instanceof GatewayDenies
        ? unconfirmed(payment, error.message, silencePatienceMinutes, this.clock.now())
        : gatewaySilent(payment, error.message, goAheadMinutes, this.clock.now()),
    );
  }
}

/** Ends the looks at a payment: where it has no final word, a person is told. */
export class GiveUp {
  constructor(
    readonly id: string,
    readonly cause: Cause,
  ) {}
}

@CommandHandler(GiveUp)
export class GiveUpHandler implements ICommandHandler<GiveUp, LoadedPayment> {
  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  execute({ id, cause }: GiveUp): Promise<LoadedPayment> {
    return this.streams.decide(id, cause, (payment) =>
      isReportable(payment) ? giveUp(payment, this.clock.now()) : [],
    );
  }
}

/** A person decides about a payment that waits for them. */
export class ResolveReview {
  constructor(
    readonly id: string,
    readonly resolution: Resolution & { refundTo: RefundTarget | null },
    readonly cause: Cause,
  ) {}
}

/** Throws what `resolveReview` throws, and `Refusal('not_found')`. */
@CommandHandler(ResolveReview)
export class ResolveReviewHandler implements ICommandHandler<ResolveReview, LoadedPayment> {
  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  execute({ id, resolution, cause }: ResolveReview): Promise<LoadedPayment> {
    return this.streams.decide(id, cause, (payment, orderTaken) => {
      const refundTo = resolution.refundTo ?? payment.terms.refundTo ?? null;
      return resolveReview(payment, { ...resolution, refundTo }, orderTaken, this.clock.now());
    });
  }
}

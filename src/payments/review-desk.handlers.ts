import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../kernel/clock.js';
import { openReview, withdraw } from './open-review.js';
import { PaymentStreams } from './payment-streams.pg.js';
import { isPaidByCredit, isReportable, type Paid, type Payment, type Reportable } from './payment.js';
import type { ReviewDesk } from './review-desk.js';
import type { ReviewReason } from './review-reasons.js';

interface Why {
  correlationId: string;
  causationId: string;
}

const mayAsk = (payment: Payment): payment is Reportable | Paid => isReportable(payment) || isPaidByCredit(payment);

/** Asks for a person in the stream of the payment itself. */
@Injectable()
export class StreamReviewDesk implements ReviewDesk {
  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  async ask(paymentId: string, reason: ReviewReason, why: Why): Promise<void> {
    const loaded = await this.streams.load(paymentId);
    // One cause may withdraw one reason and ask for another.
    const asked = loaded.events.some(
      ({ type, causationId }) => type === 'ReviewOpened' && causationId === why.causationId,
    );
    if (asked) return;
    await this.streams.decide(
      paymentId,
      { actor: 'service', ...why },
      (payment) => (mayAsk(payment) ? openReview(payment, [reason], { now: this.clock.now() }) : []),
      { loaded },
    );
  }

  async withdraw(paymentId: string, reason: ReviewReason, why: Why): Promise<void> {
    await this.streams.decide(paymentId, { actor: 'service', ...why }, (payment) =>
      mayAsk(payment) ? withdraw(payment, [reason], this.clock.now()) : [],
    );
  }
}

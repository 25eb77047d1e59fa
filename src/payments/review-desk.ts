import type { ReviewReason } from './review-reasons.js';

/** Where other parts ask for a person to look at a payment. */
export abstract class ReviewDesk {
  /**
   * A person is to look at a payment for this reason. The same cause again: nothing. Throws `Refusal('not_found')`,
   * `StoreUnavailable`.
   */
  abstract ask(
    paymentId: string,
    reason: ReviewReason,
    cause: { correlationId: string; causationId: string },
  ): Promise<void>;

  /** What a person was asked for this reason has settled itself; where nobody is asked: nothing. */
  abstract withdraw(
    paymentId: string,
    reason: ReviewReason,
    cause: { correlationId: string; causationId: string },
  ): Promise<void>;
}

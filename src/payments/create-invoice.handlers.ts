import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Refusal } from '../kernel/refusal.js';
import { KeyTaken } from '../platform/event-store/event-store.pg.js';
import { InvoiceOpener } from './invoice-opener.handlers.js';
import { orderScope, PaymentStreams, type Cause, type LoadedPayment } from './payment-streams.pg.js';
import type { Terms } from './payment.js';
import { Decimal, plain } from './policy.js';

/** Begins a payment and opens an invoice for it at the gateway. */
export class CreateInvoice {
  constructor(
    readonly terms: Terms,
    readonly cause: Cause,
  ) {}
}

/** The key under which a status page's token resolves to its payment. */
export const statusScope = 'status';

/**
 * Answers with the payment that now stands for the order: the new one, or, where the order has an open or paid one on
 * the same terms, that one. Throws `Refusal('order_has_payment')` where its terms differ.
 */
@CommandHandler(CreateInvoice)
export class CreateInvoiceHandler implements ICommandHandler<CreateInvoice, LoadedPayment> {
  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(InvoiceOpener) private readonly opener: InvoiceOpener,
  ) {}

  async execute({ terms, cause }: CreateInvoice): Promise<LoadedPayment> {
    const begun = await this.begin(terms, cause);
    return begun.payment.terms.id === terms.id ? this.opener.ask(begun, cause) : begun;
  }

  private async begin(terms: Terms, cause: Cause, replaces?: string): Promise<LoadedPayment> {
    const claim = { scope: orderScope(terms.applicationId), key: terms.orderId, ...(replaces ? { replaces } : {}) };
    try {
      return await this.streams.begin({ type: 'PaymentRequested', data: terms }, cause, [
        claim,
        { scope: statusScope, key: terms.statusToken },
      ]);
    } catch (error) {
      if (!(error instanceof KeyTaken)) throw error;
      const holder = await this.streams.load(error.streamId);
      const over = holder.payment.status === 'expired' || holder.payment.status === 'failed';
      if (over && error.streamId !== replaces) return this.begin(terms, cause, error.streamId);
      if (sameTerms(holder.payment.terms, terms)) return holder;
      throw new Refusal(
        'order_has_payment',
        `Order ${terms.orderId} already has a payment that is ${holder.payment.status}, on other terms.`,
        [],
        { paymentId: holder.payment.terms.id },
      );
    }
  }
}

const sameTerms = (a: Terms, b: Terms): boolean => agreed(a) === agreed(b);

/** What the caller asked for, without what we added. */
const agreed = ({
  amount,
  currency,
  customerId,
  description,
  email,
  returnUrl,
  lifetimeMinutes,
  policy,
  metadata,
}: Terms): string =>
  JSON.stringify([
    plain(new Decimal(amount)),
    currency,
    customerId,
    description,
    email,
    returnUrl,
    lifetimeMinutes,
    policy.rules,
    Object.entries(metadata).sort(),
  ]);

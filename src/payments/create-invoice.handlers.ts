import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Refusal } from '../kernel/refusal.js';
import { Clock } from '../kernel/clock.js';
import { KeyTaken, type KeyClaim } from '../platform/event-store/event-store.pg.js';
import { InvoiceOpener } from './invoice-opener.handlers.js';
import { orderScope, PaymentStreams, type Cause, type LoadedPayment } from './payment-streams.pg.js';
import type { Terms } from './payment.js';
import { inlinePolicy } from './policies.js';
import type { PinnedPolicy } from './policy.js';
import { Decimal, plain } from './decimal.js';
import { noteRemainder } from './remainder.js';

/** Begins a payment and opens an invoice for it at the gateway. */
export class CreateInvoice {
  constructor(
    readonly terms: Terms,
    readonly cause: Cause,
  ) {}
}

/** The scope of the keys by which a payment leads to the one that collects its missing part. */
const remainderScope = (applicationId: string): string => `remainder:${applicationId}`;

/** What the payment is the one of: of its order, or of the payment whose missing part it collects. */
const standsFor = ({ applicationId, orderId, remainderOf }: Terms): KeyClaim =>
  remainderOf
    ? { scope: remainderScope(applicationId), key: remainderOf }
    : { scope: orderScope(applicationId), key: orderId };

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
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  async execute({ terms, cause }: CreateInvoice): Promise<LoadedPayment> {
    const begun = await this.begin(terms, cause);
    if (terms.remainderOf) await this.note(terms.remainderOf, begun.payment.terms, cause);
    return begun.payment.terms.id === terms.id ? this.opener.ask(begun, cause) : begun;
  }

  /** The payment that lacks this part takes note of it. */
  private async note(id: string, remainder: Terms, cause: Cause): Promise<void> {
    await this.streams.decide(id, cause, (payment) => noteRemainder(payment, remainder, this.clock.now()));
  }

  private async begin(terms: Terms, cause: Cause, replaces?: string): Promise<LoadedPayment> {
    const claim = { ...standsFor(terms), ...(replaces ? { replaces } : {}) };
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

const sameTerms = (a: Terms, b: Terms): boolean => agreed(a) === agreed(b) && samePolicy(a.policy, b.policy);

/** A named policy that has a newer version since is still what the caller asked for. */
const samePolicy = (a: PinnedPolicy, b: PinnedPolicy): boolean =>
  a.name === b.name && (a.name !== inlinePolicy || JSON.stringify(a.rules) === JSON.stringify(b.rules));

/** What the caller asked for, without what we added. */
const agreed = ({
  amount,
  currency,
  customerId,
  description,
  email,
  returnUrl,
  lifetimeMinutes,
  metadata,
  useCredit,
  refundTo,
  remainderOf,
  embedded,
}: Terms): string =>
  JSON.stringify([
    plain(new Decimal(amount)),
    currency,
    customerId,
    description,
    email,
    returnUrl,
    lifetimeMinutes,
    Object.entries(metadata).sort(),
    useCredit ?? false,
    refundTo ?? null,
    remainderOf ?? null,
    embedded ?? null,
  ]);

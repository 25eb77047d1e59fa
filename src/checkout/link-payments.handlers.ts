import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Refusal } from '../kernel/refusal.js';
import { orderOf, type LinkTerms } from '../links/link.js';
import { CreateInvoice } from '../payments/create-invoice.handlers.js';
import { orderScope, PaymentStreams, type LoadedPayment } from '../payments/payment-streams.pg.js';
import type { Payment } from '../payments/payment.js';
import { EventStore } from '../platform/event-store/event-store.pg.js';
import { LinkOpenings } from './link-openings.pg.js';
import { LinkPaymentTerms } from './link-payment-terms.js';

/**
 * The payments of links. The order of a payment follows from the link and its visitor, so that everything that holds for
 * an order holds here: one open or paid payment at a time, whatever happens at once or is interrupted.
 */
@Injectable()
export class LinkPayments {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(LinkPaymentTerms) private readonly terms: LinkPaymentTerms,
    @Inject(LinkOpenings) private readonly openings: LinkOpenings,
  ) {}

  /** The payment that a visitor has here, open or paid; null where they have none. Throws `StoreUnavailable`. */
  async standing(link: LinkTerms, visitor: string | null): Promise<Payment | null> {
    if (visitor === null && !link.singleUse) return null;
    const holder = await this.store.streamOf(orderScope(link.applicationId), orderOf(link, visitor ?? ''));
    const payment = holder === null ? null : (await this.streams.load(holder)).payment;
    return payment && isOver(payment) ? null : payment;
  }

  /**
   * Opens a payment of this amount for a visitor; where one stands already, on whatever amount, answers with that. It is
   * `failed` where the gateway refused it. Throws `Refusal('rate_limited')` where too many of the link are open, and
   * `StoreUnavailable`.
   */
  async open(link: LinkTerms, visitor: string, amount: string, requestId: string): Promise<Payment> {
    await this.openings.refuseTooMany(link);
    const terms = await this.terms.of(link, visitor, amount);
    const cause = { actor: 'payer', correlationId: requestId, causationId: requestId };
    try {
      const { payment } = await this.commands.execute<CreateInvoice, LoadedPayment>(new CreateInvoice(terms, cause));
      return payment;
    } catch (error) {
      const standing = error instanceof Refusal && error.code === 'order_has_payment' && error.extra['paymentId'];
      if (typeof standing !== 'string') throw error;
      return (await this.streams.load(standing)).payment;
    }
  }
}

const isOver = ({ status }: Payment): boolean => status === 'expired' || status === 'failed';

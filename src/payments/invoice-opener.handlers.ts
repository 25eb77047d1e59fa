import { Inject, Injectable, Logger } from '@nestjs/common';
import { addMinutes, addSeconds, Clock } from '../kernel/clock.js';
import { invoiceDelayed, invoiceOpened, invoiceRefused, retryInvoice } from './decisions.js';
import { ApplyUnmatched, trackKeyScope } from './gateway-event.handlers.js';
import {
  GatewayRefused,
  GatewayUnavailable,
  PaymentGateway,
  type GatewayReport,
  type InvoiceRequest,
} from './payment-gateway.js';
import { applyCredit, creditWanted } from './credit.js';
import { CustomerCredit } from './customer-credit.js';
import { Decimal, plain } from './decimal.js';
import { depositOpened } from './deposit.js';
import { PaymentStreams, type Cause, type LoadedPayment } from './payment-streams.pg.js';
import type { Created, Invoice, Terms } from './payment.js';

/** What opening an invoice needs to know of this installation. */
export abstract class InvoiceSettings {
  /** Where the gateway sends its callbacks. */
  abstract readonly callbackUrl: string;
}

/** Whether the gateway refuses our key rather than the payment: the caller cannot mend that, and it says nothing of the payment. */
export const refusesUs = (refused: GatewayRefused): boolean => refused.httpStatus === 401 || refused.httpStatus === 403;

const dueAtGateway = ({ terms, credit }: Created): string => plain(new Decimal(terms.amount).minus(credit ?? '0'));

/** How long after a try its invoice may still turn up in the gateway's list; longer than any try can take. */
const settleSeconds = 30;
const pagesAtMost = 50;

/**
 * Opens invoices, each once. Whoever appended the event that begins a try asks the gateway, nobody else; before a
 * further try the gateway is searched for what an earlier one may have left there.
 */
@Injectable()
export class InvoiceOpener {
  private readonly log = new Logger(InvoiceOpener.name);

  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(PaymentGateway) private readonly gateway: PaymentGateway,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(InvoiceSettings) private readonly settings: InvoiceSettings,
    @Inject(ApplyUnmatched) private readonly unmatched: ApplyUnmatched,
    @Inject(CustomerCredit) private readonly credit: CustomerCredit,
  ) {}

  /** Asks the gateway for the invoice of a payment whose try this caller has just begun; less what credit pays of it. */
  async ask(begun: LoadedPayment, cause: Cause): Promise<LoadedPayment> {
    const ready = await this.spendCredit(begun, cause);
    const { payment } = ready;
    if (payment.status !== 'created') return ready;
    const { terms } = payment;
    try {
      const invoice = await this.gateway.openInvoice(this.request(terms, dueAtGateway(payment)));
      return await this.record(ready, invoice, false, cause);
    } catch (error) {
      if (error instanceof GatewayRefused && !refusesUs(error)) {
        const refusal = { field: error.field, detail: error.message };
        return this.streams.decide(terms.id, cause, (payment) => invoiceRefused(payment, refusal, this.clock.now()));
      }
      const outcome =
        error instanceof GatewayUnavailable || error instanceof GatewayRefused ? 'unavailable' : 'unknown';
      const detail = error instanceof Error ? error.message : 'no answer';
      const { correlationId } = cause;
      this.log.warn({ msg: 'invoice not opened', correlationId, paymentId: terms.id, outcome, detail });
      return this.streams.decide(terms.id, cause, (payment) =>
        invoiceDelayed(payment, outcome, detail, this.clock.now()),
      );
    }
  }

  /** Has the customer's credit pay what it can, once: the books answer a repeated question as they did before. */
  private async spendCredit(begun: LoadedPayment, cause: Cause): Promise<LoadedPayment> {
    const wanted = creditWanted(begun.payment);
    if (!wanted) return begun;
    const { id: paymentId, applicationId, currency } = begun.payment.terms;
    const taken = await this.credit.spend({ applicationId, currency, paymentId, ...wanted }, cause);
    return this.streams.decide(paymentId, cause, (payment) => applyCredit(payment, taken, this.clock.now()));
  }

  /**
   * Takes a payment that is still `created` further: adopts an invoice that an earlier try left at the gateway, or
   * tries anew where there is none. Does nothing while a try may still be under way.
   */
  async resume(loaded: LoadedPayment, cause: Cause): Promise<LoadedPayment> {
    const { payment } = loaded;
    if (payment.status !== 'created') return loaded;
    const now = this.clock.now();
    if (payment.terms.deposit)
      return this.streams.decide(payment.terms.id, cause, (current) => depositOpened(current, now));
    const pause = payment.opening.outcome === 'unavailable' ? settleSeconds / 6 : settleSeconds;
    if (now < addSeconds(payment.opening.since, pause)) return loaded;
    const found = await this.search(payment.terms);
    // Nobody was shown the address of an embedded invoice whose answer was lost, and no list tells it: another is opened.
    if (found && !payment.terms.embedded) return this.adopt(loaded, found, cause);
    if (now > addMinutes(payment.terms.requestedAt, payment.terms.lifetimeMinutes)) {
      const refusal = { field: null, detail: 'the gateway could not be reached within the lifetime of the payment' };
      return this.streams.decide(payment.terms.id, cause, (current) => invoiceRefused(current, refusal, now));
    }
    const begun = await this.streams.decide(payment.terms.id, cause, (current) =>
      current.status === 'created' && current.opening.attempt === payment.opening.attempt
        ? retryInvoice(current, now)
        : [],
    );
    return begun.added.length > 0 ? this.ask(begun, cause) : begun;
  }

  /** Looks a payment up by its order id: the gateway's list cannot be filtered by it, so a span of time is read. */
  private async search(terms: Terms): Promise<GatewayReport | null> {
    const from = addMinutes(terms.requestedAt, -5);
    const to = addMinutes(this.clock.now(), 5);
    for (let page = 1; page <= pagesAtMost; page++) {
      const { reports, unread, lastPage } = await this.gateway.listPayments({ from, to, page });
      if (unread.includes(terms.id))
        throw new GatewayUnavailable('the gateway has the invoice in a status that is not known');
      const found = reports.find((report) => report.orderId === terms.id);
      if (found) return found;
      if (page >= lastPage) return null;
    }
    throw new GatewayUnavailable(`the list of payments since ${from} is longer than ${String(pagesAtMost)} pages`);
  }

  /**
   * Looks for an invoice that a payment has left at the gateway although it was cancelled before its answer was known:
   * whoever pays it is to be found again.
   */
  async lookFor(cancelled: LoadedPayment, cause: Cause): Promise<LoadedPayment> {
    const found = await this.search(cancelled.payment.terms);
    return found ? this.adopt(cancelled, found, cause) : cancelled;
  }

  /** Records an invoice that was found at the gateway by its order id. Where the payment has one, or is over: nothing. */
  async adopt(created: LoadedPayment, found: GatewayReport, cause: Cause): Promise<LoadedPayment> {
    const { terms } = created.payment;
    const expiresAt = found.expiresAt ?? addMinutes(found.createdAt ?? this.clock.now(), terms.lifetimeMinutes);
    const invoice = {
      trackId: found.trackId,
      paymentUrl: this.gateway.paymentUrl(found.trackId, await this.streams.lastInvoice()),
      expiresAt,
    };
    return this.record(created, invoice, true, cause);
  }

  private async record(
    created: LoadedPayment,
    { payTo, ...invoice }: Invoice,
    adopted: boolean,
    cause: Cause,
  ): Promise<LoadedPayment> {
    const keys = [{ scope: trackKeyScope, key: invoice.trackId }];
    const { id } = created.payment.terms;
    const opened = await this.streams.decide(
      id,
      cause,
      (payment) => invoiceOpened(payment, { ...invoice, ...(payTo ? { payTo } : {}) }, adopted, this.clock.now()),
      { keys, loaded: created },
    );
    const applied = await this.unmatched.apply(invoice.trackId, cause);
    return applied ? this.streams.load(id) : opened;
  }

  private request(terms: Terms, amount: string): InvoiceRequest {
    const { rules } = terms.policy;
    return {
      orderId: terms.id,
      amount,
      currency: terms.currency,
      lifetimeMinutes: terms.lifetimeMinutes,
      underPaidCoverage: rules.underpayment.tolerancePercent,
      feePaidByPayer: false,
      mixedPayment: true,
      callbackUrl: this.settings.callbackUrl,
      ...(terms.returnUrl ? { returnUrl: terms.returnUrl } : {}),
      ...(terms.email ? { email: terms.email } : {}),
      ...(terms.description ? { description: terms.description } : {}),
      ...(terms.embedded ? { payWith: terms.embedded } : {}),
    };
  }
}

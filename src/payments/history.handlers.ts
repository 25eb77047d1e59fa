import { Inject, Logger } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Instant } from '../kernel/clock.js';
import { isUuid } from '../kernel/ids.js';
import { EventStore } from '../platform/event-store/event-store.pg.js';
import { DepositIntake } from './deposit-intake.js';
import { trackKeyScope } from './gateway-event.handlers.js';
import { InvoiceOpener } from './invoice-opener.handlers.js';
import { PaymentGateway, type GatewayReport } from './payment-gateway.js';
import { PaymentStreams, type Cause, type LoadedPayment } from './payment-streams.pg.js';
import { isLeftBehind, isReportable, isWithoutInvoice } from './payment.js';
import { Poll } from './poll.handlers.js';

/** Reads one page of the gateway's history; each payment of ours on it is told what the gateway says of it. */
export class ReconcilePage {
  constructor(
    readonly span: { from: Instant; to: Instant },
    /** From 1. */
    readonly page: number,
    readonly cause: Cause,
  ) {}
}

export interface PageHeard {
  /** The payments that the page tells of, as they stand after it. */
  payments: LoadedPayment[];
  /** The last page of the span, as the gateway counts now. */
  lastPage: number;
  /** How many payments are on the page, those of other systems too. */
  reports: number;
  /** Track ids of those that could not be decided upon; the log says why. */
  failed: string[];
}

const atOnce = 50;

/**
 * An answer enters through the same decision as one about a single payment, and an invoice whose opening was never
 * recorded is adopted by its order id. What changes nothing leaves no trace. Throws `GatewayUnavailable`.
 */
@CommandHandler(ReconcilePage)
export class ReconcilePageHandler implements ICommandHandler<ReconcilePage, PageHeard> {
  private readonly log = new Logger(ReconcilePage.name);

  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(PaymentGateway) private readonly gateway: PaymentGateway,
    @Inject(Poll) private readonly poll: Poll,
    @Inject(InvoiceOpener) private readonly opener: InvoiceOpener,
    @Inject(DepositIntake) private readonly deposits: DepositIntake,
  ) {}

  async execute({ span, page, cause }: ReconcilePage): Promise<PageHeard> {
    const { reports, lastPage } = await this.gateway.listPayments({ ...span, page });
    const payments: LoadedPayment[] = [];
    const failed: string[] = [];
    for (let at = 0; at < reports.length; at += atOnce) {
      // Together, so that the store reads them in a few statements.
      const heard = await Promise.all(reports.slice(at, at + atOnce).map((report) => this.hear(report, cause, failed)));
      payments.push(...heard.filter((loaded) => loaded !== null));
    }
    return { payments, lastPage, reports: reports.length, failed };
  }

  /** One report must not keep the others on its page from being heard. */
  private async hear(report: GatewayReport, cause: Cause, failed: string[]): Promise<LoadedPayment | null> {
    try {
      return await this.tell(report, cause);
    } catch (error) {
      failed.push(report.trackId);
      const { correlationId } = cause;
      const { trackId } = report;
      this.log.error({ msg: 'an answer could not be decided upon', correlationId, trackId, error: String(error) });
      return null;
    }
  }

  private async tell(report: GatewayReport, cause: Cause): Promise<LoadedPayment | null> {
    const loaded = await this.find(report);
    if (loaded === null) return this.unknown(report, cause);
    const { payment } = loaded;
    if (isLeftBehind(payment, report)) return null;
    if (payment.status === 'created' || isWithoutInvoice(payment)) return this.opener.adopt(loaded, report, cause);
    if (isReportable(payment) && payment.invoice.trackId === report.trackId)
      return this.poll.hear(loaded, report, cause);
    await this.poll.keepUnknown(report, 'identity_mismatch');
    return null;
  }

  private async find(report: GatewayReport): Promise<LoadedPayment | null> {
    const named = report.orderId !== null && isUuid(report.orderId) ? report.orderId : null;
    const found = named === null ? null : await this.streams.find(named);
    if (found) return found;
    const holder = await this.store.streamOf(trackKeyScope, report.trackId);
    return holder === null ? null : this.streams.find(holder);
  }

  /** What is no payment of ours may be an address whose transfers are. */
  private async unknown(report: GatewayReport, cause: Cause): Promise<null> {
    if (await this.deposits.hear(report, cause)) return null;
    // Invoices of other systems on the same account name orders of another shape.
    if (report.orderId !== null && isUuid(report.orderId)) await this.poll.keepUnknown(report, 'unknown_here');
    return null;
  }
}

import { Inject, Injectable, Logger } from '@nestjs/common';
import { addSeconds, Clock, type Instant } from '../kernel/clock.js';
import { Ids } from '../kernel/ids.js';
import { EventStore } from '../platform/event-store/event-store.pg.js';
import { applyReport, corroborationPatienceMinutes, unconfirmed } from './decisions.js';
import { messageOf, pollSource, type Evidence } from './evidence.js';
import { reportUpon } from './gateway-event.handlers.js';
import { GatewayUnavailable, PaymentGateway, type GatewayReport } from './payment-gateway.js';
import { PaymentStreams, type Cause, type Decision, type LoadedPayment } from './payment-streams.pg.js';
import { evolve, factsOf, isReportable, type Payment, type Reportable } from './payment.js';
import { needsPrices } from './worth.js';

type Prices = ReadonlyMap<string, string>;

/** Prices that were asked for a moment ago are still those of the time. */
const pricesHoldSeconds = 30;

/** The gateway's own answers, which enter as evidence through the same decision as a callback. */
@Injectable()
export class Poll {
  private readonly log = new Logger(Poll.name);
  private prices: { until: Instant; asked: Promise<Prices | null> } | null = null;

  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(PaymentGateway) private readonly gateway: PaymentGateway,
    @Inject(Ids) private readonly ids: Ids,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /**
   * Asks about one payment now. Throws `GatewayUnavailable`. A gateway that does not know the payment is no evidence of
   * anything but of that: what a callback claimed is not borne out, and after a while a person is told.
   */
  async poll(loaded: LoadedPayment, cause: Cause): Promise<LoadedPayment> {
    const { payment } = loaded;
    if (!isReportable(payment)) return loaded;
    const report = await this.gateway.findPayment(payment.invoice.trackId);
    if (report) return this.apply(loaded, payment, report, cause);
    const detail = 'the gateway does not know it when it is asked';
    return this.streams.decide(payment.terms.id, cause, (current) =>
      unconfirmed(current, detail, corroborationPatienceMinutes, this.clock.now()),
    );
  }

  /**
   * Decides upon an answer that told of many payments at once. One that changes nothing leaves no trace, which would be
   * a row for every payment at every look.
   */
  async hear(loaded: LoadedPayment, report: GatewayReport, cause: Cause): Promise<LoadedPayment> {
    const { payment } = loaded;
    if (!isReportable(payment)) return loaded;
    const told = applyReport(payment, report, { witness: 'poll', now: this.clock.now() });
    // A worth that nobody could say when it was first looked at may be known now.
    const quiet = told.length === 0 && !needsPrices(payment.money.transfers, factsOf(payment));
    return quiet ? loaded : this.apply(loaded, payment, report, cause);
  }

  private async apply(
    loaded: LoadedPayment,
    payment: Reportable,
    report: GatewayReport,
    cause: Cause,
  ): Promise<LoadedPayment> {
    const evidence = this.evidenceOf(report);
    const now = evidence.receivedAt;
    const by = { ...cause, causationId: evidence.id };
    const prices = await this.pricesFor(payment, report, now);
    const decision: Decision = (current, orderTaken) =>
      reportUpon(current, report, { witness: 'poll', now, orderTaken, ...(prices ? { prices } : {}) });
    const message = messageOf(evidence);
    const first = await this.streams.decide(payment.terms.id, by, decision, { message, loaded });
    if (first.fresh) return first;
    // The same answer as before may still decide something new: time has passed, or a callback came between.
    return this.streams.decide(payment.terms.id, by, decision);
  }

  /** The gateway tells of something that could be ours and is not known here: kept for the operator, once. */
  async keepUnknown(report: GatewayReport, reason: 'unknown_here' | 'identity_mismatch'): Promise<void> {
    const message = messageOf(this.evidenceOf(report), 'unmatched', reason);
    const { outcome } = await this.store.recordMessage(null, message);
    if (outcome !== 'duplicate')
      this.log.warn({ msg: 'the gateway has a payment that is not known here', trackId: report.trackId, reason });
  }

  private evidenceOf(report: GatewayReport): Evidence {
    const body = Buffer.from(JSON.stringify(report));
    const receivedAt = this.clock.now();
    return { id: this.ids.next(), source: pollSource, subject: report.trackId, content: body, body, receivedAt };
  }

  /** The gateway's prices, where the worth of money that this answer tells of hangs on them; null where it does not. */
  private async pricesFor(payment: Reportable, report: GatewayReport, now: Instant): Promise<Prices | null> {
    const told = applyReport(payment, report, { witness: 'poll', now }).reduce<Payment | null>(evolve, payment);
    if (told === null || !isReportable(told) || !needsPrices(told.money.transfers, factsOf(told))) return null;
    if (this.prices === null || now >= this.prices.until)
      this.prices = { until: addSeconds(now, pricesHoldSeconds), asked: this.askPrices() };
    return this.prices.asked;
  }

  private async askPrices(): Promise<Prices | null> {
    try {
      return await this.gateway.prices();
    } catch (error) {
      if (!(error instanceof GatewayUnavailable)) throw error;
      this.log.warn({ msg: 'prices could not be looked up', error: error.message });
      return null;
    }
  }
}

import { Inject, Injectable, Logger } from '@nestjs/common';
import { addMinutes, addSeconds, Clock } from '../kernel/clock.js';
import { InvoiceSettings, refusesUs } from './invoice-opener.handlers.js';
import {
  GatewayRefused,
  GatewayUnavailable,
  PaymentGateway,
  type PayoutReport,
  type PayoutRequest,
} from './payment-gateway.js';
import { PaymentStreams, type Cause, type Decided, type Decision } from './payment-streams.pg.js';
import type { Payment, PaymentEvent } from './payment.js';
import { PayoutEvents, payoutKeyScope } from './payout-event.handlers.js';
import { isLost, isTriedEnough, nextLookSeconds, refundsOf, refundStep } from './refund-schedule.js';
import { refundReference, type Refund } from './refund.js';
import { attemptRefund, refundDelayed, refundFailed, refundLost, refundSubmitted, refundUnended } from './refunds.js';

/** One refund as it was when a step began, and why the step is taken. */
interface Work {
  id: string;
  refund: Refund;
  cause: Cause;
}

/** What the payout history knows of a refund. `there`: it lists it, in a status that this version cannot read. */
type Searched = { kind: 'found'; report: PayoutReport } | { kind: 'none' } | { kind: 'there' | 'unread'; why: string };

const pagesAtMost = 50;
/** A search that takes longer ends without a result: the job that it is part of has its own end. */
const searchSeconds = 12;

/**
 * Takes refunds further, each step safe to repeat and to be cut short, in any number of processes. Whoever appended the
 * event that begins an attempt sends, once; where its answer was lost, only the payout history or a person says whether
 * it is sent again.
 */
@Injectable()
export class RefundSender {
  private readonly log = new Logger(RefundSender.name);

  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(PaymentGateway) private readonly gateway: PaymentGateway,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(InvoiceSettings) private readonly settings: InvoiceSettings,
    @Inject(PayoutEvents) private readonly payouts: PayoutEvents,
  ) {}

  /**
   * Takes one refund one step further, if a step is due. Resolves with the milliseconds until the next look, null where
   * none is needed. Throws `StoreUnavailable` and `Conflict`; the step is then repeated or found done.
   */
  async step(paymentId: string, number: number, cause: Cause): Promise<number | null> {
    const loaded = await this.streams.find(paymentId);
    const refund = loaded && refundsOf(loaded.payment).find((known) => known.number === number);
    if (!refund) return null;
    const work: Work = { id: paymentId, refund, cause };
    const step = refundStep(refund, this.clock.now());
    switch (step?.do) {
      case 'send':
        return this.attempt(work);
      case 'send_again':
        return this.sendAgain(work);
      case 'search':
        return this.recover(work);
      case 'ask':
        return this.ask(work);
      case 'wait':
      case undefined:
        return this.nextLook(loaded.payment, number);
    }
  }

  /** Begins an attempt and, where it was this call that began it, sends. */
  private async attempt(work: Work): Promise<number | null> {
    const { refund } = work;
    const begun = await this.decide(work, (payment, now) => attemptRefund(payment, refund.number, now));
    if (begun.added.length === 0) return this.nextLook(begun.payment, refund.number);
    return this.send({ ...work, refund: { ...refund, attempt: refund.attempt + 1 } });
  }

  private async send(work: Work): Promise<number | null> {
    let trackId: string;
    try {
      ({ trackId } = await this.gateway.sendPayout(this.request(work)));
    } catch (error) {
      return this.notSent(work, error);
    }
    return this.submitted(work, trackId, false);
  }

  private request({ id, refund }: Work): PayoutRequest {
    const { address, currency, network, amount, memo } = refund.payout;
    const { callbackUrl } = this.settings;
    const description = refundReference(id, refund.number);
    return { address, currency, network, amount, description, callbackUrl, ...(memo === null ? {} : { memo }) };
  }

  /** Records what an attempt came to that gave no track id. */
  private async notSent(work: Work, error: unknown): Promise<number | null> {
    const { number } = work.refund;
    const refused = error instanceof GatewayRefused;
    const ourFault = refused && refusesUs(error);
    const said = error instanceof Error ? error.message : 'no answer';
    const detail = ourFault ? `the gateway does not accept our payout key or our address: ${said}` : said;
    const outcome = refused || error instanceof GatewayUnavailable ? 'unavailable' : 'unknown';
    const decided = await this.decide(work, (payment, now) => {
      const givenUp = outcome === 'unavailable' && isTriedEnough(payment, work.refund, now);
      return (refused && !ourFault) || givenUp
        ? refundFailed(payment, number, detail, now)
        : refundDelayed(payment, number, outcome, detail, now);
    });
    const status = refundsOf(decided.payment).find((known) => known.number === number)?.status;
    // Not what the gateway said: it may repeat the address.
    const { id: paymentId, cause } = work;
    const { correlationId } = cause;
    this.log.warn({ msg: 'a refund was not sent', correlationId, paymentId, number, outcome, ourFault, status });
    return this.nextLook(decided.payment, number);
  }

  /** The gateway has it: its track id leads to this payment from now on, also for what it has told already. */
  private async submitted(work: Work, trackId: string, adopted: boolean): Promise<number | null> {
    const { id, cause, refund } = work;
    const decision: Decision = (payment) => refundSubmitted(payment, refund.number, trackId, adopted, this.clock.now());
    const decided = await this.streams.decide(id, cause, decision, { keys: [{ scope: payoutKeyScope, key: trackId }] });
    await this.payouts.applyUnmatched(trackId);
    // What was found may have been final for long.
    return adopted ? 0 : this.nextLook(decided.payment, refund.number);
  }

  /** Nothing was sent, as far as the gateway or a person said: the payout history has the last word on that. */
  private async sendAgain(work: Work): Promise<number | null> {
    const { refund } = work;
    const searched = await this.search(work);
    if (searched.kind === 'found') return this.submitted(work, searched.report.trackId, true);
    if (searched.kind === 'none') return this.attempt(work);
    const decided = await this.decide(work, (payment, now) =>
      searched.kind === 'unread' && isTriedEnough(payment, refund, now)
        ? refundFailed(payment, refund.number, `not sent again: ${searched.why}`, now)
        : [],
    );
    return this.nextLook(decided.payment, refund.number);
  }

  /** It may have been sent: adopts it where the payout history has it, and leaves it to a person where it never does. */
  private async recover(work: Work): Promise<number | null> {
    const { refund } = work;
    const searched = await this.search(work);
    if (searched.kind === 'found') return this.submitted(work, searched.report.trackId, true);
    const lost = isLost(refund, searched.kind === 'none', this.clock.now());
    const { payment, added } = await this.decide(work, (current, now) =>
      lost ? refundLost(current, refund.number, now) : [],
    );
    if (added.length > 0) {
      const { correlationId } = work.cause;
      this.log.error({ msg: 'a refund is lost', correlationId, paymentId: work.id, number: refund.number });
    }
    return lost ? null : this.nextLook(payment, refund.number);
  }

  /** Reads the payouts since the refund was requested, oldest first, for our reference. */
  private async search({ id, refund }: Work): Promise<Searched> {
    const reference = refundReference(id, refund.number);
    const from = addMinutes(refund.requestedAt, -5);
    const to = addMinutes(this.clock.now(), 5);
    const end = addSeconds(this.clock.now(), searchSeconds);
    try {
      for (let page = 1; page <= pagesAtMost && this.clock.now() < end; page++) {
        const { reports, unread, lastPage } = await this.gateway.listPayouts({ from, to, page });
        const report = reports.find(({ description }) => description === reference);
        if (report) return { kind: 'found', report };
        if (unread.includes(reference))
          return { kind: 'there', why: 'the payout is listed in a status that is not known' };
        if (page >= lastPage) return { kind: 'none' };
      }
    } catch (error) {
      if (!(error instanceof GatewayUnavailable)) throw error;
      return { kind: 'unread', why: error.message };
    }
    return { kind: 'unread', why: 'the payout history is too long to be read to its end' };
  }

  /** Has the gateway say what became of a payout that it took. */
  private async ask({ id, refund, cause }: Work): Promise<number | null> {
    const { number, trackId } = refund;
    if (trackId === null) return null;
    await this.payouts.applyUnmatched(trackId);
    const report = await this.gateway.findPayout(trackId).catch(noneWhereUnavailable);
    const { payment } = report ? await this.payouts.answered(id, report, cause) : await this.streams.load(id);
    const next = this.nextLook(payment, number);
    const last =
      next === null && refundsOf(payment).some((known) => known.number === number && known.status === 'submitted');
    if (last) {
      const { correlationId } = cause;
      this.log.error({ msg: 'the gateway has no final word on a refund', correlationId, paymentId: id, number });
      await this.decide({ id, refund, cause }, (current, now) => refundUnended(current, number, now));
    }
    return next;
  }

  /** Decides upon the refund in the attempt that this step is about; a later one is another's. */
  private decide(
    { id, refund, cause }: Work,
    decision: (payment: Payment, now: string) => PaymentEvent[],
  ): Promise<Decided> {
    return this.streams.decide(id, cause, (payment) => {
      const current = refundsOf(payment).find(({ number }) => number === refund.number);
      return current?.attempt === refund.attempt ? decision(payment, this.clock.now()) : [];
    });
  }

  private nextLook(payment: Payment, number: number): number | null {
    const refund = refundsOf(payment).find((known) => known.number === number);
    const seconds = refund ? nextLookSeconds(refund, this.clock.now()) : null;
    return seconds === null ? null : seconds * 1000;
  }
}

function noneWhereUnavailable(error: unknown): null {
  if (error instanceof GatewayUnavailable) return null;
  throw error;
}

import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../kernel/clock.js';
import { Ids } from '../kernel/ids.js';
import { EventStore, type InboxMessage } from '../platform/event-store/event-store.pg.js';
import { callbackSource, causeOf, messageOf, pollSource, type Intake } from './evidence.js';
import { PaymentGateway, type PayoutReport } from './payment-gateway.js';
import { PaymentStreams, type Cause, type Decided } from './payment-streams.pg.js';
import type { Payment, PaymentEvent, Witness } from './payment.js';
import { RefundLooks } from './refund-looks.job.js';
import { refundsOf } from './refund-schedule.js';
import { readReference } from './refund.js';
import { applyPayout } from './refunds.js';

/** The scope of the keys by which a payout's track id leads to the payment that it gives money back for. */
export const payoutKeyScope = 'payout:default';

const failures: ReadonlySet<PayoutReport['status']> = new Set(['canceled', 'rejected', 'failed']);

/** What the gateway says of payouts, unasked or asked: each enters as evidence with its effect in one commit. */
@Injectable()
export class PayoutEvents {
  private readonly log = new Logger(PayoutEvents.name);

  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(PaymentGateway) private readonly gateway: PaymentGateway,
    @Inject(RefundLooks) private readonly looks: RefundLooks,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
  ) {}

  /** A callback; kept until its payout is known where it is not. Throws `StoreUnavailable`. */
  async receive(report: PayoutReport, message: InboxMessage): Promise<Intake> {
    const applied = await this.match(report, message);
    if (applied) return applied;
    const kept = await this.store.recordMessage(null, { ...message, status: 'unmatched', reason: 'payout' });
    // The payout may have been recorded between the look and the store; whoever comes second finds the other.
    const appeared = await this.match(report, message);
    if (appeared) {
      await this.store.markMatched(null, message.digest);
      return appeared;
    }
    // The answer that told its track id may have been lost: then it is found in the payout history by our reference.
    const ours = report.description === null ? null : readReference(report.description);
    if (ours) await this.askFor(ours.paymentId, ours.number, causeOf(message));
    return { result: kept.outcome === 'duplicate' ? 'duplicate' : 'unmatched', reason: 'payout' };
  }

  /** Applies the callbacks that came before their payout was recorded. Returns how many there were. */
  async applyUnmatched(trackId: string): Promise<number> {
    const kept = await this.store.openMessages(callbackSource, trackId);
    // What is in quarantine was not believed when it came, and is not now.
    const open = kept.filter(({ status }) => status === 'unmatched');
    for (const { body, headers, digest, receivedAt } of open) {
      const report = this.gateway.readPayoutCallback(body);
      if (report?.trackId !== trackId) continue;
      const evidence = {
        id: this.ids.next(),
        source: callbackSource,
        subject: trackId,
        content: body,
        body,
        headers,
        receivedAt,
      };
      if (await this.match(report, { ...messageOf(evidence), digest })) await this.store.markMatched(null, digest);
    }
    return open.length;
  }

  /** The gateway's own answer about a payout of this payment. */
  async answered(paymentId: string, report: PayoutReport, cause: Cause): Promise<Decided> {
    const body = Buffer.from(JSON.stringify(report));
    const receivedAt = this.clock.now();
    const evidence = {
      id: this.ids.next(),
      source: pollSource,
      subject: report.trackId,
      content: body,
      body,
      receivedAt,
    };
    const by = { ...cause, causationId: evidence.id };
    const decision = (payment: Payment) => reportUpon(payment, report, 'poll', receivedAt);
    const first = await this.streams.decide(paymentId, by, decision, { message: messageOf(evidence) });
    // The same answer as before may still decide something new, where it came before the payout was recorded.
    return first.fresh ? first : this.streams.decide(paymentId, by, decision);
  }

  private async match(report: PayoutReport, message: InboxMessage): Promise<Intake | null> {
    const holder = await this.store.streamOf(payoutKeyScope, report.trackId);
    if (holder === null) return null;
    const cause = causeOf(message);
    const decided = await this.streams.decide(
      holder,
      cause,
      (payment) => reportUpon(payment, report, 'callback', message.receivedAt),
      { message },
    );
    const refund = refundsOf(decided.payment).find(({ trackId }) => trackId === report.trackId);
    if (refund?.status === 'submitted' && failures.has(report.status)) await this.askFor(holder, refund.number, cause);
    return { result: decided.fresh ? 'applied' : 'duplicate', reason: null };
  }

  /** Has the gateway asked soon: what it says unasked is not believed alone. It is asked in any case, only later. */
  private async askFor(paymentId: string, number: number, { correlationId, causationId }: Cause): Promise<void> {
    const look = { paymentId, number, correlationId, causationId };
    await this.looks.schedule(look).catch((error: unknown) => {
      this.log.warn({ msg: 'no look at a refund could be added', paymentId, number, error: String(error) });
    });
  }
}

function reportUpon(payment: Payment, report: PayoutReport, witness: Witness, now: string): PaymentEvent[] {
  const refund = refundsOf(payment).find(({ trackId }) => trackId === report.trackId);
  return refund ? applyPayout(payment, refund.number, report, { witness, now }) : [];
}

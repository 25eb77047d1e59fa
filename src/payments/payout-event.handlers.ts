import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../kernel/clock.js';
import { Ids } from '../kernel/ids.js';
import { EventStore, type InboxMessage, type StoredMessage } from '../platform/event-store/event-store.pg.js';
import { callbackSource, causeOf, copyOf, messageOf, pollSource, type Intake } from './evidence.js';
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
    const applied = await this.apply(report, message);
    if (applied) return intakeOf(applied);
    const kept = await this.store.recordMessage(null, { ...message, status: 'unmatched', reason: 'payout' });
    // The payout may have been recorded between the look and the store; whoever comes second finds the other.
    const appeared = await this.apply(report, message);
    if (appeared) {
      await this.store.markMatched(null, message.digest);
      return intakeOf(appeared);
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
    for (const message of open) {
      const said = this.gateway.readCallback(message.body);
      if (said.kind === 'payout' && said.report.trackId === trackId)
        await this.match(message, said, { actor: 'gateway', correlationId: message.id });
    }
    return open.length;
  }

  /** The payment that gives money back by this payout; null where the payout is not known here. Throws `StoreUnavailable`. */
  find({ trackId }: PayoutReport): Promise<string | null> {
    return this.store.streamOf(payoutKeyScope, trackId);
  }

  /** Applies a kept callback to its payout now, once, and notes that it was. Null where the payout is not known. */
  async match(
    kept: StoredMessage,
    { report, content }: { report: PayoutReport; content: string },
    by: Pick<Cause, 'actor' | 'correlationId'>,
  ): Promise<Decided | null> {
    const holder = await this.find(report);
    if (holder === null) return null;
    const message = copyOf(kept, report.trackId, content);
    const known = await this.store.messageAt(holder, message.digest);
    const decided = known
      ? { ...(await this.streams.load(holder)), added: [], fresh: false }
      : await this.apply(report, message, by);
    if (decided) await this.store.markMatched(null, kept.digest);
    return decided;
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

  private async apply(
    report: PayoutReport,
    message: InboxMessage,
    by: Pick<Cause, 'actor' | 'correlationId'> = causeOf(message),
  ): Promise<Decided | null> {
    const holder = await this.find(report);
    if (holder === null) return null;
    const cause = { ...by, causationId: message.id };
    const decided = await this.streams.decide(
      holder,
      cause,
      (payment) => reportUpon(payment, report, 'callback', message.receivedAt),
      { message },
    );
    const refund = refundsOf(decided.payment).find(({ trackId }) => trackId === report.trackId);
    if (refund?.status === 'submitted' && failures.has(report.status)) await this.askFor(holder, refund.number, cause);
    return decided;
  }

  /** Has the gateway asked soon: what it says unasked is not believed alone. It is asked in any case, only later. */
  private async askFor(paymentId: string, number: number, { correlationId, causationId }: Cause): Promise<void> {
    const look = { paymentId, number, correlationId, causationId };
    await this.looks.schedule(look).catch((error: unknown) => {
      const msg = 'no look at a refund could be added';
      this.log.warn({ msg, correlationId, paymentId, number, error: String(error) });
    });
  }
}

const intakeOf = ({ fresh }: Decided): Intake => ({ result: fresh ? 'applied' : 'duplicate', reason: null });

function reportUpon(payment: Payment, report: PayoutReport, witness: Witness, now: string): PaymentEvent[] {
  const refund = refundsOf(payment).find(({ trackId }) => trackId === report.trackId);
  return refund ? applyPayout(payment, refund.number, report, { witness, now }) : [];
}

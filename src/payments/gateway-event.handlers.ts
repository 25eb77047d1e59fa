import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { addMinutes, Clock, type Instant } from '../kernel/clock.js';
import { Ids, isUuid } from '../kernel/ids.js';
import {
  Conflict,
  EventStore,
  StoreUnavailable,
  type InboxMessage,
  type StoredMessage,
} from '../platform/event-store/event-store.pg.js';
import { applyReport, type Claim } from './decisions.js';
import { DepositIntake } from './deposit-intake.js';
import { Looks } from './looks.pg.js';
import { callbackSource, causeOf, copyOf, messageOf, type Intake } from './evidence.js';
import { PaymentGateway, type CallbackSays, type GatewayReport } from './payment-gateway.js';
import { PaymentStreams, type Cause, type Decided, type LoadedPayment } from './payment-streams.pg.js';
import { PayoutEvents } from './payout-event.handlers.js';
import {
  isLeftBehind,
  isReportable,
  isWithoutInvoice,
  type Payment,
  type PaymentEvent,
  type Reportable,
} from './payment.js';

export const trackKeyScope = 'track:default';

/** A verified callback: its bytes as they came, and what they say. */
export class ApplyGatewayEvent {
  constructor(
    readonly body: Buffer,
    readonly reading: CallbackSays,
    /** What came with it, as it is to be kept. */
    readonly headers: Readonly<Record<string, string>> | null = null,
    /** The id of the request that brought it, a UUID; null: it is given one. */
    readonly id: string | null = null,
  ) {}
}

/** What arrived, before anything is made of it. */
type Came = Pick<InboxMessage, 'id' | 'body' | 'headers'>;

type Found = LoadedPayment & { payment: Reportable };

/** Callbacks about payments: whose they are, and what follows from them. */
@Injectable()
export class PaymentEvents {
  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(Looks) private readonly looks: Looks,
    @Inject(Clock) private readonly clock: Clock,
    /** Where callbacks go that are about an address and not about a payment. */
    @Inject(DepositIntake) readonly deposits: DepositIntake,
  ) {}

  /** The payment that a report is about: by the order id that the gateway echoes, held against the track id we know. */
  async find(report: GatewayReport): Promise<Found | 'identity_mismatch' | null> {
    const byOrder = report.orderId !== null && isUuid(report.orderId) ? await this.streams.find(report.orderId) : null;
    if (byOrder && isAbout(byOrder.payment, report)) return { ...byOrder, payment: byOrder.payment };
    const holder = await this.store.streamOf(trackKeyScope, report.trackId);
    if (holder === null) return byOrder && !mayLackInvoice(byOrder.payment) ? 'identity_mismatch' : null;
    if (report.orderId !== null && report.orderId !== holder) return 'identity_mismatch';
    const held = await this.streams.find(holder);
    return held && isAbout(held.payment, report) ? { ...held, payment: held.payment } : null;
  }

  /** The payment of ours that it names, whosever it is; null where it names none. */
  async named({ orderId }: GatewayReport): Promise<Payment | null> {
    return orderId !== null && isUuid(orderId) ? ((await this.streams.find(orderId))?.payment ?? null) : null;
  }

  /** Appends the message and what follows from it. Throws `StoreUnavailable`, and `Conflict` where races are lost on end. */
  async decide(
    loaded: Found,
    report: GatewayReport,
    message: InboxMessage,
    by: Pick<Cause, 'actor' | 'correlationId'> = causeOf(message),
    now: Instant = message.receivedAt,
  ): Promise<Decided> {
    const cause = { ...by, causationId: message.id };
    const decided = await this.streams.decide(
      loaded.payment.terms.id,
      cause,
      (payment, orderTaken) =>
        reportUpon(payment, report, { witness: 'callback', now, heardAt: message.receivedAt, orderTaken }),
      { message, loaded },
    );
    // A paid payment that is said to have ended otherwise: the gateway itself is asked what is true.
    if (decided.payment.status === 'paid' && endedOtherwise.has(report.status))
      await this.looks.dueNow(decided.payment.terms.id, this.clock.now());
    return decided;
  }

  /**
   * Applies a kept callback to its payment now, once, and notes that it was. Gives what `find` does where it has none.
   * Throws as `decide`.
   */
  async match(
    kept: StoredMessage,
    { report, content }: { report: GatewayReport; content: string },
    by: Pick<Cause, 'actor' | 'correlationId'>,
  ): Promise<Decided | 'identity_mismatch' | null> {
    const found = await this.find(report);
    if (found === null || found === 'identity_mismatch') return found;
    const { id } = found.payment.terms;
    const message = copyOf(kept, report.trackId, content);
    const isApplied = async (): Promise<boolean> => (await this.store.messageAt(id, message.digest)) !== null;
    const before = { ...found, added: [], fresh: false };
    const decided = (await isApplied())
      ? before
      : await this.decide(found, report, message, by, this.clock.now()).catch(async (error: unknown) => {
          // Whoever applied it at the same moment has done all there was to do.
          if (error instanceof Conflict && (await isApplied())) return before;
          throw error;
        });
    await this.store.markMatched(null, kept.digest);
    return decided;
  }
}

/** Stores evidence and its effect in one commit; resolves only when both are durable. Throws `StoreUnavailable`. */
@CommandHandler(ApplyGatewayEvent)
export class ApplyGatewayEventHandler implements ICommandHandler<ApplyGatewayEvent, Intake> {
  private readonly log = new Logger(ApplyGatewayEvent.name);
  /** Until when no further look around is begun. */
  private lookedAround: Instant = '';

  constructor(
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(Looks) private readonly looks: Looks,
    @Inject(PaymentEvents) private readonly payments: PaymentEvents,
    @Inject(PayoutEvents) private readonly payouts: PayoutEvents,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
  ) {}

  async execute({ id, body, reading, headers }: ApplyGatewayEvent): Promise<Intake> {
    const came = { id: id ?? this.ids.next(), body, headers };
    if (reading.kind === 'unreadable') return this.quarantine(came, reading.reason, reading.trackId);
    const { report, content } = reading;
    const message = this.message(came, content, report.trackId, 'applied', null);
    try {
      return reading.kind === 'payout'
        ? await this.payouts.receive(reading.report, message)
        : await this.apply(reading.report, message);
    } catch (error) {
      if (error instanceof StoreUnavailable || error instanceof Conflict) throw error;
      this.log.error({
        msg: 'a callback could not be decided upon',
        correlationId: came.id,
        trackId: report.trackId,
        error: String(error),
      });
      return this.quarantine(came, 'decision_failed', report.trackId);
    }
  }

  private async apply(report: GatewayReport, message: InboxMessage): Promise<Intake> {
    const found = await this.payments.find(report);
    if (found === 'identity_mismatch') return this.mismatch(report, message);
    if (found === null) {
      const deposited = await this.payments.deposits.receive(report, message);
      if (deposited) return deposited;
      await this.keep({ ...message, status: 'unmatched', reason: 'unknown_track_id' });
      // The invoice may have been recorded between the look and the store; whoever comes second finds the other.
      const appeared = await this.payments.find(report);
      const late = appeared === null ? await this.payments.deposits.receive(report, message) : null;
      if (late) {
        await this.store.markMatched(null, message.digest);
        return late;
      }
      if (appeared === null || appeared === 'identity_mismatch') {
        // Where it names a payment of ours, that one's invoice is at the gateway and was never recorded.
        if (await this.payments.named(report)) await this.looks.dueNow(report.orderId ?? '', this.clock.now());
        return { result: 'unmatched', reason: 'unknown_track_id' };
      }
      const intake = await this.decide(appeared, report, message);
      await this.store.markMatched(null, message.digest);
      return intake;
    }
    return this.decide(found, report, message);
  }

  /** It names a payment, under a track id that is not that one's. */
  private async mismatch(report: GatewayReport, message: InboxMessage): Promise<Intake> {
    const named = await this.payments.named(report);
    if (named === null || !isLeftBehind(named, report))
      return this.quarantine(message, 'identity_mismatch', report.trackId);
    // Kept like all evidence; there is nothing in it that anybody could decide about.
    const { result } = await this.keep({ ...message, status: 'unmatched', reason: 'left_behind' });
    await this.store.markMatched(null, message.digest);
    return { result: result === 'duplicate' ? result : 'applied', reason: null };
  }

  private async decide(loaded: Found, report: GatewayReport, message: InboxMessage): Promise<Intake> {
    const { fresh } = await this.payments.decide(loaded, report, message);
    return { result: fresh ? 'applied' : 'duplicate', reason: null };
  }

  private async quarantine(came: Came, reason: string, trackId: string | null): Promise<Intake> {
    await this.keep(this.message(came, came.body, trackId, 'quarantined', reason));
    const holder = trackId === null ? null : await this.store.streamOf(trackKeyScope, trackId);
    if (holder !== null) await this.looks.dueNow(holder, this.clock.now());
    if (trackId === null) await this.lookAround();
    return { result: 'quarantined', reason };
  }

  /** The gateway signed something that cannot be read: whatever it was about, asking finds it. Once a minute at most. */
  private async lookAround(): Promise<void> {
    const now = this.clock.now();
    if (now < this.lookedAround) return;
    this.lookedAround = addMinutes(now, 1);
    await this.looks.someDueNow(now);
  }

  private async keep(message: InboxMessage): Promise<Intake> {
    const stored = await this.store.recordMessage(null, message);
    const result = message.status === 'quarantined' ? 'quarantined' : 'unmatched';
    return { result: stored.outcome === 'duplicate' ? 'duplicate' : result, reason: message.reason };
  }

  private message(
    { id, body, headers = null }: Came,
    content: string | Buffer,
    subject: string | null,
    status: InboxMessage['status'],
    reason: string | null,
  ): InboxMessage {
    const receivedAt = this.clock.now();
    return messageOf({ id, source: callbackSource, subject, content, body, headers, receivedAt }, status, reason);
  }
}

/** Its invoice may exist at the gateway without being known here. */
const mayLackInvoice = (payment: Payment): boolean => payment.status === 'created' || isWithoutInvoice(payment);

const isAbout = (payment: Payment, report: GatewayReport): payment is Reportable =>
  isReportable(payment) && payment.invoice.trackId === report.trackId;

const endedOtherwise: ReadonlySet<GatewayReport['status']> = new Set(['expired', 'underpaid', 'failed', 'refunding']);

/** What a report changes; nothing where it cannot be about the payment as it is. */
export const reportUpon = (payment: Payment, report: GatewayReport, claim: Claim): PaymentEvent[] =>
  isReportable(payment) ? applyReport(payment, report, claim) : [];

/** Callbacks that came before their invoice was recorded, applied once it is. */
@Injectable()
export class ApplyUnmatched {
  constructor(
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(PaymentGateway) private readonly gateway: PaymentGateway,
    @Inject(PaymentEvents) private readonly payments: PaymentEvents,
  ) {}

  /** Returns how many there were for the payment that holds the track id. */
  async apply(trackId: string, { correlationId }: Cause): Promise<number> {
    const kept = await this.store.openMessages(callbackSource, trackId);
    // What is in quarantine was not believed when it came, and is not now unless an operator says so.
    const open = kept.filter((message) => message.status === 'unmatched');
    const holder = open.length > 0 ? await this.store.streamOf(trackKeyScope, trackId) : null;
    if (holder === null) return 0;
    for (const message of open) {
      const said = this.gateway.readCallback(message.body);
      // Who names another order was sent to a track id that has since become ours, and speaks of something else.
      if (said.kind === 'payment') await this.payments.match(message, said, { actor: 'gateway', correlationId });
    }
    return open.length;
  }
}

import { Inject, Logger } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RecordedEvent } from '../kernel/event.js';
import { Refusal } from '../kernel/refusal.js';
import {
  EventStore,
  StoreUnavailable,
  type KeptMessage,
  type StoredMessage,
} from '../platform/event-store/event-store.pg.js';
import { DepositIntake } from './deposit-intake.js';
import { callbackSource } from './evidence.js';
import { PaymentEvents } from './gateway-event.handlers.js';
import { PaymentGateway, type CallbackSays } from './payment-gateway.js';
import type { Decided } from './payment-streams.pg.js';
import { PayoutEvents } from './payout-event.handlers.js';

/** Applies a callback that was kept: the present version may read it, and its payment may be known by now. */
export class ReprocessMessage {
  constructor(
    readonly id: string,
    readonly options: {
      /** Who says so. */
      actor: string;
      /** Whether to believe one whose signature no configured key bears out, because its key was rotated away. */
      retiredKey: boolean;
      /** True: says what would come of it, and writes nothing. */
      dryRun: boolean;
    },
  ) {}
}

/** Why a message stays as it is. The gateway's own faults of reading (`unknown_status`, …) come beside these. */
export type ReprocessRefusal =
  | 'not_a_callback'
  | 'hash_differs'
  | 'hash_missing'
  | 'no_signature_kept'
  | 'unknown_key'
  | 'wrong_key'
  | 'unknown_track_id'
  | 'unknown_payout'
  | 'identity_mismatch'
  | 'decision_failed';

export interface Reprocessed {
  id: string;
  /** `matched`: applied, now or before. `would_match`: it would be. `kept`: neither; `reason` says why. */
  outcome: 'matched' | 'would_match' | 'kept';
  reason: string | null;
  paymentId: string | null;
  /** What was appended now. */
  events: readonly RecordedEvent[];
}

/**
 * Applies the stored bytes by the same decision as at intake, once, however often and by whomever it is asked. What is
 * in the inbox had a good signature when it came; one that no key of today bears out could also have been put there
 * later, by whoever writes to the database. Throws `Refusal('not_found')` and `StoreUnavailable`.
 */
@CommandHandler(ReprocessMessage)
export class ReprocessMessageHandler implements ICommandHandler<ReprocessMessage, Reprocessed> {
  private readonly log = new Logger(ReprocessMessage.name);

  constructor(
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(PaymentGateway) private readonly gateway: PaymentGateway,
    @Inject(PaymentEvents) private readonly payments: PaymentEvents,
    @Inject(PayoutEvents) private readonly payouts: PayoutEvents,
    @Inject(DepositIntake) private readonly deposits: DepositIntake,
  ) {}

  async execute({ id, options }: ReprocessMessage): Promise<Reprocessed> {
    const message = await this.store.message(id);
    if (!message) throw new Refusal('not_found', `There is no message ${id} in the inbox.`);
    const outcome = (given: Partial<Reprocessed>): Reprocessed => ({
      ...{ id, outcome: 'kept', reason: null, paymentId: null, events: [] },
      ...given,
    });
    if (message.source !== callbackSource) return outcome({ reason: 'not_a_callback' });
    if (!isOpen(message)) return outcome({ outcome: 'matched', reason: 'done_already' });
    const refusal = this.distrust(message, options.retiredKey);
    if (refusal !== null) return outcome({ reason: refusal });
    const said = this.gateway.readCallback(message.body);
    if (said.kind === 'unreadable') return outcome({ reason: said.reason });
    try {
      return outcome(options.dryRun ? await this.foresee(said) : await this.apply(message, said, options.actor));
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      this.log.error({ msg: 'a kept callback could not be decided upon', id, error: String(error) });
      return outcome({ reason: 'decision_failed' });
    }
  }

  /** Why what is stored is not to be believed; null where it is. */
  private distrust(message: KeptMessage, retiredKey: boolean): ReprocessRefusal | null {
    if (message.hash === 'differs') return 'hash_differs';
    // Before hashes were kept, headers were not kept either.
    if (message.hash === 'none' && message.headers !== null) return 'hash_missing';
    const { signer, fits } = this.gateway.signatureOf(message.body, message.headers);
    if (signer !== null) return fits ? null : 'wrong_key';
    if (retiredKey) return null;
    return message.headers?.['hmac'] === undefined ? 'no_signature_kept' : 'unknown_key';
  }

  private async foresee(said: Readable): Promise<Partial<Reprocessed>> {
    if (said.kind === 'payout') {
      const paymentId = await this.payouts.find(said.report);
      return paymentId === null ? { reason: 'unknown_payout' } : { outcome: 'would_match', paymentId };
    }
    // A deposit has no payment yet that could be named.
    if (await this.deposits.isAbout(said.report)) return { outcome: 'would_match' };
    const found = await this.payments.find(said.report);
    if (found === null || found === 'identity_mismatch') return { reason: found ?? 'unknown_track_id' };
    return { outcome: 'would_match', paymentId: found.payment.terms.id };
  }

  private async apply(message: StoredMessage, said: Readable, actor: string): Promise<Partial<Reprocessed>> {
    const by = { actor, correlationId: message.id };
    const paid = said.kind === 'payment' ? await this.deposits.match(message, said, by) : null;
    if (paid !== null) return { outcome: 'matched', paymentId: paid[0] ?? null };
    const decided =
      said.kind === 'payout'
        ? await this.payouts.match(message, said, by)
        : await this.payments.match(message, said, by);
    if (decided === 'identity_mismatch') return { reason: decided };
    return decided === null
      ? { reason: said.kind === 'payout' ? 'unknown_payout' : 'unknown_track_id' }
      : matchedBy(decided);
  }
}

type Readable = Exclude<CallbackSays, { kind: 'unreadable' }>;

const isOpen = ({ status }: StoredMessage): boolean => status === 'unmatched' || status === 'quarantined';

const matchedBy = ({ payment, added }: Decided): Partial<Reprocessed> => ({
  outcome: 'matched',
  paymentId: payment.terms.id,
  events: added,
});

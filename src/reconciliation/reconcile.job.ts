import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Interval } from '@nestjs/schedule';
import type { PoolClient } from 'pg';
import { addSeconds, Clock, type Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { Ids } from '../kernel/ids.js';
import { Looks, type Look } from '../payments/looks.pg.js';
import { GatewayUnavailable } from '../payments/payment-gateway.js';
import { Reconcile } from '../payments/payment.handlers.js';
import { PaymentStreams, type LoadedPayment } from '../payments/payment-streams.pg.js';
import type { Reactor } from '../platform/subscriptions/projection.js';
import { isLastLook, lookAfter, nextLook } from './reconcile.js';

/** Keeps the time of each payment's next look in step with its events. */
export class LookReactor implements Reactor {
  readonly kind = 'reactor';
  readonly name = 'looks';

  constructor(private readonly looks: Looks) {}

  async react(tx: PoolClient, events: readonly RecordedEvent[]): Promise<void> {
    const due = new Map<string, Look | null>();
    for (const event of events) {
      const look = lookAfter(event);
      if (look !== undefined) due.set(event.streamId, look);
    }
    if (due.size > 0) await this.looks.schedule(tx, due);
  }
}

/** Questions to the gateway that one process has open at a time. */
const atOnce = 12;
/** A look that was claimed by a process which then died is taken up by another after this time. */
const leaseSeconds = 45;

/** Looks payments up at the gateway when their time has come. Safe with any number of replicas: each look is claimed. */
@Injectable()
export class ReconcileJob {
  private readonly log = new Logger(ReconcileJob.name);
  private readonly inHand = new Set<Promise<void>>();
  private claiming = false;
  private stopped = false;

  constructor(
    @Inject(Looks) private readonly looks: Looks,
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
  ) {}

  /** Takes as many due looks as there is room for; a slow one holds up no other. */
  @Interval('reconcile', 250)
  async tick(): Promise<void> {
    const room = atOnce - this.inHand.size;
    if (this.stopped || this.claiming || room === 0) return;
    this.claiming = true;
    try {
      const now = this.clock.now();
      const lease = addSeconds(now, leaseSeconds);
      for (const id of await this.looks.claim(now, lease, room)) this.begin(id, lease);
    } catch (error) {
      this.log.warn({ msg: 'no look at a payment could be claimed', error: String(error) });
    } finally {
      this.claiming = false;
    }
  }

  /** Begins no more looks; resolves when those in hand are done. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.inHand);
  }

  private begin(id: string, lease: Instant): void {
    const look = this.look(id, lease)
      .catch((error: unknown) => {
        this.log.warn({ msg: 'a look at a payment was cut short', paymentId: id, error: String(error) });
      })
      .finally(() => {
        this.inHand.delete(look);
        void this.tick();
      });
    this.inHand.add(look);
  }

  private async look(id: string, lease: Instant): Promise<void> {
    const now = this.clock.now();
    const before = await this.streams.find(id);
    if (!before) return this.looks.done(id, lease, null);
    const lookId = this.ids.next();
    const cause = { actor: 'reconciler', correlationId: lookId, causationId: lookId };
    const last = isLastLook(before.payment, now);
    try {
      const { payment } = await this.commands.execute<Reconcile, LoadedPayment>(new Reconcile(id, cause, last));
      await this.looks.done(id, lease, last ? null : nextLook(payment, now));
    } catch (error) {
      const level = error instanceof GatewayUnavailable ? 'warn' : 'error';
      this.log[level]({ msg: 'a payment could not be looked up', paymentId: id, error: String(error) });
      await this.looks.done(id, lease, addSeconds(now, 20));
    }
  }
}

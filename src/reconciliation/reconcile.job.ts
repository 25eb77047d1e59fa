import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Interval } from '@nestjs/schedule';
import type { PoolClient } from 'pg';
import { addSeconds, Clock, type Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { Ids } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import { Looks, type Look } from '../payments/looks.pg.js';
import { GatewayUnavailable } from '../payments/payment-gateway.js';
import { GiveUp, Reconcile } from '../payments/payment.handlers.js';
import type { LoadedPayment } from '../payments/payment-streams.pg.js';
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
      if (look === undefined) continue;
      const known = due.get(event.streamId);
      // Goods wait for an urgent one: what follows it in the log puts it off no more.
      due.set(event.streamId, known?.urgent && look ? known : look);
    }
    if (due.size > 0) await this.looks.schedule(tx, due);
  }
}

/** Questions to the gateway that one process has open at a time. */
const atOnce = 12;
/**
 * Looks that one process begins in a second, and how many it may save up while it has nothing to ask. The gateway
 * publishes no limit on requests, so this is a courtesy that keeps us from being shut out.
 */
const looksPerSecond = 10;
const savedAtMost = 20;
/** A look that was claimed by a process which then died is taken up by another after this time. */
const leaseSeconds = 45;

/** Looks payments up at the gateway when their time has come. Safe with any number of replicas: each look is claimed. */
@Injectable()
export class ReconcileJob {
  private readonly log = new Logger(ReconcileJob.name);
  private readonly inHand = new Set<Promise<void>>();
  private claiming = false;
  private saved = savedAtMost;
  private countedAt = performance.now();
  private stopped = false;

  constructor(
    @Inject(Looks) private readonly looks: Looks,
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
  ) {}

  /** Takes as many due looks as there is room for; a slow one holds up no other. */
  @Interval('reconcile', 250)
  async tick(): Promise<void> {
    const room = Math.min(atOnce - this.inHand.size, this.allowance());
    if (this.stopped || this.claiming || room < 1) return;
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

  /** How many looks may begin now. */
  private allowance(): number {
    const now = performance.now();
    this.saved = Math.min(savedAtMost, this.saved + ((now - this.countedAt) / 1000) * looksPerSecond);
    this.countedAt = now;
    return Math.floor(this.saved);
  }

  private begin(id: string, lease: Instant): void {
    this.saved--;
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
    const lookId = this.ids.next();
    const cause = { actor: 'reconciler', correlationId: lookId, causationId: lookId };
    try {
      const { payment } = await this.commands.execute<Reconcile, LoadedPayment>(new Reconcile(id, cause));
      const last = isLastLook(payment, now);
      if (last) await this.commands.execute(new GiveUp(id, cause));
      await this.looks.done(id, lease, last ? null : nextLook(payment, now));
    } catch (error) {
      const level = error instanceof GatewayUnavailable ? 'warn' : 'error';
      this.log[level]({ msg: 'a payment could not be looked up', paymentId: id, error: String(error) });
      const gone = error instanceof Refusal && error.code === 'not_found';
      await this.looks.done(id, lease, gone ? null : addSeconds(now, 20));
    }
  }
}

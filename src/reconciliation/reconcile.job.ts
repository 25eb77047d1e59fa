import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Interval } from '@nestjs/schedule';
import type { PoolClient } from 'pg';
import { addSeconds, Clock, type Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { Ids } from '../kernel/ids.js';
import { Looks } from '../payments/looks.pg.js';
import { GatewayUnavailable } from '../payments/payment-gateway.js';
import type { LoadedPayment } from '../payments/payment-streams.pg.js';
import { Reconcile } from '../payments/payment.handlers.js';
import { PaymentStreams } from '../payments/payment-streams.pg.js';
import type { Reactor } from '../platform/subscriptions/projection.js';
import { isLastLook, lookAfter, nextLook } from './reconcile.js';

/** Keeps the time of each payment's next look in step with its events. */
export class LookReactor implements Reactor {
  readonly kind = 'reactor';
  readonly name = 'looks';

  constructor(private readonly looks: Looks) {}

  async react(tx: PoolClient, events: readonly RecordedEvent[]): Promise<void> {
    const due = new Map<string, Instant | null>();
    for (const event of events) {
      const at = lookAfter(event);
      if (at !== undefined) due.set(event.streamId, at);
    }
    if (due.size > 0) await this.looks.schedule(tx, due);
  }
}

const atOnce = 8;
/** A look that was claimed by a process which then died is taken up by another after this time. */
const leaseSeconds = 45;

/** Looks payments up at the gateway when their time has come. Safe with any number of replicas: each look is claimed. */
@Injectable()
export class ReconcileJob {
  private readonly log = new Logger(ReconcileJob.name);
  private running: Promise<void> | null = null;
  private stopped = false;

  constructor(
    @Inject(Looks) private readonly looks: Looks,
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
  ) {}

  @Interval('reconcile', 250)
  async tick(): Promise<void> {
    if (this.running || this.stopped) return;
    this.running = this.drain().catch((error: unknown) => {
      this.log.warn({ msg: 'looking payments up failed', error: String(error) });
    });
    await this.running;
    this.running = null;
  }

  /** Begins no more looks; resolves when those in hand are done. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async drain(): Promise<void> {
    const now = this.clock.now();
    const ids = await this.looks.claim(now, addSeconds(now, leaseSeconds), atOnce);
    await Promise.all(ids.map((id) => this.look(id)));
  }

  private async look(id: string): Promise<void> {
    const now = this.clock.now();
    const before = await this.streams.find(id);
    if (!before) {
      await this.looks.done(id, null);
      return;
    }
    const cause = { actor: 'reconciler', correlationId: this.ids.next(), causationId: id };
    const last = isLastLook(before.payment, now);
    try {
      const { payment } = await this.commands.execute<Reconcile, LoadedPayment>(new Reconcile(id, cause, last));
      await this.looks.done(id, last ? null : nextLook(payment, now));
    } catch (error) {
      const level = error instanceof GatewayUnavailable ? 'warn' : 'error';
      this.log[level]({ msg: 'a payment could not be looked up', paymentId: id, error: String(error) });
      await this.looks.done(id, addSeconds(now, 20));
    }
  }
}

import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Interval } from '@nestjs/schedule';
import type { PoolClient } from 'pg';
import { AddressKeeper } from '../deposits/deposit-address.handlers.js';
import { addSeconds, Clock, type Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { Ids } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import { ReconcilePage, type PageHeard } from '../payments/history.handlers.js';
import { Looks, type ClaimedLook, type Look } from '../payments/looks.pg.js';
import { GatewayDenies, GatewayNotAsked, GatewayUnavailable } from '../payments/payment-gateway.js';
import type { FailureCause } from '../payments/failure-counts.js';
import { GiveUp, Reconcile } from '../payments/payment.handlers.js';
import type { Cause, LoadedPayment } from '../payments/payment-streams.pg.js';
import { inSpan } from '../platform/spans.js';
import { originOf } from '../platform/trace-context.js';
import type { Reactor } from '../platform/subscriptions/projection.js';
import { ReconcileMetrics } from './reconcile-metrics.js';
import { isLastLook, lookAfter, nextLook, spansOf, type Span } from './reconcile.js';

/** Keeps the time of each payment's next look in step with its events. */
export class LookReactor implements Reactor {
  readonly kind = 'reactor';
  readonly name = 'looks';

  constructor(private readonly looks: Looks) {}

  concerns(event: RecordedEvent): boolean {
    return lookAfter(event) !== undefined;
  }

  async react(tx: PoolClient, events: readonly RecordedEvent[]): Promise<void> {
    const due = new Map<string, Look | null>();
    for (const event of events) {
      const look = lookAfter(event);
      if (look === undefined) continue;
      const known = due.get(event.streamId);
      due.set(event.streamId, known && look ? together(known, look) : look);
    }
    if (due.size > 0) await this.looks.schedule(tx, due);
  }
}

/** What two events say of one look. Goods wait for an urgent one: what follows it in the log puts it off no more. */
const together = (known: Look, next: Look): Look => ({ ...known, ...(known.urgent ? {} : next), ...datesOf(next) });

const datesOf = ({ createdAt, deadline }: Look): Partial<Look> => ({
  ...(createdAt ? { createdAt } : {}),
  ...(deadline ? { deadline } : {}),
});

/** Questions to the gateway that one process has open at a time. The fleet's budget decides when each is asked. */
const atOnce = 12;
/** A look that was claimed by a process which then died is taken up by another after this time. */
const leaseSeconds = 45;
const extendAfterSeconds = 15;
/** A payment whose look failed is looked at again after this time. */
const againSeconds = 20;

/** With so many looks due, the history tells of them in fewer requests than there are looks. */
const manyLooks = 50;
const sweptAtMost = 20_000;
const pagesAtMost = 1000;
/** Between two sweeps the looks that the first could not help with have their turn. */
const sweepEverySeconds = 30;

/** A gateway that does not answer so often in a row is left alone for a moment: what is due stays due. */
const failuresInARow = 3;
const restSeconds = 5;

/**
 * Looks payments up at the gateway when their time has come: one by one, or, where many are due, page by page of the
 * gateway's history. Safe with any number of replicas: each look is claimed.
 */
@Injectable()
export class ReconcileJob {
  private readonly log = new Logger(ReconcileJob.name);
  private readonly inHand = new Set<Promise<void>>();
  private sweeping: Promise<void> | null = null;
  private claiming = false;
  private failures = 0;
  private restUntil: Instant = '';
  private sweepAgainAt: Instant = '';
  private stopped = false;

  constructor(
    @Inject(Looks) private readonly looks: Looks,
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
    @Inject(AddressKeeper) private readonly keeper: AddressKeeper,
    @Optional() @Inject(ReconcileMetrics) private readonly metrics: ReconcileMetrics | null = null,
  ) {}

  /** Takes as many due looks as there is room for; a slow one holds up no other. */
  @Interval('reconcile', 250)
  async tick(): Promise<void> {
    const now = this.clock.now();
    if (this.stopped || this.claiming || now < this.restUntil) return;
    this.claiming = true;
    try {
      const lease = addSeconds(now, leaseSeconds);
      await this.sweepWhereMany(now, lease);
      const room = atOnce - this.inHand.size;
      if (room > 0) for (const { id } of await this.looks.claim(now, lease, room)) this.begin(id, lease);
      this.metrics?.ran(true);
    } catch (error) {
      this.metrics?.ran(false);
      this.log.warn({ msg: 'no look at a payment could be claimed', error: String(error) });
    } finally {
      this.claiming = false;
    }
  }

  /** Begins no more looks; resolves when those in hand are done. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all([...this.inHand, this.sweeping]);
  }

  private begin(id: string, lease: Instant): void {
    const cause = this.cause();
    const attributes = { 'finality.payment_id': id };
    const look = inSpan('look at a payment', { of: originOf(cause), attributes }, () => this.look(id, lease, cause))
      .catch((error: unknown) => {
        const { correlationId } = cause;
        this.log.warn({ msg: 'a look at a payment was cut short', correlationId, paymentId: id, error: String(error) });
      })
      .finally(() => {
        this.inHand.delete(look);
        void this.tick();
      });
    this.inHand.add(look);
  }

  private async look(id: string, lease: Instant, cause: Cause): Promise<void> {
    const now = this.clock.now();
    try {
      const loaded = await this.commands.execute<Reconcile, LoadedPayment>(new Reconcile(id, cause));
      this.failures = 0;
      this.metrics?.looked('done');
      await this.looks.done(new Map([[id, await this.afterLook(loaded, now, cause)]]), lease);
    } catch (error) {
      const gone = error instanceof Refusal && error.code === 'not_found';
      // What is no payment may be an address that customers deposit to.
      if (gone && (await this.lookAtAddress(id, lease, cause))) return;
      const unavailable = error instanceof GatewayUnavailable;
      this.metrics?.looked(causeOf(error));
      if (unavailable) this.countFailure(now);
      this.log[unavailable ? 'warn' : 'error']({
        msg: 'a payment could not be looked up',
        correlationId: cause.correlationId,
        paymentId: id,
        error: String(error),
      });
      // Goods that wait go on waiting: what was urgent stays so.
      if (gone) await this.looks.done(new Map([[id, null]]), lease);
      else await this.looks.extend([id], lease, addSeconds(now, againSeconds));
    }
  }

  private async lookAtAddress(id: string, lease: Instant, cause: Cause): Promise<boolean> {
    const now = this.clock.now();
    try {
      const next = await this.keeper.look(id, cause);
      if (next === undefined) return false;
      this.metrics?.looked('done');
      await this.looks.done(new Map([[id, next]]), lease);
    } catch (error) {
      this.metrics?.looked(causeOf(error));
      if (error instanceof GatewayUnavailable) this.countFailure(now);
      const { correlationId } = cause;
      this.log.warn({
        msg: 'a deposit address could not be looked up',
        correlationId,
        addressId: id,
        error: String(error),
      });
      await this.looks.extend([id], lease, addSeconds(now, againSeconds));
    }
    return true;
  }

  private countFailure(now: Instant): void {
    this.failures++;
    if (this.failures >= failuresInARow) this.restUntil = addSeconds(now, restSeconds);
  }

  /** When the payment is to be looked at again; where this look was the last and something is open, a person is told. */
  private async afterLook({ payment }: LoadedPayment, now: Instant, cause: Cause): Promise<Instant | null> {
    if (!isLastLook(payment, now)) return nextLook(payment, now);
    await this.commands.execute(new GiveUp(payment.terms.id, cause));
    return null;
  }

  private cause(): Cause {
    const id = this.ids.next();
    return { actor: 'reconciler', correlationId: id, causationId: id };
  }

  /** Begins a sweep where many looks are due; it takes them all, so that none of them is asked for one by one. */
  private async sweepWhereMany(now: Instant, lease: Instant): Promise<void> {
    if (this.sweeping || now < this.sweepAgainAt) return;
    if ((await this.looks.countDue(now, manyLooks)) < manyLooks) return;
    const claimed = await this.looks.claim(now, lease, sweptAtMost);
    const sweep = new Sweep(this.looks, claimed, lease, now);
    this.sweeping = this.sweep(sweep, claimed).finally(() => {
      // From its end: a slow one must not take what it has just given back.
      this.sweepAgainAt = addSeconds(this.clock.now(), sweepEverySeconds);
      this.sweeping = null;
    });
  }

  /** What the pages do not tell of, because they shifted or because it is too little for a page, is asked for one by one. */
  private async sweep(sweep: Sweep, claimed: readonly ClaimedLook[]): Promise<void> {
    try {
      const spans = spansOf(claimed).filter(({ ids }) => ids.length >= manyLooks);
      await sweep.keepOnly(new Set(spans.flatMap(({ ids }) => ids)), this.clock.now());
      for (const span of spans) {
        const cause = this.cause();
        await inSpan('read the history', { of: originOf(cause) }, () => this.read(span, sweep, cause));
      }
      await sweep.release(this.clock.now());
    } catch (error) {
      const now = this.clock.now();
      if (error instanceof GatewayUnavailable) this.countFailure(now);
      this.metrics?.unheard(causeOf(error));
      this.log.warn({ msg: 'the history of payments could not be read', error: String(error) });
      await sweep.release(addSeconds(now, againSeconds)).catch(() => undefined);
    }
  }

  private async read({ from, to, ids }: Span, sweep: Sweep, cause: Cause): Promise<void> {
    for (let page = 1; page <= pagesAtMost && !this.stopped; page++) {
      const now = this.clock.now();
      const heard = await this.commands.execute<ReconcilePage, PageHeard>(new ReconcilePage({ from, to }, page, cause));
      this.failures = 0;
      this.metrics?.heard(heard.payments.length);
      const next = new Map<string, Instant | null>();
      for (const loaded of heard.payments) next.set(loaded.payment.terms.id, await this.afterLook(loaded, now, cause));
      await sweep.heard(next, this.clock.now());
      const open = sweep.openOf(ids);
      if (open === 0 || page >= heard.lastPage || heard.lastPage - page > open) return;
    }
  }
}

function causeOf(error: unknown): FailureCause<'reconcile'> {
  if (error instanceof GatewayNotAsked) return 'not_asked';
  if (error instanceof GatewayDenies) return 'denied';
  return error instanceof GatewayUnavailable ? 'unavailable' : 'error';
}

/** The looks that a sweep has claimed and has not done yet. */
class Sweep {
  private readonly open: Set<string>;
  private readonly began: Instant;
  private extendAt: Instant;

  constructor(
    private readonly looks: Looks,
    claimed: readonly ClaimedLook[],
    private lease: Instant,
    now: Instant,
  ) {
    this.open = new Set(claimed.map(({ id }) => id));
    this.began = now;
    this.extendAt = addSeconds(now, extendAfterSeconds);
  }

  /** Gives back at once what no page will be read for. */
  async keepOnly(ids: ReadonlySet<string>, now: Instant): Promise<void> {
    const others = [...this.open].filter((id) => !ids.has(id));
    for (const id of others) this.open.delete(id);
    if (others.length > 0) await this.looks.extend(others, this.lease, now);
  }

  openOf(ids: readonly string[]): number {
    return ids.filter((id) => this.open.has(id)).length;
  }

  /** Sets the next looks at what a page told of, and keeps the others in hand for as long as it takes. */
  async heard(next: ReadonlyMap<string, Instant | null>, now: Instant): Promise<void> {
    const claimed = new Map([...next].filter(([id]) => this.open.has(id)));
    const others = new Map([...next].filter(([id]) => !this.open.has(id)));
    await this.looks.done(claimed, this.lease);
    await this.looks.seen(others, this.began);
    for (const id of claimed.keys()) this.open.delete(id);
    if (now < this.extendAt) return;
    const until = addSeconds(now, leaseSeconds);
    await this.looks.extend([...this.open], this.lease, until);
    this.lease = until;
    this.extendAt = addSeconds(now, extendAfterSeconds);
  }

  /** Gives back what is left: it is due again at `at`. */
  async release(at: Instant): Promise<void> {
    await this.looks.extend([...this.open], this.lease, at);
  }
}

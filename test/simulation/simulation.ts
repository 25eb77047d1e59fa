import { Refusal } from '../../src/kernel/refusal.js';
import type { Terms } from '../../src/payments/payment.js';
import { isHeld } from '../../src/payments/standing.js';
import { Callbacks } from './callbacks.js';
import { Checker, isWaived, type Known } from './checker.js';
import { Checkpoints } from './follower.js';
import { Gateway, nothing, wordOf, type Invoice } from './gateway.js';
import { JobTable } from './jobs.js';
import { LookTable } from './looks.js';
import { Merchant } from './merchant.js';
import { mutants } from './mutants.mjs';
import { OutboxTables } from './outbox.js';
import { ReadModel } from './read-model.js';
import { Replica, type Shared } from './replica.js';
import { drawOrder, planOf, type Order } from './scenarios.js';
import { StoreServer } from './store.js';
import { inhabit, Violation, World, type WorldOptions } from './world.js';

const minute = 60_000;
const hour = 60 * minute;

export interface Outcome {
  seed: number;
  steps: number;
  /** Virtual milliseconds. */
  virtual: number;
  hash: string;
  struck: Record<string, number>;
  violation: { invariant: string; message: string; about: string | null } | null;
  /** Only where the run was traced. */
  trace: { about: string | null; text: string }[];
  table: string[];
}

/** One seed: its world, its faults, its orders, from the first request to the last look. */
export class Simulation {
  private readonly world: World;
  private readonly shared: Shared;
  private readonly checker: Checker;
  private readonly callbacks: Callbacks;
  private readonly replicas: Replica[];
  private readonly orders: Order[];
  private readonly orderOf = new Map<string, Order>();
  /** Payments of which the gateway's interface said something else than the plain truth, if only once. */
  private readonly misled = new Set<string>();

  private healedAt = 0;

  constructor(options: WorldOptions) {
    const world = new World(options);
    this.world = world;
    inhabit(world);
    const rng = world.rng('setting');
    const mutant = options.mutant === null ? undefined : mutants[options.mutant];
    this.shared = {
      world,
      store: new StoreServer(world),
      checkpoints: new Checkpoints(),
      looks: new LookTable(),
      outbox: new OutboxTables(world),
      readModel: new ReadModel(),
      gateway: new Gateway(world),
      merchant: new Merchant(world),
      jobs: new JobTable(world),
      settings: { goAheadMinutes: rng.pick([null, null, 5, 30]) },
      batchSize: rng.pick([1, 3, 20, 1000]),
      issued: new Set(),
      misled: (invoice) => this.misled.add(invoice.orderId),
      plant: (parts) => mutant?.plant?.(parts),
    };
    mutant?.spoil?.(this.shared);
    this.checker = new Checker(this.shared);
    const count = rng.pick([1, 2, 2, 3]);
    this.replicas = Array.from(
      { length: count },
      (_, n) => new Replica(this.shared, `replica-${String(n + 1)}`, this.skew()),
    );
    const endpoints = rng.pick([1, 1, 2]);
    for (let n = 1; n <= endpoints; n++)
      this.shared.outbox.addEndpoint(endpointId(n), applicationId, `https://shop.example/${String(n)}`);
    const many = rng.int(2, 5);
    this.orders = Array.from({ length: many }, (_, n) =>
      drawOrder(world.rng('orders'), n + 1, world.profile.faultsFor * 0.5),
    );
    this.callbacks = new Callbacks(
      world,
      this.shared.gateway,
      (body, answered) => this.post(body, answered),
      rng.chance(0.3),
    );
    this.connect();
  }

  async run(): Promise<Outcome> {
    const { world } = this;
    let violation: Outcome['violation'] = null;
    try {
      await this.live();
    } catch (error) {
      violation =
        error instanceof Violation
          ? { invariant: error.invariant, message: error.message, about: error.about }
          : { invariant: 'crash', message: error instanceof Error ? String(error.stack) : String(error), about: null };
    }
    return {
      seed: world.seed,
      steps: world.steps,
      virtual: world.now,
      hash: world.traceHash,
      struck: Object.fromEntries(world.struck),
      violation,
      trace: world.lines,
      table: this.table(),
    };
  }

  /** Something went wrong that nobody waits for. */
  fail(error: unknown): void {
    this.world.fail(error);
  }

  private skew(): number {
    const { world } = this;
    const most = world.profile.skew;
    if (most > 0) world.count('replica.skewed_clock');
    return most === 0 ? 0 : world.rng('skew').int(-most, most);
  }

  private connect(): void {
    const { store, looks, outbox, gateway, merchant, jobs } = this.shared;
    store.committed = (events, message, isKnown) => {
      this.guarded(() => this.checker.committed(events, message, isKnown));
      if (events.length > 0) for (const replica of this.replicas) replica.wake();
    };
    const arm = (): void => {
      for (const replica of this.replicas) replica.arm();
    };
    looks.changed = arm;
    outbox.changed = arm;
    jobs.run = (_task, payload) => this.someReplica().job(payload);
    merchant.later = (paymentId) => this.reportLater(paymentId, 0);
    gateway.mistakeFor = (id) => {
      const scenario = this.orderFor(id)?.scenario;
      return scenario === 'wrong_amount' ? 'amount' : scenario === 'wrong_currency' ? 'currency' : null;
    };
    gateway.coinFor = (id) => this.orderFor(id)?.coin ?? 'USDT';
    gateway.opened = (invoice) => {
      this.callbacks.made(invoice);
      if (this.orderFor(invoice.orderId)?.eager) this.plan(invoice);
    };
    this.checker.opened = ({ payment }) => {
      const invoice = this.checker.invoiceOf(payment);
      if (invoice?.plan === nothing) this.plan(invoice);
    };
    for (const replica of this.replicas) replica.start();
    for (const order of this.orders) {
      this.world.after(order.at, null, () => this.place(order, 0));
      if (order.twice) this.world.after(order.at + 30, null, () => this.place(order, 0));
    }
  }

  private orderFor(paymentId: string): Order | undefined {
    return this.orderOf.get(paymentId);
  }

  /** A check that fails ends the run. */
  private guarded(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.world.fail(error);
    }
  }

  private someReplica(): Replica {
    const up = this.replicas.filter((replica) => replica.isUp);
    return this.world.rng('balancer').pick(up.length > 0 ? up : this.replicas);
  }

  private post(body: Buffer, answered: (ok: boolean) => void): void {
    this.someReplica().receive(body, (ok) => {
      if (ok) this.guarded(() => this.checker.acknowledged(body));
      answered(ok);
    });
  }

  /** The shop asks for a payment, again and again until it has an answer. */
  private place(order: Order, tried: number): void {
    if (tried > 12) return;
    let answered = false;
    const again = (): void => {
      if (answered) return;
      answered = true;
      this.world.after(this.world.rng('shop').int(1000, 60_000), null, () => this.place(order, tried + 1));
    };
    const patience = this.world.strikes('client.gives_up_waiting') ? 50 : 30_000;
    this.world.after(patience, null, again);
    this.someReplica()
      .create((id, now) => this.terms(order, id, now))
      .then((payment) => {
        if (answered) return;
        answered = true;
        this.visit(payment.terms.id, 3);
      }, again);
  }

  private terms(order: Order, id: string, now: string): Terms {
    this.orderOf.set(id, order);
    const { orderId, cents, currency, lifetimeMinutes, policy } = order;
    const amount = `${String(Math.floor(cents / 100))}.${String(cents % 100).padStart(2, '0')}`;
    const nobody = { customerId: null, description: null, email: null, returnUrl: null };
    const fixed = { applicationId, metadata: {}, sandbox: false, statusToken: `status-${id}`, requestedAt: now };
    return { id, orderId, amount, currency, lifetimeMinutes, policy, ...nobody, ...fixed };
  }

  /** Somebody looks at the payment's page now and then. */
  private visit(id: string, left: number): void {
    if (left === 0) return;
    this.world.after(this.world.rng('visits').logarithmic(10_000, 2 * hour), null, () => {
      const askedAt = this.world.now;
      this.someReplica()
        .read(id)
        .then(
          ({ payment }) => this.guarded(() => this.checker.told(id, payment, askedAt)),
          () => undefined,
        );
      this.visit(id, left - 1);
    });
  }

  /** The payer learns where to pay. */
  private plan(invoice: Invoice): void {
    const { world } = this;
    const order = this.orderFor(invoice.orderId);
    if (!order) return;
    invoice.plan = planOf(world.rng(`plan ${order.orderId}`), order, invoice, world.now);
    this.callbacks.expect(invoice);
  }

  private reportLater(paymentId: string, tried: number): void {
    if (tried > 30) return;
    this.world.after(this.world.rng('shop').logarithmic(500, 20 * minute), null, () => {
      let done = false;
      const again = (): void => {
        if (!done) this.reportLater(paymentId, tried + 1);
        done = true;
      };
      this.world.after(minute, null, again);
      this.someReplica()
        .report(paymentId, 'fulfilled')
        .then(() => (done = true), again);
    });
  }

  private async live(): Promise<void> {
    const { world } = this;
    await world.run(world.profile.faultsFor);
    this.heal();
    await this.untilQuiet('L3', 12 * 24 * hour);
    this.checkEnds();
    await this.decideReviews();
    await this.untilQuiet('L3', 5 * 24 * hour);
    this.checkFulfilled();
    this.checker.readModelMatches();
    this.checker.chainsHold();
    await this.replay();
  }

  private heal(): void {
    this.world.faultsOn = false;
    this.healedAt = this.world.now;
    this.world.trace(null, 'all faults end');
    for (const replica of this.replicas) {
      if (!replica.isUp) replica.start();
    }
  }

  /** Nothing is due, under way or to be expected any more. */
  private isQuiet(): boolean {
    const { looks, outbox, store, checkpoints, jobs } = this.shared;
    return (
      this.callbacks.pending === 0 &&
      [...looks.rows.keys()].every((id) => this.isAskedForEver(id)) &&
      store.writers.size === 0 &&
      checkpoints.caughtUp(store.drawn) &&
      outbox.waiting().length === 0 &&
      jobs.waiting === 0
    );
  }

  /** One that is paid by its callbacks alone is looked at until the gateway agrees, which it may never do. */
  private isAskedForEver(id: string): boolean {
    const payment = this.checker.payments.get(id)?.payment;
    return payment?.status === 'paid' && payment.corroboratedAt === null && (isHeld(payment) || payment.denied);
  }

  private async untilQuiet(invariant: string, within: number): Promise<void> {
    const { world } = this;
    const end = world.now + within;
    let looked = 0;
    for (;;) {
      await world.run(end, () => ++looked % 32 === 0 && this.isQuiet());
      if (world.now >= end || !this.isQuiet()) break;
      // What is in hand may set something going: it is quiet when it still is a little later.
      await world.run(world.now + 2 * minute);
      if (this.isQuiet()) return;
    }
    if (this.isQuiet()) return;
    const { looks, outbox, store, checkpoints } = this.shared;
    const [look] = looks.rows.keys();
    const waiting = outbox.waiting();
    throw new Violation(
      invariant,
      `never quiet: ${String(looks.rows.size)} looks, ${String(waiting.length)} deliveries, followers ${checkpoints.caughtUp(store.drawn) ? 'done' : 'behind'}, ${String(this.callbacks.pending)} callbacks`,
      look ?? waiting[0]?.webhook.paymentId ?? null,
    );
  }

  /** L1, L5, L6: every payment has an end, in time, and it is the gateway's, or a person is asked. */
  private checkEnds(): void {
    this.checkStrayMoney();
    for (const known of this.checker.payments.values()) {
      const { payment, id } = known;
      if (payment.status === 'created') throw new Violation('L5', 'still created in the end', id);
      if (payment.status === 'pending' && !isHeld(payment)) throw new Violation('L1', 'still pending in the end', id);
      const invoice = this.checker.invoiceOf(payment);
      const late = (known.endedAt ?? Infinity) - this.endDue(known);
      if (late > endWithin) throw new Violation('L1', `ended ${inMinutes(late)} after it should have`, id);
      const word = invoice && wordOf(invoice, this.world.now);
      const reviewed = this.checker.reviewOf(known).length > 0;
      const agrees =
        payment.status === 'paid'
          ? this.checker.isTrulyPaid(known, this.world.now) ||
            word === 'paid' ||
            word === 'manual_accept' ||
            word === 'refunded'
          : payment.status === 'expired'
            ? word === 'expired' || word === 'underpaid'
            : true;
      if (!agrees && !reviewed)
        throw new Violation('L6', `${payment.status}, and the gateway says ${String(word)}`, id);
      if (payment.status === 'failed' && payment.reason !== 'refused')
        throw new Violation('L6', 'nobody cancelled it', id);
    }
  }

  /**
   * L6: no money lies at an invoice that is not the one of its payment, unless the gateway's own list hid it, or a
   * process stood still for longer than any try to open an invoice may take.
   */
  private checkStrayMoney(): void {
    if (this.world.struck.has('replica.paused')) return;
    for (const invoice of this.shared.gateway.invoices) {
      const known = this.checker.payments.get(invoice.orderId);
      const money = invoice.plan.sent.some(({ fails }) => !fails);
      if (!money || this.misled.has(invoice.orderId)) continue;
      const recorded = known && this.checker.invoiceOf(known.payment);
      if (recorded !== invoice)
        throw new Violation('L6', `money at invoice ${invoice.trackId}, which nobody knows here`, invoice.orderId);
    }
  }

  /** When a payment should have an end: at its deadline, when its money is settled, or when the faults end. */
  private endDue(known: Known): number {
    const invoice = this.checker.invoiceOf(known.payment);
    const lifetime = (this.orderFor(known.id)?.lifetimeMinutes ?? 0) * minute;
    const timely = invoice?.plan.sent.filter(({ seenAt }) => seenAt <= invoice.expiresAt) ?? [];
    const settled = timely.map(({ settledAt }) => settledAt);
    // Money that a callback told of, and that never comes, is waited for until the window for late money has closed.
    if (invoice && invoice.plan.lies.length > 0) settled.push(invoice.expiresAt + 73 * hour);
    return Math.max(this.healedAt, invoice?.expiresAt ?? known.requestedAt + lifetime, ...settled);
  }

  /** An operator who can see the gateway decides what the service could not. */
  private async decideReviews(): Promise<void> {
    for (const known of this.checker.payments.values()) {
      if (!isHeld(known.payment)) continue;
      const whole = this.checker.isWholeInTheEnd(known, this.world.now);
      const answer = this.someReplica().resolve(known.id, whole ? 'accept' : 'reject');
      answer.catch((error: unknown) => {
        if (!(error instanceof Refusal)) this.world.fail(error);
      });
      await this.world.run(this.world.now + minute);
    }
  }

  /** L2: what was truly and timely paid is fulfilled, once; nothing else is. */
  private checkFulfilled(): void {
    for (const known of this.checker.payments.values()) {
      const { id, fulfillment, payment } = known;
      const times = this.shared.merchant.fulfilled.get(id)?.size ?? 0;
      const refunded = this.orderFor(id)?.scenario === 'refunded';
      const due = payment.status !== 'failed' && this.checker.isTrulyPaid(known, this.world.now);
      if (due && !refunded && !this.checker.isOrderTaken(known) && times !== 1)
        throw new Violation('L2', `truly paid, and fulfilled ${String(times)} times (${payment.status})`, id);
      this.checkFulfilledInTime(known);
      // One that was stopped while the answer was on its way is asked no more; the shop may still tell by the API.
      const ends = ['fulfilled', 'rejected', 'stopped'];
      if (this.shared.merchant.forgotten.has(id)) ends.push('unanswered');
      const settled = ends.includes(fulfillment?.status ?? '');
      if (times > 0 && !settled)
        throw new Violation(
          'L2',
          `the shop has acted, and its word is not recorded (${String(fulfillment?.status)})`,
          id,
        );
      if (times > 0 && !known.acceptedByPerson && !isWaived(payment) && !due)
        throw new Violation('I2', 'fulfilled without the money', id);
    }
  }

  private checkFulfilledInTime(known: Known): void {
    const { when, failedOnce } = this.shared.merchant;
    const at = when.get(known.id);
    if (at === undefined || known.acceptedByPerson) return;
    const late = at - Math.max(this.healedAt, this.checker.truePaidAt(known));
    const invoice = this.checker.invoiceOf(known.payment);
    const tardy = invoice?.plan.sent.some(({ seenAt }) => seenAt > invoice.expiresAt) ?? false;
    const within = failedOnce.has(known.id) || tardy ? fulfilledBySchedule : fulfilledWithin;
    if (late > within)
      throw new Violation('L2', `fulfilled ${inMinutes(late)} after it was paid and all was well`, known.id);
  }

  /** I14: the whole inbox once more changes nothing. */
  private async replay(): Promise<void> {
    const { store } = this.shared;
    const before = store.log.length;
    for (const message of [...store.inbox.values()]) {
      if (!message.source.startsWith('callback')) continue;
      this.someReplica().receive(message.body, () => undefined);
      await this.world.run(this.world.now + 5000);
    }
    // What was set aside makes us ask the gateway: what it says then is its own news.
    const first = store.log.slice(before).find(({ actor }) => actor === 'gateway');
    if (first) throw new Violation('I14', `the inbox once more gives ${first.type}`, first.streamId);
  }

  private table(): string[] {
    return [...this.checker.payments.values()].map((known) => {
      const { id, payment, fulfillment } = known;
      const order = this.orderFor(id);
      const invoice = this.checker.invoiceOf(payment);
      const word = invoice ? wordOf(invoice, this.world.now) : 'no invoice';
      return [
        id,
        order?.orderId,
        order?.scenario,
        `policy ${String(order?.policy.name)}`,
        `gateway ${word}`,
        payment.status,
        fulfillment?.status ?? 'no fulfilment',
        this.checker.reviewOf(known).join('+'),
        this.misled.has(id) ? 'misled' : '',
      ].join('  ');
    });
  }
}

/**
 * Longest times, once all faults have ended: for an end, for the goods, and for goods whose money is
 * only found by the rare looks for late money or whose webhooks had failed before. */
const endWithin = 5 * minute;
const fulfilledWithin = 15 * minute;
const fulfilledBySchedule = 7 * hour;
const inMinutes = (ms: number): string => `${String(Math.round(ms / minute))} min`;

const applicationId = '01900000-0000-7000-8000-00000000a001';
const endpointId = (n: number): string => `01900000-0000-7000-8000-00000000e00${String(n)}`;

import { Clock, instantFromMs, type Instant } from '../../src/kernel/clock.js';
import { Ids } from '../../src/kernel/ids.js';
import { contentOf, readCallback } from '../../src/gateway/wire.js';
import { FulfillmentStreams } from '../../src/fulfillment/fulfillment-streams.pg.js';
import { ReportFulfillment, ReportFulfillmentHandler } from '../../src/fulfillment/fulfillment.handlers.js';
import { EndpointStreams } from '../../src/fulfillment/endpoint-streams.pg.js';
import { AddressKeeper } from '../../src/deposits/deposit-address.handlers.js';
import { DepositAddresses } from '../../src/deposits/deposit-addresses.pg.js';
import { AddressIntake } from '../../src/deposits/deposit-intake.handlers.js';
import { DepositPayments } from '../../src/deposits/deposit-payments.handlers.js';
import { FulfillmentReactor } from '../../src/fulfillment/fulfillment.job.js';
import { FulfillmentDeadline, FulfillmentOutcomeReactor } from '../../src/fulfillment/fulfillment-outcome.job.js';
import { WebhookDelivery } from '../../src/fulfillment/webhook-delivery.job.js';
import { WebhookReactor } from '../../src/fulfillment/webhook.job.js';
import type { FulfillmentOutcome } from '../../src/fulfillment/fulfillment.js';
import { CreateInvoice, CreateInvoiceHandler } from '../../src/payments/create-invoice.handlers.js';
import {
  ApplyGatewayEvent,
  ApplyGatewayEventHandler,
  ApplyUnmatched,
  PaymentEvents,
} from '../../src/payments/gateway-event.handlers.js';
import { ReconcilePage, ReconcilePageHandler } from '../../src/payments/history.handlers.js';
import { InvoiceOpener } from '../../src/payments/invoice-opener.handlers.js';
import { Poll } from '../../src/payments/poll.handlers.js';
import { StreamReviewDesk } from '../../src/payments/review-desk.handlers.js';
import {
  GiveUp,
  GiveUpHandler,
  Reconcile,
  ReconcileHandler,
  type ReconcileSettings,
  ResolveReview,
  ResolveReviewHandler,
} from '../../src/payments/payment.handlers.js';
import { PaymentStreams, type LoadedPayment } from '../../src/payments/payment-streams.pg.js';
import type { Payment, Terms } from '../../src/payments/payment.js';
import { isFulfillable } from '../../src/payments/standing.js';
import { OrderProjection } from '../../src/read-models/order-projection.pg.js';
import { LookReactor, ReconcileJob } from '../../src/reconciliation/reconcile.job.js';
import { FollowerDouble, LogSight, type Checkpoints } from './follower.js';
import type { Gateway, Invoice } from './gateway.js';
import type { JobTable } from './jobs.js';
import { GatewayClient } from './gateway-client.js';
import { LookClient, type LookTable } from './looks.js';
import { MerchantLine, type Merchant } from './merchant.js';
import { OutboxClient, type OutboxTables } from './outbox.js';
import type { ReadModel } from './read-model.js';
import { StoreClient, type StoreServer } from './store.js';
import type { Rng } from './rng.js';
import type { Life, World } from './world.js';

/** What all replicas share: the database, the gateway and the shop. */
export interface Shared {
  world: World;
  store: StoreServer;
  checkpoints: Checkpoints;
  looks: LookTable;
  outbox: OutboxTables;
  readModel: ReadModel;
  gateway: Gateway;
  merchant: Merchant;
  batchSize: number;
  jobs: JobTable;
  settings: ReconcileSettings;
  /** Every id that was ever given out. */
  issued: Set<string>;
  misled: (invoice: Invoice) => void;
  /** What a planted fault changes in a replica's parts. */
  plant: (parts: Parts) => void;
}

class LifeOf implements Life {
  dead = false;
  pausedUntil = 0;

  constructor(
    readonly name: string,
    readonly crash: () => void,
  ) {}
}

class VirtualClock extends Clock {
  constructor(
    private readonly world: World,
    private readonly skew: number,
  ) {
    super();
  }

  override now(): Instant {
    return instantFromMs(this.world.ms() + this.skew);
  }
}

class SeededIds extends Ids {
  constructor(
    private readonly world: World,
    private readonly rng: Rng,
    private readonly issued: Set<string>,
  ) {
    super();
  }

  override next(): string {
    const hex = (bits: number): string => (this.rng.u32() >>> (32 - bits)).toString(16).padStart(bits / 4, '0');
    const time = this.world.ms().toString(16).padStart(12, '0');
    const id = `${time.slice(0, 8)}-${time.slice(8)}-7${hex(12)}-8${hex(12)}-${hex(24)}${hex(24)}`;
    this.issued.add(id);
    return id;
  }
}

/** Ticks a job when something falls due, instead of four times a second for nothing. */
class Ticker {
  private token = 0;
  private armedFor = Infinity;
  private last = -Infinity;

  constructor(
    private readonly world: World,
    private readonly life: Life,
    private readonly nextDue: () => number | null,
    private readonly tick: () => Promise<void>,
    private readonly skew: number,
  ) {}

  arm(): void {
    const due = this.nextDue();
    if (due === null || this.life.dead) return;
    const at = Math.max(this.last + 250, due - (this.world.ms() - this.world.now) - this.skew, this.world.now);
    if (at >= this.armedFor) return;
    this.armedFor = at;
    const mine = ++this.token;
    this.world.after(at - this.world.now, this.life, () => {
      if (mine !== this.token) return;
      this.armedFor = Infinity;
      const still = this.nextDue();
      // Another replica was faster; a tick would find nothing.
      if (still === null || still > this.world.ms() + this.skew) return this.arm();
      this.last = this.world.now;
      void this.tick().then(() => this.arm());
    });
  }
}

const wire = (shared: Shared, life: Life, rng: Rng, skew: number) => {
  const { world } = shared;
  const clock = new VirtualClock(world, skew);
  const ids = new SeededIds(world, rng, shared.issued);
  // The doubles have the public shape of what they stand for; the real classes have private members besides.
  const store = new StoreClient(world, shared.store, life) as any;
  const looks = new LookClient(world, shared.looks, life) as any;
  const outbox = new OutboxClient(world, shared.outbox, life, clock) as any;
  const client = new MerchantLine(world, shared.merchant, life) as any;
  const gateway = new GatewayClient(world, shared.gateway, life, shared.misled);
  const credit = { spend: () => Promise.resolve('0') };
  const payouts = {} as any;
  const streams = new PaymentStreams(store, clock, ids);
  // No address is opened here; what is no payment is looked for there all the same.
  const addresses = new DepositAddresses(store, clock, ids);
  const deposits = new AddressIntake(store, addresses, new DepositPayments(streams, {} as any, clock), clock, ids);
  const payments = new PaymentEvents(streams, store, looks, clock, deposits);
  const unmatched = new ApplyUnmatched(store, gateway, payments);
  const settings = { callbackUrl: 'https://pay.example/v1/callbacks/oxapay/default' };
  const opener = new InvoiceOpener(streams, gateway, clock, settings, unmatched, credit);
  const poll = new Poll(streams, store, gateway, ids, clock);
  const keeper = new AddressKeeper(addresses, gateway, deposits, store, settings, clock);
  const create = new CreateInvoiceHandler(streams, opener, clock);
  const apply = new ApplyGatewayEventHandler(store, looks, payments, payouts, clock, ids);
  const reconcile = new ReconcileHandler(streams, opener, poll, unmatched, shared.settings, clock);
  const page = new ReconcilePageHandler(streams, store, gateway, poll, opener, deposits);
  const giveUp = new GiveUpHandler(streams, clock);
  const resolve = new ResolveReviewHandler(streams, clock);
  const bus = {
    execute: (command: unknown): Promise<unknown> => {
      if (command instanceof Reconcile) return reconcile.execute(command);
      if (command instanceof ReconcilePage) {
        world.count('a page of the history');
        return page.execute(command);
      }
      if (command instanceof GiveUp) return giveUp.execute(command);
      throw new Error('a command that the simulation does not know');
    },
  };
  const job = new ReconcileJob(looks, bus as any, clock, ids, keeper);
  const fulfillments = new FulfillmentStreams(store, clock, ids);
  const report = new ReportFulfillmentHandler(fulfillments, clock);
  const deadline = new FulfillmentDeadline(fulfillments, clock);
  const delivery = new WebhookDelivery(outbox, client, fulfillments, new EndpointStreams(store, clock), clock);
  const reactors = [
    new LookReactor(looks),
    new FulfillmentReactor(store, fulfillments, clock),
    new FulfillmentOutcomeReactor(store, new StreamReviewDesk(streams, clock), shared.jobs),
    new WebhookReactor(store, outbox, clock, 'https://pay.example'),
    new OrderProjection(),
  ] as const;
  return {
    clock,
    ids,
    store,
    streams,
    create,
    apply,
    resolve,
    report,
    job,
    poll,
    opener,
    delivery,
    reactors,
    looks,
    deadline,
  };
};

/** The real parts of one replica, and the doubles that they stand on. */
export type Parts = ReturnType<typeof wire>;

/** One process of the service: killed and started again, it begins with new instances of everything. */
export class Replica {
  life: Life | null = null;
  private parts: Parts | null = null;
  private followers: FollowerDouble[] = [];
  private tickers: Ticker[] = [];
  private starts = 0;

  constructor(
    private readonly shared: Shared,
    private readonly name: string,
    private readonly skew: number,
  ) {}

  get isUp(): boolean {
    return this.life !== null && !this.life.dead;
  }

  start(): void {
    const { shared } = this;
    const { world, store, checkpoints, batchSize, readModel } = shared;
    const life = new LifeOf(`${this.name}.${String(++this.starts)}`, () => this.crash());
    const parts = wire(shared, life, world.rng(`ids ${this.name}`), this.skew);
    shared.plant(parts);
    this.life = life;
    this.parts = parts;
    const sight = new LogSight(world, store, checkpoints, life);
    const common = { world, store, checkpoints, sight, life, batchSize, answer: readModel.answer };
    this.followers = parts.reactors.map((reactor) => new FollowerDouble(common, reactor));
    const { job, delivery } = parts;
    this.tickers = [
      new Ticker(
        world,
        life,
        () => shared.looks.nextDue(),
        () => job.tick(),
        this.skew,
      ),
      new Ticker(
        world,
        life,
        () => shared.outbox.nextDue(),
        () => delivery.tick(),
        this.skew,
      ),
    ];
    this.wake();
    this.arm();
  }

  /** `kill -9`; the supervisor starts it again after a while. */
  crash(): void {
    if (!this.life || this.life.dead) return;
    this.life.dead = true;
    const { world } = this.shared;
    world.after(world.rng('restarts').logarithmic(300, 60_000), null, () => {
      if (!this.isUp) this.start();
    });
  }

  /** Something was committed: the followers have work. */
  wake(): void {
    if (this.isUp) for (const follower of this.followers) follower.wake();
  }

  arm(): void {
    if (this.isUp) for (const ticker of this.tickers) ticker.arm();
  }

  /** A callback with a good signature, as the controller takes it. */
  receive(body: Buffer, answered: (ok: boolean) => void): void {
    void this.request('callback.received', async ({ apply }, life) => {
      const reading = readCallback(body);
      const evidence = reading.kind === 'unreadable' ? reading : { ...reading, content: contentOf(reading.report) };
      await apply.execute(new ApplyGatewayEvent(body, evidence));
      await this.shared.world.io(life, 'callback.answer');
    }).then(
      () => answered(true),
      () => answered(false),
    );
  }

  /** The shop asks for a payment. */
  create(terms: (id: string, now: Instant) => Terms): Promise<Payment> {
    return this.request('callback.received', async ({ create, ids, clock }, life) => {
      const id = ids.next();
      const asked = terms(id, clock.now());
      const request = ids.next();
      const cause = { actor: `application:${asked.applicationId}`, correlationId: request, causationId: request };
      const { payment } = await create.execute(new CreateInvoice(asked, cause));
      await this.shared.world.io(life, 'create.answer');
      return payment;
    });
  }

  /** Somebody looks at a payment by the API. */
  read(id: string): Promise<LoadedPayment> {
    return this.request('report.received', ({ streams }) => streams.load(id));
  }

  /** The shop reports by the API what became of the goods. */
  report(paymentId: string, outcome: FulfillmentOutcome): Promise<unknown> {
    return this.request('report.received', async ({ report, streams, ids }) => {
      const { payment } = await streams.load(paymentId);
      const request = ids.next();
      const { applicationId } = payment.terms;
      const cause = { actor: `application:${applicationId}`, correlationId: request, causationId: request };
      const readyFor = isFulfillable(payment) ? applicationId : null;
      return report.execute(new ReportFulfillment(paymentId, outcome, null, null, cause, readyFor));
    });
  }

  /** A person decides. */
  resolve(paymentId: string, decision: 'accept' | 'reject'): Promise<unknown> {
    return this.request('report.received', ({ resolve, ids }) => {
      const request = ids.next();
      const cause = { actor: 'operator:simulated', correlationId: request, causationId: request };
      const resolution = { decision, actor: 'operator:simulated', note: '', refundTo: null };
      return resolve.execute(new ResolveReview(paymentId, resolution, cause));
    });
  }

  /** One of the jobs that were put off. */
  job(payload: unknown): Promise<void> {
    return this.request('report.received', ({ deadline }) =>
      deadline.task(payload, { signal: new AbortController().signal } as any),
    );
  }

  /** Runs in a step of this process; a process that dies never answers. */
  private request<T>(
    point: 'callback.received' | 'report.received',
    work: (parts: Parts, life: Life) => Promise<T>,
  ): Promise<T> {
    const { life, parts } = this;
    return new Promise((resolve, reject) => {
      if (!life || life.dead || !parts) return reject(new Error('connection refused'));
      this.shared.world.after(1, life, () => {
        this.shared.world
          .io(life, point)
          .then(() => work(parts, life))
          .then(resolve, reject);
      });
    });
  }
}

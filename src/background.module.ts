import {
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type Provider,
} from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { Logger as Pino } from 'pino';
import type { Pool } from 'pg';
import { Registry } from 'prom-client';
import { OrderFollower } from './api/order-reader.js';
import { CallbackRejections } from './callbacks/callback-rejections.pg.js';
import { CustomerCreditReactor } from './customers/credit.job.js';
import { CreditAccounts } from './customers/credit-streams.pg.js';
import { DepositReactor } from './deposits/deposit.job.js';
import { DepositAddresses } from './deposits/deposit-addresses.pg.js';
import { DepositPayments } from './deposits/deposit-payments.handlers.js';
import { FulfillmentReactor } from './fulfillment/fulfillment.job.js';
import {
  FulfillmentDeadline,
  FulfillmentOutcomeReactor,
  fulfillmentDeadlineTask,
} from './fulfillment/fulfillment-outcome.job.js';
import { FulfillmentStreams } from './fulfillment/fulfillment-streams.pg.js';
import { WebhookDelivery } from './fulfillment/webhook-delivery.job.js';
import { WebhookOutbox } from './fulfillment/webhook-outbox.pg.js';
import { WebhookReactor } from './fulfillment/webhook.job.js';
import type { Clock } from './kernel/clock.js';
import { FailureCounts } from './payments/failure-counts.js';
import { Looks } from './payments/looks.pg.js';
import { PaymentStreams } from './payments/payment-streams.pg.js';
import { RefundJob, RefundReactor } from './payments/refund.job.js';
import { RefundLooks, refundTask } from './payments/refund-looks.job.js';
import { RemainderReactor } from './payments/remainder.job.js';
import { ReviewDesk } from './payments/review-desk.js';
import { BackgroundPool, DatabasePool } from './platform/database/pool.pg.js';
import { EventStore } from './platform/event-store/event-store.pg.js';
import { LogReader } from './platform/event-store/log-reader.pg.js';
import { IdempotencyKeys } from './platform/http/idempotency.pg.js';
import { Jobs, type TaskHandler } from './platform/jobs/jobs.pg.js';
import { ProofKeys } from './platform/proof/signing.js';
import { VerificationJob } from './platform/proof/verification.job.js';
import { Follower, type FollowerDeps } from './platform/subscriptions/follower.pg.js';
import type { Reactor } from './platform/subscriptions/projection.js';
import { DepositAddressProjection } from './read-models/deposit-addresses.pg.js';
import { PaymentTraceProjection } from './read-models/payment-trace-projection.pg.js';
import { MatchJob } from './reconciliation/match.job.js';
import { LookReactor, ReconcileJob } from './reconciliation/reconcile.job.js';
import { ReconcileMetrics } from './reconciliation/reconcile-metrics.js';

const hourMs = 3_600_000;

/** Claims its work by the clock, from its first tick on. */
interface Claimer {
  /** Claims nothing more; resolves when what is in hand is done. */
  stop(): Promise<void>;
}

/** Starts and stops what works behind the requests, in the order that loses nothing. */
@Injectable()
export class Background implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    private readonly followers: readonly Follower[],
    private readonly jobs: Jobs,
    private readonly tasks: Readonly<Record<string, TaskHandler>>,
    private readonly claimers: readonly Claimer[],
    private readonly store: EventStore,
    private readonly pools: readonly Pool[],
    private readonly idempotency: IdempotencyKeys,
    private readonly rejections: CallbackRejections,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.jobs.start(this.tasks);
    for (const follower of this.followers) follower.start();
  }

  /** Before the server closes: no new work is begun. */
  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.claimers.map((claimer) => claimer.stop()));
    await Promise.all(this.followers.map((follower) => follower.stop()));
    await this.jobs.stop();
  }

  /** After the last request was answered. */
  async onApplicationShutdown(): Promise<void> {
    await this.rejections.flush();
    await this.store.close();
    await Promise.all(this.pools.map((pool) => pool.end()));
  }

  @Interval('expire-idempotency-keys', hourMs)
  async expireIdempotencyKeys(): Promise<void> {
    while ((await this.idempotency.expire()) > 0);
  }
}

/** The reactors that watch payments and the money in them. */
abstract class PaymentReactors {
  abstract readonly prompt: readonly Reactor[];
  /** What they wait for is rare: under load they look less often, in larger steps. */
  abstract readonly patient: readonly Reactor[];
}

/** The reactors that watch what applications are asked and told. */
abstract class FulfillmentReactors extends PaymentReactors {}

interface BackgroundOptions {
  clock: Clock;
  log: Pino;
  publicUrl: string;
  databaseUrl: string;
  checkpointDir: string;
}

const reactors = (options: BackgroundOptions): Provider[] => [
  {
    provide: PaymentReactors,
    useFactory: (
      looks: Looks,
      store: EventStore,
      credits: CreditAccounts,
      payments: PaymentStreams,
      refunds: RefundLooks,
      addresses: DepositAddresses,
      deposits: DepositPayments,
    ): PaymentReactors => ({
      prompt: [new LookReactor(looks)],
      patient: [
        new CustomerCreditReactor(store, credits, options.clock),
        new RemainderReactor(payments, options.clock),
        new RefundReactor(refunds),
        new DepositReactor(addresses, deposits),
      ],
    }),
    inject: [Looks, EventStore, CreditAccounts, PaymentStreams, RefundLooks, DepositAddresses, DepositPayments],
  },
  {
    provide: FulfillmentReactors,
    useFactory: (
      store: EventStore,
      streams: FulfillmentStreams,
      outbox: WebhookOutbox,
      desk: ReviewDesk,
      jobs: Jobs,
    ): FulfillmentReactors => ({
      prompt: [
        new FulfillmentReactor(store, streams, options.clock),
        new WebhookReactor(store, outbox, options.clock, options.publicUrl),
      ],
      patient: [new FulfillmentOutcomeReactor(store, desk, jobs)],
    }),
    inject: [EventStore, FulfillmentStreams, WebhookOutbox, ReviewDesk, Jobs],
  },
];

/** What has work by the clock. */
const schedules = (options: BackgroundOptions): Provider[] => [
  {
    provide: ReconcileMetrics,
    useFactory: (registry: Registry, failures: FailureCounts) => new ReconcileMetrics(registry, failures),
    inject: [Registry, FailureCounts],
  },
  ReconcileJob,
  MatchJob,
  {
    provide: VerificationJob,
    useFactory: (pool: Pool, { publicKeys }: ProofKeys) => {
      const { databaseUrl, checkpointDir: directory } = options;
      return new VerificationJob(pool, options.clock, { databaseUrl, directory, publicKeys });
    },
    inject: [BackgroundPool, ProofKeys],
  },
];

/** What works behind the requests, and is stopped with the process. */
export const background = (options: BackgroundOptions): Provider[] => [
  ...schedules(options),
  ...reactors(options),
  {
    provide: Background,
    useFactory: (
      pool: Pool,
      reader: LogReader,
      store: EventStore,
      orders: Follower,
      payments: PaymentReactors,
      fulfillment: FulfillmentReactors,
      jobs: Jobs,
      refund: RefundJob,
      streams: FulfillmentStreams,
      reconcile: ReconcileJob,
      delivery: WebhookDelivery,
      match: MatchJob,
      idempotency: IdempotencyKeys,
      requests: Pool,
      failures: FailureCounts,
      rejections: CallbackRejections,
    ) => {
      const deps = { pool, log: reader, appends: store, onError: warnOf(options.log, failures) };
      const followers = [
        ...followersOf(payments, deps),
        ...followersOf(fulfillment, deps),
        // Operators search by what is minutes old or more.
        new Follower({ ...deps, options: { paceMs: 200 } }, new PaymentTraceProjection()),
        new Follower({ ...deps, options: { paceMs: 200 } }, new DepositAddressProjection()),
      ];
      const tasks = {
        [refundTask]: refund.task,
        [fulfillmentDeadlineTask]: new FulfillmentDeadline(streams, options.clock).task,
      };
      return new Background(
        [orders, ...followers],
        jobs,
        tasks,
        [reconcile, delivery, match],
        store,
        [pool, requests],
        idempotency,
        rejections,
      );
    },
    inject: [
      BackgroundPool,
      LogReader,
      EventStore,
      OrderFollower,
      PaymentReactors,
      FulfillmentReactors,
      Jobs,
      RefundJob,
      FulfillmentStreams,
      ReconcileJob,
      WebhookDelivery,
      MatchJob,
      IdempotencyKeys,
      DatabasePool,
      FailureCounts,
      CallbackRejections,
    ],
  },
];

const followersOf = ({ prompt, patient }: PaymentReactors, deps: FollowerDeps): Follower[] => [
  ...prompt.map((reactor) => new Follower(deps, reactor)),
  ...patient.map((reactor) => new Follower({ ...deps, options: { paceMs: 200 } }, reactor)),
];

/** Says in the log what a follower could not pass, and counts it. */
export const warnOf =
  (log: Pino, failures: FailureCounts) =>
  (name: string, error: unknown, position: number): void => {
    failures.count('project', 'follower');
    log.error({ msg: 'a follower of the log failed', follower: name, position, error: String(error) });
  };

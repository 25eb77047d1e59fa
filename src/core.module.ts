import { HttpModule, HttpService } from '@nestjs/axios';
import 'reflect-metadata';
import { Logger, Module, type DynamicModule, type Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { CommandBus, CqrsModule } from '@nestjs/cqrs';
import type { Logger as Pino } from 'pino';
import type { Pool } from 'pg';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { StreamCredit } from './customers/credit.handlers.js';
import { CreditAccounts } from './customers/credit-streams.pg.js';
import { FulfillmentStreams } from './fulfillment/fulfillment-streams.pg.js';
import { ReportFulfillmentHandler } from './fulfillment/fulfillment.handlers.js';
import { EndpointStreams } from './fulfillment/endpoint-streams.pg.js';
import { WebhookDelivery } from './fulfillment/webhook-delivery.job.js';
import { WebhookEndpoints } from './fulfillment/webhook-endpoints.pg.js';
import { WebhookOutbox } from './fulfillment/webhook-outbox.pg.js';
import { WebhookClient } from './fulfillment/webhook.client.js';
import { WebhookDeliveries } from './fulfillment/webhook-deliveries.pg.js';
import {
  OpenDepositAddressHandler,
  AddressKeeper,
  RevokeDepositAddressHandler,
} from './deposits/deposit-address.handlers.js';
import { DepositAddresses } from './deposits/deposit-addresses.pg.js';
import { AddressIntake } from './deposits/deposit-intake.handlers.js';
import { DepositPayments } from './deposits/deposit-payments.handlers.js';
import { OxaPayGateway } from './gateway/oxapay.client.js';
import { Clock } from './kernel/clock.js';
import { Ids } from './kernel/ids.js';
import { CreateInvoiceHandler } from './payments/create-invoice.handlers.js';
import { ApplyGatewayEventHandler, ApplyUnmatched, PaymentEvents } from './payments/gateway-event.handlers.js';
import { ReconcilePageHandler } from './payments/history.handlers.js';
import { InvoiceOpener, InvoiceSettings } from './payments/invoice-opener.handlers.js';
import { CustomerCredit } from './payments/customer-credit.js';
import { DepositIntake } from './payments/deposit-intake.js';
import { FailureCounts } from './payments/failure-counts.js';
import { Looks } from './payments/looks.pg.js';
import { PaymentGateway } from './payments/payment-gateway.js';
import {
  CancelPaymentHandler,
  GiveUpHandler,
  ReconcileHandler,
  ReconcileSettings,
  ResolveReviewHandler,
} from './payments/payment.handlers.js';
import { PaymentStreams } from './payments/payment-streams.pg.js';
import { ReviewDesk } from './payments/review-desk.js';
import { StreamReviewDesk } from './payments/review-desk.handlers.js';
import { Poll } from './payments/poll.handlers.js';
import { PayoutEvents } from './payments/payout-event.handlers.js';
import { ReprocessMessageHandler } from './payments/reprocess.handlers.js';
import { RequestRefundHandler } from './payments/refund.handlers.js';
import { RefundJob } from './payments/refund.job.js';
import { RefundLooks } from './payments/refund-looks.job.js';
import { RefundSender } from './payments/refund-sender.handlers.js';
import { Policies } from './payments/policies.pg.js';
import { Simulations } from './payments/simulations.pg.js';
import type { SystemClock } from './platform/clock.js';
import type { Config } from './platform/config.js';
import { createPool, type PoolSettings } from './platform/database/database.pg.js';
import { BackgroundPool, DatabasePool } from './platform/database/pool.pg.js';
import { EventStore } from './platform/event-store/event-store.pg.js';
import { LogReader } from './platform/event-store/log-reader.pg.js';
import { ApiKeyGuard } from './platform/http/api-key.controller.js';
import { Applications } from './platform/http/applications.pg.js';
import { IdempotencyInterceptor } from './platform/http/idempotency.controller.js';
import { IdempotencyKeys } from './platform/http/idempotency.pg.js';
import { RateLimit } from './platform/http/rate-limit.controller.js';
import { RandomIds } from './platform/ids.js';
import { Jobs } from './platform/jobs/jobs.pg.js';
import { apart } from './platform/spans.js';
import { CheckpointJob } from './platform/proof/checkpoint.job.js';
import { Receipts } from './platform/proof/receipts.pg.js';
import { ProofKeys, proofKeys } from './platform/proof/signing.js';
import { RequestBudget } from './platform/request-budget.pg.js';
import type { Commands } from './ops/workspace.pg.js';
import { sandboxCredentials, withCredentials } from './platform/credentials.module.js';
import { createLog, NestLog } from './platform/logger.module.js';
import { DailyMatch } from './reconciliation/daily-match.job.js';
import { MatchReports } from './reconciliation/match-reports.pg.js';
import { version } from './version.js';

/** What the parts are built from. */
export interface CoreOptions {
  config: Config;
  /** A database that is up and migrated. */
  databaseUrl: string;
  clock: SystemClock;
  log: Pino;
}

/** Past a pooler, where there is one: for what needs a connection to itself. */
export const directUrl = ({ config, databaseUrl }: CoreOptions): string => config.databaseDirectUrl ?? databaseUrl;

export const callbackPath = '/v1/callbacks/oxapay/';

/** What the service and the command line share: the store, the gateway, payments, customers and fulfilment. */
@Module({})
export class CoreModule {
  static of(options: CoreOptions): DynamicModule {
    const providers = [
      ...platform(options),
      ...proof(options),
      ...payments(options),
      ...customers,
      ...deposits,
      ...fulfillment(options),
      ...reconciliation,
    ];
    return {
      module: CoreModule,
      global: true,
      imports: [
        ConfigModule.forRoot({
          ignoreEnvFile: true,
          ignoreEnvVars: true,
          isGlobal: true,
          load: [() => ({ finality: options.config })],
        }),
        CqrsModule.forRoot(),
        HttpModule,
      ],
      providers,
      exports: providers,
    };
  }
}

/** Connections for one purpose, told apart in the server's own lists. */
const pool = (token: symbol, { config, databaseUrl, log }: CoreOptions, settings: PoolSettings): Provider => ({
  provide: token,
  useFactory: () =>
    createPool(databaseUrl, {
      ...settings,
      namedStatements: config.namedStatements,
      onError: (error) => {
        apart(() => log.warn({ msg: 'a database connection died', error: error.message }));
      },
    }),
});

function platform(options: CoreOptions): Provider[] {
  const { config, databaseUrl, clock } = options;
  return [
    { provide: Clock, useValue: clock },
    { provide: Ids, useClass: RandomIds },
    pool(DatabasePool, options, { max: 8 }),
    pool(BackgroundPool, options, { max: 12, applicationName: 'finality background' }),
    {
      provide: EventStore,
      useFactory: () => new EventStore({ url: databaseUrl, namedStatements: config.namedStatements }),
    },
    { provide: LogReader, useFactory: (pool: Pool) => new LogReader(pool), inject: [DatabasePool] },
    { provide: Jobs, useFactory: () => new Jobs({ url: directUrl(options), concurrency: 10 }) },
    {
      provide: Applications,
      useFactory: (pool: Pool, ids: Ids) => new Applications(pool, clock, ids),
      inject: [DatabasePool, Ids],
    },
    { provide: IdempotencyKeys, useFactory: (pool: Pool) => new IdempotencyKeys(pool, clock), inject: [DatabasePool] },
    { provide: RateLimit, useFactory: () => new RateLimit(config.rateLimit, clock) },
    {
      provide: Registry,
      useFactory: () => {
        const registry = new Registry();
        collectDefaultMetrics({ register: registry });
        return registry;
      },
    },
    { provide: FailureCounts, useFactory: (registry: Registry) => new FailureCounts(registry), inject: [Registry] },
    ApiKeyGuard,
    IdempotencyInterceptor,
  ];
}

function proof({ config, clock }: CoreOptions): Provider[] {
  const settings = { directory: config.checkpointDir, everyMinutes: config.checkpointMinutes };
  return [
    { provide: ProofKeys, useValue: proofKeys(config.checkpointKeys) },
    {
      provide: CheckpointJob,
      useFactory: (pool: Pool, log: LogReader, keys: ProofKeys) => new CheckpointJob(pool, log, clock, keys, settings),
      inject: [BackgroundPool, LogReader, ProofKeys],
    },
    {
      provide: Receipts,
      useFactory: (pool: Pool, keys: ProofKeys) => new Receipts(pool, clock, keys),
      inject: [DatabasePool, ProofKeys],
    },
  ];
}

function payments({ config }: CoreOptions): Provider[] {
  const settings: InvoiceSettings = { callbackUrl: `${config.publicUrl}${callbackPath}default` };
  return [
    {
      provide: PaymentGateway,
      useFactory: (http: HttpService, pool: Pool, registry: Registry) =>
        new OxaPayGateway(
          http,
          {
            baseUrl:
              config.gateway === 'sandbox' ? `http://127.0.0.1:${String(config.sandboxPort)}/v1` : config.oxapayBaseUrl,
            merchantKey: config.merchantKeys[0] ?? '',
            payoutKey: config.payoutKeys[0] ?? '',
            callbackKeys: { merchant: config.merchantKeys, payout: config.payoutKeys },
            userAgent: `Finality/${version}`,
            budget: new RequestBudget(pool, config.gatewayRequestsPerSecond),
            // What fails in the sandbox was made to fail there, and whoever did that wants to go on.
            ...(config.gateway === 'sandbox' && { breakerOpenMs: 100 }),
          },
          registry,
        ),
      inject: [HttpService, DatabasePool, Registry],
    },
    PaymentStreams,
    Policies,
    Simulations,
    { provide: Looks, useFactory: (pool: Pool) => new Looks(pool), inject: [DatabasePool] },
    PaymentEvents,
    ApplyUnmatched,
    ReprocessMessageHandler,
    InvoiceOpener,
    Poll,
    CreateInvoiceHandler,
    ApplyGatewayEventHandler,
    CancelPaymentHandler,
    ReconcileHandler,
    ReconcilePageHandler,
    GiveUpHandler,
    ResolveReviewHandler,
    RequestRefundHandler,
    { provide: InvoiceSettings, useValue: settings },
    setting<ReconcileSettings>(ReconcileSettings, ({ goAheadMinutes }) => ({ goAheadMinutes })),
    { provide: ReviewDesk, useClass: StreamReviewDesk },
    RefundLooks,
    PayoutEvents,
    RefundSender,
    RefundJob,
  ];
}

const deposits: Provider[] = [
  DepositAddresses,
  DepositPayments,
  AddressIntake,
  { provide: DepositIntake, useExisting: AddressIntake },
  AddressKeeper,
  OpenDepositAddressHandler,
  RevokeDepositAddressHandler,
];

const customers: Provider[] = [CreditAccounts, { provide: CustomerCredit, useClass: StreamCredit }];

const reconciliation: Provider[] = [
  DailyMatch,
  { provide: MatchReports, useFactory: (pool: Pool) => new MatchReports(pool), inject: [DatabasePool] },
];

function fulfillment({ config, clock }: CoreOptions): Provider[] {
  const sandbox = config.gateway === 'sandbox';
  return [
    FulfillmentStreams,
    WebhookDeliveries,
    {
      provide: WebhookEndpoints,
      useFactory: (pool: Pool, ids: Ids) =>
        new WebhookEndpoints(pool, clock, ids, { sandbox, publicUrl: config.publicUrl }),
      inject: [DatabasePool, Ids],
    },
    {
      provide: WebhookClient,
      useFactory: () => new WebhookClient({ sandbox, publicUrl: config.publicUrl, userAgent: `Finality/${version}` }),
    },
    WebhookOutbox,
    EndpointStreams,
    WebhookDelivery,
    WebhookDeliveries,
    ReportFulfillmentHandler,
  ];
}

/** What one part needs to know of the configuration, under the part's own name for it. */
export const setting = <T>(token: abstract new () => T, pick: (config: Config) => T): Provider => ({
  provide: token,
  useFactory: (service: ConfigService<{ finality: Config }, true>) => pick(service.get('finality', { infer: true })),
  inject: [ConfigService],
});

/** The parts alone, for a process that runs commands: what they append, the running service follows. */
export async function openCore(given: Config, databaseUrl: string, clock: SystemClock): Promise<Commands> {
  const sandbox = given.gateway === 'sandbox';
  const config = sandbox ? withCredentials(given, await sandboxCredentials(given.dataDir)) : given;
  // Standard output is the command's result; what goes wrong is told by the command.
  const log = createLog('silent');
  Logger.overrideLogger(new NestLog(log));
  const context = await NestFactory.createApplicationContext(CoreModule.of({ config, databaseUrl, clock, log }), {
    logger: new NestLog(log),
    abortOnError: false,
  });
  return {
    execute: (command) => context.get(CommandBus).execute(command),
    get: (part) => context.get(part),
    close: async () => {
      await context.get(Jobs).stop();
      await context.get(EventStore).close();
      await Promise.all([context.get<Pool>(DatabasePool).end(), context.get<Pool>(BackgroundPool).end()]);
      await context.close();
    },
  };
}

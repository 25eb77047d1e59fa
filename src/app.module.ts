import 'reflect-metadata';
import { HttpModule, HttpService } from '@nestjs/axios';
import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ScheduleModule } from '@nestjs/schedule';
import { TerminusModule } from '@nestjs/terminus';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { Logger as Pino } from 'pino';
import type { Pool } from 'pg';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { DataSource } from 'typeorm';
import { CustomersController } from './api/customers.controller.js';
import { EventsController } from './api/events.controller.js';
import { OrderFollower, OrderReader } from './api/order-reader.js';
import { OrdersController } from './api/orders.controller.js';
import { PaymentTerms } from './api/payment-terms.js';
import { PaymentsController } from './api/payments.controller.js';
import { PoliciesController } from './api/policies.controller.js';
import { ApiSettings } from './api/settings.js';
import { WebhookDeliveriesController } from './api/webhook-deliveries.controller.js';
import { WebhookEndpointsController } from './api/webhook-endpoints.controller.js';
import { background, warnOf } from './background.module.js';
import { CallbackCounts } from './callbacks/callback-counts.js';
import { CallbackKeys, CallbacksController } from './callbacks/callbacks.controller.js';
import { StatusController } from './checkout/status.controller.js';
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
import { OxaPayGateway } from './gateway/oxapay.client.js';
import { Clock } from './kernel/clock.js';
import { Ids } from './kernel/ids.js';
import { HealthController } from './ops/health.controller.js';
import { MetricsAccess, MetricsController } from './ops/metrics.controller.js';
import { serveOpenApi } from './ops/openapi.controller.js';
import { CreateInvoiceHandler } from './payments/create-invoice.handlers.js';
import { ApplyGatewayEventHandler, ApplyUnmatched } from './payments/gateway-event.handlers.js';
import { ReconcilePageHandler } from './payments/history.handlers.js';
import { InvoiceOpener, InvoiceSettings } from './payments/invoice-opener.handlers.js';
import { CustomerCredit } from './payments/customer-credit.js';
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
import { RequestRefundHandler } from './payments/refund.handlers.js';
import { RefundJob } from './payments/refund.job.js';
import { RefundLooks } from './payments/refund-looks.job.js';
import { RefundSender } from './payments/refund-sender.handlers.js';
import { Policies } from './payments/policies.pg.js';
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
import { ProblemFilter } from './platform/http/problem.controller.js';
import { RateLimit } from './platform/http/rate-limit.controller.js';
import { createAdapter } from './platform/http/server.module.js';
import { RandomIds } from './platform/ids.js';
import { Jobs } from './platform/jobs/jobs.pg.js';
import { NestLog } from './platform/logger.module.js';
import { RequestBudget } from './platform/request-budget.pg.js';
import { Follower } from './platform/subscriptions/follower.pg.js';
import { OrderEntry, Orders, PaymentEntry } from './read-models/orders.pg.js';
import { OrderProjection } from './read-models/order-projection.pg.js';
import { version } from './version.js';

export interface ServiceOptions {
  config: Config;
  /** A database that is up and migrated. */
  databaseUrl: string;
  clock: SystemClock;
  log: Pino;
  /** Whether it answers HTTP; it works in the background in either case. */
  http: boolean;
}

/** A running service. */
export interface Service {
  /** Starts to answer requests. Returns where. */
  listen(): Promise<string>;
  /** Tells the parts that keep time by the database that the sandbox's clock was moved. */
  clockAdvanced(seconds: number): Promise<void>;
  /** Finishes what is in hand and stops. */
  close(): Promise<void>;
  app: NestFastifyApplication;
}

const callbackPath = '/v1/callbacks/oxapay/';

@Module({})
export class AppModule {
  static of(options: ServiceOptions): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot({
          ignoreEnvFile: true,
          ignoreEnvVars: true,
          isGlobal: true,
          load: [() => ({ finality: options.config })],
        }),
        CqrsModule.forRoot(),
        HttpModule,
        ScheduleModule.forRoot(),
        TerminusModule.forRoot({ logger: false }),
        TypeOrmModule.forRoot({
          type: 'postgres',
          url: options.databaseUrl,
          entities: [PaymentEntry, OrderEntry],
          poolSize: 5,
          connectTimeoutMS: 2000,
          poolErrorHandler: () => undefined,
          extra: { statement_timeout: 5000, application_name: 'finality read models', options: '-c timezone=UTC' },
        }),
      ],
      controllers: [
        PaymentsController,
        OrdersController,
        EventsController,
        PoliciesController,
        CustomersController,
        WebhookEndpointsController,
        WebhookDeliveriesController,
        CallbacksController,
        StatusController,
        HealthController,
        MetricsController,
      ],
      providers: [
        ...platform(options),
        ...payments(options),
        ...customers,
        ...fulfillment(options),
        ...edges(options),
        ...background({ clock: options.clock, log: options.log, publicUrl: options.config.publicUrl }),
      ],
    };
  }
}

/** Connections for one purpose, told apart in the server's own lists. */
const pool = (token: symbol, { databaseUrl, log }: ServiceOptions, settings: PoolSettings): Provider => ({
  provide: token,
  useFactory: () =>
    createPool(databaseUrl, {
      ...settings,
      onError: (error) => {
        log.warn({ msg: 'a database connection died', error: error.message });
      },
    }),
});

function platform(options: ServiceOptions): Provider[] {
  const { config, databaseUrl, clock } = options;
  return [
    { provide: Clock, useValue: clock },
    { provide: Ids, useClass: RandomIds },
    pool(DatabasePool, options, { max: 8 }),
    pool(BackgroundPool, options, { max: 12, applicationName: 'finality background' }),
    { provide: EventStore, useFactory: () => new EventStore({ url: databaseUrl }) },
    { provide: LogReader, useFactory: (pool: Pool) => new LogReader(pool), inject: [DatabasePool] },
    { provide: Jobs, useFactory: () => new Jobs({ url: databaseUrl, concurrency: 10 }) },
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
    ApiKeyGuard,
    IdempotencyInterceptor,
  ];
}

function payments({ config }: ServiceOptions): Provider[] {
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
    { provide: Looks, useFactory: (pool: Pool) => new Looks(pool), inject: [DatabasePool] },
    ApplyUnmatched,
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

const customers: Provider[] = [CreditAccounts, { provide: CustomerCredit, useClass: StreamCredit }];

function fulfillment({ config, clock }: ServiceOptions): Provider[] {
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

function edges(options: ServiceOptions): Provider[] {
  const { log } = options;
  return [
    setting<ApiSettings>(ApiSettings, ({ publicUrl, gateway }) => ({ publicUrl, sandbox: gateway === 'sandbox' })),
    setting<CallbackKeys>(CallbackKeys, ({ merchantKeys, payoutKeys }) => ({
      merchant: merchantKeys,
      payout: payoutKeys,
    })),
    setting<MetricsAccess>(MetricsAccess, ({ gateway, opsPassword }) => ({
      password: gateway === 'sandbox' ? null : opsPassword,
    })),
    { provide: CallbackCounts, useFactory: (registry: Registry) => new CallbackCounts(registry), inject: [Registry] },
    { provide: Orders, useFactory: (database: DataSource) => new Orders(database), inject: [DataSource] },
    {
      provide: OrderFollower,
      useFactory: (pool: Pool, reader: LogReader, store: EventStore) =>
        new Follower({ pool, log: reader, appends: store, onError: warnOf(log) }, new OrderProjection()),
      inject: [BackgroundPool, LogReader, EventStore],
    },
    OrderReader,
    PaymentTerms,
  ];
}

/** What one part needs to know of the configuration, under the part's own name for it. */
const setting = <T>(token: abstract new () => T, pick: (config: Config) => T): Provider => ({
  provide: token,
  useFactory: (service: ConfigService<{ finality: Config }, true>) => pick(service.get('finality', { infer: true })),
  inject: [ConfigService],
});

/** Builds the service on a database that is up; nothing listens until `listen`. */
export async function createService(options: ServiceOptions): Promise<Service> {
  const { config, log, http } = options;
  const adapter = createAdapter(callbackPath);
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.of(options), adapter, {
    logger: new NestLog(log),
    bodyParser: false,
    abortOnError: false,
  });
  app.useGlobalFilters(new ProblemFilter());
  serveOpenApi(app);
  await app.init();
  if (config.apiKey !== null) await app.get(Applications).ensure('default', config.apiKey, 'bootstrap');
  return {
    app,
    listen: async () => {
      if (!http) return '';
      await app.listen(config.port, config.host);
      return app.getUrl();
    },
    clockAdvanced: (seconds) => app.get(Jobs).advance(seconds),
    close: () => app.close(),
  };
}

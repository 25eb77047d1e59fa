import 'reflect-metadata';
import fastifyCookie from '@fastify/cookie';
import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ScheduleModule } from '@nestjs/schedule';
import { TerminusModule } from '@nestjs/terminus';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { Pool } from 'pg';
import { Registry } from 'prom-client';
import { DataSource } from 'typeorm';
import { CustomersController } from './api/customers.controller.js';
import { DepositAddressesController } from './api/deposit-addresses.controller.js';
import { DeveloperPages } from './api/developer-pages.js';
import { DocsController, serveDocs } from './api/docs.controller.js';
import { EventsController } from './api/events.controller.js';
import { LandingController } from './api/landing.controller.js';
import { serveOpenApi } from './api/openapi.controller.js';
import { OrderFollower, OrderReader } from './api/order-reader.js';
import { OrdersController } from './api/orders.controller.js';
import { PaymentLinkTerms } from './api/link-terms.js';
import { PaymentLinksController } from './api/payment-links.controller.js';
import { PaymentTerms } from './api/payment-terms.js';
import { PaymentsController } from './api/payments.controller.js';
import { PoliciesController } from './api/policies.controller.js';
import { SimulationsController } from './api/simulations.controller.js';
import { ReceiptsController } from './api/receipts.controller.js';
import { ApiSettings } from './api/settings.js';
import { WebhookDeliveriesController } from './api/webhook-deliveries.controller.js';
import { WebhookEndpointsController } from './api/webhook-endpoints.controller.js';
import { background, warnOf } from './background.module.js';
import { CallbackCounts } from './callbacks/callback-counts.js';
import { CallbackRejections } from './callbacks/callback-rejections.pg.js';
import { CallbackKeys, CallbacksController } from './callbacks/callbacks.controller.js';
import { LivePayments } from './checkout/live-payments.pg.js';
import { StatusStreamController } from './checkout/status-stream.controller.js';
import { StatusStreams } from './checkout/status-stream.job.js';
import { LinkController } from './checkout/link.controller.js';
import { LinkOpenings } from './checkout/link-openings.pg.js';
import { LinkPaymentTerms, LinkSettings } from './checkout/link-payment-terms.js';
import { LinkPayments } from './checkout/link-payments.handlers.js';
import { StatusController } from './checkout/status.controller.js';
import { Audit } from './ops/audit.pg.js';
import { ConsoleActs } from './ops/console-acts.pg.js';
import { ConsoleAuditController } from './ops/console-audit.controller.js';
import { ConsoleCallbacksController } from './ops/console-callbacks.controller.js';
import { LinkStreams } from './links/link-streams.pg.js';
import { ConsoleController } from './ops/console.controller.js';
import { ConsolePaymentController } from './ops/console-payment.controller.js';
import { ConsolePoliciesController } from './ops/console-policies.controller.js';
import { ConsoleQueueController } from './ops/console-queue.controller.js';
import { ConsoleQueue } from './ops/console-queue.pg.js';
import { PolicyVersions } from './ops/console-policies.pg.js';
import { PolicySaving } from './ops/console-policy-saving.handlers.js';
import { ConsoleReader } from './ops/console-reader.pg.js';
import { ConsoleSearchController } from './ops/console-search.controller.js';
import { ConsoleSearch } from './ops/console-search.pg.js';
import { ConsoleSessions } from './ops/console-sessions.pg.js';
import { DashboardsController } from './ops/dashboards.controller.js';
import { Dashboards } from './ops/dashboards.pg.js';
import { HealthController } from './ops/health.controller.js';
import { measureRequests } from './ops/http-metrics.js';
import { MetricsAccess, MetricsController } from './ops/metrics.controller.js';
import { metrics } from './ops/metrics.module.js';
import { ConsoleAccess, Operators } from './ops/operator.controller.js';
import { PaymentActs } from './ops/payment-acts.handlers.js';
import { PaymentDesk } from './ops/payment-desk.pg.js';
import { FailureCounts } from './payments/failure-counts.js';
import { BackgroundPool, DatabasePool } from './platform/database/pool.pg.js';
import { EventStore } from './platform/event-store/event-store.pg.js';
import { LogReader } from './platform/event-store/log-reader.pg.js';
import { Applications } from './platform/http/applications.pg.js';
import { AssetsController } from './platform/http/assets.controller.js';
import { ProblemFilter } from './platform/http/problem.controller.js';
import { createAdapter } from './platform/http/server.module.js';
import { Jobs } from './platform/jobs/jobs.pg.js';
import { NestLog } from './platform/logger.module.js';
import { startTracing } from './platform/tracing.module.js';
import { Fanout } from './platform/subscriptions/fanout.module.js';
import { Follower } from './platform/subscriptions/follower.pg.js';
import { DepositAddressList } from './read-models/deposit-addresses.pg.js';
import { OrderEntry, Orders, PaymentEntry } from './read-models/orders.pg.js';
import { OrderProjection } from './read-models/order-projection.pg.js';
import { StandbyOrders } from './read-models/standby-orders.job.js';
import { version } from './version.js';
import { callbackPath, CoreModule, directUrl, setting, type CoreOptions } from './core.module.js';

/** Under these, bodies are forms. */
const formPaths = ['/ops/', '/l/', '/sandbox/'];

export interface ServiceOptions extends CoreOptions {
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

@Module({})
export class AppModule {
  static of(options: ServiceOptions): DynamicModule {
    return {
      module: AppModule,
      imports: [
        CoreModule.of(options),
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
        PaymentLinksController,
        ReceiptsController,
        OrdersController,
        EventsController,
        PoliciesController,
        SimulationsController,
        CustomersController,
        DepositAddressesController,
        WebhookEndpointsController,
        WebhookDeliveriesController,
        CallbacksController,
        StatusController,
        StatusStreamController,
        LinkController,
        HealthController,
        MetricsController,
        ConsoleController,
        ConsoleQueueController,
        ConsoleCallbacksController,
        ConsoleSearchController,
        ConsolePoliciesController,
        DashboardsController,
        ConsoleAuditController,
        ConsolePaymentController,
        AssetsController,
        DocsController,
        ...(options.config.gateway === 'sandbox' ? [LandingController] : []),
      ],
      providers: [
        ...edges(options),
        standby(options),
        ...fanout(options),
        ...background({
          clock: options.clock,
          log: options.log,
          publicUrl: options.config.publicUrl,
          databaseUrl: directUrl(options),
          checkpointDir: options.config.checkpointDir,
        }),
      ],
    };
  }
}

function edges(options: ServiceOptions): Provider[] {
  const { log } = options;
  return [
    setting<ApiSettings>(ApiSettings, ({ publicUrl, gateway }) => ({ publicUrl, sandbox: gateway === 'sandbox' })),
    setting<DeveloperPages>(DeveloperPages, ({ gateway, sandboxPort, publicUrl, madeUpKey }) => ({
      sandbox: gateway === 'sandbox',
      sandboxUrl: `http://localhost:${String(sandboxPort)}`,
      publicUrl,
      madeUpKey,
    })),
    setting<CallbackKeys>(CallbackKeys, ({ merchantKeys, payoutKeys }) => ({
      merchant: merchantKeys,
      payout: payoutKeys,
    })),
    setting<MetricsAccess>(MetricsAccess, ({ gateway, opsPassword }) => ({
      password: gateway === 'sandbox' ? null : opsPassword,
    })),
    {
      provide: CallbackRejections,
      useFactory: (pool: Pool) => new CallbackRejections(pool, options.clock),
      inject: [BackgroundPool],
    },
    {
      provide: CallbackCounts,
      useFactory: (registry: Registry, failures: FailureCounts, rejections: CallbackRejections) =>
        new CallbackCounts(registry, failures, rejections),
      inject: [Registry, FailureCounts, CallbackRejections],
    },
    ...metrics({
      databaseUrl: directUrl(options),
      dataDir: options.config.databaseUrl === null ? options.config.dataDir : null,
    }),
    setting<ConsoleAccess>(ConsoleAccess, ({ opsPassword, opsViewPassword, publicUrl }) => ({
      passwords: { act: opsPassword, view: opsViewPassword },
      secure: publicUrl.startsWith('https:'),
    })),
    LivePayments,
    StatusStreams,
    Audit,
    ConsoleActs,
    PaymentActs,
    PaymentDesk,
    ConsoleSessions,
    ConsoleReader,
    ConsoleQueue,
    ConsoleSearch,
    PolicyVersions,
    PolicySaving,
    Dashboards,
    Operators,
    { provide: Orders, useFactory: (database: DataSource) => new Orders(database), inject: [DataSource] },
    {
      provide: OrderFollower,
      useFactory: (pool: Pool, reader: LogReader, store: EventStore, failures: FailureCounts) =>
        new Follower({ pool, log: reader, appends: store, onError: warnOf(log, failures) }, new OrderProjection()),
      inject: [BackgroundPool, LogReader, EventStore, FailureCounts],
    },
    OrderReader,
    DepositAddressList,
    PaymentTerms,
    PaymentLinkTerms,
    LinkStreams,
    setting<LinkSettings>(LinkSettings, ({ publicUrl, gateway }) => ({ publicUrl, sandbox: gateway === 'sandbox' })),
    { provide: LinkOpenings, useFactory: (pool: Pool) => new LinkOpenings(pool), inject: [DatabasePool] },
    LinkPaymentTerms,
    LinkPayments,
  ];
}

/** Null where none is named. */
const standby = ({ config: { databaseStandbyUrl: url } }: ServiceOptions): Provider => ({
  provide: StandbyOrders,
  useFactory: (pool: Pool) => (url === null ? null : new StandbyOrders(url, pool)),
  inject: [BackgroundPool],
});

/** Nothing at all where no NATS is named: no connection, and no row among the followers. */
function fanout({ config: { natsUrl }, log }: ServiceOptions): Provider[] {
  if (natsUrl === null) return [];
  const useFactory = async (...deps: [Pool, LogReader, EventStore, FailureCounts]): Promise<Fanout> => {
    const [pool, reader, appends, failures] = deps;
    // Its libraries are loaded by those who use it.
    const { JetStreamReactor } = await import('./platform/subscriptions/jetstream.client.js');
    return new Fanout({ pool, log: reader, appends, onError: warnOf(log, failures) }, new JetStreamReactor(natsUrl));
  };
  return [{ provide: Fanout, useFactory, inject: [BackgroundPool, LogReader, EventStore, FailureCounts] }];
}

/** Builds the service on a database that is up; nothing listens until `listen`. */
export async function createService(options: ServiceOptions): Promise<Service> {
  const { config, log, http } = options;
  const { tracesEndpoint: endpoint, serviceName } = config;
  const stopTracing = endpoint === null ? null : startTracing({ endpoint, serviceName, version });
  const adapter = createAdapter(callbackPath, ...formPaths);
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.of(options), adapter, {
    logger: new NestLog(log),
    bodyParser: false,
    abortOnError: false,
  });
  app.useGlobalFilters(new ProblemFilter());
  // Nobody but the console looks at cookies, and it does so itself.
  await app.register(fastifyCookie, { hook: false });
  serveOpenApi(app);
  await serveDocs(app);
  measureRequests(adapter.getInstance(), app.get(Registry));
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
    close: async () => {
      await app.close();
      await stopTracing?.();
    },
  };
}

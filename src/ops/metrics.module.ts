import { Injectable, type OnApplicationShutdown, type OnModuleInit, type Provider } from '@nestjs/common';
import type { Pool } from 'pg';
import { Gauge, Registry } from 'prom-client';
import { DataSource } from 'typeorm';
import { FulfillmentStreams } from '../fulfillment/fulfillment-streams.pg.js';
import { WebhookDelivery } from '../fulfillment/webhook-delivery.job.js';
import { Clock } from '../kernel/clock.js';
import { FailureCounts } from '../payments/failure-counts.js';
import { PaymentStreams } from '../payments/payment-streams.pg.js';
import { BackgroundPool, DatabasePool } from '../platform/database/pool.pg.js';
import { EventStore } from '../platform/event-store/event-store.pg.js';
import { version } from '../version.js';
import { BacklogMetrics } from './backlog-metrics.pg.js';
import { dataDiskOf } from './data-disk.pg.js';
import { DeliveryMetrics } from './delivery-metrics.js';
import { PaymentMetrics } from './payment-metrics.js';
import { measurePools, measureStore, type Connections } from './store-metrics.js';

export interface MetricsOptions {
  databaseUrl: string;
  /** Where the embedded database keeps its files; null where the database is another one. */
  dataDir: string | null;
}

/** Has the parts that measure nothing themselves listened to, from the first event on. */
@Injectable()
class Ears implements OnModuleInit, OnApplicationShutdown {
  private readonly closers: (() => void)[] = [];

  constructor(
    private readonly payments: PaymentStreams,
    private readonly fulfillments: FulfillmentStreams,
    private readonly deliveries: WebhookDelivery,
    private readonly paymentMetrics: PaymentMetrics,
    private readonly deliveryMetrics: DeliveryMetrics,
  ) {}

  onModuleInit(): void {
    this.closers.push(
      this.payments.onDecided(this.paymentMetrics.hear),
      this.fulfillments.onDecided(this.deliveryMetrics.hearFulfillment),
      this.deliveries.onAttempt(this.deliveryMetrics.hearAttempt),
    );
  }

  onApplicationShutdown(): void {
    for (const close of this.closers) close();
  }
}

/** Everything that is shown under the metrics route, but for what the gateway, callbacks and looks measure themselves. */
export const metrics = ({ databaseUrl, dataDir }: MetricsOptions): Provider[] => [
  {
    provide: PaymentMetrics,
    useFactory: (registry: Registry, failures: FailureCounts, clock: Clock) =>
      new PaymentMetrics(registry, failures, () => clock.now()),
    inject: [Registry, FailureCounts, Clock],
  },
  {
    provide: DeliveryMetrics,
    useFactory: (registry: Registry, failures: FailureCounts) => new DeliveryMetrics(registry, failures),
    inject: [Registry, FailureCounts],
  },
  {
    provide: BacklogMetrics,
    useFactory: (registry: Registry, clock: Clock) => new BacklogMetrics(databaseUrl, registry, () => clock.now()),
    inject: [Registry, Clock],
  },
  {
    provide: Ears,
    useFactory: (
      registry: Registry,
      store: EventStore,
      requests: Pool,
      background: Pool,
      database: DataSource,
      ...parts: ConstructorParameters<typeof Ears>
    ) => {
      measureStore(registry, store);
      measurePools(registry, { requests, background, store: store.connections, read_models: connectionsOf(database) });
      measureProcess(registry, dataDir);
      return new Ears(...parts);
    },
    inject: [
      Registry,
      EventStore,
      DatabasePool,
      BackgroundPool,
      DataSource,
      PaymentStreams,
      FulfillmentStreams,
      WebhookDelivery,
      PaymentMetrics,
      DeliveryMetrics,
    ],
  },
];

/** TypeORM keeps its pool to itself. */
function connectionsOf(database: DataSource): Connections {
  const { driver } = database as unknown as { driver: { master?: Connections } };
  return driver.master ?? { totalCount: 0, idleCount: 0, waitingCount: 0 };
}

function measureProcess(registry: Registry, dataDir: string | null): void {
  const registers = [registry];
  new Gauge({
    name: 'finality_build_info',
    help: 'Always 1; the version of the service and of Node.js',
    labelNames: ['version', 'nodejs'],
    registers,
  }).set({ version, nodejs: process.version }, 1);
  const disk = async (gauge: Gauge, pick: 'freeBytes' | 'sizeBytes'): Promise<void> => {
    const found = dataDir === null ? null : await dataDiskOf(dataDir);
    gauge.reset();
    if (found) gauge.set(found[pick]);
    else gauge.remove();
  };
  new Gauge({
    name: 'finality_data_disk_free_bytes',
    help: 'Room on the disk of the embedded database; absent where the database is another one',
    registers,
    collect() {
      return disk(this, 'freeBytes');
    },
  });
  new Gauge({
    name: 'finality_data_disk_size_bytes',
    help: 'Size of the disk of the embedded database; absent where the database is another one',
    registers,
    collect() {
      return disk(this, 'sizeBytes');
    },
  });
}

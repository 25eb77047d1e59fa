import { Inject, Injectable } from '@nestjs/common';
import { Counter, Registry } from 'prom-client';
import { Refusal } from '../kernel/refusal.js';
import type { PaymentView } from '../payments/payment-view.js';
import { Follower } from '../platform/subscriptions/follower.pg.js';
import { Orders } from '../read-models/orders.pg.js';
import { StandbyOrders } from '../read-models/standby-orders.job.js';
import { answerEntry, answerOrder } from './answers.js';
import { limitOf, listOf, readCursor, type List, type OrdersQuery, type PaymentsQuery } from './queries.js';
import { hasControls } from './rules.js';
import { ApiSettings } from './settings.js';

const waitAtMostMs = 2000;
/** The half of it: what the standby does not reach in that, the primary has. */
const waitForStandbyMs = 1000;

/** The follower of the order read model, which readers may wait for. */
export abstract class OrderFollower extends Follower {}

/** Which server answered. */
const servers = ['primary', 'standby'] as const;

/** Lists and orders as the API answers them, from a standby where there is one that is up to date. */
@Injectable()
export class OrderReader {
  private readonly reads: Counter<'server'>;

  constructor(
    @Inject(Orders) private readonly orders: Orders,
    @Inject(OrderFollower) private readonly follower: Follower,
    @Inject(ApiSettings) private readonly settings: ApiSettings,
    @Inject(StandbyOrders) private readonly standby: StandbyOrders | null,
    @Inject(Registry) registry: Registry,
  ) {
    this.reads = new Counter({
      name: 'finality_list_reads_total',
      help: 'Lists and orders that were read, by the server that answered',
      labelNames: ['server'],
      registers: [registry],
    });
    for (const server of servers) this.reads.inc({ server }, 0);
  }

  async payments(applicationId: string, query: PaymentsQuery): Promise<List<PaymentView>> {
    const { cursor, minPosition, limit: _, createdFrom, createdTo, ...rest } = query;
    const after = readCursor(applicationId, cursor);
    const filter = {
      ...rest,
      ...(createdFrom ? { createdFrom: utc(createdFrom) } : {}),
      ...(createdTo ? { createdTo: utc(createdTo) } : {}),
    };
    const rows = await this.read(minPosition, (orders) =>
      orders.payments(applicationId, filter, { limit: limitOf(query), after }),
    );
    return listOf(
      rows,
      limitOf(query),
      applicationId,
      (row) => row.paymentId,
      (row) => answerEntry(row, this.settings.publicUrl),
    );
  }

  async list(applicationId: string, query: OrdersQuery) {
    const after = readCursor(applicationId, query.cursor);
    const rows = await this.read(query.minPosition, (orders) =>
      orders.orders(applicationId, { limit: limitOf(query), after }),
    );
    return listOf(
      rows,
      limitOf(query),
      applicationId,
      (row) => row.firstPaymentId,
      (row) => answerOrder(row, row.payments),
    );
  }

  async order(applicationId: string, orderId: string, minPosition?: string) {
    const found = hasControls(orderId)
      ? null
      : await this.read(minPosition, async (orders) => {
          const order = await orders.order(applicationId, orderId);
          return order && { order, payments: await orders.paymentsOf(applicationId, orderId) };
        });
    if (!found) throw new Refusal('not_found', 'There is no order with this id.');
    return answerOrder(
      found.order,
      found.payments.map((entry) => answerEntry(entry, this.settings.publicUrl)),
    );
  }

  /** Asks the standby, and the primary where that one cannot answer, once the position is reached or the time is up. */
  private async read<T>(minPosition: string | undefined, ask: (orders: Orders) => Promise<T>): Promise<T> {
    const position = parseInt(minPosition ?? '0', 10);
    const patienceMs = this.standby?.isGood() ? waitAtMostMs - waitForStandbyMs : waitAtMostMs;
    const fromStandby = await this.readStandby(position, ask);
    if (fromStandby) return fromStandby.answer;
    if (position > 0) await this.follower.waitFor(position, patienceMs);
    this.reads.inc({ server: 'primary' });
    return ask(this.orders);
  }

  private async readStandby<T>(position: number, ask: (orders: Orders) => Promise<T>): Promise<{ answer: T } | null> {
    const orders = await this.standby?.at(position, waitForStandbyMs);
    if (!this.standby || !orders) return null;
    try {
      const answer = await ask(orders);
      this.reads.inc({ server: 'standby' });
      return { answer };
    } catch (error) {
      this.standby.failed(error);
      return null;
    }
  }
}

const utc = (time: string): string => new Date(time).toISOString();

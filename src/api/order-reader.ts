import { Inject, Injectable } from '@nestjs/common';
import { Refusal } from '../kernel/refusal.js';
import type { PaymentView } from '../payments/payment-view.js';
import { Follower } from '../platform/subscriptions/follower.pg.js';
import { Orders } from '../read-models/orders.pg.js';
import { answerEntry, answerOrder } from './answers.js';
import { limitOf, listOf, readCursor, type List, type OrdersQuery, type PaymentsQuery } from './queries.js';
import { hasControls } from './rules.js';
import { ApiSettings } from './settings.js';

const waitAtMostMs = 2000;

/** The follower of the order read model, which readers may wait for. */
export abstract class OrderFollower extends Follower {}

/** Lists and orders as the API answers them. */
@Injectable()
export class OrderReader {
  constructor(
    @Inject(Orders) private readonly orders: Orders,
    @Inject(OrderFollower) private readonly follower: Follower,
    @Inject(ApiSettings) private readonly settings: ApiSettings,
  ) {}

  async payments(applicationId: string, query: PaymentsQuery): Promise<List<PaymentView>> {
    const { cursor, minPosition, limit: _, createdFrom, createdTo, ...rest } = query;
    const after = readCursor(applicationId, cursor);
    await this.reach(minPosition);
    const filter = {
      ...rest,
      ...(createdFrom ? { createdFrom: utc(createdFrom) } : {}),
      ...(createdTo ? { createdTo: utc(createdTo) } : {}),
    };
    const rows = await this.orders.payments(applicationId, filter, { limit: limitOf(query), after });
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
    await this.reach(query.minPosition);
    const rows = await this.orders.orders(applicationId, { limit: limitOf(query), after });
    return listOf(
      rows,
      limitOf(query),
      applicationId,
      (row) => row.firstPaymentId,
      (row) => answerOrder(row, row.payments),
    );
  }

  async order(applicationId: string, orderId: string, minPosition?: string) {
    await this.reach(minPosition);
    const order = hasControls(orderId) ? null : await this.orders.order(applicationId, orderId);
    if (!order) throw new Refusal('not_found', 'There is no order with this id.');
    const payments = await this.orders.paymentsOf(applicationId, orderId);
    return answerOrder(
      order,
      payments.map((entry) => answerEntry(entry, this.settings.publicUrl)),
    );
  }

  private async reach(minPosition: string | undefined): Promise<void> {
    if (minPosition !== undefined) await this.follower.waitFor(parseInt(minPosition, 10), waitAtMostMs);
  }
}

const utc = (time: string): string => new Date(time).toISOString();

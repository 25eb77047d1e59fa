import { Injectable } from '@nestjs/common';
import { Column, DataSource, Entity, PrimaryColumn, type ObjectLiteral, type SelectQueryBuilder } from 'typeorm';
import type { Instant } from '../kernel/clock.js';
import { isUuid } from '../kernel/ids.js';
import { orderPrefix } from '../links/link.js';
import type { Payment } from '../payments/payment.js';
import type { Fulfillment } from '../fulfillment/fulfillment.js';

@Entity({ name: 'payment_view', synchronize: false })
export class PaymentEntry {
  @PrimaryColumn('uuid', { name: 'payment_id' }) paymentId!: string;
  @Column('uuid', { name: 'application_id' }) applicationId!: string;
  @Column('text', { name: 'order_id' }) orderId!: string;
  @Column('text') status!: string;
  @Column('text', { array: true }) labels!: string[];
  @Column('text', { name: 'track_id', nullable: true }) trackId!: string | null;
  @Column('text', { name: 'customer_id', nullable: true }) customerId!: string | null;
  @Column('text', { nullable: true }) email!: string | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
  @Column('text') fulfillment!: string;
  @Column('text') review!: string;
  @Column('integer') version!: number;
  @Column('json') state!: { payment: Payment; fulfillment: Fulfillment | null };
}

@Entity({ name: 'order_view', synchronize: false })
export class OrderEntry {
  @PrimaryColumn('uuid', { name: 'application_id' }) applicationId!: string;
  @PrimaryColumn('text', { name: 'order_id' }) orderId!: string;
  @Column('text') status!: string;
  @Column('boolean') complete!: boolean;
  @Column('text') fulfillment!: string;
  @Column('numeric') due!: string;
  @Column('text') currency!: string;
  @Column('numeric', { nullable: true }) received!: string | null;
  @Column('numeric') credit!: string;
  @Column('uuid', { array: true }) payments!: string[];
  @Column('uuid', { name: 'first_payment_id' }) firstPaymentId!: string;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
}

export interface PaymentFilter {
  orderId?: string;
  status?: string;
  label?: string;
  review?: string;
  trackId?: string;
  customerId?: string;
  /** Whose order ids begin with `link-` and this id. */
  paymentLinkId?: string;
  createdFrom?: Instant;
  createdTo?: Instant;
  /** Part of an order id, track id, customer id or e-mail, or a whole payment id. */
  q?: string;
}

/** Where a list goes on: after this payment id, newest first. */
export interface Page {
  limit: number;
  after: string | null;
}

/** Lists and search over the order read model. It follows the log by milliseconds. */
@Injectable()
export class Orders {
  constructor(private readonly database: DataSource) {}

  /** Payments of one application, newest first; one more than `limit` where there are more. */
  payments(applicationId: string, filter: PaymentFilter, page: Page): Promise<PaymentEntry[]> {
    const query = this.database
      .createQueryBuilder(PaymentEntry, 'p')
      .where('p.applicationId = :applicationId', { applicationId })
      .orderBy('p.paymentId', 'DESC')
      .take(page.limit + 1);
    if (page.after !== null) query.andWhere('p.paymentId < :after', { after: page.after });
    narrow(query, filter);
    return query.getMany();
  }

  orders(applicationId: string, page: Page): Promise<OrderEntry[]> {
    const query = this.database
      .createQueryBuilder(OrderEntry, 'o')
      .where('o.applicationId = :applicationId', { applicationId })
      .orderBy('o.firstPaymentId', 'DESC')
      .limit(page.limit + 1);
    if (page.after !== null) query.andWhere('o.firstPaymentId < :after', { after: page.after });
    return query.getMany();
  }

  order(applicationId: string, orderId: string): Promise<OrderEntry | null> {
    return this.database.getRepository(OrderEntry).findOneBy({ applicationId, orderId });
  }

  /** The newest hundred payments of an order, oldest first. */
  async paymentsOf(applicationId: string, orderId: string): Promise<PaymentEntry[]> {
    const newest = await this.database
      .getRepository(PaymentEntry)
      .find({ where: { applicationId, orderId }, order: { paymentId: 'DESC' }, take: 100 });
    return newest.reverse();
  }
}

/** Exactly the expression of the index `payment_view_search`; no value holds a line break. */
const searched = `(p.orderId || chr(10) || coalesce(p.trackId, '') || chr(10) || coalesce(p.customerId, '') || chr(10) || coalesce(p.email, ''))`;

function narrow<T extends ObjectLiteral>(query: SelectQueryBuilder<T>, filter: PaymentFilter): void {
  const { orderId, status, label, review, trackId, customerId, paymentLinkId, createdFrom, createdTo, q } = filter;
  if (orderId !== undefined) query.andWhere('p.orderId = :orderId', { orderId });
  if (status !== undefined) query.andWhere('p.status = :status', { status });
  if (label !== undefined) query.andWhere(':label = any(p.labels)', { label });
  if (review !== undefined) query.andWhere('p.review = :review', { review });
  if (trackId !== undefined) query.andWhere('p.trackId = :trackId', { trackId });
  // In the collation of the index.
  if (customerId !== undefined) query.andWhere('p.customerId collate "C" = :customerId', { customerId });
  if (paymentLinkId !== undefined)
    query.andWhere("left(p.orderId, 41) = :linked and p.orderId like 'link-%'", { linked: orderPrefix(paymentLinkId) });
  if (createdFrom !== undefined) query.andWhere('p.createdAt >= :createdFrom', { createdFrom });
  if (createdTo !== undefined) query.andWhere('p.createdAt < :createdTo', { createdTo });
  if (q !== undefined) {
    const part = `%${q.replace(/[\\%_]/g, '\\$&')}%`;
    const id = q.toLowerCase();
    if (isUuid(id)) query.andWhere(`(${searched} ilike :part or p.paymentId = :id)`, { part, id });
    else query.andWhere(`${searched} ilike :part`, { part });
  }
}

import { ApiProperty, ApiPropertyOptional, OmitType } from '@nestjs/swagger';
import type { RecordedEvent } from '../kernel/event.js';
import type { JsonObject } from '../kernel/json.js';
import { showAmount, viewPayment, type PaymentView } from '../payments/payment-view.js';
import type { Payment } from '../payments/payment.js';
import { isPaymentEvent } from '../payments/payment-stream.js';
import { happenedAt } from '../payments/time-travel.js';
import type { OrderEntry, PaymentEntry } from '../read-models/orders.pg.js';

const statuses = ['created', 'pending', 'paid', 'expired', 'failed'];

export class AllocationAnswer {
  @ApiProperty({ example: '49.90', description: 'Toward the price of a payment that is paid.' }) applied!: string;
  @ApiProperty({ example: '0.00', description: 'Beyond the price, and kept by the merchant.' }) kept!: string;
  @ApiProperty({ example: '0.00', description: "To the customer's credit." }) credited!: string;
  @ApiProperty({ example: '0.00', description: 'Sent back and confirmed.' }) refunded!: string;
  @ApiProperty({ example: '0.00', description: 'On its way back.' }) refunding!: string;
  @ApiProperty({ example: '0.00', description: 'Nobody has decided about it yet.' }) unallocated!: string;
}

export class ReviewAnswer {
  @ApiProperty({ type: [String], example: ['late_payment'] }) reasons!: string[];
  @ApiProperty({ format: 'date-time' }) openedAt!: string;
  @ApiProperty({ description: 'Whether the goods wait for the decision.' }) holdsFulfillment!: boolean;
  @ApiPropertyOptional({ format: 'date-time' }) resolvedAt?: string;
  @ApiPropertyOptional({ enum: ['accept', 'reject', 'credit', 'refund'] }) decision?: string;
  @ApiPropertyOptional({ example: 'support@shop.example' }) actor?: string;
  @ApiPropertyOptional() note?: string;
}

export class RefundAnswer {
  @ApiProperty({ example: 1 }) number!: number;
  @ApiProperty({ enum: ['requested', 'sending', 'unknown', 'submitted', 'confirmed', 'failed'] }) status!: string;
  @ApiProperty({ example: '5.00', description: "In the payment's currency." }) amount!: string;
  @ApiProperty({ example: 'USD' }) currency!: string;
  @ApiProperty({
    type: Object,
    example: {
      amount: '5',
      currency: 'USDT',
      network: 'TRON',
      address: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ',
      memo: null,
    },
    description: 'What is sent, in coin units.',
  })
  payout!: unknown;
  @ApiProperty() reason!: string;
  @ApiProperty({ example: 'request', description: 'The clause that asked for it, `review` or `request`.' })
  clause!: string;
  @ApiProperty({ format: 'date-time' }) requestedAt!: string;
  @ApiProperty({ type: String, nullable: true, description: "The payout's id at the gateway." }) trackId!:
    string | null;
  @ApiProperty({ type: String, nullable: true }) txHash!: string | null;
  @ApiProperty({ type: String, nullable: true }) detail!: string | null;
}

export class RemainderAnswer {
  @ApiProperty({ format: 'uuid' }) paymentId!: string;
  @ApiProperty({ example: '20.00' }) amount!: string;
  @ApiProperty({ format: 'date-time' }) until!: string;
  @ApiProperty({ enum: ['open', 'paid', 'ended'] }) outcome!: string;
}

export class LearnedLaterAnswer {
  @ApiProperty({ format: 'uuid' }) eventId!: string;
  @ApiProperty({ example: 4 }) version!: number;
  @ApiProperty({ example: 'TransferDetected' }) type!: string;
  @ApiProperty({ format: 'date-time', description: "When it happened, by the gateway's clock." }) happenedAt!: string;
  @ApiProperty({ format: 'date-time', description: 'When it was recorded here.' }) recordedAt!: string;
}

export class AsOfAnswer {
  @ApiProperty({ format: 'date-time' }) time!: string;
  @ApiProperty({ example: 3, description: 'The events that were known then.' }) version!: number;
  @ApiProperty({ example: 7, description: 'The events that are known now.' }) newestVersion!: number;
  @ApiProperty({
    type: [LearnedLaterAnswer],
    description: 'What had happened by then, by the clock of the gateway, and was not known here yet.',
  })
  learnedLater!: LearnedLaterAnswer[];
}

export class PayToAnswer {
  @ApiProperty({ example: 'TSandboxAddressNotForUse0000000000' }) address!: string;
  @ApiProperty({
    type: String,
    nullable: true,
    description:
      'Memo or destination tag. Where there is one, money without it is lost: show it as large as the address.',
  })
  memo!: string | null;
  @ApiProperty({ example: 'Tron Network' }) network!: string;
  @ApiProperty({ example: 'USDT' }) currency!: string;
  @ApiProperty({ example: '49.9', description: 'Coin units, exactly.' }) amount!: string;
}

export class DepositAnswer {
  @ApiProperty({ format: 'uuid' }) addressId!: string;
  @ApiProperty() address!: string;
  @ApiProperty({ example: 'Tron Network' }) network!: string;
  @ApiProperty({ description: 'Whether it came after the address was revoked: the gateway may never credit it.' })
  afterRevocation!: boolean;
}

/** A payment as the REST API answers it; documented for OpenAPI. */
export class PaymentAnswer {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ example: 'order-1001' }) orderId!: string;
  @ApiProperty({ enum: statuses }) status!: string;
  @ApiProperty({
    enum: ['opening', 'awaiting_payment', 'partially_paid', 'detected', 'confirming', 'settled', 'in_review', 'closed'],
  })
  progress!: string;
  @ApiProperty({ type: [String], example: ['sandbox'] }) labels!: string[];
  @ApiProperty({ description: 'The one field that a fulfilment system needs.' }) fulfillable!: boolean;
  @ApiProperty({ example: '49.90' }) amount!: string;
  @ApiProperty({ example: 'USD' }) currency!: string;
  @ApiProperty({
    type: String,
    nullable: true,
    example: '0.00',
    description: 'What arrived, in `currency`; null where its worth is not known.',
  })
  received!: string | null;
  @ApiProperty({ type: String, nullable: true, example: '-49.90', description: 'received − amount, signed.' }) delta!:
    string | null;
  @ApiProperty({ description: 'Whether `received` rests on prices that were looked up.' }) estimated!: boolean;
  @ApiProperty({ example: '0.00', description: "What the customer's credit pays of `amount`." }) credit!: string;
  @ApiProperty({
    type: AllocationAnswer,
    nullable: true,
    description: 'Where the received money went; the shares add up to `received`.',
  })
  allocation!: AllocationAnswer | null;
  @ApiProperty({ type: ReviewAnswer, nullable: true }) review!: ReviewAnswer | null;
  @ApiProperty({ type: [RefundAnswer] }) refunds!: RefundAnswer[];
  @ApiProperty({ type: [RemainderAnswer], description: 'Other payments that collect the missing part of this one.' })
  remainders!: RemainderAnswer[];
  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'The payment whose missing part this one collects.',
  })
  remainderOf!: string | null;
  @ApiProperty({ type: [Object] }) transfers!: unknown[];
  @ApiProperty({ type: String, nullable: true }) trackId!: string | null;
  @ApiProperty({ type: String, nullable: true, description: 'Send the payer here.' }) paymentUrl!: string | null;
  @ApiProperty({ enum: ['hosted', 'embedded'] }) presentation!: string;
  @ApiProperty({
    type: PayToAnswer,
    nullable: true,
    description: 'What the payer sends where; for `embedded` payments, once they are open.',
  })
  payTo!: PayToAnswer | null;
  @ApiProperty({
    type: DepositAnswer,
    nullable: true,
    description: 'The deposit address that this transfer came to; null for payments that were asked for.',
  })
  deposit!: DepositAnswer | null;
  @ApiProperty({ description: 'Our own page that tells the payer how it stands.' }) statusUrl!: string;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) expiresAt!: string | null;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) paidAt!: string | null;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) closedAt!: string | null;
  @ApiProperty({ type: String, nullable: true }) failure!: string | null;
  @ApiProperty({ type: String, nullable: true }) gatewayStatus!: string | null;
  @ApiProperty({ type: String, nullable: true }) customerId!: string | null;
  @ApiProperty({ type: String, nullable: true }) description!: string | null;
  @ApiProperty({ type: String, nullable: true }) email!: string | null;
  @ApiProperty({ type: String, nullable: true }) returnUrl!: string | null;
  @ApiProperty({ type: Object, additionalProperties: { type: 'string' } }) metadata!: Record<string, string>;
  @ApiProperty({ type: Object, description: 'The policy as it is pinned: name, version, rules.' }) policy!: unknown;
  @ApiProperty({ description: 'The number of events behind this answer.' }) version!: number;
  @ApiPropertyOptional({
    description: 'The position of its newest event in the log; pass it as `minPosition` to a list.',
  })
  position?: number;
  @ApiPropertyOptional({ type: AsOfAnswer, description: 'Where `asOf` was asked for.' }) asOf?: AsOfAnswer;
}

export class PaymentListAnswer {
  @ApiProperty({ type: [PaymentAnswer] }) items!: PaymentAnswer[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

/** An order in a list: its payments by their ids. */
export class OrderEntryAnswer {
  @ApiProperty({ example: 'order-1001' }) orderId!: string;
  @ApiProperty({ enum: statuses }) status!: string;
  @ApiProperty({ description: 'Whether the order is paid and confirmed.' }) complete!: boolean;
  @ApiProperty({ enum: ['none', 'requested', 'accepted', 'fulfilled', 'rejected', 'unanswered', 'stopped'] })
  fulfillment!: string;
  @ApiProperty({ example: '49.90' }) due!: string;
  @ApiProperty({ example: 'USD' }) currency!: string;
  @ApiProperty({ type: String, nullable: true, example: '49.90' }) received!: string | null;
  @ApiProperty({ example: '0.00', description: "What the customer's credit pays of it." }) credit!: string;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
  @ApiProperty({ type: String, format: 'uuid', isArray: true, description: 'Ids of its attempts, oldest first.' })
  payments!: unknown[];
}

/** One order with its payments. */
export class OrderAnswer extends OmitType(OrderEntryAnswer, ['payments']) {
  @ApiProperty({ type: [PaymentAnswer], description: 'Its attempts, oldest first.' }) payments!: unknown[];
}

export class OrderListAnswer {
  @ApiProperty({ type: [OrderEntryAnswer] }) items!: OrderEntryAnswer[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class EventAnswer {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ example: 'PaymentPaid' }) type!: string;
  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'The payment that it is about; null for events that are about none.',
  })
  paymentId!: string | null;
  @ApiProperty({ example: 3 }) version!: number;
  @ApiProperty({ example: 42 }) position!: number;
  @ApiProperty({ example: 1 }) schemaVersion!: number;
  @ApiProperty({ format: 'date-time' }) recordedAt!: string;
  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: "When it happened by the gateway's clock; null for what has no such time.",
  })
  happenedAt!: string | null;
  @ApiProperty({ example: 'gateway' }) actor!: string;
  @ApiProperty({ format: 'uuid' }) correlationId!: string;
  @ApiProperty({ format: 'uuid' }) causationId!: string;
  @ApiProperty({ type: Object }) data!: JsonObject;
}

export class EventListAnswer {
  @ApiProperty({ type: [EventAnswer] }) items!: EventAnswer[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class ExplanationAnswer {
  @ApiProperty() complete!: boolean;
  @ApiProperty({ type: String, nullable: true, example: 'no_money_seen' }) blockedBy!: string | null;
  @ApiProperty({ enum: ['payer', 'network', 'gateway', 'merchant', 'service'], nullable: true }) waitingOn!:
    string | null;
  @ApiProperty({ type: Object, nullable: true, example: { amount: '49.90', currency: 'USD' } }) missing!: unknown;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) deadline!: string | null;
  @ApiProperty({ type: Object, example: { policy: 'default', version: 1, clause: 'paidWhen' } }) rule!: unknown;
  @ApiProperty({ type: [String], example: [], description: 'What a person is asked to decide, as codes.' })
  review!: string[];
  @ApiProperty({ type: [String], description: 'Ids of the events that prove it.' }) evidence!: string[];
  @ApiProperty() sentence!: string;
  @ApiPropertyOptional({ type: AsOfAnswer, description: 'Where `asOf` was asked for.' }) asOf?: AsOfAnswer;
}

export class ProblemAnswer {
  @ApiProperty({ example: 'urn:finality:problem:invalid-request' }) type!: string;
  @ApiProperty() title!: string;
  @ApiProperty({ example: 422 }) status!: number;
  @ApiProperty() detail!: string;
  @ApiPropertyOptional({
    type: [Object],
    example: [{ pointer: '/amount', detail: 'must be a positive decimal as a string' }],
  })
  errors?: unknown[];
}

/** The answer to whatever read or wrote one payment's stream. */
export function answerPayment(
  payment: Payment,
  events: readonly RecordedEvent[],
  publicUrl: string,
): PaymentView & { position: number } {
  const last = events.at(-1);
  return { ...viewPayment(payment, last?.version ?? 0, publicUrl), position: last?.position ?? 0 };
}

export const answerEntry = (entry: PaymentEntry, publicUrl: string): PaymentView =>
  viewPayment(entry.state.payment, entry.version, publicUrl);

export function answerOrder<T>(order: OrderEntry, payments: T[]) {
  const { orderId, status, complete, fulfillment, currency } = order;
  return {
    orderId,
    status,
    complete,
    fulfillment,
    due: showAmount(order.due, currency),
    currency,
    received: order.received === null ? null : showAmount(order.received, currency),
    credit: showAmount(order.credit, currency),
    createdAt: order.createdAt.toISOString(),
    payments,
  };
}

export function answerEvent(event: RecordedEvent, paymentId: string | null): EventAnswer {
  const { id, type, version, position, schemaVersion, recordedAt, actor, correlationId, causationId, data } = event;
  const happened = isPaymentEvent(event) ? happenedAt(event) : null;
  return {
    id,
    type,
    paymentId,
    version,
    position,
    schemaVersion,
    recordedAt,
    happenedAt: happened,
    actor,
    correlationId,
    causationId,
    data,
  };
}

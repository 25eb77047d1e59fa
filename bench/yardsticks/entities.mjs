// The tables of the yardsticks that use TypeORM.
import { EntitySchema } from 'typeorm';

export class Payment {}
export const payments = new EntitySchema({
  name: 'Payment',
  tableName: 'payment',
  target: Payment,
  columns: {
    id: { type: 'uuid', primary: true },
    trackId: { type: 'text', unique: true, name: 'track_id' },
    orderId: { type: 'text', name: 'order_id' },
    status: { type: 'text' },
    amount: { type: 'numeric' },
    currency: { type: 'text' },
    receivedAmount: { type: 'numeric', nullable: true, name: 'received_amount' },
    txHash: { type: 'text', nullable: true, name: 'tx_hash' },
    createdAt: { type: 'timestamptz', createDate: true, name: 'created_at' },
    paidAt: { type: 'timestamptz', nullable: true, name: 'paid_at' },
    updatedAt: { type: 'timestamptz', updateDate: true, name: 'updated_at' },
  },
});

export class WebhookEvent {}
export const webhookEvents = new EntitySchema({
  name: 'WebhookEvent',
  tableName: 'webhook_event',
  target: WebhookEvent,
  columns: {
    id: { type: 'text', primary: true },
    payload: { type: 'jsonb' },
    receivedAt: { type: 'timestamptz', createDate: true, name: 'received_at' },
  },
});

export class StoredEvent {}
export const storedEvents = new EntitySchema({
  name: 'StoredEvent',
  tableName: 'stored_event',
  target: StoredEvent,
  columns: {
    streamId: { type: 'uuid', primary: true, name: 'stream_id' },
    version: { type: 'int', primary: true },
    position: { type: 'bigint', generated: 'increment', unique: true },
    eventId: { type: 'uuid', name: 'event_id' },
    type: { type: 'text' },
    data: { type: 'json' },
    metadata: { type: 'json' },
    recordedAt: { type: 'timestamptz', name: 'recorded_at' },
  },
});

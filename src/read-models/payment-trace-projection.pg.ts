import type { PoolClient } from 'pg';
import type { RecordedEvent } from '../kernel/event.js';
import { isPaymentEvent } from '../payments/payment-stream.js';
import type { Projection, ProjectionParts } from '../platform/subscriptions/projection.js';
import { tracesOf } from './payment-trace.js';

/**
 * Which payment a transaction or an address belongs to, for the operators' search. Values are plain, like in the events
 * that they come from: who can read this table can read those.
 */
export class PaymentTraceProjection implements Projection {
  readonly kind = 'projection';
  readonly name = 'payment_traces';
  readonly tables = ['payment_trace'] as const;

  concerns(event: RecordedEvent): boolean {
    return isPaymentEvent(event) && tracesOf(event).length > 0;
  }

  async apply(tx: PoolClient, events: readonly RecordedEvent[]): Promise<void> {
    // A transfer is told of again and again; each of its traces is one row.
    const traces = new Map(
      events
        .filter(isPaymentEvent)
        .flatMap((event) => tracesOf(event).map((trace) => ({ ...trace, paymentId: event.streamId })))
        .map((trace) => [`${trace.paymentId} ${trace.kind} ${trace.value}`, trace]),
    );
    if (traces.size === 0) return;
    const rows = [...traces.values()];
    await tx.query({
      name: 'save-traces',
      text: `insert into payment_trace (value, payment_id, kind)
        select * from unnest($1::text[], $2::uuid[], $3::text[]) on conflict do nothing`,
      values: [rows.map(({ value }) => value), rows.map(({ paymentId }) => paymentId), rows.map(({ kind }) => kind)],
    });
  }

  async reset(tx: PoolClient): Promise<void> {
    await tx.query('truncate payment_trace');
  }

  /** A row follows from its payment's stream alone. */
  readonly parts: ProjectionParts = {
    streamsOf: (event) => (isPaymentEvent(event) ? [event.streamId] : []),
    forget: async (tx, streamIds) => {
      await tx.query('delete from payment_trace where payment_id = any($1::uuid[])', [streamIds]);
    },
  };
}

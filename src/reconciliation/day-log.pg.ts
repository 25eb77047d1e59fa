import type { Pool } from 'pg';
import type { Instant } from '../kernel/clock.js';
import { addMinutes } from '../kernel/clock.js';
import type { MovementEvent } from '../customers/credit.js';
import { paymentEventTypes } from '../payments/payment-stream.js';

/** What moves a customer's credit in the ledger. */
export const movementTypes = [
  'CreditAdded',
  'CreditSpent',
  'CreditReturned',
] as const satisfies readonly MovementEvent['type'][];

/** An event of a span of time: of a payment, or of an account, which then names the payment. */
export interface LoggedEvent {
  position: number;
  streamId: string;
  type: string;
  /** Of entries in the ledger. */
  paymentId: string | null;
}

const pageSize = 10_000;
/** How far the clocks of the processes that write to the log may be apart. */
const clocksApartMinutes = 15;

/** When the first event was recorded; null where there is none. */
export async function firstRecordedAt(pool: Pool): Promise<Instant | null> {
  return (await recordedAfter(pool, 0))?.at ?? null;
}

/** The events of payments and accounts that were recorded in a span of time, `to` excluded, a page at a time. */
export async function* eventsOf(pool: Pool, from: Instant, to: Instant): AsyncGenerator<LoggedEvent[]> {
  let after = await lastBefore(pool, addMinutes(from, -clocksApartMinutes));
  const end = await lastBefore(pool, addMinutes(to, clocksApartMinutes));
  while (after < end) {
    const { rows } = await pool.query<LoggedEvent & { fits: boolean }>({
      name: 'events-of-a-span',
      text: `select position, stream_id as "streamId", type,
          case when type = any($6::text[]) then data->>'paymentId' end as "paymentId",
          recorded_at >= $3 and recorded_at < $4 and type = any($5::text[] || $6::text[]) as fits
        from event where position > $1 and position <= $2 order by position limit ${String(pageSize)}`,
      values: [after, end, from, to, [...paymentEventTypes], movementTypes],
    });
    const last = rows.at(-1);
    if (!last) return;
    after = last.position;
    yield rows.filter(({ fits }) => fits);
  }
}

/**
 * The last position that was recorded before a time, as nearly as the clocks of its writers agree. The log is in the
 * order of time but for that, so a few looks find it, and the hottest table needs no further index.
 */
async function lastBefore(pool: Pool, time: Instant): Promise<number> {
  let low = 0;
  let high =
    (await pool.query<{ last: number }>('select coalesce(max(position), 0) as last from event')).rows[0]?.last ?? 0;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const next = await recordedAfter(pool, middle);
    if (next === null || next.at >= time) high = middle;
    else low = next.position;
  }
  return low;
}

async function recordedAfter(pool: Pool, position: number): Promise<{ position: number; at: Instant } | null> {
  const { rows } = await pool.query<{ position: number; at: Instant }>({
    name: 'recorded-after',
    text: 'select position, recorded_at as at from event where position > $1 order by position limit 1',
    values: [position],
  });
  return rows[0] ?? null;
}

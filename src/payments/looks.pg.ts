import { Injectable } from '@nestjs/common';
import type { Pool, PoolClient } from 'pg';
import type { Instant } from '../kernel/clock.js';

/** The next look at a payment. */
export interface Look {
  at: Instant;
  /** Goods wait for it. */
  urgent: boolean;
}

/** When each payment is next to be looked up at the gateway. Derived from events: it can be rebuilt at any time. */
@Injectable()
export class Looks {
  constructor(private readonly pool: Pool) {}

  /** Sets or, with null, drops the next look of payments. An urgent one is not put off. */
  async schedule(tx: PoolClient, looks: ReadonlyMap<string, Look | null>): Promise<void> {
    const due = [...looks].flatMap(([id, look]) => (look ? [{ id, ...look }] : []));
    const done = [...looks].filter(([, look]) => look === null).map(([id]) => id);
    if (due.length > 0) {
      await tx.query(
        `insert into look (stream_id, due_at, urgent) select * from unnest($1::uuid[], $2::timestamptz[], $3::boolean[])
         on conflict (stream_id) do update set
           due_at = case when look.urgent then least(look.due_at, excluded.due_at) else excluded.due_at end,
           urgent = look.urgent or excluded.urgent`,
        [due.map(({ id }) => id), due.map(({ at }) => at), due.map(({ urgent }) => urgent)],
      );
    }
    if (done.length > 0) await tx.query('delete from look where stream_id = any($1::uuid[])', [done]);
  }

  /** Asks for a look at one payment as soon as possible. */
  async dueNow(id: string, now: Instant): Promise<void> {
    await this.pool.query(
      `insert into look (stream_id, due_at, urgent) values ($1, $2, true)
       on conflict (stream_id) do update set due_at = least(look.due_at, excluded.due_at), urgent = true`,
      [id, now],
    );
  }

  /** Asks for a look at open payments, the nearest first and 200 at most: one of them was spoken of, and nobody knows which. */
  async someDueNow(now: Instant): Promise<void> {
    await this.pool.query(
      `update look set due_at = $1 where stream_id in
         (select stream_id from look where due_at > $1 order by due_at limit 200 for update skip locked)`,
      [now],
    );
  }

  /**
   * Takes the payments whose look is due for this process alone: urgent ones first (a callback says paid, and goods
   * wait), then the longest due. They are put off until `leaseUntil`, so that a crash delays them and loses none.
   */
  async claim(now: Instant, leaseUntil: Instant, limit: number): Promise<string[]> {
    const { rows } = await this.pool.query<{ stream_id: string }>(
      `update look set due_at = $2 where stream_id in
         (select stream_id from look where due_at <= $1 order by urgent desc, due_at limit $3 for update skip locked)
       returning stream_id`,
      [now, leaseUntil, limit],
    );
    return rows.map((row) => row.stream_id);
  }

  /**
   * Sets the next look after one was done; null where none is needed any more. A look that was asked for while this
   * one was under way stands.
   */
  async done(id: string, lease: Instant, next: Instant | null): Promise<void> {
    if (next === null) await this.pool.query('delete from look where stream_id = $1 and due_at = $2', [id, lease]);
    else
      await this.pool.query('update look set due_at = $3, urgent = false where stream_id = $1 and due_at = $2', [
        id,
        lease,
        next,
      ]);
  }
}

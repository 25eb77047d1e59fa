import { Injectable } from '@nestjs/common';
import type { Pool, PoolClient } from 'pg';
import type { Instant } from '../kernel/clock.js';

/** The next look at a payment. */
export interface Look {
  at: Instant;
  /** Goods wait for it. */
  urgent: boolean;
  /** When the payment was asked for, where that is known. */
  createdAt?: Instant;
  /** When its invoice closes, where that is known. */
  deadline?: Instant;
}

/** A look that this process alone has in hand until its lease ends. */
export interface ClaimedLook {
  id: string;
  /** When the payment was asked for; null where that is not known here. */
  createdAt: Instant | null;
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
      await tx.query({
        name: 'looks-schedule',
        text: `insert into look (stream_id, due_at, urgent, created_at, deadline)
         select * from unnest($1::uuid[], $2::timestamptz[], $3::boolean[], $4::timestamptz[], $5::timestamptz[])
         on conflict (stream_id) do update set
           due_at = case when look.urgent then least(look.due_at, excluded.due_at) else excluded.due_at end,
           urgent = look.urgent or excluded.urgent,
           created_at = coalesce(look.created_at, excluded.created_at),
           deadline = coalesce(excluded.deadline, look.deadline)`,
        values: [
          due.map(({ id }) => id),
          due.map(({ at }) => at),
          due.map(({ urgent }) => urgent),
          due.map(({ createdAt }) => createdAt ?? null),
          due.map(({ deadline }) => deadline ?? null),
        ],
      });
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

  /** How many looks are due, counted up to `atMost`. */
  async countDue(now: Instant, atMost: number): Promise<number> {
    const { rows } = await this.pool.query<{ due: number }>(
      `select count(*)::int as due from (select from look where urgent and due_at <= $1
        union all select from look where not urgent and due_at <= $1 limit $2) found`,
      [now, atMost],
    );
    return rows[0]?.due ?? 0;
  }

  /**
   * Takes the payments whose look is due for this process alone: urgent ones first (a callback says paid, and goods
   * wait), then those nearest to their deadline; of more than 500 of a kind that are due, those that have waited
   * longest. They are put off until `leaseUntil`, so that a crash delays them and loses none.
   */
  async claim(now: Instant, leaseUntil: Instant, limit: number): Promise<ClaimedLook[]> {
    const { rows } = await this.pool.query<{ id: string; createdAt: Instant | null }>({
      name: 'claim-looks',
      // Sorting all that is due would make each claim cost more the more there are.
      text: `with waiting as materialized
           ((select stream_id from look where urgent and due_at <= $1 order by due_at limit greatest(500, $3))
            union all
            (select stream_id from look where not urgent and due_at <= $1 order by due_at limit greatest(500, $3)))
         update look set due_at = $2 where stream_id in
           (select stream_id from look join waiting using (stream_id) where due_at <= $1
            order by urgent desc, abs(extract(epoch from coalesce(deadline, $1) - $1)), due_at limit $3 for update of look skip locked)
         returning stream_id as id, created_at as "createdAt"`,
      values: [now, leaseUntil, limit],
    });
    return rows;
  }

  /** Keeps claimed looks for longer. */
  async extend(ids: readonly string[], lease: Instant, until: Instant): Promise<void> {
    await this.pool.query('update look set due_at = $3 where stream_id = any($1::uuid[]) and due_at = $2', [
      ids,
      lease,
      until,
    ]);
  }

  /**
   * Sets the next look at payments after one was done; null where none is needed any more. A look that was asked for
   * while this one was under way stands.
   */
  async done(next: ReadonlyMap<string, Instant | null>, lease: Instant): Promise<void> {
    await this.set(next, 'look.due_at = $1', lease);
  }

  /**
   * Sets the next look at payments of which an answer told, although nobody had claimed them. One that is due, or that
   * goods wait for, stands.
   */
  async seen(next: ReadonlyMap<string, Instant | null>, now: Instant): Promise<void> {
    await this.set(next, 'look.due_at > $1 and not look.urgent', now);
  }

  private async set(next: ReadonlyMap<string, Instant | null>, where: string, at: Instant): Promise<void> {
    const over = [...next].filter(([, due]) => due === null).map(([id]) => id);
    const again = [...next].flatMap(([id, due]) => (due === null ? [] : [{ id, due }]));
    if (over.length > 0)
      await this.pool.query(`delete from look where stream_id = any($2::uuid[]) and ${where}`, [at, over]);
    if (again.length > 0)
      await this.pool.query(
        `update look set due_at = next.due_at, urgent = false
         from unnest($2::uuid[], $3::timestamptz[]) as next (id, due_at) where look.stream_id = next.id and ${where}`,
        [at, again.map(({ id }) => id), again.map(({ due }) => due)],
      );
  }
}

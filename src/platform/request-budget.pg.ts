import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';

/** Longest wait for a turn; who would wait longer is turned away. */
const longestWaitSeconds = 20;
/** How long turns come half as often once somebody was told to slow down. */
const slowSeconds = 60;

/** No turn could be had. The message says why, and is fit for a log. */
export class NoTurn extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NoTurn';
  }
}

/** Time from one turn to the next; `$2` is the rate. */
const step = `case when budget.slow_until > clock_timestamp() then 2 else 1 end / $2::float8 * interval '1 second'`;
/** The next turn. Those of one second may have been saved up. */
const turn = `greatest(budget.turn_at, clock_timestamp() - interval '1 second') + ${step}`;

// The row's lock makes takers queue for some microseconds; `now()` would be the time before that, so the clock is read.
const takeTurn = `
  insert into request_budget as budget (name, turn_at, slow_until)
  values ($1, clock_timestamp() - interval '1 second' + interval '1 second' / $2::float8, '-infinity')
  on conflict (name) do update set turn_at = ${turn}
  where ${turn} <= clock_timestamp() + $3::float8 * interval '1 second'
  returning extract(epoch from budget.turn_at - clock_timestamp())::float8 * 1000 as wait`;

/**
 * Turns at a rate that all processes on one database share, by the database's clock (the generic cell rate algorithm, in
 * one statement). What was saved up while nobody asked is worth one second.
 */
export class RequestBudget {
  private readonly stopping = new AbortController();

  constructor(
    private readonly pool: Pool,
    private readonly perSecond: number,
    private readonly name = 'gateway',
  ) {}

  /**
   * Resolves when it is the caller's turn, and holds no connection until then. Throws `NoTurn` at once, and takes
   * nothing, where the wait would be over 20 s; also where the database does not answer.
   */
  async take(): Promise<void> {
    const values = [this.name, this.perSecond, longestWaitSeconds];
    const { rows } = await this.pool.query<{ wait: number }>(takeTurn, values).catch((error: unknown) => {
      throw new NoTurn('the database gives out no turn', { cause: error });
    });
    const [taken] = rows;
    if (!taken) throw new NoTurn('the budget of requests is used up');
    if (taken.wait <= 0) return;
    await delay(Math.ceil(taken.wait), undefined, { signal: this.stopping.signal }).catch((error: unknown) => {
      throw new NoTurn('the service stops', { cause: error });
    });
  }

  /** Whoever waits, now or later, is turned away, so that nobody who stops has to wait for them. */
  stop(): void {
    this.stopping.abort();
  }

  /** Halves the rate for the next minute, for all processes. Turns that are given out already stay as they are. */
  async slowDown(): Promise<void> {
    await this.pool.query(
      `insert into request_budget as budget (name, turn_at, slow_until)
       values ($1, clock_timestamp(), clock_timestamp() + $2::float8 * interval '1 second')
       on conflict (name) do update set slow_until = excluded.slow_until`,
      [this.name, slowSeconds],
    );
  }
}

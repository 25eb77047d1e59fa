import type { Pool } from 'pg';
import type { Instant } from '../kernel/clock.js';
import type { MatchReport } from './match.js';

/** A report without what it lists. */
export interface MatchSummary {
  day: string;
  madeAt: Instant;
  complete: boolean;
  payments: number;
  differences: number;
  explained: number;
}

const summary = `day::text, made_at as "madeAt", complete, (compared->>'payments')::int as payments,
  difference_count as differences, explained_count as explained`;

/** The report of the latest day that has one; null where there is none yet. For the doctor and the metrics. */
export async function lastMatch(pool: Pool): Promise<MatchSummary | null> {
  const text = `select ${summary} from match_report where made_at is not null order by day desc limit 1`;
  return (await pool.query<MatchSummary>(text)).rows[0] ?? null;
}

/** The reports of the daily match, and who makes the one of a day. */
export class MatchReports {
  constructor(private readonly pool: Pool) {}

  /** Takes the day in hand until `until`: `done` where its report is there, `busy` where somebody else has it. */
  async claim(day: string, now: Instant, until: Instant): Promise<'claimed' | 'busy' | 'done'> {
    const { rowCount } = await this.pool.query(
      `insert into match_report (day, claimed_until) values ($1, $3)
       on conflict (day) do update set claimed_until = excluded.claimed_until
       where not match_report.complete and match_report.claimed_until <= $2`,
      [day, now, until],
    );
    if (rowCount === 1) return 'claimed';
    const { rows } = await this.pool.query<{ complete: boolean }>('select complete from match_report where day = $1', [
      day,
    ]);
    return rows[0]?.complete ? 'done' : 'busy';
  }

  /** The day is nobody else's until then. */
  async hold(day: string, until: Instant): Promise<void> {
    await this.pool.query('update match_report set claimed_until = $2 where day = $1', [day, until]);
  }

  /** Keeps a report; it takes the place of an earlier one of its day. */
  async keep({ day, madeAt, complete, compared, totals, ...found }: MatchReport): Promise<void> {
    await this.pool.query(
      `insert into match_report (day, claimed_until, made_at, complete, compared, totals, differences, difference_count, explained, explained_count)
       values ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9)
       on conflict (day) do update set made_at = excluded.made_at, complete = excluded.complete, compared = excluded.compared,
         totals = excluded.totals, differences = excluded.differences, difference_count = excluded.difference_count,
         explained = excluded.explained, explained_count = excluded.explained_count`,
      [
        day,
        madeAt,
        complete,
        JSON.stringify(compared),
        JSON.stringify(totals),
        JSON.stringify(found.differences),
        found.differenceCount,
        JSON.stringify(found.explained),
        found.explainedCount,
      ],
    );
  }

  /** The newest days first. */
  async list(limit: number): Promise<MatchSummary[]> {
    const text = `select ${summary} from match_report where made_at is not null order by day desc limit $1`;
    return (await this.pool.query<MatchSummary>(text, [limit])).rows;
  }

  /** The report that was kept of a day; null where there is none. */
  async find(day: string): Promise<MatchReport | null> {
    const { rows } = await this.pool.query<MatchReport>(
      `select day::text, made_at as "madeAt", complete, compared, totals, differences, difference_count as "differenceCount",
         explained, explained_count as "explainedCount"
       from match_report where day = $1 and made_at is not null`,
      [day],
    );
    return rows[0] ?? null;
  }
}

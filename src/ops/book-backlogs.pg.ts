import type { Pool } from 'pg';
import { msOf, type Instant } from '../kernel/clock.js';
import { lastCheckpoint } from '../platform/proof/checkpoints.pg.js';
import { lastVerification } from '../platform/proof/verification.job.js';
import { lastMatch } from '../reconciliation/match-reports.pg.js';
import type { Backlog } from './backlogs.pg.js';

/*
 * What is done now and then to know that the books are right: the log is sealed, the whole store is looked at, and a day
 * is held against the gateway's history and the ledger.
 */

const secondsOf = (time: Instant): number => msOf(time) / 1000;

/** What was never done is overdue since there has been something to do it with. Null where nothing was recorded yet. */
export async function firstEventAt(pool: Pool): Promise<Instant | null> {
  const { rows } = await pool.query<{ at: Instant }>('select recorded_at as at from event order by position limit 1');
  return rows[0]?.at ?? null;
}

async function sinceOf(pool: Pool, last: Instant | undefined): Promise<number | null> {
  const since = last ?? (await firstEventAt(pool));
  return since === null ? null : secondsOf(since);
}

// Apart from the other: a checkpoint that somebody made unreadable hides nothing of what a look has found.
const checkpoints: Backlog = {
  name: 'checkpoints',
  gauges: [
    {
      name: 'finality_checkpoint_last_timestamp_seconds',
      help: 'When the log was last sealed by a signed checkpoint; where it never was, when its first event was recorded',
      labels: [],
    },
  ],
  async read(pool) {
    const last = await lastCheckpoint(pool);
    return [{ gauge: 'finality_checkpoint_last_timestamp_seconds', value: await sinceOf(pool, last?.createdAt) }];
  },
};

const verification: Backlog = {
  name: 'verification',
  gauges: [
    {
      name: 'finality_verification_last_timestamp_seconds',
      help: 'When the whole store was last looked at; where it never was, when its first event was recorded',
      labels: [],
    },
    {
      name: 'finality_verification_breaks',
      help: 'What was not as it was written when the whole store was last looked at',
      labels: [],
    },
  ],
  async read(pool) {
    const last = await lastVerification(pool);
    return [
      { gauge: 'finality_verification_last_timestamp_seconds', value: await sinceOf(pool, last?.endedAt) },
      { gauge: 'finality_verification_breaks', value: last && last.breaks },
    ];
  },
};

const match: Backlog = {
  name: 'match',
  gauges: [
    {
      name: 'finality_match_last_timestamp_seconds',
      help: 'When the report of the newest matched day was made; where there is none, when the first event was recorded',
      labels: [],
    },
    {
      name: 'finality_match_differences',
      help: "Differences between our events, the gateway's history and the ledger on the newest matched day",
      labels: [],
    },
  ],
  async read(pool) {
    const last = await lastMatch(pool);
    return [
      { gauge: 'finality_match_last_timestamp_seconds', value: await sinceOf(pool, last?.madeAt) },
      { gauge: 'finality_match_differences', value: last && last.differences },
    ];
  },
};

/** Read at a scrape, like the others. */
export const bookBacklogs: readonly Backlog[] = [checkpoints, verification, match];

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

// Apart from the other: a checkpoint that somebody made unreadable hides nothing of what a look has found.
const checkpoints: Backlog = {
  name: 'checkpoints',
  gauges: [
    {
      name: 'finality_checkpoint_last_timestamp_seconds',
      help: 'When the log was last sealed by a signed checkpoint; absent where it never was',
      labels: [],
    },
  ],
  async read(pool) {
    const last = await lastCheckpoint(pool);
    return [{ gauge: 'finality_checkpoint_last_timestamp_seconds', value: last && secondsOf(last.createdAt) }];
  },
};

const verification: Backlog = {
  name: 'verification',
  gauges: [
    {
      name: 'finality_verification_last_timestamp_seconds',
      help: 'When the whole store was last looked at; absent where it never was',
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
      { gauge: 'finality_verification_last_timestamp_seconds', value: last && secondsOf(last.endedAt) },
      { gauge: 'finality_verification_breaks', value: last && last.breaks },
    ];
  },
};

const match: Backlog = {
  name: 'match',
  gauges: [
    {
      name: 'finality_match_last_timestamp_seconds',
      help: 'When the report of the newest matched day was made; absent where there is none',
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
      { gauge: 'finality_match_last_timestamp_seconds', value: last && secondsOf(last.madeAt) },
      { gauge: 'finality_match_differences', value: last && last.differences },
    ];
  },
};

/** Read at a scrape, like the others. */
export const bookBacklogs: readonly Backlog[] = [checkpoints, verification, match];

import { Inject, Injectable, Logger } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { Pool } from 'pg';
import { addMinutes, addSeconds, Clock, type Instant } from '../kernel/clock.js';
import { GatewayUnavailable } from '../payments/payment-gateway.js';
import { DatabasePool } from '../platform/database/pool.pg.js';
import { DailyMatch } from './daily-match.job.js';
import { firstRecordedAt } from './day-log.pg.js';
import { dayBefore, dayOf, spanOf } from './match-day.js';
import { MatchReports } from './match-reports.pg.js';

/** By then what a day left behind has been booked and told. */
const readyAfterMinutes = 60;
/** Days that are caught up with where nothing ran for a while. */
const daysBack = 7;
const leaseSeconds = 300;
const againSeconds = 600;

/**
 * Makes the report of each day once, in one process of all: the day is claimed, the claim is prolonged while the work
 * goes on, and ends with the process. Where the gateway does not answer, the day is tried again later.
 */
@Injectable()
export class MatchJob {
  private readonly log = new Logger(MatchJob.name);
  private readonly stopping = new AbortController();
  private readonly done = new Set<string>();
  private began: Instant | null = null;
  private running: Promise<void> | null = null;

  constructor(
    @Inject(DailyMatch) private readonly match: DailyMatch,
    @Inject(MatchReports) private readonly reports: MatchReports,
    @Inject(DatabasePool) private readonly pool: Pool,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  @Interval('match', 5000)
  tick(): void {
    if (this.running || this.stopping.signal.aborted) return;
    this.running = this.next()
      .catch((error: unknown) => {
        this.log.warn({ msg: 'the books of a day could not be matched', error: String(error) });
      })
      .finally(() => {
        this.running = null;
      });
  }

  /** Begins no further day, and leaves the one in hand to another process. */
  async stop(): Promise<void> {
    this.stopping.abort(new Error('the service stops'));
    await this.running;
  }

  private async next(): Promise<void> {
    for (const day of await this.daysDue()) {
      const now = this.clock.now();
      const claim = await this.reports.claim(day, now, addSeconds(now, leaseSeconds));
      if (claim === 'done') this.done.add(day);
      if (claim === 'claimed') return this.make(day);
    }
  }

  /** Oldest first; none before the first event. */
  private async daysDue(): Promise<string[]> {
    const now = this.clock.now();
    const days: string[] = [];
    let day = dayOf(now);
    for (let back = 0; back < daysBack; back++) {
      day = dayBefore(day);
      if (now >= addMinutes(spanOf(day).to, readyAfterMinutes) && !this.done.has(day)) days.unshift(day);
    }
    if (days.length === 0) return days;
    this.began ??= await firstRecordedAt(this.pool);
    const first = this.began === null ? null : dayOf(this.began);
    return first === null ? [] : days.filter((each) => each >= first);
  }

  private async make(day: string): Promise<void> {
    try {
      const report = await this.match.make(day, {
        signal: this.stopping.signal,
        onStep: () => this.reports.hold(day, addSeconds(this.clock.now(), leaseSeconds)),
      });
      await this.reports.keep(report);
      const { differenceCount, explainedCount, compared } = report;
      const level = differenceCount > 0 ? 'warn' : 'log';
      this.log[level]({ msg: 'the books of a day were matched', day, differences: differenceCount, explained: explainedCount, ...compared }); // prettier-ignore
    } catch (error) {
      const stopped = this.stopping.signal.aborted;
      await this.reports.hold(day, addSeconds(this.clock.now(), stopped ? 0 : againSeconds));
      if (stopped) return;
      const reason = error instanceof GatewayUnavailable ? 'the gateway did not answer' : 'it failed';
      this.log.warn({
        msg: 'the books of a day were not matched, and will be later',
        day,
        reason,
        error: String(error),
      });
    }
  }
}

import { Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { Pool } from 'pg';
import type { Clock, Instant } from '../kernel/clock.js';
import type { RejectionTally } from './callback-counts.js';

/** How often what was counted is written, milliseconds: as much as a process that is killed forgets. */
const flushEveryMs = 5000;
/** Counts that are kept while the database is away: weeks of hours, with the few reasons there are. */
const countsAtMost = 5000;

interface Count {
  hour: Instant;
  reason: string;
  count: number;
}

const add = `insert into callback_rejection as r (hour, reason, count)
  select * from unnest($1::timestamptz[], $2::text[], $3::bigint[])
  on conflict (hour, reason) do update set count = r.count + excluded.count`;

/**
 * How many callbacks were turned away in each hour, by reason, over all processes. Counted in memory and written every
 * few seconds and at the end, so that nobody who is turned away costs the database anything.
 */
@Injectable()
export class CallbackRejections implements RejectionTally {
  private waiting = new Map<string, Count>();
  private flushing: Promise<void> = Promise.resolve();

  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
  ) {}

  count(reason: string): void {
    this.add({ hour: `${this.clock.now().slice(0, 13)}:00:00.000Z`, reason, count: 1 });
  }

  /** Writes what was counted, in one statement. What could not be written is kept for the next time; it never throws. */
  @Interval('callback-rejections', flushEveryMs)
  flush(): Promise<void> {
    return (this.flushing = this.flushing.then(() => this.write()));
  }

  private async write(): Promise<void> {
    if (this.waiting.size === 0) return;
    const counts = [...this.waiting.values()];
    this.waiting = new Map();
    // Two processes that write at once take the rows in one order.
    counts.sort((a, b) => (a.hour + a.reason < b.hour + b.reason ? -1 : 1));
    const values = [
      counts.map(({ hour }) => hour),
      counts.map(({ reason }) => reason),
      counts.map(({ count }) => count),
    ];
    try {
      await this.pool.query(add, values);
    } catch {
      // Where only the answer was lost, they are counted twice: better than none of them.
      for (const count of counts) this.add(count);
    }
  }

  private add({ hour, reason, count }: Count): void {
    const key = `${hour} ${reason}`;
    const known = this.waiting.get(key);
    if (known) known.count += count;
    else if (this.waiting.size < countsAtMost) this.waiting.set(key, { hour, reason, count });
  }
}

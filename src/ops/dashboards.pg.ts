import { Inject, Injectable } from '@nestjs/common';
import pg, { type Pool } from 'pg';
import { Clock, type Instant } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';
import { inTransaction } from '../platform/database/database.pg.js';
import { DatabasePool } from '../platform/database/pool.pg.js';
import { askNumbers, type Numbers } from './dashboard-questions.pg.js';
import { windowOf, type Range, type Window } from './dashboard-window.js';

/** For how long an answer is given again, milliseconds; and how many of them are kept. */
const holdsMs = 30_000;
const keptAtMost = 64;

/** No question may take longer than this. */
const statementMs = 2500;

export interface Dashboard {
  window: Window;
  numbers: Numbers;
  /** When the database was asked. */
  asOf: Instant;
}

/** The four metrics, added up from the tables that all processes write: no restart forgets anything of them. */
@Injectable()
export class Dashboards {
  private readonly known = new Map<string, { at: number; answer: Promise<Dashboard> }>();

  constructor(
    @Inject(DatabasePool) private readonly pool: Pool,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /**
   * Of one application or, with null, of all; up to 30 s old, and asked once however many want to know. Throws
   * `Refusal('service_unavailable')` where there is more to add up than 2.5 s allow.
   */
  of(range: Range, applicationId: string | null): Promise<Dashboard> {
    const key = `${range} ${applicationId ?? ''}`;
    const now = performance.now();
    const known = this.known.get(key);
    if (known && now - known.at < holdsMs) return known.answer;
    const answer = this.ask(range, applicationId);
    this.known.delete(key);
    for (const oldest of this.known.keys()) {
      if (this.known.size < keptAtMost) break;
      this.known.delete(oldest);
    }
    this.known.set(key, { at: now, answer });
    answer.catch(() => {
      if (this.known.get(key)?.answer === answer) this.known.delete(key);
    });
    return answer;
  }

  /** Of one moment, so that the numbers of one page add up. */
  private async ask(range: Range, applicationId: string | null): Promise<Dashboard> {
    const asOf = this.clock.now();
    const window = windowOf(range, asOf);
    try {
      const numbers = await inTransaction(this.pool, async (client) => {
        await client.query('set transaction isolation level repeatable read, read only');
        await client.query(`set local statement_timeout = ${String(statementMs)}`);
        return askNumbers(client, window, applicationId);
      });
      return { window, numbers, asOf };
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || error.code !== '57014') throw error;
      throw new Refusal('service_unavailable', 'There is too much to add up in this range; choose a shorter one.');
    }
  }
}

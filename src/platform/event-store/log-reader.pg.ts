import type { ClientBase, Pool, QueryResult } from 'pg';
import type { RecordedEvent } from '../../kernel/event.js';
import { eventColumns, eventOf, storedTypes, type EventRow } from './event-row.pg.js';
import { RecentEvents } from './recent-events.js';
import { Watermark } from './watermark.js';

/*
 * Two statements in one round trip, in this order: the position must be read before the locks. Neither reads tables
 * under a snapshot, so being in one implicit transaction does not matter.
 *
 * `life` changes with every crash of the server and from one server to another: statistics do not outlive a crash
 * (PostgreSQL manual, "The Cumulative Statistics System").
 */
const sighting = `
select case when is_called then last_value else 0 end as drawn, pg_stat_get_bgwriter_stat_reset_time()::text as life
from event_position_seq;
select virtualtransaction as writer from pg_locks
where locktype = 'relation' and relation = 'event'::regclass and mode = 'RowExclusiveLock' and granted
  and database = (select oid from pg_database where datname = current_database())`;

const page = {
  name: 'read-log',
  text: `select ${eventColumns} from event where position > $1 and position <= $2 order by position limit $3`,
  types: storedTypes,
};

/** What one process keeps of the log's end for its followers, the slowest of them included; some megabytes. */
const recentEvents = 4000;

/**
 * Reads the log in the order of its positions, and never past one that an open transaction may still commit: none lost,
 * none twice, none out of order. Needs the primary and `read committed`.
 */
export class LogReader {
  private mark = new Watermark();
  private recent = new RecentEvents(recentEvents);
  private life: string | null = null;
  /** How often the server was found to have crashed, or to be another one. What was in memory of its end is not believed then. */
  crashes = 0;
  private reading: Promise<unknown> | null = null;
  private running: Promise<number> | null = null;
  private next: Promise<number> | null = null;

  constructor(private readonly pool: Pool) {}

  /**
   * The position up to which the log is complete. It covers everything that was committed when this was called, unless
   * transactions that began earlier are still writing. All callers of one moment share one look.
   */
  watermark(): Promise<number> {
    // A look that has begun may have read the position before the caller's own append: the caller gets the next one.
    if (this.running === null) return (this.running = this.look());
    this.next ??= this.running.then(
      () => this.follow(),
      () => this.follow(),
    );
    return this.next;
  }

  /** Up to `limit` events after a position, in order, up to `upTo` (a former watermark) or the present watermark. */
  async read(after: number, limit: number, upTo?: number): Promise<RecordedEvent[]> {
    return this.readWith(this.pool, after, limit, upTo ?? (await this.watermark()));
  }

  /**
   * The same on a connection of the caller's choice, for reading inside a transaction (`read committed`). Events up to a
   * watermark never change, so those that another caller has just read are given again without asking the database.
   */
  async readWith(connection: Pool | ClientBase, after: number, limit: number, upTo: number): Promise<RecordedEvent[]> {
    if (upTo <= after) return [];
    const known = this.recent.take(after, limit, upTo) ?? (await this.afterOthers(after, limit, upTo));
    return known ?? this.readPage(connection, after, limit, upTo);
  }

  /** Followers wake together and want the same page: all but one wait for it. */
  private async afterOthers(after: number, limit: number, upTo: number): Promise<RecordedEvent[] | null> {
    if (this.reading === null || !this.recent.covers(after)) return null;
    await this.reading.catch(() => undefined);
    return this.recent.take(after, limit, upTo);
  }

  private async readPage(
    connection: Pool | ClientBase,
    after: number,
    limit: number,
    upTo: number,
  ): Promise<RecordedEvent[]> {
    const asked = connection.query<EventRow>({ ...page, values: [after, upTo, limit] });
    this.reading = asked;
    try {
      const events = (await asked).rows.map(eventOf);
      const reached = events.length < limit ? upTo : (events.at(-1)?.position ?? upTo);
      this.recent.put(after, reached, events);
      return events;
    } finally {
      if (this.reading === asked) this.reading = null;
    }
  }

  /**
   * A position that was drawn shortly before a crash may be drawn again after it, by a writer that this process has not
   * seen: that the former one has gone settles nothing.
   */
  private noticeCrash(life: string | null): void {
    if (this.life !== null && life !== this.life) {
      this.mark = new Watermark();
      this.recent = new RecentEvents(recentEvents);
      this.crashes++;
    }
    this.life = life;
  }

  private follow(): Promise<number> {
    this.next = null;
    return (this.running = this.look());
  }

  private async look(): Promise<number> {
    try {
      const answer: unknown = await this.pool.query(sighting);
      const [drawn, locks] = answer as [QueryResult<{ drawn: string; life: string }>, QueryResult<{ writer: string }>];
      this.noticeCrash(drawn.rows[0]?.life ?? null);
      const writers = new Set(locks.rows.map((row) => row.writer));
      return this.mark.advance({ drawn: Number(drawn.rows[0]?.drawn ?? 0), writers });
    } finally {
      if (this.next === null) this.running = null;
    }
  }
}

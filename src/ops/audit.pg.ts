import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { Clock, msOf, type Instant } from '../kernel/clock.js';
import { Ids } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import { DatabasePool } from '../platform/database/pool.pg.js';
import { eventColumns, eventOf, storedTypes, type EventRow } from '../platform/event-store/event-row.pg.js';
import {
  Conflict,
  EventStore,
  KeyTaken,
  noStream,
  type Append,
  type StreamHead,
} from '../platform/event-store/event-store.pg.js';
import { actorOf, eventOfEntry, readEntry, type AuditEntry, type RecordedEntry } from './audit-entry.js';

/** What set an action going, for the chain of causes; both are UUIDs. */
export interface AuditCause {
  correlationId: string;
  causationId: string;
}

/** Which entries are meant: those that fit every member given. */
export interface AuditFilter {
  /** As events have it: `operator:<name>`. */
  actor?: string;
  action?: string;
}

/** The key of a month, such as 2026-11, is held by that month's stream. */
export const auditKeyScope = 'audit';

const triesAtMost = 40;
/** So long at most before a try after another process was first, milliseconds: many at once must not meet again. */
const pauseAtMostMs = 100;
/** What one process records of refusals in a minute, of strangers and of those who are logged in; each is in its log too. */
const refusalsAMinute = 30;

/** What is nobody's but the operators'. The index `event_of_operators` has these rows alone. */
const ofOperators = `tenant = '${noStream}'`;
const actionIn = `case type when 'OperatorActed' then data->>'action' when 'ApplicationCreated' then 'application.create'
  when 'ApplicationKeyRotated' then 'application.rotate_key' else type end`;

/** The newest entries among which the page's lists of actors and actions are made. */
const choicesFrom = 2000;

/**
 * What operators did: events of the store's own log, hash-chained like all others, in one stream a month. They belong
 * to no application, so that no feed shows them.
 */
@Injectable()
export class Audit {
  private last: Promise<unknown> = Promise.resolve();
  private minute = 0;
  private readonly refused = { stranger: new Set<string>(), operator: new Set<string>() };

  constructor(
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(DatabasePool) private readonly pool: Pool,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
  ) {}

  /** Resolves when the entry is committed. Throws `StoreUnavailable` where it could not be stored. */
  record(entry: AuditEntry, cause?: AuditCause): Promise<void> {
    // One after another: entries of one process would only turn each other away.
    const recorded = this.last.then(() => this.append(entry, cause));
    this.last = recorded.catch(() => undefined);
    return recorded;
  }

  /**
   * Does something and records what came of it; `tell` says what, where it is not simply done. What it throws is
   * recorded as refused or failed, and thrown on.
   */
  async perform<T>(
    entry: Omit<AuditEntry, 'outcome'>,
    work: () => Promise<T>,
    cause?: AuditCause,
    tell: (result: T) => Partial<Pick<AuditEntry, 'outcome' | 'detail'>> = () => ({}),
  ): Promise<T> {
    const result = await work().catch(async (error: unknown) => {
      const outcome = error instanceof Refusal ? 'refused' : 'failed';
      const said = error instanceof Refusal ? { code: error.code, said: error.message } : null;
      await this.record(
        { ...entry, outcome, detail: said === null ? entry.detail : { ...entry.detail, ...said } },
        cause,
      );
      throw error;
    });
    await this.record({ ...entry, outcome: 'done', ...tell(result) }, cause);
    return result;
  }

  /**
   * Records that somebody was refused: a stranger once a minute for each action and address, whoever is logged in for each
   * thing that was asked for, and thirty a minute of either. Whoever floods the door must not fill the log, which is never
   * emptied, and must not hide in it what an operator tried.
   */
  async recordRefusal(entry: Omit<AuditEntry, 'outcome'>, address: string): Promise<void> {
    const minute = Math.floor(msOf(this.clock.now()) / 60_000);
    if (minute !== this.minute) for (const known of Object.values(this.refused)) known.clear();
    this.minute = minute;
    const { action, actor, role, detail } = entry;
    const refused = this.refused[role === null ? 'stranger' : 'operator'];
    const key = JSON.stringify([action, address, ...(role === null ? [] : [actor, detail])]);
    if (refused.has(key) || refused.size >= refusalsAMinute) return;
    refused.add(key);
    await this.record({ ...entry, outcome: 'refused', detail: { ...detail, address } });
  }

  /** Newest first, and one more than `limit` where there are more. `before` is the last position of the page before. */
  async list(filter: AuditFilter, page: { before: number | null; limit: number }): Promise<RecordedEntry[]> {
    const { rows } = await this.pool.query<EventRow>({
      text: `select ${eventColumns} from event where ${ofOperators} and ($1::bigint is null or position < $1)
        and ($2::text is null or actor = $2) and ($3::text is null or ${actionIn} = $3)
        order by position desc limit $4`,
      values: [page.before, filter.actor ?? null, filter.action ?? null, page.limit + 1],
      types: storedTypes,
    });
    return rows.map((row) => readEntry(eventOf(row)));
  }

  /** Who acted lately, and how: what a page lets one choose from. */
  async choices(): Promise<{ actors: string[]; actions: string[] }> {
    const { rows } = await this.pool.query<{ actor: string; action: string }>(
      `select distinct actor, ${actionIn} as action from (select actor, type, data from event where ${ofOperators}
       order by position desc limit $1) newest`,
      [choicesFrom],
    );
    const sorted = (values: string[]): string[] => [...new Set(values)].sort();
    return { actors: sorted(rows.map(({ actor }) => actor)), actions: sorted(rows.map(({ action }) => action)) };
  }

  private async append(entry: AuditEntry, cause?: AuditCause): Promise<void> {
    const now = this.clock.now();
    const own = this.ids.next();
    const event = eventOfEntry(this.ids.next(), entry, now);
    const metadata = {
      tenant: noStream,
      actor: actorOf(entry.actor),
      correlationId: cause?.correlationId ?? own,
      causationId: cause?.causationId ?? own,
      recordedAt: now,
    };
    for (let tries = 1; ; tries++) {
      const stream = await this.streamOf(now);
      try {
        await this.store.append({ ...stream, events: [event], metadata });
        return;
      } catch (error) {
        // Another process was first: its stream, or its entry, comes before this one.
        if (tries >= triesAtMost || !(error instanceof Conflict || error instanceof KeyTaken)) throw error;
        await delay(shareOf(this.ids.next()) * Math.min(tries * 10, pauseAtMostMs));
      }
    }
  }

  /** The month's stream and its end; a new one that claims the month where there is none yet. */
  private async streamOf(now: Instant): Promise<Pick<Append, 'streamId' | 'head' | 'keys'>> {
    const key = now.slice(0, 7);
    const streamId = await this.store.streamOf(auditKeyScope, key);
    if (streamId === null)
      return { streamId: this.ids.next(), head: { version: 0, hash: null }, keys: [{ scope: auditKeyScope, key }] };
    const { rows } = await this.pool.query<StreamHead>(
      'select version, hash from event where stream_id = $1 order by version desc limit 1',
      [streamId],
    );
    return { streamId, head: rows[0] ?? { version: 0, hash: null } };
  }
}

/** A number from 0 to 1 by the chance in an id, so that writers who met do not meet again at once. */
const shareOf = (id: string): number => parseInt(id.slice(-4), 16) / 0xffff;

import { setTimeout as delay } from 'node:timers/promises';
import { escapeIdentifier, type Pool, type PoolClient } from 'pg';
import type { RecordedEvent } from '../../kernel/event.js';
import { createPool } from '../database/database.pg.js';
import { Busy, operatorName, withOperatorLock } from '../database/operator-lock.pg.js';
import { LogReader } from '../event-store/log-reader.pg.js';
import { ensureCheckpoint, moveCheckpoint, readCheckpoint } from './checkpoint.pg.js';
import type { Projection, ProjectionParts } from './projection.js';
import {
  createState,
  findState,
  fingerprintOf,
  noteStreams,
  saveState,
  type RebuildState,
} from './rebuild-state.pg.js';
import {
  analyzeShadow,
  copyLive,
  createShadow,
  dropShadow,
  indexShadow,
  shadowOf,
  swapIn,
  type Shadow,
} from './shadow-tables.pg.js';
import { eventsOfStreams } from './stream-parts.pg.js';
import { differencesOf, type TableDifferences } from './table-differences.pg.js';

/** What a rebuild begins with. */
export interface RebuildPlan {
  /** Where an unfinished rebuild goes on; null where it begins anew. */
  resumedAt: number | null;
  /** Something unfinished was thrown away: asked to, built by other code or from elsewhere, or ahead of the live tables. */
  discarded: boolean;
  /** Events of the log between here and its end. */
  events: number;
}

export interface RebuildProgress {
  /** Events of the log that this run has passed. */
  done: number;
  /** Events that it will have passed at the present end of the log; an estimate where the log grows. */
  total: number;
}

export interface RebuildOptions {
  /** Names the code that builds: what other code has begun is not gone on with. */
  release?: string;
  /** Compare with the live tables at the same position, and swap nothing. */
  dryRun?: boolean;
  /** Compare with the live tables at the same position, and swap afterwards. */
  verify?: boolean;
  /** Begin anew, whatever is unfinished. */
  restart?: boolean;
  /**
   * Only rows to which an event at or after this position contributes are built anew; the others are taken over from
   * the live tables as they are.
   */
  from?: number;
  /** Events applied per second at most. */
  rate?: number;
  /** Ends the rebuild between two pages; the next one goes on from there. */
  signal?: AbortSignal;
  onBegin?: (plan: RebuildPlan) => void;
  onProgress?: (progress: RebuildProgress) => void;
  /** Told of the comparison before anything is swapped; where it throws, nothing is. */
  onCompared?: (tables: readonly TableDifferences[]) => Promise<void>;
  /** Events in one transaction at most. */
  pageSize?: number;
}

export interface RebuildResult {
  /** Everything up to here is in the rebuilt tables. */
  position: number;
  /** Events applied, by earlier runs too where this one went on. */
  events: number;
  resumedAt: number | null;
  swapped: boolean;
  /** Empty where nothing was to be compared. */
  tables: TableDifferences[];
}

const swapAttempts = 12;
/** Who waits for a table keeps its readers waiting: short at first. The last ones outlast the server's look for deadlocks. */
const swapWaitMs = (attempt: number): number => Math.min(50 * 2 ** (attempt - 1), 1500);
/**
 * The server's own vacuum works on new tables too. Only who waits for longer than `deadlock_timeout` (1 s, PostgreSQL
 * manual, "Lock Management") has it cancelled.
 */
const vacuumWaitMs = 30_000;
/** Followers commit several times a second; one that does not come by in this time does not work. */
const liveWaitMs = 5000;
/** A process that was killed holds its lock until the server has noticed. */
const lockAttempts = 4;
const lockPauseMs = 500;

/**
 * Rebuilds a projection from the log beside the live tables, which serve readers until the new ones take their place
 * in one short transaction. What was built stays until it is finished, so that the next run of the same build goes on
 * after a kill, an interruption or an error. Only a `Projection` can be given: a reactor would act again. Throws `Busy`
 * while another process rebuilds the same.
 */
export async function rebuild(
  url: string,
  projection: Projection,
  options: RebuildOptions = {},
): Promise<RebuildResult> {
  if (!/^[a-z][a-z0-9_]{0,40}$/.test(projection.name))
    throw new TypeError('a projection is named in lower case, digits and _');
  const { from, rate } = options;
  if (from !== undefined && !projection.parts) throw new TypeError(`${projection.name} is rebuilt as a whole only`);
  if (rate !== undefined && rate < 1) throw new RangeError('a rebuild applies one event a second at least');
  const pool = createPool(url, { max: 2, statementTimeoutMs: 0, applicationName: operatorName() });
  const locked = (): Promise<RebuildResult> =>
    withOperatorLock(
      url,
      `the rebuild of ${projection.name}`,
      async (client) => {
        // So that the server notices within a second that this process is gone; not every platform can.
        await client.query(`set client_connection_check_interval = '1s'`).catch(() => undefined);
        return new Rebuild(pool, client, projection, options).run();
      },
      { lockTimeoutMs: vacuumWaitMs },
    );
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        return await locked();
      } catch (error) {
        if (!(error instanceof Busy) || attempt === lockAttempts) throw error;
        await delay(lockPauseMs, undefined, options.signal && { signal: options.signal });
      }
    }
  } finally {
    await pool.end();
  }
}

class Rebuild {
  private readonly log: LogReader;
  private readonly pageSize: number;
  /** Whether the new tables must not pass the live ones, which they are to be compared with. */
  private comparing: boolean;
  private shadow: Shadow = { schema: '', live: '', tables: [] };
  private state: RebuildState = { position: 0, events: 0, takenAt: 0 };
  private passed = 0;
  private applied = 0;
  private counted = { total: 0, upTo: 0 };
  private readonly startedAt = performance.now();

  constructor(
    private readonly pool: Pool,
    private readonly client: PoolClient,
    private readonly projection: Projection,
    private readonly options: RebuildOptions,
  ) {
    this.log = new LogReader(pool);
    const { pageSize = 4000, rate = Infinity, dryRun = false, verify = false } = options;
    // Five pages a second at least, so that a slow rebuild is an even load.
    this.pageSize = Math.min(pageSize, Math.ceil(rate / 5));
    this.comparing = dryRun || verify;
  }

  async run(): Promise<RebuildResult> {
    const { dryRun = false, onCompared } = this.options;
    await ensureCheckpoint(this.pool, this.projection.name);
    this.shadow = await shadowOf(this.client, this.projection.name, this.projection.tables);
    const resumedAt = await this.begin();
    if (this.projection.parts) await this.buildParts(this.projection.parts);
    await this.catchUp();
    await indexShadow(this.client, this.shadow);
    await analyzeShadow(this.client, this.shadow);
    const tables = this.comparing ? await this.compare() : [];
    await onCompared?.(tables);
    this.comparing = false;
    if (dryRun) await dropShadow(this.client, this.shadow);
    else await this.swapWhenFree();
    const { position, events } = this.state;
    return { position, events, resumedAt, swapped: !dryRun, tables };
  }

  /** Finds what is unfinished, or makes the empty tables, and counts what is ahead. */
  private async begin(): Promise<number | null> {
    const fingerprint = await fingerprintOf(this.client, this.shadow, this.options);
    const found = await findState(this.client, this.shadow, fingerprint);
    const state = typeof found === 'string' || this.options.restart || !(await this.isBehindLive(found)) ? null : found;
    this.state = state ?? (await this.create(fingerprint));
    const upTo = await this.end();
    const { rows } = await this.pool.query<{ events: number }>(
      'select count(*) as events from event where position > $1 and position <= $2',
      [this.state.position, upTo],
    );
    this.counted = { total: rows[0]?.events ?? 0, upTo };
    const resumedAt = state?.position ?? null;
    this.options.onBegin?.({ resumedAt, discarded: !state && found !== 'none', events: this.counted.total });
    return resumedAt;
  }

  /** What is ahead of the live tables cannot be compared with them at one position, unless their follower comes there. */
  private async isBehindLive({ position }: RebuildState): Promise<boolean> {
    if (!this.comparing) return true;
    for (const deadline = performance.now() + liveWaitMs; ; await delay(50)) {
      if ((await readCheckpoint(this.pool, this.projection.name)).position >= position) return true;
      if (performance.now() > deadline) return false;
    }
  }

  private create(fingerprint: string): Promise<RebuildState> {
    const { from } = this.options;
    // One snapshot: the rows that are taken over, and the position that they stand at.
    return this.transaction('repeatable read', async () => {
      const takenAt = from === undefined ? 0 : (await readCheckpoint(this.client, this.projection.name)).position;
      await createShadow(this.client, this.shadow);
      if (from === undefined) {
        await this.redirect();
        await this.projection.reset(this.client);
      } else await copyLive(this.client, this.shadow);
      // An index that grows row by row costs more than one that is made at once.
      await indexShadow(this.client, this.shadow, from === undefined ? this.projection.lookups : undefined);
      // Rows that were taken over are to be found by their indexes at once.
      if (from !== undefined) await analyzeShadow(this.client, this.shadow);
      const state = { position: Math.min((from ?? 1) - 1, takenAt), events: 0, takenAt };
      await createState(this.client, this.shadow, fingerprint, state);
      return state;
    });
  }

  /** Up to where rows were taken over: those that the log from here on contributes to are built anew. */
  private async buildParts(parts: ProjectionParts): Promise<void> {
    const { takenAt } = this.state;
    while (this.state.position < takenAt) {
      this.options.signal?.throwIfAborted();
      const events = await this.log.read(this.state.position, Math.min(this.pageSize, 500), takenAt);
      await this.transaction('read committed', async () => {
        const streams = await noteStreams(
          this.client,
          this.shadow,
          events.flatMap((event) => parts.streamsOf(event)),
        );
        await this.redirect();
        await parts.forget(this.client, streams);
        for await (const page of eventsOfStreams(this.client, streams, takenAt, this.pageSize)) {
          await this.projection.apply(this.client, page);
          this.applied += page.length;
          this.state.events += page.length;
        }
        this.state.position = events.at(-1)?.position ?? takenAt;
        await saveState(this.client, this.shadow, this.state);
      });
      this.passed += events.length;
      await this.tell();
    }
  }

  /** Applies pages, each in its own transaction, until less than a page is missing. The next page is read meanwhile. */
  private async catchUp(): Promise<void> {
    let upTo = await this.end();
    const projection = this.projection.alone?.() ?? this.projection;
    let next = this.log.read(this.state.position, this.pageSize, upTo);
    for (;;) {
      const events = await next;
      this.options.signal?.throwIfAborted();
      const last = events.at(-1)?.position;
      const full = events.length === this.pageSize;
      if (last === undefined) return;
      upTo = Math.max(upTo, await this.end());
      next = full ? this.log.read(last, this.pageSize, upTo) : Promise.resolve([]);
      next.catch(() => undefined);
      await this.transaction('read committed', () => this.apply(events, projection));
      this.passed += events.length;
      await this.tell(upTo);
      if (!full) return;
    }
  }

  private async tell(upTo = 0): Promise<void> {
    const { signal, rate, onProgress } = this.options;
    onProgress?.({ done: this.passed, total: this.counted.total + Math.max(upTo - this.counted.upTo, 0) });
    const early = rate === undefined ? 0 : (this.applied * 1000) / rate - (performance.now() - this.startedAt);
    if (early > 0) await delay(early, undefined, signal && { signal });
  }

  private async end(): Promise<number> {
    if (this.comparing) return (await readCheckpoint(this.pool, this.projection.name)).position;
    return this.log.watermark();
  }

  private async apply(events: readonly RecordedEvent[], projection = this.projection): Promise<void> {
    await this.redirect();
    await projection.apply(this.client, events);
    this.state.position = events.at(-1)?.position ?? this.state.position;
    this.state.events += events.length;
    this.applied += events.length;
    await saveState(this.client, this.shadow, this.state);
  }

  private async redirect(): Promise<void> {
    const { schema, live } = this.shadow;
    await this.client.query(
      `set local search_path to ${escapeIdentifier(schema)}, ${escapeIdentifier(live)}; set local synchronous_commit = off`,
    );
  }

  /** Inside a transaction: brings the new tables to `upTo`. */
  private async drain(upTo: number): Promise<void> {
    for (;;) {
      const events = await this.log.readWith(this.client, this.state.position, this.pageSize, upTo);
      if (events.length > 0) await this.apply(events);
      if (events.length < this.pageSize) break;
    }
    await this.client.query(
      `set local search_path to ${escapeIdentifier(this.shadow.live)}; set local synchronous_commit = on`,
    );
  }

  /** In one snapshot the live tables stand still for us, and for nobody else. */
  private async compare(): Promise<TableDifferences[]> {
    this.options.signal?.throwIfAborted();
    return this.transaction('repeatable read', async () => {
      await this.drain((await readCheckpoint(this.client, this.projection.name)).position);
      const compared: TableDifferences[] = [];
      for (const table of this.shadow.tables) compared.push(await differencesOf(this.client, this.shadow, table));
      return compared;
    });
  }

  private async swapWhenFree(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      await this.catchUp();
      this.options.signal?.throwIfAborted();
      try {
        await this.transaction('read committed', () => this.swap(swapWaitMs(attempt)));
        return;
      } catch (error) {
        if (!isLockFailure(error) || attempt === swapAttempts) throw error;
      }
    }
  }

  /** With the checkpoint's row locked no follower writes to the live tables. */
  private async swap(waitMs: number): Promise<void> {
    const { name } = this.projection;
    const { rows } = await this.client.query<{ position: number }>(
      'select position from subscription where name = $1 for update',
      [name],
    );
    // Another process may have proved more of the log complete than this one has seen yet.
    const upTo = Math.max(rows[0]?.position ?? 0, this.state.position, await this.log.watermark());
    await this.drain(upTo);
    await this.client.query(`set local lock_timeout = ${String(waitMs)}`);
    await swapIn(this.client, this.shadow);
    await moveCheckpoint(this.client, name, upTo);
    this.state.position = upTo;
  }

  /** What it rolls back is rolled back in our own state too. */
  private async transaction<T>(isolation: 'read committed' | 'repeatable read', work: () => Promise<T>): Promise<T> {
    const before = { state: { ...this.state }, applied: this.applied };
    await this.client.query(`begin isolation level ${isolation}`);
    try {
      const result = await work();
      await this.client.query('commit');
      return result;
    } catch (error) {
      Object.assign(this, before);
      await this.client.query('rollback').catch(() => undefined);
      throw error;
    }
  }
}

/** Somebody holds the tables: a reader for longer than we wait, or one that waits for us. */
const isLockFailure = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === '55P03' || error.code === '40P01');

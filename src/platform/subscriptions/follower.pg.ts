import type { Pool, PoolClient } from 'pg';
import type { RecordedEvent } from '../../kernel/event.js';
import type { LogReader } from '../event-store/log-reader.pg.js';
import {
  claimCheckpoint,
  countFailure,
  ensureCheckpoint,
  moveCheckpoint,
  passCheckpoint,
  readCheckpoint,
  type Checkpoint,
} from './checkpoint.pg.js';
import type { Projection, Reactor } from './projection.js';
import { Wakeup } from './wakeup.js';

export interface FollowerOptions {
  /** Events in one transaction at most. */
  batchSize: number;
  /** How often an idle follower looks for what other processes wrote. */
  idleMs: number;
  /** How soon it looks again while what it was woken for is held back by an open transaction. */
  tickMs: number;
  /**
   * The least time between batches that are not full: under load they grow instead of becoming more. Where batches take
   * long it is five times what they take, and ten times this at most.
   */
  paceMs: number;
  /** How often the checkpoint is moved past events that do not concern the follower. */
  passMs: number;
  /** Failed tries of one event after which the follower stops and says so in its row. */
  maxFailures: number;
  /** The pause after the first failure; it doubles. */
  retryMs: number;
  /** How often a stopped follower tries again. */
  restMs: number;
}

export interface FollowerDeps {
  pool: Pool;
  log: LogReader;
  /** Who tells of appends by this process: the event store. Without it the follower only polls. */
  appends?: { onAppended(listener: (position: number) => void): () => void };
  /** Told of every failure, with the position that could not be passed. */
  onError?: (name: string, error: unknown, position: number) => void;
  options?: Partial<FollowerOptions>;
}

const defaults: FollowerOptions = {
  batchSize: 1000,
  idleMs: 250,
  tickMs: 10,
  paceMs: 25,
  passMs: 500,
  maxFailures: 5,
  retryMs: 100,
  restMs: 30_000,
};

/** What a try came to: go on at once, go on at the next tick, nothing to do, or a pause of so many milliseconds. */
type Step = 'more' | 'paced' | 'idle' | number;

/** What a transaction works on. */
interface Page {
  after: number;
  events: RecordedEvent[];
}

/** A transaction with these events failed while its connection works: they are to blame until proven otherwise. */
class HandlerFailure extends Error {
  constructor(
    readonly page: Page,
    cause: unknown,
  ) {
    super('a follower failed', { cause });
  }
}

const restingPollMs = 1000;

/** All followers of a process meet at the same ticks. */
const untilTick = (ms: number): number => ms - (performance.now() % ms);

/**
 * Follows the log for one projection or reactor. Rows and checkpoint commit together; any number of processes may run
 * the same follower, and whoever holds the checkpoint's row lock does the next batch. An event that cannot be applied
 * stops it: it never skips.
 */
export class Follower {
  private readonly options: FollowerOptions;
  private readonly wakeup = new Wakeup();
  private readonly progress = new Set<() => void>();
  private readonly name: string;
  private batchSize: number;
  /** Everything up to here is applied or does not concern us. */
  private known = 0;
  /** The checkpoint's position as it was last seen: what lies between it and `known` does not concern us. */
  private saved = 0;
  private savedAt = 0;
  private crashes = 0;
  private scanned = 0;
  private wanted = 0;
  private outages = 0;
  private loop: Promise<void> | null = null;
  private stopping = false;
  private unsubscribe: () => void = () => undefined;

  constructor(
    private readonly deps: FollowerDeps,
    private readonly follower: Projection | Reactor,
  ) {
    this.options = { ...defaults, ...deps.options };
    this.name = follower.name;
    this.batchSize = this.options.batchSize;
  }

  start(): void {
    if (this.loop) return;
    this.stopping = false;
    this.unsubscribe = this.deps.appends?.onAppended((position) => this.wake(position)) ?? this.unsubscribe;
    this.loop = this.run();
  }

  /** Resolves when the batch in hand is committed or rolled back. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.unsubscribe();
    this.wakeup.signal();
    await this.loop;
    this.loop = null;
  }

  /** Look now: something was appended up to `position`. */
  wake(position: number): void {
    this.wanted = Math.max(this.wanted, position);
    this.wakeup.signal();
  }

  /** The position, the error that stopped it and the failures, as all processes see them. */
  status(): Promise<Checkpoint> {
    return readCheckpoint(this.deps.pool, this.name);
  }

  async position(): Promise<number> {
    return (this.known = Math.max(this.known, (await this.status()).position));
  }

  /** Whether everything up to `position` was applied, by any process, within the time. */
  async waitFor(position: number, timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    for (let pause = 5; this.known < position; pause = Math.min(pause * 2, 100)) {
      if ((await this.position()) >= position) break;
      const left = deadline - performance.now();
      if (left <= 0) return false;
      await this.advanced(Math.min(pause, left));
    }
    return true;
  }

  private advanced(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.progress.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.progress.add(done);
    });
  }

  private async run(): Promise<void> {
    let registered = false;
    while (!this.stopping) {
      const began = performance.now();
      const step = await this.attempt(registered);
      registered ||= typeof step !== 'number';
      if (step === 'idle') await this.rest();
      else if (step === 'paced') await this.pauseFor(untilTick(this.paceAfter(performance.now() - began)));
      else if (step !== 'more') await this.pauseFor(step);
    }
  }

  private paceAfter(tookMs: number): number {
    const { paceMs } = this.options;
    return paceMs * Math.min(Math.max(Math.ceil((tookMs * 5) / paceMs), 1), 10);
  }

  /** Idle followers of a process wake at the same moments, so that they share one look at the log. */
  private rest(): Promise<void> {
    const { idleMs, tickMs } = this.options;
    return this.wakeup.sleep(this.scanned < this.wanted ? tickMs : untilTick(idleMs));
  }

  /** A pause that appends do not cut short; only `stop` does. */
  private async pauseFor(ms: number): Promise<void> {
    const end = performance.now() + ms;
    for (let left = ms; left > 0 && !this.stopping; left = end - performance.now()) {
      this.wakeup.clear();
      await this.wakeup.sleep(left);
    }
  }

  private async attempt(registered: boolean): Promise<Step> {
    try {
      if (!registered) await this.register();
      this.wakeup.clear();
      const upTo = await this.deps.log.watermark();
      if (this.deps.log.crashes !== this.crashes) await this.register();
      const step = upTo > this.scanned ? ((await this.pass(upTo)) ?? (await this.batch(upTo))) : 'idle';
      if (this.saved < this.known && performance.now() - this.savedAt >= this.options.passMs) await this.savePassed();
      this.outages = 0;
      return this.stopping ? 'idle' : step;
    } catch (error) {
      return this.failed(error);
    }
  }

  private async register(): Promise<void> {
    this.crashes = this.deps.log.crashes;
    await ensureCheckpoint(this.deps.pool, this.name);
    // After a crash the checkpoint may stand where it stood before: the last commits of projections do not wait for the disk.
    this.known = this.saved = (await this.status()).position;
    this.scanned = 0;
  }

  /** Goes past the next page without a transaction, where nothing on it concerns us; null where something may. */
  private async pass(upTo: number): Promise<Step | null> {
    const { follower } = this;
    if (!follower.concerns) return null;
    const events = await this.deps.log.readWith(this.deps.pool, this.known, this.batchSize, upTo);
    if (events.some((event) => follower.concerns?.(event))) return null;
    const full = events.length >= this.batchSize;
    this.advance(full ? (events.at(-1)?.position ?? upTo) : upTo);
    return full ? 'more' : 'paced';
  }

  private async savePassed(): Promise<void> {
    const passed = await passCheckpoint(this.deps.pool, this.name, this.saved, this.known);
    this.savedAt = performance.now();
    if (passed) this.saved = this.known;
    // Somebody else has moved it, or it stands still: what we know goes on from there.
    else this.saved = this.known = this.scanned = (await this.status()).position;
  }

  private async batch(upTo: number): Promise<Step> {
    const client = await this.deps.pool.connect();
    const page: Page = { after: this.known, events: [] };
    let broken = false;
    try {
      // A projection may lose its last transactions in a crash of the server: the checkpoint goes with them.
      await client.query(this.follower.kind === 'projection' ? 'begin; set local synchronous_commit = off' : 'begin');
      const step = await this.applyNext(client, upTo, page);
      await client.query('commit');
      if (typeof step !== 'number') return step === 'resting' ? Math.min(this.options.restMs, restingPollMs) : 'idle';
      const full = page.events.length >= this.batchSize;
      this.saved = step;
      this.advance(step);
      return full ? 'more' : 'paced';
    } catch (error) {
      broken = await client.query('rollback').then(
        () => false,
        () => true,
      );
      throw broken || page.events.length === 0 ? error : new HandlerFailure(page, error);
    } finally {
      client.release(broken);
    }
  }

  /** Applies the next page in the open transaction. The new position, or why there is nothing for us to do. */
  private async applyNext(tx: PoolClient, upTo: number, page: Page): Promise<'idle' | 'resting' | number> {
    const checkpoint = await claimCheckpoint(tx, this.name, this.options.restMs);
    if (checkpoint === null) return 'idle';
    if (checkpoint.resting) return 'resting';
    page.after = this.saved = checkpoint.position;
    page.events = await this.deps.log.readWith(tx, page.after, this.batchSize, upTo);
    const last = page.events.at(-1)?.position;
    if (last === undefined) {
      this.known = Math.max(this.known, page.after);
      this.scanned = upTo;
      return 'idle';
    }
    if (this.follower.kind === 'projection') await this.follower.apply(tx, page.events);
    else await this.follower.react(tx, page.events);
    // Nothing can appear any more up to the watermark, so a page that is not full ends there.
    const reached = page.events.length < this.batchSize ? Math.max(upTo, last) : last;
    await moveCheckpoint(tx, this.name, reached);
    return reached;
  }

  private advance(position: number): void {
    this.known = Math.max(this.known, position);
    this.scanned = Math.max(this.scanned, position);
    this.batchSize = Math.min(this.batchSize * 2, this.options.batchSize);
    for (const done of [...this.progress]) done();
  }

  private async failed(error: unknown): Promise<Step> {
    const { retryMs, restMs, maxFailures } = this.options;
    if (!(error instanceof HandlerFailure)) {
      this.deps.onError?.(this.name, error, this.known);
      return Math.min(retryMs * 2 ** this.outages++, restMs);
    }
    const { events, after } = error.page;
    if (events.length > 1) {
      // Half of them next time: what stands before the bad event is applied, and it is found alone.
      this.batchSize = Math.floor(events.length / 2);
      return 'more';
    }
    this.deps.onError?.(this.name, error.cause, events[0]?.position ?? after);
    const failures = await this.count(error);
    return failures >= maxFailures ? restMs : retryMs * 2 ** Math.max(failures - 1, 0);
  }

  private async count({ page, cause }: HandlerFailure): Promise<number> {
    const [event] = page.events;
    const what = cause instanceof Error ? cause.message : String(cause);
    const text = `${event?.type} at position ${event?.position}: ${what}`.slice(0, 1000);
    return countFailure(this.deps.pool, this.name, page.after, text, this.options.maxFailures).catch(() => 1);
  }
}

import type { PoolClient } from 'pg';
import type { RecordedEvent } from '../../src/kernel/event.js';
import { Watermark } from '../../src/platform/event-store/watermark.js';
import type { Projection, Reactor } from '../../src/platform/subscriptions/projection.js';
import type { StoreServer } from './store.js';
import { Violation, type Life, type World } from './world.js';

/** A transaction of a follower: what it writes shows when it commits, together with the checkpoint. */
export class Tx {
  private readonly writes: (() => void)[] = [];

  constructor(private readonly answer: (tx: Tx, text: string, values: unknown[]) => unknown[]) {}

  /** The few statements that the real code sends by itself; see `read-model.ts`. */
  query(query: string | { text: string; values: unknown[] }): Promise<{ rows: unknown[] }> {
    const { text, values } = typeof query === 'string' ? { text: query, values: [] } : query;
    return Promise.resolve({ rows: this.answer(this, text, values) });
  }

  write(effect: () => void): void {
    this.writes.push(effect);
  }

  commit(): void {
    for (const effect of this.writes) effect();
  }
}

/** The real code is given our transaction where it expects a connection. */
export function txOf(client: PoolClient): Tx {
  const tx: unknown = client;
  if (!(tx instanceof Tx)) throw new Error('not a transaction of the simulation');
  return tx;
}

interface Checkpoint {
  position: number;
  lock: Life | null;
}

/** What the planted faults of this layer switch off. */
export interface FollowerDefects {
  checkpointFirst: boolean;
  readsPastOpenTransactions: boolean;
}

/** The checkpoints: one row per follower for all replicas, locked by whoever works. */
export class Checkpoints {
  readonly defects: FollowerDefects = { checkpointFirst: false, readsPastOpenTransactions: false };
  private readonly rows = new Map<string, Checkpoint>();

  row(name: string): Checkpoint {
    let row = this.rows.get(name);
    if (!row) this.rows.set(name, (row = { position: 0, lock: null }));
    return row;
  }

  /** The furthest that any follower has read. */
  furthest(): { name: string; position: number } {
    let furthest = { name: '', position: 0 };
    for (const [name, { position }] of this.rows) if (position > furthest.position) furthest = { name, position };
    return furthest;
  }

  /** Whether all followers have applied all there is. */
  caughtUp(position: number): boolean {
    return [...this.rows.values()].every((row) => row.position >= position);
  }
}

/** How far one process may read; its followers share it, and the real watermark decides. */
export class LogSight {
  private readonly mark = new Watermark();

  constructor(
    private readonly world: World,
    private readonly store: StoreServer,
    private readonly checkpoints: Checkpoints,
    private readonly life: Life,
  ) {}

  async watermark(): Promise<number> {
    await this.world.io(this.life, 'log.sighting');
    const { drawn } = this.store;
    if (this.checkpoints.defects.readsPastOpenTransactions) return drawn;
    // Two statements: the world may move on between them.
    await this.world.io(this.life, 'log.sighting');
    return this.mark.advance({ drawn, writers: new Set(this.store.writers) });
  }
}

/** The followers that are simulated, as the crash points name them. */
const followers = {
  looks: 'looks',
  fulfillment: 'fulfillment',
  fulfillment_outcome: 'outcome',
  webhooks: 'webhooks',
  orders: 'orders',
} as const;
type Name = keyof typeof followers;
const isKnown = (name: string): name is Name => name in followers;

export interface FollowerParts {
  world: World;
  store: StoreServer;
  checkpoints: Checkpoints;
  sight: LogSight;
  life: Life;
  batchSize: number;
  answer: (tx: Tx, text: string, values: unknown[]) => unknown[];
}

/** Follows the log for one reactor or projection as `follower.pg.ts` does: claim, react, commit with the checkpoint. */
export class FollowerDouble {
  private readonly name: Name;
  private scheduled = false;
  private running = false;
  private failures = 0;

  constructor(
    private readonly parts: FollowerParts,
    private readonly follower: Reactor | Projection,
  ) {
    if (!isKnown(follower.name)) throw new Error(`a follower that the simulation does not know: ${follower.name}`);
    this.name = follower.name;
  }

  /** Looks at the log after a while, once. */
  wake(ms = this.parts.world.rng('wakes').int(2, 250)): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.parts.world.after(ms, this.parts.life, () => {
      this.scheduled = false;
      void this.run();
    });
  }

  private async run(): Promise<void> {
    if (this.running) return this.wake();
    this.running = true;
    try {
      const pause = await this.batch();
      this.failures = 0;
      if (pause !== null) this.wake(pause);
    } catch (error) {
      if (error instanceof Violation) return this.parts.world.fail(error);
      this.parts.world.trace(null, `${this.parts.life.name} ${this.name} failed: ${String(error)}`);
      this.wake(Math.min(100 * 2 ** this.failures++, 30_000));
    } finally {
      this.running = false;
    }
  }

  /** How soon to look again; null where there is nothing more. */
  private async batch(): Promise<number | null> {
    const { world, store, checkpoints, sight, life, batchSize, answer } = this.parts;
    if (world.during('store.down')) throw new Error('the database is out of reach');
    const upTo = await sight.watermark();
    const row = checkpoints.row(this.name);
    if (upTo <= row.position) return row.position < store.drawn ? 200 : null;
    if (row.lock !== null && !row.lock.dead) return 250;
    row.lock = life;
    try {
      await world.io(life, 'follower.claimed');
      const after = row.position;
      const page = pageOf(store.log, after, upTo, batchSize);
      await world.io(life, 'log.page');
      const last = page.at(-1)?.position;
      const reached = last === undefined || page.length < batchSize ? Math.max(upTo, after) : last;
      if (checkpoints.defects.checkpointFirst) row.position = reached;
      const tx = new Tx(answer);
      await this.apply(tx as unknown as PoolClient, page);
      await world.io(life, `follower.${followers[this.name]}.commit`);
      if (world.strikes('follower.rolled_back')) throw new Error('rolled back');
      tx.commit();
      row.position = reached;
      await world.io(life, `follower.${followers[this.name]}.committed`);
      if (world.strikes('follower.answer_lost')) throw new Error('the answer to the commit was lost');
      return reached < store.drawn ? 1 : null;
    } finally {
      if (row.lock === life) row.lock = null;
    }
  }

  private async apply(tx: PoolClient, page: readonly RecordedEvent[]): Promise<void> {
    if (page.length === 0) return;
    if (this.follower.kind === 'projection') await this.follower.apply(tx, page);
    else await this.follower.react(tx, page);
  }
}

function pageOf(log: readonly RecordedEvent[], after: number, upTo: number, limit: number): RecordedEvent[] {
  let low = 0;
  let high = log.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((log[middle]?.position ?? 0) > after) high = middle;
    else low = middle + 1;
  }
  const page: RecordedEvent[] = [];
  for (let at = low; at < log.length && page.length < limit; at++) {
    const event = log[at];
    if (event === undefined || event.position > upTo) break;
    page.push(event);
  }
  return page;
}

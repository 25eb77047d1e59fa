import type { PoolClient } from 'pg';
import type { Jobs, NewJob } from '../../src/platform/jobs/jobs.pg.js';
import { txOf } from './follower.js';
import type { World } from './world.js';

/** The queue of jobs to be done later: one for all replicas. A job that fails or whose process dies is tried again. */
export class JobTable implements Pick<Jobs, 'add'> {
  /** Runs a job somewhere; it may never answer. */
  run: (task: string, payload: unknown) => Promise<void> = () => Promise.resolve();
  private readonly keys = new Set<string>();
  private left = 0;

  constructor(private readonly world: World) {}

  get waiting(): number {
    return this.left;
  }

  async add(tx: PoolClient, task: string, jobs: readonly NewJob[]): Promise<void> {
    txOf(tx).write(() => {
      for (const { key, payload, runAfterMs = 0 } of jobs) {
        if (this.keys.has(key)) continue;
        this.keys.add(key);
        this.left++;
        this.try(task, payload, runAfterMs);
      }
    });
    await Promise.resolve();
  }

  private try(task: string, payload: unknown, delay: number): void {
    const { world } = this;
    world.after(delay, null, () => {
      let over = false;
      const again = (): void => {
        if (!over) this.try(task, payload, world.rng('jobs').int(1000, 30_000));
        over = true;
      };
      world.after(60_000, null, again);
      this.run(task, payload).then(() => {
        if (!over) this.left--;
        over = true;
      }, again);
    });
  }
}

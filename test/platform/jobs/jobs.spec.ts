import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { inTransaction } from '../../../src/platform/database/database.pg.js';
import { Jobs, staleLockMs, taskTimeoutMs, type NewJob, type TaskHandler } from '../../../src/platform/jobs/jobs.pg.js';
import { testDatabase, type TestDatabase } from '../../support/database.js';

let database: TestDatabase;
let jobs: Jobs;
let others: Jobs[] = [];
beforeEach(async () => {
  database = await testDatabase();
  jobs = worker();
  await jobs.migrate();
});
afterEach(async () => {
  await Promise.all([jobs, ...others].map((each) => each.stop()));
  others = [];
  await database.drop();
});

const worker = (): Jobs => new Jobs({ url: database.url, concurrency: 2, pollIntervalMs: 50 });
const another = (): Jobs => {
  const more = worker();
  others.push(more);
  return more;
};
const add = (payload: unknown, options: Partial<NewJob> = {}): Promise<void> =>
  inTransaction(database.pool, (tx) => jobs.add(tx, 'note', [{ payload, key: 'one', ...options }]));
const eventually = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  for (const deadline = Date.now() + 10_000; !(await condition()); await delay(15)) {
    if (Date.now() > deadline) throw new Error('not within 10 s');
  }
};
const rows = async (): Promise<{ attempts: number; locked_by: string | null; last_error: string | null }[]> =>
  (
    await database.pool.query<{ attempts: number; locked_by: string | null; last_error: string | null }>(
      'select attempts, locked_by, last_error from graphile_worker.jobs',
    )
  ).rows;

describe('A job', () => {
  it('runs with what it was given, and is gone', async () => {
    const seen: unknown[] = [];
    await jobs.start({ note: (payload, { attempt }) => Promise.resolve(void seen.push([payload, attempt])) });
    await add({ text: 'é "quoted"' });
    await eventually(async () => seen.length === 1 && (await rows()).length === 0);
    expect(seen).toEqual([[{ text: 'é "quoted"' }, 1]]);
  });

  it('is only there when its transaction commits', async () => {
    await inTransaction(database.pool, async (tx) => {
      await jobs.add(tx, 'note', [{ payload: {}, key: 'one' }]);
      throw new Error('no');
    }).catch(() => undefined);
    expect(await rows()).toEqual([]);
  });

  it('added twice under one key is one job', async () => {
    await add({ n: 1 }, { runAfterMs: 60_000 });
    await add({ n: 2 }, { runAfterMs: 60_000 });
    expect(await rows()).toHaveLength(1);
  });

  it('is added with others in one call, of two with one key the later', async () => {
    await inTransaction(database.pool, async (tx) => {
      await jobs.add(tx, 'note', []);
      await jobs.add(tx, 'note', [
        { payload: { n: 1 }, key: 'one' },
        { payload: { n: 2 }, key: 'two', maxAttempts: 3, lane: 'slow' },
        { payload: { n: 3 }, key: 'three', runAfterMs: 60_000 },
        { payload: { n: 4 }, key: 'one' },
      ]);
    });
    const text = `select key, max_attempts, queue_name, run_at > now() + interval '50 s' as later from graphile_worker.jobs order by key`;
    expect((await database.pool.query(text)).rows).toEqual([
      { key: 'one', max_attempts: 25, queue_name: null, later: false },
      { key: 'three', max_attempts: 25, queue_name: null, later: true },
      { key: 'two', max_attempts: 3, queue_name: 'slow', later: false },
    ]);
    const seen: unknown[] = [];
    await jobs.start({ note: (payload) => Promise.resolve(void seen.push(payload)) });
    await eventually(() => seen.length === 2);
    expect(seen).toEqual(expect.arrayContaining([{ n: 4 }, { n: 2 }]));
  });

  it('that fails runs again, as often as it may', async () => {
    let runs = 0;
    const fails: TaskHandler = () => {
      runs++;
      return Promise.reject(new Error('no luck'));
    };
    await jobs.start({ note: fails });
    await add({}, { maxAttempts: 2 });
    await eventually(async () => (await rows())[0]?.last_error === 'no luck');
    await jobs.advance(10);
    await eventually(async () => (await rows())[0]?.attempts === 2 && (await rows())[0]?.locked_by === null);
    await jobs.advance(3600);
    expect(runs).toBe(2);
  });

  it('waits for its time, and comes earlier when the clock is advanced', async () => {
    let runs = 0;
    await jobs.start({ note: () => Promise.resolve(void runs++) });
    await add({}, { runAfterMs: 3_600_000 });
    await jobs.advance(3000);
    expect(Date.parse((await jobs.nextDue()) ?? '') - Date.now()).toBeGreaterThan(500_000);
    expect(runs).toBe(0);
    await jobs.advance(700);
    await eventually(() => runs === 1);
  });

  it('runs once where several processes could take it', async () => {
    let runs = 0;
    const tasks = { note: () => Promise.resolve(void runs++) };
    await Promise.all([jobs.start(tasks), another().start(tasks)]);
    for (let n = 0; n < 20; n++) await add({}, { key: String(n) });
    await eventually(async () => (await rows()).length === 0);
    expect(runs).toBe(20);
  });

  it('shares its lane with nobody, while other lanes go on', async () => {
    const running: string[] = [];
    let together = 0;
    let free = 0;
    await jobs.start({
      note: async (payload) => {
        if (payload === 'free') return void free++;
        running.push('lane');
        together = Math.max(together, running.length);
        await delay(50);
        running.pop();
      },
    });
    for (let n = 0; n < 4; n++) await add('lane', { key: `lane ${String(n)}`, lane: 'a' });
    await add('free', { key: 'free' });
    await eventually(async () => (await rows()).length === 0);
    expect({ together, free }).toEqual({ together: 1, free: 1 });
  });
});

describe('A worker that died', () => {
  it('gives its jobs back when its lock is older than any run can be', async () => {
    expect(taskTimeoutMs).toBeLessThan(staleLockMs);
    let runs = 0;
    await add({});
    // What a worker leaves behind that was killed while it ran a job.
    const leave = (seconds: number) =>
      database.pool.query(
        `update graphile_worker._private_jobs set locked_by = 'pool-gone', attempts = 1, locked_at = now() - $1 * interval '1 second'`,
        [seconds],
      );
    await leave(40);
    expect(await jobs.unlockStuck()).toBe(0);
    await leave(46);
    await jobs.start({ note: () => Promise.resolve(void runs++) });
    expect(await jobs.unlockStuck()).toBe(1);
    await eventually(async () => runs === 1 && (await rows()).length === 0);
  });
});

describe('A worker that stops', () => {
  it('lets what it runs come to its end', async () => {
    let ended = false;
    let began = false;
    const other = worker();
    await other.start({
      note: async () => {
        began = true;
        await delay(300);
        ended = true;
      },
    });
    await add({});
    await eventually(() => began);
    await other.stop();
    expect(ended).toBe(true);
    expect(await rows()).toEqual([]);
  });

  it('cuts off what does not end, within ten seconds, and the job is there for others', async () => {
    let began = false;
    const other = worker();
    await other.start({
      note: () => {
        began = true;
        return new Promise(() => undefined);
      },
    });
    await add({});
    await eventually(() => began);
    const from = performance.now();
    await other.stop();
    expect(performance.now() - from).toBeLessThan(10_000);
    expect(await rows()).toMatchObject([{ locked_by: null }]);
  });
});

describe('The job runner', () => {
  it('survives a completion that cannot be written (an unawaited promise of the library ended the process)', async () => {
    let runs = 0;
    let begun = false;
    let finish: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    await jobs.start({
      note: async () => {
        begun = true;
        await finished;
        runs++;
      },
    });
    await add({});
    await eventually(() => begun);
    await inTransaction(database.pool, async (tx) => {
      // Nobody can write a job for longer than a statement waits for a lock.
      await tx.query('lock table graphile_worker._private_jobs in share mode');
      finish();
      await eventually(() => runs === 1);
      await tx.query('select pg_sleep(2.5)');
    });
    await database.pool.query(`update graphile_worker._private_jobs set locked_at = locked_at - interval '46 seconds'`);
    await eventually(async () => {
      await jobs.unlockStuck();
      return (await rows()).length === 0;
    });
    expect(runs).toBeGreaterThan(1);
  });

  it.each([1, 2, 3, 4, 5])(
    'goes on after its connections were cut at its start (the library kept the first error for good), %i',
    async () => {
      let runs = 0;
      await jobs.start({ note: () => Promise.resolve(void runs++) });
      await database.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'finality jobs' and datname = current_database()`,
      );
      await add({});
      await eventually(() => runs === 1);
    },
  );
});

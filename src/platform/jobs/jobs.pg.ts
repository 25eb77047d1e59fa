import { Logger as NestLogger } from '@nestjs/common';
import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import {
  Logger,
  run,
  runMigrations,
  type JobHelpers,
  type Runner,
  type RunnerOptions,
  type TaskList,
  type WorkerEvents,
} from 'graphile-worker';
import type { Pool, PoolClient } from 'pg';
import type { Instant } from '../../kernel/clock.js';
import { inSpan } from '../spans.js';
import { originIn } from '../trace-context.js';
import { createPool } from '../database/database.pg.js';

export interface JobsOptions {
  url: string;
  /** Jobs that this process works on at once. Default 10. */
  concurrency?: number;
  /** How often an idle process looks for jobs that became due. New jobs announce themselves. Default 1000 ms. */
  pollIntervalMs?: number;
}

/** One run of a job. */
export interface JobRun {
  id: string;
  /** From 1; a run that a crash cut short counts. */
  attempt: number;
  maxAttempts: number;
  /** Fires when the run's time is up or the process stops; the task must end soon after. */
  signal: AbortSignal;
}

/** What a job does. Throwing makes it run again later, `maxAttempts` times in all. */
export type TaskHandler = (payload: unknown, run: JobRun) => Promise<void>;

/** A job that is to be added. */
export interface NewJob {
  /** Has to survive `JSON.stringify`. */
  payload: unknown;
  /** A job with this key that has not begun yet is replaced. */
  key: string;
  /** Runs at most, 25 unless given; the pauses between them grow from seconds to six hours. */
  maxAttempts?: number;
  /** How long from now, by the database's clock; at once where it is left out. */
  runAfterMs?: number;
  /** Jobs of one lane run one after the other. */
  lane?: string;
}

/** All the time that one run may take. */
export const taskTimeoutMs = 30_000;
/** A lock that is older belongs to a worker that has died: no run can last so long. */
export const staleLockMs = 45_000;
const unlockEveryMs = 10_000;
const abortAfterMs = 6000;
const killAfterMs = 9000;
const restartAfterMs = 1000;
const longestRestartMs = 10_000;
/** Looks for work, per worker, that may fail in a row before the runner is started anew. */
const failedLooksPerWorker = 3;
const defaultMaxAttempts = 25;

/** All in one call: each call of the library's function costs half a millisecond of the server, however few it adds. */
const addJobs = `
  select count(*) from graphile_worker.add_jobs(array(
    select (
      $1, job.payload, job.lane, clock_timestamp() + job.wait * interval '1 millisecond', job.attempts, job.key, null, null
    )::graphile_worker.job_spec
    from unnest($2::json[], $3::text[], $4::float8[], $5::integer[], $6::text[]) as job (payload, lane, wait, attempts, key)
  ))`;

/**
 * Durable jobs in PostgreSQL (graphile-worker, schema `graphile_worker`). A job is added in its caller's transaction
 * and runs at least once, in whichever process takes it first; nothing is lost with a process.
 */
export class Jobs {
  private readonly log = new NestLogger(Jobs.name);
  private readonly pool: Pool;
  private readonly concurrency: number;
  private readonly events: WorkerEvents = new EventEmitter();
  private runner: Runner | null = null;
  private supervision: Promise<void> | null = null;
  private ticks: NodeJS.Timeout | null = null;
  private failedLooks = 0;
  private readonly stopping = new AbortController();

  constructor(private readonly options: JobsOptions) {
    this.concurrency = options.concurrency ?? 10;
    this.pool = createPool(options.url, {
      max: this.concurrency + 3,
      applicationName: 'finality jobs',
      onError: (error) => this.log.warn({ msg: 'a connection of the job queue died', error: error.message }),
    });
    this.listen();
  }

  /** Creates or updates the queue's own tables. Safe to run by several processes at once. */
  async migrate(): Promise<void> {
    await runMigrations(this.runnerOptions({}));
  }

  /** Begins to take jobs of these tasks; jobs of other tasks stay for processes that know them. */
  async start(tasks: Readonly<Record<string, TaskHandler>>): Promise<void> {
    if (this.supervision) throw new Error('the jobs have been started already');
    this.runner = await run(this.runnerOptions(tasks));
    this.supervision = this.supervise(tasks);
    this.ticks = setInterval(() => void this.unlockQuietly(), unlockEveryMs);
    this.ticks.unref();
  }

  /** Takes no more jobs, and gives those that run some seconds to end: 10 s in all. What is cut off runs again. */
  async stop(): Promise<void> {
    this.stopping.abort();
    if (this.ticks) clearInterval(this.ticks);
    const { runner } = this;
    if (runner) {
      const killed = new AbortController();
      const patience = delay(killAfterMs, null, { signal: killed.signal }).then(() => runner.kill());
      await Promise.race([runner.stop(), patience]).catch(() => undefined);
      killed.abort();
      await patience.catch(() => undefined);
    }
    await this.supervision;
    await this.pool.end();
  }

  /** Adds jobs when the caller's transaction commits, and not otherwise. Of two with one key the later counts. */
  async add(tx: PoolClient, task: string, jobs: readonly NewJob[]): Promise<void> {
    const added = [...new Map(jobs.map((job) => [job.key, job])).values()];
    if (added.length === 0) return;
    const values = [
      task,
      added.map(({ payload }) => JSON.stringify(payload)),
      added.map(({ lane }) => lane ?? null),
      added.map(({ runAfterMs }) => runAfterMs ?? 0),
      added.map(({ maxAttempts }) => maxAttempts ?? defaultMaxAttempts),
      added.map(({ key }) => key),
    ];
    await tx.query({ name: 'jobs-add', text: addJobs, values });
  }

  /**
   * Frees the jobs of workers that died: a worker that holds any lock for longer than a run can last is gone, and
   * everything that it held runs again. Resolves with the number of workers. Called every ten seconds while started.
   */
  async unlockStuck(): Promise<number> {
    const text = `select distinct locked_by from graphile_worker.jobs
      where locked_at < clock_timestamp() - $1 * interval '1 millisecond' and locked_by is not null`;
    const { rows } = await this.pool.query<{ locked_by: string }>(text, [staleLockMs]);
    const dead = rows.map((row) => row.locked_by);
    if (dead.length === 0) return 0;
    await this.pool.query('select graphile_worker.force_unlock_workers($1)', [dead]);
    this.log.warn({ msg: 'freed the jobs of workers that have died', workers: dead.length });
    return dead.length;
  }

  /** Moves everything that waits for its time that much earlier: the sandbox's clock was advanced. */
  async advance(seconds: number): Promise<void> {
    const text = `select graphile_worker.reschedule_jobs(array[id], run_at => run_at - $1 * interval '1 second')
      from graphile_worker.jobs where locked_at is null and run_at > clock_timestamp() and attempts < max_attempts`;
    await this.pool.query(text, [seconds]);
  }

  /** When the next job of this process's queue is due; null where none waits. */
  async nextDue(): Promise<Instant | null> {
    const text = 'select min(run_at) as due from graphile_worker.jobs where attempts < max_attempts';
    const { rows } = await this.pool.query<{ due: Instant | null }>(text);
    return rows[0]?.due ?? null;
  }

  private listen(): void {
    this.events.on('job:error', ({ job, error }) => {
      const { id, task_identifier: task, attempts, max_attempts: of } = job;
      const { correlationId } = originIn(job.payload) ?? {};
      this.log.warn({
        msg: 'a job failed',
        correlationId,
        task,
        job: String(id),
        attempt: attempts,
        of,
        error: messageOf(error),
      });
    });
    const found = (): void => void (this.failedLooks = 0);
    this.events.on('job:start', found);
    this.events.on('worker:getJob:empty', found);
    this.events.on('worker:getJob:error', ({ error }) => this.lookFailed(error));
  }

  /**
   * The library keeps the outcome of its first question to the database, also where that was an error: a connection
   * lost at that moment leaves a runner that never finds a job again. A new one asks anew.
   */
  private lookFailed(error: unknown): void {
    this.failedLooks += 1;
    if (this.failedLooks < failedLooksPerWorker * this.concurrency) return;
    this.failedLooks = 0;
    this.log.warn({ msg: 'jobs cannot be looked for; the runner is started again', error: messageOf(error) });
    this.runner?.stop().catch(() => undefined);
  }

  /** The library ends its run when the database goes away at the wrong moment; a service goes on. */
  private async supervise(tasks: Readonly<Record<string, TaskHandler>>): Promise<void> {
    const { signal } = this.stopping;
    const stopping = (): boolean => signal.aborted;
    for (let pause = restartAfterMs; !stopping();) {
      await this.runner?.promise.catch((error: unknown) =>
        this.log.warn({ msg: 'the job runner ended and is started again', error: messageOf(error) }),
      );
      await delay(pause, null, { signal }).catch(() => undefined);
      if (stopping()) return;
      // New options each time: the library remembers what it has learnt by them.
      this.runner = await run(this.runnerOptions(tasks)).catch((error: unknown) => {
        this.log.warn({ msg: 'the job runner cannot start', error: messageOf(error) });
        return null;
      });
      pause = this.runner ? restartAfterMs : Math.min(pause * 2, longestRestartMs);
      if (this.stopping.signal.aborted) await this.runner?.stop();
    }
  }

  private async unlockQuietly(): Promise<void> {
    await this.unlockStuck().catch((error: unknown) =>
      this.log.warn({ msg: 'dead workers could not be looked for', error: messageOf(error) }),
    );
  }

  private runnerOptions(tasks: Readonly<Record<string, TaskHandler>>): RunnerOptions {
    const taskList: TaskList = {};
    for (const [name, handler] of Object.entries(tasks)) {
      taskList[name] = (payload: unknown, helpers: JobHelpers) =>
        inSpan(`job ${name}`, { of: originIn(payload) }, () => runBounded(handler, payload, helpers));
    }
    return {
      pgPool: this.pool,
      taskList,
      parsedCronItems: [],
      concurrency: this.concurrency,
      pollInterval: this.options.pollIntervalMs ?? 1000,
      gracefulShutdownAbortTimeout: abortAfterMs,
      noHandleSignals: true,
      // Batches of what is ready now. Without them the library lets a job's completion go unawaited, and a connection
      // that is lost at that moment ends the whole process as an unhandled rejection.
      preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
      logger: new Logger(() => (level, message) => this.hear(level, message)),
      events: this.events,
    };
  }

  /** What the library says of a failed job has its stack in it, and repeats what the listener above says in one line. */
  private hear(level: string, message: string): void {
    if (level === 'error' && !message.startsWith('Failed task ')) this.log.error({ msg: message.slice(0, 500) });
    else if (level === 'warning') this.log.warn({ msg: message.slice(0, 500) });
    else this.log.debug({ msg: message.slice(0, 200) });
  }
}

async function runBounded(handler: TaskHandler, payload: unknown, { job, abortSignal }: JobHelpers): Promise<void> {
  const limit = new AbortController();
  const signal = AbortSignal.any([limit.signal, abortSignal]);
  const timer = setTimeout(
    () => limit.abort(new Error(`the job took longer than ${String(taskTimeoutMs / 1000)} s`)),
    taskTimeoutMs,
  );
  const cutOff = new Promise<never>((_, reject) => {
    signal.addEventListener(
      'abort',
      () => reject(signal.reason instanceof Error ? signal.reason : new Error('the job was cut off')),
      { once: true },
    );
  });
  const { id, attempts: attempt, max_attempts: maxAttempts } = job;
  try {
    await Promise.race([handler(payload, { id: String(id), attempt, maxAttempts, signal }), cutOff]);
  } finally {
    clearTimeout(timer);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 500);

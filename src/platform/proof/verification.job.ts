import { setTimeout as delay } from 'node:timers/promises';
import { Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { Pool } from 'pg';
import { msOf, type Clock, type Instant } from '../../kernel/clock.js';
import { createPool } from '../database/database.pg.js';
import { CheckpointFiles } from './checkpoint-files.job.js';
import { auditLimits, auditStore, type StoreAudit } from './store-audit.pg.js';
import type { ProofKeys } from './signing.js';

/** What the last look at the whole store has come to. */
export interface Verification {
  endedAt: Instant;
  events: number;
  messages: number;
  breaks: number;
}

/** Null where the service has not looked yet. */
export async function lastVerification(pool: Pool): Promise<Verification | null> {
  const text = `select ended_at as "endedAt", events, messages, breaks from verification order by began_at desc limit 1`;
  return (await pool.query<Verification>(text)).rows[0] ?? null;
}

export interface VerificationSettings {
  databaseUrl: string;
  /** Where checkpoints are exported to. */
  directory: string;
  publicKeys: ProofKeys['publicKeys'];
}

const everyMinutes = 24 * 60;
/** After each page, so that requests are served as before: about a fifth of one processor is taken. */
const pauseMs = 30;
const lock = `select pg_try_advisory_lock(hashtextextended('finality verification', 0)) as free`;
// What is ahead was written by a clock that was wrong, and would be the last look for as long as it was ahead.
const insert = `with ahead as (delete from verification where began_at > $1)
  insert into verification (began_at, ended_at, events, messages, breaks, found) values ($1, $2, $3, $4, $5, $6)`;

/** Looks at the whole store once a day, slowly, in one process of all, and tells loudly what is broken. */
export class VerificationJob implements BeforeApplicationShutdown {
  private readonly log = new Logger(VerificationJob.name);
  private readonly stopping = new AbortController();
  private running: Promise<void> | null = null;

  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
    private readonly settings: VerificationSettings,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  @Interval('verification', 600_000)
  async tick(): Promise<void> {
    if (this.running || this.stopping.signal.aborted) return;
    this.running = this.look().catch((error: unknown) => {
      if (!this.stopping.signal.aborted)
        this.log.warn({ msg: 'the store could not be verified; it is tried again', error: String(error) });
    });
    await this.running;
    this.running = null;
  }

  private async look(): Promise<void> {
    if (!(await this.isDue())) return;
    const pool = createPool(this.settings.databaseUrl, { ...auditLimits, applicationName: 'finality verification' });
    const holder = await pool.connect();
    try {
      const [locked] = (await holder.query<{ free: boolean }>(lock)).rows;
      // Another process may have ended its look in between.
      if (locked?.free && (await this.isDue())) await this.verify(pool);
    } finally {
      // The lock ends with its connection.
      holder.release(true);
      await pool.end();
    }
  }

  private async isDue(): Promise<boolean> {
    const last = await lastVerification(this.pool);
    return last === null || Math.abs(msOf(this.clock.now()) - msOf(last.endedAt)) >= everyMinutes * 60_000;
  }

  private async verify(pool: Pool): Promise<void> {
    const began = this.clock.now();
    const { signal } = this.stopping;
    const audit = await auditStore(pool, {
      files: await CheckpointFiles.in(this.settings.directory),
      publicKeys: this.settings.publicKeys,
      signal,
      pause: () => delay(pauseMs, undefined, { signal }),
    });
    const { events, messages, breaks } = audit;
    const found = JSON.stringify(breaks.kept);
    await this.pool.query(insert, [began, this.clock.now(), events, messages, breaks.count, found]);
    this.tell(audit);
  }

  private tell({ events, messages, breaks }: StoreAudit): void {
    if (breaks.count === 0) this.log.log({ msg: 'the store is as it was written', events, messages });
    else
      this.log.error({
        msg: 'the store is not as it was written: run finality verify',
        breaks: breaks.count,
        first: breaks.kept[0],
      });
  }
}

import { Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { Pool } from 'pg';
import type { Clock } from '../../kernel/clock.js';
import type { LogReader } from '../event-store/log-reader.pg.js';
import { isTrueOf } from './checkpoint.js';
import { CheckpointFiles } from './checkpoint-files.job.js';
import { Checkpoints, checkpointsAfter, contentOf, newestCheckpoint, signedOf } from './checkpoints.pg.js';
import type { ProofKeys } from './signing.js';

export interface CheckpointSettings {
  directory: string;
  everyMinutes: number;
}

/** What a run has come to. */
export interface CheckpointRun {
  /** Checkpoints that this run made. */
  made: number;
  /** Files that it wrote. */
  exported: number;
  /** The newest checkpoint; 0 where there is none. */
  newest: number;
}

const minuteMs = 60_000;
/** A process that comes to a long unsealed past has its files written in between. */
const mostInARow = 1000;
const exportPage = 16;

/**
 * Makes a checkpoint when the last one is old enough, and writes the files that are missing behind the newest one in the
 * directory. Every process does so: the checkpoint is made by one of them, the files by each in its own directory. A
 * process that dies between the two leaves the file to the next run.
 */
export class CheckpointJob implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly log = new Logger(CheckpointJob.name);
  private running: Promise<void> | null = null;
  private stopped = false;
  private lastError = '';

  constructor(
    private readonly pool: Pool,
    private readonly reader: LogReader,
    private readonly clock: Clock,
    private readonly keys: ProofKeys,
    private readonly settings: CheckpointSettings,
  ) {}

  onApplicationBootstrap(): void {
    if (this.keys.signer === null)
      this.log.warn({ msg: 'no checkpoints are made and no receipts are given: CHECKPOINT_KEY is not set' });
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  @Interval('checkpoint', 10_000)
  tick(): void {
    if (this.stopped || this.running || this.keys.signer === null) return;
    this.running = this.run(this.settings.everyMinutes * minuteMs, mostInARow)
      .then(
        () => void (this.lastError = ''),
        (error: unknown) => this.tell(String(error)),
      )
      .finally(() => {
        this.running = null;
      });
  }

  /** Resolves when what the last tick began is done. */
  async settled(): Promise<void> {
    await this.running;
  }

  /** Seals everything up to now, in as many checkpoints as that takes. Throws where no key is configured, and where the directory is not of this store. */
  now(): Promise<CheckpointRun> {
    return this.run(0, Infinity);
  }

  private async run(dueAfterMs: number, most: number): Promise<CheckpointRun> {
    const { signer } = this.keys;
    if (signer === null) throw new Error('No checkpoint can be made: CHECKPOINT_KEY is not set.');
    // The directory first: whoever makes a checkpoint writes its file afterwards.
    const files = await CheckpointFiles.in(this.settings.directory);
    const newest = (await newestCheckpoint(this.pool))?.statement.number ?? 0;
    if (files.newest > newest)
      throw new Error(
        `${files.pathOf(files.newest)} is newer than the database, which knows ${String(newest)} checkpoints: it was restored from an older backup, or the files are of another store. See what finality verify says, then set CHECKPOINT_DIR to an empty directory.`,
      );
    const checkpoints = new Checkpoints(this.pool, this.reader, this.clock, signer);
    // What cannot be exported is worth little: no further one is made, so that the age of the newest tells of it.
    const before = await this.export(files, files.newest);
    let made = 0;
    for (let due = dueAfterMs; made < most && !this.stopped; due = 0) {
      const outcome = await checkpoints.seal(due);
      if (outcome === 'not due' || outcome === 'busy') break;
      made++;
      if (outcome === 'made') break;
    }
    const after = await this.export(files, before.upTo);
    return {
      made,
      exported: before.exported + after.exported,
      newest: (await newestCheckpoint(this.pool))?.statement.number ?? 0,
    };
  }

  /** What is written is what is there now, and only where that is still what was sealed. */
  private async export(files: CheckpointFiles, from: number): Promise<{ exported: number; upTo: number }> {
    let exported = 0;
    let upTo = from;
    while (!this.stopped) {
      const rows = await checkpointsAfter(this.pool, upTo, exportPage);
      for (const row of rows) {
        const signed = signedOf(row);
        const content = signed && (await contentOf(this.pool, signed.statement));
        if (!signed || !isTrueOf(signed.statement, content ?? { heads: [], messages: [] }))
          throw new Error(
            `the store is not any more what checkpoint ${String(row.number)} sealed: see what finality verify says`,
          );
        await files.write({ signed, heads: content?.heads ?? [], messages: content?.messages ?? [] });
        exported++;
        upTo = row.number;
      }
      if (rows.length < exportPage) break;
    }
    return { exported, upTo };
  }

  /** A trouble that stays is told once. */
  private tell(error: string): void {
    if (error !== this.lastError) this.log.error({ msg: 'no checkpoint could be made or exported', error });
    this.lastError = error;
  }
}

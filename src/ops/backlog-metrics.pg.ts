import { Logger } from '@nestjs/common';
import type { Pool } from 'pg';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Instant } from '../kernel/clock.js';
import { createPool } from '../platform/database/database.pg.js';
import { backlogs, type Backlog, type Reading } from './backlogs.pg.js';
import { bookBacklogs } from './book-backlogs.pg.js';

/** A scrape within this time of the last gets the same answers. */
const holdsMs = 1000;
/** A question to the database that takes longer is given up, so that a scrape is answered in any case. */
const statementMs = 1500;
const patienceMs = 4000;

const allBacklogs: readonly Backlog[] = [...backlogs, ...bookBacklogs];

/**
 * Gauges of what waits in the database that all processes share, read when they are scraped. A scrape never fails because
 * of them: what cannot be read is absent, and `finality_backlog_up` says so. The connections are its own, so that it still
 * sees when everybody else waits for one.
 */
export class BacklogMetrics {
  private readonly log = new Logger(BacklogMetrics.name);
  private readonly pool: Pool;
  private readonly gauges = new Map<string, Gauge>();
  private readonly up: Gauge<'backlog'>;
  private readonly failed: Counter<'backlog'>;
  private reading: Promise<void> | null = null;
  private readAtMs = -Infinity;

  constructor(
    url: string,
    private readonly registry: Registry,
    private readonly now: () => Instant,
  ) {
    this.pool = createPool(url, {
      max: 2,
      statementTimeoutMs: statementMs,
      applicationName: 'finality metrics',
    });
    this.up = this.gauge('finality_backlog_up', 'Whether a backlog could be read: 0 means that its gauges are absent', [
      'backlog',
    ]);
    this.failed = new Counter({
      name: 'finality_backlog_failures_total',
      help: 'How often a backlog could not be read',
      labelNames: ['backlog'],
      registers: [registry],
      collect: () => this.fresh(),
    });
    for (const { name, gauges } of allBacklogs) {
      this.failed.inc({ backlog: name }, 0);
      for (const { name: gauge, help, labels } of gauges) this.gauges.set(gauge, this.gauge(gauge, help, labels));
    }
  }

  /** Closes its connections; called by Nest at shutdown. */
  async onApplicationShutdown(): Promise<void> {
    await this.reading;
    await this.pool.end();
  }

  private gauge(name: string, help: string, labelNames: readonly string[]): Gauge {
    const collect = (): Promise<void> => this.fresh();
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.registry], collect });
  }

  /** All gauges of one scrape share one reading. */
  private async fresh(): Promise<void> {
    if (this.reading === null && performance.now() - this.readAtMs >= holdsMs) {
      this.reading = this.readAll().finally(() => {
        this.reading = null;
        this.readAtMs = performance.now();
      });
    }
    await this.reading;
  }

  private async readAll(): Promise<void> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), patienceMs);
    const gaveUp = new Promise<null>((resolve) => {
      late.signal.addEventListener('abort', () => resolve(null), { once: true });
    });
    await Promise.all(allBacklogs.map((backlog) => this.read(backlog, gaveUp)));
    clearTimeout(timer);
  }

  private async read(backlog: Backlog, gaveUp: Promise<null>): Promise<void> {
    const found = backlog.read(this.pool, this.now()).catch((error: unknown) => {
      this.log.warn({ msg: 'a backlog could not be read', backlog: backlog.name, error: String(error) });
      return null;
    });
    const readings = await Promise.race([found, gaveUp]);
    for (const { name, labels } of backlog.gauges) this.forget(name, labels);
    for (const reading of readings ?? []) this.show(reading);
    this.up.set({ backlog: backlog.name }, readings === null ? 0 : 1);
    if (readings === null) this.failed.inc({ backlog: backlog.name });
  }

  /** A gauge without labels is 0 when it is reset, which as a time would be the oldest of all. */
  private forget(name: string, labels: readonly string[]): void {
    const gauge = this.gauges.get(name);
    gauge?.reset();
    if (labels.length === 0) gauge?.remove();
  }

  private show({ gauge, labels = {}, value }: Reading): void {
    if (value !== null) this.gauges.get(gauge)?.set(labels, value);
  }
}

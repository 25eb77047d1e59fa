import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { readCheckpoint } from '../platform/subscriptions/checkpoint.pg.js';
import { OrderEntry, Orders, PaymentEntry } from './orders.pg.js';

const follower = 'orders';
const lookEveryMs = 1000;
/** A standby that is further behind answers nothing. */
const lagAtMostMs = 5000;
/** What a look has told is believed so long. */
const believedMs = 3000;
const checkpointText = 'select position from subscription where name = $1';

/** How far the primary was, and when. */
interface Mark {
  position: number;
  atMs: number;
}

/**
 * The order read model on a standby of the database. It is looked at every second; while it does not answer, or is over
 * five seconds behind, nobody is sent there. Nothing is ever decided from it: it only shows.
 */
export class StandbyOrders implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger(StandbyOrders.name);
  private readonly database: DataSource;
  private readonly orders: Orders;
  private readonly marks: Mark[] = [];
  private looking: Promise<void> | null = null;
  private reached = 0;
  private goodUntilMs = -Infinity;
  private trouble: string | null = null;
  private closed = false;

  constructor(
    url: string,
    private readonly primary: Pool,
  ) {
    this.database = new DataSource({
      type: 'postgres',
      url,
      entities: [PaymentEntry, OrderEntry],
      poolSize: 5,
      connectTimeoutMS: 2000,
      installExtensions: false,
      poolErrorHandler: () => undefined,
      extra: {
        statement_timeout: 5000,
        // For a server that has gone without a word.
        query_timeout: 5500,
        application_name: 'finality standby reads',
        options: '-c timezone=UTC',
      },
    });
    this.orders = new Orders(this.database);
  }

  /** A start does not wait for it. */
  onApplicationBootstrap(): void {
    void this.look();
  }

  async onApplicationShutdown(): Promise<void> {
    this.closed = true;
    await this.looking;
    if (this.database.isInitialized) await this.database.destroy();
  }

  /**
   * The read model, once it has applied everything up to `position` (0: as it is). Null where the standby is out of
   * reach, too far behind, or does not get there within the time: then the primary has to answer.
   */
  async at(position: number, withinMs: number): Promise<Orders | null> {
    if (!this.isGood()) return null;
    try {
      const deadline = performance.now() + withinMs;
      for (let pause = 5; this.reached < position; pause = Math.min(pause * 2, 100)) {
        if ((await this.ask()) >= position) break;
        const left = deadline - performance.now();
        if (left <= 0 || !this.isGood()) return null;
        await delay(Math.min(pause, left));
      }
      return this.orders;
    } catch (error) {
      this.failed(error);
      return null;
    }
  }

  /** An answer could not be had from it: nobody is sent there until a look succeeds. */
  failed(error: unknown): void {
    this.goodUntilMs = -Infinity;
    this.tell(error instanceof Error ? error.message : String(error));
  }

  @Interval('standby', lookEveryMs)
  async look(): Promise<void> {
    if (this.closed) return;
    this.looking ??= this.compare()
      .catch((error: unknown) => this.failed(error))
      .finally(() => (this.looking = null));
    await this.looking;
  }

  /** Whether it answers now, and is not too far behind. */
  isGood(): boolean {
    return performance.now() < this.goodUntilMs;
  }

  /** How late the standby is, by the last position of the primary that it has reached too. */
  private async compare(): Promise<void> {
    if (!this.database.isInitialized) await this.database.initialize();
    const atMs = performance.now();
    this.marks.push({ position: (await readCheckpoint(this.primary, follower)).position, atMs });
    const position = await this.ask();
    while ((this.marks[1]?.position ?? Infinity) <= position) this.marks.shift();
    const [reached] = this.marks;
    const sinceMs = reached && reached.position <= position ? reached.atMs : -Infinity;
    if (this.marks.length > 1000) this.marks.splice(1, 1);
    if (atMs - sinceMs > lagAtMostMs) return this.failed(new Error('it is over five seconds behind the primary'));
    this.goodUntilMs = performance.now() + believedMs;
    this.tell(null);
  }

  /** The position that the standby has reached now; another server, or a restored one, may be behind the last. */
  private async ask(): Promise<number> {
    const rows = await this.database.query<{ position: string }[]>(checkpointText, [follower]);
    return (this.reached = Number(rows[0]?.position ?? 0));
  }

  private tell(trouble: string | null): void {
    if (trouble === this.trouble) return;
    this.trouble = trouble;
    if (trouble === null) this.log.log({ msg: 'the standby answers lists and orders' });
    else this.log.warn({ msg: 'the standby is left out; the primary answers lists and orders', reason: trouble });
  }
}

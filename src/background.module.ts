import {
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { Pool } from 'pg';
import type { EventStore } from './platform/event-store/event-store.pg.js';
import type { IdempotencyKeys } from './platform/http/idempotency.pg.js';
import type { Jobs, TaskHandler } from './platform/jobs/jobs.pg.js';
import type { Follower } from './platform/subscriptions/follower.pg.js';

const hourMs = 3_600_000;

/** Claims its work by the clock, from its first tick on. */
interface Claimer {
  /** Claims nothing more; resolves when what is in hand is done. */
  stop(): Promise<void>;
}

/** Starts and stops what works behind the requests, in the order that loses nothing. */
@Injectable()
export class Background implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    private readonly followers: readonly Follower[],
    private readonly jobs: Jobs,
    private readonly tasks: Readonly<Record<string, TaskHandler>>,
    private readonly claimers: readonly Claimer[],
    private readonly store: EventStore,
    private readonly pool: Pool,
    private readonly idempotency: IdempotencyKeys,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.jobs.start(this.tasks);
    for (const follower of this.followers) follower.start();
  }

  /** Before the server closes: no new work is begun. */
  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.claimers.map((claimer) => claimer.stop()));
    await Promise.all(this.followers.map((follower) => follower.stop()));
    await this.jobs.stop();
  }

  /** After the last request was answered. */
  async onApplicationShutdown(): Promise<void> {
    await this.store.close();
    await this.pool.end();
  }

  @Interval('expire-idempotency-keys', hourMs)
  async expireIdempotencyKeys(): Promise<void> {
    while ((await this.idempotency.expire()) > 0);
  }
}

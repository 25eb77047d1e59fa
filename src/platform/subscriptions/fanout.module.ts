import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { Follower, type FollowerDeps } from './follower.pg.js';
import type { JetStreamReactor } from './jetstream.client.js';

/** Hands the log on to NATS while the process runs. */
export class Fanout implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly follower: Follower;

  constructor(
    deps: FollowerDeps,
    private readonly reactor: JetStreamReactor,
  ) {
    // A page is published while its transaction is open, so it is kept small; NATS that is back is found soon.
    this.follower = new Follower({ ...deps, options: { batchSize: 500, restMs: 5000 } }, reactor);
  }

  onApplicationBootstrap(): void {
    this.follower.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.follower.stop();
    await this.reactor.close();
  }
}

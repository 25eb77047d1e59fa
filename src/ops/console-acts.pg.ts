import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { Refusal } from '../kernel/refusal.js';
import { DatabasePool } from '../platform/database/pool.pg.js';
import { IdempotencyKeys } from '../platform/http/idempotency.pg.js';

/** What an action came to. */
export interface Done {
  /** What the operator is told. */
  notice: string;
  /** Where the operator is led. */
  location: string;
}

const led = 303;
const looks = 50;
const lookEveryMs = 100;

const keyOf = (request: string): string => `console ${request}`;

/** Sees to it that a form that is sent twice acts once. */
@Injectable()
export class ConsoleActs {
  constructor(
    @Inject(IdempotencyKeys) private readonly keys: IdempotencyKeys,
    @Inject(DatabasePool) private readonly pool: Pool,
  ) {}

  /**
   * Acts unless this request has acted, and gives where the first one led; one that still runs is waited for. What
   * failed may be sent again. Throws what `act` throws, and `Refusal('conflict')` where the same request asks for
   * something else or takes too long.
   */
  async once(applicationId: string, request: string, asked: string, act: () => Promise<Done>): Promise<string> {
    const hash = createHash('sha256').update(asked).digest();
    for (let look = 0; look < looks; look++) {
      const claim = await this.keys.claim(applicationId, keyOf(request), hash);
      if (claim.kind === 'replay') return claim.location ?? '/ops';
      if (claim.kind === 'reused')
        throw new Refusal(
          'conflict',
          'This form was sent before, with other content. Look at what it did, and send it anew.',
        );
      if (claim.kind === 'run') return this.run(applicationId, request, act);
      await delay(lookEveryMs);
    }
    throw new Refusal('conflict', 'The same form was sent before and is still being worked on; load this page anew.');
  }

  /** What a request has done lately; null where it has not, or longer than a day ago. */
  async notice(applicationId: string, request: string): Promise<string | null> {
    const { rows } = await this.pool.query<{ body: string }>(
      'select body from idempotency_key where application_id = $1 and key = $2 and status = $3',
      [applicationId, keyOf(request), led],
    );
    return rows[0]?.body ?? null;
  }

  private async run(applicationId: string, request: string, act: () => Promise<Done>): Promise<string> {
    let done: Done;
    try {
      done = await act();
    } catch (error) {
      await this.keys.release(applicationId, keyOf(request));
      throw error;
    }
    const { notice: body, location } = done;
    await this.keys.keep(applicationId, keyOf(request), { status: led, body, location });
    return location;
  }
}

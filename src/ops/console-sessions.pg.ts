import { Inject, Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { addSeconds, Clock } from '../kernel/clock.js';
import { DatabasePool } from '../platform/database/pool.pg.js';
import { hashOf, sessionSeconds } from './console-session.js';

/** The sessions that are open, for all replicas. */
@Injectable()
export class ConsoleSessions {
  constructor(
    @Inject(DatabasePool) private readonly pool: Pool,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** Opens a session for eight hours, and forgets those that are over. */
  async open(id: string, name: string): Promise<void> {
    const now = this.clock.now();
    await this.pool.query(
      `with forgotten as (delete from ops_session where expires_at <= $2)
       insert into ops_session (id_hash, created_at, expires_at, name) values ($1, $2, $3, $4)`,
      [hashOf(id), now, addSeconds(now, sessionSeconds), name],
    );
  }

  /** Whose session it is; null where it is over, or never was. */
  async nameOf(id: string): Promise<string | null> {
    const { rows } = await this.pool.query<{ name: string }>(
      'select name from ops_session where id_hash = $1 and expires_at > $2',
      [hashOf(id), this.clock.now()],
    );
    return rows[0]?.name ?? null;
  }

  /** Ends a session for good, on every replica. */
  async end(id: string): Promise<void> {
    await this.pool.query('delete from ops_session where id_hash = $1', [hashOf(id)]);
  }
}

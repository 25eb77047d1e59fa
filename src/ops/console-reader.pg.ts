import { Inject, Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { DatabasePool } from '../platform/database/pool.pg.js';
import type { Application } from '../platform/http/applications.pg.js';

/** Counting ends here: what is more needs no exact number. */
export const countedAtMost = 1000;

/** What waits for a person, each up to `countedAtMost`. */
export interface Waiting {
  reviews: number;
  callbacks: number;
}

/** What the console's pages ask of the tables, over all applications. */
@Injectable()
export class ConsoleReader {
  constructor(@Inject(DatabasePool) private readonly pool: Pool) {}

  /** Applications in the order of their names, after a name. */
  async applications(after: string, limit: number): Promise<Application[]> {
    const { rows } = await this.pool.query<Application>(
      'select id, name from application where name collate "C" > $1 order by name collate "C" limit $2',
      [after, limit],
    );
    return rows;
  }

  async application(name: string): Promise<Application | null> {
    const { rows } = await this.pool.query<Application>('select id, name from application where name = $1', [name]);
    return rows[0] ?? null;
  }

  async waiting(): Promise<Waiting> {
    const { rows } = await this.pool.query<Waiting>(
      `select (select count(*) from (select from payment_view where review = 'open' limit $1) r)::int as reviews,
              (select count(*) from (select from inbox where status = 'quarantined' limit $1) q)::int as callbacks`,
      [countedAtMost],
    );
    return rows[0] ?? { reviews: 0, callbacks: 0 };
  }
}

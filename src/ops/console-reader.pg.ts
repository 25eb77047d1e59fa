import { Inject, Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { DatabasePool } from '../platform/database/pool.pg.js';
import type { Application } from '../platform/http/applications.pg.js';

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
}

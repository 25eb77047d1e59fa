import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Pool, PoolClient } from 'pg';
import { createPool } from '../../../src/platform/database/database.pg.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../../src/platform/database/embedded-postgres.pg.js';
import { migrate } from '../../../src/platform/database/migrate.pg.js';
import { EventStore } from '../../../src/platform/event-store/event-store.pg.js';
import { LogReader } from '../../../src/platform/event-store/log-reader.pg.js';
import { appendTo } from '../subscriptions/tallies.js';
import { postmasterPid, remove, temporaryDirectory } from '../../support/embedded-postgres.js';
import { newId } from './samples.js';

describe('The log across a crash of the server', () => {
  let dataDir: string;
  let server: EmbeddedPostgres;
  let pool: Pool;
  /** One reader goes on while the server it asks is another one. */
  const reader = new LogReader({
    query: (...question: Parameters<Pool['query']>) => pool.query(...question),
  } as unknown as Pool);

  const start = async (): Promise<void> => {
    server = await startEmbeddedPostgres({ dataDir, database: 'finality' });
    pool = createPool(server.url, { max: 4 });
  };
  const crash = async (lost: PoolClient): Promise<void> => {
    process.kill(await postmasterPid(server.directory), 'SIGKILL');
    lost.release(true);
    await pool.end();
  };
  /** An event in a transaction that stays open; gives the position that it drew. */
  const draw = async (client: PoolClient): Promise<number> => {
    await client.query('begin');
    const { rows } = await client.query<{ position: string }>(
      `insert into event (stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash)
       values ($1, 1, $1, 'Happened', 1, now(), $1, 'a', $1, $1, '{}', $2) returning position`,
      [newId(), Buffer.alloc(32)],
    );
    return Number(rows[0]?.position);
  };
  /** Appends until the next position is the first that the sequence has not written ahead for. */
  const upToTheEdge = async (): Promise<number> => {
    const store = new EventStore({ url: server.url });
    for (;;) {
      const last = await appendTo(store);
      const { rows } = await pool.query<{ ahead: number }>('select log_cnt::int as ahead from event_position_seq');
      if (rows[0]?.ahead === 0) {
        await store.close();
        return last;
      }
    }
  };

  beforeAll(async () => {
    dataDir = await temporaryDirectory();
    await start();
    await migrate(server.url);
  });
  afterAll(async () => {
    await pool.end();
    await server.stop();
    await remove(dataDir);
  });

  it('is not believed past a position that the dead server had drawn and the new one draws again', async () => {
    for (let attempt = 1; ; attempt++) {
      const last = await upToTheEdge();
      expect(await reader.watermark()).toBe(last);
      const lost = await pool.connect();
      lost.on('error', () => undefined);
      const drawn = await draw(lost);
      // It has seen the position and whoever drew it.
      expect(await reader.watermark()).toBe(last);
      await crash(lost);
      await start();
      const writer = await pool.connect();
      const again = await draw(writer);
      // The server writes what it has in memory several times a second: the position may have been kept after all.
      const isRedrawn = again === drawn;
      const seen = await reader.watermark();
      await writer.query('rollback');
      writer.release();
      if (!isRedrawn && attempt < 10) continue;
      expect(isRedrawn).toBe(true);
      expect(seen).toBeLessThan(drawn);
      expect(reader.crashes).toBe(attempt);
      return;
    }
  }, 60_000);
});

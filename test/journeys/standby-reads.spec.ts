import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPool } from '../../src/platform/database/database.pg.js';
import { migrate } from '../../src/platform/database/migrate.pg.js';
import type { TestDatabase } from '../support/database.js';
import { remove, temporaryDirectory } from '../support/embedded-postgres.js';
import { query, startPair, type Pair } from '../support/pair.mjs';
import { scrape } from '../support/scrape.js';
import { startTestService, until, type TestService } from '../support/service.js';

let directory: string;
let pair: Pair;
let database: TestDatabase;
let shop: TestService;

beforeAll(async () => {
  directory = await temporaryDirectory();
  pair = await startPair(directory);
  const { url } = pair.primary;
  await migrate(url);
  const pool = createPool(url);
  database = { url, pool, drop: () => pool.end() };
  shop = await startTestService({
    database,
    env: { DATABASE_URL: url, DATABASE_STANDBY_URL: pair.standby.url },
  });
}, 60_000);
afterAll(async () => {
  await shop.close();
  await database.drop();
  await pair.stop();
  await remove(directory);
});

/** Lists that each server has answered so far. */
const answered = async (server: 'standby' | 'primary'): Promise<number> =>
  (await scrape(shop.url)).sum('finality_list_reads_total', { server }) ?? NaN;

const create = async (orderId: string): Promise<number> =>
  (await shop.api('POST', '/v1/payments', { orderId, amount: '10.00', currency: 'USD' })).body.position as number;

/** Whether the list and the order show a payment, asked for by the position that its create was answered with. */
const shows = async (orderId: string, position: number): Promise<boolean> => {
  const list = await shop.api('GET', `/v1/payments?orderId=${orderId}&minPosition=${String(position)}`);
  const order = await shop.api('GET', `/v1/orders/${orderId}?minPosition=${String(position)}`);
  return list.body.items.length === 1 && order.body.payments.length === 1;
};

describe('Lists and orders on a standby', () => {
  it('show what the caller has just written, and come from the standby', async () => {
    await until(
      async () => (await shop.api('GET', '/v1/payments')).status === 200 && (await answered('standby')) > 0,
      10_000,
    );
    const before = await answered('primary');
    for (let n = 0; n < 20; n += 1) {
      const position = await create(`read-${String(n)}`);
      expect(await shows(`read-${String(n)}`, position)).toBe(true);
    }
    expect(await answered('primary')).toBe(before);
    expect(await answered('standby')).toBeGreaterThanOrEqual(40);
  });

  it('come from the primary where the standby is too late for the caller', async () => {
    await query(pair.standby.url, 'select pg_wal_replay_pause()');
    const before = await answered('primary');
    expect(await shows('late', await create('late'))).toBe(true);
    expect(await answered('primary')).toBe(before + 2);
    await query(pair.standby.url, 'select pg_wal_replay_resume()');
  });

  it('come from the primary while the standby is away, and from the standby when it is back', async () => {
    await pair.standby.kill();
    const [before, failed] = [await answered('standby'), await create('away')];
    expect(await shows('away', failed)).toBe(true);
    expect(await answered('standby')).toBe(before);
    const { username, password, hostname, port } = new URL(pair.primary.url);
    await pair.standby.start({
      primary_conninfo: `host=${hostname} port=${port} user=${username} password=${password}`,
    });
    await until(async () => {
      expect(await shows('away', failed)).toBe(true);
      return (await answered('standby')) > before || null;
    }, 10_000);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CallbackRejections } from '../../src/callbacks/callback-rejections.pg.js';
import { SystemClock } from '../../src/platform/clock.js';
import { createPool } from '../../src/platform/database/database.pg.js';
import { testDatabase, type TestDatabase } from '../support/database.js';
import { startTestService } from '../support/service.js';
import { failingDatabase } from './failing-database.js';
import { said } from './support.js';

describe('Callbacks that are turned away', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await testDatabase();
  });
  afterAll(() => database.drop());

  const counted = async (): Promise<Record<string, number>> => {
    const { rows } = await database.pool.query<{ at: string; count: number }>(
      `select to_char(hour, 'HH24') || ' ' || reason as at, count from callback_rejection order by hour, reason`,
    );
    return Object.fromEntries(rows.map(({ at, count }) => [at, count]));
  };
  const clockAt = (time: string): SystemClock => new SystemClock(Date.parse(time) - Date.now());

  it('are counted by hour and reason, over all processes together', async () => {
    const clock = clockAt('2026-01-31T11:59:50Z');
    const [one, other] = [new CallbackRejections(database.pool, clock), new CallbackRejections(database.pool, clock)];
    one.count('wrong_signature');
    other.count('wrong_signature');
    other.count('too_large');
    await Promise.all([one.flush(), other.flush(), one.flush()]);
    clock.advance(60);
    one.count('wrong_signature');
    await one.flush();
    expect(await counted()).toEqual({ '11 too_large': 1, '11 wrong_signature': 2, '12 wrong_signature': 1 });
  });

  it('go on being counted while the database is away, and are written when it is back', async () => {
    const way = await failingDatabase(database.url);
    const pool = createPool(way.url, { applicationName: 'finality-test' });
    const rejections = new CallbackRejections(pool, clockAt('2026-01-31T13:30:00Z'));
    way.set('down');
    rejections.count('no_signature');
    await rejections.flush();
    rejections.count('no_signature');
    await rejections.flush();
    expect(await counted()).not.toHaveProperty('13 no_signature');
    way.set('up');
    await rejections.flush();
    await rejections.flush();
    expect(await counted()).toMatchObject({ '13 no_signature': 2 });
    await pool.end();
    await way.close();
  });

  it('are all written when the service stops, and leave nothing else', async () => {
    const own = await testDatabase();
    const shop = await startTestService({ sandbox: false, database: own });
    const key = 'somebody-elses-key';
    const answers = await Promise.all(
      [1, 2, 3].map((n) => shop.callback(said({ id: 'x', trackId: String(n) }), { key })),
    );
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401]);
    await shop.close();
    const { rows } = await own.pool.query('select reason, sum(count)::int as count from callback_rejection group by 1');
    expect(rows).toEqual([{ reason: 'wrong_signature', count: 3 }]);
    expect((await own.pool.query('select from inbox')).rows).toEqual([]);
    await own.drop();
  });
});

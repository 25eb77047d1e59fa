import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { addMinutes, addSeconds } from '../../src/kernel/clock.js';
import { Looks, type Look } from '../../src/payments/looks.pg.js';
import { inTransaction } from '../../src/platform/database/database.pg.js';
import { testDatabase, type TestDatabase } from '../support/database.js';

const now = '2026-01-31T12:00:00.000Z';
const lease = addSeconds(now, 45);

describe('The looks at payments', () => {
  let database: TestDatabase;
  let looks: Looks;
  beforeAll(async () => {
    database = await testDatabase();
    looks = new Looks(database.pool);
  });
  afterAll(() => database.drop());
  beforeEach(() => database.pool.query('truncate look'));

  const schedule = async (look: Partial<Look>): Promise<string> => {
    const id = randomUUID();
    await inTransaction(database.pool, (tx) =>
      looks.schedule(tx, new Map([[id, { at: now, urgent: false, ...look }]])),
    );
    return id;
  };
  const dueAt = async (id: string): Promise<string | null> =>
    (await database.pool.query<{ due_at: string }>('select due_at from look where stream_id = $1', [id])).rows[0]
      ?.due_at ?? null;

  /** Index entries of looks that were read so far, as the server counts them. */
  const rowsRead = async (): Promise<number> => {
    await database.pool.query('select pg_stat_force_next_flush()');
    const { rows } = await database.pool.query<{ read: string }>(
      `select coalesce(sum(idx_tup_read), 0) as read from pg_stat_user_indexes where relname = 'look'`,
    );
    return Number(rows[0]?.read ?? 0);
  };

  it('are taken urgent ones first, then those nearest to their deadline, on either side of it', async () => {
    const far = await schedule({ deadline: addMinutes(now, 600) });
    const longOver = await schedule({ deadline: addMinutes(now, -3000) });
    const near = await schedule({ deadline: addMinutes(now, 2) });
    const justOver = await schedule({ deadline: addMinutes(now, -5) });
    const urgent = await schedule({ urgent: true, deadline: addMinutes(now, 900) });
    const order: string[] = [];
    for (let n = 0; n < 5; n++) order.push(...(await looks.claim(now, lease, 1)).map(({ id }) => id));
    expect(order).toEqual([urgent, near, justOver, far, longOver]);
    expect(await looks.claim(now, lease, 10)).toEqual([]);
  });

  it('LD: are claimed by reading no more than a bounded number of them, however many are due', async () => {
    await database.pool.query(
      `insert into look (stream_id, due_at, urgent, deadline)
       select gen_random_uuid(), $1::timestamptz - n * interval '1 second', n % 2 = 0, $1 from generate_series(1, 20000) n`,
      [now],
    );
    await database.pool.query('analyze look');
    const oldest = await schedule({ urgent: true, at: addMinutes(now, -6000), deadline: now });
    const { rows } = await database.pool.query<{ waited: string; claimed: number }>(
      `select max(due_at)::text as waited, count(*)::int as claimed from look where urgent and due_at <= $1`,
      [now],
    );
    expect(rows[0]?.claimed).toBe(10_001);
    const before = await rowsRead();
    expect((await looks.claim(now, lease, 3)).length).toBe(3);
    expect((await rowsRead()) - before).toBeLessThan(5000);
    // Among so many the one that waited longest has its turn.
    await looks.claim(now, lease, 500);
    expect(await dueAt(oldest)).toBe(lease);
  });

  it('stand where one was asked for while another was under way', async () => {
    const id = await schedule({});
    await looks.claim(now, lease, 1);
    await looks.dueNow(id, now);
    await looks.done(new Map([[id, addMinutes(now, 60)]]), lease);
    expect(await dueAt(id)).toBe(now);
  });

  it('are put off by an answer that told of them only where nobody waits for them', async () => {
    const [later, due, urgent] = [
      await schedule({ at: addMinutes(now, 1) }),
      await schedule({}),
      await schedule({ at: addMinutes(now, 1), urgent: true }),
    ];
    const next = addMinutes(now, 60);
    await looks.seen(new Map([later, due, urgent].map((id) => [id, next])), now);
    expect([await dueAt(later), await dueAt(due), await dueAt(urgent)]).toEqual([next, now, addMinutes(now, 1)]);
  });

  it('keep the age and the deadline of their payment, whatever is scheduled after it', async () => {
    const id = await schedule({ createdAt: addMinutes(now, -10), deadline: addMinutes(now, 50) });
    await inTransaction(database.pool, (tx) => looks.schedule(tx, new Map([[id, { at: now, urgent: false }]])));
    expect(await looks.claim(now, lease, 1)).toEqual([{ id, createdAt: addMinutes(now, -10) }]);
    const { rows } = await database.pool.query<{ deadline: string }>('select deadline from look');
    expect(rows).toEqual([{ deadline: addMinutes(now, 50) }]);
  });
});

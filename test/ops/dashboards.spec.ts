import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { askNumbers } from '../../src/ops/dashboard-questions.pg.js';
import { ranges, windowOf, type Range } from '../../src/ops/dashboard-window.js';
import { durationOf, histogram, percentile } from '../../src/ops/dashboard-bins.js';
import { inTransaction } from '../../src/platform/database/database.pg.js';
import { addOther, created, type RawAnswer } from '../api/support.js';
import { testDatabase, type TestDatabase } from '../support/database.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { get, logIn, words } from './console-browser.js';
import { generatePast } from './generated-past.js';

/** The numbers of a table that a plot is drawn from, by column, added up. */
function sumsOf({ text }: RawAnswer, id: string): Record<string, number> {
  const [, figure = ''] = new RegExp(`<figure[^>]* id="${id}"[^]*?>([^]*?)</figure>`).exec(text) ?? [];
  const names = [...figure.matchAll(/<th scope="col" data-series="\d+">([^<]+)</g)].map(([, name]) => name ?? '');
  const rows = [...figure.matchAll(/<tr>\s*<th scope="row">[^]*?<\/tr>/g)].map(([row]) =>
    [...row.matchAll(/data-value="([\d.]+)"/g)].map(([, value]) => Number(value)),
  );
  return Object.fromEntries(names.map((name, at) => [name, rows.reduce((all, row) => all + (row[at] ?? 0), 0)]));
}

/** What stands beside a name in a table of shares or as a key figure. */
const besideIn = (page: RawAnswer, name: string): string =>
  new RegExp(`${name} ([\\d.,–]+(?: %)?) `).exec(words(page))?.[1] ?? '';

describe('The dashboards', () => {
  let shop: TestService;
  let cookie: string;
  const show = (query: string): Promise<RawAnswer> => get(shop, `/ops/dashboards${query}`, cookie);
  beforeAll(async () => {
    shop = await startTestService();
    await addOther(shop);
    cookie = await logIn(shop);
    for (const [orderId, scenario] of [
      ['exact-1', 'exact'],
      ['exact-2', 'exact'],
      ['over-1', 'overpaid'],
      ['short-1', 'underpaid'],
      ['untouched', null],
    ] as const) {
      const { trackId } = await created(shop, orderId, {
        amount: '50.00',
        currency: orderId === 'exact-2' ? 'EUR' : 'USD',
      });
      if (scenario !== null) await shop.control(`/_sandbox/scenarios/${scenario}`, { trackId });
    }
    await shop.control('/_sandbox/clock/advance', { seconds: 3700 });
    await until(async () => (await shop.api('GET', '/v1/payments?status=expired')).body.items.length === 2, 15_000);
    await created(shop, 'open-1', { amount: '10.00' });
    const wrong = await shop.callback('{"track_id":"1"}', { headers: { hmac: 'no' } });
    expect(wrong.status).toBe(401);
    await until(async () => {
      const { rows } = await shop.database.pool.query('select from payment_view where order_id = $1', ['open-1']);
      return rows.length === 1;
    });
    await until(async () => (await shop.database.pool.query('select from callback_rejection')).rows.length > 0, 10_000);
  }, 60_000);
  afterAll(() => shop.close());

  it('add up to what the API says of the same payments', async () => {
    const page = await show('?range=24h');
    const { body } = await shop.api('GET', '/v1/payments?limit=100');
    const count = (fits: (payment: any) => boolean): number => body.items.filter(fits).length;
    expect(sumsOf(page, 'outcomes')).toEqual({
      Paid: count(({ status }) => status === 'paid'),
      Open: count(({ status }) => status === 'created' || status === 'pending'),
      'Expired, no money': count(({ status, received }) => status === 'expired' && received === '0.00'),
      'Expired, short': count(({ status, received }) => status === 'expired' && received !== '0.00'),
    });
    expect(besideIn(page, 'Created')).toBe(String(body.items.length));
    for (const label of ['overpaid', 'underpaid', 'sandbox'])
      expect([label, besideIn(page, label)]).toEqual([label, String(count(({ labels }) => labels.includes(label)))]);
    for (const currency of ['USD', 'EUR'])
      expect(besideIn(page, currency)).toBe(String(count((payment) => payment.currency === currency)));
  });

  it('tell how long each payment took that is paid, from its request and from the first money', async () => {
    const page = await show('?range=24h');
    const { body } = await shop.api('GET', '/v1/payments?status=paid');
    expect(sumsOf(page, 'from-created')).toEqual({ Payments: body.items.length });
    expect(sumsOf(page, 'from-detected')).toEqual({ Payments: body.items.length });
    const { rows } = await shop.database.pool.query(
      `select order_id, paid_at, state -> 'payment' ->> 'paidAt' as said, first_seen_at,
         state -> 'payment' -> 'money' -> 'transfers' -> 0 ->> 'firstSeenAt' as seen from payment_view where status = 'paid'`,
    );
    for (const { paid_at, said, first_seen_at, seen } of rows) expect([paid_at, first_seen_at]).toEqual([said, seen]);
    const longest = body.items.map((each: any) => (Date.parse(each.paidAt) - Date.parse(each.createdAt)) / 1000);
    const [, p99 = ''] = /p99 from created ([\d.]+ s)/.exec(words(page)) ?? [];
    const told = parseFloat(p99);
    expect(Math.abs(told - Math.max(...longest)) / Math.max(...longest, 0.01)).toBeLessThan(0.15);
  });

  it('count callbacks by what became of them, and failures by cause', async () => {
    const page = await show('?range=24h');
    const { rows } = await shop.database.pool.query<{ applied: number }>(
      `select count(*)::int as applied from inbox where source = 'callback:default' and status = 'applied'`,
    );
    expect(sumsOf(page, 'callbacks')).toEqual({ Applied: rows[0]?.applied, Rejected: 1 });
    expect(words(page)).toContain('Callbacks: rejected, wrong signature 1');
    expect(words(page)).toMatch(/From receipt to commit: half within [\d.]+ s/);
    const events = await shop.database.pool.query<{ reviews: number }>(
      `select count(*)::int as reviews from event where type = 'ReviewOpened'`,
    );
    expect(sumsOf(page, 'failures-over-time')['Decisions'] ?? 0).toBe(events.rows[0]?.reviews);
  });

  it('are of one application where one is asked for', async () => {
    const own = await show('?range=24h&application=default');
    expect(besideIn(own, 'Created')).toBe('6');
    const other = await show('?range=24h&application=other');
    expect(besideIn(other, 'Created')).toBe('0');
    expect(words(other)).toContain('No payments in this range.');
    expect(words(other)).not.toContain('wrong signature');
    expect(other.text).toMatch(/<option value="other"\s+selected/);
  });

  it('say what they are of, and refuse what they cannot be of', async () => {
    for (const range of Object.keys(ranges)) {
      const page = await show(`?range=${range}`);
      expect(page.status).toBe(200);
      expect(page.text).toMatch(new RegExp(`aria-current="true"\\s*>${ranges[range as Range].words}<`));
      expect(words(page)).toMatch(/As of \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
    }
    for (const [query, status] of [
      ['?range=1y', 400],
      ['?range=24h&range=7d', 400],
      ['?range=__proto__', 400],
      ['?application=nobody', 404],
      ['?application=a&application=b', 404],
    ] as const)
      expect([query, (await show(query)).status]).toEqual([query, status]);
    expect((await get(shop, '/ops/dashboards')).status).toBe(303);
  });

  it('A35 carry no script of the page, and nothing of what others wrote as markup', async () => {
    const page = await show('?range=24h');
    expect(page.text).not.toMatch(/<script(?![^>]* src="\/assets\/)|\sstyle=|\son\w+=/i);
    expect(page.text.match(/<script/g)).toHaveLength(2);
  });

  it('are asked of the database once in half a minute', async () => {
    const first = await show('?range=7d');
    const before = besideIn(first, 'Created');
    await created(shop, 'after-the-question', { amount: '10.00' });
    expect(besideIn(await show('?range=7d'), 'Created')).toBe(before);
  });
});

describe('The dashboards over a long past', () => {
  let database: TestDatabase;
  const application = '0190a6b2-0000-7000-8000-00000000aaaa';
  const now = '2026-05-20T10:30:00.000Z';
  beforeAll(async () => {
    database = await testDatabase();
    await database.pool.query('insert into application values ($1, $2, $3)', [application, 'past', now]);
    await generatePast(database.pool, { now, days: 180, payments: 8000, application });
    for (const table of ['payment_view', 'inbox', 'webhook_attempt', 'webhook_delivery', 'event'])
      await database.pool.query(`vacuum analyze ${table}`);
  }, 120_000);
  afterAll(() => database.drop());

  it('count every payment of the window once, and those of the time before', async () => {
    for (const range of Object.keys(ranges) as Range[]) {
      const window = windowOf(range, now);
      const { payments, attempts, delivered, dead } = await inTransaction(database.pool, (client) =>
        askNumbers(client, window, null),
      );
      const sum = (rows: readonly { bucket: number; count: number }[], isNow: boolean): number =>
        rows.filter(({ bucket }) => bucket >= 0 === isNow).reduce((all, { count }) => all + count, 0);
      const exact = async (table: string, at: string, from: string, to: string): Promise<number> => {
        const text = `select count(*)::int as n from ${table} where ${at} >= $1 and ${at} < $2`;
        return (await database.pool.query<{ n: number }>(text, [from, to])).rows[0]?.n ?? -1;
      };
      const { before, from, to } = window;
      expect(sum(payments, true)).toBe(await exact('payment_view', 'created_at', from, to));
      expect(sum(payments, false)).toBe(await exact('payment_view', 'created_at', before.from, before.to));
      expect(sum(attempts, true)).toBe(await exact('webhook_attempt', 'attempted_at', from, to));
      expect(sum([...delivered, ...dead], true)).toBe(await exact('webhook_delivery', 'ended_at', from, to));
      const last = ranges[range].buckets - 1;
      expect(payments.every(({ bucket }) => Number.isInteger(bucket) && bucket >= -1 && bucket <= last)).toBe(true);
    }
  });

  it('are answered in time, and by an index where the range is short', async () => {
    const began = performance.now();
    await inTransaction(database.pool, (client) => askNumbers(client, windowOf('90d', now), null));
    expect(performance.now() - began).toBeLessThan(2500);
    const scanned: string[] = [];
    await inTransaction(database.pool, async (client) => {
      const spied = {
        query: async (text: string, values: unknown[]) => {
          const { rows } = await client.query<Record<string, string>>(`explain ${text}`, values);
          scanned.push(...rows.map((row) => row['QUERY PLAN'] ?? '').filter((line) => /Seq Scan/.test(line)));
          return { rows: [] };
        },
      };
      await askNumbers(spied as unknown as Parameters<typeof askNumbers>[0], windowOf('24h', now), null);
    });
    expect(scanned.filter((line) => !/on (application|callback_rejection|endpoint)/.test(line))).toEqual([]);
  });
});

describe('Times in bins', () => {
  it('are told within 5 percent', () => {
    const bins = (times: number[]) => times.map((s) => ({ bin: Math.floor(Math.log(s) / Math.log(1.1)), count: 1 }));
    const times = Array.from({ length: 1000 }, (_, at) => 0.05 * Math.pow(1.012, at));
    for (const share of [0.5, 0.9, 0.99]) {
      const exact = times[Math.ceil(share * times.length) - 1] ?? 0;
      expect(Math.abs((percentile(bins(times), share) ?? 0) / exact - 1)).toBeLessThan(0.05);
    }
    expect(percentile([], 0.5)).toBeNull();
    expect(histogram(bins(times)).reduce((all, { count }) => all + count, 0)).toBe(1000);
  });

  it('are said as people say them', () => {
    expect([0.004, 0.24, 12.3, 90, 3600, 129_600].map(durationOf)).toEqual([
      '0 s',
      '0.24 s',
      '12 s',
      '1.5 min',
      '1 h',
      '1.5 d',
    ]);
  });
});

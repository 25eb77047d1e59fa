import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { v7 } from 'uuid';
import { cellsOf, firstIdAt, paymentColumns, paymentRow, safeText } from '../../src/ops/payment-rows.js';
import { decimalsOf } from '../../src/kernel/money.js';
import { Decimal, plain, sum } from '../../src/payments/decimal.js';
import { addOther, asOther } from '../api/support.js';
import { lives } from '../payments/lifecycle-acts.js';
import { liveOn } from '../payments/lifecycle-model.js';
import { seed } from '../payments/seed.js';
import { startTestService, until, type TestService } from '../support/service.js';

interface Run {
  code: number;
  out: string;
  err: string;
}
type Row = Record<string, string>;

/** How much `units × rate` may differ from what it stands for: less than half of the last decimal. */
const isWorth = (units: string, rate: string, worth: string, currency: string): boolean => {
  const digits = Math.min(decimalsOf(currency), 8);
  const last = new Decimal(`1e-${String(digits)}`);
  return new Decimal(units).times(rate).minus(worth).abs().lt(last.div('2'));
};

describe('The row of a payment, whatever has happened to it', () => {
  it('reconciles: shares come to what was received, transfers too, and amount by rate gives the worth', () => {
    let [paid, mixed, estimated] = [0, 0, 0];
    fc.assert(
      fc.property(lives, (life) => {
        const { payment } = liveOn(life, () => undefined);
        const row = paymentRow(payment, 'shop');
        const { received, allocation, currency, rate, paidAmount, transfers } = row;
        if (allocation !== null) expect(plain(sum(Object.values(allocation)))).toBe(plain(new Decimal(received ?? '')));
        const live = transfers.filter(({ status }) => status !== 'failed');
        const worths = live.map(({ worth }) => worth).filter((worth) => worth !== null);
        if (received !== null && worths.length === live.length && live.length > 0)
          expect(plain(sum(worths))).toBe(plain(new Decimal(received)));
        for (const transfer of live)
          if (transfer.rate !== null && transfer.worth !== null)
            expect(isWorth(transfer.sentAmount, transfer.rate, transfer.worth, currency)).toBe(true);
        if (rate !== null && paidAmount !== null) {
          expect(isWorth(paidAmount, rate, received ?? '', currency)).toBe(true);
          expect(plain(sum(live.map(({ sentAmount }) => sentAmount)))).toBe(paidAmount);
          paid += 1;
        }
        mixed += row.mixed ? 1 : 0;
        estimated += row.rateSource === 'recorded_price' ? 1 : 0;
        expect(cellsOf(paymentColumns, row)).toHaveLength(paymentColumns.length);
      }),
      { seed, numRuns: 400 },
    );
    // The histories have what the rule is about.
    expect([paid > 50, mixed > 5, estimated > 5]).toEqual([true, true, true]);
  });

  it('A36: is text wherever a spreadsheet would take it for a formula', () => {
    const dangerous = ['=1+1', '+1', '-1+1', '@SUM(A1)', '\t=1', '\r=1', '\n=1', '  =1', '\u00a0=1', '\ufeff@x', '\uff1d1', '\uff0b1', '\uff0d1', '\uff20x', '\u202e=1']; // prettier-ignore
    expect(dangerous.filter((text) => !safeText(text).startsWith("'"))).toEqual([]);
    const harmless = ['order-1', '1-1', 'a=b', 'x@shop.example', "'quoted'", ' a', ''];
    expect(harmless.map(safeText)).toEqual(harmless);
  });

  it('A36: keeps money a number, also where it is less than nothing, and nothing else', () => {
    const columns = [
      { name: 'delta', of: () => '-20.00', money: true as const },
      { name: 'odd', of: () => '-20.00+1', money: true as const },
      { name: 'order_id', of: () => '-20.00' },
    ];
    expect(cellsOf(columns, null)).toEqual(['-20.00', "'-20.00+1", "'-20.00"]);
  });

  it('knows the least id that is given out at a moment', () => {
    const time = '2026-01-31T12:00:00.000Z';
    const id = v7({ msecs: Date.parse(time) });
    expect([firstIdAt(time) <= id, id < firstIdAt('2026-01-31T12:00:00.001Z')]).toEqual([true, true]);
  });
});

describe('finality export', () => {
  let shop: TestService;
  let directory: string;
  const ids: Record<string, string> = {};
  const hostile = [
    "=cmd|'/C calc'!A0",
    '+1',
    '-1+1',
    '@SUM(A1:A9)',
    '  =1+1',
    'with "quotes", and commas',
    '\u202e=gnp.exe',
    'Zürich 東京',
  ];

  const env = (): NodeJS.ProcessEnv => ({
    ...process.env,
    NODE_OPTIONS: '',
    DATABASE_URL: shop.database.url,
    SANDBOX_PORT: String(shop.config.sandboxPort),
  });
  const finality = (...args: string[]): Promise<Run> =>
    new Promise((resolve) => {
      const options = { env: env(), timeout: 60_000, maxBuffer: 64 * 1024 * 1024 };
      execFile(process.execPath, ['dist/cli.js', ...args], options, (error, out, err) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err });
      });
    });
  const table = (out: string): Row[] => parse(out, { bom: true, columns: true, record_delimiter: '\r\n' });
  const create = async (orderId: string, wish = {}, headers = {}): Promise<{ id: string; trackId: string }> => {
    const body = { orderId, amount: '50.00', currency: 'USD', ...wish };
    const answer = await shop.api('POST', '/v1/payments', body, headers);
    expect(answer.status).toBe(201);
    return answer.body as { id: string; trackId: string };
  };
  const play = async (name: string, wish = {}): Promise<void> => {
    const { id, trackId } = await create(name, wish);
    ids[name] = id;
    await shop.control(`/_sandbox/scenarios/${name}`, { trackId });
  };
  const seen = (name: string, is: (body: Record<string, unknown>) => boolean): Promise<unknown> =>
    until(async () => is((await shop.api('GET', `/v1/payments/${ids[name] ?? ''}`)).body), 10_000);

  /** Many more payments like one that there is, a thousand at a time. */
  const multiply = async (id: string, thousands: number): Promise<void> => {
    for (let n = 0; n < thousands; n++)
      await shop.database.pool.query(
        `insert into event (stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash)
         select copy.id, version, gen_random_uuid(), type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id,
           replace(data::text, $1, copy.id::text)::json, hash
         from generate_series($2::int * 1000 + 1, $2::int * 1000 + 1000) n,
           lateral (select ('01970000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid as id) copy, event
         where stream_id = $1::text::uuid`,
        [id, n],
      );
  };

  beforeAll(async () => {
    shop = await startTestService();
    directory = await mkdtemp(join(tmpdir(), 'finality-export-'));
    await addOther(shop);
    await play('exact');
    await play('overpaid', { customerId: 'customer-7' });
    await play('mixed');
    await play('underpaid', { currency: 'EUR' });
    await play('no_callbacks');
    for (const orderId of hostile) await create(orderId);
    ids['other'] = (await create('theirs', {}, asOther)).id;
    await seen('exact', ({ fulfillable }) => fulfillable === true);
    await seen('overpaid', ({ labels }) => (labels as string[]).includes('credited'));
    await seen('mixed', ({ status }) => status === 'paid');
    await seen('underpaid', ({ progress }) => progress === 'partially_paid');
    await shop.control('/_sandbox/clock/advance', { seconds: 3700 });
    await seen('underpaid', ({ status }) => status === 'expired');
    await seen('no_callbacks', ({ status }) => status === 'paid');
  });
  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
    await shop.close();
  });

  it('has every payment of every status, with both currencies and the rate', async () => {
    const { code, out } = await finality('export', '--format', 'csv');
    expect(code).toBe(0);
    expect(out.startsWith('\ufeffpayment_id,')).toBe(true);
    const rows = table(out);
    expect(rows).toHaveLength(6 + hostile.length);
    const of = (name: string): Row | undefined => rows.find((row) => row['payment_id'] === ids[name]);
    expect(of('exact')).toMatchObject({ status: 'paid', amount: '50.00', received: '50.00', delta: '0.00', applied: '50.00', paid_currency: 'USDT', paid_amount: '50', rate: '1', rate_source: 'gateway', transfers: '1' }); // prettier-ignore
    expect(of('underpaid')).toMatchObject({ status: 'expired', currency: 'EUR', received: '30.00', delta: '-20.00', unallocated: '30.00', labels: 'underpaid sandbox' }); // prettier-ignore
    expect(of('overpaid')).toMatchObject({ status: 'paid', applied: '50.00', customer_id: 'customer-7', kept: '0.00' });
    expect(new Decimal(of('overpaid')?.['credited'] ?? '0').gt('0')).toBe(true);
    expect(of('mixed')).toMatchObject({ paid_currency: 'mixed', paid_amount: '', rate: '', transfers: '2', received: '50.00' }); // prettier-ignore
    expect(of('no_callbacks')).toMatchObject({ status: 'paid', estimated: 'true', rate_source: 'recorded_price' });
    expect(of('other')).toMatchObject({ application: 'other', status: 'expired', paid_currency: '', rate: '' });
  });

  it('A36: order ids of any kind come back whole, and none is a formula', async () => {
    const rows = table((await finality('export', '--format', 'csv', '--application', 'default')).out);
    const told = rows.map((row) => row['order_id'] ?? '').filter((text) => hostile.some((id) => text.includes(id)));
    expect(told.map((text) => text.replace(/^'/, '')).sort()).toEqual([...hostile].sort());
    expect(told.filter((text) => /^\s*[=+\-@]/.test(text))).toEqual([]);
    expect(rows.find((row) => row['order_id'] === 'theirs')).toBeUndefined();
  });

  it('tells each transaction of a payment in several coins, and nothing is lost between them', async () => {
    const all = table((await finality('export', '--format', 'csv', '--transfers')).out);
    const rows = all.filter((row) => row['payment_id'] === ids['mixed']);
    expect(new Set(rows.map(({ coin }) => coin)).size).toBe(2);
    expect(plain(sum(rows.map((row) => row['worth'] ?? '0')))).toBe('50');
    for (const { sent_amount = '', rate = '', worth = '' } of rows)
      expect(isWorth(sent_amount, rate, worth, 'USD')).toBe(true);
  });

  it('as JSON is one array, with transfers and refunds within', async () => {
    const { out } = await finality('export', '--json');
    const rows = JSON.parse(out) as { id: string; transfers: unknown[]; refunds: unknown[]; orderId: string }[];
    expect(rows).toHaveLength(6 + hostile.length);
    expect(rows.find(({ id }) => id === ids['mixed'])).toMatchObject({ mixed: true, transfers: [{}, {}], refunds: [] });
    expect(out).not.toContain('\u202e');
    expect(rows.map(({ orderId }) => orderId)).toEqual(expect.arrayContaining(hostile));
  });

  it('takes from one time to before another, and an empty span is an empty report', async () => {
    const all = JSON.parse((await finality('export', '--format', 'json')).out) as { id: string; createdAt: string }[];
    const times = all.map(({ createdAt }) => createdAt).sort();
    const [from = '', to = ''] = [times[2], times[5]];
    const some = JSON.parse(
      (await finality('export', '--format', 'json', '--from', from, '--to', to)).out,
    ) as unknown[];
    expect(some).toEqual(all.filter(({ createdAt }) => createdAt >= from && createdAt < to));
    expect(JSON.parse((await finality('export', '--json', '--to', '2001-01-01')).out)).toEqual([]);
    expect(table((await finality('export', '--format', 'csv', '--to', '2001-01-01')).out)).toEqual([]);
  }, 60_000);

  it('writes a file that is whole or not there, for its owner alone', async () => {
    const file = join(directory, 'all.csv');
    const { code, out } = await finality('export', '--format', 'csv', '--output', file);
    expect([code, out]).toEqual([0, `${String(6 + hostile.length)} payments written to ${file}.\n`]);
    expect(table(await readFile(file, 'utf8'))).toHaveLength(6 + hostile.length);
    expect((await stat(file)).mode & 0o077).toBe(0);
    expect(await readdir(directory)).toEqual(['all.csv']);
  });

  it.each([
    [[], 64, 'give --format csv or --format json'],
    [['--format', 'xml'], 64, 'Allowed choices are csv, json'],
    [['--format', 'csv', '--from', 'yesterday'], 64, '--from takes an RFC 3339 time'],
    [['--format', 'csv', '--application', 'nobody'], 64, 'There is no application "nobody"; there are: default, other'],
    [['--format', 'csv', '--output', '/nowhere/at/all.csv'], 64, '--output: ENOENT'],
  ])('answers %j with exit code %d and a sentence', async (args, exit, sentence) => {
    const { code, err } = await finality('export', ...args);
    expect([code, err]).toEqual([exit, expect.stringContaining(sentence)]);
  });

  describe('of very many payments', () => {
    beforeAll(() => multiply(ids['exact'] ?? '', 8), 60_000);

    /** Starts it, does something once the first rows are there, and waits for its end. */
    const cutShort = (args: string[], act: (child: ReturnType<typeof spawn>) => void): Promise<number | null> =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, ['dist/cli.js', 'export', ...args], { env: env(), stdio: ['ignore', 'pipe', 'ignore'] }); // prettier-ignore
        child.stdout.once('data', () => act(child));
        child.once('close', resolve);
      });

    it('C06: ends with 141 where nobody reads on, and with 130 where it is told to stop', async () => {
      expect(await cutShort(['--format', 'csv'], (child) => child.stdout?.destroy())).toBe(141);
      const stopped = cutShort(['--format', 'csv'], (child) => {
        child.kill('SIGINT');
        child.stdout?.resume();
      });
      expect(await stopped).toBe(130);
    }, 30_000);

    it('C06: leaves the former file as it was where it is stopped half-way', async () => {
      const file = join(directory, 'all.csv');
      const before = await readFile(file, 'utf8');
      const child = spawn(process.execPath, ['dist/cli.js', 'export', '--format', 'csv', '--output', file], { env: env(), stdio: 'ignore' }); // prettier-ignore
      const ended = new Promise((resolve) => child.once('close', resolve));
      await until(async () => (await readdir(directory)).some((name) => name.includes('.part-')), 10_000);
      child.kill('SIGINT');
      expect(await ended).toBe(130);
      expect(await readdir(directory)).toEqual(['all.csv']);
      expect(await readFile(file, 'utf8')).toBe(before);
    }, 30_000);
  });
});

import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { created } from '../api/support.js';
import { startTestService, until, type TestService } from '../support/service.js';

interface Found {
  count: number;
  payments: number;
  byField: Record<string, number>;
  differing: {
    paymentId: string;
    orderId: string;
    differences: { kind: string; field: string; stored: unknown; wouldBe: unknown }[];
  }[];
}

describe('A release with other decisions', () => {
  let shop: TestService;
  let release: string;
  const short: string[] = [];

  beforeAll(async () => {
    shop = await startTestService();
    for (const orderId of ['exact-1', 'exact-2'])
      await shop.control('/_sandbox/scenarios/exact', { trackId: (await created(shop, orderId)).trackId });
    for (const orderId of ['short-1', 'short-2']) {
      const { id, trackId } = await created(shop, orderId);
      await shop.control('/_sandbox/scenarios/underpaid', { trackId });
      short.push(id);
    }
    await shop.control('/_sandbox/clock/advance', { seconds: 3700 });
    await until(async () => (await shop.api('GET', '/v1/payments?status=expired')).body.items.length === 2, 15_000);
    await until(async () => (await shop.api('GET', '/v1/payments?status=paid')).body.items.length === 2, 15_000);

    release = await mkdtemp(join(tmpdir(), 'finality-release-'));
    await cp('dist', join(release, 'dist'), { recursive: true });
    for (const shared of ['node_modules', 'migrations', 'package.json'])
      await symlink(resolve(shared), join(release, shared));
  }, 60_000);
  afterAll(async () => {
    await rm(release, { recursive: true, force: true });
    await shop.close();
  });

  /** Plants a change in the copy's built code; the text has to be there exactly once. */
  const plant = async (file: string, from: string, to: string): Promise<() => Promise<void>> => {
    const path = join(release, 'dist', file);
    const text = await readFile(path, 'utf8');
    expect(text.split(from)).toHaveLength(2);
    await writeFile(path, text.replace(from, to));
    return () => writeFile(path, text);
  };

  const diff = (cli: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> =>
    new Promise((done) => {
      const env = { PATH: process.env['PATH'], DATABASE_URL: shop.database.url, DATA_DIR: release };
      execFile(process.execPath, [cli, 'replay', '--diff', ...args], { env, timeout: 20_000 }, (error, out, err) => {
        done({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err });
      });
    });

  it('is told of nothing where nothing was changed', async () => {
    const { code, out } = await diff('dist/cli.js');
    expect([code, out]).toEqual([0, '4 payments: each stands by this code as it is stored.\n']);
    expect(JSON.parse((await diff('dist/cli.js', '--json')).out)).toEqual({
      differing: [],
      payments: 4,
      count: 0,
      byField: {},
    });
  });

  it('is told of every payment that it would decide otherwise, before anything is written', async () => {
    const stored = await shop.database.pool.query('select count(*) from event');
    const undo = await plant(
      'payments/policy.js',
      "if (facts.policy.rules.underpayment.then === 'review')",
      "if (facts.policy.rules.underpayment.then !== 'never')",
    );
    const { code, out } = await diff(join(release, 'dist/cli.js'), '--json');
    const found = JSON.parse(out) as Found;
    await undo();
    expect([code, found.payments, found.count]).toEqual([1, 4, 2]);
    expect(found.differing.map(({ paymentId }) => paymentId)).toEqual([...short].sort());
    expect(found.differing[0]?.differences).toEqual(
      expect.arrayContaining([
        { kind: 'decision', field: 'status', stored: 'expired', wouldBe: 'pending' },
        { kind: 'decision', field: 'review', stored: [], wouldBe: ['underpaid'] },
      ]),
    );
    expect((await shop.database.pool.query('select count(*) from event')).rows).toEqual(stored.rows);
  });

  it('is told of every row that it would derive otherwise from the same events', async () => {
    const undo = await plant('payments/standing.js', "labels.push('sandbox')", "labels.push('late')");
    const { code, out } = await diff(join(release, 'dist/cli.js'));
    await undo();
    expect(code).toBe(1);
    expect(out).toContain('4 of 4 payments would stand differently by this code:\n  read_model labels: 4\n');
    expect(out).toContain('read_model labels: ["sandbox"] → ["late"]');
    expect(out).toContain('`finality replay --projection orders` would write these rows anew');
  });

  it('is told of a row that was lost', async () => {
    const { rows } = await shop.database.pool.query('delete from payment_view where payment_id = $1 returning *', [
      short[0],
    ]);
    const { code, out } = await diff('dist/cli.js');
    expect([code, rows.length]).toEqual([1, 1]);
    expect(out).toContain(`${String(short[0])}  short-1  expired\n  read_model row: null → "a row"`);
    expect(out).toContain('1 of 4 payments');
  });

  it('is told of what it cannot read', async () => {
    const undo = await plant('payments/payment-stream.js', "    'PaymentExpired',\n", '');
    const { code, out } = await diff(join(release, 'dist/cli.js'));
    await undo();
    expect(code).toBe(1);
    expect(out).toContain('unreadable events: 2');
    expect(out).toMatch(/unreadable events: \d+ → "event PaymentExpired v1 in stream [0-9a-f-]+ is not known/);
  });
});

import { spawn, type ChildProcess } from 'node:child_process';
import { appendFile, cp, rm, symlink, mkdtemp } from 'node:fs/promises';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openPayment, said } from '../callbacks/support.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { repeatPayment } from './many-payments.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Command {
  child: ChildProcess;
  out(): string;
  err(): string;
  /** Its exit code, or the signal that ended it. */
  ended: Promise<number | string | null>;
}

/** Slow enough to be caught in the middle, on a busy machine too. */
const slowly = ['--rate', '500'];
const payments = 1200;

describe('A rebuild of the order read model beside a service under load', () => {
  let shop: TestService;
  let end: number;

  beforeAll(async () => {
    shop = await startTestService();
    const { body } = await shop.api('POST', '/v1/payments', { orderId: 'often', amount: '10.50', currency: 'USD' });
    await shop.control('/_sandbox/scenarios/exact', { trackId: body.trackId as string });
    await until(async () => (await shop.api('GET', '/v1/orders/often')).body.fulfillment === 'requested', 15_000);
    await repeatPayment(shop.database.pool, body.id as string, 'often', payments);
    await caughtUp();
  }, 60_000);
  afterAll(() => shop.close());

  const query = async <T extends object>(text: string): Promise<T[]> => (await shop.database.pool.query<T>(text)).rows;

  /** The followers have applied all that there is. */
  const caughtUp = async (): Promise<void> => {
    await until(async () => {
      [{ end }] = (await query<{ end: number }>('select max(position) as end from event')) as [{ end: number }];
      return (await query(`select from subscription having min(position) >= ${String(end)}`)).length > 0;
    }, 45_000);
  };

  const start = (args: string[], cli = 'dist/cli.js'): Command => {
    const env = {
      PATH: process.env['PATH'],
      DATABASE_URL: shop.database.url,
      SANDBOX_PORT: String(shop.config.sandboxPort),
    };
    const child = spawn(process.execPath, [cli, 'replay', '--projection', 'orders', ...args], { cwd: root, env });
    let [out, err] = ['', ''];
    child.stdout.on('data', (part: Buffer) => (out += part.toString()));
    child.stderr.on('data', (part: Buffer) => (err += part.toString()));
    const ended = new Promise<number | string | null>((resolve) => {
      child.once('close', (code, signal) => {
        resolve(code ?? signal);
      });
    });
    return { child, out: () => out, err: () => err, ended };
  };
  const finished = async (...args: string[]): Promise<{ code: number | string | null; out: string; err: string }> => {
    const command = start(args);
    return { code: await command.ended, out: command.out(), err: command.err() };
  };

  /** How far the unfinished rebuild has come; 0 where there is none. */
  const reached = async (): Promise<number> => {
    const there = await query<{ there: boolean }>(
      `select to_regclass('rebuild_orders.finality_rebuild') is not null as there`,
    );
    if (!there[0]?.there) return 0;
    return (
      (await query<{ position: number }>('select position from rebuild_orders.finality_rebuild'))[0]?.position ?? 0
    );
  };
  const halfWay = (): Promise<boolean> => until(async () => (await reached()) > 1000, 30_000);

  const expectSame = async (): Promise<void> => {
    await caughtUp();
    const { code, out } = await finished('--dry-run');
    expect([code, out]).toEqual([0, expect.stringMatching(/payment_view: same[^]*order_view: same/)]);
    expect(await query(`select from pg_namespace where nspname like 'rebuild%'`)).toEqual([]);
  };

  /** Customers, the gateway and a shop's back office, each in a loop, until it is told to end. */
  const load = (): { end: () => Promise<Map<string, number>> } => {
    let going = true;
    const answers = new Map<string, number>();
    const count = (what: string, status: number): void => {
      answers.set(`${what} ${String(status)}`, (answers.get(`${what} ${String(status)}`) ?? 0) + 1);
    };
    const loop = async (round: (n: number) => Promise<void>): Promise<void> => {
      for (let n = 0; going; n++) await round(n);
    };
    const customers = loop(async () => {
      const payment = await openPayment(shop);
      count('create', 201);
      count('callback', (await shop.callback(said(payment))).status);
      const scenario = await openPayment(shop);
      count('gateway', (await shop.control('/_sandbox/scenarios/exact', { trackId: scenario.trackId })).status);
    });
    const office = loop(async (n) => {
      const { status, body } = await shop.api('POST', '/v1/payments', {
        orderId: `load-${String(n)}`,
        amount: '1.00',
        currency: 'USD',
      });
      count('create', status);
      const list = await shop.api('GET', `/v1/payments?orderId=load-${String(n)}&minPosition=${String(body.position)}`);
      count(`own payment in the list ${String(list.body.items?.length)}`, list.status);
    });
    const paths = [
      '/v1/payments?limit=50',
      '/v1/payments?q=often-7',
      '/v1/payments?status=paid',
      '/v1/orders/often',
      '/v1/orders?limit=20',
    ];
    const searches = loop(async (n) => {
      count('read', (await shop.api('GET', paths[n % paths.length] ?? '/')).status);
    });
    return {
      end: async () => {
        going = false;
        await Promise.all([customers, office, searches]);
        return answers;
      },
    };
  };

  it('fails no request, and ends with what the events say', async () => {
    const loads = load();
    const runs = [
      await finished(),
      await finished('--verify'),
      await finished('--rate', '4000'),
      await finished('--from', String(end - 100)),
    ];
    const answers = await loads.end();
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    expect(runs[1]?.out).toMatch(/payment_view: same[^]*order_view: same[^]*swapped in/);
    const kinds = [...answers.keys()].sort();
    expect(kinds).toEqual(['callback 200', 'create 201', 'gateway 200', 'own payment in the list 1 200', 'read 200']);
    expect(Math.min(...answers.values())).toBeGreaterThan(5);
    await expectSame();
  }, 120_000);

  it.each([
    ['kill -9', 'SIGKILL', ({ child }: Command) => child.kill('SIGKILL')],
    ['C06: Ctrl-C', 130, ({ child }: Command) => child.kill('SIGINT')],
    [
      'a lost connection',
      1,
      () =>
        query(
          `select pg_terminate_backend(pid) from pg_locks join pg_stat_activity using (pid) where locktype = 'advisory' and application_name like 'finality %pid%'`,
        ),
    ],
  ] as const)(
    'C02: goes on where it was stopped by %s, while the service answers',
    async (_, code, stop) => {
      const first = start(slowly);
      await halfWay();
      await stop(first);
      expect(await first.ended).toBe(code);
      const at = await reached();
      expect(at).toBeGreaterThan(0);
      expect((await shop.api('GET', '/v1/orders/often-9')).body.status).toBe('paid');
      if (code !== 'SIGKILL') expect(first.err()).toContain('the same command goes on from here');
      const second = await finished();
      expect([second.code, second.err]).toEqual([
        0,
        expect.stringContaining(`orders: goes on after position ${at.toLocaleString('en')},`),
      ]);
      await expectSame();
    },
    60_000,
  );

  it('tells a second operator who is at it, and begins anew where other code began it', async () => {
    const first = start(slowly);
    await halfWay();
    const second = await finished();
    expect([second.code, second.out]).toEqual([75, '']);
    expect(second.err).toContain(
      `the rebuild of orders is under way already: finality ${userInfo().username}@${hostname()} pid ${String(first.child.pid)}`,
    );
    first.child.kill('SIGINT');
    expect(await first.ended).toBe(130);

    const directory = await mkdtemp(join(tmpdir(), 'finality-spec-'));
    try {
      for (const name of ['dist', 'migrations', 'package.json'])
        await cp(join(root, name), join(directory, name), { recursive: true });
      await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
      await appendFile(join(directory, 'dist/read-models/order.js'), '\n// another release\n');
      const other = start([], join(directory, 'dist/cli.js'));
      expect([await other.ended, other.err()]).toEqual([
        0,
        expect.stringContaining('what an earlier run had begun is thrown away'),
      ]);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
    await expectSame();
  }, 60_000);

  it('C06: swaps nothing where nobody reads what would change, and goes on later', async () => {
    await caughtUp();
    await query(`update payment_view set status = 'failed' where order_id = 'often-77'`);
    const unread = start(['--verify']);
    unread.child.stdout?.destroy();
    expect(await unread.ended).toBe(141);
    expect(await query(`select status from payment_view where order_id = 'often-77'`)).toEqual([{ status: 'failed' }]);
    const again = await finished('--verify');
    expect([again.code, again.err]).toEqual([0, expect.stringContaining('goes on after position')]);
    expect(again.out).toMatch(
      /payment_view: DIFFERS.*: 1 changed, 0 missing, 0 extra\n {4}payment_id=\S+\n {6}status: live failed, rebuilt paid\n {2}order_view: same/,
    );
    await expectSame();
  }, 60_000);
});

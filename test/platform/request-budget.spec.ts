import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { PaymentGateway } from '../../src/payments/payment-gateway.js';
import { createPool } from '../../src/platform/database/database.pg.js';
import { NoTurn, RequestBudget } from '../../src/platform/request-budget.pg.js';
import { deadPort, GatewayServer } from '../gateway/gateway-server.js';
import { testDatabase, type TestDatabase } from '../support/database.js';
import { startTestService, until, type TestService } from '../support/service.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());
beforeEach(() => database.pool.query('delete from request_budget'));

/** Has the last turn that was given out lie so many seconds ahead. */
const bookedFor = (seconds: number): Promise<unknown> =>
  database.pool.query(
    `insert into request_budget values ('gateway', clock_timestamp() + $1::float8 * interval '1 second', '-infinity')
     on conflict (name) do update set turn_at = excluded.turn_at`,
    [seconds],
  );

const lastTurn = async (): Promise<string | undefined> => {
  const { rows } = await database.pool.query<{ turn: string }>('select turn_at::text as turn from request_budget');
  return rows[0]?.turn;
};

/** Takes `count` turns one after another; resolves with the milliseconds that it took. */
async function timeOf(budget: RequestBudget, count: number): Promise<number> {
  const began = performance.now();
  for (let n = 0; n < count; n++) await budget.take();
  return performance.now() - began;
}

describe('The budget of requests', () => {
  it('gives all processes together no more turns than its rate, and what was saved up in a second', async () => {
    const rate = 40;
    const pools: pg.Pool[] = [1, 2, 3].map(() => createPool(database.url, { max: 4 }));
    const began = performance.now();
    let turns = 0;
    let last = 0;
    const process = async (pool: pg.Pool): Promise<void> => {
      const budget = new RequestBudget(pool, rate);
      while (performance.now() - began < 2500) {
        await budget.take();
        turns++;
        last = performance.now() - began;
      }
    };
    // Two at work in each of three processes.
    await Promise.all([...pools, ...pools].map(process));
    await Promise.all(pools.map((pool) => pool.end()));
    expect(turns).toBeLessThanOrEqual(rate + rate * (last / 1000) + 1);
    // They are not slower than they may be either: a slow machine gets four fifths of it done.
    expect(turns).toBeGreaterThan(0.8 * (rate + rate * (last / 1000)));
  });

  it('saves up one second’s worth and no more, however long nobody asks', async () => {
    await bookedFor(-3600);
    const budget = new RequestBudget(database.pool, 20);
    expect(await timeOf(budget, 20)).toBeLessThan(900);
    expect(await timeOf(budget, 10)).toBeGreaterThan(300);
  });

  it('turns away at once who would wait over 20 s, and takes nothing from the others', async () => {
    await bookedFor(19.5);
    const before = await lastTurn();
    const refusal = await new RequestBudget(database.pool, 1).take().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(NoTurn);
    expect(refusal).toMatchObject({ message: 'the budget of requests is used up' });
    expect(await lastTurn()).toBe(before);
  });

  it('comes half as often after somebody was told to slow down, for everybody', async () => {
    await new RequestBudget(database.pool, 20).slowDown();
    const other = new RequestBudget(database.pool, 20);
    await other.take();
    expect(await timeOf(other, 10)).toBeGreaterThan(900);
    await database.pool.query(`update request_budget set slow_until = clock_timestamp() - interval '1 second'`);
    expect(await timeOf(other, 10)).toBeLessThan(900);
    const { rows } = await database.pool.query(
      `select slow_until - clock_timestamp() between interval '-3 seconds' and interval '60 seconds' as soon from request_budget`,
    );
    expect(rows).toEqual([{ soon: true }]);
  });

  it('slows down for a minute', async () => {
    await new RequestBudget(database.pool, 20).slowDown();
    const { rows } = await database.pool.query(
      `select extract(epoch from slow_until - clock_timestamp())::float8 as seconds from request_budget`,
    );
    expect(rows[0].seconds).toBeGreaterThan(50);
    expect(rows[0].seconds).toBeLessThanOrEqual(60);
  });

  it('holds no connection while somebody waits', async () => {
    const pool = createPool(database.url, { max: 1 });
    await bookedFor(2);
    const began = performance.now();
    let turned = false;
    const taken = new RequestBudget(pool, 10).take().then(() => (turned = true));
    await pool.query('select 1');
    expect([turned, pool.idleCount]).toEqual([false, 1]);
    await taken;
    expect(performance.now() - began).toBeGreaterThan(1500);
    await pool.end();
  });

  it('keeps nobody waiting in a process that stops, and still gives out turns that are free', async () => {
    await bookedFor(10);
    const before = await lastTurn();
    const budget = new RequestBudget(database.pool, 10);
    const taken = budget.take().catch((error: unknown) => error);
    await until(async () => (await lastTurn()) !== before);
    budget.stop();
    expect(await taken).toMatchObject({ name: 'NoTurn', message: 'the service stops' });
    await bookedFor(-10);
    await budget.take();
  });

  it('gives out no turn while the database does not answer', async () => {
    const pool = createPool(`postgres://nobody@127.0.0.1:${String(await deadPort())}/nowhere`);
    const refusal = await new RequestBudget(pool, 10).take().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(NoTurn);
    expect(refusal).toMatchObject({ message: 'the database gives out no turn' });
    await pool.end();
  });
});

describe('Two services on one database', () => {
  const rate = 10;
  let gateway: GatewayServer;
  let services: TestService[];
  beforeAll(async () => {
    gateway = new GatewayServer();
    const { port } = new URL(await gateway.start());
    const env = { GATEWAY_REQUESTS_PER_SECOND: String(rate) };
    const first = await startTestService({ env, sandbox: false, gatewayPort: Number(port) });
    const { database: shared } = first;
    services = [first, await startTestService({ env, sandbox: false, gatewayPort: Number(port), database: shared })];
  });
  afterAll(async () => {
    for (const service of services.reverse()) await service.close();
    await gateway.stop();
  });

  it('ask the gateway no more than the budget allows them together', async () => {
    const times: number[] = [];
    gateway.reply = (response) => {
      times.push(performance.now() - began);
      const error = { type: '', key: '', message: 'not found' };
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ data: {}, message: '', error, status: 404 }));
    };
    const began = performance.now();
    const ports = services.map(({ service }) => service.app.get(PaymentGateway));
    await Promise.all(ports.flatMap((port) => Array.from({ length: 15 }, (_, n) => port.findPayment(String(n + 1)))));
    expect(times.length).toBeGreaterThanOrEqual(30);
    for (const [index, ms] of times.entries()) {
      expect(index + 1).toBeLessThanOrEqual(rate + rate * (ms / 1000) + 1);
    }
  });

  it('ask nothing while the budget is used up, and say why', async () => {
    await services[0]?.database.pool.query(`update request_budget set turn_at = clock_timestamp() + interval '1 hour'`);
    const before = gateway.received.length;
    for (const { service } of services) {
      const failure = await service.app
        .get(PaymentGateway)
        .findPayment('7')
        .catch((error: unknown) => error);
      expect(failure).toMatchObject({
        name: 'GatewayNotAsked',
        message: 'OxaPay was not asked: the budget of requests is used up',
      });
    }
    expect(gateway.received).toHaveLength(before);
  });
});

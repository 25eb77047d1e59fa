import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sign } from '../../src/gateway/signature.js';
import { cuttingProxy } from '../platform/event-store/cutting-proxy.js';
import { testDatabase, type TestDatabase } from '../support/database.js';
import { apiKey, merchantKey, payoutKey, startTestService, until, type TestService } from '../support/service.js';
import { failingDatabase, type FailingDatabase } from './failing-database.js';
import { startGatewayDouble, type GatewayDouble } from './gateway-double.js';
import { request, startServiceProcess, type ServiceProcess } from './service-process.js';
import {
  acknowledged,
  answerFor,
  head,
  kept,
  openPayment,
  path,
  said,
  story,
  untouched,
  wire,
  type OpenPayment,
} from './support.js';

const paidInFull = ['GatewayReported', 'TransferDetected', 'AmountAssessed', 'PaymentPaid'];
const secrets = [merchantKey, payoutKey, apiKey];

let gateway: GatewayDouble;
let database: TestDatabase;
beforeAll(async () => {
  gateway = await startGatewayDouble();
  database = await testDatabase();
});
afterAll(async () => {
  await database.drop();
  await gateway.close();
});

const storyOf = (id: string): Promise<string[]> => story(database.pool, id);

describe('While the database fails', () => {
  let way: FailingDatabase;
  let shop: TestService;
  beforeAll(async () => {
    way = await failingDatabase(database.url);
    shop = await startTestService({
      sandbox: false,
      gatewayPort: gateway.port,
      database: { ...database, url: way.url },
    });
  });
  afterAll(async () => {
    await shop.close();
    await way.close();
  });

  const send = async (
    body: string,
  ): Promise<{ status: number; retryAfter: string | null; text: string; took: number }> => {
    const began = performance.now();
    const answer = await fetch(shop.url + path, { method: 'POST', headers: { hmac: sign(body, merchantKey) }, body });
    return {
      status: answer.status,
      retryAfter: answer.headers.get('retry-after'),
      text: await answer.text(),
      took: performance.now() - began,
    };
  };

  async function expectRefusal(body: string): Promise<void> {
    const answer = await send(body);
    expect(answer).toMatchObject({ status: 503, retryAfter: '30' });
    expect(answer.text).not.toMatch(/postgres|ECONN|select|timeout exceeded|ok/i);
    expect(answer.took).toBeLessThan(2300);
  }

  /** The repeat that the gateway will send; the pool may have to find out first that its connections are dead. */
  async function expectRepeatIsTaken(payment: OpenPayment, body: string): Promise<void> {
    await until(async () => (await send(body)).status === 200, 8000);
    expect(await kept(database.pool, body)).toMatchObject([{ status: 'applied', reason: null }]);
    expect(await storyOf(payment.id)).toEqual([...untouched, ...paidInFull]);
  }

  it('W53: a database that is down: 503 within 2 s, nothing stored, and the repeat is taken', async () => {
    const payment = await openPayment(shop);
    const body = said(payment);
    way.set('down');
    await expectRefusal(body);
    await expectRefusal('{"unreadable":');
    // Without a good signature nobody learns that.
    expect((await shop.callback(body, { key: payoutKey })).status).toBe(401);
    expect(await kept(database.pool, body)).toEqual([]);
    expect(await storyOf(payment.id)).toEqual(untouched);
    way.set('up');
    await expectRepeatIsTaken(payment, body);
  });

  it('W53: a database that no longer answers: 503 within 2 s, and the repeat is taken', async () => {
    const payment = await openPayment(shop);
    const body = said(payment);
    way.set('silent');
    await expectRefusal(body);
    way.set('up');
    await expectRepeatIsTaken(payment, body);
  });

  it('W53: every connection of the pool waits for a lock: 503 within 2 s, and the repeat is taken', async () => {
    const payment = await openPayment(shop);
    const body = said(payment);
    const holder = await database.pool.connect();
    try {
      await holder.query('begin');
      await holder.query('lock table inbox in access exclusive mode');
      const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => send(said(payment, { note: String(n) }))));
      for (const answer of answers) {
        expect(answer).toMatchObject({ status: 503, retryAfter: '30' });
        expect(answer.took).toBeLessThan(2500);
      }
    } finally {
      await holder.query('rollback');
      holder.release();
    }
    await until(async () => (await send(body)).status === 200, 8000);
    expect((await storyOf(payment.id)).filter((fact) => fact === 'PaymentPaid')).toHaveLength(1);
  });

  it('the log of all that holds no key and no address of the database', () => {
    const lines = shop.logged.join('');
    for (const secret of [...secrets, 'postgres://']) expect(lines.includes(secret)).toBe(false);
  });
});

describe('When the connection is lost around the commit', () => {
  it.each(['answered', 'sent'] as const)(
    'W54: once, as the statement is %s: what is acknowledged is stored once',
    async (when) => {
      const proxy = await cuttingProxy(database.url);
      const shop = await startTestService({
        sandbox: false,
        gatewayPort: gateway.port,
        database: { ...database, url: proxy.url },
      });
      try {
        const payment = await openPayment(shop);
        const body = said(payment);
        const cuts = proxy.cuts();
        proxy.cut('append-', when);
        // The statement is sent again, with the ids that make it harmless, before the gateway is bothered.
        expect(await shop.callback(body)).toEqual(acknowledged);
        expect(proxy.cuts()).toBe(cuts + 1);
        expect(await kept(database.pool, body)).toEqual([
          { status: 'applied', reason: null, receipts: expect.any(Number) },
        ]);
        expect(await storyOf(payment.id)).toEqual([...untouched, ...paidInFull]);

        const next = await openPayment(shop);
        const lost = said(next);
        proxy.cut('append-', when, 1000);
        expect((await shop.callback(lost)).status).toBe(503);
        expect((await kept(database.pool, lost)).length).toBeLessThanOrEqual(1);
        proxy.cut('append-', when, 0);
        expect(await shop.callback(lost)).toEqual(acknowledged);
        expect(await kept(database.pool, lost)).toEqual([
          { status: 'applied', reason: null, receipts: expect.any(Number) },
        ]);
        expect(await storyOf(next.id)).toEqual([...untouched, ...paidInFull]);
      } finally {
        await shop.close();
        await proxy.close();
      }
    },
  );
});

describe('When the process ends', () => {
  const open = async (service: ServiceProcess): Promise<OpenPayment> => {
    const answer = await service.api('POST', '/v1/payments', {
      orderId: `order-${String(process.hrtime.bigint())}`,
      amount: '10.50',
      currency: 'USD',
    });
    expect(answer.status).toBe(201);
    return { id: String(answer.body['id']), trackId: String(answer.body['trackId']), amount: '10.50', currency: 'USD' };
  };

  it('W55: killed between the commit and the answer, it goes on after a restart without a repeat', async () => {
    const proxy = await cuttingProxy(database.url);
    const doomed = await startServiceProcess(proxy.url, gateway.port);
    let heir: ServiceProcess | null = null;
    try {
      const payment = await open(doomed);
      const body = said(payment);
      const { socket, text, closed } = wire(doomed.port);
      proxy.cut('append-', 'answered', 1000);
      socket.write(request(body));
      await until(async () => (await kept(database.pool, body)).length === 1);
      doomed.child.kill('SIGKILL');
      expect(await doomed.ended).toBe('SIGKILL');
      await closed;
      expect(text()).toBe('');
      expect((await kept(database.pool, body)).map((row) => row.status)).toEqual(['applied']);
      expect(await storyOf(payment.id)).toEqual([...untouched, ...paidInFull]);

      gateway.knows(payment.trackId, answerFor(payment));
      const next = await startServiceProcess(database.url, gateway.port);
      heir = next;
      // The one that died may have had its look in hand: its lease has to end first.
      await until(
        async () => (await next.api('GET', `/v1/payments/${payment.id}`)).body['fulfillable'] === true,
        60_000,
      );
      expect((await storyOf(payment.id)).filter((fact) => fact === 'PaymentPaid')).toHaveLength(1);
      for (const secret of secrets) expect((doomed.output() + next.output()).includes(secret)).toBe(false);
    } finally {
      doomed.child.kill('SIGKILL');
      heir?.child.kill('SIGTERM');
      await heir?.ended;
      await proxy.close();
    }
  }, 90_000);

  it('W56: told to stop during a request, it finishes that, takes no new one and ends in time', async () => {
    const service = await startServiceProcess(database.url, gateway.port);
    try {
      const payment = await open(service);
      const body = said(payment);
      // The server's 100 says that it has begun to read.
      const begin = head({
        HMAC: sign(body, merchantKey),
        'Content-Length': String(body.length),
        Expect: '100-continue',
      });
      const [begun, idle, stuck] = [wire(service.port), wire(service.port), wire(service.port)];
      begun.socket.write(begin + body.slice(0, -20));
      // It never goes on, and may not hold up the end.
      stuck.socket.write(begin + body.slice(0, -30));
      idle.socket.write(request(said(payment, { status: 'Waiting', txs: [] })).slice(0, 30));
      await Promise.all([begun.answered, stuck.answered]);
      const told = performance.now();
      service.child.kill('SIGTERM');
      // Until it listens no more.
      await until(
        async () =>
          !(await fetch(`http://127.0.0.1:${String(service.port)}/health/live`).then(
            (answer) => answer.ok,
            () => false,
          )),
      );
      const late = said(payment, { value: 11 });
      const refused = wire(service.port);
      refused.socket.write(request(late));
      begun.socket.write(body.slice(-20));
      await Promise.all([begun.closed, refused.closed]);
      expect(begun.text()).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nok$/);
      expect(begun.text()).toMatch(/^connection: close\r$/im);
      expect(refused.text()).toMatch(/^$|^HTTP\/1\.1 503 /);
      expect(await kept(database.pool, body)).toEqual([{ status: 'applied', reason: null, receipts: 1 }]);
      expect(await kept(database.pool, late)).toEqual([]);
      idle.socket.write(request(said(payment, { status: 'Waiting', txs: [] })).slice(30));
      await idle.closed;
      expect(idle.text()).toMatch(/^$|^HTTP\/1\.1 503 /);
      expect(await service.ended).toBe(0);
      expect(performance.now() - told).toBeLessThan(10_500);
      expect(stuck.text()).not.toContain(' 200 ');
      expect(await storyOf(payment.id)).toEqual([...untouched, ...paidInFull]);
    } finally {
      service.child.kill('SIGKILL');
      await service.ended;
    }
  }, 40_000);
});

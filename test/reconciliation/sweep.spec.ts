import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addSeconds, msOf } from '../../src/kernel/clock.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { begin, GatewayHistory, statusesOf, transferOf } from './gateway-history.js';

/** Resolves when no look at any of these is due or in anybody's hand (a lease lasts 45 seconds). */
const looked = (shop: TestService, ids: readonly string[]) =>
  until(async () => {
    const { rows } = await shop.database.pool.query<{ left: number }>(
      'select count(*)::int as left from look where stream_id = any($1::uuid[]) and due_at <= $2',
      [ids, addSeconds(shop.clock.now(), 46)],
    );
    return rows[0]?.left === 0;
  }, 60_000);

describe('The looks at many open payments', () => {
  let gateway: GatewayHistory;
  let shop: TestService;

  beforeAll(async () => {
    gateway = await GatewayHistory.open();
    shop = await startTestService({ sandbox: false, gatewayPort: gateway.port });
  });
  afterAll(async () => {
    await shop.close();
    await gateway.close();
  });

  it('take at most 60 requests for 10,000 of them, and hear what no callback told', async () => {
    const ids = await begin(shop, gateway, 10_000);
    const paid = gateway.rows.filter((_, n) => n % 1000 === 7);
    for (const row of paid) {
      row.status = 'paid';
      row.txs = [transferOf(10, row.createdMs + 60_000, `hash-${row.trackId}`)];
    }
    await until(async () => (await statusesOf(shop))['pending'] === ids.length, 60_000);
    expect(gateway.asked).toEqual([]);
    shop.clock.advance(90);
    await until(async () => (await statusesOf(shop))['paid'] === paid.length, 60_000);
    // Those in hand share the end of one lease; those that were heard share the time of a page's answer.
    await until(async () => {
      const { rows } = await shop.database.pool.query<{ most: number }>(
        'select max(n)::int as most from (select count(*) as n from look group by due_at) g',
      );
      return (rows[0]?.most ?? 0) <= 200;
    }, 60_000);
    expect(gateway.asked.length).toBeLessThanOrEqual(60);
    const { rows } = await shop.database.pool.query(
      `select 1 from event where type = 'PaymentCorroborated' group by stream_id having count(*) = 1`,
    );
    expect(rows).toHaveLength(paid.length);
  }, 180_000);
});

describe('A history whose pages shift while they are read', () => {
  it('G17: loses nothing: what no page showed is asked for by itself', async () => {
    const gateway = await GatewayHistory.open();
    const shop = await startTestService({ sandbox: false, gatewayPort: gateway.port });
    try {
      const ids = await begin(shop, gateway, 700);
      // With each page that is read, older rows vanish from the list: what follows moves up across the border of the pages.
      const gone: string[] = [];
      gateway.beforePage = (page) => {
        if (page > 1) for (const row of gateway.rows.splice(0, 3)) gone.push(row.orderId);
      };
      for (const row of gateway.rows) {
        row.status = 'paid';
        row.txs = [transferOf(10, row.createdMs + 60_000, `hash-${row.trackId}`)];
      }
      await until(async () => (await statusesOf(shop))['pending'] === ids.length, 60_000);
      shop.clock.advance(90);
      await until(async () => {
        const unpaid = await shop.database.pool.query<{ id: string }>(
          `select payment_id as id from payment_view where status <> 'paid'`,
        );
        return gone.length > 0 && unpaid.rows.every(({ id }) => gone.includes(id));
      }, 60_000);
      const single = gateway.asked.filter((path) => path.startsWith('/v1/payment/'));
      expect(single.length).toBeGreaterThan(0);
    } finally {
      await shop.close();
      await gateway.close();
    }
  }, 120_000);
});

describe('Invoices whose opening was never recorded', () => {
  it('G16: are adopted by their order ids, many at once from a few pages', async () => {
    const gateway = await GatewayHistory.open();
    const shop = await startTestService({ sandbox: false, gatewayPort: gateway.port });
    try {
      const ids = await begin(shop, gateway, 300, { opened: false });
      await until(async () => (await statusesOf(shop))['created'] === ids.length, 60_000);
      shop.clock.advance(60);
      await until(async () => (await statusesOf(shop))['pending'] === ids.length, 60_000);
      const { rows } = await shop.database.pool.query<{ tracks: number }>(
        'select count(distinct track_id)::int as tracks from payment_view',
      );
      expect(rows[0]?.tracks).toBe(ids.length);
      expect(gateway.asked.length).toBeLessThanOrEqual(10);
      expect(gateway.asked.filter((path) => path === '/v1/payment/invoice')).toEqual([]);
    } finally {
      await shop.close();
      await gateway.close();
    }
  }, 120_000);

  it('G18: that belong to no payment of ours are kept for the operator once, and change nothing', async () => {
    const gateway = await GatewayHistory.open();
    const shop = await startTestService({ sandbox: false, gatewayPort: gateway.port });
    try {
      const ids = await begin(shop, gateway, 60);
      const [first] = gateway.rows;
      const stranger = {
        trackId: '999',
        orderId: '01890000-0000-7000-8000-00000000dead',
        txs: [],
        lifetimeMinutes: 60,
      };
      const foreign = { ...stranger, trackId: '998', orderId: 'another shop 7' };
      const createdMs = first?.createdMs ?? 0;
      gateway.rows.push({ ...stranger, status: 'waiting', createdMs }, { ...foreign, status: 'paid', createdMs });
      await until(async () => (await statusesOf(shop))['pending'] === ids.length, 60_000);
      shop.clock.advance(90);
      const flagged = async (): Promise<unknown[]> =>
        (await shop.database.pool.query(`select subject, status, reason from inbox where status <> 'applied'`)).rows;
      await until(async () => (await flagged()).length > 0, 30_000);
      await looked(shop, ids);
      const kept = async (): Promise<number> => (await shop.database.pool.query('select 1 from inbox')).rows.length;
      // Where the reading before has not quite ended, payments are asked about one by one, and that leaves a row each.
      for (let tries = 1, pages = gateway.pagesAsked.length; gateway.pagesAsked.length === pages; tries++) {
        expect(tries).toBeLessThan(6);
        const before = await kept();
        shop.clock.advance(90);
        await looked(shop, ids);
        // What is only confirmed to be as it was leaves nothing behind.
        if (gateway.pagesAsked.length > pages) expect(await kept()).toBe(before);
      }
      expect(await flagged()).toEqual([{ subject: '999', status: 'unmatched', reason: 'unknown_here' }]);
    } finally {
      await shop.close();
      await gateway.close();
    }
  }, 120_000);
});

describe('A gateway that is down', () => {
  it('G02: expires nothing by our clock alone, and is right soon after its return', async () => {
    const gateway = await GatewayHistory.open();
    const shop = await startTestService({ sandbox: false, gatewayPort: gateway.port });
    try {
      gateway.outage = { status: 503, body: '<html>maintenance</html>' };
      const ids = await begin(shop, gateway, 120);
      await until(async () => (await statusesOf(shop))['pending'] === ids.length, 60_000);
      for (let hour = 0; hour < 24; hour += 6) {
        shop.clock.advance(6 * 3600);
        const asked = gateway.asked.length;
        await until(async () => gateway.asked.length > asked, 30_000);
      }
      expect(await statusesOf(shop)).toEqual({ pending: ids.length });
      gateway.rows.forEach((row, n) => {
        row.status = n % 2 === 0 ? 'paid' : 'expired';
        if (n % 2 === 0) row.txs = [transferOf(10, row.createdMs + 60_000, `hash-${row.trackId}`)];
      });
      gateway.outage = null;
      const back = msOf(shop.clock.now());
      await until(async () => {
        const { paid = 0, expired = 0 } = await statusesOf(shop);
        if (paid + expired < ids.length && msOf(shop.clock.now()) < back + 15 * 60_000) shop.clock.advance(20);
        return paid + expired === ids.length;
      }, 60_000);
      expect(await statusesOf(shop)).toEqual({ paid: ids.length / 2, expired: ids.length / 2 });
    } finally {
      await shop.close();
      await gateway.close();
    }
  }, 180_000);
});

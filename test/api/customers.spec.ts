import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { returnCredit } from '../../src/customers/credit.js';
import { CreditAccounts } from '../../src/customers/credit-streams.pg.js';
import { CustomerCredit } from '../../src/payments/customer-credit.js';
import { Applications } from '../../src/platform/http/applications.pg.js';
import { EventStore } from '../../src/platform/event-store/event-store.pg.js';
import { apiKey, startTestService, until, type Answer, type TestService } from '../support/service.js';
import { addOther, asOther, created, credited, expectProblem, otherKey, send } from './support.js';

interface Transaction {
  id: string;
  at: string;
  type: string;
  reason: string | null;
  paymentId: string;
  currency: string;
  amount: string;
  balance: string;
  entries: { account: string; debit: string | null; credit: string | null }[];
}
interface Ledger {
  items: Transaction[];
  nextCursor: string | null;
}

const at = '2026-01-31T12:00:00.000Z';
const cause = () => ({ actor: 'service', correlationId: randomUUID(), causationId: randomUUID() });

describe("A customer's credit over HTTP", () => {
  let shop: TestService;
  let accounts: CreditAccounts;
  let applicationId: string;

  beforeAll(async () => {
    shop = await startTestService();
    await addOther(shop);
    accounts = shop.service.app.get(CreditAccounts);
    applicationId = (await shop.service.app.get(Applications).byKey(apiKey))?.id ?? '';
  });
  afterAll(() => shop.close());

  const add = async (customerId: string, amount: string, currency = 'USD'): Promise<string> =>
    (await credited(shop, customerId, amount, { currency })).paymentId;
  const spend = async (customerId: string, atMost: string, currency = 'USD'): Promise<string> => {
    const paymentId = randomUUID();
    await shop.service.app
      .get(CustomerCredit)
      .spend({ applicationId, customerId, currency, paymentId, atMost }, cause());
    return paymentId;
  };
  const giveBack = (customerId: string, paymentId: string, amount: string, currency = 'USD') =>
    accounts.decide({ applicationId, customerId, currency }, cause(), (account) =>
      returnCredit(account, { customerId, currency, source: randomUUID(), paymentId, amount }, at),
    );
  const pathOf = (customerId: string, what: string): string =>
    `/v1/customers/${encodeURIComponent(customerId)}/${what}`;
  const get = (customerId: string, what: string, headers: Record<string, string> = {}): Promise<Answer> =>
    shop.api('GET', pathOf(customerId, what), undefined, headers);
  const balances = async (customerId: string): Promise<unknown> => {
    const { status, body } = await get(customerId, 'balance');
    expect([status, body.customerId]).toEqual([200, customerId]);
    return body.balances;
  };
  const ledger = async (customerId: string, query = ''): Promise<Ledger> => {
    const { status, body } = await get(customerId, `ledger${query}`);
    expect(status).toBe(200);
    return body as Ledger;
  };

  it('is an empty list for a customer whom nobody has met', async () => {
    expect(await balances('nobody')).toEqual([]);
    expect(await ledger('nobody')).toEqual({ items: [], nextCursor: null });
    expect(await ledger('nobody', '?currency=USD')).toEqual({ items: [], nextCursor: null });
  });

  it('is a balance for each currency, as it is this moment, and stays listed when it is used up', async () => {
    await add('anna', '5');
    await add('anna', '0.00012', 'BTC');
    expect(await balances('anna')).toEqual([
      { currency: 'BTC', balance: '0.00012' },
      { currency: 'USD', balance: '5.00' },
    ]);
    await spend('anna', '49.90');
    expect(await balances('anna')).toEqual([
      { currency: 'BTC', balance: '0.00012' },
      { currency: 'USD', balance: '0.00' },
    ]);
  });

  it('has a ledger of what was credited, spent and returned, newest first, with the double entries of each', async () => {
    const left = await add('bert', '5.5');
    const used = await spend('bert', '2');
    await giveBack('bert', used, '2');
    const { items, nextCursor } = await ledger('bert');
    expect(nextCursor).toBeNull();
    const common = { currency: 'USD', id: expect.any(String), at: expect.stringMatching(/^\d{4}-.*Z$/) };
    expect(items).toEqual([
      {
        ...common,
        type: 'returned',
        reason: null,
        paymentId: used,
        amount: '2.00',
        balance: '5.50',
        entries: [
          { account: `payment:${used}`, debit: '2.00', credit: null },
          { account: 'customer:bert', debit: null, credit: '2.00' },
        ],
      },
      {
        ...common,
        type: 'spent',
        reason: null,
        paymentId: used,
        amount: '-2.00',
        balance: '3.50',
        entries: [
          { account: 'customer:bert', debit: '2.00', credit: null },
          { account: `payment:${used}`, debit: null, credit: '2.00' },
        ],
      },
      {
        ...common,
        type: 'credited',
        reason: 'overpayment',
        paymentId: left,
        amount: '5.50',
        balance: '5.50',
        entries: [
          { account: `payment:${left}`, debit: '5.50', credit: null },
          { account: 'customer:bert', debit: null, credit: '5.50' },
        ],
      },
    ]);
  });

  it('shows every transaction once over many pages, also while new ones come', async () => {
    for (let count = 1; count <= 11; count++) await add('carl', String(count), count % 2 === 0 ? 'EUR' : 'USD');
    const all = (await ledger('carl', '?limit=100')).items;
    expect(all.map(({ amount }) => parseInt(amount, 10))).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    const seen: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const page: Ledger = await ledger('carl', `?limit=3${cursor === null ? '' : `&cursor=${cursor}`}`);
      expect(page.items.length).toBeLessThanOrEqual(3);
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
      await add('carl', String(100 + ++pages));
    } while (cursor !== null);
    expect(pages).toBe(4);
    expect(seen).toEqual(all.map(({ id }) => id));
  });

  it('has a ledger for one currency alone', async () => {
    await add('dora', '1', 'USD');
    await add('dora', '2', 'EUR');
    await add('dora', '3', 'USD');
    const { items } = await ledger('dora', '?currency=USD');
    expect(items.map(({ amount, balance }) => [amount, balance])).toEqual([
      ['3.00', '4.00'],
      ['1.00', '1.00'],
    ]);
    const first = await ledger('dora', '?currency=USD&limit=1');
    const second = await ledger('dora', `?currency=USD&limit=1&cursor=${first.nextCursor ?? ''}`);
    expect([...first.items, ...second.items]).toEqual(items);
    expect(second.nextCursor).toBeNull();
  });

  it('is the one application’s, though another has a customer of the same name', async () => {
    await add('emil', '5');
    await credited(shop, 'emil', '7', { key: otherKey });
    expect(await balances('emil')).toEqual([{ currency: 'USD', balance: '5.00' }]);
    const theirs = await get('emil', 'balance', asOther);
    expect(theirs.body.balances).toEqual([{ currency: 'USD', balance: '7.00' }]);
    const [mine, other] = [await ledger('emil'), (await get('emil', 'ledger', asOther)).body as Ledger];
    expect([mine.items.length, other.items.length]).toEqual([1, 1]);
    expect(other.items[0]?.id).not.toBe(mine.items[0]?.id);
  });

  it('refuses a cursor of another customer, another application, or none at all', async () => {
    await add('fred', '1');
    await add('fred', '2');
    await add('gina', '1');
    const { nextCursor } = await ledger('fred', '?limit=1');
    const cursor = `ledger?limit=1&cursor=${nextCursor ?? ''}`;
    expect((await get('fred', cursor)).status).toBe(200);
    expectProblem(await get('gina', cursor), 'invalid_cursor');
    expectProblem(await get('fred', cursor, asOther), 'invalid_cursor');
    expectProblem(await get('fred', 'ledger?cursor=nonsense'), 'invalid_cursor');
  });

  it.each(['currency=usd', 'currency=', 'currency=USD&currency=EUR', 'limit=0', 'limit=101', 'what=ever'])(
    'refuses ?%s',
    async (query) => {
      const [name = ''] = query.split('=');
      expectProblem(await get('fred', `ledger?${query}`), 'malformed_request', [`?${name}`]);
    },
  );

  it('takes any id that a payment takes, and answers 404 to every other', async () => {
    for (const customerId of ['ü'.repeat(128), '😀'.repeat(128), 'a/b', '...', ' ', "'; drop table event; --", '%'])
      expect([customerId, (await get(customerId, 'balance')).status]).toEqual([customerId, 200]);
    for (const customerId of ['a'.repeat(129), 'a\u0000b', 'a\nb', '\u007f', '\u2028']) {
      expectProblem(await get(customerId, 'balance'), 'not_found');
      expectProblem(await get(customerId, 'ledger'), 'not_found');
    }
    for (const path of ['/v1/customers//balance', '/v1/customers/%ff/balance', '/v1/customers/%/ledger']) {
      const answer = await send(shop.url, { method: 'GET', path });
      expect([path, answer.status >= 400 && answer.status < 500]).toEqual([path, true]);
    }
  });

  it('grows by what a payment leaves, without anybody asking', async () => {
    const { id } = await created(shop, 'customers-1', { customerId: 'hans' });
    const store = shop.service.app.get(EventStore);
    const { head } = await store.read(id);
    const granted = { number: 1, amount: '4.2', currency: 'USD', customerId: 'hans', clause: 'overpayment', at };
    await store.append({
      streamId: id,
      head,
      events: [{ id: randomUUID(), type: 'CreditGranted', schemaVersion: 1, data: granted }],
      metadata: { tenant: applicationId, ...cause(), recordedAt: at },
    });
    await until(async () => ((await balances('hans')) as unknown[]).length > 0);
    expect(await balances('hans')).toEqual([{ currency: 'USD', balance: '4.20' }]);
    expect((await ledger('hans')).items).toMatchObject([{ type: 'credited', paymentId: id, amount: '4.20' }]);
  });
});

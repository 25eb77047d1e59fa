import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addCredit } from '../../src/customers/credit.js';
import { CreditAccounts } from '../../src/customers/credit-streams.pg.js';
import { StreamCredit } from '../../src/customers/credit.handlers.js';
import { transactionsOf } from '../../src/customers/ledger.js';
import { sum, plain } from '../../src/payments/decimal.js';
import { SystemClock } from '../../src/platform/clock.js';
import { EventStore } from '../../src/platform/event-store/event-store.pg.js';
import { RandomIds } from '../../src/platform/ids.js';
import { testDatabase, type TestDatabase } from '../support/database.js';

const clock = new SystemClock();
const ids = new RandomIds();
const applicationId = ids.next();
const cause = () => ({ actor: 'service', correlationId: ids.next(), causationId: ids.next() });

/** One process of the service: its own connections, and its own turns. */
const aProcess = (database: TestDatabase) => {
  const store = new EventStore({ url: database.url, maxConnections: 4 });
  const accounts = new CreditAccounts(store, clock, ids);
  return { store, accounts, credit: new StreamCredit(accounts, clock) };
};

describe('Credit accounts', () => {
  let database: TestDatabase;
  let one: ReturnType<typeof aProcess>;
  let other: ReturnType<typeof aProcess>;
  let customers = 0;

  beforeAll(async () => {
    database = await testDatabase();
    one = aProcess(database);
    other = aProcess(database);
  });
  afterAll(async () => {
    await one.store.close();
    await other.store.close();
    await database.drop();
  });

  /** A customer whom nobody has met. */
  const newCustomer = (currency = 'USD') => ({
    applicationId,
    customerId: `customer-${String(++customers)}`,
    currency,
  });
  type Key = ReturnType<typeof newCustomer>;

  const add = (accounts: CreditAccounts, key: Key, amount: string, source = ids.next()) => {
    const { customerId, currency } = key;
    const addition = { customerId, currency, source, paymentId: ids.next(), amount, reason: 'overpayment' };
    return accounts.decide(key, cause(), (account) => addCredit(account, addition, clock.now()));
  };
  const balanceOf = async (key: Key): Promise<string | undefined> => (await one.accounts.load(key)).account?.balance;

  it('are opened by the first credit, one for each currency, and are the one application’s', async () => {
    const key = newCustomer();
    expect(await one.accounts.load(key)).toEqual({ account: null, events: [] });
    expect(await one.accounts.list(applicationId, key.customerId)).toEqual([]);
    await add(one.accounts, { ...key, currency: 'USDT' }, '2.5');
    await add(one.accounts, key, '5');
    await add(one.accounts, key, '0.10');
    const listed = await other.accounts.list(applicationId, key.customerId);
    expect(listed.map(({ account }) => [account?.currency, account?.balance])).toEqual([
      ['USD', '5.1'],
      ['USDT', '2.5'],
    ]);
    expect(listed.flatMap(({ events }) => events.map(({ tenant }) => tenant))).toEqual([
      applicationId,
      applicationId,
      applicationId,
    ]);
    expect(await one.accounts.list(ids.next(), key.customerId)).toEqual([]);
    expect((await one.accounts.load({ ...key, applicationId: ids.next() })).account).toBeNull();
  });

  it('tell customers apart whose ids look like parts of other keys', async () => {
    const key = newCustomer();
    const names = [
      `${key.customerId}:x`,
      `${key.customerId}/USD`,
      `${key.customerId}:`,
      ` ${key.customerId}`,
      'ü'.repeat(128),
    ];
    for (const [at, customerId] of names.entries()) await add(one.accounts, { ...key, customerId }, String(at + 1));
    for (const [at, customerId] of names.entries())
      expect(await balanceOf({ ...key, customerId })).toBe(String(at + 1));
    expect(await balanceOf(key)).toBeUndefined();
  });

  it('are opened once where ten processes credit a new customer at once, and all ten credits count', async () => {
    const many = Array.from({ length: 10 }, () => aProcess(database));
    const key = newCustomer();
    await Promise.all(many.map(({ accounts }) => add(accounts, key, '1')));
    expect(await balanceOf(key)).toBe('10');
    const { events } = await one.accounts.load(key);
    expect(new Set(events.map(({ streamId }) => streamId)).size).toBe(1);
    expect(await one.accounts.list(applicationId, key.customerId)).toHaveLength(1);
    await Promise.all(many.map(({ store }) => store.close()));
  });

  it('count an event of a payment once, whoever books it at the same moment', async () => {
    const key = newCustomer();
    const source = ids.next();
    const both = [one, other, one, other];
    await Promise.all(both.map(({ accounts }) => add(accounts, key, '5', source)));
    expect(await balanceOf(key)).toBe('5');
  });

  it('pay nothing where there is nothing, and tell the payment the same when credit has come in between', async () => {
    const key = newCustomer();
    const request = { ...key, paymentId: ids.next(), atMost: '5' };
    expect(await one.credit.spend(request, cause())).toBe('0');
    await add(one.accounts, key, '10');
    expect(await other.credit.spend(request, cause())).toBe('0');
    expect(await balanceOf(key)).toBe('10');
    expect(await one.credit.spend({ ...request, paymentId: ids.next() }, cause())).toBe('5');
  });

  it.each(['one process', 'two processes'])(
    'never pay more than there is for fifty payments at once in %s, and answer each the same again',
    async (where) => {
      const key = newCustomer();
      await add(one.accounts, key, '100.50');
      const payments = Array.from({ length: 50 }, () => ids.next());
      const ask = (): Promise<string[]> =>
        Promise.all(
          payments.map((paymentId, at) => {
            const { credit } = where === 'two processes' && at % 2 === 1 ? other : one;
            return credit.spend({ ...key, paymentId, atMost: '3.20' }, cause());
          }),
        );
      const answers = await ask();
      expect(plain(sum(answers))).toBe('100.5');
      // 31 times 3.20, the 1.30 that was left, and nothing for the others.
      expect([...answers].sort()).toEqual([
        ...Array.from({ length: 18 }, () => '0'),
        '1.3',
        ...Array.from({ length: 31 }, () => '3.2'),
      ]);
      expect(await balanceOf(key)).toBe('0');
      expect(await ask()).toEqual(answers);
      const { events } = await one.accounts.load(key);
      expect(events).toHaveLength(1 + 50);
      expect(transactionsOf(events).filter(({ balance }) => balance.startsWith('-'))).toEqual([]);
    },
  );

  it('give one answer to a payment that asks many times at once from two processes', async () => {
    const key = newCustomer();
    await add(one.accounts, key, '10');
    const paymentId = ids.next();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        (at % 2 === 0 ? one : other).credit.spend({ ...key, paymentId, atMost: at % 3 === 0 ? '4' : '7' }, cause()),
      ),
    );
    expect(new Set(answers).size).toBe(1);
    const left = { '4': '6', '7': '3' }[answers[0] ?? ''];
    expect(await balanceOf(key)).toBe(left);
    await add(one.accounts, key, '10');
    expect(await other.credit.spend({ ...key, paymentId, atMost: '100' }, cause())).toBe(answers[0]);
  });

  it('let the next decision go on after one that failed', async () => {
    const key = newCustomer();
    const failed = one.accounts.decide(key, cause(), () => {
      throw new Error('not decided');
    });
    const next = add(one.accounts, key, '1');
    await expect(failed).rejects.toThrow('not decided');
    await next;
    expect(await balanceOf(key)).toBe('1');
  });
});

import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '../../src/kernel/json.js';
import { StreamCredit } from '../../src/customers/credit.handlers.js';
import { CustomerCreditReactor } from '../../src/customers/credit.job.js';
import { CreditAccounts } from '../../src/customers/credit-streams.pg.js';
import { transactionsOf } from '../../src/customers/ledger.js';
import type { PaymentEvent } from '../../src/payments/payment.js';
import { SystemClock } from '../../src/platform/clock.js';
import { inTransaction } from '../../src/platform/database/database.pg.js';
import { EventStore } from '../../src/platform/event-store/event-store.pg.js';
import { LogReader } from '../../src/platform/event-store/log-reader.pg.js';
import { RandomIds } from '../../src/platform/ids.js';
import { Follower } from '../../src/platform/subscriptions/follower.pg.js';
import { terms } from '../payments/given.js';
import { testDatabase, type TestDatabase } from '../support/database.js';

const clock = new SystemClock();
const ids = new RandomIds();
const at = '2026-01-31T12:00:00.000Z';
const cause = () => ({ actor: 'service', correlationId: randomUUID(), causationId: randomUUID() });

let database: TestDatabase;
let store: EventStore;
let accounts: CreditAccounts;
let credit: StreamCredit;
let reactor: CustomerCreditReactor;
let applicationId: string;
beforeEach(async () => {
  database = await testDatabase();
  store = new EventStore({ url: database.url, maxConnections: 3 });
  accounts = new CreditAccounts(store, clock, ids);
  credit = new StreamCredit(accounts, clock);
  reactor = new CustomerCreditReactor(store, accounts, clock);
  applicationId = ids.next();
});
afterEach(async () => {
  await store.close();
  await database.drop();
});

/** A payment of a customer, with what happens to it. */
const payment = async (customerId: string | null, ...events: PaymentEvent[]): Promise<string> => {
  const id = ids.next();
  await append(id, { type: 'PaymentRequested', data: terms({}, { id, applicationId, customerId }) }, ...events);
  return id;
};
const append = async (streamId: string, ...events: PaymentEvent[]): Promise<void> => {
  const { head } = await store.read(streamId);
  await store.append({
    streamId,
    head,
    events: events.map(({ type, data }) => ({
      id: ids.next(),
      type,
      schemaVersion: 1,
      data: data as unknown as JsonObject,
    })),
    metadata: { tenant: applicationId, ...cause(), recordedAt: at },
  });
};
const granted = (customerId: string, amount: string, number = 1, currency = 'USD'): PaymentEvent => ({
  type: 'CreditGranted',
  data: { number, amount, currency, customerId, clause: 'overpayment', at },
});
const released = (amount: string): PaymentEvent => ({ type: 'CreditReleased', data: { amount, at } });

const react = async (): Promise<void> => {
  const events = await new LogReader(database.pool).read(0, 1000);
  await inTransaction(database.pool, (tx) => reactor.react(tx, events));
};
const reactAndDie = async (): Promise<void> => {
  const events = await new LogReader(database.pool).read(0, 1000);
  await inTransaction(database.pool, async (tx) => {
    await reactor.react(tx, events);
    throw new Error('killed');
  }).catch(() => undefined);
};
const balances = async (customerId: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await accounts.list(applicationId, customerId)).map(({ account }) => [account?.currency, account?.balance]),
  );
const story = async (customerId: string) =>
  (await accounts.list(applicationId, customerId))
    .flatMap(({ events }) => transactionsOf(events))
    .map(({ type, amount, paymentId }) => [type, amount, paymentId]);

describe("The customers' books", () => {
  it('credit what payments left, once, whatever is repeated and wherever it is killed', async () => {
    const first = await payment('anna', granted('anna', '5'), granted('anna', '0.50', 2));
    await reactAndDie();
    await react();
    const second = await payment('anna', granted('anna', '1'));
    await react();
    await Promise.all([react(), react()]);
    expect(await balances('anna')).toEqual({ USD: '6.5' });
    expect(await story('anna')).toEqual([
      ['credited', '5', first],
      ['credited', '0.5', first],
      ['credited', '1', second],
    ]);
  });

  it('name the event that caused each, and whose it is', async () => {
    const id = await payment('anna', granted('anna', '5'));
    await react();
    const [, caused] = (await store.read(id)).events;
    const [account] = await accounts.list(applicationId, 'anna');
    expect(account?.events).toMatchObject([
      {
        tenant: applicationId,
        actor: 'service',
        causationId: caused?.id,
        correlationId: caused?.correlationId,
        data: { source: caused?.id, paymentId: id, reason: 'overpayment' },
      },
    ]);
  });

  it('keep customers, currencies and applications apart', async () => {
    await payment('anna', granted('anna', '5'), granted('anna', '7', 2, 'USDT'));
    await payment('bert', granted('bert', '3'));
    await react();
    expect(await balances('anna')).toEqual({ USD: '5', USDT: '7' });
    expect(await balances('bert')).toEqual({ USD: '3' });
    applicationId = ids.next();
    expect(await balances('anna')).toEqual({});
  });

  it('give back what a payment had taken when it comes to nothing, once', async () => {
    await payment('anna', granted('anna', '5'));
    await react();
    const id = await payment('anna');
    const spent = await credit.spend(
      { applicationId, customerId: 'anna', currency: 'USD', paymentId: id, atMost: '3' },
      cause(),
    );
    await append(
      id,
      { type: 'CreditApplied', data: { amount: spent, at } },
      { type: 'PaymentCancelled', data: { at } },
    );
    await append(id, released(spent));
    await reactAndDie();
    await react();
    await react();
    expect(await balances('anna')).toEqual({ USD: '5' });
    expect((await story('anna')).slice(1)).toEqual([
      ['spent', '-3', id],
      ['returned', '3', id],
    ]);
  });

  it('give back nothing that was not taken, and close to the payment what it has not asked for yet', async () => {
    const id = await payment('anna', granted('anna', '5'), released('2'));
    await payment(null, released('2'));
    await payment('bert', released('2'));
    await react();
    await react();
    expect(await balances('anna')).toEqual({ USD: '5' });
    expect(await balances('bert')).toEqual({ USD: '0' });
    const late = { applicationId, customerId: 'anna', currency: 'USD', paymentId: id, atMost: '3' };
    expect(await credit.spend(late, cause())).toBe('0');
  });

  it('are kept by whoever follows the log, and by two at once just the same', async () => {
    const other = new EventStore({ url: database.url, maxConnections: 3 });
    const reactors = [reactor, new CustomerCreditReactor(other, new CreditAccounts(other, clock, ids), clock)];
    const followers = reactors.map(
      (one) =>
        new Follower(
          { pool: database.pool, log: new LogReader(database.pool), appends: store, options: { idleMs: 20 } },
          one,
        ),
    );
    for (const follower of followers) follower.start();
    await Promise.all(
      Array.from({ length: 30 }, (_, number) =>
        payment(`c${String(number % 3)}`, granted(`c${String(number % 3)}`, '1')),
      ),
    );
    const { rows } = await database.pool.query<{ last: string }>('select max(position) as last from event');
    for (const follower of followers) expect(await follower.waitFor(Number(rows[0]?.last), 10_000)).toBe(true);
    for (const customer of ['c0', 'c1', 'c2']) expect(await balances(customer)).toEqual({ USD: '10' });
    await Promise.all(followers.map((follower) => follower.stop()));
    await other.close();
  });

  it('ask nothing of the database for events that do not concern them', async () => {
    await payment('anna', { type: 'PaymentCancelled', data: { at } });
    const events = await new LogReader(database.pool).read(0, 1000);
    const client = await database.pool.connect();
    client.release(true);
    await store.close();
    await reactor.react(client, events);
    expect(events).toHaveLength(2);
  });
});

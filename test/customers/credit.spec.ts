import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { RecordedEvent } from '../../src/kernel/event.js';
import type { JsonObject } from '../../src/kernel/json.js';
import {
  addCredit,
  evolveCredit,
  foldCredit,
  readCreditEvent,
  returnCredit,
  spendCredit,
  type CreditAccount,
  type CreditEvent,
  type MovementEvent,
} from '../../src/customers/credit.js';
import { entriesOf, transactionsOf, type Entry } from '../../src/customers/ledger.js';
import { Decimal, plain, sum } from '../../src/payments/decimal.js';

const now = '2026-01-31T12:00:00.000Z';
const customer = { customerId: 'customer-17', currency: 'USD' };
const overpaid = { ...customer, source: 'event-1', paymentId: 'payment-1', amount: '5', reason: 'overpayment' };
const added: MovementEvent = { type: 'CreditAdded', data: { ...overpaid, at: now } };
const spent = (amount: string, paymentId = 'payment-2'): MovementEvent => ({
  type: 'CreditSpent',
  data: { ...customer, paymentId, amount, at: now },
});
const declined = (paymentId = 'payment-2'): CreditEvent => ({
  type: 'CreditDeclined',
  data: { ...customer, paymentId, at: now },
});
const returned = (amount: string, source = 'event-2', paymentId = 'payment-2'): MovementEvent => ({
  type: 'CreditReturned',
  data: { ...customer, source, paymentId, amount, at: now },
});

const asked = (atMost: string, paymentId = 'payment-2') => ({ ...customer, paymentId, atMost });

const given = (...events: CreditEvent[]): CreditAccount | null =>
  events.reduce<CreditAccount | null>(evolveCredit, null);
const balanceAfter = (...events: CreditEvent[]): string | undefined => given(...events)?.balance;

/** The events as the store gives them back. */
const recorded = (events: readonly CreditEvent[]): RecordedEvent[] =>
  events.map(({ type, data }, at) => ({
    id: `event-id-${String(at)}`,
    type,
    schemaVersion: 1,
    data: data as unknown as JsonObject,
    tenant: 'application-1',
    actor: 'service',
    correlationId: 'c',
    causationId: 'c',
    recordedAt: now,
    streamId: 'stream-1',
    version: at + 1,
    position: at + 1,
  }));

describe("A customer's credit", () => {
  it('begins with the first money that a payment leaves', () => {
    expect(addCredit(null, overpaid, now)).toEqual([added]);
    expect(given(added)).toMatchObject({ ...customer, balance: '5' });
  });

  it('grows once by each event of a payment, and by each that another payment has', () => {
    const second = { ...overpaid, source: 'event-9', paymentId: 'payment-9', amount: '0.10' };
    expect(addCredit(given(added), overpaid, now)).toEqual([]);
    expect(balanceAfter(added, ...addCredit(given(added), second, now))).toBe('5.1');
    expect(balanceAfter(added, ...addCredit(given(added), { ...overpaid, source: 'event-3' }, now))).toBe('10');
  });

  it('does not grow by nothing, and never by less', () => {
    expect(addCredit(null, { ...overpaid, amount: '0' }, now)).toEqual([]);
    expect(addCredit(given(added), { ...overpaid, source: 'event-3', amount: '-1' }, now)).toEqual([]);
  });

  it('pays for a payment as far as it goes', () => {
    expect(spendCredit(given(added), asked('49.90'), now)).toEqual([spent('5')]);
    expect(spendCredit(given(added), asked('1.20'), now)).toEqual([spent('1.2')]);
    expect(balanceAfter(added, spent('1.2'))).toBe('3.8');
  });

  it('pays for each payment once, whatever is asked the second time and whatever has come in between', () => {
    const account = given(added, spent('5'), { ...added, data: { ...overpaid, source: 'event-3', at: now } });
    expect(account?.balance).toBe('5');
    expect(spendCredit(account, asked('49.90'), now)).toEqual([]);
    expect(account?.spends.get('payment-2')?.amount).toBe('5');
  });

  it('says once that there is nothing for a payment, and stands by it', () => {
    expect(spendCredit(null, asked('1'), now)).toEqual([declined()]);
    expect(spendCredit(given(added, spent('5')), asked('1', 'payment-3'), now)).toEqual([declined('payment-3')]);
    for (const atMost of ['0', '-1']) expect(spendCredit(given(added), asked(atMost), now)).toEqual([declined()]);
    const later = given(declined(), added);
    expect(later).toMatchObject({ ...customer, balance: '5' });
    expect(later?.spends.get('payment-2')?.amount).toBe('0');
    expect(spendCredit(later, asked('1'), now)).toEqual([]);
    expect(returnCredit(later, { ...customer, source: 'event-2', paymentId: 'payment-2', amount: '1' }, now)).toEqual(
      [],
    );
  });

  it('pays in whole minor units of its currency and keeps the rest', () => {
    const fine = addCredit(null, { ...overpaid, amount: '5.009' }, now);
    const paid = spendCredit(given(...fine), asked('49.90'), now);
    expect(paid).toEqual([spent('5')]);
    expect(balanceAfter(...fine, ...paid)).toBe('0.009');
    expect(spendCredit(given(...fine, ...paid), asked('49.90', 'payment-3'), now)).toEqual([declined('payment-3')]);
  });

  it('comes back once from a payment that came to nothing, and the payment takes no more', () => {
    const request = { ...customer, source: 'event-2', paymentId: 'payment-2', amount: '5' };
    expect(returnCredit(given(added, spent('5')), request, now)).toEqual([returned('5')]);
    const after = given(added, spent('5'), returned('5'));
    expect(after?.balance).toBe('5');
    expect(returnCredit(after, request, now)).toEqual([]);
    expect(spendCredit(after, asked('5'), now)).toEqual([]);
  });

  it('never gets back more than the payment took', () => {
    const most = { ...customer, source: 'event-2', paymentId: 'payment-2', amount: '100' };
    expect(returnCredit(given(added, spent('4')), most, now)).toEqual([returned('4')]);
    const part = given(added, spent('4'), returned('1.50', 'event-3'));
    expect(returnCredit(part, most, now)).toEqual([returned('2.5')]);
    expect(returnCredit(given(added, spent('4'), returned('4', 'event-3')), most, now)).toEqual([]);
  });

  it('is out of reach of a payment that came to nothing before it asked', () => {
    const nothing = { ...customer, source: 'event-2', paymentId: 'payment-2', amount: '5' };
    expect(returnCredit(null, nothing, now)).toEqual([declined()]);
    expect(returnCredit(given(added), nothing, now)).toEqual([declined()]);
    expect(spendCredit(given(added, declined()), asked('5'), now)).toEqual([]);
    expect(returnCredit(given(added, declined()), nothing, now)).toEqual([]);
    expect(balanceAfter(added, declined())).toBe('5');
  });

  it('keeps its state when an event does not fit', () => {
    expect(given(spent('1'), returned('1'))).toBeNull();
    expect(given(added, added, spent('2'), spent('3'), returned('2'), returned('2'))).toEqual(
      given(added, spent('2'), returned('2')),
    );
    expect(given(added, returned('1', 'event-2', 'payment-of-somebody-else'))).toEqual(given(added));
    expect(given(added, spent('2'), declined())).toEqual(given(added, spent('2')));
    expect(given(declined(), spent('2'), added)).toEqual(given(declined(), added));
  });

  it('leaves the state that it was decided upon as it was', () => {
    const before = given(added);
    const copy = structuredClone(before);
    for (const event of [spent('1'), { ...added, data: { ...overpaid, source: 'event-3', at: now } } as CreditEvent])
      evolveCredit(before, event);
    expect(before).toEqual(copy);
  });

  it('is not read from events that this version does not know', () => {
    const [event] = recorded([added]);
    if (!event) throw new Error('there is an event');
    expect(() => readCreditEvent({ ...event, type: 'CreditLent' })).toThrow('CreditLent');
    expect(() => readCreditEvent({ ...event, schemaVersion: 2 })).toThrow('v2');
  });
});

describe('The ledger', () => {
  it('books what was credited, spent and returned between the customer and the payment', () => {
    const entry = (account: string, debit: string | null, credit: string | null): Entry => ({ account, debit, credit });
    expect(entriesOf(added)).toEqual([entry('payment:payment-1', '5', null), entry('customer:customer-17', null, '5')]);
    expect(entriesOf(spent('2'))).toEqual([
      entry('customer:customer-17', '2', null),
      entry('payment:payment-2', null, '2'),
    ]);
    expect(entriesOf(returned('2'))).toEqual([
      entry('payment:payment-2', '2', null),
      entry('customer:customer-17', null, '2'),
    ]);
  });

  it('tells each transaction with its sign, its reason and the balance after it', () => {
    const told = transactionsOf(recorded([declined('payment-0'), added, spent('4'), returned('1.50')]));
    expect(told.map(({ type, amount, balance, reason }) => [type, amount, balance, reason])).toEqual([
      ['credited', '5', '5', 'overpayment'],
      ['spent', '-4', '1', null],
      ['returned', '1.50', '2.5', null],
    ]);
  });
});

type Step =
  | { ask: 'add'; source: string; paymentId: string; amount: string }
  | { ask: 'spend'; paymentId: string; atMost: string }
  | { ask: 'return'; source: string; paymentId: string; amount: string };

const cents = fc.integer({ min: 0, max: 100_000 }).map((value) => plain(new Decimal(String(value)).div('100')));
// Few payments and sources, so that they repeat.
const paymentId = fc.constantFrom('p1', 'p2', 'p3', 'p4', 'p5');
const source = fc.integer({ min: 0, max: 30 }).map(String);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ ask: fc.constant('add' as const), source, paymentId, amount: cents }),
  fc.record({ ask: fc.constant('spend' as const), paymentId, atMost: cents }),
  fc.record({ ask: fc.constant('return' as const), source, paymentId, amount: cents }),
);
/** What may happen, some of it again, in any order. */
const history = fc
  .array(step, { maxLength: 40 })
  .chain((steps) => fc.shuffledSubarray([...steps, ...steps], { minLength: steps.length }));

const decide = (account: CreditAccount | null, next: Step): CreditEvent[] => {
  switch (next.ask) {
    case 'add':
      return addCredit(account, { ...customer, ...next, reason: 'overpayment' }, now);
    case 'spend':
      return spendCredit(account, { ...customer, ...next }, now);
    case 'return':
      return returnCredit(account, { ...customer, ...next }, now);
  }
};

const play = (steps: readonly Step[]): CreditEvent[] => {
  const events: CreditEvent[] = [];
  let account: CreditAccount | null = null;
  for (const one of steps) {
    const next = decide(account, one);
    events.push(...next);
    account = next.reduce<CreditAccount | null>(evolveCredit, account);
    if (account && new Decimal(account.balance).lt('0')) throw new Error('the balance is below zero');
  }
  return events;
};

const debits = (entries: readonly Entry[]) => sum(entries.map(({ debit }) => debit ?? '0'));
const credits = (entries: readonly Entry[]) => sum(entries.map(({ credit }) => credit ?? '0'));

describe('In every history of credits, spends and returns, repeated and in any order', () => {
  it('debits are credits, in each transaction and together', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const transactions = transactionsOf(recorded(play(steps)));
        for (const { entries } of transactions) {
          expect(plain(debits(entries))).toBe(plain(credits(entries)));
          for (const { debit, credit } of entries) {
            expect([debit, credit].filter((side) => side !== null)).toHaveLength(1);
            expect(new Decimal(debit ?? credit ?? '0').gt('0')).toBe(true);
          }
        }
        const all = transactions.flatMap(({ entries }) => entries);
        expect(plain(debits(all))).toBe(plain(credits(all)));
      }),
      { numRuns: 500 },
    );
  });

  it("the balance is what the customer's entries come to, and never below zero", () => {
    fc.assert(
      fc.property(history, (steps) => {
        const events = recorded(play(steps));
        const account = foldCredit(events);
        const transactions = transactionsOf(events);
        const own = transactions
          .flatMap(({ entries }) => entries)
          .filter(({ account: name }) => name.startsWith('customer:'));
        expect(plain(credits(own).minus(debits(own)))).toBe(account?.balance ?? '0');
        expect(transactions.at(-1)?.balance ?? '0').toBe(account?.balance ?? '0');
        for (const { balance } of transactions) expect(new Decimal(balance).gte('0')).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('no payment takes twice, gets back more than it took, or is booked twice for one source', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const events = play(steps);
        const answers = events.filter(({ type }) => type === 'CreditSpent' || type === 'CreditDeclined');
        expect(new Set(answers.map(({ data }) => data.paymentId)).size).toBe(answers.length);
        const spends = events.flatMap((event) => (event.type === 'CreditSpent' ? [event] : []));
        for (const spend of spends) {
          const back = events.flatMap((event) =>
            event.type === 'CreditReturned' && event.data.paymentId === spend.data.paymentId ? [event] : [],
          );
          expect(sum(back.map(({ data }) => data.amount)).lte(spend.data.amount)).toBe(true);
        }
        const sources = events.flatMap((event) => ('source' in event.data ? [event.data.source] : []));
        expect(new Set(sources).size).toBe(sources.length);
      }),
      { numRuns: 500 },
    );
  });

  it('folding at once gives what folding one by one gives', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const events = play(steps);
        expect(foldCredit(recorded(events))).toEqual(given(...events));
      }),
    );
  });
});

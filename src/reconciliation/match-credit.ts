import type { RecordedEvent } from '../kernel/event.js';
import { isCreditEvent, readCreditEvent, type MovementEvent } from '../customers/credit.js';
import { transactionsOf } from '../customers/ledger.js';
import { Decimal, least, plain, sum } from '../payments/decimal.js';
import { isPaymentEvent, readPaymentEvent } from '../payments/payment-stream.js';
import { difference, isSame, money, type Difference, type DifferenceKind, type Outcome, type Total } from './match.js';

/*
 * The credit that payments give, take and release, and the ledger of the customers' accounts. Each cause has its double
 * entry once, and each entry has its cause.
 */

/** An amount that an event of a payment says is to be booked. */
interface Cause {
  eventId: string;
  amount: string;
}

/** What the events of one payment say of its customer's credit. */
export interface CreditOfPayment {
  paymentId: string;
  applicationId: string;
  customerId: string;
  currency: string;
  granted: Cause[];
  /** What it says that credit pays; `"0"` where it says nothing. */
  applied: string;
  released: Cause[];
}

/** Null where the payment has no customer, or is none. */
export function creditOf(events: readonly RecordedEvent[]): CreditOfPayment | null {
  const [first] = events;
  const begun = first && isPaymentEvent(first) ? readPaymentEvent(first) : null;
  if (begun?.type !== 'PaymentRequested' || begun.data.customerId === null) return null;
  const { id: paymentId, applicationId, customerId, currency } = begun.data;
  const credit: CreditOfPayment = {
    paymentId,
    applicationId,
    customerId,
    currency,
    granted: [],
    applied: '0',
    released: [],
  };
  for (const recorded of events) {
    const event = readPaymentEvent(recorded);
    if (event.type === 'CreditGranted') credit.granted.push({ eventId: recorded.id, amount: event.data.amount });
    else if (event.type === 'CreditReleased') credit.released.push({ eventId: recorded.id, amount: event.data.amount });
    else if (event.type === 'CreditApplied') credit.applied = event.data.amount;
  }
  return credit;
}

/** An account as its stream says it is. */
export interface Account {
  name: string;
  /** By the payments that they name. */
  movements: ReadonlyMap<string, MovementEvent[]>;
  outcome: Outcome;
}

/** Reads an account, and sees whether it is whole, comes to zero entry by entry, and never fell below nothing. */
export function accountOf(name: string, events: readonly RecordedEvent[]): Account {
  const movements = new Map<string, MovementEvent[]>();
  const differences: Difference[] = [];
  const fault = (there: string, sentence: string): void => {
    differences.push(
      difference('ledger_unbalanced', { paymentId: null, trackId: null }, { here: `account ${name}`, there, sentence }),
    );
  };
  const last = events.at(-1);
  if (last && last.version !== events.length)
    fault(
      `${String(events.length)} of ${String(last.version)} events`,
      'The account lacks events that were written to it.',
    );
  try {
    for (const recorded of events.filter(isCreditEvent)) {
      const event = readCreditEvent(recorded);
      if (event.type === 'CreditDeclined') continue;
      movements.set(event.data.paymentId, [...(movements.get(event.data.paymentId) ?? []), event]);
    }
    for (const { id, entries, balance, currency } of transactionsOf(events)) {
      const debits = sum(entries.flatMap(({ debit }) => debit ?? []));
      const credits = sum(entries.flatMap(({ credit }) => credit ?? []));
      if (!debits.eq(credits))
        fault(`${plain(debits)} against ${plain(credits)} ${currency}`, `The entries of ${id} do not come to zero.`);
      if (new Decimal(balance).lt('0')) fault(money(balance, currency), `The balance is below nothing after ${id}.`);
    }
  } catch (error) {
    // None of it can be relied upon.
    movements.clear();
    fault(error instanceof Error ? error.message : 'unreadable', 'The account cannot be read.');
  }
  return { name, movements, outcome: { differences, explained: [], totals: [] } };
}

/** Holds what one payment's events say against the entries that name it; `credit` null where no such payment is known. */
export function matchCredit(
  paymentId: string,
  credit: CreditOfPayment | null,
  movements: readonly MovementEvent[],
): Outcome {
  const book = new Book(paymentId, credit?.currency ?? movements[0]?.data.currency ?? '');
  book.owner(credit, movements);
  book.additions(credit?.granted ?? [], movements.filter(isA('CreditAdded')));
  const spent = movements.filter(isA('CreditSpent'));
  const released = credit?.released ?? [];
  const returned = movements.filter(isA('CreditReturned'));
  book.spending(credit?.applied ?? '0', spent, released.length > 0);
  book.returns(released, returned, sum(spent.map(({ data }) => data.amount)));
  return { differences: book.differences, explained: [], totals: book.totals };
}

const isA =
  <T extends MovementEvent['type']>(type: T) =>
  (event: MovementEvent): event is Extract<MovementEvent, { type: T }> =>
    event.type === type;

type Of<T extends MovementEvent['type']> = Extract<MovementEvent, { type: T }>;

class Book {
  readonly differences: Difference[] = [];
  readonly totals: Total[] = [];

  constructor(
    private readonly paymentId: string,
    private readonly currency: string,
  ) {}

  /** Entries must be in the account of the payment's own customer and currency. */
  owner(credit: CreditOfPayment | null, movements: readonly MovementEvent[]): void {
    const stray = credit && movements.find(({ data }) => data.customerId !== credit.customerId || data.currency !== credit.currency); // prettier-ignore
    if (stray)
      this.differ(
        'credit_differs',
        `customer ${credit.customerId}, ${credit.currency}`,
        `customer ${stray.data.customerId}, ${stray.data.currency}`,
        'It is booked to an account that is not the one of the payment.',
      );
  }

  additions(granted: readonly Cause[], added: readonly Of<'CreditAdded'>[]): void {
    for (const { eventId, amount } of granted) {
      const [entry, ...more] = added.filter(({ data }) => data.source === eventId);
      this.total('credit_granted', amount, sumOf(entry ? [entry, ...more] : []));
      if (!entry)
        this.differ('credit_not_booked', this.show(amount), 'nothing', 'A credit that the payment gave is not booked.');
      else if (!isSame(entry.data.amount, amount))
        this.differ('credit_differs', this.show(amount), this.show(entry.data.amount), 'A credit is booked with another amount than was given.'); // prettier-ignore
      if (more.length > 0)
        this.differ('booked_twice', this.show(amount), `${String(more.length + 1)} entries`, 'A credit is booked more than once.'); // prettier-ignore
    }
    const causes = new Set(granted.map(({ eventId }) => eventId));
    for (const entry of added.filter(({ data }) => !causes.has(data.source))) {
      this.total('credit_granted', '0', entry.data.amount);
      this.causeless(entry, 'A credit is booked that the payment did not give.');
    }
  }

  /** What was taken before the payment had recorded it, and given back since, is even. */
  spending(applied: string, spent: readonly Of<'CreditSpent'>[], ended: boolean): void {
    const [entry, ...more] = spent;
    const unrecorded = ended && isSame(applied, '0');
    this.total('credit_applied', unrecorded ? sumOf(spent) : applied, sumOf(spent));
    if (more.length > 0)
      this.differ('booked_twice', this.show(applied), `${String(spent.length)} entries`, 'A payment took credit more than once.'); // prettier-ignore
    if (!entry && !isSame(applied, '0'))
      this.differ('credit_not_booked', this.show(applied), 'nothing', 'Credit that pays for it was not taken from the customer.'); // prettier-ignore
    if (!entry || unrecorded || isSame(entry.data.amount, applied)) return;
    if (isSame(applied, '0')) this.causeless(entry, 'Credit was taken from the customer, and the payment does not know of it.'); // prettier-ignore
    else
      this.differ('credit_differs', this.show(applied), this.show(entry.data.amount), 'Another amount was taken from the customer than credit pays.'); // prettier-ignore
  }

  /** No more is given back than was taken, whatever was released. */
  returns(released: readonly Cause[], returned: readonly Of<'CreditReturned'>[], spent: Decimal): void {
    const causes = new Set(released.map(({ eventId }) => eventId));
    const due = plain(least(sum(released.map(({ amount }) => amount)), spent));
    const back = sumOf(returned.filter(({ data }) => causes.has(data.source)));
    this.total('credit_released', due, sumOf(returned));
    if (!isSame(due, back))
      this.differ(isSame(back, '0') ? 'credit_not_booked' : 'credit_differs', this.show(due), this.show(back), 'Credit that the payment released was not given back as it should.'); // prettier-ignore
    for (const entry of returned.filter(({ data }) => !causes.has(data.source)))
      this.causeless(entry, 'Credit was given back that the payment did not release.');
  }

  private causeless({ data }: MovementEvent, sentence: string): void {
    this.differ('booked_without_cause', 'nothing', `customer ${data.customerId}: ${this.show(data.amount)}`, sentence);
  }

  private differ(kind: DifferenceKind, here: string, there: string, sentence: string): void {
    this.differences.push(difference(kind, { paymentId: this.paymentId, trackId: null }, { here, there, sentence }));
  }

  private total(what: Total['what'], here: string, there: string): void {
    if (isSame(here, '0') && isSame(there, '0')) return;
    this.totals.push({ what, currency: this.currency, here, there });
  }

  private show(amount: string): string {
    return money(amount, this.currency);
  }
}

const sumOf = (movements: readonly MovementEvent[]): string => plain(sum(movements.map(({ data }) => data.amount)));

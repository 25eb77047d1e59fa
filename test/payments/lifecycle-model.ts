import { addMinutes, type Instant } from '../../src/kernel/clock.js';
import { Refusal } from '../../src/kernel/refusal.js';
import { applyCredit } from '../../src/payments/credit.js';
import { plain } from '../../src/payments/decimal.js';
import {
  applyReport,
  cancel,
  decideAfter,
  gatewaySilent,
  giveUp,
  invoiceOpened,
  invoiceRefused,
  unconfirmed,
  type Claim,
} from '../../src/payments/decisions.js';
import type { GatewayReport, GatewayStatus } from '../../src/payments/payment-gateway.js';
import {
  evolve,
  factsOf,
  isReportable,
  type Payment,
  type PaymentEvent,
  type Witness,
} from '../../src/payments/payment.js';
import { Decimal } from '../../src/payments/decimal.js';
import { refundsOf } from '../../src/payments/refund-schedule.js';
import {
  applyPayout,
  attemptRefund,
  refundDelayed,
  refundFailed,
  refundLost,
  refundSubmitted,
  refundUnended,
  requestRefund,
} from '../../src/payments/refunds.js';
import { noteRemainder, remainderDue, remainderReview, settleRemainder } from '../../src/payments/remainder.js';
import { resolveReview } from '../../src/payments/review.js';
import { needsPrices } from '../../src/payments/worth.js';
import {
  changes,
  dollars,
  endMinute,
  heardIn,
  inDollars,
  refundTo,
  type Arrivals,
  type Telling,
} from './gateway-model.js';
import { deadline, foldAll, opened, terms } from './given.js';
import type { Act, Life, PayoutStep } from './lifecycle-acts.js';

/*
 * Everything that can happen to one payment: what a truthful gateway says, what persons decide, what is asked to be
 * given back and what becomes of it, who collects the rest, and what credit pays.
 */

/** What a step made of the payment; `states` has the payment before each event, and after the last. */
export interface Step {
  name: string;
  witness: Witness | 'person';
  before: Payment;
  events: PaymentEvent[];
  states: Payment[];
  after: Payment;
}

export interface Ending {
  payment: Payment;
  /** All that happened after the payment was asked for. */
  history: PaymentEvent[];
  /** How much the last two of the gateway's same answers still changed. */
  restless: string[];
}

const prices = new Map([
  ['TRX', '0.25'],
  ['USDT', '1'],
  ['USD', '1'],
]);

const clockAt = (minute: number): Instant => addMinutes(opened, minute);

/** How the gateway counts: coin units are exact where their worth is told by prices. */
function tellingOf({ worth }: Life, invoiced: string): Telling {
  const exact: Telling['unitsOf'] = ({ cents, coin }) =>
    coin === 'TRX' ? plain(new Decimal(dollars(cents)).times('4')) : dollars(cents);
  return {
    ...inDollars,
    dueUsd: invoiced,
    invoice: () => ({ amount: invoiced, valueUsd: invoiced }),
    prices: worth === 'told' ? new Map<string, string>() : prices,
    unitsOf: worth === 'told' ? inDollars.unitsOf : exact,
    tellsWorth: (_, witness) => worth === 'told' || (worth === 'called' && witness === 'callback'),
  };
}

interface Heard {
  minute: number;
  witness: Witness;
  said: GatewayReport;
}

/** What the gateway said at `minute`, and is heard at `minute + delay`. */
function told(life: Life, telling: Telling, asked: Arrivals, delay: number): Heard {
  const [heard] = heardIn(life.world, asked, life.setting.rules, telling);
  if (!heard) throw new Error('the gateway said nothing');
  const { minute, witness, said } = heard;
  const transfers = said.transfers.map((transfer, index) =>
    (life.undated >> index) % 2 === 1 ? { ...transfer, seenAt: null } : transfer,
  );
  const took = life.refundedAt !== null && minute >= life.refundedAt && transfers.some(isConfirmed);
  const back: GatewayStatus = life.refundedAt !== null && minute < life.refundedAt + 60 ? 'refunding' : 'refunded';
  return { minute: minute + delay, witness, said: { ...said, transfers, status: took ? back : said.status } };
}

const isConfirmed = ({ status }: GatewayReport['transfers'][number]): boolean => status === 'confirmed';

const answerAt = (life: Life, telling: Telling, minute: number): Heard =>
  told(life, telling, { deliveries: [], polls: [minute] }, 0);

function heardOf(life: Life, telling: Telling): Heard[] {
  const count = changes(life.world).length;
  const callbacks = life.arrivals.deliveries.map(({ callback, delay }) =>
    told(life, telling, { deliveries: [{ callback: callback % count, delay: 0 }], polls: [] }, delay),
  );
  return [...callbacks, ...life.arrivals.polls.map((minute) => answerAt(life, telling, minute))];
}

/** One payment on its way; every step goes through `watch`. */
class Subject {
  payment: Payment;
  readonly history: PaymentEvent[] = [];
  private readonly remainders: { id: string; amount: string; at: Instant; ended: boolean }[] = [];

  constructor(
    private readonly life: Life,
    private readonly watch: (step: Step) => void,
  ) {
    const { setting, credit } = life;
    const asked = terms(setting.rules, { ...setting.terms, ...(credit === null ? {} : { useCredit: true }) });
    const customer = credit === null ? {} : { customerId: 'customer-1' };
    this.payment = foldAll([{ type: 'PaymentRequested', data: { ...asked, ...customer } }]);
  }

  /** A refusal is an answer like any other: nothing has happened. */
  step(name: string, witness: Step['witness'], decide: (payment: Payment) => PaymentEvent[]): number {
    const before = this.payment;
    let events: PaymentEvent[];
    try {
      events = decide(before);
    } catch (error) {
      if (error instanceof Refusal) return 0;
      throw error;
    }
    const states = [before];
    for (const event of events) states.push(evolve(states.at(-1) ?? before, event) ?? before);
    this.payment = states.at(-1) ?? before;
    this.history.push(...events);
    this.watch({ name, witness, before, events, states, after: this.payment });
    return events.length;
  }

  taken(minute: number): boolean {
    const { status } = this.payment;
    const closed = status === 'expired' || status === 'failed';
    return this.life.takenFrom !== null && minute >= this.life.takenFrom && closed;
  }

  hear({ minute, witness, said }: Heard, telling: Telling): number {
    const claim: Claim = { witness, now: clockAt(minute), orderTaken: this.taken(minute) };
    return this.step(`${witness} says ${said.status}`, witness, (payment) => {
      if (!isReportable(payment)) return [];
      const events = applyReport(payment, said, claim);
      if (witness !== 'poll' || telling.prices.size === 0) return events;
      const after = events.reduce<Payment | null>(evolve, payment);
      const lacking = after && isReportable(after) && needsPrices(after.money.transfers, factsOf(after));
      return lacking ? applyReport(payment, said, { ...claim, prices: telling.prices }) : events;
    });
  }

  act(act: Act, minute: number): void {
    const now = clockAt(minute);
    const name = JSON.stringify(act);
    if (act.kind === 'remainder') return this.collect(act, minute);
    if (act.kind === 'payout') {
      for (const step of act.steps)
        this.step(`refund ${String(act.which)} ${step}`, 'service', (payment) =>
          progressRefund(payment, step, act.which, now),
        );
      return;
    }
    this.step(name, act.kind === 'decide' ? 'person' : 'service', (payment) => {
      switch (act.kind) {
        case 'decide': {
          const to = act.toAddress ? refundTo : (payment.terms.refundTo ?? null);
          const said = { decision: act.decision, actor: 'dana@shop.example', note: 'why', refundTo: to };
          return resolveReview(payment, said, this.taken(minute), now);
        }
        case 'refund':
          return requestRefund(payment, wishOf(act), now);
        case 'credit':
          return applyCredit(payment, dollars(act.cents), now);
        case 'cancel':
          return cancel(payment, now);
        case 'refuse':
          return invoiceRefused(payment, { field: null, detail: 'no' }, now);
        case 'give up':
          return isReportable(payment) ? giveUp(payment, now) : [];
        case 'ask':
          return unconfirmed(payment, 'not known there', 10, now);
        case 'doubt':
          return gatewaySilent(payment, 'no connection', 30, now);
      }
    });
  }

  private begin(payment: Payment, at: Instant): void {
    const amount = remainderDue(payment);
    this.remainders.push({ id: `remainder-${String(this.remainders.length)}`, amount, at, ended: false });
  }

  /** What a payment for the missing part does: it is opened, noted (perhaps late), paid, ended, and paid after all. */
  private collect({ step, which }: Extract<Act, { kind: 'remainder' }>, minute: number): void {
    const now = clockAt(minute);
    // The missing part has one payment that is open or paid, as an order has.
    const standing = this.remainders.some(({ ended }) => !ended);
    if (step === 'open') {
      if (!standing) this.step('a remainder is asked for', 'service', (payment) => (this.begin(payment, now), []));
      // Where it is not noted at once, it is `which` that is not.
      if (which === 0) return;
    }
    const other = this.remainders.at(step === 'open' ? -1 : -1 - which);
    if (!other) return;
    const { id, amount, at } = other;
    if (step === 'open' || step === 'note') {
      const data = { ...this.payment.terms, id, amount, requestedAt: at };
      this.step('a remainder is noted', 'service', (payment) => noteRemainder(payment, data, now));
      return;
    }
    if (step === 'paid' && other.ended && standing) return;
    other.ended = step === 'ended';
    const outcome = { paymentId: id, amount, outcome: step };
    const claim: Claim = { witness: 'service', now, orderTaken: this.taken(minute) };
    this.step(`a remainder of ${amount} is ${step}`, 'service', (payment) => {
      const events = decideAfter(payment, (current) => settleRemainder(current, outcome, now), claim);
      const after = events.reduce<Payment | null>(evolve, payment);
      return events.length > 0 && after ? [...events, ...remainderReview(after, outcome, now)] : events;
    });
  }
}

const wishOf = ({ cents, currency }: Extract<Act, { kind: 'refund' }>) => {
  const usd = cents === null ? null : dollars(cents);
  const amount = usd !== null && currency === 'TRX' ? plain(new Decimal(usd).times('4')) : usd;
  return { amount, currency, to: refundTo, reason: 'returned' };
};

function progressRefund(payment: Payment, step: PayoutStep, which: number, now: Instant): PaymentEvent[] {
  const number = (which % Math.max(1, refundsOf(payment).length)) + 1;
  const says = (status: 'confirmed' | 'failed', witness: Witness): PaymentEvent[] =>
    applyPayout(payment, number, { status, txHash: 'hash-of-payout' }, { witness, now });
  switch (step) {
    case 'attempt':
      return attemptRefund(payment, number, now);
    case 'submitted':
      return refundSubmitted(payment, number, `payout-${String(number)}`, false, now);
    case 'unavailable':
    case 'unknown':
      return refundDelayed(payment, number, step, 'no answer', now);
    case 'lost':
      return refundLost(payment, number, now);
    case 'refused':
      return refundFailed(payment, number, 'refused', now);
    case 'unended':
      return refundUnended(payment, number, now);
    case 'confirmed by answer':
      return says('confirmed', 'poll');
    case 'failed by answer':
      return says('failed', 'poll');
    case 'confirmed by callback':
      return says('confirmed', 'callback');
    case 'failed by callback':
      return says('failed', 'callback');
  }
}

/** Lives through everything in the order of time, and then asks the gateway until two answers change nothing. */
export function liveOn(life: Life, watch: (step: Step) => void): Ending {
  const subject = new Subject(life, watch);
  for (const act of life.early) subject.act(act, 0);
  if (life.credit !== null) subject.act({ kind: 'credit', cents: life.credit }, 0);
  const invoice = { trackId: '100000001', paymentUrl: 'https://pay.example/1', expiresAt: deadline };
  subject.step('the invoice opens', 'service', (payment) => invoiceOpened(payment, invoice, false, opened));
  const { payment } = subject;
  const telling = tellingOf(life, isReportable(payment) ? payment.invoiced : payment.terms.amount);
  const heard = heardOf(life, telling).map((each) => ({
    minute: each.minute,
    run: () => void subject.hear(each, telling),
  }));
  const done = life.acts.flatMap(({ minute, twice, ...act }) => {
    const run = (): void =>
      act.kind === 'ask' ? void subject.hear(answerAt(life, telling, minute), telling) : subject.act(act, minute);
    return twice
      ? [
          { minute, run },
          { minute, run },
        ]
      : [{ minute, run }];
  });
  const turns = [...heard, ...done].sort((a, b) => a.minute - b.minute);
  for (const { run } of turns) run();
  const end = Math.max(endMinute, turns.at(-1)?.minute ?? 0) + 1;
  const last = answerAt(life, telling, end);
  for (let asked = 0, quiet = 0; quiet < 1 && asked < 6; asked++)
    quiet = subject.hear({ ...last, minute: end + asked }, telling) === 0 ? 1 : 0;
  const settledAt = subject.history.length;
  subject.hear({ ...last, minute: end + 10 }, telling);
  subject.hear({ ...last, minute: end + 50_000 }, telling);
  const restless = subject.history.slice(settledAt).map(({ type }) => type);
  return { payment: subject.payment, history: subject.history, restless };
}

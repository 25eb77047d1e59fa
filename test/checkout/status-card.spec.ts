import { describe, expect, it } from '@jest/globals';
import { languages, type Language } from '../../src/checkout/language.js';
import { textsIn } from '../../src/checkout/languages/texts-in.js';
import { situationOf } from '../../src/checkout/situation.js';
import { statusCard } from '../../src/checkout/status-card.page.js';
import { addMinutes } from '../../src/kernel/clock.js';
import { evolve, type Payment } from '../../src/payments/payment.js';
import { labelsOf, progressOf } from '../../src/payments/standing.js';
import { textOf } from './status-page-text.js';
import { states, termsOf, type State, type StateName } from './status-states.js';

const now = '2026-03-02T12:00:00.000Z';
const names = Object.keys(states) as StateName[];

function paymentIn(state: State): Payment {
  const requested = { type: 'PaymentRequested', data: termsOf(now, state, 'application') } as const;
  const payment = [requested, ...state.events(now)].reduce<Payment | null>(evolve, null);
  if (!payment) throw new Error('there is no payment');
  return payment;
}

const cardOf = (state: State, language: Language = 'en', at = now): string =>
  statusCard(paymentIn(state), at, language, { token: 'token', version: 3, past: null }).text;
const wordsOf = (state: State, language?: Language, at?: string): string => textOf(cardOf(state, language, at));

describe('The card of the status page', () => {
  it('is tried in every progress, every situation and with every label', () => {
    const payments = names.map((name) => paymentIn(states[name]));
    expect(new Set(payments.map(progressOf))).toEqual(
      new Set([
        'opening',
        'awaiting_payment',
        'partially_paid',
        'detected',
        'confirming',
        'settled',
        'in_review',
        'closed',
      ]),
    );
    expect(new Set(payments.map((payment) => situationOf(payment, now)))).toEqual(
      new Set(Object.keys(textsIn('en').stories)),
    );
    expect(new Set(payments.flatMap(labelsOf))).toEqual(
      new Set([
        'underpaid',
        'overpaid',
        'late',
        'multiple_transfers',
        'mixed_currency',
        'within_tolerance',
        'manually_accepted',
        'refunded',
        'partially_refunded',
        'credited',
        'gateway_conflict',
        'sandbox',
      ]),
    );
  });

  describe.each(names)('of a payment in the state %s', (name) => {
    const state: State = states[name];

    it('says in every language what was seen, how it is confirming and what to do, with nothing left to fill in', () => {
      for (const language of languages) {
        const { heading, lead, longer } = textsIn(language).stories[state.situation];
        const words = wordsOf(state, language);
        for (const text of [heading, lead, longer]) expect(words).toContain(text);
        const card = cardOf(state, language);
        expect(card.match(/<li class="(done|now|later|stopped)"/g)).toHaveLength(3);
        expect(card).not.toMatch(/\{\w+\}|undefined|null|NaN|\[object/);
        expect(card).toContain('<bdi dir="ltr">50.00 USD</bdi>');
      }
    });

    it('calls it complete only where it is settled, and asks for money only while there is time', () => {
      const words = wordsOf(state);
      expect(words.includes('Complete Done')).toBe(state.situation === 'settled');
      const asks = /Pay now|How to pay/.test(words);
      expect(asks).toBe(state.situation === 'awaiting' || state.situation === 'partial');
      expect(/Time left/.test(words)).toBe(asks);
    });
  });

  it('counts confirmations of how many where the policy says so, and invents no number where it does not', () => {
    expect(wordsOf(states.confirming)).toContain('7 of 19 confirmations');
    const soFar = wordsOf(states['confirming-so-far']);
    expect(soFar).toContain('7 confirmations so far');
    expect(soFar).not.toMatch(/\d of \d/);
    expect(wordsOf({ ...states.confirming, rules: { paidWhen: { rule: 'confirmations', count: 1 } } })).toContain(
      'Confirming Confirmed',
    );
  });

  it('tells the least confirmed of several transactions', () => {
    const [first, ...others] = states['two-coins'].events(now);
    const slow = [first, ...others].flatMap((event) =>
      event?.type === 'TransferDetected' || event?.type === 'InvoiceOpened' || event?.type === 'AmountAssessed'
        ? [event]
        : [],
    );
    const events = slow.map((event, at) =>
      event.type === 'TransferDetected'
        ? {
            ...event,
            data: {
              ...event.data,
              transfer: { ...event.data.transfer, status: 'confirming' as const, confirmations: at * 2 },
            },
          }
        : event,
    );
    const words = wordsOf({ ...states['two-coins'], situation: 'confirming', events: () => events });
    expect(words).toContain('2 transactions seen');
    expect(words).toContain('Confirming 2 confirmations so far');
  });

  it('tells the time left by our clock, and after it not to pay any more', () => {
    expect(wordsOf(states.address)).toContain('Time left 1 hour');
    expect(cardOf(states.address)).toContain(`data-until="${addMinutes(now, 60)}" data-now="${now}"`);
    expect(wordsOf(states.address, 'en', addMinutes(now, 59))).toContain('Time left 1 minute until');
    const after = wordsOf(states.address, 'en', addMinutes(now, 60));
    expect(after).toContain('Please do not pay any more for it.');
    expect(after).not.toMatch(/How to pay|Time left|TJYeas/);
  });

  it('shows where to pay: address, memo with its warning, network and the exact amount', () => {
    const words = wordsOf(states.address);
    expect(words).toContain('Amount 50.012345 USDT');
    expect(words).toContain('Send only USDT on this network: Tron Network.');
    expect(words).not.toContain('memo');
    const memo = wordsOf(states.memo);
    expect(memo).toContain('Memo (tag) 4218806');
    expect(memo).toContain('Without it your money cannot be matched and may be lost.');
    const copied = [...cardOf(states.memo).matchAll(/data-copy="([^"]*)"[^>]* hidden/g)].map(([, text]) => text);
    expect(copied).toEqual(['15.625', expect.stringMatching(/^UQBv/), '4218806']);
  });

  it('does not name a number of coins for a part, because nobody has said one', () => {
    const words = wordsOf(states['partial-address']);
    expect(words).toContain('Amount 20.00 USD, paid in USDT');
    expect(words).not.toContain('50.012345');
    expect(words).toContain('Still missing 20.00 USD');
  });

  it('leads to the explorer of the network, and shows an id that is none as it is nowhere', () => {
    const card = cardOf(states.settled);
    expect(card).toMatch(
      /<a\s+class="explorer"\s+href="https:\/\/tronscan\.org\/#\/transaction\/[0-9a-f]{64}"\s+target="_blank"\s+rel="noreferrer noopener"/,
    );
    expect(textOf(card)).toContain('opens in a new window');
    const sandboxed = states.settled
      .events(now)
      .map((event) =>
        event.type === 'TransferDetected'
          ? { ...event, data: { ...event.data, transfer: { ...event.data.transfer, txHash: 'sandbox' } } }
          : event,
      );
    expect(cardOf({ ...states.settled, events: () => sandboxed })).not.toMatch(/tronscan|>sandbox</);
  });

  it('tells what happens to short, excess and late money by the policy of this payment', () => {
    const plain = wordsOf(states.awaiting);
    expect(plain).toContain('If too little arrives by the deadline, the payment is closed; the shop will tell you');
    // The default policy credits an excess to the customer: here nobody is named.
    expect(plain).toContain('If you send too much, a person at the shop decides about the excess.');
    expect(plain).toContain('If money arrives after the deadline, a person at the shop decides about it.');
    const other = wordsOf(states.memo);
    expect(other).toContain('what arrived becomes your credit at the shop.');
    expect(other).toContain('Up to 2% more than the price stays with the shop.');
    expect(other).toContain('the excess is sent back to the address that was given.');
    expect(other).toContain('does not complete the payment; for 6 hours it becomes your credit at the shop.');
    const accepting = wordsOf(states.address);
    expect(accepting).toContain('Up to 1% less than the price is accepted.');
    expect(accepting).toContain('Money that arrives up to 3 days after the deadline still counts.');
  });

  it('promises nothing of late money once its window is over, or where no address was given', () => {
    const closed = (then: 'accept' | 'refund', at: string): string =>
      wordsOf({ ...states.closed, rules: { latePayment: { window: 'PT1H', then } } }, 'en', at);
    expect(closed('accept', now)).toContain('Money that arrives up to 1 hour after the deadline still counts.');
    expect(closed('accept', addMinutes(now, 120))).toContain('a person at the shop decides about it');
    expect(closed('refund', now)).toContain('a person at the shop decides about it');
  });

  it('leads back to the shop only when it has ended', () => {
    const back = (name: StateName): boolean =>
      /Back to the shop/.test(wordsOf({ ...(states[name] as State), terms: { returnUrl: 'https://shop.example/' } }));
    const ended = names.filter(back).map((name) => progressOf(paymentIn(states[name])));
    expect(new Set(ended)).toEqual(new Set(['settled', 'closed']));
    const open = names.filter((name) => !back(name)).map((name) => progressOf(paymentIn(states[name])));
    expect(open.filter((progress) => progress === 'settled' || progress === 'closed')).toEqual([]);
  });

  it('is live until nothing changes by itself any more: an expired payment while late money is still judged', () => {
    const live = (state: State, at = now): boolean => cardOf(state, 'en', at).includes('data-live="1"');
    const over = names.filter((name) => !live(states[name]));
    expect(new Set(over.map((name) => states[name].situation))).toEqual(
      new Set(['settled', 'refunded', 'rejected', 'closed']),
    );
    expect([live(states.checking), live(states.closed), live(states.cancelled)]).toEqual([true, true, false]);
    expect(live(states.closed, addMinutes(now, 73 * 60))).toBe(false);
  });
});

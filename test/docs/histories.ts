import { cancel } from '../../src/payments/decisions.js';
import type { GatewayReport, GatewayStatus, ReportedTransfer } from '../../src/payments/payment-gateway.js';
import type { Payment, PaymentEvent, Witness } from '../../src/payments/payment.js';
import { inTime, muchTooLate, report, tooLate, transfer } from '../payments/given.js';

/** One thing that is heard in the life of a payment of 50 USD whose deadline is 2026-01-01T13:00. */
export interface Heard {
  said: GatewayReport;
  witness: Witness;
  at: string;
  prices?: ReadonlyMap<string, string>;
}

/** What is heard, or done by the application. */
export type Step = Heard | { does: (payment: Payment) => PaymentEvent[] };

/** What happened, in words and as it was heard. Its last report is also the gateway's last answer, long afterwards. */
export interface History {
  name: string;
  what: string;
  tolerancePercent?: string;
  steps: Step[];
}

const outside = '2026-01-08T12:00:00.000Z';

const money = (worth: string, changes: Partial<ReportedTransfer> = {}): ReportedTransfer =>
  transfer(worth, { status: 'confirmed', confirmations: 20, ...changes });
const late = (worth: string, changes: Partial<ReportedTransfer> = {}): ReportedTransfer =>
  money(worth, { seenAt: tooLate, ...changes });
const inTrx = (units: string): Partial<ReportedTransfer> => ({ currency: 'TRX', sentAmount: units });
const unpriced = (units: string): ReportedTransfer => money(units, { ...inTrx(units), valueUsd: null });

const callback = (status: GatewayStatus, transfers: ReportedTransfer[] = [], at = inTime): Heard => ({
  said: report(status, transfers),
  witness: 'callback',
  at,
});
const answer = (status: GatewayStatus, transfers: ReportedTransfer[] = [], at = tooLate): Heard => ({
  said: report(status, transfers),
  witness: 'poll',
  at,
});
const unvalued = (
  status: GatewayStatus,
  transfers: ReportedTransfer[],
  prices?: ReadonlyMap<string, string>,
): Step => ({
  said: report(status, transfers, { valueUsd: null }),
  witness: 'poll',
  at: tooLate,
  ...(prices ? { prices } : {}),
});

const prices = new Map([
  ['TRX', '0.25'],
  ['USD', '1'],
]);
const mismatch: Heard = { said: report('paid', [money('50')], { amount: '5' }), witness: 'poll', at: inTime };
const oneHash = { txHash: 'one-transaction-for-both' };

export const histories: readonly History[] = [
  {
    name: 'Exact',
    what: '50 arrive in time.',
    steps: [callback('paying', [transfer('50')]), callback('paid', [money('50')])],
  },
  { name: 'Nothing at all', what: 'No money arrives.', steps: [callback('waiting'), answer('expired')] },
  {
    name: 'Short',
    what: '30 arrive in time, and no more.',
    steps: [callback('paying', [money('30')]), answer('underpaid', [money('30')])],
  },
  {
    name: 'Short within the tolerance',
    what: '49.50 arrive in time; both tolerances are 2 %.',
    tolerancePercent: '2',
    steps: [callback('paid', [money('49.5')])],
  },
  { name: 'Over', what: '55 arrive in time.', steps: [callback('paid', [money('55')])] },
  {
    name: 'Over within the tolerance',
    what: '50.50 arrive in time; both tolerances are 2 %.',
    tolerancePercent: '2',
    steps: [callback('paid', [money('50.5')])],
  },
  {
    name: 'Topped up in time',
    what: '30 and then 20 arrive in time.',
    steps: [callback('paying', [money('30')]), callback('paid', [money('30'), money('20')])],
  },
  {
    name: 'Topped up in time in a second coin',
    what: '30 in USDT and then 20 in TRX arrive in time.',
    steps: [callback('paying', [money('30')]), callback('paid', [money('30'), money('20', inTrx('80'))])],
  },
  {
    name: 'Late, the whole amount',
    what: '50 arrive after the deadline, inside the window.',
    steps: [answer('expired'), answer('expired', [late('50')])],
  },
  {
    name: 'Late and over',
    what: '55 arrive after the deadline, inside the window.',
    steps: [answer('expired'), answer('expired', [late('55')])],
  },
  {
    name: 'Short, topped up late',
    what: '30 arrive in time, 20 after the deadline, inside the window.',
    steps: [answer('underpaid', [money('30')]), answer('underpaid', [money('30'), late('20')])],
  },
  {
    name: 'Short, topped up late in a second coin',
    what: '30 in USDT arrive in time, 20 in TRX after the deadline, inside the window.',
    steps: [answer('underpaid', [money('30')]), answer('underpaid', [money('30'), late('20', inTrx('80'))])],
  },
  {
    name: 'Short and late, and still short',
    what: '30 arrive in time, 10 after the deadline, inside the window.',
    steps: [answer('underpaid', [money('30')]), answer('underpaid', [money('30'), late('10')])],
  },
  {
    name: 'Over, a part of it late',
    what: '30 arrive in time, 25 after the deadline, inside the window.',
    steps: [answer('underpaid', [money('30')]), answer('underpaid', [money('30'), late('25')])],
  },
  {
    name: 'Paid, then more that is late',
    what: '50 arrive in time, 10 after the deadline, inside the window.',
    steps: [answer('paid', [money('50')], inTime), answer('paid', [money('50'), late('10')])],
  },
  {
    name: 'Late, outside the window',
    what: '50 arrive a week after the deadline; the window is three days.',
    steps: [answer('expired'), answer('expired', [money('50', { seenAt: outside })], outside)],
  },
  {
    name: 'One transfer in two callbacks',
    what: '50 arrive in time; two callbacks tell of the transfer, and one of them comes twice.',
    steps: [
      callback('paying', [transfer('50')]),
      callback('paid', [money('50')]),
      callback('paid', [money('50')]),
      callback('paying', [transfer('50')]),
      answer('paid', [money('50')]),
    ],
  },
  {
    name: 'Two transfers under one hash',
    what: '20 and 30 arrive in time in one transaction.',
    steps: [callback('paid', [money('20', oneHash), money('30', oneHash)])],
  },
  {
    name: 'Paid, then accepted by hand',
    what: '50 arrive in time; then a person at the gateway accepts the payment as well.',
    steps: [callback('paid', [money('50')]), callback('manual_accept', [money('50')])],
  },
  {
    name: 'Short, accepted by hand in time',
    what: '30 arrive in time, and a person at the gateway accepts them before the deadline.',
    steps: [callback('paying', [money('30')]), callback('manual_accept', [money('30')])],
  },
  {
    name: 'Short, accepted by hand after it expired',
    what: '30 arrive in time; a person at the gateway accepts them after the gateway had closed the payment as short.',
    steps: [
      answer('underpaid', [money('30')]),
      answer('underpaid', [money('30')], muchTooLate),
      answer('manual_accept', [money('30')], muchTooLate),
    ],
  },
  {
    name: 'Expired with money inside',
    what: 'The gateway calls the payment expired although it lists 50 that arrived in time.',
    steps: [answer('expired', [money('50')])],
  },
  {
    name: 'Cancelled, then money',
    what: 'The application cancels the payment; then 50 arrive in time.',
    steps: [{ does: (payment) => cancel(payment, inTime) }, callback('paid', [money('50')])],
  },
  {
    name: 'Worth unknown, called paid',
    what: '200 TRX arrive in time; nobody says what they are worth, and the gateway calls the payment paid.',
    steps: [unvalued('paid', [unpriced('200')])],
  },
  {
    name: 'Worth unknown, called short',
    what: '120 TRX arrive in time; nobody says what they are worth, and the gateway closes the payment as short.',
    steps: [unvalued('underpaid', [unpriced('120')])],
  },
  {
    name: 'Worth by recorded prices, called paid',
    what: '240 TRX arrive in time; the gateway tells no worth, and its prices make them 60.',
    steps: [unvalued('paid', [unpriced('240')], prices)],
  },
  {
    name: 'Worth by recorded prices, called short',
    what: '120 TRX arrive in time; the gateway tells no worth, and its prices make them 30.',
    steps: [unvalued('underpaid', [unpriced('120')], prices)],
  },
  {
    name: 'Another amount than was asked for',
    what: 'The gateway calls the payment paid with 50, and says that its invoice was over 5.',
    steps: [mismatch],
  },
  {
    name: 'A callback says paid, the answer says 40 %',
    what: "A callback calls the payment paid with 20 and 30; the gateway's own answers know of the 20, and then that it is short.",
    steps: [
      callback('paid', [money('20'), money('30')]),
      answer('paying', [money('20')], '2026-01-01T12:30:00.000Z'),
      answer('underpaid', [money('20')]),
    ],
  },
  {
    name: 'Refunded at the gateway',
    what: '50 arrive in time; then the gateway refunds them by itself.',
    steps: [answer('paid', [money('50')], inTime), answer('refunded', [money('50')])],
  },
];

export const historyNamed = (name: string): History => {
  const found = histories.find((history) => history.name === name);
  if (!found) throw new Error(`no history is named ${name}`);
  return found;
};

/** The gateway's last answer: what it said last, long after every window. */
export function lastAnswer({ steps }: History): GatewayReport {
  const said = steps.flatMap((step) => ('said' in step ? [step.said] : [])).at(-1);
  if (!said) throw new Error('a history in which nothing is heard');
  return said;
}

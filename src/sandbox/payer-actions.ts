import { conflict, expectTransfer, sufficientConfirmations, usualCoin } from './commands.js';
import { networkFor } from './market.js';
import { play, type ScenarioName, type Stage } from './scenarios.js';
import { isOpen, missing } from './settlement.js';

/** A button of the payer's page. */
export interface PayerAction {
  name: string;
  label: string;
  explains: string;
}

type Act = (stage: Stage) => Promise<string> | string;

const scenario =
  (name: ScenarioName): Act =>
  async (stage) =>
    (await play(name, stage)).join(' ');

const entry = (name: string, label: string, explains: string, act: Act): [string, PayerAction & { act: Act }] => [
  name,
  { name, label, explains, act },
];

const groups: readonly { group: string; entries: readonly [string, PayerAction & { act: Act }][] }[] = [
  {
    group: 'As a payer',
    entries: [
      entry('exact', 'Pay exactly', 'Sends what is missing and lets it be confirmed', scenario('exact')),
      entry('detect', 'Pay, unconfirmed', 'Sends what is missing, without confirmations', detect),
      entry('underpaid', 'Underpay', 'Sends 60 percent', scenario('underpaid')),
      entry('topped_up', 'Top up', 'Sends what is missing, in two parts from the start', scenario('topped_up')),
      entry('overpaid', 'Overpay', 'Sends 10 percent too much', scenario('overpaid')),
      entry('mixed', 'Pay in two coins', 'Half in USDT, the rest in LTC', scenario('mixed')),
      entry('late', 'Pay late', 'Moves the clock past the deadline, then pays', scenario('late')),
    ],
  },
  {
    group: 'On the chain and the clock',
    entries: [
      entry('confirm', 'Confirm', 'Gives every transfer enough confirmations', confirm),
      entry('expire', 'Expire now', 'Brings the deadline to this moment', expire),
    ],
  },
  {
    group: 'With troubled callbacks',
    entries: [
      entry(
        'duplicate_callbacks',
        'Pay, callbacks thrice',
        'Each callback arrives three times',
        scenario('duplicate_callbacks'),
      ),
      entry('out_of_order', 'Pay, wrong order', 'Paid arrives before Paying', scenario('out_of_order')),
      entry('no_callbacks', 'Pay, no callbacks', 'Paid, and nobody is told', scenario('no_callbacks')),
      entry('conflicting', 'Conflict', 'A callback says Paid, the gateway says paying', scenario('conflicting')),
    ],
  },
  {
    group: 'As the merchant, in the panel',
    entries: [
      entry('manual_accept', 'Accept by hand', 'Sets manual_accept; no callback', byHand('manual_accept')),
      entry('refund', 'Refund', 'Sets refunded; no callback', byHand('refunded')),
    ],
  },
];

const actions = new Map(groups.flatMap(({ entries }) => entries));

/** The buttons, in groups. */
export const payerActions = groups.map(({ group, entries }) => ({
  group,
  actions: entries.map(([, action]) => action),
}));

/** Does what a button says and tells in a sentence what happened; undefined for an unknown button. Throws 409 where it cannot. */
export async function perform(name: string, stage: Stage): Promise<string | undefined> {
  return actions.get(name)?.act(stage);
}

function detect({ gateway, payment }: Stage): string {
  expectTransfer(payment);
  const worth = missing(payment);
  if (worth.lte('0')) throw conflict('nothing is missing from this payment');
  const { currency, network } = usualCoin(payment);
  const chain = networkFor(currency, network);
  if (!chain) throw conflict(`${currency} cannot be paid here`);
  const transfer = gateway.seeTransfer(payment, { worth, currency, chain, confirmations: 0 });
  return `${transfer.sent} ${currency} was seen, without confirmations.`;
}

function confirm({ gateway, payment }: Stage): string {
  if (payment.transfers.length === 0) throw conflict('there is no transfer to confirm');
  gateway.confirm(payment, sufficientConfirmations(payment));
  return `Every transfer is confirmed; the payment is ${payment.status}.`;
}

function expire({ gateway, payment }: Stage): string {
  if (payment.expiresMs === null || !isOpen(payment)) throw conflict(`the payment is already ${payment.status}`);
  gateway.expireNow(payment);
  return `The deadline was brought forward; the payment is ${payment.status}.`;
}

function byHand(status: 'manual_accept' | 'refunded'): Act {
  return ({ gateway, payment }) => {
    gateway.setStatus(payment, status, 'never');
    return `The status was set to ${status}; no callback was sent.`;
  };
}

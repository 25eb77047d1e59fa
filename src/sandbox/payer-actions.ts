import { conflict, expectTransfer, sufficientConfirmations, usualCoin } from './commands.js';
import type { Payment } from './ledger.js';
import { networkFor } from './market.js';
import { play, type ScenarioName, type Stage } from './scenarios.js';
import { isOpen, missing } from './settlement.js';

/** A button of the payer's page. */
export interface PayerAction {
  name: string;
  label: string;
  /** In one plain sentence. */
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
    group: 'Play a case',
    entries: [
      entry('exact', 'Pay exactly', 'Sends what is missing and lets the network confirm it.', scenario('exact')),
      entry('underpaid', 'Underpay', 'Sends 60 percent; the rest does not come.', scenario('underpaid')),
      entry(
        'topped_up',
        'Top up',
        'Sends 40 percent first, or what is missing by now, until all is there.',
        scenario('topped_up'),
      ),
      entry('overpaid', 'Overpay', 'Sends 10 percent more than is due.', scenario('overpaid')),
      entry('late', 'Pay late', 'Moves the clock past the deadline, then sends the whole amount.', scenario('late')),
      entry('mixed', 'Pay in two coins', 'Sends one half in USDT and the other in LTC.', scenario('mixed')),
      entry(
        'duplicate_callbacks',
        'Repeat callbacks',
        'Pays exactly; each callback is sent three times.',
        scenario('duplicate_callbacks'),
      ),
      entry(
        'out_of_order',
        'Swap callbacks',
        'Pays exactly; the callback Paid comes before Paying.',
        scenario('out_of_order'),
      ),
      entry(
        'no_callbacks',
        'Send no callback',
        'Pays exactly and tells nobody: the service finds it by asking.',
        scenario('no_callbacks'),
      ),
      entry(
        'conflicting',
        'Contradict',
        'A callback says Paid; asked, the gateway says that 40 percent is confirming.',
        scenario('conflicting'),
      ),
    ],
  },
  {
    group: 'One step at a time',
    entries: [
      entry('detect', 'Pay, unconfirmed', 'Sends what is missing; the network has not confirmed it yet.', detect),
      entry('confirm', 'Confirm', 'Gives every transfer enough confirmations.', confirm),
      entry('expire', 'Expire now', 'Brings the deadline to this moment.', expire),
      entry(
        'manual_accept',
        'Accept by hand',
        "As the merchant does in the gateway's panel; no callback.",
        byHand('manual_accept'),
      ),
      entry('refund', 'Refund', 'As the merchant does in the panel; no callback.', byHand('refunded')),
    ],
  },
];

const actions = new Map(groups.flatMap(({ entries }) => entries));

/** The buttons of a payment's page, in groups: where no amount is due, those that need none. */
export const actionsFor = ({ type }: Payment): { group: string; actions: PayerAction[] }[] =>
  groups
    .map(({ group, entries }) => ({
      group,
      actions: entries
        .map(([, action]) => action)
        .filter(({ name }) => type !== 'static_address' || name === 'confirm'),
    }))
    .filter((group) => group.actions.length > 0);

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

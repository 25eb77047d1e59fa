import { isUuid } from '../kernel/ids.js';
import { isCurrencySymbol, isFiat, isPlainDecimal } from '../kernel/money.js';
import { Decimal } from '../payments/decimal.js';
import type { Payment, ReviewDecision } from '../payments/payment.js';
import type { RefundTarget } from '../payments/refund.js';
import type { RefundWish } from '../payments/refunds.js';
import { isAddress, isCoin, isNetwork, isProse } from './refund-target.js';

/*
 * The forms by which an operator acts on a payment: what they show, and what they ask for.
 */

const actions = ['review', 'refund', 'redeliver', 'reconcile', 'reprocess', 'cancel'] as const;
export type Action = (typeof actions)[number];

/** Where each form is sent, under the payment's own address. */
export const actionPaths: Readonly<Record<Action, string>> = {
  review: 'review',
  refund: 'refunds',
  redeliver: 'redeliveries',
  reconcile: 'reconcile',
  reprocess: 'reprocess',
  cancel: 'cancel',
};

/** What is sent there; null where nothing is. */
export const actionAt = (path: string): Action | null => actions.find((action) => actionPaths[action] === path) ?? null;

const fields = [
  'decision',
  'amount',
  'currency',
  'address',
  'network',
  'memo',
  'delivery',
  'retired',
  'reason',
] as const;
export type Field = (typeof fields)[number];

/** What is asked for. The reason is 3 to 500 characters on one line. */
export type Asked = { reason: string } & (
  | { action: 'review'; decision: ReviewDecision; refundTo: RefundTarget | null }
  | { action: 'refund'; wish: Omit<RefundWish, 'reason'> }
  | { action: 'redeliver'; delivery: string }
  | { action: 'reprocess'; retired: boolean }
  | { action: 'reconcile' | 'cancel' }
);

/** A form as it was sent. */
export interface Sent {
  action: Action;
  typed: Readonly<Record<Field, string>>;
  /** What is wrong, by field, to be read after `It`. */
  faults: ReadonlyMap<Field, string>;
  /** Null where something is wrong. */
  asked: Asked | null;
}

const decisions: readonly ReviewDecision[] = ['accept', 'reject', 'credit', 'refund'];
const reasonAtLeast = 3;
export const reasonAtMost = 500;

const typedAtMost = 2000;

/** Reads a form; `field` gives what stands in one, and the empty text where it is not there. */
export function readAction(action: Action, field: (name: string) => string): Sent {
  const typed = Object.fromEntries(fields.map((name) => [name, field(name).slice(0, typedAtMost)])) as Record<
    Field,
    string
  >;
  const faults = new Map<Field, string>();
  const reason = onOneLine(typed.reason);
  if (reason.length < reasonAtLeast) faults.set('reason', 'has to say why, in 3 characters at least');
  if (reason.length > reasonAtMost) faults.set('reason', `takes ${String(reasonAtMost)} characters at most`);
  const wanted = wantedOf(action, typed, faults);
  return { action, typed, faults, asked: wanted === null || faults.size > 0 ? null : { ...wanted, reason } };
}

/** A text area gives lines; what is recorded is one, without what no one can see. */
const onOneLine = (text: string): string =>
  text
    .normalize('NFC')
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .trim();

type Typed = Sent['typed'];
type Faults = Map<Field, string>;
type WithoutReason<T> = T extends { reason: string } ? Omit<T, 'reason'> : never;

function wantedOf(action: Action, typed: Typed, faults: Faults): WithoutReason<Asked> | null {
  switch (action) {
    case 'review': {
      const decision = decisions.find((each) => each === typed.decision);
      if (decision === undefined) faults.set('decision', 'has to be one of the four');
      const refundTo = decision === 'refund' ? targetIn(typed, faults, false) : null;
      return decision === undefined ? null : { action, decision, refundTo };
    }
    case 'refund': {
      const to = targetIn(typed, faults, true);
      const wish = wishIn(typed, faults);
      return to === null ? null : { action, wish: { ...wish, to: { ...to, currency: coinOf(wish.currency) } } };
    }
    case 'redeliver':
      if (!isUuid(typed.delivery)) faults.set('delivery', 'has to be one of the list');
      return { action, delivery: typed.delivery };
    case 'reprocess':
      return { action, retired: typed.retired === 'yes' };
    default:
      return { action };
  }
}

const coinOf = (currency: string | null): string | null => (currency === null || isFiat(currency) ? null : currency);

function wishIn(typed: Typed, faults: Faults): Omit<RefundWish, 'reason' | 'to'> {
  const [amount, currency] = [typed.amount.trim(), typed.currency.trim()];
  if (amount !== '' && !(isPlainDecimal(amount) && new Decimal(amount).gt('0')))
    faults.set('amount', 'has to be a positive number such as 49.90, without sign and exponent');
  if (currency !== '' && !isCurrencySymbol(currency))
    faults.set('currency', 'has to be a symbol in capitals, such as USD or USDT');
  return { amount: amount === '' ? null : amount, currency: currency === '' ? null : currency };
}

/** Where money goes; null where nothing is given and nothing has to be, and where something is wrong. */
function targetIn(typed: Typed, faults: Faults, required: boolean): RefundTarget | null {
  const [address, network, memo] = [typed.address.trim(), typed.network.trim(), typed.memo.trim()];
  const coin = required ? '' : typed.currency.trim();
  if (!required && [address, network, memo, coin].every((text) => text === '')) return null;
  if (!isAddress(address))
    faults.set('address', 'has to be an address on its network: 10 to 128 letters, digits or . _ : -');
  if (!isNetwork(network)) faults.set('network', 'has to be the code of a network, such as TRON or BEP20');
  if (memo !== '' && !isProse(memo, 100)) faults.set('memo', 'takes 100 characters at most, on one line');
  if (coin !== '' && !isCoin(coin)) faults.set('currency', 'has to be the symbol of a coin, such as USDT');
  return { address, network, currency: coin === '' ? null : coin, memo: memo === '' ? null : memo };
}

/** Whether a payment can still be cancelled, as far as is known here. */
export const isCancellable = (payment: Payment): boolean =>
  payment.status === 'created' || (payment.status === 'pending' && payment.money.transfers.length === 0);

import { Decimal, plain, sum } from './amounts.js';
import type { Wire } from './envelope.js';
import type { Fields } from './fields.js';
import { type Payment, type Payout, payoutStatuses, paymentStatuses, type Transfer } from './ledger.js';
import { networkOf } from './market.js';
import { seconds } from './payment-answers.js';
import { isConfirmed, received } from './settlement.js';

const types = ['invoice', 'white_label', 'static_address'] as const;
const dates = { min: 0, max: 99_999_999_999 };

/** One page of rows with the gateway's `meta`. */
export function page<T>(rows: readonly T[], fields: Fields, defaultSize: number, print: (row: T) => Wire): Wire {
  const size = fields.integer('size', { min: 1, max: 200 }, defaultSize);
  const number = fields.integer('page', { min: 1, max: 1_000_000 }, 1);
  const list = rows.slice((number - 1) * size, number * size).map(print);
  const last = Math.max(1, Math.ceil(rows.length / size));
  return { list, meta: { page: number, last_page: last, total: rows.length } };
}

/** `GET /payment`: filters and order. There is no filter by order id, as the gateway has none. */
export function paymentHistory(all: readonly Payment[], fields: Fields): Payment[] {
  const fits = paymentFilter(fields);
  const found = all.filter((payment) => fits(payment) && isListed(payment));
  return sorted(found, fields, (payment) => payment.paidMs ?? 0);
}

// A static address is a payment of the history from its first deposit on.
const isListed = (payment: Payment): boolean => payment.type !== 'static_address' || payment.transfers.length > 0;

function paymentFilter(fields: Fields): (payment: Payment) => boolean {
  const trackId = fields.text('track_id');
  const type = fields.oneOf('type', types, null);
  const status = fields.oneOf('status', paymentStatuses, null);
  const currency = fields.text('currency').toUpperCase();
  const within = createdWithin(fields);
  const worth = amountWithin(fields);
  const moved = transferFilter(fields);
  return (payment) =>
    (trackId === '' || payment.trackId === trackId) &&
    (type === null || payment.type === type) &&
    (status === null || payment.status === status) &&
    (currency === '' || payment.currency === currency) &&
    within(payment.createdMs) &&
    worth(payment.amount) &&
    moved(payment);
}

/** The filters that look at what came in, or at the coin and address that a session named. */
function transferFilter(fields: Fields): (payment: Payment) => boolean {
  const coin = fields.text('pay_currency').toUpperCase();
  const address = fields.text('address');
  const word = fields.text('network');
  const code = networkOf(word)?.code ?? word;
  const anyOf = (payment: Payment, own: string, wanted: string, of: (transfer: Transfer) => string): boolean =>
    wanted === '' || own === wanted || payment.transfers.some((transfer) => of(transfer) === wanted);
  return (payment) =>
    anyOf(payment, payment.payCurrency, coin, (transfer) => transfer.currency) &&
    anyOf(payment, payment.address, address, (transfer) => transfer.address) &&
    anyOf(payment, payment.network, code, (transfer) => transfer.network);
}

function createdWithin(fields: Fields): (ms: number) => boolean {
  const from = fields.integer('from_date', dates, null);
  const to = fields.integer('to_date', dates, null);
  return (ms) => (from === null || seconds(ms) >= from) && (to === null || seconds(ms) <= to);
}

function amountWithin(fields: Fields): (amount: string) => boolean {
  const from = fields.amount('from_amount');
  const to = fields.amount('to_amount');
  return (text) => {
    const amount = new Decimal(text);
    return (from === null || amount.gte(from)) && (to === null || amount.lte(to));
  };
}

interface Sortable {
  trackId: string;
  createdMs: number;
  amount: string;
}

function sorted<T extends Sortable>(rows: T[], fields: Fields, payTime: (row: T) => number): T[] {
  const by = fields.oneOf('sort_by', ['create_date', 'pay_date', 'amount'], 'create_date');
  const direction = fields.oneOf('sort_type', ['desc', 'asc'], 'desc') === 'asc' ? 1 : -1;
  const order = (a: T, b: T): number => {
    if (by === 'amount') return new Decimal(a.amount).cmp(b.amount);
    return by === 'pay_date' ? payTime(a) - payTime(b) : a.createdMs - b.createdMs;
  };
  // Track ids grow with time: they decide between rows of the same second, so that pages do not overlap.
  return rows.sort((a, b) => direction * (order(a, b) || Number(a.trackId) - Number(b.trackId)));
}

/** `GET /payout`. Every payout of the sandbox goes outside. */
export function payoutHistory(all: readonly Payout[], fields: Fields): Payout[] {
  const status = fields.oneOf('status', payoutStatuses, null);
  const internal = fields.oneOf('type', ['internal', 'external', 'send'], null) === 'internal';
  const currency = fields.text('currency').toUpperCase();
  const address = fields.text('address');
  const code = networkOf(fields.text('network'))?.code ?? fields.text('network');
  const within = createdWithin(fields);
  const worth = amountWithin(fields);
  const found = all.filter(
    (payout) =>
      !internal &&
      (status === null || payout.status === status) &&
      (currency === '' || payout.currency === currency) &&
      (address === '' || payout.address === address) &&
      (code === '' || payout.network === code) &&
      within(payout.createdMs) &&
      worth(payout.amount),
  );
  return sorted(found, fields, (payout) => payout.createdMs);
}

/** `GET /payment/static-address`: revoked addresses are gone from it. */
export function staticAddresses(all: readonly Payment[], fields: Fields): Payment[] {
  const wanted = (name: string, value: string): boolean => !fields.has(name) || fields.text(name) === value;
  const code = networkOf(fields.text('network'))?.code ?? fields.text('network');
  const coin = fields.text('currency').toUpperCase();
  const used = fields.has('have_tx') ? fields.flag('have_tx', false) : null;
  return all
    .filter(
      (payment) =>
        payment.type === 'static_address' &&
        !payment.revoked &&
        wanted('track_id', payment.trackId) &&
        wanted('address', payment.address) &&
        wanted('order_id', payment.orderId) &&
        wanted('email', payment.email) &&
        (code === '' || payment.network === code) &&
        (coin === '' || payment.transfers.some((transfer) => transfer.currency === coin)) &&
        (used === null || used === payment.transfers.length > 0),
    )
    .reverse();
}

interface CoinTotal {
  currency: string;
  total: number;
  received: string;
}

/** `GET /payment/stats`: per coin, how many confirmed transfers and how much of them arrived after the fee. */
export function paymentStatistics(all: readonly Payment[], fields: Fields): CoinTotal[] {
  const type = fields.oneOf('type', types, null);
  const within = createdWithin(fields);
  const coin = (fields.text('pay_currency') || fields.text('currency')).toUpperCase();
  const code = networkOf(fields.text('network'))?.code ?? fields.text('network');
  const byCoin = new Map<string, string[]>();
  for (const payment of all) {
    if ((type !== null && payment.type !== type) || !within(payment.createdMs)) continue;
    for (const transfer of payment.transfers) {
      if ((coin !== '' && transfer.currency !== coin) || (code !== '' && transfer.network !== code)) continue;
      if (!isConfirmed(transfer)) continue;
      byCoin.set(transfer.currency, [...(byCoin.get(transfer.currency) ?? []), received(payment, transfer)]);
    }
  }
  return [...byCoin].map(([currency, sums]) => ({ currency, total: sums.length, received: plain(sum(sums)) }));
}

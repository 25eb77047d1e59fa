import { keyDigest } from './identity.js';
import { wireNumber } from './amounts.js';
import { fieldFault, unknownObject, type Wire } from './envelope.js';
import type { FakeGateway } from './fake-gateway.js';
import type { Fields } from './fields.js';
import { page, paymentHistory, paymentStatistics, staticAddresses, payoutHistory } from './history.js';
import { coins, fiats, networks, storedNetwork } from './market.js';
import { openInvoice, openStaticAddress, openWhiteLabel, type Opening } from './opening.js';
import { paymentInformation, seconds, staticAddressRow, whiteLabelAnswer } from './payment-answers.js';
import { swapCalculation, swapPairs, swapRate, type Swaps } from './swaps.js';
import { openPayout, payoutInformation, withdrawFee } from './payouts.js';
import type { Payment } from './ledger.js';

/** A request whose key was accepted. */
interface WireRequest {
  /** Fields of the body, or of the query for a GET. */
  fields: Fields;
  trackId: string;
  key: string;
}

export interface Endpoint {
  method: 'GET' | 'POST';
  path: string;
  /** Which kind of API key opens it; null where none is needed. */
  key: 'merchant' | 'payout' | 'general' | null;
  /** The `data` of the answer. Throws `WireFault`. */
  answer: (request: WireRequest) => Wire;
}

/** How an endpoint is named in a fault plan: `POST /payout`, `GET /payout/:track_id`. */
export const nameOf = ({ method, path }: Endpoint): string => `${method} ${path}`;

/** Everything under `/v1`, as the gateway's reference lists it. `payUrl` gives the payer's page of a track id. */
export function endpoints(gateway: FakeGateway, swaps: Swaps, payUrl: (trackId: string) => string): Endpoint[] {
  return [
    ...paymentEndpoints(gateway, payUrl),
    ...addressEndpoints(gateway, payUrl),
    ...payoutEndpoints(gateway),
    ...swapEndpoints(gateway, swaps),
    ...common,
  ];
}

const opening = (gateway: FakeGateway, request: WireRequest): Opening => ({
  trackId: gateway.nextTrackId(),
  nowMs: gateway.nowMs,
  keyId: keyDigest(request.key),
});

function paymentEndpoints(gateway: FakeGateway, payUrl: (trackId: string) => string): Endpoint[] {
  const invoice = (request: WireRequest): Wire => {
    const payment = openInvoice(request.fields, opening(gateway, request));
    gateway.keepPayment(payment);
    return {
      track_id: payment.trackId,
      payment_url: payUrl(payment.trackId),
      expired_at: seconds(payment.expiresMs ?? 0),
      date: seconds(payment.createdMs),
    };
  };
  const whiteLabel = (request: WireRequest): Wire => {
    const { payment, payAmount } = openWhiteLabel(request.fields, opening(gateway, request));
    gateway.keepPayment(payment);
    return whiteLabelAnswer(payment, payAmount, `${payUrl(payment.trackId)}/qr.svg`);
  };
  const information = ({ trackId }: WireRequest): Wire => {
    const payment = gateway.payment(trackId);
    if (!payment) throw unknownObject('track_id', 'The payment was not found.');
    return paymentInformation(payment);
  };
  const history = ({ fields }: WireRequest): Wire =>
    page(paymentHistory(gateway.allPayments(), fields), fields, 10, paymentInformation);
  const statistics = ({ fields }: WireRequest): Wire =>
    page(paymentStatistics(gateway.allPayments(), fields), fields, 10, (row) => ({
      pay_currency: row.currency,
      total: row.total,
      // A string, unlike every other amount of this API: the reference says so, to preserve precision.
      received_amount: row.received,
    }));
  const key = 'merchant';
  return [
    { method: 'POST', path: '/payment/invoice', key, answer: invoice },
    { method: 'POST', path: '/payment/white-label', key, answer: whiteLabel },
    { method: 'GET', path: '/payment', key, answer: history },
    { method: 'GET', path: '/payment/stats', key, answer: statistics },
    {
      method: 'GET',
      path: '/payment/accepted-currencies',
      key,
      answer: () => ({ list: coins.map((coin) => coin.symbol) }),
    },
    { method: 'GET', path: '/payment/:track_id', key, answer: information },
  ];
}

function addressEndpoints(gateway: FakeGateway, payUrl: (trackId: string) => string): Endpoint[] {
  const create = (request: WireRequest): Wire => {
    const payment = openStaticAddress(request.fields, opening(gateway, request));
    gateway.keepPayment(payment);
    return {
      track_id: payment.trackId,
      network: storedNetwork(payment.network).name,
      address: payment.address,
      memo: payment.memo,
      qr_code: `${payUrl(payment.trackId)}/qr.svg`,
      date: seconds(payment.createdMs),
    };
  };
  const list = ({ fields }: WireRequest): Wire =>
    page(staticAddresses(gateway.allPayments(), fields), fields, 1, staticAddressRow);
  const revoke = ({ fields }: WireRequest): Wire => {
    const found = addressesToRevoke(gateway.allPayments(), fields);
    if (found.length === 0) throw unknownObject('address', 'The static address was not found.');
    for (const payment of found) {
      payment.revoked = true;
      gateway.keepPayment(payment);
    }
    return {};
  };
  const key = 'merchant';
  return [
    { method: 'POST', path: '/payment/static-address', key, answer: create },
    { method: 'GET', path: '/payment/static-address', key, answer: list },
    { method: 'POST', path: '/payment/static-address/revoke', key, answer: revoke },
  ];
}

/** By address, and by network where one is named beside it. A network alone would revoke too much: refused. */
function addressesToRevoke(all: readonly Payment[], fields: Fields): Payment[] {
  if (!fields.has('address')) throw fieldFault('address', 'The address field is required.');
  return staticAddresses(all, fields);
}

function payoutEndpoints(gateway: FakeGateway): Endpoint[] {
  const create = (request: WireRequest): Wire => {
    const payout = openPayout(request.fields, opening(gateway, request));
    gateway.keepPayout(payout);
    return { track_id: payout.trackId, status: payout.status };
  };
  const information = ({ trackId }: WireRequest): Wire => {
    const payout = gateway.payout(trackId);
    if (!payout) throw unknownObject('track_id', 'The payout was not found.');
    return payoutInformation(payout);
  };
  const history = ({ fields }: WireRequest): Wire =>
    page(payoutHistory(gateway.allPayouts(), fields), fields, 10, payoutInformation);
  const key = 'payout';
  return [
    { method: 'POST', path: '/payout', key, answer: create },
    { method: 'GET', path: '/payout', key, answer: history },
    { method: 'GET', path: '/payout/:track_id', key, answer: information },
  ];
}

function swapEndpoints(gateway: FakeGateway, swaps: Swaps): Endpoint[] {
  const create = ({ fields }: WireRequest): Wire => swaps.create(fields, gateway.nextTrackId(), gateway.nowMs);
  const key = 'general';
  return [
    { method: 'POST', path: '/general/swap', key, answer: create },
    { method: 'GET', path: '/general/swap', key, answer: ({ fields }) => swaps.history(fields) },
    { method: 'GET', path: '/general/swap/pairs', key, answer: ({ fields }) => swapPairs(fields) },
    { method: 'POST', path: '/general/swap/calculate', key, answer: ({ fields }) => swapCalculation(fields) },
    { method: 'POST', path: '/general/swap/rate', key, answer: ({ fields }) => swapRate(fields) },
  ];
}

const balances: Readonly<Record<string, string>> = { USDT: '10000', BTC: '0.5', ETH: '10', TRX: '5000' };

function balance({ fields }: WireRequest): Wire {
  const wanted = fields.text('currency').toUpperCase();
  const shown = Object.entries(balances).filter(([symbol]) => wanted === '' || symbol === wanted);
  return Object.fromEntries(shown.map(([symbol, amount]) => [symbol, wireNumber(amount)]));
}

const priceList = (): Wire =>
  Object.fromEntries(coins.map((coin): [string, Wire] => [coin.symbol, wireNumber(coin.price)]));

const fiatList = (): Wire =>
  Object.fromEntries(
    fiats.map(({ symbol, name, price, digits }): [string, Wire] => [
      symbol,
      { symbol, name, price: wireNumber(price), display_precision: digits },
    ]),
  );

function currencyList(): Wire {
  const chain = (code: string, price: string): [string, Wire] => {
    const { name, aliases, required } = storedNetwork(code);
    const fees = { withdraw_fee: withdrawFee(price), withdraw_min: '0', deposit_min: '0', static_fixed_fee: '0' };
    const numbers = Object.entries(fees).map(([field, amount]): [string, Wire] => [field, wireNumber(amount)]);
    return [
      code,
      { network: code, name, keys: aliases, required_confirmations: required, ...Object.fromEntries(numbers) },
    ];
  };
  return Object.fromEntries(
    coins.map(({ symbol, name, price, networks: on }): [string, Wire] => [
      symbol,
      { symbol, name, status: true, networks: Object.fromEntries(on.map((code) => chain(code, price))) },
    ]),
  );
}

const common: Endpoint[] = [
  { method: 'GET', path: '/general/account/balance', key: 'general', answer: balance },
  { method: 'GET', path: '/common/prices', key: null, answer: priceList },
  { method: 'GET', path: '/common/currencies', key: null, answer: currencyList },
  { method: 'GET', path: '/common/fiats', key: null, answer: fiatList },
  { method: 'GET', path: '/common/networks', key: null, answer: () => ({ list: networks.map((entry) => entry.name) }) },
  { method: 'GET', path: '/common/monitor', key: null, answer: () => ({ status: true }) },
];

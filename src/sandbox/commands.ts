import { JsonNumber, type LosslessJson, type LosslessObject } from '../kernel/json.js';
import { Decimal, sum } from './amounts.js';
import { WireFault } from './envelope.js';
import type { FakeGateway, Paying } from './fake-gateway.js';
import { type FaultPlan, noFaults } from './faults.js';
import { Fields } from './fields.js';
import { limits, type Payment, type Payout } from './ledger.js';
import { coinOf, networkFor, storedNetwork } from './market.js';
import { amountDue } from './settlement.js';

export const badField = (field: string, message: string): WireFault => new WireFault(400, 'invalid', field, message);
export const conflict = (message: string): WireFault => new WireFault(409, 'conflict', '', message);

/** The fields of a control request. Unlike the gateway's own API, a field that the route does not know is refused. */
export function controlFields(body: LosslessObject, known: readonly string[]): Fields {
  const unknown = Object.keys(body).find((name) => !known.includes(name));
  if (unknown !== undefined) throw badField(unknown, `unknown field; this route takes: ${known.join(', ') || 'none'}`);
  return new Fields(body);
}

export function paymentOf(gateway: FakeGateway, trackId: string): Payment {
  const payment = gateway.payment(trackId);
  if (!payment) throw new WireFault(404, 'not_found', 'trackId', `no payment has the track id ${trackId.slice(0, 64)}`);
  return payment;
}

export function payoutOf(gateway: FakeGateway, trackId: string): Payout {
  const payout = gateway.payout(trackId);
  if (!payout) throw new WireFault(404, 'not_found', 'trackId', `no payout has the track id ${trackId.slice(0, 64)}`);
  return payout;
}

/** Whether another transfer can arrive. Throws where none can. */
export function expectTransfer(payment: Payment): void {
  if (payment.revoked) throw conflict('the static address was revoked: deposits to it are not credited');
  if (payment.transfers.length >= limits.transfers)
    throw conflict(`a payment holds at most ${limits.transfers} transfers in the sandbox`);
}

/** Reads `{amount? or percent, currency?, network?, confirmations?}`. */
export function payingFrom(payment: Payment, fields: Fields): Paying {
  const { currency, chain } = coinFrom(payment, fields);
  const confirmations = fields.integer('confirmations', { min: 0, max: 1_000_000 }, 0);
  return { worth: worthFrom(payment, fields), currency, chain, confirmations };
}

function worthFrom(payment: Payment, fields: Fields): Decimal {
  if (fields.has('amount') === fields.has('percent')) throw badField('amount', 'give either amount or percent');
  if (fields.has('amount')) return new Decimal(fields.positive('amount'));
  if (payment.type === 'static_address') throw badField('percent', 'a static address has no amount due; give amount');
  return percentOf(payment, fields.positive('percent'));
}

export const percentOf = (payment: Payment, percent: string): Decimal => amountDue(payment).times(percent).div('100');

function coinFrom(payment: Payment, fields: Fields): Pick<Paying, 'currency' | 'chain'> {
  const usual = usualCoin(payment);
  const named = fields.has('currency') ? fields.text('currency').toUpperCase() : null;
  const currency = named ?? usual.currency;
  if (!coinOf(currency)) throw badField('currency', `the sandbox has no coin ${currency.slice(0, 16)}`);
  const wanted = fields.has('network') ? fields.text('network') : currency === usual.currency ? usual.network : null;
  const chain = networkFor(currency, wanted);
  if (!chain) throw badField('network', `${currency} does not live on that network`);
  if (payment.address !== '' && chain.code !== payment.network)
    throw badField('network', `the address of this payment is on ${storedNetwork(payment.network).name}`);
  return { currency, chain };
}

/** The coin and network that a payer uses unless told otherwise: what the session named, else USDT on TRON. */
export function usualCoin(payment: Payment): { currency: string; network: string | null } {
  if (payment.type === 'white_label') return { currency: payment.payCurrency, network: payment.network };
  if (payment.type === 'static_address') return { currency: coinOn(payment.network), network: payment.network };
  return { currency: 'USDT', network: 'TRON' };
}

const coinOn = (code: string): string =>
  networkFor('USDT', code)
    ? 'USDT'
    : (storedNetwork(code)
        .aliases.map((word) => word.toUpperCase())
        .find(coinOf) ?? code);

/** The confirmations at which every transfer of the payment is confirmed. */
export const sufficientConfirmations = (payment: Payment): number =>
  Math.max(1, ...payment.transfers.map((transfer) => storedNetwork(transfer.network).required));

/** Worth in US dollars of everything that came, counted or not. */
export const worthSeen = (payment: Payment): Decimal => sum(payment.transfers.map((transfer) => transfer.worth));

/** Reads the body of `PUT /_sandbox/faults`; what is absent is 0. `known` are the endpoints that it can name. */
export function faultPlanFrom(body: LosslessObject, known: readonly string[]): FaultPlan {
  const top = controlFields(body, ['seed', 'callbacks', 'api']);
  const callbacks = section(body, 'callbacks', ['drop', 'duplicate', 'delay', 'reorder']);
  const api = section(body, 'api', Object.keys(noFaults.api));
  return {
    seed: top.text('seed', 64) || noFaults.seed,
    callbacks: {
      drop: rate(callbacks, 'drop'),
      duplicate: rate(callbacks, 'duplicate'),
      delay: rate(callbacks, 'delay'),
      reorder: rate(callbacks, 'reorder'),
    },
    api: {
      only: api.oneOf('only', known, null) ?? noFaults.api.only,
      errorRate: rate(api, 'errorRate'),
      status: api.integer('status', { min: 400, max: 599 }, noFaults.api.status),
      latencyMs: api.integer('latencyMs', { min: 0, max: 60_000 }, 0),
      timeoutRate: rate(api, 'timeoutRate'),
      timeoutMs: api.integer('timeoutMs', { min: 0, max: 600_000 }, noFaults.api.timeoutMs),
      malformedRate: rate(api, 'malformedRate'),
    },
  };
}

function section(body: LosslessObject, name: string, known: readonly string[]): Fields {
  const value: LosslessJson | undefined = body[name];
  if (value === undefined || value === null) return new Fields({});
  if (typeof value !== 'object' || Array.isArray(value) || value instanceof JsonNumber)
    throw badField(name, `${name} must be an object`);
  return controlFields(value, known);
}

const rate = (fields: Fields, name: string): number => Number(fields.amount(name, { min: '0', max: '1' }) ?? '0');

import {
  JsonError,
  JsonNumber,
  parseJson,
  type JsonFault,
  type LosslessJson,
  type LosslessObject,
} from '../kernel/json.js';
import { decimalsOf } from '../kernel/money.js';
import {
  gatewayStatuses,
  type GatewayReport,
  type GatewayStatus,
  type PayoutReport,
  type ReportedTransfer,
} from '../payments/payment-gateway.js';
import {
  countOf,
  decimalOf,
  flagOf,
  idOf,
  instantOf,
  isId,
  maxProse,
  objectOf,
  referenceOf,
  symbolOf,
  textOf,
  WireError,
  wordOf,
  type WireFault,
} from './fields.js';

/**
 * OxaPay's two shapes of one payment (docs.oxapay.com/webhook and …/payment-information) and of one payout, read into
 * one model. Members that we do not use are not looked at, so that none of them can stop money from being noticed.
 */
export type CallbackReading =
  | { kind: 'payment'; report: GatewayReport }
  | { kind: 'payout'; report: PayoutReport }
  | {
      kind: 'unreadable';
      reason: WireFault;
      /** Whom it seems to be about, where that much can be told: worth a question to the gateway, and nothing more. */
      trackId: string | null;
      /** Which key has to have signed it, where its type can be told. */
      about: 'payment' | 'payout' | null;
    };

/** Reads the bytes of a callback whose signature was verified. Any bytes give a reading; it never throws. */
export function readCallback(raw: Uint8Array): CallbackReading {
  let body: LosslessJson = null;
  try {
    body = parseJson(decodeUtf8(raw));
    return readBody(objectOf(body, 'body'));
  } catch (error) {
    const trackId = body === null ? soleTrackId(raw) : guessTrackId(body);
    return { kind: 'unreadable', reason: faultOf(error), trackId, about: guessKind(body) };
  }
}

/** Strict UTF-8 without a byte order mark; throws `WireError`. */
export function decodeUtf8(raw: Uint8Array): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
  } catch {
    throw new WireError('not_utf8', 'body');
  }
  if (text.startsWith('\ufeff')) throw new WireError('not_utf8', 'body');
  return text;
}

const jsonFaults: Readonly<Record<JsonFault, WireFault>> = {
  syntax: 'not_json',
  duplicate_key: 'duplicate_key',
  forbidden_key: 'forbidden_key',
  forbidden_character: 'forbidden_character',
  too_deep: 'too_deep',
};

/** The fault behind an error of the parser's or of ours; anything else is a defect here and goes on. */
export function faultOf(error: unknown): WireFault {
  if (error instanceof WireError) return error.fault;
  if (error instanceof JsonError) return jsonFaults[error.fault];
  throw error;
}

function readBody(body: LosslessObject): CallbackReading {
  // Keys of the interface before v1: its amounts, statuses and types mean other things, so it is not read at all.
  if (!('track_id' in body) && ['trackId', 'orderId', 'txID', 'payAmount', 'payCurrency'].some((key) => key in body)) {
    throw new WireError('legacy_format', 'body');
  }
  if (typeOf(body) === 'payout') return { kind: 'payout', report: readPayout(body) };
  const report = readReport(body, callbackTransfer);
  checkAmount(body, report);
  return { kind: 'payment', report };
}

/** Those that nobody asks a certain amount for: their top-level amount may be 0. */
const openEnded: ReadonlySet<string> = new Set(['static_address', 'payment_link', 'donation']);

/** An amount that nobody can have asked for (none at all, or finer than the currency is) throws `WireError`. */
function checkAmount(body: LosslessObject, { type, amount, currency }: GatewayReport): void {
  const nothing = amount === null && decimalOf(body, 'amount') !== null && !openEnded.has(type);
  const decimals = amount?.split('.')[1]?.length ?? 0;
  if (nothing || decimals > decimalsOf(currency ?? '')) throw new WireError('absurd_number', 'amount');
}

/** The type in one spelling; empty where there is none. Types that we have never heard of are kept. */
const typeOf = (body: LosslessObject): string => wordOf(textOf(body, 'type') ?? '');

const isObject = (body: LosslessJson): body is LosslessObject =>
  body !== null && typeof body === 'object' && !Array.isArray(body) && !(body instanceof JsonNumber);

function guessTrackId(body: LosslessJson): string | null {
  if (!isObject(body)) return null;
  const value = body['track_id'] ?? body['trackId'];
  const text = value instanceof JsonNumber ? value.text : value;
  return typeof text === 'string' && isId(text) && !text.startsWith('-') ? text : null;
}

const trackIdMember = /"track_id"[ \t\r\n]*:[ \t\r\n]*"?([0-9A-Za-z_-]{1,64})(?=["\s,}])/g;

/** The same for bytes that are not JSON: the one id that is written there as it would be in JSON. */
function soleTrackId(raw: Uint8Array): string | null {
  const [id, ...more] = new Set(
    [...Buffer.from(raw).toString('latin1').matchAll(trackIdMember)].map((match) => match[1]),
  );
  return more.length === 0 && id !== undefined && isId(id) ? id : null;
}

function guessKind(body: LosslessJson): 'payment' | 'payout' | null {
  const type = isObject(body) ? body['type'] : null;
  if (typeof type !== 'string' || type === '') return null;
  return wordOf(type) === 'payout' ? 'payout' : 'payment';
}

/** Reads a payment as the gateway answers it to a question: no worth in dollars, but the terms. Throws `WireError`. */
export function readPayment(data: LosslessJson | undefined): GatewayReport {
  const body = objectOf(data, 'data');
  return {
    ...readReport(body, answeredTransfer),
    valueUsd: null,
    expiresAt: instantOf(body, 'expired_at'),
    terms: {
      underPaidCoverage: decimalOf(body, 'under_paid_coverage'),
      feePaidByPayer: flagOf(body, 'fee_paid_by_payer'),
      mixedPayment: flagOf(body, 'mixed_payment'),
    },
  };
}

function readReport(body: LosslessObject, readTransfer: (tx: LosslessObject) => ReportedTransfer): GatewayReport {
  return {
    trackId: idOf(body, 'track_id'),
    orderId: referenceOf(body, 'order_id'),
    type: typeOf(body),
    status: paymentStatus(body),
    amount: unlessZero(decimalOf(body, 'amount')),
    currency: symbolOf(body, 'currency'),
    valueUsd: decimalOf(body, 'value'),
    transfers: readTransfers(body, readTransfer),
    createdAt: instantOf(body, 'date'),
    expiresAt: null,
    terms: null,
  };
}

/** Static addresses have amount 0: nothing was asked for. */
const unlessZero = (amount: string | null): string | null => (amount === '0' ? null : amount);

/** Old pages call `confirming` what is `paying` today: money was seen and is not final. */
const paymentWords = new Map<string, GatewayStatus>([
  ...gatewayStatuses.map((status) => [status, status] as const),
  ['confirming', 'paying'],
]);

function paymentStatus(body: LosslessObject): GatewayStatus {
  const text = textOf(body, 'status');
  if (text === null) throw new WireError('missing_field', 'status');
  const status = paymentWords.get(wordOf(text));
  if (!status) throw new WireError('unknown_status', 'status');
  return status;
}

/** More than a callback can hold, and than an address gets whose transfers may all be told of in one answer. */
const maxTransfers = 1000;

function readTransfers(body: LosslessObject, read: (tx: LosslessObject) => ReportedTransfer): ReportedTransfer[] {
  const list = body['txs'];
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) throw new WireError('wrong_type', 'txs');
  if (list.length > maxTransfers) throw new WireError('too_many_transfers', 'txs');
  return list.map((entry) => read(objectOf(entry, 'txs')));
}

const callbackTransfer = (tx: LosslessObject): ReportedTransfer => ({
  ...commonTransfer(tx),
  sentAmount: required(decimalOf(tx, 'sent_amount'), 'sent_amount'),
  receivedAmount: decimalOf(tx, 'received_amount'),
  valueUsd: decimalOf(tx, 'value'),
});

const answeredTransfer = (tx: LosslessObject): ReportedTransfer => ({
  ...commonTransfer(tx),
  sentAmount: required(decimalOf(tx, 'amount'), 'amount'),
  receivedAmount: null,
  valueUsd: null,
});

const commonTransfer = (tx: LosslessObject): Omit<ReportedTransfer, 'sentAmount' | 'receivedAmount' | 'valueUsd'> => ({
  txHash: textOf(tx, 'tx_hash') ?? '',
  status: transferStatus(tx),
  currency: required(symbolOf(tx, 'currency'), 'currency'),
  network: textOf(tx, 'network') ?? '',
  address: textOf(tx, 'address'),
  senderAddress: textOf(tx, 'sender_address'),
  confirmations: countOf(tx, 'confirmations'),
  seenAt: instantOf(tx, 'date'),
});

/** A word that we do not know is taken as `confirming`: the money is then shown, and counts as not final. */
function transferStatus(tx: LosslessObject): ReportedTransfer['status'] {
  const word = wordOf(textOf(tx, 'status') ?? '');
  return word === 'confirmed' || word === 'failed' ? word : 'confirming';
}

const payoutWords = new Map<string, PayoutReport['status']>([
  ...(['processing', 'pending', 'confirming', 'confirmed', 'canceled', 'rejected', 'failed'] as const).map(
    (status) => [status, status] as const,
  ),
  ['cancelled', 'canceled'],
]);

/** Reads a payout; callbacks and answers have the same members here (callbacks have no fee). Throws `WireError`. */
export function readPayout(data: LosslessJson | undefined): PayoutReport {
  const body = objectOf(data, 'data');
  const status = payoutWords.get(wordOf(required(textOf(body, 'status'), 'status')));
  const trackId = idOf(body, 'track_id');
  if (!status) throw new WireError('unknown_status', 'status');
  return {
    trackId,
    status,
    amount: required(decimalOf(body, 'amount'), 'amount'),
    currency: required(symbolOf(body, 'currency'), 'currency'),
    network: textOf(body, 'network') ?? '',
    address: textOf(body, 'address') ?? '',
    fee: decimalOf(body, 'fee'),
    txHash: textOf(body, 'tx_hash'),
    // Text that consists of digits may come back as a number.
    description: referenceOf(body, 'description', maxProse),
    createdAt: instantOf(body, 'date'),
  };
}

function required<T>(value: T | null, field: string): T {
  if (value === null) throw new WireError('missing_field', field);
  return value;
}

/**
 * One text for one content, to recognise a re-sent report by: members in a fixed order, transfers sorted, amounts as
 * read. Whatever differs between two reports differs here, confirmations too.
 */
export function contentOf(report: GatewayReport | PayoutReport): string {
  if (!('transfers' in report)) return canonical(report);
  return canonical({ ...report, transfers: report.transfers.map(canonical).sort() });
}

const canonical = (value: object): string => JSON.stringify(ordered(value));

/** The same with the members of every object in the order of their names. */
function ordered(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(ordered);
  const members = value as Record<string, unknown>;
  const result: Record<string, unknown> = {};
  for (const name of Object.keys(members).sort()) result[name] = ordered(members[name]);
  return result;
}

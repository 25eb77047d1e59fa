import type { Instant } from '../kernel/clock.js';
import { JsonNumber, parseJson, type LosslessJson, type LosslessObject } from '../kernel/json.js';
import type {
  GatewayReport,
  OpenedAddress,
  OpenedInvoice,
  PayoutPage,
  PayoutReport,
  ReportPage,
} from '../payments/payment-gateway.js';
import {
  countOf,
  decimalOf,
  idOf,
  instantOf,
  maxProse,
  maxText,
  objectOf,
  referenceOf,
  symbolOf,
  textOf,
  WireError,
  type WireFault,
} from './fields.js';
import { decodeUtf8, faultOf, readPayment, readPayout } from './wire.js';

/**
 * The envelope around each answer of OxaPay's REST interface (docs.oxapay.com/api-reference/error): `data`, `message`,
 * `error`, `status`. The status in the body and the one on the wire may disagree; both count.
 */
export type Envelope =
  | { kind: 'ok'; data: LosslessJson | undefined }
  /** A well-formed "no": the status as the body has it, and the field that the gateway names, if any. */
  | { kind: 'error'; status: number; field: string | null; message: string }
  | { kind: 'bad_response'; fault: WireFault };

/** Longest answer that is read. */
export const maxAnswerBytes = 1_048_576;

/**
 * Reads an answer. It is a success where the wire says 2xx, the body says 200 and names no error; `error` as `{}`,
 * null or absent all mean none. What is not such an envelope is a `bad_response`. Never throws.
 */
export function readEnvelope(httpStatus: number, body: Uint8Array): Envelope {
  try {
    if (body.length > maxAnswerBytes) throw new WireError('too_large', 'body');
    return readParsed(httpStatus, objectOf(parseJson(decodeUtf8(body)), 'body'));
  } catch (error) {
    return { kind: 'bad_response', fault: faultOf(error) };
  }
}

function readParsed(httpStatus: number, body: LosslessObject): Envelope {
  const status = countOf(body, 'status');
  if (status === null) throw new WireError('missing_field', 'status');
  const error = body['error'] ?? null;
  if (status === 200) {
    if (httpStatus < 200 || httpStatus > 299 || !saysNothing(error)) throw new WireError('wrong_type', 'status');
    return { kind: 'ok', data: body['data'] };
  }
  const details = isObject(error) ? error : {};
  const message = saidIn(details, 'message') ?? saidIn(body, 'message') ?? '';
  return { kind: 'error', status, field: saidIn(details, 'key'), message };
}

const isObject = (value: LosslessJson): value is LosslessObject =>
  value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof JsonNumber);

/** `{}` is how it says that there is no error; `[]` is how PHP may write the same. */
const saysNothing = (error: LosslessJson): boolean =>
  error === null ||
  (typeof error === 'object' &&
    !(error instanceof JsonNumber) &&
    Object.values(error).every((part) => part === '' || part === null));

/** What a "no" says of itself is for people: whatever is not text is passed over, and long text is cut. */
function saidIn(object: LosslessObject, key: string): string | null {
  const value = object[key];
  return typeof value === 'string' && value !== '' ? value.slice(0, maxText) : null;
}

export type Verdict =
  | { kind: 'ok'; data: LosslessJson | undefined }
  /** It understood and said no; nothing happened there. */
  | { kind: 'refused'; status: number; field: string | null; message: string }
  /** It does not take the request now; nothing happened there. */
  | { kind: 'busy'; status: number }
  /** Anything else: what happened there cannot be told. `unreadable`: it has not the agreed shape, and is no outage. */
  | { kind: 'failed'; reason: string; unreadable: boolean };

const refusing = new Set([400, 401, 403, 404, 422]);
const busy = new Set([429, 503]);

/** What an answer means, from the status on the wire and the one in the body. */
export function judge(httpStatus: number, body: Uint8Array): Verdict {
  if (busy.has(httpStatus)) return { kind: 'busy', status: httpStatus };
  const envelope = readEnvelope(httpStatus, body);
  if (envelope.kind === 'bad_response') {
    const reason = `bad_response (${envelope.fault}) with HTTP ${httpStatus}`;
    return { kind: 'failed', reason, unreadable: httpStatus < 500 };
  }
  if (envelope.kind === 'ok') return envelope;
  const { status, field, message } = envelope;
  const agrees = refusing.has(httpStatus) || (httpStatus >= 200 && httpStatus < 300);
  if (agrees && refusing.has(status)) return { kind: 'refused', status, field, message };
  if (agrees && status === 429) return { kind: 'busy', status };
  return { kind: 'failed', reason: `status ${status} with HTTP ${httpStatus}`, unreadable: false };
}

/** The answer to the making of an invoice. Throws `WireError` unless it has an id, a web address and an end. */
export function readInvoice(data: LosslessJson | undefined): OpenedInvoice {
  const body = objectOf(data, 'data');
  const paymentUrl = textOf(body, 'payment_url', 2048);
  const expiresAt: Instant | null = instantOf(body, 'expired_at');
  if (paymentUrl === null || expiresAt === null) throw new WireError('missing_field', 'payment_url, expired_at');
  if (!isWebAddress(paymentUrl)) throw new WireError('wrong_type', 'payment_url');
  return { trackId: idOf(body, 'track_id'), paymentUrl, expiresAt, payTo: null };
}

/**
 * The answer to the making of a white-label session: what the payer sends where. Throws `WireError` unless it has an id,
 * an address, a coin, an amount above 0 and an end. `memo` may be absent or empty, where the network has none.
 */
export function readWhiteLabel(data: LosslessJson | undefined): OpenedInvoice {
  const body = objectOf(data, 'data');
  const [address, network, currency] = [
    textOf(body, 'address', maxText),
    textOf(body, 'network', maxText),
    symbolOf(body, 'pay_currency'),
  ];
  const amount = decimalOf(body, 'pay_amount');
  const expiresAt = instantOf(body, 'expired_at');
  if (address === null || network === null || currency === null || amount === null || expiresAt === null)
    throw new WireError('missing_field', 'address, network, pay_currency, pay_amount, expired_at');
  if (!/[1-9]/.test(amount)) throw new WireError('wrong_type', 'pay_amount');
  // A destination tag may come as a number.
  const payTo = { address, memo: referenceOf(body, 'memo'), network, currency, amount };
  return { trackId: idOf(body, 'track_id'), paymentUrl: null, expiresAt, payTo };
}

/**
 * The answer to the making of a static address. The printed example of the documentation has neither address nor track
 * id; an answer without them is none. Throws `WireError`.
 */
export function readAddress(data: LosslessJson | undefined): OpenedAddress {
  const body = objectOf(data, 'data');
  const [address, network] = [textOf(body, 'address'), textOf(body, 'network')];
  if (address === null || network === null) throw new WireError('missing_field', 'address, network');
  return { trackId: idOf(body, 'track_id'), address, memo: referenceOf(body, 'memo'), network };
}

/** The track ids of a page of static addresses. Throws `WireError`. */
export const readAddressIds = (data: LosslessJson | undefined): string[] =>
  listOf(data).map((row) => idOf(objectOf(row, 'list'), 'track_id'));

/** The answer to a payout that was taken on. Throws `WireError` unless it has an id. */
export const readSentPayout = (data: LosslessJson | undefined): { trackId: string } => ({
  trackId: idOf(objectOf(data, 'data'), 'track_id'),
});

/** The payer is sent there, so `javascript:` and the like must not pass. */
const isWebAddress = (text: string): boolean => /^https?:\/\//i.test(text) && URL.canParse(text);

/** One page of the payment history; see `rowsOf` for rows that are left out. Throws `WireError`. */
export function readPaymentPage(data: LosslessJson | undefined): ReportPage {
  return { ...rowsOf<GatewayReport>(data, readPayment, 'order_id'), ...pageOf(data) };
}

/** One page of the payout history; see `rowsOf` for rows that are left out. Throws `WireError`. */
export function readPayoutPage(data: LosslessJson | undefined): PayoutPage {
  return { ...rowsOf<PayoutReport>(data, readPayout, 'description'), ...pageOf(data) };
}

/** The symbols of the coins that the account takes. Throws `WireError`. */
export function readCurrencies(data: LosslessJson | undefined): string[] {
  return listOf(data).map((symbol) => {
    if (typeof symbol !== 'string' || symbol === '' || symbol.length > 32) throw new WireError('wrong_type', 'list');
    return symbol;
  });
}

/**
 * The readable rows. A row with a status that we do not know is left out, for otherwise one such payment would hide
 * all others of its page; what it says under `reference` is told, for it is there. Any other fault fails the page,
 * because an empty page must mean that nothing is there.
 */
function rowsOf<T>(
  data: LosslessJson | undefined,
  read: (row: LosslessJson) => T,
  reference: string,
): { reports: T[]; unread: string[] } {
  const unread: string[] = [];
  const reports = listOf(data).flatMap((row) => {
    try {
      return [read(row)];
    } catch (error) {
      if (!(error instanceof WireError && error.fault === 'unknown_status')) throw error;
      unread.push(referenceOf(objectOf(row, 'list'), reference, maxProse) ?? '');
      return [];
    }
  });
  return { reports, unread: unread.filter((text) => text !== '') };
}

/** No page is longer: 200 is the most that the gateway gives. */
const maxRows = 1000;

function listOf(data: LosslessJson | undefined): LosslessJson[] {
  const list = objectOf(data, 'data')['list'];
  if (!Array.isArray(list)) throw new WireError(list === undefined ? 'missing_field' : 'wrong_type', 'list');
  if (list.length > maxRows) throw new WireError('too_large', 'list');
  return list;
}

function pageOf(data: LosslessJson | undefined): { page: number; lastPage: number } {
  const meta = objectOf(objectOf(data, 'data')['meta'], 'meta');
  const page = countOf(meta, 'page');
  const lastPage = countOf(meta, 'last_page');
  if (page === null || lastPage === null) throw new WireError('missing_field', 'meta');
  return { page, lastPage: Math.max(lastPage, 1) };
}

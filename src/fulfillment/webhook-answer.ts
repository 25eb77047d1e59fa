import { JsonNumber, parseJson, type LosslessJson } from '../kernel/json.js';

/** How an attempt to deliver a webhook ended. */
export const deliveryOutcomes = [
  'success',
  'http_3xx',
  'http_4xx',
  'http_5xx',
  'timeout',
  'connect',
  'tls',
  'dns',
  'blocked_address',
  'body_too_large',
] as const;
export type DeliveryOutcome = (typeof deliveryOutcomes)[number];

/** What an application says by answering `fulfillment.requested`. */
export type FulfillmentAnswer =
  { says: 'later' } | { says: 'fulfilled' | 'rejected'; reference: string | null; note: string | null };

/** What a status means for the attempt; anything below 200 or above 599 is a failure of the endpoint. */
export function outcomeOf(status: number): DeliveryOutcome {
  if (status >= 200 && status < 300) return 'success';
  if (status >= 300 && status < 400) return 'http_3xx';
  return status >= 400 && status < 500 ? 'http_4xx' : 'http_5xx';
}

/** Reads a 2xx answer: 202 means later, `{"outcome":"rejected"}` a no, everything else that it is done. */
export function readAnswer(status: number, body: string): FulfillmentAnswer {
  if (status === 202) return { says: 'later' };
  const answer = parsed(body);
  const field = (name: string, most: number): string | null => {
    const value = answer[name];
    return typeof value === 'string' && value !== '' ? Array.from(value).slice(0, most).join('') : null;
  };
  const says = answer['outcome'] === 'rejected' ? 'rejected' : 'fulfilled';
  return { says, reference: field('reference', 200), note: field('note', 1000) };
}

function parsed(body: string): Record<string, LosslessJson> {
  try {
    const value = parseJson(body);
    return typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof JsonNumber
      ? {}
      : value;
  } catch {
    return {};
  }
}

/** Whether no further attempt can help: the endpoint is gone for good, or lies where webhooks may not go. */
export const isFinal = (outcome: DeliveryOutcome, status: number | null): boolean =>
  outcome === 'blocked_address' || status === 410;

const tlsCodes = /^(?:ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|EPROTO$)/;
const dnsCodes = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME']);

/** What an error code of Node's network stack means for the attempt. */
export function outcomeOfError(code: string): DeliveryOutcome {
  if (code === blockedAddressCode) return 'blocked_address';
  if (dnsCodes.has(code)) return 'dns';
  if (code === 'ETIMEDOUT' || code === 'ECONNABORTED' || code === 'ERR_CANCELED') return 'timeout';
  return tlsCodes.test(code) ? 'tls' : 'connect';
}

/** The code of the error by which a connection to a private address is refused. */
export const blockedAddressCode = 'EBLOCKED';

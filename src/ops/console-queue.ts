import type { Instant } from '../kernel/clock.js';
import { reviewWords } from '../payments/sentences.js';
import { reviewReasons } from '../payments/review-reasons.js';

/** What an exception is about; each waits in one of these alone. */
export const queueKinds = ['review', 'conflict', 'refund', 'fulfillment', 'opening', 'callback', 'delivery'] as const;
export type QueueKind = (typeof queueKinds)[number];

export const isQueueKind = (text: string): text is QueueKind => queueKinds.some((kind) => kind === text);

/** What each is called, above the list and in a row. */
export const kindWords: Readonly<Record<QueueKind, { tab: string; row: string }>> = {
  review: { tab: 'Reviews', row: 'Review' },
  conflict: { tab: 'Conflicts', row: 'Conflict with the gateway' },
  refund: { tab: 'Refunds', row: 'Refund' },
  fulfillment: { tab: 'Fulfilments', row: 'Fulfilment' },
  opening: { tab: 'Not opened', row: 'Invoice not opened' },
  callback: { tab: 'Callbacks', row: 'Callback' },
  delivery: { tab: 'Dead letters', row: 'Dead letter' },
};

/** Something that waits for a person. */
export interface Exception {
  kind: QueueKind;
  /** Of the payment, the callback or the delivery. */
  id: string;
  since: Instant;
  /** Null where no payment is known. */
  paymentId: string | null;
  application: string | null;
  orderId: string | null;
  amount: string | null;
  currency: string | null;
  /** Codes that say why, with what they are about: see `whyOf`. */
  why: readonly string[];
}

/** Where the list goes on. */
export interface QueueCursor {
  since: Instant;
  id: string;
}

const cursorPattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)_([0-9a-f-]{36})$/;

export const cursorAfter = ({ since, id }: Exception): string => `${since}_${id}`;

/** Null where the text is none of ours, or none at all: then the list begins with the oldest. */
export function readCursor(text: string): QueueCursor | null {
  const [, since, id] = cursorPattern.exec(text) ?? [];
  return since === undefined || id === undefined ? null : { since, id };
}

/** Why a callback was kept without an effect. */
const callbackWords: ReadonlyMap<string, string> = new Map(
  Object.entries({
    unknown_track_id: 'no payment here has its track id; it is applied by itself when one appears',
    payout: 'no refund of ours has its track id',
    identity_mismatch: 'its order id and its track id are of different payments',
    decision_failed: 'it could not be decided upon: a defect, or an event of a newer version',
    unknown_status: 'it has a status that this version does not know',
    legacy_format: 'it is in a format of the gateway that is not supported any more',
    not_json: 'it is no JSON',
    not_utf8: 'it is no UTF-8 text',
    duplicate_key: 'it names a field twice',
    missing_field: 'a field is missing',
    wrong_type: 'a field is not of the type that it should be',
    too_deep: 'it is nested deeper than any callback',
    absurd_number: 'it holds a number that cannot be',
    too_many_transfers: 'it names more transfers than a payment can have',
  }),
);

/** Why a callback stays without an effect, in words. */
export const callbackReason = (code: string): string => callbackWords.get(code) ?? `it cannot be read (${code})`;

const deliveryWords: Readonly<Record<string, string>> = {
  http_3xx: 'it answered with a redirect, which is not followed',
  http_4xx: 'it refused the webhook',
  http_5xx: 'it failed',
  timeout: 'it did not answer in time',
  connect: 'it could not be reached',
  tls: 'its certificate is not good',
  dns: 'its name does not exist',
  blocked_address: 'its address is a private one',
  body_too_large: 'its answer was too large',
};

/** Why an exception is there, in sentences without their capital and their full stop. */
export function whyOf({ kind, why }: Pick<Exception, 'kind' | 'why'>): readonly string[] {
  const [first = '', second = '', third = ''] = why;
  switch (kind) {
    case 'callback':
      return [callbackReason(first)];
    case 'delivery':
      return [
        `${first} to ${second}: ${third === '' ? 'the endpoint was gone or disabled before it could be sent' : (deliveryWords[third] ?? third)}`,
      ];
    case 'opening':
      return [
        first === 'unknown'
          ? "the gateway's answer was lost; it is looked up and opened by itself"
          : 'the gateway could not be reached; it is tried again by itself',
      ];
    default:
      return why.map(
        (code) => wordsOfReason(code) ?? (code === 'refund_stuck' ? 'a refund is not through after an hour' : code),
      );
  }
}

function wordsOfReason(code: string): string | null {
  const reason = reviewReasons.find((each) => each === code);
  return reason === undefined ? null : reviewWords[reason];
}

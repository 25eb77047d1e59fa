/**
 * A "no" that the caller can understand and act on: a stable code, a sentence for people and, where fields are at
 * fault, JSON pointers to them. The codes are a closed list, so that clients may branch on them; `docs/errors.md` is
 * generated from it.
 */
export const refusals = {
  invalid_request: { status: 422, title: 'A field of the request is not acceptable' },
  malformed_request: { status: 400, title: 'The request cannot be read' },
  invalid_cursor: { status: 400, title: 'The cursor was not issued by this list' },
  invalid_idempotency_key: { status: 400, title: 'The Idempotency-Key header is not acceptable' },
  key_in_url: { status: 400, title: 'An API key was sent in the URL' },
  unauthorized: { status: 401, title: 'No valid API key was sent' },
  not_found: { status: 404, title: 'There is no such object' },
  method_not_allowed: { status: 405, title: 'The route does not take this method' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  order_has_payment: { status: 409, title: 'The order already has an open or paid payment' },
  money_was_seen: { status: 409, title: 'Money was already seen for this payment' },
  not_cancellable: { status: 409, title: 'The payment can no longer be cancelled' },
  not_fulfillable: { status: 409, title: 'The payment is not ready to be fulfilled' },
  fulfillment_already_reported: { status: 409, title: 'Another outcome was already reported' },
  no_open_review: { status: 409, title: 'Nothing about the payment waits for a decision' },
  review_resolved: { status: 409, title: 'The review was decided already' },
  not_refundable: { status: 409, title: 'The payment is still open' },
  nothing_to_refund: { status: 409, title: 'There is no money to give back' },
  refund_too_large: { status: 409, title: 'More than what was received and not returned' },
  worth_unknown: { status: 409, title: "The worth of the money in the payment's currency is not known" },
  no_remainder: { status: 409, title: 'The payment has no part that another payment could collect' },
  request_in_progress: { status: 409, title: 'A request with this Idempotency-Key is still running' },
  conflict: { status: 409, title: 'The object changed at the same moment' },
  body_too_large: { status: 413, title: 'The request body is too large' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json, UTF-8 and not compressed' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key was used with another request' },
  gateway_refused: { status: 422, title: 'The payment gateway refused the payment' },
  rate_limited: { status: 429, title: 'Too many requests' },
  headers_too_large: { status: 431, title: 'The request headers are too large' },
  internal_error: { status: 500, title: 'Something went wrong on our side' },
  gateway_unavailable: { status: 503, title: 'The payment gateway does not answer' },
  proof_unavailable: { status: 503, title: 'No proof can be given now' },
  service_unavailable: { status: 503, title: 'The service cannot store anything now' },
} as const;

export type RefusalCode = keyof typeof refusals;

/** One field at fault: `pointer` is an RFC 6901 JSON pointer into the request body, or `?name` for a query parameter. */
export interface FieldError {
  pointer: string;
  detail: string;
}

export class Refusal extends Error {
  constructor(
    readonly code: RefusalCode,
    readonly detail: string,
    readonly errors: readonly FieldError[] = [],
    /** Further members of the problem document, e.g. the id of the payment that is in the way. */
    readonly extra: Readonly<Record<string, string | number>> = {},
  ) {
    super(detail);
    this.name = 'Refusal';
  }
}

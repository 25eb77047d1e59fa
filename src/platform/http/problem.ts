import { HttpException } from '@nestjs/common';
import { isUnreachable } from '../database/unreachable.js';
import { Conflict, StoreUnavailable } from '../event-store/append.js';
import { Refusal, refusals, type RefusalCode } from '../../kernel/refusal.js';

/** An RFC 9457 problem document. `type` is stable and is the same as the code's entry in docs/errors.md. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  errors?: readonly { pointer: string; detail: string }[];
  [extra: string]: unknown;
}

export const problemType = (code: RefusalCode): string => `urn:finality:problem:${code.replaceAll('_', '-')}`;

export function problemOf(refusal: Refusal): Problem {
  const { status, title } = refusals[refusal.code];
  return {
    type: problemType(refusal.code),
    title,
    status,
    detail: refusal.detail,
    ...(refusal.errors.length > 0 ? { errors: refusal.errors } : {}),
    ...refusal.extra,
  };
}

/** What an error that reached the edge means for the caller; null where it is a fault of ours. */
export function refusalOf(error: unknown): Refusal | null {
  if (error instanceof Refusal) return error;
  if (error instanceof StoreUnavailable || isUnreachable(error)) {
    return new Refusal(
      'service_unavailable',
      'Nothing was stored, or it is not known whether it was; please repeat the request.',
    );
  }
  if (error instanceof Conflict)
    return new Refusal('conflict', 'The object changed at the same moment; please repeat the request.');
  if (error instanceof HttpException) return fromStatus(error.getStatus());
  return isFastifyError(error) ? fromStatus(error.statusCode) : null;
}

const byStatus: Readonly<Record<number, [RefusalCode, string]>> = {
  400: ['malformed_request', 'The request cannot be read.'],
  401: ['unauthorized', 'Send a valid key as `Authorization: Bearer <api key>`.'],
  404: ['not_found', 'There is nothing at this address.'],
  405: ['method_not_allowed', 'The route does not take this method.'],
  408: ['request_timeout', 'A request has to arrive within 10 s.'],
  413: ['body_too_large', 'The body may be 64 KiB at most.'],
  415: ['unsupported_media_type', 'Send JSON with `Content-Type: application/json`, in UTF-8 and not compressed.'],
  429: ['rate_limited', 'Slow down and try again after the time in Retry-After.'],
  431: ['headers_too_large', 'The headers may be 16 KiB at most.'],
  503: ['service_unavailable', 'The service is not ready; please repeat the request.'],
};

function fromStatus(status: number): Refusal | null {
  const known = byStatus[status] ?? (status >= 400 && status < 500 ? byStatus[400] : undefined);
  return known ? new Refusal(known[0], known[1]) : null;
}

/** Fastify's own errors, and those of Node that it has given a status: a request that was broken off, for one. */
const isFastifyError = (error: unknown): error is { statusCode: number } =>
  typeof error === 'object' && error !== null && 'statusCode' in error && typeof error.statusCode === 'number';

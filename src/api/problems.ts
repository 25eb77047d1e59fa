import { applyDecorators } from '@nestjs/common';
import { ApiHeader, ApiResponse } from '@nestjs/swagger';
import { refusals, type RefusalCode } from '../kernel/refusal.js';
import { problemType } from '../platform/http/problem.js';
import type { ProblemAnswer } from './answers.js';
import { idempotencyKeyExamples } from './body-examples.js';

const always = ['unauthorized', 'key_in_url', 'rate_limited', 'service_unavailable'] as const;
const ofChanges = [
  'malformed_request',
  'invalid_request',
  'body_too_large',
  'unsupported_media_type',
  'invalid_idempotency_key',
  'request_in_progress',
  'idempotency_key_reused',
] as const;

/** Documents the refusals of a route that reads: those of every route, and `codes`. */
export const Refuses = (...codes: RefusalCode[]): MethodDecorator => refusing([...always, ...codes]);

/** Documents a route that changes something: its header, the refusals that this brings, and `codes`. */
export const ChangesAndRefuses = (...codes: RefusalCode[]): MethodDecorator =>
  applyDecorators(
    ApiHeader({
      name: 'Idempotency-Key',
      required: false,
      description: '1 to 255 printable ASCII characters; a repeat with the same key gets the first answer again',
      examples: idempotencyKeyExamples,
    }),
    refusing([...always, ...ofChanges, ...codes]),
  );

/** One response for each status: a later decorator for the same status would replace an earlier one. */
function refusing(codes: readonly RefusalCode[]): MethodDecorator {
  const byStatus = new Map<number, RefusalCode[]>();
  for (const code of codes) {
    const { status } = refusals[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const responses = [...byStatus].map(([status, these]) =>
    ApiResponse({
      status,
      description: these.map((code) => `${refusals[code].title} (\`${problemType(code)}\`)`).join('; '),
      content: {
        'application/problem+json': {
          schema: { $ref: '#/components/schemas/ProblemAnswer' },
          examples: examples(these),
        },
      },
    }),
  );
  return applyDecorators(...responses);
}

const examples = (codes: readonly RefusalCode[]): Record<string, { value: ProblemAnswer }> =>
  Object.fromEntries(
    codes.map((code) => [
      code,
      { value: { type: problemType(code), ...refusals[code], detail: 'A sentence that says what to do.' } },
    ]),
  );

import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { refusals, type RefusalCode } from '../kernel/refusal.js';
import { problemType } from '../platform/http/problem.js';
import type { ProblemAnswer } from './answers.js';

/** Documents the refusals of a route in the OpenAPI document, one response for each status. */
export function Refuses(...codes: RefusalCode[]): MethodDecorator & ClassDecorator {
  const byStatus = new Map<number, RefusalCode[]>();
  for (const code of codes) {
    const { status } = refusals[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const responses = [...byStatus].map(([status, these]) =>
    ApiResponse({
      status,
      description: these.map((code) => `${refusals[code].title} (\`${problemType(code)}\`)`).join('; '),
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/ProblemAnswer' }, example: example(these[0] ?? 'internal_error', status) } },
    }),
  );
  return applyDecorators(...responses);
}

const example = (code: RefusalCode, status: number): ProblemAnswer => ({
  type: problemType(code),
  title: refusals[code].title,
  status,
  detail: 'A sentence that says what to do.',
});

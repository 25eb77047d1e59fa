import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../../kernel/refusal.js';
import { problemOf, refusalOf } from './problem.js';
import { limitHeaders } from './rate-limit.controller.js';

/** Turns whatever was thrown into a problem document; what nobody expected becomes a 500 that tells an id and no more. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('http');

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  answer(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const problem = problemOf(refusalOf(error) ?? this.unexpected(error, request));
    if (reply.sent) return;
    if (problem.status === 503) void reply.header('retry-after', '30');
    if (problem.status === 401) void reply.header('www-authenticate', 'Bearer');
    const { retryAfter, limit } = problem;
    if (typeof retryAfter === 'number') void reply.header('retry-after', String(retryAfter));
    if (typeof retryAfter === 'number' && typeof limit === 'number')
      void reply.headers(limitHeaders(limit, 0, retryAfter));
    void reply.status(problem.status).header('content-type', 'application/problem+json').send(JSON.stringify(problem));
  }

  private unexpected(error: unknown, request: FastifyRequest): Refusal {
    this.logger.error({ msg: 'unexpected error', requestId: request.id, method: request.method, err: error });
    return new Refusal('internal_error', 'The request could not be handled; quote the request id to support.', [], {
      requestId: request.id,
    });
  }
}

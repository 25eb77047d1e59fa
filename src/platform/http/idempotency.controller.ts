import { createHash } from 'node:crypto';
import { Inject, Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { catchError, concatMap, of, type Observable } from 'rxjs';
import { Refusal } from '../../kernel/refusal.js';
import type { Application } from './applications.pg.js';
import { IdempotencyKeys } from './idempotency.pg.js';
import { problemOf } from './problem.js';

const acceptable = /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/;

/** Answers a repeated mutating request with its first answer. Without the header a request is simply carried out. */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(@Inject(IdempotencyKeys) private readonly keys: IdempotencyKeys) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<FastifyRequest & { application?: Application }>();
    const key = request.headers['idempotency-key'];
    if (request.method === 'GET' || key === undefined || !request.application) return next.handle();
    if (typeof key !== 'string' || !acceptable.test(key)) {
      throw new Refusal('invalid_idempotency_key', 'Idempotency-Key must be 1 to 255 printable ASCII characters.');
    }
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    return this.once(request, reply, request.application.id, key, next);
  }

  private async once(
    request: FastifyRequest,
    reply: FastifyReply,
    caller: string,
    key: string,
    next: CallHandler,
  ): Promise<Observable<unknown>> {
    const claim = await this.keys.claim(caller, key, hashOf(request));
    switch (claim.kind) {
      case 'reused':
        throw new Refusal(
          'idempotency_key_reused',
          'This Idempotency-Key came with another request before; use a new one.',
        );
      case 'running':
        throw new Refusal(
          'request_in_progress',
          'The first request with this key has no answer yet; try again in a second.',
          [],
          { retryAfter: 1 },
        );
      case 'replay':
        void reply.status(claim.status).header('idempotency-replayed', 'true');
        if (claim.location !== null) void reply.header('location', claim.location);
        if (claim.status >= 400) void reply.header('content-type', 'application/problem+json');
        return of(claim.body === '' ? undefined : JSON.parse(claim.body));
      case 'run':
        return next.handle().pipe(
          concatMap(async (answer: unknown) => {
            const location = reply.getHeader('location');
            const body = answer === undefined ? '' : JSON.stringify(answer);
            await this.keys.keep(caller, key, {
              status: reply.statusCode,
              body,
              location: typeof location === 'string' ? location : null,
            });
            return answer;
          }),
          catchError(async (error: unknown) => {
            // What was refused after something had been done is the answer to its repetition too; else the key is free.
            if (error instanceof Refusal && error.code === 'gateway_refused') {
              const problem = problemOf(error);
              await this.keys.keep(caller, key, {
                status: problem.status,
                body: JSON.stringify(problem),
                location: null,
              });
            } else await this.keys.release(caller, key);
            throw error;
          }),
        );
    }
  }
}

const hashOf = (request: FastifyRequest): Buffer =>
  createHash('sha256')
    .update(`${request.method} ${request.url}\n`)
    .update(JSON.stringify(request.body ?? null))
    .digest();

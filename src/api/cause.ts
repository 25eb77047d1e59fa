import type { FastifyRequest } from 'fastify';
import type { Cause } from '../payments/payment-streams.pg.js';
import type { Application } from '../platform/http/applications.pg.js';

/** An application acts by a request: what follows from it carries the request's id. */
export const causeOf = (caller: Application, request: FastifyRequest): Cause => ({
  actor: `application:${caller.id}`,
  correlationId: request.id,
  causationId: request.id,
});

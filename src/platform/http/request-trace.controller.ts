import { Logger } from '@nestjs/common';
import { SpanKind, SpanStatusCode, type Span } from '@opentelemetry/api';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { beginRequest, within } from '../spans.js';
import { callerOf, traceIdOf } from '../trace-context.js';

/** Asked for every few seconds by machines; nobody wants a trace of it. */
const untraced = new Set(['/health/live', '/health/ready', '/metrics']);

/**
 * Every request has one id: in the header `x-request-id` of its answer, as the correlation id of what follows from it
 * and of what is logged meanwhile, and as its trace.
 */
export function traceRequests(fastify: FastifyInstance): void {
  const log = new Logger('http');
  const spans = new WeakMap<FastifyRequest, Span>();
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    const span = untraced.has(request.routeOptions.url ?? '') ? null : begin(request);
    if (span) spans.set(request, span);
    done();
  });
  // After the body has been read: what reads it does not carry along what runs before.
  fastify.addHook('preValidation', (request, _reply, done) => {
    within(request.id, spans.get(request) ?? null, done);
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    end(spans.get(request), reply);
    tell(log, request, reply);
    done();
  });
}

function begin({ id, method, headers, routeOptions: { url: route } }: FastifyRequest): Span | null {
  const caller = callerOf(headers.traceparent);
  return beginRequest({
    name: route === undefined ? method : `${method} ${route}`,
    traceId: traceIdOf(id),
    parentSpanId: caller?.correlationId === id ? caller.spanId : null,
    kind: SpanKind.SERVER,
    attributes: { 'http.request.method': method, ...(route === undefined ? {} : { 'http.route': route }) },
  });
}

function end(span: Span | undefined, { statusCode }: FastifyReply): void {
  span?.setAttribute('http.response.status_code', statusCode);
  if (statusCode >= 500) span?.setStatus({ code: SpanStatusCode.ERROR });
  span?.end();
}

/** The route's pattern, never the address: it may hold a token. An unexpected error has had its own line. */
function tell(log: Logger, request: FastifyRequest, { statusCode: status, elapsedTime }: FastifyReply): void {
  log[status > 500 ? 'warn' : 'debug']({
    msg: 'a request was answered',
    correlationId: request.id,
    method: request.method,
    route: request.routeOptions.url,
    status,
    durationMs: Math.round(elapsedTime),
  });
}

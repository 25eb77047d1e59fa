import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { v7 } from 'uuid';
import { JsonError, JsonNumber, parseJson, type LosslessJson } from '../../kernel/json.js';
import { Refusal } from '../../kernel/refusal.js';
import { callerOf } from '../trace-context.js';
import { parseForm } from './form.js';
import { problemOf } from './problem.js';
import { traceRequests } from './request-trace.controller.js';

const bodyLimit = 64 * 1024;
/** Together with the pause between two checks this never holds a connection longer than 10 s. */
const arrivalLimitMs = 9_500;
const arrivalCheckMs = 500;
/** What a stopping server still waits for: the longest that a request in hand may take. */
const endingLimitMs = 9_000;

/**
 * The HTTP server: every time and size is bounded, bodies are handed over as bytes, whatever type they claim to have
 * (routes under `rawPaths`), read as forms (under `formPaths`), or parsed by the one strict JSON parser.
 */
export function createAdapter(rawPaths: string, ...formPaths: readonly string[]): FastifyAdapter {
  const adapter = new FastifyAdapter({
    bodyLimit,
    requestTimeout: arrivalLimitMs,
    http: {
      requestTimeout: arrivalLimitMs,
      headersTimeout: arrivalLimitMs,
      // Node looks for slow requests every 30 s by default, which would make the limit above four times as long.
      connectionsCheckingInterval: arrivalCheckMs,
      maxHeaderSize: 16 * 1024,
    },
    keepAliveTimeout: 72_000,
    // Its answer is no problem document; ours is.
    return503OnClosing: false,
    // A caller may bring the id of its trace. Whoever sends callbacks brings none that we would believe.
    genReqId: (request: Pick<IncomingMessage, 'url' | 'headers'>) =>
      (request.url?.startsWith(rawPaths) ? null : callerOf(request.headers.traceparent))?.correlationId ?? v7(),
    // An order id of 128 characters outside ASCII, percent-encoded.
    routerOptions: { maxParamLength: 128 * 12 },
    frameworkErrors: refuseAddress,
    clientErrorHandler: refuseUnreadable,
  });
  traceRequests(adapter.getInstance());
  tellMethods(adapter.getInstance());
  endInTime(adapter.getInstance());
  const under =
    (...paths: readonly string[]) =>
    ({ routeOptions }: FastifyRequest): boolean =>
      paths.some((path) => routeOptions.url?.startsWith(path));
  takeBodies(adapter.getInstance(), under(rawPaths), under(...formPaths));
  return adapter;
}

/**
 * Once the server is told to stop, each answer is the last on its connection: kept alive, one would hold up the end
 * until its idle time is over. Node no longer looks for slow requests then either, so what is left is cut. A request
 * that begins so late is refused before anything is done for it, so that a proxy may ask the next one.
 */
function endInTime(fastify: FastifyInstance): void {
  let ending = false;
  fastify.addHook('preClose', (done) => {
    ending = true;
    setTimeout(() => {
      fastify.server.closeAllConnections();
    }, endingLimitMs).unref();
    done();
  });
  fastify.addHook('onRequest', (_request, _reply, done) => {
    done(
      ending ? new Refusal('service_unavailable', 'This process is stopping; please repeat the request.') : undefined,
    );
  });
  fastify.addHook('onSend', (_request, reply, _payload, done) => {
    if (ending) void reply.header('connection', 'close');
    done();
  });
}

/** Tells a method that a route does not take from an address where nothing is; neither has its body read. */
function tellMethods(fastify: FastifyInstance): void {
  const routes: { pattern: RegExp; methods: string[] }[] = [];
  fastify.addHook('onRoute', ({ url, method }) => {
    if (url !== '*') routes.push({ pattern: patternOf(url), methods: [method].flat() });
  });
  fastify.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) {
      done();
      return;
    }
    const [path = ''] = request.url.split('?');
    const methods = [...new Set(routes.filter(({ pattern }) => pattern.test(path)).flatMap((route) => route.methods))];
    if (methods.length > 0) void reply.header('allow', methods.join(', '));
    done(
      methods.length > 0
        ? new Refusal('method_not_allowed', `This address takes ${methods.join(' and ')}.`)
        : new Refusal('not_found', 'There is nothing at this address.'),
    );
  });
}

/** A route's pattern (`/v1/payments/:id`) as a regular expression over a whole path. */
const patternOf = (url: string): RegExp =>
  new RegExp(
    `^${url
      .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
      .replace(/:[A-Za-z]+/g, '[^/]+')
      .replaceAll('*', '.*')}$`,
  );

type Test = (request: FastifyRequest) => boolean;

function takeBodies(fastify: FastifyInstance, isRaw: Test, isForm: Test): void {
  fastify.addHook('onRequest', (request, _reply, done) => {
    if (request.headers['content-encoding']) {
      done(unsupported());
      return;
    }
    if (isRaw(request)) request.headers['content-type'] = 'application/octet-stream';
    done();
  });
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (request: FastifyRequest, body: Buffer, done) => {
    if (isRaw(request)) done(null, body);
    else if (isForm(request)) takeForm(request, body, done);
    else parseBody(request, body, done);
  });
}

function takeForm(request: FastifyRequest, body: Buffer, done: (error: Error | null, body?: unknown) => void): void {
  try {
    if (!formType.test(request.headers['content-type'] ?? ''))
      throw new Refusal('unsupported_media_type', 'This address takes forms, as a browser sends them.');
    done(null, parseForm(body));
  } catch (error) {
    done(error instanceof Error ? error : new Error(String(error)));
  }
}

const unsupported = (): Refusal =>
  new Refusal(
    'unsupported_media_type',
    'Send JSON with `Content-Type: application/json`, in UTF-8 and not compressed.',
  );

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const jsonType = /^application\/(?:[a-z0-9.-]+\+)?json\s*(?:;|$)/i;
const formType = /^application\/x-www-form-urlencoded\s*(?:;\s*charset=utf-8\s*)?$/i;
const otherCharset = /;\s*charset\s*=\s*(?!"?utf-8"?\s*(?:;|$))/i;

const isJson = (contentType: string): boolean => jsonType.test(contentType) && !otherCharset.test(contentType);

function parseBody(request: FastifyRequest, body: Buffer, done: (error: Error | null, body?: unknown) => void): void {
  if (body.length === 0) {
    done(null, undefined);
    return;
  }
  if (!isJson(request.headers['content-type'] ?? '')) {
    done(unsupported());
    return;
  }
  try {
    done(null, plainJson(parseJson(utf8.decode(body))));
  } catch (error) {
    const why = error instanceof JsonError ? error.message : 'not UTF-8';
    done(new Refusal('malformed_request', `The body is not acceptable JSON: ${why}.`));
  }
}

/** JSON for the validators: numbers become JavaScript numbers, which no amount of money may be. */
function plainJson(value: LosslessJson): unknown {
  if (value instanceof JsonNumber) return Number(value.text);
  if (Array.isArray(value)) return value.map(plainJson);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plainJson(member)]));
}

/** Addresses that no route can be found for: with bytes that are not UTF-8, or a part that is too long. */
function refuseAddress(_error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  const problem = problemOf(new Refusal('malformed_request', 'The address cannot be read.'));
  void reply.status(problem.status).header('content-type', 'application/problem+json').send(JSON.stringify(problem));
}

/** Requests that never became one: unreadable, with headers too large, or too slow. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'headers_too_large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'request_timeout'
        : 'malformed_request';
  const problem = problemOf(new Refusal(code, 'The request cannot be read.'));
  const body = JSON.stringify(problem);
  const head = `HTTP/1.1 ${String(problem.status)} ${STATUS_CODES[problem.status] ?? ''}\r\nconnection: close\r\ncontent-type: application/problem+json\r\ncontent-length: ${String(Buffer.byteLength(body))}\r\n\r\n`;
  socket.end(head + body);
}

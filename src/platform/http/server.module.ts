import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { v7 } from 'uuid';
import { JsonError, JsonNumber, parseJson, type LosslessJson } from '../../kernel/json.js';
import { Refusal } from '../../kernel/refusal.js';
import { problemOf } from './problem.js';

export const bodyLimit = 64 * 1024;
const arrivalLimitMs = 10_000;

/**
 * The HTTP server: every time and size is bounded, bodies are handed over as bytes (`rawPaths`) or parsed by the one
 * strict JSON parser.
 */
export function createAdapter(rawPaths: string): FastifyAdapter {
  const adapter = new FastifyAdapter({
    bodyLimit,
    requestTimeout: arrivalLimitMs,
    http: {
      requestTimeout: arrivalLimitMs,
      headersTimeout: arrivalLimitMs,
      // Node looks for slow requests every 30 s by default, which would make the limit above four times as long.
      connectionsCheckingInterval: 1000,
      maxHeaderSize: 16 * 1024,
    },
    keepAliveTimeout: 72_000,
    genReqId: () => v7(),
    routerOptions: { maxParamLength: 200 },
    clientErrorHandler: refuseUnreadable,
  });
  takeBodies(adapter.getInstance(), rawPaths);
  return adapter;
}

function takeBodies(fastify: FastifyInstance, rawPaths: string): void {
  fastify.addHook('onRequest', (request, _reply, done) => {
    done(request.headers['content-encoding'] ? unsupported() : undefined);
  });
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (request: FastifyRequest, body: Buffer, done) => {
    if (request.url.startsWith(rawPaths)) done(null, body);
    else parseBody(request, body, done);
  });
}

const unsupported = (): Refusal =>
  new Refusal('unsupported_media_type', 'Send JSON with `Content-Type: application/json`, in UTF-8 and not compressed.');

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const jsonType = /^application\/(?:[a-z0-9.-]+\+)?json\s*(?:;|$)/i;

function parseBody(request: FastifyRequest, body: Buffer, done: (error: Error | null, body?: unknown) => void): void {
  if (body.length === 0) {
    done(null, undefined);
    return;
  }
  if (!jsonType.test(request.headers['content-type'] ?? '')) {
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

/** Requests that never became one: unreadable, with headers too large, or too slow. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = error.code === 'HPE_HEADER_OVERFLOW' ? 'headers_too_large' : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request_timeout' : 'malformed_request';
  const problem = problemOf(new Refusal(code, 'The request cannot be read.'));
  const body = JSON.stringify(problem);
  const head = `HTTP/1.1 ${String(problem.status)} ${STATUS_CODES[problem.status] ?? ''}\r\nconnection: close\r\ncontent-type: application/problem+json\r\ncontent-length: ${String(Buffer.byteLength(body))}\r\n\r\n`;
  socket.end(head + body);
}


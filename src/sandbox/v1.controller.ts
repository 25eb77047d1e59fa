import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { setTimeout as wait } from 'node:timers/promises';
import type { LosslessObject } from '../kernel/json.js';
import { nameOf, type Endpoint } from './endpoints.js';
import { type Answer, fieldFault, printJson, refused, succeeded, unknownObject, WireFault } from './envelope.js';
import type { ApiFault, Faults } from './faults.js';
import { Fields } from './fields.js';
import { objectOf, pathPart, queryOf, textOf } from './requests.js';

interface V1World {
  endpoints: readonly Endpoint[];
  faults: Faults;
  keys: Readonly<Record<'merchant' | 'payout' | 'general', readonly string[]>>;
  /** Called before every answer, so that nothing is said that a crash would forget. */
  flush: () => void;
}

/** The gateway's API under `/v1`: key, fields, answer, and the faults that were asked for. */
export function serveV1(app: FastifyInstance, world: V1World): void {
  for (const endpoint of world.endpoints) {
    app.route({
      method: endpoint.method,
      url: `/v1${endpoint.path}`,
      handler: (request, reply) => respond(world, reply, nameOf(endpoint), () => answerOf(world, endpoint, request)),
    });
  }
  const missing = (): Answer => refused(unknownObject('', 'The requested endpoint was not found.'));
  app.all('/v1', (_request, reply) => respond(world, reply, '', missing));
  app.all('/v1/*', (_request, reply) => respond(world, reply, '', missing));
}

function answerOf(world: V1World, endpoint: Endpoint, request: FastifyRequest): Answer {
  try {
    const key = keyOf(world, endpoint, request);
    const fields = new Fields(endpoint.method === 'GET' ? queryOf(request) : bodyFields(request));
    return succeeded(endpoint.answer({ fields, trackId: pathPart(request, 'track_id'), key }));
  } catch (error) {
    if (error instanceof WireFault) return refused(error);
    throw error;
  }
}

function keyOf(world: V1World, endpoint: Endpoint, request: FastifyRequest): string {
  if (endpoint.key === null) return '';
  const header = `${endpoint.key}_api_key`;
  const given = request.headers[header];
  if (typeof given === 'string' && world.keys[endpoint.key].includes(given)) return given;
  throw new WireFault(401, 'unauthorized', header, `The ${header} is missing or not valid.`);
}

function bodyFields(request: FastifyRequest): LosslessObject {
  // An empty PHP array is written as [].
  const body = textOf(request).trim() === '[]' ? {} : objectOf(request);
  if (!body) throw fieldFault('', 'The request body must be a JSON object.');
  return body;
}

async function respond(world: V1World, reply: FastifyReply, endpoint: string, work: () => Answer): Promise<void> {
  const fault = world.faults.nextRequest(endpoint);
  if (fault.latencyMs > 0) await wait(fault.latencyMs, undefined, { ref: false });
  if (fault.kind === 'error')
    return send(reply, refused(new WireFault(fault.status, 'server', '', 'Simulated failure.')));
  if (fault.kind === 'lost_before') return lose(world, reply);
  const answer = work();
  world.flush();
  if (fault.kind === 'lost_after') return lose(world, reply);
  if (fault.kind === 'malformed') return sendMalformed(reply, fault, answer);
  return send(reply, answer);
}

function send(reply: FastifyReply, answer: Answer): void {
  if (answer.status === 429 || answer.status === 503) reply.header('retry-after', '1');
  reply.code(answer.status).type('application/json; charset=utf-8').send(printJson(answer.body));
}

function sendMalformed(reply: FastifyReply, fault: ApiFault & { kind: 'malformed' }, answer: Answer): void {
  const text = printJson(answer.body);
  if (fault.variant === 'html') reply.type('text/html').send('<html><body><h1>502 Bad Gateway</h1></body></html>');
  else if (fault.variant === 'empty') reply.type('application/json').send('');
  else reply.type('application/json').send(text.slice(0, Math.ceil(text.length / 2)));
}

/** Never answers: the connection stays silent until its caller gives up, or it is cut after the fault's time. */
function lose(world: V1World, reply: FastifyReply): void {
  reply.hijack();
  const { socket } = reply.raw;
  const timer = setTimeout(() => socket?.destroy(), world.faults.current.api.timeoutMs);
  socket?.once('close', () => clearTimeout(timer));
}

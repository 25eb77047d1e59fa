import type { FastifyInstance, FastifyRequest } from 'fastify';
import { instantFromMs } from '../kernel/clock.js';
import type { LosslessObject } from '../kernel/json.js';
import {
  badField,
  conflict,
  controlFields,
  expectTransfer,
  faultPlanFrom,
  payingFrom,
  paymentOf,
  payoutOf,
} from './commands.js';
import { nameOf, type Endpoint } from './endpoints.js';
import { printJson, type Wire, WireFault } from './envelope.js';
import type { FakeGateway, Telling } from './fake-gateway.js';
import type { Faults } from './faults.js';
import type { Fields } from './fields.js';
import { paymentStatuses, payoutStatuses } from './ledger.js';
import { paymentView, payoutView } from './payment-view.js';
import { objectOf, pathPart } from './requests.js';
import { play, scenarioNames } from './scenarios.js';
import type { Time } from './time.job.js';

interface ControlWorld {
  gateway: FakeGateway;
  time: Time;
  faults: Faults;
  endpoints: readonly Endpoint[];
  flush: () => void;
  reset: () => void;
}

interface Command {
  trackId: string;
  name: string;
  body: LosslessObject;
}
type Act = (command: Command) => Promise<Wire> | Wire;

const longestAdvance = 10 * 365 * 86_400;

/** The routes that play the payer, the chain and the clock. They need no key: the server listens on loopback. */
export function serveControl(app: FastifyInstance, world: ControlWorld): void {
  const route = (method: 'GET' | 'POST' | 'PUT', url: string, act: Act): void => {
    app.route({
      method,
      url: `/_sandbox${url}`,
      handler: async (request, reply) => {
        const { status, body } = await outcome(act, request);
        world.flush();
        return reply.code(status).type('application/json; charset=utf-8').send(printJson(body));
      },
    });
  };
  paymentRoutes(world, route);
  route('GET', '/payouts/:trackId', ({ trackId }) => payoutView(payoutOf(world.gateway, trackId)));
  route('POST', '/payouts/:trackId/status', (command) => payoutStatus(world, command));
  route('POST', '/scenarios/:name', (command) => scenario(world, command));
  route('POST', '/clock/advance', (command) => advance(world, command));
  route('GET', '/faults', () => ({ ...world.faults.current }));
  route('PUT', '/faults', ({ body }) => {
    world.faults.set(faultPlanFrom(body, world.endpoints.map(nameOf)));
    return { ...world.faults.current };
  });
  route('POST', '/reset', ({ body }) => {
    controlFields(body, []);
    world.reset();
    return { reset: true };
  });
}

function paymentRoutes(world: ControlWorld, route: (method: 'GET' | 'POST', url: string, act: Act) => void): void {
  const { gateway, time } = world;
  route('GET', '/payments/:trackId', ({ trackId }) => paymentView(paymentOf(gateway, trackId)));
  route('POST', '/payments/:trackId/transfers', async ({ trackId, body }) => {
    const payment = paymentOf(gateway, trackId);
    const fields = controlFields(body, ['amount', 'percent', 'currency', 'network', 'confirmations', 'callback']);
    expectTransfer(payment);
    gateway.seeTransfer(payment, payingFrom(payment, fields), telling(fields, 'usual'));
    await time.deliver(payment);
    return paymentView(payment);
  });
  route('POST', '/payments/:trackId/confirmations', async ({ trackId, body }) => {
    const payment = paymentOf(gateway, trackId);
    const fields = controlFields(body, ['count', 'callback']);
    const count = fields.integer('count', { min: 0, max: 1_000_000 }, null);
    if (count === null) throw badField('count', 'count is required');
    if (payment.transfers.length === 0) throw conflict('the payment has no transfer yet');
    gateway.confirm(payment, count, telling(fields, 'usual'));
    await time.deliver(payment);
    return paymentView(payment);
  });
  route('POST', '/payments/:trackId/status', async ({ trackId, body }) => {
    const payment = paymentOf(gateway, trackId);
    const fields = controlFields(body, ['status', 'callback']);
    const status = fields.oneOf('status', paymentStatuses, null);
    if (status === null) throw badField('status', `one of ${paymentStatuses.join(', ')}`);
    gateway.setStatus(payment, status, telling(fields, 'always'));
    await time.deliver(payment);
    return paymentView(payment);
  });
}

/** `callback: true` tells the merchant whatever the status, `false` never. */
function telling(fields: Fields, otherwise: Telling): Telling {
  if (!fields.has('callback')) return otherwise;
  return fields.flag('callback', true) ? 'always' : 'never';
}

async function payoutStatus(world: ControlWorld, { trackId, body }: Command): Promise<Wire> {
  const payout = payoutOf(world.gateway, trackId);
  const fields = controlFields(body, ['status', 'callback']);
  const status = fields.oneOf('status', payoutStatuses, null);
  if (status === null) throw badField('status', `one of ${payoutStatuses.join(', ')}`);
  world.gateway.setPayoutStatus(payout, status, telling(fields, 'always'));
  await world.time.deliver(payout);
  return payoutView(payout);
}

async function scenario(world: ControlWorld, { name, body }: Command): Promise<Wire> {
  const known = scenarioNames.find((candidate) => candidate === name);
  if (!known) throw new WireFault(404, 'not_found', 'name', `no such scenario; there are: ${scenarioNames.join(', ')}`);
  const fields = controlFields(body, ['trackId', 'callback']);
  const payment = paymentOf(world.gateway, fields.required('trackId'));
  const tellAll = fields.flag('callback', false);
  const advance = (seconds: number): Promise<void> => world.time.advance(seconds);
  const did = await play(known, { gateway: world.gateway, payment, tellAll, advance });
  await world.time.deliver(payment);
  return { scenario: known, trackId: payment.trackId, did, payment: paymentView(payment) };
}

async function advance(world: ControlWorld, { body }: Command): Promise<Wire> {
  const fields = controlFields(body, ['seconds']);
  const seconds = fields.integer('seconds', { min: 0, max: longestAdvance }, null);
  if (seconds === null) throw badField('seconds', 'seconds is required');
  await world.time.advance(seconds);
  return { now: instantFromMs(world.gateway.nowMs) };
}

async function outcome(act: Act, request: FastifyRequest): Promise<{ status: number; body: Wire }> {
  try {
    expectSameSite(request);
    const body = objectOf(request);
    if (!body) throw badField('', 'the body must be a JSON object');
    const command = { trackId: pathPart(request, 'trackId'), name: pathPart(request, 'name'), body };
    return { status: 200, body: await act(command) };
  } catch (error) {
    if (!(error instanceof WireFault)) throw error;
    return { status: error.status, body: { error: { type: error.type, field: error.key, message: error.message } } };
  }
}

/** A page of another site, open in a developer's browser, must not move the sandbox. Programs send no such header. */
export function expectSameSite(request: FastifyRequest): void {
  const site = request.headers['sec-fetch-site'];
  if (request.method !== 'GET' && (site === 'cross-site' || site === 'same-site'))
    throw new WireFault(403, 'forbidden', '', 'a page of another site may not use the sandbox');
}

import Fastify, { type FastifyInstance } from 'fastify';
import type { SystemClock } from '../platform/clock.js';
import { Callbacks, type Subject } from './callbacks.client.js';
import { serveControl } from './control.controller.js';
import { endpoints } from './endpoints.js';
import { printJson, refused, unknownObject, WireFault } from './envelope.js';
import { FakeGateway } from './fake-gateway.js';
import { Faults, noFaults } from './faults.js';
import { keyDigest } from './identity.js';
import { Journal, readJournal } from './journal.job.js';
import { servePayer } from './payer.controller.js';
import { Swaps } from './swaps.js';
import { Time } from './time.job.js';
import { serveV1 } from './v1.controller.js';

export interface SandboxOptions {
  /** 0 takes a free port. */
  port: number;
  host: string;
  /** Shared with the service, so that both live in the same time. */
  clock: SystemClock;
  /** Accepted with requests; callbacks are signed with the key that created the payment, or the first. */
  merchantKeys: readonly string[];
  payoutKeys: readonly string[];
  /** For `/general/*`; the merchant keys where absent. */
  generalKeys?: readonly string[];
  /** Where it remembers across restarts; nowhere where null or absent. */
  stateFile?: string | null;
  /** What links to the payer's page start with; `http://localhost:<port>` where absent. */
  publicUrl?: string;
  /** Where the merchant's service shows a payment, by the order id that it gave; the payer's page leads there. */
  merchantPage?: (orderId: string) => string;
  /** Called after the shared clock was moved, before the control route answers. */
  onClockAdvanced?: (seconds: number) => Promise<void>;
  log?: (message: string) => void;
}

export interface Sandbox {
  /** Where it listens; its API is under `/v1` of this. */
  url: string;
  close(): Promise<void>;
}

const bodyLimit = 64 * 1024;

/** Starts the sandbox gateway on a port of its own. Rejects where the port is taken or the state file is not ours. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const app = Fastify({ bodyLimit, logger: false, requestTimeout: 10_000, forceCloseConnections: true });
  const parts = assemble(options, () => publicUrl(options, app));
  readBodiesAsText(app);
  answerFailures(app, options);
  serveV1(app, { ...parts, endpoints: parts.endpoints, keys: keysOf(options), flush: parts.flush });
  serveControl(app, parts);
  servePayer(app, { ...parts, merchantPage: options.merchantPage ?? null });
  await app.listen({ port: options.port, host: options.host });
  parts.time.start();
  void parts.time.runDue();
  return {
    url: `http://${urlHost(options.host)}:${portOf(app)}`,
    close: async () => {
      parts.time.stop();
      parts.callbacks.close();
      await app.close();
      parts.journal.flush();
    },
  };
}

const keysOf = (options: SandboxOptions) => ({
  merchant: options.merchantKeys,
  payout: options.payoutKeys,
  general: options.generalKeys ?? options.merchantKeys,
});

function assemble(options: SandboxOptions, publicUrlOf: () => string) {
  const { clock } = options;
  const faults = new Faults();
  const swaps = new Swaps();
  const journal: Journal = new Journal(
    options.stateFile ?? null,
    () => gateway.snapshot(),
    (error) => options.log?.(`the sandbox gateway cannot write its state file: ${messageOf(error)}`),
  );
  const callbacks = new Callbacks({
    clock,
    faults,
    keyFor: keyFor(options),
    changed: (subject) => keepSubject(subject),
  });
  const gateway: FakeGateway = new FakeGateway({
    clock,
    keep: (line) => journal.put(line),
    send: (subject, message) => callbacks.queue(subject, message),
  });
  const keepSubject = ({ trackId }: Subject): void => {
    const payment = gateway.payments.get(trackId);
    const payout = gateway.payouts.get(trackId);
    if (payment) journal.put({ kind: 'payment', id: trackId, value: payment });
    if (payout) journal.put({ kind: 'payout', id: trackId, value: payout });
  };
  const advanced = async (seconds: number): Promise<void> => {
    journal.put({ kind: 'clock', value: Math.round(clock.offset) });
    await options.onClockAdvanced?.(seconds);
  };
  const time = new Time({ clock, gateway, callbacks, advanced });
  for (const line of readJournal(options.stateFile ?? null)) gateway.restore(line);
  for (const subject of [...gateway.payments.values(), ...gateway.payouts.values()]) callbacks.adopt(subject);
  journal.rewrite();
  const reset = (): void => {
    gateway.reset();
    callbacks.forget();
    swaps.clear();
    faults.set(noFaults);
  };
  const payUrl = (trackId: string): string => `${publicUrlOf()}/pay/${trackId}`;
  return {
    faults,
    journal,
    callbacks,
    gateway,
    time,
    reset,
    flush: () => journal.flush(),
    endpoints: endpoints(gateway, swaps, payUrl),
  };
}

/** The secret of a callback: the key that made the payment where it is still configured, else the first of its kind. */
function keyFor(options: SandboxOptions): (signer: 'merchant' | 'payout', keyId: string) => string {
  return (signer, keyId) => {
    const keys = signer === 'merchant' ? options.merchantKeys : options.payoutKeys;
    return keys.find((key) => keyDigest(key) === keyId) ?? keys[0] ?? '';
  };
}

/** Every body is taken as text, whatever its type: clients that forget the header work, and amounts keep their digits. */
function readBodiesAsText(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
}

function answerFailures(app: FastifyInstance, options: SandboxOptions): void {
  app.setNotFoundHandler((_request, reply) => {
    const { status, body } = refused(unknownObject('', 'The requested endpoint was not found.'));
    return reply.code(status).type('application/json; charset=utf-8').send(printJson(body));
  });
  app.setErrorHandler((error, _request, reply) => {
    const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
    const known = status >= 400 && status < 500;
    if (!known) options.log?.(`the sandbox gateway failed: ${messageOf(error)}`);
    const text = known && error instanceof Error ? error.message : 'Internal error.';
    const fault = new WireFault(known ? status : 500, known ? 'request' : 'server', '', text);
    return reply
      .code(fault.status)
      .type('application/json; charset=utf-8')
      .send(printJson(refused(fault).body));
  });
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : 'unknown');
function portOf(app: FastifyInstance): number {
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new Error('the sandbox gateway does not listen on a port');
  return address.port;
}

const publicUrl = (options: SandboxOptions, app: FastifyInstance): string =>
  (options.publicUrl ?? `http://localhost:${portOf(app)}`).replace(/\/+$/, '');

function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

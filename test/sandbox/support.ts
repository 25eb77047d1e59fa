import { createHmac } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { SystemClock } from '../../src/platform/clock.js';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/sandbox.module.js';

export const merchantKey = 'SANDBX-MRCHNT-000000-000001';
export const payoutKey = 'SANDBX-PAYOUT-000000-000001';

/** An answer as the tests read it; the shapes are the gateway's. */
type Json = any;

export interface Reply {
  status: number;
  text: string;
  json: Json;
}

/** A merchant's server that keeps what arrives and answers as told. */
export class Receiver {
  readonly calls: { body: Buffer; headers: http.IncomingHttpHeaders; path: string }[] = [];
  answer: (call: number) => { status: number; body: string } = () => ({ status: 200, body: 'ok' });
  private readonly server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      this.calls.push({ body: Buffer.concat(chunks), headers: request.headers, path: request.url ?? '' });
      const { status, body } = this.answer(this.calls.length);
      response.writeHead(status, { 'content-type': 'text/plain' }).end(body);
    });
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/callback`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  get bodies(): Json[] {
    return this.calls.map((call) => JSON.parse(call.body.toString('utf8')));
  }

  get statuses(): string[] {
    return this.bodies.map((body) => body.status);
  }
}

/** A running sandbox gateway with its clock, its receiver and the means to talk to it. */
export class World {
  readonly receiver = new Receiver();
  callbackUrl = '';
  advanced: number[] = [];
  private sandbox: Sandbox | undefined;

  constructor(
    readonly clock = new SystemClock(),
    private readonly options: Partial<SandboxOptions> = {},
  ) {}

  async start(): Promise<this> {
    this.callbackUrl = await this.receiver.start();
    this.sandbox = await startSandbox({
      port: 0,
      host: '127.0.0.1',
      clock: this.clock,
      merchantKeys: [merchantKey],
      payoutKeys: [payoutKey],
      onClockAdvanced: (seconds) => Promise.resolve(void this.advanced.push(seconds)),
      ...this.options,
    });
    return this;
  }

  async stop(): Promise<void> {
    await this.sandbox?.close();
    await this.receiver.stop();
  }

  get url(): string {
    return this.sandbox?.url ?? '';
  }

  async ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
    const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      redirect: 'manual',
      ...(text !== undefined && { body: text }),
    });
    const read = await answer.text();
    return { status: answer.status, text: read, json: parsed(read) };
  }

  merchant(method: string, path: string, body?: unknown): Promise<Reply> {
    return this.ask(method, `/v1${path}`, body, { merchant_api_key: merchantKey });
  }

  payout(method: string, path: string, body?: unknown): Promise<Reply> {
    return this.ask(method, `/v1${path}`, body, { payout_api_key: payoutKey });
  }

  control(path: string, body?: unknown, method = 'POST'): Promise<Reply> {
    return this.ask(method, `/_sandbox${path}`, body);
  }

  /** Opens an invoice over 49.90 USD, unless told otherwise, and gives its track id. */
  async invoice(fields: object = {}): Promise<string> {
    const { json } = await this.merchant('POST', '/payment/invoice', {
      amount: 49.9,
      currency: 'USD',
      callback_url: this.callbackUrl,
      ...fields,
    });
    return json.data.track_id;
  }

  async information(trackId: string): Promise<Json> {
    return (await this.merchant('GET', `/payment/${trackId}`)).json.data;
  }

  async view(trackId: string): Promise<Json> {
    return (await this.control(`/payments/${trackId}`, undefined, 'GET')).json;
  }

  advance(seconds: number): Promise<Reply> {
    return this.control('/clock/advance', { seconds });
  }

  play(name: string, trackId: string, more: object = {}): Promise<Reply> {
    return this.control(`/scenarios/${name}`, { trackId, ...more });
  }
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const hmac = (body: Buffer, key: string): string => createHmac('sha512', key).update(body).digest('hex');

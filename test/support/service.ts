import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Logger } from '@nestjs/common';
import { createService, type Service } from '../../src/app.module.js';
import { sign } from '../../src/gateway/signature.js';
import { SystemClock } from '../../src/platform/clock.js';
import { readConfig, type Config } from '../../src/platform/config.js';
import { Jobs } from '../../src/platform/jobs/jobs.pg.js';
import { createLog, NestLog, secretsOf } from '../../src/platform/logger.module.js';
import { Secrets } from '../../src/platform/secrets.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.module.js';
import { testDatabase, type TestDatabase } from './database.js';

export const apiKey = 'test-api-key-that-is-long-enough-0123456789';
export const merchantKey = 'TESTKE-YMERCH-ANTAAA-000001';
export const payoutKey = 'TESTKE-YPAYOU-TAAAAA-000001';
/** For services that are to sign receipts and make checkpoints; without it they do not. */
export const checkpointKey = Buffer.from('a seed of thirty-two bytes, made').toString('base64');

/** An answer of the API, read. */
export interface Answer {
  status: number;
  headers: Headers;
  // The tests look into answers of every shape; a wrong path fails the assertion that reads it.
  body: any;
}

export interface TestService {
  url: string;
  sandboxUrl: string;
  service: Service;
  sandbox: Sandbox | null;
  database: TestDatabase;
  clock: SystemClock;
  config: Config;
  /** Every line that was logged so far. */
  logged: string[];
  /** Calls the API with the key of the application `default` unless headers say otherwise. */
  api(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Calls a control route of the sandbox gateway. */
  control(path: string, body?: unknown, method?: string): Promise<Answer>;
  /** Sends a callback with a good signature (or the header given) and answers what came back. */
  callback(
    body: string | Buffer,
    options?: { key?: string; headers?: Record<string, string> },
  ): Promise<{ status: number; text: string; type: string }>;
  close(): Promise<void>;
}

export interface TestServiceOptions {
  /** Environment variables over the defaults of a test. */
  env?: Record<string, string>;
  /** False: no sandbox gateway is started; the gateway's address leads to `gatewayUrl`, or nowhere. */
  sandbox?: boolean;
  gatewayPort?: number;
  /** An existing database to share, for a second replica. */
  database?: TestDatabase;
  clock?: SystemClock;
}

/** A port that is free now. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => {
        resolve(port);
      });
    });
  });

/** The whole service in this process, on a database of its own, with the sandbox gateway beside it. */
export async function startTestService(options: TestServiceOptions = {}): Promise<TestService> {
  const database = options.database ?? (await testDatabase());
  const port = await freePort();
  const sandboxPort = options.gatewayPort ?? (await freePort());
  const config = readConfig({
    PORT: String(port),
    PUBLIC_URL: `http://127.0.0.1:${String(port)}`,
    SANDBOX_PORT: String(sandboxPort),
    API_KEY: apiKey,
    OXAPAY_MERCHANT_API_KEY: merchantKey,
    OXAPAY_PAYOUT_API_KEY: payoutKey,
    OPS_PASSWORD: 'test-ops-password',
    RATE_LIMIT_PER_MINUTE: '1000000',
    GATEWAY_REQUESTS_PER_SECOND: '1000',
    ...options.env,
  });
  const logged: string[] = [];
  const secrets = new Secrets();
  secrets.learn(secretsOf(config, database.url));
  const log = createLog('trace', secrets, {
    write: (line) => {
      logged.push(line);
    },
  });
  Logger.overrideLogger(new NestLog(log));
  const clock = options.clock ?? new SystemClock();
  const jobs = new Jobs({ url: database.url, concurrency: 1 });
  await jobs.migrate();
  await jobs.stop();
  const service = await createService({ config, databaseUrl: database.url, clock, log, http: true });
  const sandbox =
    options.sandbox === false
      ? null
      : await startSandbox({
          port: sandboxPort,
          host: '127.0.0.1',
          clock,
          merchantKeys: config.merchantKeys,
          payoutKeys: config.payoutKeys,
          merchantPage: (orderId) => `${config.publicUrl}/?payment=${orderId}`,
          onClockAdvanced: (seconds) => service.clockAdvanced(seconds),
        });
  await service.listen();
  const url = config.publicUrl;
  const sandboxUrl = `http://127.0.0.1:${String(sandboxPort)}`;
  return {
    url,
    sandboxUrl,
    service,
    sandbox,
    database,
    clock,
    config,
    logged,
    api: (method, path, body, headers = {}) =>
      call(url + path, method, body, { authorization: `Bearer ${apiKey}`, ...headers }),
    control: (path, body, method = body === undefined ? 'GET' : 'POST') => call(sandboxUrl + path, method, body, {}),
    callback: async (body, { key = merchantKey, headers = {} } = {}) => {
      const answer = await fetch(`${url}/v1/callbacks/oxapay/default`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', hmac: sign(body, key), ...headers },
        body: typeof body === 'string' ? body : new Uint8Array(body),
      });
      return { status: answer.status, text: await answer.text(), type: answer.headers.get('content-type') ?? '' };
    },
    close: async () => {
      await service.close();
      await sandbox?.close();
      if (!options.database) await database.drop();
    },
  };
}

async function call(url: string, method: string, body: unknown, headers: Record<string, string>): Promise<Answer> {
  const sent = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  const answer = await fetch(url, { method, headers: { ...type, ...headers }, ...sent });
  const text = await answer.text();
  const json = /json/.test(answer.headers.get('content-type') ?? '') && text !== '';
  return { status: answer.status, headers: answer.headers, body: json ? JSON.parse(text) : text };
}

/** Waits until `look` gives something other than null, undefined or false. */
export async function until<T>(look: () => Promise<T | null | undefined | false>, withinMs = 5000): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`nothing came within ${String(withinMs)} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { sign } from '../../src/gateway/signature.js';
import { apiKey, freePort, merchantKey, payoutKey, until } from '../support/service.js';
import { head } from './support.js';

/** The service as a process of its own, as it runs in production: it can be killed. */
export interface ServiceProcess {
  port: number;
  child: ChildProcess;
  output(): string;
  /** Resolves with the exit code, or the signal that ended it. */
  ended: Promise<number | string | null>;
  api(method: string, path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }>;
}

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Starts it against a gateway's address and a database; resolves when it answers. */
export async function startServiceProcess(databaseUrl: string, gatewayPort: number): Promise<ServiceProcess> {
  const port = await freePort();
  const url = `http://127.0.0.1:${String(port)}`;
  const child = spawn(process.execPath, [main], {
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      PUBLIC_URL: 'https://pay.example',
      DATABASE_URL: databaseUrl,
      GATEWAY: 'oxapay',
      OXAPAY_BASE_URL: `http://127.0.0.1:${String(gatewayPort)}/v1`,
      OXAPAY_MERCHANT_API_KEY: merchantKey,
      OXAPAY_PAYOUT_API_KEY: payoutKey,
      API_KEY: apiKey,
      OPS_PASSWORD: 'test-ops-password',
    } as unknown as NodeJS.ProcessEnv,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part: Buffer) => {
      output += part.toString();
    });
  const ended = new Promise<number | string | null>((resolve) =>
    child.once('exit', (code, signal) => {
      resolve(code ?? signal);
    }),
  );
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`the service ended: ${output}`);
    return (await fetch(`${url}/health/ready`).catch(() => null))?.status === 200;
  }, 15_000);
  return {
    port,
    child,
    ended,
    output: () => output,
    api: async (method, path, body) => {
      const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
      const answer = await fetch(url + path, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    },
  };
}

/** The bytes of a whole callback's request, signed. */
export const request = (body: string): string =>
  head({ HMAC: sign(body, merchantKey), 'Content-Length': String(body.length) }) + body;

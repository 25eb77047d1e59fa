import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { sign } from '../../src/gateway/signature.js';
import { Receiver } from '../fulfillment/support.js';
import { Collector } from '../support/collector.js';
import { asAdmin, testDatabase, type TestDatabase } from '../support/database.js';
import { injections } from '../support/injections.js';
import { freePort, until } from '../support/service.js';

const canary = (name: string): string => `CANARY-${name}-${'c4n4ry'.repeat(4)}`;
const keys = {
  API_KEY: canary('API'),
  OPS_PASSWORD: canary('OPS'),
  OXAPAY_MERCHANT_API_KEY: canary('MERCHANT'),
  OXAPAY_PAYOUT_API_KEY: canary('PAYOUT'),
};
const databasePassword = 'CANARY-DATABASE-c4n4ry';
const email = 'canary.payer@canary-mail.example';
const payerAddress = 'TH4uxpapg6o3kcCEMtb2iQGNiRq29BtgNH';

interface Started {
  child: ChildProcess;
  port: number;
  sandboxPort: number;
  output: () => string;
  ended: Promise<unknown>;
}

/** What a sandbox prints for the person who started it, keys included: all of it and nothing else. */
const bannerText = /\n {2}Finality is ready[\s\S]*?"currency":"USD"}'\n\n/;

describe('Secrets', () => {
  let database: TestDatabase;
  let databaseUrl: string;
  let receiver: Receiver;
  let collector: Collector;
  const running: Started[] = [];
  const said: { where: string; text: string }[] = [];

  beforeAll(async () => {
    database = await testDatabase();
    const role = `canary_${String(process.pid)}`;
    await asAdmin(`drop role if exists ${role}`);
    await asAdmin(`create role ${role} login superuser password '${databasePassword}'`);
    const url = new URL(database.url);
    url.username = role;
    url.password = databasePassword;
    databaseUrl = url.href;
    receiver = await new Receiver().open();
    collector = await new Collector().open();
  });
  afterEach(() => {
    for (const { child } of running) child.kill('SIGKILL');
  });
  afterAll(async () => {
    await Promise.all(running.map(({ ended }) => ended));
    await receiver.close();
    await collector.close();
    await database.drop();
    await asAdmin(`drop role if exists canary_${String(process.pid)}`);
  });

  const environment = (extra: Record<string, string>): NodeJS.ProcessEnv =>
    ({
      PATH: process.env['PATH'],
      DATABASE_URL: databaseUrl,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: '100',
      ...keys,
      ...extra,
    }) as unknown as NodeJS.ProcessEnv;

  const start = async (extra: Record<string, string>): Promise<Started> => {
    const [port, sandboxPort] = [await freePort(), await freePort()];
    const env = environment({ PORT: String(port), SANDBOX_PORT: String(sandboxPort), ...extra });
    const child = spawn(process.execPath, ['dist/main.js'], { env });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (part: Buffer) => {
        output += part.toString();
      });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const started = { child, port, sandboxPort, output: () => output, ended };
    running.push(started);
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`the service ended: ${output}`);
      return (await fetch(`http://127.0.0.1:${String(port)}/health/ready`).catch(() => null))?.status === 200;
    }, 20_000);
    return started;
  };

  const ask = async (
    where: string,
    url: string,
    method = 'GET',
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: Record<string, unknown> }> => {
    const answer = await fetch(url, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    // What goes well tells an application its own customers' data.
    if (answer.status >= 400 || where === 'metrics')
      said.push({
        where: `${where}: ${method} ${String(answer.status)}`,
        text: `${text}${JSON.stringify([...answer.headers])}`,
      });
    return { status: answer.status, body: (text.startsWith('{') ? JSON.parse(text) : {}) as Record<string, unknown> };
  };

  /** Everything that a day brings, good and bad. Returns what became secret meanwhile. */
  const live = async ({ port, sandboxPort }: Started, thorough: boolean): Promise<string[]> => {
    const base = `http://127.0.0.1:${String(port)}`;
    const gateway = `http://127.0.0.1:${String(sandboxPort)}`;
    const auth = { authorization: `Bearer ${keys.API_KEY}` };
    const order = (orderId: string): object => ({ orderId, amount: '50.00', currency: 'USD', email });
    const act = (url: string, method: string, body: unknown): Promise<Response> =>
      fetch(url, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const faults = (api: object): Promise<unknown> =>
      act(`${gateway}/_sandbox/faults`, 'PUT', { seed: 7, callbacks: {}, api });
    const callback = (text: string, key = keys.OXAPAY_MERCHANT_API_KEY): Promise<unknown> =>
      ask('callback', `${base}/v1/callbacks/oxapay/default`, 'POST', text, { hmac: sign(text, key) });

    const endpoint = await fetch(`${base}/v1/webhook-endpoints`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...auth },
      body: JSON.stringify({ url: `${receiver.url}?token=${canary('HOOK')}` }),
    });
    const { secret } = (await endpoint.json()) as { secret: string };
    receiver.answer = (response) => response.writeHead(500).end(`no ${canary('HOOK')}`);

    const created = await fetch(`${base}/v1/payments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...auth },
      body: JSON.stringify(order(`canary-${String(port)}`)),
    });
    const payment = (await created.json()) as { id: string; trackId: string; statusUrl: string };
    const token = new URL(payment.statusUrl).pathname.split('/').at(-1) ?? '';
    await act(`${gateway}/_sandbox/scenarios/underpaid`, 'POST', { trackId: payment.trackId });

    // Wrong keys, keys in wrong places, and bodies that are none.
    await ask('wrong key', `${base}/v1/payments`, 'GET', undefined, { authorization: `Bearer ${keys.OPS_PASSWORD}` });
    await ask('key in URL', `${base}/v1/payments?api_key=${keys.API_KEY}`);
    await ask('key in path', `${base}/v1/payments/${keys.API_KEY}`, 'GET', undefined, auth);
    await ask('unreadable', `${base}/v1/payments`, 'POST', `{"apiKey":"${keys.API_KEY}"`, auth);
    await ask('unknown field', `${base}/v1/payments`, 'POST', { ...order('x'), password: 1 }, auth);
    await ask('status page', `${base}/pay/${token}x`);
    await ask('missing', `${base}/nothing?token=${token}`);
    await ask('metrics', `${base}/metrics`, 'GET', undefined, { authorization: `Bearer ${keys.OPS_PASSWORD}` });
    await ask('metrics', `${base}/metrics`);

    // Callbacks with forged lines in them: signed ones are kept, the others refused.
    for (const text of injections.filter((each) => each.length < 10_000).slice(0, thorough ? 99 : 16)) {
      await callback(JSON.stringify({ track_id: payment.trackId, status: text, type: 'invoice', email, note: text }));
      await callback(text);
    }
    await callback(
      JSON.stringify({ track_id: '1', status: 'Paid', type: 'invoice', address: payerAddress }),
      keys.API_KEY,
    );
    await callback(`{"track_id":"${'9'.repeat(60_000)}"}`);

    // A gateway that fails, breaks off, and repeats what it was sent.
    const broken = [{ malformedRate: 1 }, { errorRate: 1, status: 500 }, { errorRate: 1, status: 401 }];
    for (const api of thorough ? broken : broken.slice(0, 1)) {
      await faults(api);
      const held = `held-${String(port)}-${String(JSON.stringify(api).length)}`;
      await fetch(`${base}/v1/payments`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...auth },
        body: JSON.stringify(order(held)),
      });
      await ask('reconcile', `${base}/v1/payments/${payment.id}/reconcile`, 'POST', {}, auth);
    }
    await faults({});
    // The database goes away in the middle of it.
    const asking = Array.from({ length: 20 }, () =>
      ask('during the loss', `${base}/v1/payments?limit=2`, 'GET', undefined, {
        ...auth,
      }),
    );
    await database.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
         and usename like 'canary%'`,
    );
    await Promise.all(asking);
    await until(async () => (await fetch(`${base}/health/ready`)).status === 200);
    await until(() => Promise.resolve(receiver.requests.length > 1));
    return [secret, token, canary('HOOK')];
  };

  const searched = (text: string, secrets: readonly string[]): string[] =>
    [...secrets].filter((secret) => text.includes(secret));

  const all = [...Object.values(keys), databasePassword, email, payerAddress];

  it.each(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])(
    'BI8, O23, BI16: stand in nothing that is said at the level %s, and every line is JSON',
    async (level) => {
      const service = await start({ LOG_LEVEL: level });
      const made = await live(service, level === 'trace');
      service.child.kill('SIGTERM');
      await service.ended;
      const lines = service.output().replace(bannerText, '').split('\n').slice(0, -1);
      for (const line of lines) {
        const { time, level: at, msg } = JSON.parse(line) as Record<string, unknown>;
        expect([typeof time, typeof at, typeof msg]).toEqual(['string', 'string', 'string']);
        expect(searched(line, [...all, ...made])).toEqual([]);
      }
      expect(level === 'fatal' || level === 'error' || lines.length > 10).toBe(true);
      const traces = collector.bodies.join('\n');
      expect(collector.spans.length).toBeGreaterThan(50);
      expect(searched(traces, [...all, ...made])).toEqual([]);
      for (const { where, text } of said) expect([where, ...searched(text, [...all, ...made])]).toEqual([where]);
    },
    60_000,
  );

  it('BI8, BI16: stand in nothing of a start for real, whose gateway repeats what it is sent', async () => {
    const answers = [
      (sent: string) => ({
        status: 400,
        body: JSON.stringify({ status: 400, message: sent, error: { message: sent } }),
      }),
      (sent: string) => ({ status: 502, body: `<html>${sent}</html>` }),
      (sent: string) => ({ status: 200, body: `<html>${sent}</html>` }),
      (sent: string) => ({ status: 401, body: JSON.stringify({ status: 401, message: sent }) }),
    ];
    let at = 0;
    const echo = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const answer = answers[at++ % answers.length]?.(
          `${JSON.stringify(request.headers)}${Buffer.concat(chunks).toString()}`,
        );
        response.writeHead(answer?.status ?? 500).end(answer?.body);
      });
    });
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
    const service = await start({
      LOG_LEVEL: 'trace',
      GATEWAY: 'oxapay',
      PUBLIC_URL: 'https://pay.example',
      OXAPAY_BASE_URL: `http://127.0.0.1:${String((echo.address() as AddressInfo).port)}/v1`,
    });
    const headers = { authorization: `Bearer ${keys.API_KEY}` };
    for (const orderId of ['for-real-1', 'for-real-2', 'for-real-3', 'for-real-4'])
      await ask(
        'create',
        `http://127.0.0.1:${String(service.port)}/v1/payments`,
        'POST',
        { orderId, amount: '5.00', currency: 'USD', email },
        headers,
      );
    expect(at).toBeGreaterThanOrEqual(4);
    service.child.kill('SIGTERM');
    await service.ended;
    echo.closeAllConnections();
    await new Promise((resolve) => echo.close(resolve));
    const lines = service.output().split('\n').slice(0, -1);
    for (const line of lines) expect(typeof (JSON.parse(line) as { msg: unknown }).msg).toBe('string');
    expect(lines.filter((line) => line.includes('the service is ready'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('OxaPay')).length).toBeGreaterThan(1);
    expect(searched(`${service.output()}${collector.bodies.join()}`, all)).toEqual([]);
    for (const { where, text } of said) expect([where, ...searched(text, all)]).toEqual([where]);
  }, 60_000);

  it('BI8: stand in nothing that the command line prints, nor in the reason of a start that fails', async () => {
    const run = (file: string, args: string[], env: Record<string, string> = {}): Promise<string> =>
      new Promise((resolve) => {
        const options = { env: environment({ SANDBOX_PORT: '1', ...env }), timeout: 20_000 };
        execFile(process.execPath, [file, ...args], options, (_error, out, err) => {
          resolve(out + err);
        });
      });
    const { rows } = await database.pool.query<{ id: string }>(
      `select stream_id as id from event where type = 'PaymentRequested' limit 1`,
    );
    const id = rows[0]?.id ?? '';
    const secrets = [...Object.values(keys), databasePassword];
    for (const args of [
      ['doctor', '--json'],
      ['doctor'],
      ['timeline', id],
      ['timeline', id, '--json'],
      ['webhooks', 'list', '--json'],
    ]) {
      const output = await run('dist/cli.js', args);
      expect(output).not.toBe('');
      expect([args, ...searched(output, secrets)]).toEqual([args]);
    }
    const elsewhere = new URL(databaseUrl);
    elsewhere.username = 'nobody_of_this_name';
    const reason = await run('dist/main.js', [], { DATABASE_URL: elsewhere.href, PORT: '0', SANDBOX_PORT: '0' });
    expect(reason).toContain('Finality cannot start: ');
    expect(searched(reason, secrets)).toEqual([]);
  }, 60_000);
});

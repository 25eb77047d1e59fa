import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SystemClock } from '../../src/platform/clock.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.module.js';
import { failingDatabase } from '../callbacks/failing-database.js';
import { startGatewayDouble, type GatewayDouble } from '../callbacks/gateway-double.js';
import { acknowledged, answerFor, kept, said, story } from '../callbacks/support.js';
import { testDatabase, type TestDatabase } from '../support/database.js';
import { remove, temporaryDirectory } from '../support/embedded-postgres.js';
import {
  apiKey,
  freePort,
  merchantKey,
  payoutKey,
  startTestService,
  until,
  type TestService,
} from '../support/service.js';

/** The service as a process of its own, against a gateway and a database that outlive it. */
interface Process {
  port: number;
  child: ChildProcess;
  output(): string;
  /** The exit code, or the signal that ended it. */
  ended: Promise<number | string | null>;
}

const misbehave = fileURLToPath(new URL('misbehave.mjs', import.meta.url));

let database: TestDatabase;
let gateway: GatewayDouble;
let dataDir: string;
const started: Process[] = [];

beforeAll(async () => {
  [database, gateway, dataDir] = await Promise.all([testDatabase(), startGatewayDouble(), temporaryDirectory()]);
});
afterEach(async () => {
  for (const { child, ended } of started.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
});
afterAll(async () => {
  await Promise.all([gateway.close(), database.drop(), remove(dataDir)]);
});

const launch = async (env: Record<string, string> = {}, flags: string[] = []): Promise<Process> => {
  const port = await freePort();
  const child = spawn(process.execPath, [...flags, 'dist/main.js'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: String(port),
      PUBLIC_URL: 'https://pay.example',
      DATABASE_URL: database.url,
      DATA_DIR: dataDir,
      GATEWAY: 'oxapay',
      OXAPAY_BASE_URL: `http://127.0.0.1:${gateway.port}/v1`,
      OXAPAY_MERCHANT_API_KEY: merchantKey,
      OXAPAY_PAYOUT_API_KEY: payoutKey,
      API_KEY: apiKey,
      OPS_PASSWORD: 'test-ops-password',
      ...env,
    } as unknown as NodeJS.ProcessEnv,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (output += part.toString()));
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string | null);
  const process_ = { port, child, output: () => output, ended };
  started.push(process_);
  return process_;
};

const health = async (port: number, which: 'live' | 'ready', withinMs = 2000): Promise<number | null> =>
  fetch(`http://127.0.0.1:${port}/health/${which}`, { signal: AbortSignal.timeout(withinMs) }).then(
    ({ status }) => status,
    () => null,
  );
const isReady = (process: Process, withinMs = 15_000): Promise<unknown> =>
  until(async () => (await health(process.port, 'ready')) === 200, withinMs);
const start = async (env: Record<string, string> = {}, flags: string[] = []): Promise<Process> => {
  const process = await launch(env, flags);
  await isReady(process);
  return process;
};

let orders = 0;
interface Outcome {
  status: number;
  body: { id: string; trackId: string };
}
/** What came of one create on a connection of its own: an answer, `refused` where nobody listened, else `lost`. */
const create = (port: number, orderId = `process-${++orders}`): Promise<Outcome | 'refused' | 'lost'> =>
  new Promise((resolve) => {
    const sent = httpRequest(
      {
        host: '127.0.0.1',
        port,
        method: 'POST',
        path: '/v1/payments',
        headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
        agent: false,
      },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', () => resolve('lost'));
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, body: JSON.parse(Buffer.concat(parts).toString()) }),
        );
      },
    );
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED' ? 'refused' : 'lost'));
    sent.end(JSON.stringify({ orderId, amount: '10.50', currency: 'USD' }));
  });

const orderOf = async (orderId: string): Promise<unknown[]> =>
  (
    await database.pool.query(`select 1 from event where type = 'PaymentRequested' and data->>'orderId' = $1`, [
      orderId,
    ])
  ).rows;

const gaps = async (): Promise<unknown[]> =>
  (
    await database.pool.query(
      'select stream_id from event group by stream_id having min(version) <> 1 or max(version) <> count(*)',
    )
  ).rows;

/** A way to the gateway on which the first question about a payment waits until the test answers it. */
const startHoldingGateway = async (): Promise<{ port: number; held: Promise<() => void>; close: () => void }> => {
  let tell: (answer: () => void) => void = () => undefined;
  const held = new Promise<() => void>((resolve) => (tell = resolve));
  let asked = 0;
  const server: Server = createServer((request, response) => {
    const onward = (): void => {
      const { method, url: path, headers } = request;
      const sent = httpRequest({ host: '127.0.0.1', port: gateway.port, method, path, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(response);
      });
      request.pipe(sent);
    };
    if (/^\/v1\/payment\/\d+$/.test(request.url ?? '') && ++asked === 1) tell(onward);
    else onward();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    held,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
};

describe('Two replicas', () => {
  it('P02: with one claim each about one payment, at once: both are kept, one decides first, and the other reloads', async () => {
    const shop = await startTestService();
    const other = await startTestService({ database: shop.database, sandbox: false });
    try {
      for (let round = 0; round < 10; round++) {
        const { body: payment } = await shop.api('POST', '/v1/payments', {
          orderId: `two-${round}`,
          amount: '10.50',
          currency: 'USD',
        });
        const [paying, paid] = [said(payment, { status: 'Paying', txs: [] }), said(payment)];
        expect(await Promise.all([shop.callback(paying), other.callback(paid)])).toEqual([acknowledged, acknowledged]);
        for (const body of [paying, paid])
          expect(await kept(shop.database.pool, body)).toEqual([{ status: 'applied', reason: null, receipts: 1 }]);
        const facts = await story(shop.database.pool, payment.id);
        expect(facts.filter((fact) => fact === 'PaymentPaid')).toEqual(['PaymentPaid']);
      }
      const { rows } = await shop.database.pool.query(
        'select stream_id from event group by stream_id having max(version) <> count(*)',
      );
      expect(rows).toEqual([]);
    } finally {
      await other.close();
      await shop.close();
    }
  }, 30_000);
});

describe('A process', () => {
  it('P03: told to stop under load loses no request behind a proxy, and ends within ten seconds', async () => {
    const [leaving, staying] = [await start(), await start()];
    const answers: (Outcome | 'refused' | 'lost')[] = [];
    let told = 0;
    let done = false;
    const refusals: unknown[] = [];
    const begun: unknown[] = [];
    // As a proxy does: where nobody listens any more, or the process says that it is stopping, the next one is asked.
    const work = async (): Promise<void> => {
      while (!done) {
        const orderId = `proxied-${++orders}`;
        const first = await create(leaving.port, orderId);
        const stopping = typeof first !== 'string' && first.status === 503;
        if (stopping) refusals.push(first.body);
        // Its connection stood in the queue of a socket that was closed: nothing may have been done for it.
        if (first === 'lost') begun.push(...(await orderOf(orderId)));
        answers.push(typeof first === 'string' || stopping ? await create(staying.port, orderId) : first);
      }
    };
    const workers = Array.from({ length: 8 }, work);
    await until(async () => answers.length > 60, 20_000);
    told = performance.now();
    leaving.child.kill('SIGTERM');
    expect(await leaving.ended).toBe(0);
    expect(performance.now() - told).toBeLessThan(10_000);
    const before = answers.length;
    await until(async () => answers.length > before + 60, 20_000);
    done = true;
    await Promise.all(workers);
    expect(answers.filter((answer) => typeof answer === 'string' || answer.status !== 201)).toEqual([]);
    expect(begun).toEqual([]);
    for (const refusal of refusals) expect(refusal).toMatchObject({ type: 'urn:finality:problem:service-unavailable' });
    const ids = answers.map((answer) => (typeof answer === 'string' ? '' : answer.body.id));
    const { rows } = await database.pool.query(
      `select 1 from event where type = 'InvoiceOpened' and stream_id = any($1)`,
      [ids],
    );
    expect(rows).toHaveLength(ids.length);
  }, 60_000);

  it('P04: whose event loop stands still is not ready, and goes on unharmed afterwards', async () => {
    const service = await start({ MISBEHAVE: 'block' }, ['--import', misbehave]);
    service.child.kill('SIGUSR2');
    const began = performance.now();
    await until(async () => (await health(service.port, 'ready', 500)) === null);
    const asked = create(service.port);
    expect(await health(service.port, 'live', 500)).toBeNull();
    await isReady(service);
    expect(performance.now() - began).toBeGreaterThan(4000);
    expect(await asked).toMatchObject({ status: 201 });
    expect(service.child.exitCode).toBeNull();
  }, 30_000);

  it('P04: that was still for longer than its lease finds its look done by another, and changes nothing any more', async () => {
    const way = await startHoldingGateway();
    const still = await startTestService({ sandbox: false, gatewayPort: way.port });
    let other: TestService | null = null;
    try {
      const { body: payment } = await still.api('POST', '/v1/payments', {
        orderId: 'still',
        amount: '10.50',
        currency: 'USD',
      });
      gateway.knows(payment.trackId, answerFor(payment));
      expect(await still.callback(said(payment))).toEqual(acknowledged);
      // Its look waits for an answer; by the other's clock, its lease has ended.
      const answer = await way.held;
      const { database: shared } = still;
      other = await startTestService({
        sandbox: false,
        gatewayPort: way.port,
        database: shared,
        clock: new SystemClock(60_000),
      });
      await until(async () => (await story(shared.pool, payment.id)).includes('PaymentCorroborated'), 10_000);
      const looks = async (): Promise<unknown[]> =>
        (await shared.pool.query('select stream_id, due_at::text from look where stream_id = $1', [payment.id])).rows;
      await other.close();
      other = null;
      const [facts, planned] = [await story(shared.pool, payment.id), await looks()];
      answer();
      await still.service.close();
      expect(await story(shared.pool, payment.id)).toEqual(facts);
      expect(await looks()).toEqual(planned);
    } finally {
      await other?.close();
      await still.close();
      way.close();
    }
  }, 30_000);

  it('P05: that runs out of memory ends, and the next one finds nothing half-written', async () => {
    const service = await start({ MISBEHAVE: 'hoard' }, ['--max-old-space-size=96', '--import', misbehave]);
    const answers: (Outcome | 'refused' | 'lost')[] = [];
    const asked = new Set<string>();
    const work = async (): Promise<void> => {
      while (service.child.exitCode === null && service.child.signalCode === null) {
        const orderId = `hoard-${asked.size}`;
        asked.add(orderId);
        answers.push(await create(service.port, orderId));
      }
    };
    const workers = Array.from({ length: 4 }, work);
    await until(async () => answers.length > 10);
    service.child.kill('SIGUSR2');
    expect(['SIGABRT', 134]).toContain(await service.ended);
    await Promise.all(workers);
    expect(service.output()).toContain('heap out of memory');
    expect(await gaps()).toEqual([]);

    const heir = await start();
    for (const orderId of asked)
      expect(await create(heir.port, orderId)).toMatchObject({ body: { id: expect.any(String) } });
    const opened = answers.filter((answer) => typeof answer !== 'string' && answer.status === 201) as Outcome[];
    const { rows } = await database.pool.query(
      `select stream_id from event where type = 'PaymentRequested' and data->>'orderId' like 'hoard-%'`,
    );
    expect(rows).toHaveLength(asked.size);
    const ids = rows.map((row: { stream_id: string }) => row.stream_id);
    for (const { body } of opened) expect(ids).toContain(body.id);
    expect(await gaps()).toEqual([]);
  }, 60_000);

  it.each([
    ['reject', 'unhandledRejection', 'nobody waits for this'],
    ['throw', 'uncaughtException', 'nobody catches this'],
  ])(
    'P06: in which something fails that nobody foresaw (%s) says so and ends within a second',
    async (deed, event, why) => {
      const service = await start({ MISBEHAVE: deed }, ['--import', misbehave]);
      const began = performance.now();
      service.child.kill('SIGUSR2');
      expect(await service.ended).toBe(1);
      expect(performance.now() - began).toBeLessThan(1000);
      const line = service
        .output()
        .split('\n')
        .find((text) => text.includes(`"msg":"${event}"`));
      expect(line).toContain('"level":"fatal"');
      expect(line).toContain(why);
      for (const secret of [merchantKey, payoutKey, apiKey]) expect(service.output()).not.toContain(secret);
    },
  );
});

describe('A process that starts', () => {
  it('P07: without its database is alive and not ready, asks for a repeat, and serves when the database comes', async () => {
    const way = await failingDatabase(database.url);
    try {
      way.set('down');
      const service = await launch({ DATABASE_URL: way.url });
      await until(async () => (await health(service.port, 'live')) === 200, 10_000);
      expect(await health(service.port, 'ready')).toBe(503);
      expect(await create(service.port)).toMatchObject({
        status: 503,
        body: { type: 'urn:finality:problem:service-unavailable' },
      });
      const callback = await fetch(`http://127.0.0.1:${service.port}/v1/callbacks/oxapay/default`, {
        method: 'POST',
        body: '{}',
      });
      expect([callback.status, callback.headers.get('retry-after')]).toEqual([503, '30']);
      way.set('up');
      await isReady(service);
      expect(await create(service.port)).toMatchObject({ status: 201 });
      expect(service.output()).toContain('the database cannot be reached; it is tried again');
      expect(service.output()).not.toContain(new URL(database.url).password);

      way.set('down');
      const waiting = await launch({ DATABASE_URL: way.url });
      await until(async () => (await health(waiting.port, 'live')) === 200, 10_000);
      waiting.child.kill('SIGTERM');
      expect(await waiting.ended).toBe(0);
    } finally {
      for (const { child, ended } of started.splice(0)) {
        child.kill('SIGKILL');
        await ended;
      }
      await way.close();
    }
  }, 40_000);

  it('P07: without the gateway is ready, takes orders, and opens their invoices when the gateway comes', async () => {
    const gatewayPort = await freePort();
    const clock = new SystemClock();
    const shop = await startTestService({ sandbox: false, gatewayPort, clock });
    let sandbox: Sandbox | null = null;
    try {
      const ordered = await shop.api('POST', '/v1/payments', { orderId: 'early', amount: '10.50', currency: 'USD' });
      expect([ordered.status, ordered.body.status]).toEqual([202, 'created']);
      expect((await shop.api('GET', '/health/ready')).status).toBe(200);
      sandbox = await startSandbox({
        port: gatewayPort,
        host: '127.0.0.1',
        clock,
        merchantKeys: [merchantKey],
        payoutKeys: [payoutKey],
      });
      clock.advance(120);
      await shop.service.clockAdvanced(120);
      await until(
        async () => (await shop.api('GET', `/v1/payments/${ordered.body.id}`)).body.status === 'pending',
        10_000,
      );
    } finally {
      await shop.close();
      await sandbox?.close();
    }
  });

  it.each([
    ['PORT', 'eighty'],
    ['OXAPAY_MERCHANT_API_KEY', 'short'],
    ['DATABASE_URL', 'mysql://root:hunter2@db/shop'],
    ['GATEWAY', 'paypal'],
  ])('P07: with a wrong %s ends with 78 and names the variable, never its value', async (name, value) => {
    const service = await launch({ [name]: value });
    expect(await service.ended).toBe(78);
    expect(service.output()).toContain(name);
    expect(service.output()).not.toContain(value);
  });
});

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { toNextMinute } from '../ops/console-browser.js';
import { testDatabase } from '../support/database.js';
import { freePort, startTestService, until, type TestService } from '../support/service.js';
import { created, expectProblem, order, rowsOf, send } from './support.js';

const live = { GATEWAY: 'oxapay', PUBLIC_URL: 'https://pay.example' };

describe('From outside, with a real gateway configured', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService({
      sandbox: false,
      env: { ...live, OXAPAY_BASE_URL: `http://127.0.0.1:${String(await freePort())}/v1` },
    });
  });
  afterAll(() => shop.close());

  const get = (path: string, headers: Record<string, string | undefined> = { authorization: undefined }) =>
    send(`http://127.0.0.1:${String(shop.config.port)}`, { method: 'GET', path, headers });

  it('A37 shows metrics to nobody without the operators\u2019 password: as if they were not there', async () => {
    const nowhere = await get('/no-such-route');
    for (const authorization of [
      undefined,
      'Bearer wrong',
      'Bearer ',
      `Basic ${shop.config.opsPassword ?? ''}`,
      `Bearer ${shop.config.apiKey ?? ''}`,
    ]) {
      const answer = await get('/metrics', { authorization });
      expect([answer.status, answer.text]).toEqual([404, nowhere.text]);
    }
    const metrics = await get('/metrics', { authorization: `Bearer ${shop.config.opsPassword ?? ''}` });
    expect(metrics.status).toBe(200);
    expect(metrics.text).toContain('finality_callbacks_received_total');
  });

  it('A37 tells health without versions, names or addresses, and no answer says what it is made of', async () => {
    expect((await get('/health/live')).text).toBe('{"status":"ok"}');
    expect((await get('/health/ready')).body).toEqual({ status: 'ok', checks: { database: 'up' } });
    for (const path of [
      '/health/live',
      '/health/ready',
      '/v1/payments',
      '/no-such-route',
      '/pay/x',
      '/openapi.json',
      '/docs',
      '/%ff',
    ]) {
      const { headers, text } = await get(path);
      expect([headers['x-powered-by'], headers['server'], headers['via']]).toEqual([undefined, undefined, undefined]);
      if (!path.startsWith('/docs') && path !== '/openapi.json')
        expect(text).not.toMatch(/fastify|nest|node|postgres|\d+\.\d+\.\d+/i);
    }
  });

  it('has no route of the sandbox gateway and no clock', async () => {
    for (const path of ['/_sandbox/clock/advance', '/_sandbox/reset', '/_sandbox/faults', '/_sandbox/payments/1']) {
      for (const method of ['GET', 'POST', 'PUT'])
        expect((await send(`http://127.0.0.1:${String(shop.config.port)}`, { method, path })).status).toBe(404);
    }
  });

  it.each([
    'http://shop.example/hook',
    'ftp://shop.example',
    'javascript:alert(1)',
    'shop.example',
    '',
    '//shop.example',
    'https://shop.example:22/',
    'https://shop.example:8443/hook',
    'https://user:pass@shop.example/',
    'https://user@shop.example/',
    'https://localhost/',
    'https://LOCALHOST./',
    'https://127.0.0.1/',
    'https://127.1/',
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0177.0.0.1/',
    'https://0.0.0.0/',
    'https://10.0.0.1/',
    'https://172.16.5.4/',
    'https://192.168.1.1/',
    'https://100.64.0.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://[::1]/',
    'https://[::]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:7f00:1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[fd00::1]/',
    'https://[fe80::1]/',
    'https://[2002:7f00:1::]/',
    'https://224.0.0.1/',
    'https://255.255.255.255/',
    'https://metadata.google.internal/',
    'https://db.internal/',
    'https://printer.local/',
    'https://intranet/',
    'https://１２７.０.０.１/',
    'https://pay.example/v1/callbacks',
    `https://shop.example/${'x'.repeat(2049)}`,
    5,
    null,
    ['https://shop.example'],
    {},
  ])('A20 refuses the webhook address %.60j', async (url) => {
    const before = (await shop.database.pool.query('select 1 from webhook_endpoint')).rowCount;
    const answer = await send(`http://127.0.0.1:${String(shop.config.port)}`, {
      path: '/v1/webhook-endpoints',
      body: JSON.stringify({ url }),
    });
    expectProblem(answer, 'invalid_request', ['/url']);
    expect((await shop.database.pool.query('select 1 from webhook_endpoint')).rowCount).toBe(before);
  });

  it('A20 refuses events that do not exist, and a request without an address', async () => {
    const url = 'https://shop.example/hook';
    for (const events of [
      [],
      ['payment.unknown'],
      ['toString'],
      'payment.paid',
      {},
      [5],
      ['payment.paid', 'payment.paid'],
      [null],
      [['payment.paid']],
    ]) {
      const answer = await send(`http://127.0.0.1:${String(shop.config.port)}`, {
        path: '/v1/webhook-endpoints',
        body: JSON.stringify({ url, events }),
      });
      expectProblem(answer, 'invalid_request', ['/events']);
    }
    expectProblem(
      await send(`http://127.0.0.1:${String(shop.config.port)}`, { path: '/v1/webhook-endpoints', body: '{}' }),
      'invalid_request',
      ['/url'],
    );
    expectProblem(
      await send(`http://127.0.0.1:${String(shop.config.port)}`, {
        path: '/v1/webhook-endpoints',
        body: JSON.stringify({ url, secret: 'mine' }),
      }),
      'invalid_request',
      ['/secret'],
    );
  });

  it('A20 takes a public address, shows its secret this once, and forgets it when told', async () => {
    const base = `http://127.0.0.1:${String(shop.config.port)}`;
    const made = await send(base, {
      path: '/v1/webhook-endpoints',
      body: JSON.stringify({ url: 'https://shop.example/hook', events: ['payment.paid'] }),
    });
    expect([made.status, made.body.url, made.body.events]).toEqual([
      201,
      'https://shop.example/hook',
      ['payment.paid'],
    ]);
    expect(made.body.secret).toMatch(/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/);
    const list = await send(base, { method: 'GET', path: '/v1/webhook-endpoints' });
    expect(list.text).toContain(made.body.id);
    expect(list.text).not.toContain('whsec_');
    expect((await send(base, { method: 'DELETE', path: `/v1/webhook-endpoints/${String(made.body.id)}` })).status).toBe(
      204,
    );
    expectProblem(
      await send(base, { method: 'DELETE', path: `/v1/webhook-endpoints/${String(made.body.id)}` }),
      'not_found',
    );
    expect(shop.logged.filter((line) => line.includes('whsec_'))).toEqual([]);
  });

  it('A19 refuses a return address without https', async () => {
    for (const returnUrl of ['http://shop.example/', 'http://localhost/thanks']) {
      const answer = await send(`http://127.0.0.1:${String(shop.config.port)}`, {
        body: JSON.stringify(order('live', { returnUrl })),
      });
      expectProblem(answer, 'invalid_request', ['/returnUrl']);
    }
  });

  it('A35 looks at ten wrong passwords a minute for the metrics, and then at none, not even the right one', async () => {
    toNextMinute(shop);
    const right = { authorization: `Bearer ${shop.config.opsPassword ?? ''}` };
    for (let each = 0; each < 10; each++) await get('/metrics', { authorization: `Bearer ${String(each)}` });
    expect((await get('/metrics', right)).status).toBe(404);
  });
});

describe('A fault of our own', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  it('A38 is answered 500 with an id and no more, logged once under that id, and the process lives', async () => {
    await created(shop, 'before-the-fault');
    await shop.database.pool.query('alter table webhook_endpoint rename to webhook_endpoint_gone');
    try {
      const answer = await shop.api('GET', '/v1/webhook-endpoints');
      expectProblem(answer, 'internal_error');
      expect(Object.keys(answer.body as object).sort()).toEqual(['detail', 'requestId', 'status', 'title', 'type']);
      expect(JSON.stringify(answer.body)).not.toMatch(/webhook|relation|42P01/);
      const lines = shop.logged.filter((line) => line.includes('unexpected error'));
      expect(lines).toHaveLength(1);
      expect(JSON.parse(lines[0] ?? '{}')).toMatchObject({
        level: 'error',
        requestId: answer.body.requestId,
        method: 'GET',
      });
    } finally {
      await shop.database.pool.query('alter table webhook_endpoint_gone rename to webhook_endpoint');
    }
    expect((await shop.api('GET', '/v1/webhook-endpoints')).status).toBe(200);
    await created(shop, 'after-the-fault');
  });

  it.each([
    ['a method that no route takes', 'PUT', '/v1/payments', [404, 405]],
    ['a method that nobody knows', 'PROPFIND', '/v1/payments', [404, 405]],
    ['TRACE', 'TRACE', '/v1/payments', [404, 405]],
    ['no such route', 'GET', '/v2/payments', [404]],
    ['a path of dots', 'GET', '/v1/payments/../../etc/passwd', [404]],
    ['a double slash', 'GET', '//v1/payments', [404]],
    ['a folder of pages', 'GET', '/sandbox', [404]],
    ['a form of another method', 'GET', '/sandbox/payments', [405]],
    ['a null byte', 'GET', '/%00', [404, 400]],
    ['half a percent sign', 'GET', '/v1/payments/%', [400, 404]],
    ['an absolute address', 'GET', 'http://evil.example/v1/payments', [404, 200]],
  ])('A18 answers %s with a problem document', async (_, method, path, statuses) => {
    const answer = await send(shop.url, { method, path });
    expect(statuses).toContain(answer.status);
    if (answer.status >= 400) expect(String(answer.headers['content-type'])).toContain('application/problem+json');
  });

  it('A18 refuses headers over 16 KiB with 431, and what is not HTTP with 400', async () => {
    expectProblem(
      await send(shop.url, { method: 'GET', headers: { 'x-large': 'x'.repeat(20_000) } }),
      'headers_too_large',
    );
    for (const bytes of [
      'nonsense\r\n\r\n',
      'GET / HTTP/9.9\r\n\r\n',
      'POST /v1/payments HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      'GET / HTTP/1.1\r\nhost: x\r\na b: c\r\n\r\n',
      '\u0016\u0003\u0001\u0002',
    ]) {
      expect(await talk(shop.config.port, bytes)).toMatch(
        /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*application\/problem\+json[\s\S]*malformed-request/,
      );
    }
    expect((await shop.api('GET', '/health/live')).status).toBe(200);
  });
});

describe('While the database is away', () => {
  let proxy: Proxy;
  let shop: TestService;
  beforeAll(async () => {
    const database = await testDatabase();
    proxy = await proxyTo(database.url);
    shop = await startTestService({ database: { ...database, url: proxy.url } });
  });
  afterAll(async () => {
    await shop.close();
    await proxy.close();
    await shop.database.drop();
  });

  it('every route answers 503 with Retry-After, none 500, and all go on when it is back', async () => {
    const { id } = await created(shop, 'before');
    const before = await rowsOf(shop.database);
    proxy.down();
    const calls: [string, string, unknown?][] = [
      ['GET', '/v1/payments'],
      ['POST', '/v1/payments', order('meanwhile')],
      ['GET', `/v1/payments/${id}`],
      ['GET', '/v1/orders'],
      ['GET', '/v1/orders/before'],
      ['GET', '/v1/events'],
      ['POST', `/v1/payments/${id}/cancel`],
      ['GET', '/v1/webhook-endpoints'],
      ['POST', '/v1/webhook-endpoints', { url: 'http://127.0.0.1:9/x' }],
    ];
    const answers = await Promise.all(
      calls.map(async ([method, path, body]) => ({
        path,
        answer: await shop.api(method, path, body, { 'idempotency-key': `${method} ${path}` }),
      })),
    );
    for (const { path, answer } of answers) {
      expect([path, answer.status]).toEqual([path, 503]);
      expectProblem(answer, 'service_unavailable');
      expect(answer.headers.get('retry-after')).toBe('30');
    }
    const ready = await shop.api('GET', '/health/ready');
    expect([ready.status, ready.body]).toEqual([503, { status: 'unavailable', checks: { database: 'down' } }]);
    expect((await shop.api('GET', '/health/live')).status).toBe(200);
    proxy.up();
    await until(async () => (await shop.api('GET', '/health/ready')).status === 200);
    expect(await rowsOf(shop.database)).toEqual(before);
    expect((await shop.api('GET', `/v1/payments/${id}`)).body.status).toBe('pending');
    await created(shop, 'meanwhile', {}, { 'idempotency-key': 'POST /v1/payments' });
    expect(shop.logged.filter((line) => line.includes('unexpected error'))).toEqual([]);
  });
});

/** Sends bytes and answers what came back until the connection was closed. */
const talk = (port: number, bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    socket.on('data', (part) => (answer += part.toString()));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });

interface Proxy {
  url: string;
  /** Cuts every connection and takes no new one. */
  down(): void;
  up(): void;
  close(): Promise<void>;
}

async function proxyTo(databaseUrl: string): Promise<Proxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let away = false;
  const server: Server = createServer((client) => {
    if (away) return void client.destroy();
    const upstream = connect(Number(target.port), target.hostname);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  const down = (): void => {
    away = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: url.href,
    down,
    up: () => void (away = false),
    close: async () => {
      down();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

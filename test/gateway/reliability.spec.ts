import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeAll, afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { HttpService } from '@nestjs/axios';
import { Logger } from '@nestjs/common';
import axios from 'axios';
import type { OxaPayOptions } from '../../src/gateway/exchange.client.js';
import { OxaPayGateway } from '../../src/gateway/oxapay.client.js';
import {
  GatewayRefused,
  GatewayUnavailable,
  type InvoiceRequest,
  type PayoutRequest,
} from '../../src/payments/payment-gateway.js';
import { RequestBudget } from '../../src/platform/request-budget.pg.js';
import { testDatabase } from '../support/database.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { deadPort, GatewayServer, silentPort, type Reply } from './gateway-server.js';

// The cases of the fault catalogue that the gateway's client answers for, each by its number.

const merchantKey = 'MERCHA-NTKEY0-CANARY-000001';
const payoutKey = 'PAYOUT-KEY000-CANARY-000002';

const invoice: InvoiceRequest = {
  orderId: '0190a1b2-0000-7000-8000-000000000001',
  amount: '10',
  currency: 'USD',
  lifetimeMinutes: 30,
  underPaidCoverage: '0',
  feePaidByPayer: false,
  mixedPayment: true,
  callbackUrl: 'https://shop.example/callbacks/oxapay',
};

const payout: PayoutRequest = {
  address: 'TAddress',
  currency: 'USDT',
  network: 'Tron Network',
  amount: '1',
  description: 'refund 1',
  callbackUrl: 'https://shop.example/callbacks/oxapay',
};

const payment = { track_id: '7', status: 'paid', type: 'invoice', amount: 15, currency: 'USD', txs: [] };
const envelope = (data: unknown, status = 200, error: unknown = {}): string =>
  JSON.stringify({ data, message: 'ok', error, status, version: '1.0.0' });
const answer =
  (status: number, body: string | Buffer, headers: Record<string, string> = {}): Reply =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
const found = answer(200, envelope(payment));
const no = (wire: number, inBody = wire, headers: Record<string, string> = {}): Reply =>
  answer(wire, envelope({}, inBody, { type: '', key: '', message: `No. ${merchantKey}` }), headers);
const page = (status: number, text = '<html>Just a moment</html>'): Reply =>
  answer(status, text, { 'content-type': 'text/html' });
const silence: Reply = () => undefined;

let server: GatewayServer;
let baseUrl: string;
const closing: (() => Promise<void> | void)[] = [];

function gatewayAt(url: string, options: Partial<OxaPayOptions> = {}): OxaPayGateway {
  const keys = { merchantKey, payoutKey, userAgent: 'Finality/0.1.0' };
  const gateway = new OxaPayGateway(new HttpService(axios.create()), { baseUrl: url, ...keys, pauseMs: 2, ...options });
  closing.push(() => gateway.onApplicationShutdown());
  return gateway;
}

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => {
      throw new Error(`answered ${JSON.stringify(value)}`);
    },
    (error: unknown) => error,
  );

/** Asks about a payment so often, one question after another, and sees each fail. */
async function failTimes(gateway: OxaPayGateway, times: number): Promise<void> {
  for (let n = 0; n < times; n++) expect(await failureOf(gateway.findPayment('7'))).toBeInstanceOf(GatewayUnavailable);
}

interface Line {
  level: 'log' | 'warn' | 'error';
  msg: string;
  [field: string]: unknown;
}
let lines: Line[] = [];
const said = (level: Line['level'], text: string): Line[] =>
  lines.filter((line) => line.level === level && line.msg.includes(text));

beforeEach(async () => {
  server = new GatewayServer();
  baseUrl = `${await server.start()}/v1`;
  lines = [];
  const heard = (level: Line['level']) => (message: unknown) => lines.push({ level, ...(message as { msg: string }) });
  Logger.overrideLogger({ log: heard('log'), warn: heard('warn'), error: heard('error') });
});

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await server.stop();
  expect(JSON.stringify(lines)).not.toContain('CANARY');
});

describe('Time', () => {
  /** The question's outcome and how long it took, in milliseconds. */
  async function timed(question: Promise<unknown>): Promise<{ failure: unknown; ms: number }> {
    const began = performance.now();
    const failure = await failureOf(question);
    return { failure, ms: performance.now() - began };
  }

  it('G03: no connection in time: tried three times', async () => {
    const silent = await silentPort();
    closing.push(() => silent.close());
    // TCP connects, and the TLS handshake is never answered.
    const gateway = gatewayAt(`https://127.0.0.1:${String(silent.port)}`, { connectMs: 100 });
    const { failure, ms } = await timed(gateway.findPayment('7'));
    expect(failure).toBeInstanceOf(GatewayUnavailable);
    expect(ms).toBeGreaterThanOrEqual(295);
    expect(ms).toBeLessThan(3000);
  });

  it('G03: no first byte in time: tried three times, each within the time of a request', async () => {
    server.reply = silence;
    const { failure, ms } = await timed(gatewayAt(baseUrl, { requestMs: 100 }).findPayment('7'));
    expect(failure).toMatchObject({ message: 'OxaPay did not answer: no answer in time' });
    expect(server.received).toHaveLength(3);
    expect(ms).toBeLessThan(3000);
  });

  it('G03: a byte a second: the whole answer has to come within the time of a request', async () => {
    server.reply = (response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{');
      const timer = setInterval(() => response.write('"'), 1000);
      closing.push(() => clearInterval(timer));
    };
    const { failure, ms } = await timed(gatewayAt(baseUrl, { requestMs: 1200, tries: 1 }).findPayment('7'));
    expect(failure).toMatchObject({ message: 'OxaPay did not answer: no answer in time' });
    expect(ms).toBeGreaterThanOrEqual(1190);
    expect(ms).toBeLessThan(3000);
  });

  it('G03: a question with its repetitions ends in its whole time', async () => {
    server.reply = silence;
    const gateway = gatewayAt(baseUrl, { requestMs: 400, readMs: 1500, tries: 10 });
    const { ms } = await timed(gateway.findPayment('7'));
    expect(server.received.length).toBeGreaterThan(1);
    expect(server.received.length).toBeLessThan(5);
    expect(ms).toBeLessThan(1700);
  });

  it('G03: the wait for a turn is not counted', async () => {
    server.reply = found;
    const budget = { take: () => delay(1500), slowDown: () => Promise.resolve(), stop: () => undefined };
    const gateway = gatewayAt(baseUrl, { requestMs: 1000, readMs: 1200, budget });
    expect(await gateway.findPayment('7')).toMatchObject({ trackId: '7' });
  });

  it('G03: no two repeat a question at the same moment', async () => {
    const gaps: number[] = [];
    let last = 0;
    server.reply = (...at) => {
      gaps.push(performance.now() - last);
      last = performance.now();
      no(503)(...at);
    };
    const gateway = gatewayAt(baseUrl, { pauseMs: 60, tries: 2 });
    for (let n = 0; n < 8; n++) {
      last = performance.now();
      await failureOf(gateway.findPayment('7'));
    }
    const pauses = gaps.filter((_gap, index) => index % 2 === 1);
    expect(new Set(pauses.map(Math.round)).size).toBeGreaterThan(2);
  });
});

describe('A gateway that keeps failing', () => {
  const once = { tries: 1, breakerOpenMs: 60_000 };

  it('G03: is left alone after half of at least twenty requests failed, payers and refunds included', async () => {
    const gateway = gatewayAt(baseUrl, once);
    server.reply = found;
    for (let n = 0; n < 10; n++) await gateway.findPayment('7');
    server.reply = page(502);
    await failTimes(gateway, 10);
    expect(gateway.breakers()).toEqual({ merchant: 'closed', payout: 'closed', none: 'closed' });
    await failTimes(gateway, 1);
    expect(gateway.breakers()).toEqual({ merchant: 'open', payout: 'closed', none: 'closed' });
    expect(server.received).toHaveLength(21);
    expect(said('warn', 'left alone')).toHaveLength(1);

    for (const request of [gateway.findPayment('7'), gateway.openInvoice(invoice), gateway.listPayments(span)]) {
      const failure = await failureOf(request);
      expect(failure).toBeInstanceOf(GatewayUnavailable);
      expect(failure).toMatchObject({
        message: 'OxaPay is not asked now: too many requests failed',
        retryAfterSeconds: 60,
      });
    }
    expect(server.received).toHaveLength(21);
  });

  it('G03: is left alone after creates alone failed, too', async () => {
    const gateway = gatewayAt(`http://127.0.0.1:${String(await deadPort())}`, once);
    for (let n = 0; n < 20; n++) await failureOf(gateway.openInvoice(invoice));
    expect(gateway.breakers().merchant).toBe('open');
    expect(await failureOf(gateway.openInvoice(invoice))).toMatchObject({
      name: 'GatewayUnavailable',
      message: 'OxaPay is not asked now: too many requests failed',
    });
  });

  it('G03: is not judged by fewer than twenty requests', async () => {
    const gateway = gatewayAt(baseUrl, once);
    server.reply = page(502);
    await failTimes(gateway, 19);
    expect(gateway.breakers().merchant).toBe('closed');
    expect(server.received).toHaveLength(19);
  });

  it('G03: is left alone for half a minute unless told otherwise', async () => {
    const gateway = gatewayAt(baseUrl, { tries: 1 });
    server.reply = page(502);
    await failTimes(gateway, 20);
    expect(await failureOf(gateway.findPayment('7'))).toMatchObject({ retryAfterSeconds: 30 });
  });

  it('G03: is tried with one request afterwards, and is asked as before where that succeeds', async () => {
    const gateway = gatewayAt(baseUrl, { tries: 1, breakerOpenMs: 1000 });
    server.reply = page(502);
    await failTimes(gateway, 20);
    await delay(1020);
    // It still fails: nobody else is let through while it is tried, nor after that.
    const held: (() => void)[] = [];
    server.reply = (...at) => held.push(() => page(502)(...at));
    const probe = failureOf(gateway.findPayment('7'));
    await until(async () => Promise.resolve(held.length === 1));
    expect(gateway.breakers().merchant).toBe('half_open');
    await failTimes(gateway, 5);
    expect(await failureOf(gateway.openInvoice(invoice))).toBeInstanceOf(GatewayUnavailable);
    expect(server.received).toHaveLength(21);
    held[0]?.();
    expect(await probe).toBeInstanceOf(GatewayUnavailable);
    expect(gateway.breakers().merchant).toBe('open');
    await failTimes(gateway, 1);
    expect(server.received).toHaveLength(21);

    await delay(1020);
    server.reply = found;
    expect(await gateway.findPayment('7')).toMatchObject({ trackId: '7' });
    expect(gateway.breakers().merchant).toBe('closed');
    expect(said('log', 'asked again')).toHaveLength(1);
    // What failed before is forgotten.
    server.reply = page(502);
    await failTimes(gateway, 15);
    expect(gateway.breakers().merchant).toBe('closed');
  });

  it('G03: takes no turns from others while it is left alone', async () => {
    let turns = 0;
    const budget = {
      take: () => Promise.resolve(void turns++),
      slowDown: () => Promise.resolve(),
      stop: () => undefined,
    };
    const gateway = gatewayAt(baseUrl, { ...once, budget });
    server.reply = page(502);
    await failTimes(gateway, 30);
    expect(turns).toBe(20);
  });

  it.each<[string, Reply]>([
    ['500', no(500)],
    ['502', no(502)],
    ['503', no(503)],
    ['200 on the wire and 500 in the body', no(200, 500)],
    ['a page with 200', page(200)],
    ['an answer of another shape', answer(200, envelope([]))],
    ['a redirect', answer(302, '', { location: '/elsewhere' })],
    ['silence', silence],
    ['a reset', (response) => response.socket?.resetAndDestroy()],
    ['429', no(429)],
  ])('G04: %s counts as a failure, each repetition too', async (_what, reply) => {
    server.reply = reply;
    const gateway = gatewayAt(baseUrl, { requestMs: 200, breakerOpenMs: 60_000 });
    await failTimes(gateway, 7);
    expect(server.received).toHaveLength(20);
    expect(gateway.breakers().merchant).toBe('open');
  });

  it.each<[string, Reply, unknown]>([
    ['that it does not know a payment', no(404), null],
    ['what became of one', found, expect.objectContaining({ trackId: '7' })],
  ])('G09: is not failing where it says %s, however often', async (_what, reply, told) => {
    server.reply = reply;
    const gateway = gatewayAt(baseUrl, once);
    for (let n = 0; n < 25; n++) expect(await gateway.findPayment('7')).toEqual(told);
    expect(server.received).toHaveLength(25);
    expect(gateway.breakers().merchant).toBe('closed');
  });

  it.each([400, 422, 404])('is not failing where it refuses a payment with %d', async (status) => {
    server.reply = no(status);
    const gateway = gatewayAt(baseUrl, once);
    for (let n = 0; n < 25; n++) expect(await failureOf(gateway.openInvoice(invoice))).toBeInstanceOf(GatewayRefused);
    expect(gateway.breakers().merchant).toBe('closed');
  });
});

const span = { from: '2025-01-01T00:00:00.000Z', to: '2025-01-02T00:00:00.000Z', page: 1 };

describe('A gateway that is asked too often', () => {
  it.each<[string, Reply]>([
    ['429', no(429, 429, { 'retry-after': '60' })],
    ['200 on the wire and 429 in the body', no(200, 429, { 'retry-after': '60' })],
  ])('G05: %s halves the pace of all processes', async (_what, reply) => {
    const database = await testDatabase();
    closing.push(() => database.drop());
    const process = (): OxaPayGateway => gatewayAt(baseUrl, { budget: new RequestBudget(database.pool, 30) });
    const [one, other] = [process(), process()];
    const timeOf = async (questions: number): Promise<number> => {
      const began = performance.now();
      await Promise.all(Array.from({ length: questions }, () => other.findPayment('7')));
      return performance.now() - began;
    };
    server.reply = found;
    await timeOf(30);
    const before = await timeOf(30);
    server.reply = reply;
    expect(await failureOf(one.findPayment('7'))).toMatchObject({ retryAfterSeconds: 60 });
    await until(async () => {
      const { rows } = await database.pool.query('select 1 from request_budget where slow_until > clock_timestamp()');
      return rows.length > 0;
    });
    server.reply = found;
    // What was saved up meanwhile is spent first.
    await timeOf(15);
    const after = await timeOf(30);
    // 30 questions take a second at 30 a second, and two at half of that.
    expect(before).toBeLessThan(1500);
    expect(after).toBeGreaterThan(1500);
  });

  it('G05: a payer who opens an invoice waits for no turn, and slows the questions down', async () => {
    const asked: string[] = [];
    const turn = (what: string) => () => Promise.resolve(void asked.push(what));
    const gateway = gatewayAt(baseUrl, {
      budget: { take: turn('turn'), slowDown: turn('slower'), stop: () => undefined },
    });
    server.reply = no(429, 429, { 'retry-after': '7' });
    expect(await failureOf(gateway.openInvoice(invoice))).toMatchObject({ retryAfterSeconds: 7 });
    expect(await failureOf(gateway.sendPayout(payout))).toMatchObject({ retryAfterSeconds: 7 });
    expect(asked).toEqual(['slower', 'slower']);
  });

  it('G05: a repetition needs a turn too', async () => {
    let turns = 0;
    const budget = {
      take: () => Promise.resolve(void turns++),
      slowDown: () => Promise.resolve(),
      stop: () => undefined,
    };
    server.reply = no(503);
    await failureOf(gatewayAt(baseUrl, { budget }).findPayment('7'));
    expect(turns).toBe(3);
  });

  it.each([
    ['seconds', () => '1'],
    ['a date', () => new Date(Date.now() + 2000).toUTCString()],
  ])('G05: a short Retry-After in %s is waited for', async (_what, header) => {
    const times: number[] = [];
    server.reply = (response, request, index) => {
      times.push(performance.now());
      (index === 0 ? no(429, 429, { 'retry-after': header() }) : found)(response, request, index);
    };
    expect(await gatewayAt(baseUrl).findPayment('7')).toMatchObject({ trackId: '7' });
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(990);
  });
});

describe('An answer that cannot be read', () => {
  const once = { tries: 1 };
  const cut = envelope(payment).slice(0, -9);

  it.each<[string, Reply, string]>([
    ['a page with 200', page(200), 'bad_response (not_json) with HTTP 200'],
    ['nothing with 200', answer(200, ''), 'bad_response (not_json) with HTTP 200'],
    ['JSON cut off', answer(200, cut), 'bad_response (not_json) with HTTP 200'],
    ['a byte order mark', answer(200, `\ufeff${envelope(payment)}`), 'bad_response (not_utf8) with HTTP 200'],
    ['10 MB', answer(200, Buffer.alloc(10_000_000, 0x20)), 'bad_response (too_large)'],
  ])('G06: %s tells nothing of the payment, and the log says why', async (_what, reply, reason) => {
    server.reply = reply;
    const failure = await failureOf(gatewayAt(baseUrl, once).findPayment('7'));
    expect(failure).toMatchObject({ name: 'GatewayUnavailable', message: `OxaPay did not answer: ${reason}` });
    expect(said('warn', 'cannot be read')).toMatchObject([{ method: 'GET', path: '/payment/7', reason }]);
  });

  it('G06: the log shows how a page begins, without our keys, and nothing of what may tell of a payment', async () => {
    const gateway = gatewayAt(baseUrl, once);
    server.reply = page(200, `<html><title>Blocked</title>${merchantKey}${'x'.repeat(300)}end of the page</html>`);
    await failureOf(gateway.findPayment('7'));
    server.reply = answer(200, cut);
    await failureOf(gateway.findPayment('7'));
    const [first, second] = said('warn', 'cannot be read');
    expect(first?.['said']).toMatch(/^<html><title>Blocked<\/title>\[key\]x+$/);
    expect(second?.['said']).toBe('');
  });

  it('G06: half an answer, and the connection is cut', async () => {
    server.reply = (response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' });
      response.write('{"data":{"track_id":"7"', () => response.socket?.resetAndDestroy());
    };
    expect(await failureOf(gatewayAt(baseUrl).findPayment('7'))).toBeInstanceOf(GatewayUnavailable);
    expect(server.received).toHaveLength(3);
  });

  it.each<[string, object | unknown[]]>([
    ['no status', { ...payment, status: undefined }],
    ['no track id', { ...payment, track_id: undefined }],
    ['a list for the status', { ...payment, status: ['paid'] }],
    ['a text for the transfers', { ...payment, txs: 'none' }],
    ['a list for data', []],
  ])('G07: JSON with %s is no answer', async (_what, data) => {
    server.reply = answer(200, envelope(data));
    const failure = await failureOf(gatewayAt(baseUrl, once).findPayment('7'));
    expect(failure).toBeInstanceOf(GatewayUnavailable);
    expect(failure).toMatchObject({ message: expect.stringContaining('bad_response (') });
    expect(said('warn', 'cannot be read')).toHaveLength(1);
  });

  it('G07: five in a row are told as one error; a readable one among them begins the count anew', async () => {
    const gateway = gatewayAt(baseUrl, { ...once, breakerOpenMs: 60_000 });
    const odd = answer(200, envelope({ ...payment, status: undefined }));
    server.reply = odd;
    await failTimes(gateway, 4);
    server.reply = found;
    await gateway.findPayment('7');
    server.reply = odd;
    await failTimes(gateway, 4);
    expect(said('error', '')).toEqual([]);
    await failTimes(gateway, 1);
    expect(said('error', '5 answers of OxaPay in a row cannot be read')).toHaveLength(1);
    await failTimes(gateway, 6);
    expect(said('error', '')).toHaveLength(1);
  });
});

describe('A key that the gateway does not accept', () => {
  it.each([
    [401, 401],
    [403, 403],
    [200, 401],
    [200, 403],
    [403, 401],
  ])('G08: %d on the wire and %d in the body: not tried again, and told once', async (wire, inBody) => {
    const gateway = gatewayAt(baseUrl, { breakerOpenMs: 500 });
    server.reply = no(wire, inBody);
    await failTimes(gateway, 1);
    expect(gateway.breakers()).toEqual({ merchant: 'open', payout: 'closed', none: 'closed' });
    const held = 'OxaPay is not asked now: it does not accept our merchant key';
    // A no is no silence: fulfilment does not go ahead without a word because our key was refused.
    expect(await failureOf(gateway.findPayment('7'))).toMatchObject({ name: 'GatewayDenies', message: held });
    expect(await failureOf(gateway.openInvoice(invoice))).toMatchObject({ name: 'GatewayUnavailable', message: held });
    expect(server.received).toHaveLength(1);
    await delay(520);
    await failTimes(gateway, 1);
    expect(server.received).toHaveLength(2);
    const [error, ...more] = said('error', 'OxaPay does not accept our merchant key');
    expect(error?.msg).toContain('OXAPAY_MERCHANT_API_KEY');
    expect(more).toEqual([]);

    await delay(520);
    server.reply = found;
    expect(await gateway.findPayment('7')).toMatchObject({ trackId: '7' });
    expect(gateway.breakers().merchant).toBe('closed');
  });

  it('G08: the first create is refused, the next ones are not sent', async () => {
    const gateway = gatewayAt(baseUrl);
    server.reply = no(401);
    expect(await failureOf(gateway.openInvoice(invoice))).toMatchObject({ name: 'GatewayRefused', httpStatus: 401 });
    expect(await failureOf(gateway.openInvoice(invoice))).toBeInstanceOf(GatewayUnavailable);
    expect(server.received).toHaveLength(1);
  });

  it('G08: a payout key that is refused stops no payment', async () => {
    const gateway = gatewayAt(baseUrl);
    server.reply = (response, request, index) =>
      (request.headers['payout_api_key'] === undefined ? found : no(403))(response, request, index);
    expect(await failureOf(gateway.sendPayout(payout))).toMatchObject({ name: 'GatewayRefused', httpStatus: 403 });
    expect(await failureOf(gateway.findPayout('7'))).toBeInstanceOf(GatewayUnavailable);
    expect(await gateway.findPayment('7')).toMatchObject({ trackId: '7' });
    expect(gateway.breakers()).toEqual({ merchant: 'closed', payout: 'open', none: 'closed' });
    expect(said('error', 'OXAPAY_PAYOUT_API_KEY')).toHaveLength(1);
    expect(said('error', 'MERCHANT')).toEqual([]);
  });
});

describe('A redirect', () => {
  it.each([301, 302, 303, 307, 308])(
    'G10: %d is refused, wherever it leads: the headers carry the key',
    async (status) => {
      const elsewhere = new GatewayServer();
      closing.push(() => elsewhere.stop());
      const targets = [
        `${await elsewhere.start()}/v1/payment/7`,
        `${baseUrl}/payment/8`,
        'https://api.oxapay.com/v1/payment/7',
      ];
      const gateway = gatewayAt(baseUrl, { tries: 1 });
      for (const location of targets) {
        server.reply = answer(status, '', { location });
        await failTimes(gateway, 1);
      }
      expect(elsewhere.received).toEqual([]);
      expect(server.received.map(({ url }) => url)).toEqual(targets.map(() => '/v1/payment/7'));
    },
  );
});

describe('The service whose merchant key was revoked', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  const breaker = async (): Promise<string | undefined> => {
    const { body } = await shop.api('GET', '/metrics');
    return /^finality_gateway_breaker_state\{key="merchant"\} (\d)$/m.exec(body as string)?.[1];
  };

  it('G08: takes payments all the same, tells the metrics, and opens their invoices when the key is accepted', async () => {
    expect(await breaker()).toBe('0');
    await shop.control('/_sandbox/faults', { api: { errorRate: 1, status: 401 } }, 'PUT');
    const waiting: string[] = [];
    for (let n = 0; n < 3; n++) {
      const order = { orderId: `order-${String(n)}`, amount: '10.00', currency: 'USD' };
      const { status, body } = await shop.api('POST', '/v1/payments', order);
      expect([status, body.status]).toEqual([202, 'created']);
      waiting.push(body.id);
    }
    await until(async () => (await breaker()) === '2');
    await shop.control('/_sandbox/faults', {}, 'PUT');
    for (const id of waiting) {
      await until(async () => {
        await shop.control('/_sandbox/clock/advance', { seconds: 10 });
        return (await shop.api('GET', `/v1/payments/${id}`)).body.status === 'pending';
      }, 10_000);
    }
    expect(await breaker()).toBe('0');
  });
});

import { gzipSync } from 'node:zlib';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { HttpService } from '@nestjs/axios';
import { Logger } from '@nestjs/common';
import axios from 'axios';

import type { OxaPayOptions } from '../../src/gateway/exchange.client.js';
import { OxaPayGateway } from '../../src/gateway/oxapay.client.js';
import {
  GatewayOutcomeUnknown,
  GatewayRefused,
  GatewayUnavailable,
  type InvoiceRequest,
  type PayoutRequest,
} from '../../src/payments/payment-gateway.js';
import { deadPort, GatewayServer, silentPort, type Reply } from './gateway-server.js';
import { sample } from './samples.js';

const merchantKey = 'MERCHA-NTKEY0-CANARY-000001';
const payoutKey = 'PAYOUT-KEY000-CANARY-000002';

const request: InvoiceRequest = {
  orderId: '0190a1b2-0000-7000-8000-000000000001',
  amount: '123456789012345678.123456789012345678',
  currency: 'USD',
  lifetimeMinutes: 30,
  underPaidCoverage: '0',
  feePaidByPayer: false,
  mixedPayment: true,
  callbackUrl: 'https://shop.example/callbacks/oxapay',
};

const payoutRequest: PayoutRequest = {
  address: 'TAddress',
  currency: 'USDT',
  network: 'Tron Network',
  amount: '123456789012345678.123456789012345678',
  description: 'refund 0190a1b2-0000-7000-8000-000000000002',
  callbackUrl: 'https://shop.example/callbacks/oxapay',
};

const payment = { track_id: '7', status: 'paid', type: 'invoice', amount: 15, currency: 'USD', txs: [] };
const { data: madeInvoice } = JSON.parse(sample('published-api-generate-invoice-sdk-test').toString()) as {
  data: object;
};
const envelope = (data: unknown, status = 200, error: unknown = {}): string =>
  JSON.stringify({ data, message: 'ok', error, status, version: '1.0.0' });

const answer =
  (status: number, body: string | Buffer, headers: Record<string, string> = {}): Reply =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
const no = (wire: number, inBody = wire, headers: Record<string, string> = {}): Reply =>
  answer(wire, envelope({}, inBody, { type: '', key: 'amount', message: `Too small. ${merchantKey}` }), headers);
const html = (status: number): Reply => answer(status, '<html>Just a moment</html>', { 'content-type': 'text/html' });
const halfThenReset: Reply = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' });
  response.write('{"data":{"track_id":"7"', () => response.socket?.resetAndDestroy());
};
const resetAtOnce: Reply = (response) => response.socket?.resetAndDestroy();
const never: Reply = () => undefined;

let server: GatewayServer;
let baseUrl: string;
const gateways: OxaPayGateway[] = [];
/** What a test started besides, closed after it whatever came of it. */
const closing: (() => Promise<void>)[] = [];

function gatewayAt(url: string, options: Partial<OxaPayOptions> = {}): OxaPayGateway {
  const gateway = new OxaPayGateway(new HttpService(axios.create()), {
    baseUrl: url,
    merchantKey,
    payoutKey,
    userAgent: 'Finality/0.1.0',
    pauseMs: 2,
    ...options,
  });
  gateways.push(gateway);
  return gateway;
}

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => {
      throw new Error(`answered ${JSON.stringify(value)}`);
    },
    (error: unknown) => error,
  );

const failWithin = { connectMs: 500, readMs: 150, createMs: 150 };

beforeEach(async () => {
  Logger.overrideLogger(false);
  server = new GatewayServer();
  baseUrl = `${await server.start()}/v1`;
});

afterEach(async () => {
  for (const gateway of gateways.splice(0)) gateway.onApplicationShutdown();
  for (const close of closing.splice(0)) await close();
  await server.stop();
});

describe('opening an invoice', () => {
  it('sends every term explicitly, and amounts as numbers with all their digits', async () => {
    server.reply = answer(200, sample('published-api-generate-invoice-sdk-test'));
    const opened = await gatewayAt(`${baseUrl}/`).openInvoice({
      ...request,
      underPaidCoverage: '2.5',
      description: 'Tea "1"',
    });
    expect(opened).toEqual({
      trackId: '193139644',
      paymentUrl: 'https://pay.oxapay.com/13355044/193139644',
      expiresAt: '2025-08-24T01:37:58.000Z',
      payTo: null,
    });
    const [sent] = server.received;
    expect(sent).toMatchObject({ method: 'POST', url: '/v1/payment/invoice' });
    expect(sent?.body).toBe(
      '{"amount":123456789012345678.123456789012345678,"currency":"USD","lifetime":30,"fee_paid_by_payer":0,' +
        '"under_paid_coverage":2.5,"mixed_payment":true,"callback_url":"https://shop.example/callbacks/oxapay",' +
        '"order_id":"0190a1b2-0000-7000-8000-000000000001","description":"Tea \\"1\\""}',
    );
    expect(sent?.headers).toMatchObject({
      merchant_api_key: merchantKey,
      'content-type': 'application/json',
      'user-agent': 'Finality/0.1.0',
    });
    expect(JSON.stringify(sent?.headers)).not.toContain(payoutKey);
  });

  it('does not send what is not a plain amount', async () => {
    for (const amount of ['1e3', '1,"x":1', '', '-1']) {
      expect(await failureOf(gatewayAt(baseUrl).openInvoice({ ...request, amount }))).toBeInstanceOf(TypeError);
    }
    expect(server.received).toHaveLength(0);
  });

  it('knows from one invoice where others are paid', async () => {
    const gateway = gatewayAt(baseUrl);
    server.reply = answer(200, sample('published-api-generate-invoice-sdk-test'));
    const { trackId, paymentUrl } = await gateway.openInvoice(request);
    const earlier = { trackId, paymentUrl: paymentUrl ?? '' };
    expect(gateway.paymentUrl('300', earlier)).toBe('https://pay.oxapay.com/13355044/300');
    expect(gateway.paymentUrl('../300', earlier)).toBeNull();
    expect(gateway.paymentUrl('300', null)).toBeNull();
    expect(gateway.paymentUrl('300', { ...earlier, paymentUrl: 'https://pay.oxapay.com/elsewhere' })).toBeNull();
  });

  it.each([
    ['no end', { ...madeInvoice, expired_at: null }],
    ['a script for an address', { ...madeInvoice, payment_url: 'javascript:alert(1)' }],
  ])('answered with %s: it may have been made', async (_what, data) => {
    server.reply = answer(200, envelope(data));
    expect(await failureOf(gatewayAt(baseUrl).openInvoice(request))).toBeInstanceOf(GatewayOutcomeUnknown);
  });
});

/** What has an effect at the gateway, with the data of an answer that says so. */
const effects: [string, (gateway: OxaPayGateway) => Promise<unknown>, object][] = [
  ['an invoice', (gateway) => gateway.openInvoice(request), madeInvoice],
  ['a payout', (gateway) => gateway.sendPayout(payoutRequest), { track_id: '258298351', status: 'processing' }],
];

describe.each(effects)('asking for %s once', (_thing, ask, made) => {
  it.each([
    ['400', no(400), 400],
    ['401', no(401), 401],
    ['403', no(403), 403],
    ['404', no(404), 404],
    ['422', no(422), 422],
    ['403 on the wire and 401 in the body', no(403, 401), 401],
    ['200 on the wire and 401 in the body', no(200, 401), 401],
  ])('refused with %s: it says so, once, without the key', async (_what, reply, status) => {
    server.reply = reply;
    const failure = await failureOf(ask(gatewayAt(baseUrl)));
    expect(failure).toBeInstanceOf(GatewayRefused);
    expect(failure).toMatchObject({
      httpStatus: status,
      field: 'amount',
      message: `OxaPay refused (${status}) amount: Too small. [key]`,
    });
    expect(server.received).toHaveLength(1);
  });

  it.each([
    ['429 with a wait', no(429, 429, { 'retry-after': '7' }), 7],
    ['503 with a page', html(503), null],
    ['503 with rubbish for a wait', no(503, 503, { 'retry-after': '-5' }), null],
    ['429 with a wait of ten years', no(429, 429, { 'retry-after': '315360000' }), 86_400],
    ['429 with a date gone by', no(429, 429, { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }), null],
    ['200 on the wire and 429 in the body', no(200, 429), null],
  ])('turned away with %s: nothing was made', async (_what, reply, wait) => {
    server.reply = reply;
    const failure = await failureOf(ask(gatewayAt(baseUrl)));
    expect(failure).toBeInstanceOf(GatewayUnavailable);
    expect(failure).toMatchObject({ retryAfterSeconds: wait });
    expect(server.received).toHaveLength(1);
  });

  it.each<[string, Reply]>([
    ['500', no(500)],
    ['502 with a page', html(502)],
    ['200 on the wire and 500 in the body', no(200, 500)],
    ['500 on the wire and 200 in the body', answer(500, envelope(made))],
    ['400 on the wire and 200 in the body', answer(400, envelope(made))],
    ['success with an error in it', answer(200, envelope(made, 200, { type: 'x', key: '', message: 'no' }))],
    ['a page with 200', html(200)],
    ['a page with 403', html(403)],
    ['nothing with 200', answer(200, '')],
    ['JSON cut off', answer(200, envelope(made).slice(0, -9))],
    ['a byte order mark', answer(200, `\ufeff${envelope(made)}`)],
    ['no track id', answer(200, envelope({ ...made, track_id: undefined }))],
    ['a list for data', answer(200, envelope([]))],
    ['half a body and a reset', halfThenReset],
    ['a reset', resetAtOnce],
    ['silence', never],
    ['10 MB', answer(200, Buffer.alloc(10_000_000, 0x20))],
    ['a redirect', answer(307, '', { location: '/elsewhere' })],
  ])('answered with %s: it may have been made, and is not asked for again', async (_what, reply) => {
    server.reply = reply;
    const failure = await failureOf(ask(gatewayAt(baseUrl, failWithin)));
    expect(failure).toBeInstanceOf(GatewayOutcomeUnknown);
    expect(server.received).toHaveLength(1);
  });

  it('with no connection: nothing was made', async () => {
    const silent = await silentPort();
    closing.push(() => silent.close());
    const closedPort = await deadPort();
    const plain = new URL(baseUrl).port;
    for (const url of [
      `http://127.0.0.1:${closedPort}`,
      `https://127.0.0.1:${closedPort}`,
      'http://gateway.invalid',
      `https://127.0.0.1:${plain}`,
      `https://127.0.0.1:${silent.port}`,
    ]) {
      const failure = await failureOf(ask(gatewayAt(url, { connectMs: 150, createMs: 3000 })));
      expect(failure).toBeInstanceOf(GatewayUnavailable);
    }
    expect(server.received).toHaveLength(0);
  });

  it('with a connection and no answer: it may have been made', async () => {
    const silent = await silentPort();
    closing.push(() => silent.close());
    const gateway = gatewayAt(`http://127.0.0.1:${silent.port}`, failWithin);
    expect(await failureOf(ask(gateway))).toBeInstanceOf(GatewayOutcomeUnknown);
  });
});

describe('sending a payout', () => {
  const taken = answer(200, envelope({ track_id: 258298351, status: 'processing' }));

  it('sends the amount as a number with all its digits, under the payout key alone', async () => {
    server.reply = taken;
    expect(await gatewayAt(baseUrl).sendPayout(payoutRequest)).toEqual({ trackId: '258298351' });
    const [sent] = server.received;
    expect(sent).toMatchObject({ method: 'POST', url: '/v1/payout' });
    expect(sent?.body).toBe(
      '{"address":"TAddress","currency":"USDT","amount":123456789012345678.123456789012345678,' +
        '"network":"Tron Network","callback_url":"https://shop.example/callbacks/oxapay",' +
        '"description":"refund 0190a1b2-0000-7000-8000-000000000002"}',
    );
    expect(sent?.headers).toMatchObject({ payout_api_key: payoutKey, 'content-type': 'application/json' });
    expect(JSON.stringify(sent?.headers)).not.toContain(merchantKey);
  });

  it('sends a memo where there is one', async () => {
    server.reply = taken;
    for (const memo of ['', '104"']) await gatewayAt(baseUrl).sendPayout({ ...payoutRequest, memo });
    expect(server.received[0]?.body).not.toContain('memo');
    expect(server.received[1]?.body).toContain(',"memo":"104\\"",');
  });

  it('does not send what is not a plain amount', async () => {
    for (const amount of ['1e3', '1,"x":1', '', '-1']) {
      expect(await failureOf(gatewayAt(baseUrl).sendPayout({ ...payoutRequest, amount }))).toBeInstanceOf(TypeError);
    }
    expect(server.received).toHaveLength(0);
  });

  it('goes over a connection of its own each time', async () => {
    const sockets = new Set<object>();
    server.reply = (response, request_, index) => {
      sockets.add(request_.socket);
      taken(response, request_, index);
    };
    const gateway = gatewayAt(baseUrl);
    for (let i = 0; i < 3; i++) await gateway.sendPayout(payoutRequest);
    expect(sockets.size).toBe(3);
  });
});

describe('asking about a payment', () => {
  it('sends the merchant key, and the content type on GET too', async () => {
    server.reply = answer(200, envelope(payment));
    expect(await gatewayAt(baseUrl).findPayment('7')).toMatchObject({ trackId: '7', status: 'paid', amount: '15' });
    expect(server.received[0]).toMatchObject({ method: 'GET', url: '/v1/payment/7', body: '' });
    expect(server.received[0]?.headers).toMatchObject({
      merchant_api_key: merchantKey,
      'content-type': 'application/json',
      'user-agent': 'Finality/0.1.0',
    });
  });

  it.each([
    ['error {}', envelope(payment, 200, {})],
    ['error []', envelope(payment, 200, [])],
    ['error null', envelope(payment, 200, null)],
    ['no error', envelope(payment, 200, undefined)],
    ['an error of empty texts', envelope(payment, 200, { type: '', key: '', message: '' })],
    ['the status as a text', envelope(payment).replace('"status":200', '"status":"200"')],
  ])('takes %s for a success', async (_what, body) => {
    server.reply = answer(200, body);
    expect(await gatewayAt(baseUrl).findPayment('7')).toMatchObject({ trackId: '7' });
  });

  it('reads a compressed answer, and amounts to the last digit', async () => {
    const body = envelope(payment).replace('15', '0.123456789012345678');
    server.reply = answer(200, gzipSync(body), { 'content-encoding': 'gzip' });
    expect(await gatewayAt(baseUrl).findPayment('7')).toMatchObject({ amount: '0.123456789012345678' });
  });

  it('cuts off a compressed answer that unfolds to 10 MB', async () => {
    server.reply = answer(200, gzipSync(Buffer.alloc(10_000_000, 0x20)), { 'content-encoding': 'gzip' });
    const failure = await failureOf(gatewayAt(baseUrl, { tries: 1 }).findPayment('7'));
    expect(failure).toBeInstanceOf(GatewayUnavailable);
  });

  it('answers null where the gateway does not know it, on the wire or in the body', async () => {
    server.reply = no(404);
    expect(await gatewayAt(baseUrl).findPayment('7')).toBeNull();
    server.reply = no(200, 404);
    expect(await gatewayAt(baseUrl).findPayment('7')).toBeNull();
    expect(server.received).toHaveLength(2);
  });

  it.each(['', '..', 'a/b', '7?x=1', '7%2f', '\u0667', '7'.repeat(65)])(
    'sends nothing for %j, which is no id',
    async (id) => {
      expect(await gatewayAt(baseUrl).findPayment(id)).toBeNull();
      expect(server.received).toHaveLength(0);
    },
  );

  it.each<[string, Reply, number]>([
    ['500', no(500), 3],
    ['502 with a page', html(502), 3],
    ['404 with a page', html(404), 3],
    ['503', no(503), 3],
    ['429', no(429), 3],
    ['200 on the wire and 500 in the body', no(200, 500), 3],
    ['a page with 200', html(200), 3],
    ['nothing with 200', answer(200, ''), 3],
    ['JSON cut off', answer(200, envelope(payment).slice(0, -9)), 3],
    ['another payment', answer(200, envelope({ ...payment, track_id: '8' })), 3],
    ['an unknown status', answer(200, envelope({ ...payment, status: 'disputed' })), 3],
    ['a list for data', answer(200, envelope([])), 3],
    ['no data', answer(200, '{"status":200}'), 3],
    ['half a body and a reset', halfThenReset, 3],
    ['a reset', resetAtOnce, 3],
    ['10 MB', answer(200, Buffer.alloc(10_000_000, 0x20)), 3],
    ['a refusal', no(400), 1],
    ['a wrong key', no(401), 1],
    ['a wrong key, with 403 on the wire', no(403, 401), 1],
    ['a wrong key, with 200 on the wire', no(200, 401), 1],
    ['a wait that is too long', no(429, 429, { 'retry-after': '60' }), 1],
  ])('answered with %s: unavailable, and asked again only where that may help', async (_what, reply, requests) => {
    server.reply = reply;
    expect(await failureOf(gatewayAt(baseUrl).findPayment('7'))).toBeInstanceOf(GatewayUnavailable);
    expect(server.received).toHaveLength(requests);
  });

  it('gives up in time when no answer comes', async () => {
    server.reply = never;
    const before = performance.now();
    const failure = await failureOf(gatewayAt(baseUrl, failWithin).findPayment('7'));
    expect(failure).toBeInstanceOf(GatewayUnavailable);
    expect(performance.now() - before).toBeLessThan(2000);
    expect(server.received).toHaveLength(1);
  });

  it('gives up in time when the answer drips', async () => {
    const timers: NodeJS.Timeout[] = [];
    server.reply = (response) => {
      response.writeHead(200, { 'content-length': '100000' });
      timers.push(setInterval(() => response.write(' '), 20));
    };
    expect(await failureOf(gatewayAt(baseUrl, failWithin).findPayment('7'))).toBeInstanceOf(GatewayUnavailable);
    for (const timer of timers) clearInterval(timer);
  });

  it('succeeds when the second or third try does', async () => {
    server.reply = (response, request_, index) =>
      (index < 2 ? no(503) : answer(200, envelope(payment)))(response, request_, index);
    expect(await gatewayAt(baseUrl).findPayment('7')).toMatchObject({ trackId: '7' });
    expect(server.received).toHaveLength(3);
  });

  it('waits as long as it is told', async () => {
    const times: number[] = [];
    server.reply = (response, request_, index) => {
      times.push(performance.now());
      (index === 0 ? no(429, 429, { 'retry-after': '1' }) : answer(200, envelope(payment)))(response, request_, index);
    };
    await gatewayAt(baseUrl).findPayment('7');
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(990);
  });

  it('tells the caller of a wait that is too long for it', async () => {
    server.reply = no(429, 429, { 'retry-after': '60' });
    expect(await failureOf(gatewayAt(baseUrl).findPayment('7'))).toMatchObject({ retryAfterSeconds: 60 });
  });

  it.each([301, 302, 303, 307, 308])('does not follow a %d, so that nobody else gets the key', async (status) => {
    const elsewhere = new GatewayServer();
    const target = await elsewhere.start();
    closing.push(() => elsewhere.stop());
    server.reply = answer(status, '', { location: `${target}/v1/payment/7` });
    expect(await failureOf(gatewayAt(baseUrl).findPayment('7'))).toBeInstanceOf(GatewayUnavailable);
    for (const [, effect] of effects)
      expect(await failureOf(effect(gatewayAt(baseUrl)))).toBeInstanceOf(GatewayOutcomeUnknown);
    expect(elsewhere.received).toHaveLength(0);
  });

  it('asks over one kept connection', async () => {
    const ports = new Set<number | undefined>();
    server.reply = (response, request_, index) => {
      ports.add(request_.socket.remotePort);
      answer(200, envelope(payment))(response, request_, index);
    };
    const gateway = gatewayAt(baseUrl);
    for (let i = 0; i < 5; i++) await gateway.findPayment('7');
    expect(ports.size).toBe(1);
  });

  it('keeps the keys out of whatever fails', async () => {
    const url = `http://127.0.0.1:${await deadPort()}`;
    for (const [at, reply] of [
      [baseUrl, no(401)],
      [baseUrl, html(200)],
      [baseUrl, resetAtOnce],
      [url, never],
    ] as const) {
      server.reply = reply;
      for (const ask of [
        (gateway: OxaPayGateway) => gateway.findPayment('7'),
        (gateway: OxaPayGateway) => gateway.findPayout('7'),
        ...effects.map(([, effect]) => effect),
      ]) {
        const failure = await failureOf(ask(gatewayAt(at)));
        const told =
          failure instanceof Error ? `${failure.stack} ${JSON.stringify(failure)} ${String(failure.cause)}` : '';
        expect(told).toContain('OxaPay');
        for (const secret of ['CANARY', 'TAddress', '123456789012345678', 'shop.example'])
          expect(told).not.toContain(secret);
      }
    }
  });
});

describe('asking for lists', () => {
  const span = { from: '2025-01-01T00:00:00.900Z', to: '2025-01-02T00:00:00.100Z', page: 3 };
  const query = 'from_date=1735689600&to_date=1735776001&sort_by=create_date&sort_type=asc&size=200&page=3';

  it('of payments: the whole span in seconds, oldest first, 200 to a page', async () => {
    const page = {
      list: [payment, { ...payment, track_id: '8', status: 'new' }],
      meta: { page: 3, last_page: 4, total: 9 },
    };
    server.reply = answer(200, envelope(page));
    const read = await gatewayAt(baseUrl).listPayments(span);
    expect(read).toMatchObject({ reports: [{ trackId: '7' }, { trackId: '8', status: 'new' }], page: 3, lastPage: 4 });
    expect(server.received[0]?.url).toBe(`/v1/payment?${query}`);
  });

  it('of payments: one whose status is unknown does not hide the others', async () => {
    const page = { list: [{ ...payment, status: 'disputed' }, payment], meta: { page: 1, last_page: 1 } };
    server.reply = answer(200, envelope(page));
    expect((await gatewayAt(baseUrl).listPayments(span)).reports).toHaveLength(1);
  });

  it.each([
    ['a row without an id', { list: [{ status: 'paid' }], meta: { page: 1, last_page: 1 } }],
    ['a row that is none', { list: ['7'], meta: { page: 1, last_page: 1 } }],
    ['no list', { meta: { page: 1, last_page: 1 } }],
    ['no pages', { list: [] }],
    ['an object for a list', { list: {}, meta: { page: 1, last_page: 1 } }],
  ])('of payments: %s is no list', async (_what, data) => {
    server.reply = answer(200, envelope(data));
    expect(await failureOf(gatewayAt(baseUrl).listPayments(span))).toBeInstanceOf(GatewayUnavailable);
  });

  it('of payments: a 404 is no empty list', async () => {
    server.reply = no(404);
    expect(await failureOf(gatewayAt(baseUrl).listPayments(span))).toBeInstanceOf(GatewayUnavailable);
  });

  it('of payouts: with the payout key and nothing else', async () => {
    server.reply = answer(200, sample('published-api-payout-history'));
    expect((await gatewayAt(baseUrl).listPayouts(span)).reports).toMatchObject([
      { trackId: '258298351', fee: '0.00001' },
    ]);
    expect(server.received[0]?.url).toBe(`/v1/payout?${query}`);
    expect(server.received[0]?.headers).toMatchObject({ payout_api_key: payoutKey });
    expect(JSON.stringify(server.received[0]?.headers)).not.toContain(merchantKey);
  });

  it('of payouts: one whose status is unknown is told by its description, and hides no other', async () => {
    const row = { track_id: '8', status: 'confirmed', amount: 1, currency: 'USDT', description: 12345678901234567890n };
    const rows = [
      { ...row, status: 'held', description: 'refund 1' },
      { ...row, status: 'held', description: '' },
      row,
    ];
    const list = JSON.stringify(rows, (_key, value: unknown) => (typeof value === 'bigint' ? '@@' : value));
    const text = `{"list":${list},"meta":{"page":1,"last_page":1}}`.replace('"@@"', '12345678901234567890');
    server.reply = answer(200, `{"status":200,"data":${text}}`);
    expect(await gatewayAt(baseUrl).listPayouts(span)).toMatchObject({
      reports: [{ trackId: '8', description: '12345678901234567890' }],
      unread: ['refund 1'],
    });
  });

  it('of the coins that are accepted', async () => {
    server.reply = answer(200, sample('published-api-accepted-currencies'));
    expect(await gatewayAt(baseUrl).acceptedCurrencies()).toContain('USDT');
    expect(server.received[0]?.url).toBe('/v1/payment/accepted-currencies');
  });

  it('and for one payout', async () => {
    server.reply = answer(200, sample('published-api-payout-information-processing'));
    expect(await gatewayAt(baseUrl).findPayout('258298351')).toMatchObject({ amount: '0.02', status: 'processing' });
    expect(server.received[0]?.url).toBe('/v1/payout/258298351');
  });
});

describe('asking for prices', () => {
  const coins = '{"status":200,"data":{"BTC":100000.123456789012345678,"SHIB":1.2e-5,"USDT":"1.0002"}}';
  const fiats = envelope({
    JPY: { symbol: '¥', name: 'Yen', price: 0.0065, display_precision: 0 },
    EUR: { price: '1.1' },
  });
  const serve =
    (prices: Reply, states: Reply): Reply =>
    (response, request_, index) =>
      (request_.url === '/v1/common/prices' ? prices : states)(response, request_, index);

  it("gives coins and states' currencies to the last digit, and shows no key", async () => {
    server.reply = serve(answer(200, coins), answer(200, fiats));
    expect(Object.fromEntries(await gatewayAt(baseUrl).prices())).toEqual({
      BTC: '100000.123456789012345678',
      SHIB: '0.000012',
      USDT: '1.0002',
      JPY: '0.0065',
      EUR: '1.1',
      USD: '1',
    });
    expect(server.received.map(({ method, url }) => `${method} ${url}`).sort()).toEqual([
      'GET /v1/common/fiats',
      'GET /v1/common/prices',
    ]);
    expect(JSON.stringify(server.received)).not.toMatch(/CANARY|api_key/);
  });

  it('asks again while the gateway is unavailable', async () => {
    const tries = { prices: 0, fiats: 0 };
    server.reply = serve(
      (...at) => (++tries.prices < 3 ? no(503) : answer(200, coins))(...at),
      (...at) => (++tries.fiats < 2 ? resetAtOnce : answer(200, fiats))(...at),
    );
    expect((await gatewayAt(baseUrl).prices()).get('EUR')).toBe('1.1');
    expect(tries).toEqual({ prices: 3, fiats: 2 });
  });

  it.each([
    ['503', no(503)],
    ['404', no(404)],
    ['a page', html(200)],
    ['a list', answer(200, envelope([]))],
  ])("still prices coins where %s comes for the states' currencies", async (_what, reply) => {
    server.reply = serve(answer(200, coins), reply);
    expect([...(await gatewayAt(baseUrl).prices()).keys()]).toEqual(['BTC', 'SHIB', 'USDT', 'USD']);
  });

  it.each([
    ['503', no(503)],
    ['404', no(404)],
    ['a page', html(200)],
    ['no price at all', answer(200, envelope({}))],
  ])('is unavailable where %s comes for the coins', async (_what, reply) => {
    server.reply = serve(reply, answer(200, fiats));
    expect(await failureOf(gatewayAt(baseUrl).prices())).toBeInstanceOf(GatewayUnavailable);
  });
});

describe('a stored callback', () => {
  it('is read again without asking anybody', () => {
    const gateway = gatewayAt(baseUrl);
    expect(gateway.readCallback(sample('published-webhook-invoice-paid'))).toMatchObject({
      kind: 'payment',
      report: { trackId: '151811887' },
    });
    expect(gateway.readCallback(sample('published-webhook-payout-failed'))).toMatchObject({
      kind: 'payout',
      report: { trackId: '227652478', status: 'failed', txHash: null, description: 'Order #12345' },
    });
    expect(gateway.readCallback(Buffer.from('rubbish'))).toEqual({
      kind: 'unreadable',
      reason: 'not_json',
      trackId: null,
    });
    expect(server.received).toHaveLength(0);
  });
});

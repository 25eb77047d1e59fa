import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { apiKey, merchantKey, payoutKey, startTestService, until, type TestService } from '../support/service.js';
import { startGatewayDouble, type GatewayDouble } from './gateway-double.js';
import { acknowledged, kept, openPayment, stored, story, untouched, type OpenPayment } from './support.js';

const directory = new URL('../samples/oxapay/', import.meta.url);
const names = readdirSync(directory)
  .filter((name) => name.includes('-webhook-'))
  .sort();
const bytesOf = (name: string): Buffer => readFileSync(new URL(name, directory));
const payouts = names.filter((name) => name.includes('payout'));
const payments = names.filter((name) => !payouts.includes(name));
const vector = JSON.parse(bytesOf('vector-hmac-sha512-selfmade.json').toString()) as Record<string, string>;

let gateway: GatewayDouble;
let shop: TestService;

beforeAll(async () => {
  gateway = await startGatewayDouble();
  shop = await startTestService({ sandbox: false, gatewayPort: gateway.port });
});
afterAll(async () => {
  await shop.close();
  await gateway.close();
});

it('there are samples of every kind', () => {
  expect([payments.length, payouts.length]).toEqual([9, 3]);
});

describe('Each sample, byte for byte, when nothing is known of its payment', () => {
  const older = 'published-webhook-invoice-paying-older-without-sent_value.json';
  const newer = 'published-webhook-invoice-paying.json';

  it.each(payments.filter((name) => name !== newer))('%s is kept until its payment appears', async (name) => {
    const body = bytesOf(name);
    const before = await stored(shop.database.pool);
    expect(await shop.callback(body, { key: payoutKey })).toMatchObject({ status: 401 });
    expect(await stored(shop.database.pool)).toEqual(before);
    for (const receipts of [1, 2]) {
      expect(await shop.callback(body)).toEqual(acknowledged);
      expect(await kept(shop.database.pool, body)).toEqual([
        { status: 'unmatched', reason: 'unknown_track_id', receipts },
      ]);
    }
    expect(await stored(shop.database.pool)).toEqual({ ...before, messages: before.messages + 1 });
  });

  it(`${newer} says what ${older} says, and counts as its repeat`, async () => {
    const before = await stored(shop.database.pool);
    expect(await shop.callback(bytesOf(newer))).toEqual(acknowledged);
    expect(await kept(shop.database.pool, bytesOf(newer))).toEqual([]);
    expect(await kept(shop.database.pool, bytesOf(older))).toEqual([
      { status: 'unmatched', reason: 'unknown_track_id', receipts: 3 },
    ]);
    expect(await stored(shop.database.pool)).toEqual(before);
  });

  it.each(payouts)('%s is kept; it is about money that goes out', async (name) => {
    const body = bytesOf(name);
    const before = await stored(shop.database.pool);
    expect(await shop.callback(body, { key: merchantKey })).toMatchObject({ status: 401 });
    for (const receipts of [1, 2]) {
      expect(await shop.callback(body, { key: payoutKey })).toEqual(acknowledged);
      expect(await kept(shop.database.pool, body)).toEqual([{ status: 'unmatched', reason: 'payout', receipts }]);
    }
    expect(await stored(shop.database.pool)).toEqual({ ...before, messages: before.messages + 1 });
  });
});

describe('Each sample, byte for byte, when a payment of ours has its track id', () => {
  let known: TestService;
  beforeAll(async () => {
    known = await startTestService({ sandbox: false, gatewayPort: gateway.port });
  });
  afterAll(() => known.close());

  const opened = new Map<string, OpenPayment>();
  const openAs = async (body: Buffer): Promise<OpenPayment> => {
    const { track_id, amount, currency } = JSON.parse(body.toString()) as {
      track_id: string;
      amount: number;
      currency: string;
    };
    gateway.nextTrackId(JSON.stringify(track_id));
    const payment =
      opened.get(track_id) ?? (await openPayment(known, { amount: amount === 0 ? '25' : String(amount), currency }));
    opened.set(track_id, payment);
    return payment;
  };

  it.each(payments.filter((name) => !/donation|payment_link/.test(name)))(
    '%s names an order that is not ours: set aside, and the gateway asked',
    async (name) => {
      const body = bytesOf(name);
      const payment = await openAs(body);
      const before = await stored(known.database.pool);
      expect(await known.callback(body)).toEqual(acknowledged);
      expect(await kept(known.database.pool, body)).toEqual([
        { status: 'quarantined', reason: 'identity_mismatch', receipts: 1 },
      ]);
      expect(await stored(known.database.pool)).toEqual({ ...before, messages: before.messages + 1 });
      expect(await story(known.database.pool, payment.id)).toEqual(untouched);
      await until(() => Promise.resolve(gateway.asked.includes(payment.trackId)));
    },
  );

  it.each(payments.filter((name) => /donation|payment_link/.test(name)))(
    '%s names no order and fits: it takes effect',
    async (name) => {
      const body = bytesOf(name);
      const payment = await openAs(body);
      expect(await known.callback(body)).toEqual(acknowledged);
      expect(await kept(known.database.pool, body)).toEqual([{ status: 'applied', reason: null, receipts: 1 }]);
      expect(await story(known.database.pool, payment.id)).toEqual([
        ...untouched,
        'GatewayReported',
        'TransferDetected',
        'AmountAssessed',
        'PaymentPaid',
      ]);
      expect((await known.api('GET', `/v1/payments/${payment.id}`)).body).toMatchObject({
        status: 'paid',
        received: '25.00',
        fulfillable: false,
      });
    },
  );
});

it('the signed vector is verified with its own key and signature, and set aside: its transfer names no coin', async () => {
  const { raw_body = '', hmac: signature = '', key = '' } = vector;
  const own = await startTestService({
    sandbox: false,
    gatewayPort: gateway.port,
    database: shop.database,
    env: { OXAPAY_MERCHANT_API_KEY: key },
  });
  try {
    expect(await own.callback(raw_body, { headers: { hmac: signature } })).toEqual(acknowledged);
    expect(await kept(shop.database.pool, raw_body)).toEqual([
      { status: 'quarantined', reason: 'missing_field', receipts: 1 },
    ]);
    expect(await shop.callback(raw_body, { headers: { hmac: signature } })).toMatchObject({ status: 401 });
  } finally {
    await own.close();
  }
});

it('after all of it the service still serves and has logged no key', async () => {
  expect((await shop.api('GET', '/health/ready')).status).toBe(200);
  const lines = shop.logged.join('');
  expect(lines.includes('unexpected error')).toBe(false);
  for (const secret of [merchantKey, payoutKey, apiKey]) expect(lines.includes(secret)).toBe(false);
});

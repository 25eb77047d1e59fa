import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { HttpService } from '@nestjs/axios';
import axios from 'axios';
import { OxaPayGateway } from '../../src/gateway/oxapay.client.js';
import { instantFromMs } from '../../src/kernel/clock.js';
import {
  GatewayOutcomeUnknown,
  GatewayRefused,
  type CallbackSays,
  type PayoutRequest,
} from '../../src/payments/payment-gateway.js';
import { hmac, merchantKey, payoutKey, World } from './support.js';

let world: World;
let gateway: OxaPayGateway;
let order: PayoutRequest;

beforeEach(async () => {
  world = await new World().start();
  gateway = gatewayWith({});
  order = {
    address: 'TAddress',
    currency: 'USDT',
    network: 'Tron Network',
    amount: '10.123456789012345678',
    description: 'refund 0190a1b2',
    callbackUrl: world.callbackUrl,
  };
});
afterEach(async () => {
  gateway.onApplicationShutdown();
  await world.stop();
});

const gatewayWith = (keys: { payoutKey?: string }): OxaPayGateway =>
  new OxaPayGateway(new HttpService(axios.create()), {
    baseUrl: `${world.url}/v1`,
    merchantKey,
    payoutKey,
    userAgent: 'Finality/0.1.0',
    ...keys,
  });

const faults = (api: object, seed = '0') => world.control('/faults', { seed, api }, 'PUT');
const setStatus = (trackId: string, status: string) => world.control(`/payouts/${trackId}/status`, { status });

/** The payouts of the last hour with this description, as the service looks for one whose answer was lost. */
async function sentAs(description: string): Promise<string[]> {
  const now = Date.parse(world.clock.now());
  const { reports } = await gateway.listPayouts({
    from: instantFromMs(now - 3_600_000),
    to: instantFromMs(now + 1000),
    page: 1,
  });
  return reports.filter((report) => report.description === description).map(({ trackId }) => trackId);
}

const told = () => world.receiver.calls.map(({ body }) => reportIn(gateway.readCallback(body)));
const reportIn = (said: CallbackSays) => (said.kind === 'payout' ? said.report : null);

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (error: unknown) => error,
  );

describe('A payout that the service sends to the sandbox', () => {
  it('is found by its track id and by its description, with the amount to the last digit', async () => {
    const { trackId } = await gateway.sendPayout({ ...order, memo: '104' });
    expect(await gateway.findPayout(trackId)).toEqual({
      trackId,
      status: 'processing',
      amount: '10.123456789012345678',
      currency: 'USDT',
      network: 'Tron Network',
      address: 'TAddress',
      fee: '1',
      txHash: null,
      description: 'refund 0190a1b2',
      createdAt: expect.any(String),
    });
    expect(await sentAs('refund 0190a1b2')).toEqual([trackId]);
    expect(await sentAs('refund 0190')).toEqual([]);
    expect(await gateway.findPayout('1')).toBeNull();
  });

  it('goes on chain and is done: the callbacks say so under the payout key, and so does the gateway', async () => {
    const { trackId } = await gateway.sendPayout(order);
    await world.advance(150);
    expect(told()).toMatchObject([
      { trackId, status: 'confirming', description: 'refund 0190a1b2' },
      { trackId, status: 'confirmed', description: 'refund 0190a1b2' },
    ]);
    for (const { body, headers } of world.receiver.calls) expect(headers['hmac']).toBe(hmac(body, payoutKey));
    const [, last] = told();
    // The fee is in answers only.
    expect(await gateway.findPayout(trackId)).toEqual({ ...last, fee: '1' });
  });

  it.each(['failed', 'rejected', 'canceled'] as const)('ends %s, without a transaction', async (status) => {
    const { trackId } = await gateway.sendPayout(order);
    await setStatus(trackId, status);
    await world.advance(86_400);
    expect(told()).toMatchObject([{ trackId, status, txHash: null }]);
    expect(await gateway.findPayout(trackId)).toMatchObject({ status, txHash: null });
  });

  it.each<[string, Partial<PayoutRequest>, string]>([
    ['a network that the coin does not live on', { network: 'Bitcoin Network' }, 'network'],
    ['a coin that nobody knows', { currency: 'NOPE' }, 'currency'],
    ['an amount of nothing', { amount: '0' }, 'amount'],
  ])('is refused for %s, and is not there', async (_what, change, field) => {
    const failure = await failureOf(gateway.sendPayout({ ...order, ...change }));
    expect(failure).toBeInstanceOf(GatewayRefused);
    expect(failure).toMatchObject({ httpStatus: 400, field });
    expect(await sentAs(order.description)).toEqual([]);
  });

  it('is refused under a wrong key', async () => {
    const stranger = gatewayWith({ payoutKey: merchantKey });
    const failure = await failureOf(stranger.sendPayout(order));
    stranger.onApplicationShutdown();
    expect(failure).toBeInstanceOf(GatewayRefused);
    expect(failure).toMatchObject({ httpStatus: 401 });
  });

  // Which requests a time-out lets take effect is the seed's to say; these two decide so for the first one.
  it.each<[string, object, string, number]>([
    ['an error', { errorRate: 1, status: 500 }, '0', 0],
    ['a time-out before it took effect', { timeoutRate: 1, timeoutMs: 1 }, '0', 0],
    ['a time-out after it took effect', { timeoutRate: 1, timeoutMs: 1 }, '1', 1],
    ['an answer that cannot be read', { malformedRate: 1 }, '0', 1],
  ])('whose answer was lost to %s: it may exist, and the list of payouts tells', async (_what, api, seed, sent) => {
    await faults({ ...api, only: 'POST /payout' }, seed);
    expect(await sentAs(order.description)).toEqual([]);
    expect(await failureOf(gateway.sendPayout(order))).toBeInstanceOf(GatewayOutcomeUnknown);
    expect(await sentAs(order.description)).toHaveLength(sent);
  });
});

describe('Prices of the sandbox', () => {
  it("are dollars for one unit, of coins and of states' currencies", async () => {
    const prices = await gateway.prices();
    expect(['BTC', 'SHIB', 'EUR', 'JPY', 'KWD', 'USD'].map((symbol) => prices.get(symbol))).toEqual([
      '100000',
      '0.00001',
      '1.1',
      '0.0065',
      '3.25',
      '1',
    ]);
  });
});

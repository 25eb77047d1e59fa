import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { HttpService } from '@nestjs/axios';
import { Logger } from '@nestjs/common';
import axios from 'axios';
import { OxaPayGateway } from '../../src/gateway/oxapay.client.js';
import {
  GatewayOutcomeUnknown,
  GatewayRefused,
  GatewayUnavailable,
  type InvoiceRequest,
} from '../../src/payments/payment-gateway.js';
import { GatewayServer } from './gateway-server.js';
import { sample } from './samples.js';

const callbackUrl = 'https://shop.example/callbacks/oxapay';
const reference = '0190a1b2-0000-7000-8000-000000000001';
const wish: InvoiceRequest = {
  orderId: reference,
  amount: '49.90',
  currency: 'USD',
  lifetimeMinutes: 30,
  underPaidCoverage: '1.5',
  feePaidByPayer: false,
  mixedPayment: true,
  callbackUrl,
  returnUrl: 'https://shop.example/thanks',
  payWith: { currency: 'XRP', network: null },
};
/** As SDKs and the documentation's field list describe it (oxapay/contract.md, 2.2); no capture is known. */
const whiteLabel = {
  track_id: '300000001',
  pay_amount: 15.5,
  pay_currency: 'xrp',
  network: 'Ripple Network',
  address: 'rExampleAddressNotForUse0000000000',
  memo: 4218806,
  expired_at: 1760001800,
};
const envelope = (data: unknown, status = 200): string =>
  JSON.stringify({ data, message: '', error: status === 200 ? {} : { key: 'network', message: 'invalid' }, status });

describe('Addresses at the gateway', () => {
  let server: GatewayServer;
  let gateway: OxaPayGateway;
  const answers = (status: number, body: string | Buffer): void => {
    server.reply = (response) => response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  };

  beforeEach(async () => {
    Logger.overrideLogger(false);
    server = new GatewayServer();
    gateway = new OxaPayGateway(new HttpService(axios.create()), {
      baseUrl: `${await server.start()}/v1`,
      merchantKey: 'MERCHA-NTKEY0-CANARY-000001',
      payoutKey: 'PAYOUT-KEY000-CANARY-000002',
      userAgent: 'Finality/0.1.0',
      pauseMs: 2,
    });
  });
  afterEach(async () => {
    gateway.onApplicationShutdown();
    await server.stop();
  });

  it('are asked for with an invoice of one coin: every digit is kept, and a tag may be a number', async () => {
    answers(200, envelope(whiteLabel).replace('15.5', '15.593750000000000001'));
    expect(await gateway.openInvoice(wish)).toEqual({
      trackId: '300000001',
      paymentUrl: null,
      expiresAt: '2025-10-09T09:23:20.000Z',
      payTo: {
        address: 'rExampleAddressNotForUse0000000000',
        memo: '4218806',
        network: 'Ripple Network',
        currency: 'XRP',
        amount: '15.593750000000000001',
      },
    });
    const [sent] = server.received;
    expect([sent?.method, sent?.url]).toEqual(['POST', '/v1/payment/white-label']);
    expect(sent?.body).toBe(
      `{"amount":49.90,"currency":"USD","pay_currency":"XRP","lifetime":30,"fee_paid_by_payer":0,"under_paid_coverage":1.5,"callback_url":"${callbackUrl}","order_id":"${reference}"}`,
    );
  });

  it.each([
    ['address', undefined],
    ['address', ''],
    ['network', null],
    ['pay_amount', 0],
    ['pay_amount', '1e400'],
    ['expired_at', 0],
    ['track_id', ''],
  ])('are not believed where %s is %j: whether there is one is unknown then', async (member, value) => {
    answers(200, envelope({ ...whiteLabel, [member]: value }));
    await expect(gateway.openInvoice(wish)).rejects.toBeInstanceOf(GatewayOutcomeUnknown);
  });

  it('that stay are made by network, and need a track id and an address', async () => {
    answers(200, envelope({ track_id: 133830568, network: 'Ethereum Network', address: '0x71E2', memo: '', date: 1 }));
    expect(await gateway.openAddress({ reference, network: 'ETH', callbackUrl })).toEqual({
      trackId: '133830568',
      address: '0x71E2',
      memo: null,
      network: 'Ethereum Network',
    });
    expect(server.received[0]?.url).toBe('/v1/payment/static-address');
    expect(server.received[0]?.body).toBe(
      `{"network":"ETH","callback_url":"${callbackUrl}","order_id":"${reference}"}`,
    );
    // The example that the documentation prints has neither.
    answers(200, sample('published-api-generate-static-address-doc-example-WRONG'));
    const lost = gateway.openAddress({ reference, network: 'TRON', callbackUrl });
    await expect(lost).rejects.toBeInstanceOf(GatewayOutcomeUnknown);
    answers(400, envelope({}, 400));
    const refused = gateway.openAddress({ reference, network: 'NONE', callbackUrl });
    await expect(refused).rejects.toBeInstanceOf(GatewayRefused);
  });

  it('are ended by address and network; one that is not there counts as ended, a silent gateway does not', async () => {
    const ended = { address: '0x71E2', network: 'ETH' };
    answers(200, sample('published-api-revoke-static-address'));
    await gateway.revokeAddress(ended);
    expect(server.received[0]?.body).toBe('{"address":"0x71E2","network":"ETH"}');
    answers(404, envelope({}, 404));
    await gateway.revokeAddress(ended);
    answers(503, envelope({}, 503));
    await expect(gateway.revokeAddress(ended)).rejects.toBeInstanceOf(GatewayUnavailable);
  });

  it('are gone only where the list is empty: a list of others says that the filter was passed over', async () => {
    answers(200, sample('published-api-static-address-list-first-row'));
    expect(await gateway.hasAddress('133830568')).toBe(true);
    expect(server.received[0]?.url).toBe('/v1/payment/static-address?track_id=133830568&size=200&page=1');
    expect(await gateway.hasAddress('999')).toBe(true);
    answers(200, envelope({ list: [], meta: { page: 1, last_page: 1, total: 0 } }));
    expect(await gateway.hasAddress('133830568')).toBe(false);
    answers(500, 'oops');
    await expect(gateway.hasAddress('133830568')).rejects.toBeInstanceOf(GatewayUnavailable);
  });
});

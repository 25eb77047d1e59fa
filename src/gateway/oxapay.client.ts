import type { HttpService } from '@nestjs/axios';
import type { Registry } from 'prom-client';

import { msOf, type Instant } from '../kernel/clock.js';
import type { LosslessJson } from '../kernel/json.js';
import {
  GatewayRefused,
  GatewayUnavailable,
  type AddressRequest,
  type OpenedAddress,
  PaymentGateway,
  type CallbackSays,
  type CallbackSignature,
  type GatewayReport,
  type InvoiceRequest,
  type OpenedInvoice,
  type PayoutPage,
  type PayoutReport,
  type PayoutRequest,
  type ReportPage,
} from '../payments/payment-gateway.js';
import { maySpeak, saidIn } from './callback.js';
import {
  readAddress,
  readAddressIds,
  readCurrencies,
  readInvoice,
  readPaymentPage,
  readPayoutPage,
  readSentPayout,
  readWhiteLabel,
} from './answers.js';
import { Exchange, type Call, type OxaPayOptions } from './exchange.client.js';
import { isId, WireError } from './fields.js';
import { GatewayMetrics, type GatewayOperation } from './gateway-metrics.js';
import { addressBody, invoiceBody, objectText, whiteLabelBody } from './invoice-request.js';
import { payoutBody } from './payout-request.js';
import { pricesOf, readCoinPrices, readFiatPrices } from './prices.js';
import type { BreakerState, KeyName } from './resilience.client.js';
import { verifyCallback } from './signature.js';
import { readCallback, readPayment, readPayout } from './wire.js';

/** All keys that callbacks may be signed with, several of a kind while keys are being rotated. */
interface CallbackKeys {
  merchant: readonly string[];
  payout: readonly string[];
}

/** OxaPay behind the port: which of its routes answers what (REST v1; docs.oxapay.com). */
export class OxaPayGateway extends PaymentGateway {
  private readonly exchange: Exchange;
  private readonly callbackKeys: CallbackKeys;

  /** A `registry` gets what is measured of the gateway. */
  constructor(http: HttpService, options: OxaPayOptions & { callbackKeys?: CallbackKeys }, registry?: Registry) {
    super();
    const metrics = registry ? new GatewayMetrics(registry, () => this.breakers()) : null;
    this.exchange = new Exchange(http, options, metrics);
    // Those that requests carry sign callbacks in any case.
    this.callbackKeys = options.callbackKeys ?? { merchant: [options.merchantKey], payout: [options.payoutKey] };
  }

  /** Called by Nest first of all: what works in the background is waited for next. */
  onModuleDestroy(): void {
    this.exchange.hurry();
  }

  /** Closes the connections that are kept open; called by Nest at shutdown. */
  onApplicationShutdown(): void {
    this.exchange.close();
  }

  /** Whether requests are sent, by the key that they carry. */
  breakers(): Record<KeyName, BreakerState> {
    return this.exchange.state();
  }

  override async openInvoice(request: InvoiceRequest): Promise<OpenedInvoice> {
    const { payWith } = request;
    const call: Call = {
      operation: 'open_invoice',
      method: 'POST',
      key: 'merchant_api_key',
      ...(payWith
        ? { path: '/payment/white-label', body: whiteLabelBody(request, payWith) }
        : { path: '/payment/invoice', body: invoiceBody(request) }),
    };
    return this.exchange.once(call, 'invoice', payWith ? readWhiteLabel : readInvoice);
  }

  override async openAddress(request: AddressRequest): Promise<OpenedAddress> {
    const body = addressBody(request);
    const path = '/payment/static-address';
    const call: Call = { operation: 'open_address', method: 'POST', path, key: 'merchant_api_key', body };
    return this.exchange.once(call, 'address', readAddress);
  }

  override async revokeAddress({ address, network }: { address: string; network: string }): Promise<void> {
    const body = objectText([
      ['address', JSON.stringify(address)],
      ['network', JSON.stringify(network)],
    ]);
    const path = '/payment/static-address/revoke';
    const call: Call = { operation: 'revoke_address', method: 'POST', path, key: 'merchant_api_key', body };
    try {
      await this.exchange.once(call, 'revocation', () => undefined);
    } catch (error) {
      if (!(error instanceof GatewayRefused && error.httpStatus === 404)) throw error;
    }
  }

  override async hasAddress(trackId: string): Promise<boolean> {
    // The default size is 1.
    const query = new URLSearchParams({ track_id: trackId, size: '200', page: '1' }).toString();
    const path = `/payment/static-address?${query}`;
    const listed = await this.list('list_addresses', path, 'merchant_api_key', readAddressIds);
    // An empty list says that it is gone; one of others only says that the gateway passed over the filter.
    return listed.includes(trackId) || listed.length > 0;
  }

  override async sendPayout(request: PayoutRequest): Promise<{ trackId: string }> {
    const body = payoutBody(request);
    const call: Call = { operation: 'send_payout', method: 'POST', path: '/payout', key: 'payout_api_key', body };
    return this.exchange.once(call, 'payout', readSentPayout);
  }

  /**
   * Built like the address of an earlier invoice: it holds the merchant's number
   * (`https://pay.oxapay.com/<number>/<track id>`), which nothing but such an answer tells.
   */
  override paymentUrl(trackId: string, earlier: { trackId: string; paymentUrl: string } | null): string | null {
    if (!earlier?.paymentUrl.endsWith(`/${earlier.trackId}`) || !isId(trackId)) return null;
    return earlier.paymentUrl.slice(0, -earlier.trackId.length) + trackId;
  }

  override readCallback(body: Buffer): CallbackSays {
    return saidIn(readCallback(body));
  }

  override signatureOf(body: Buffer, headers: Readonly<Record<string, string>> | null): CallbackSignature {
    const signer = verifyCallback(body, headers?.['hmac'], this.callbackKeys);
    return { signer, fits: signer !== null && maySpeak(signer, readCallback(body)) };
  }

  override findPayment(trackId: string): Promise<GatewayReport | null> {
    return this.find({ operation: 'find_payment', path: '/payment', key: 'merchant_api_key' }, trackId, readPayment);
  }

  override findPayout(trackId: string): Promise<PayoutReport | null> {
    return this.find({ operation: 'find_payout', path: '/payout', key: 'payout_api_key' }, trackId, readPayout);
  }

  override listPayments(query: { from: Instant; to: Instant; page: number }): Promise<ReportPage> {
    return this.list('list_payments', `/payment?${pageQuery(query)}`, 'merchant_api_key', readPaymentPage);
  }

  override listPayouts(query: { from: Instant; to: Instant; page: number }): Promise<PayoutPage> {
    return this.list('list_payouts', `/payout?${pageQuery(query)}`, 'payout_api_key', readPayoutPage);
  }

  override acceptedCurrencies(): Promise<string[]> {
    return this.list('accepted_currencies', '/payment/accepted-currencies', 'merchant_api_key', readCurrencies);
  }

  /** States' currencies are left out where their list cannot be had: coins are priced all the same. */
  override async prices(): Promise<ReadonlyMap<string, string>> {
    const [coins, fiats] = await Promise.all([
      this.list('prices', '/common/prices', null, readCoinPrices),
      this.list('prices', '/common/fiats', null, readFiatPrices).catch(noneWhereUnavailable),
    ]);
    return pricesOf(coins, fiats);
  }

  private async find<T extends { trackId: string }>(
    { operation, path, key }: Omit<Call, 'method'>,
    trackId: string,
    read: (data: LosslessJson | undefined) => T,
  ): Promise<T | null> {
    // Such an id would change the path, and the gateway gives out none like it.
    if (!isId(trackId)) return null;
    return this.exchange.ask({ operation, method: 'GET', path: `${path}/${trackId}`, key }, (data) => {
      const report = read(data);
      if (report.trackId !== trackId) throw new WireError('wrong_type', 'track_id');
      return report;
    });
  }

  private async list<T>(
    operation: GatewayOperation,
    path: string,
    key: Call['key'],
    read: (data: LosslessJson | undefined) => T,
  ): Promise<T> {
    const answer = await this.exchange.ask({ operation, method: 'GET', path, key }, read);
    if (answer === null) throw new GatewayUnavailable('OxaPay does not know the list (404)');
    return answer;
  }
}

function noneWhereUnavailable(error: unknown): ReadonlyMap<string, string> {
  if (error instanceof GatewayUnavailable) return new Map();
  throw error;
}

const pageQuery = (query: { from: Instant; to: Instant; page: number }): string =>
  new URLSearchParams({
    from_date: String(Math.floor(msOf(query.from) / 1000)),
    to_date: String(Math.ceil(msOf(query.to) / 1000)),
    sort_by: 'create_date',
    sort_type: 'asc',
    // Always sent: the default is 10, and 200 the most.
    size: '200',
    page: String(query.page),
  }).toString();

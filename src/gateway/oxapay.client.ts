import { setTimeout as delay } from 'node:timers/promises';

import type { HttpService } from '@nestjs/axios';
import { AxiosError, type AxiosRequestConfig } from 'axios';

import { msOf, type Instant } from '../kernel/clock.js';
import type { LosslessJson } from '../kernel/json.js';
import {
  GatewayOutcomeUnknown,
  GatewayRefused,
  GatewayUnavailable,
  PaymentGateway,
  type GatewayReport,
  type InvoiceRequest,
  type OpenedInvoice,
  type PayoutPage,
  type PayoutReport,
  type ReportPage,
} from '../payments/payment-gateway.js';
import {
  judge,
  maxAnswerBytes,
  readCurrencies,
  readInvoice,
  readPaymentPage,
  readPayoutPage,
  type Verdict,
} from './answers.js';
import { connectionTo, type Connection } from './connection.client.js';
import { isId, WireError } from './fields.js';
import { invoiceBody } from './invoice-request.js';
import { readCallback, readPayment, readPayout } from './wire.js';

export interface OxaPayOptions {
  /** Up to and including the version, e.g. `https://api.oxapay.com/v1`. */
  baseUrl: string;
  merchantKey: string;
  payoutKey: string;
  /** Without a name of its own a client may be taken for a bot by the gateway's front. */
  userAgent: string;
  /** Time to get a connection, milliseconds; 3000. */
  connectMs?: number;
  /** Time for a question with all its repetitions, milliseconds; 10000. */
  readMs?: number;
  /** Time for the making of an invoice, milliseconds; 8000. */
  createMs?: number;
  /** Mean waits before each repetition of a question, milliseconds; 250 and 1000. */
  retryDelaysMs?: readonly number[];
}

/** A longer `Retry-After` ends the question; whoever asked is told how long. */
const longestWaitMs = 3000;
const longestRetryAfterSeconds = 86_400;

interface Call {
  method: 'GET' | 'POST';
  path: string;
  key: 'merchant_api_key' | 'payout_api_key';
  body?: string;
}

interface Answer {
  verdict: Verdict;
  retryAfterSeconds: number | null;
}

type Attempt<T> = { value: T | null } | { error: GatewayUnavailable; again: boolean };

/**
 * OxaPay behind the port (REST v1; docs.oxapay.com). Questions are repeated while the gateway is unavailable; the
 * making of an invoice never is. No redirect is followed, for the headers carry the key. No error that leaves here
 * holds a key, a header or a body.
 */
export class OxaPayGateway extends PaymentGateway {
  private readonly options: Required<OxaPayOptions>;
  private readonly questions: Connection;

  constructor(
    private readonly http: HttpService,
    options: OxaPayOptions,
  ) {
    super();
    const defaults = { connectMs: 3000, readMs: 10_000, createMs: 8000, retryDelaysMs: [250, 1000] };
    this.options = { ...defaults, ...options, baseUrl: options.baseUrl.replace(/\/+$/, '') };
    this.questions = connectionTo(this.options.baseUrl, { keepAlive: true, connectMs: this.options.connectMs });
  }

  /** Closes the connections that are kept open; called by Nest at shutdown. */
  onApplicationShutdown(): void {
    this.questions.agent.destroy();
  }

  override async openInvoice(request: InvoiceRequest): Promise<OpenedInvoice> {
    const call: Call = {
      method: 'POST',
      path: '/payment/invoice',
      key: 'merchant_api_key',
      body: invoiceBody(request),
    };
    // A fresh connection each time: on a kept one, a reset cannot be told from an answer that was lost.
    const connection = connectionTo(this.options.baseUrl, { keepAlive: false, connectMs: this.options.connectMs });
    try {
      return this.openedInvoice(await this.send(call, connection, this.options.createMs));
    } catch (error) {
      if (isOfThePort(error)) throw error;
      const reason = this.reasonOf(error);
      if (!connection.stood()) throw new GatewayUnavailable(`OxaPay could not be reached: ${reason}`);
      throw new GatewayOutcomeUnknown(`OxaPay may have made the invoice: ${reason}`);
    } finally {
      connection.agent.destroy();
    }
  }

  /**
   * Built like the address of an earlier invoice: it holds the merchant's number
   * (`https://pay.oxapay.com/<number>/<track id>`), which nothing but such an answer tells.
   */
  override paymentUrl(trackId: string, earlier: { trackId: string; paymentUrl: string } | null): string | null {
    if (!earlier?.paymentUrl.endsWith(`/${earlier.trackId}`) || !isId(trackId)) return null;
    return earlier.paymentUrl.slice(0, -earlier.trackId.length) + trackId;
  }

  override readCallback(body: Buffer): GatewayReport | null {
    const reading = readCallback(body);
    return reading.kind === 'payment' ? reading.report : null;
  }

  private openedInvoice({ verdict, retryAfterSeconds }: Answer): OpenedInvoice {
    switch (verdict.kind) {
      case 'ok':
        return readInvoice(verdict.data);
      case 'refused':
        throw new GatewayRefused(verdict.status, verdict.field, this.refusalText(verdict));
      case 'busy':
        throw new GatewayUnavailable(`OxaPay takes no invoices now (${verdict.status})`, retryAfterSeconds);
      case 'failed':
        throw new GatewayOutcomeUnknown(`OxaPay may have made the invoice: ${verdict.reason}`);
    }
  }

  override findPayment(trackId: string): Promise<GatewayReport | null> {
    return this.find('/payment', 'merchant_api_key', trackId, readPayment);
  }

  override findPayout(trackId: string): Promise<PayoutReport | null> {
    return this.find('/payout', 'payout_api_key', trackId, readPayout);
  }

  override listPayments(query: { from: Instant; to: Instant; page: number }): Promise<ReportPage> {
    return this.list(`/payment?${pageQuery(query)}`, 'merchant_api_key', readPaymentPage);
  }

  override listPayouts(query: { from: Instant; to: Instant; page: number }): Promise<PayoutPage> {
    return this.list(`/payout?${pageQuery(query)}`, 'payout_api_key', readPayoutPage);
  }

  override acceptedCurrencies(): Promise<string[]> {
    return this.list('/payment/accepted-currencies', 'merchant_api_key', readCurrencies);
  }

  private async find<T extends { trackId: string }>(
    path: string,
    key: Call['key'],
    trackId: string,
    read: (data: LosslessJson | undefined) => T,
  ): Promise<T | null> {
    // Such an id would change the path, and the gateway gives out none like it.
    if (!isId(trackId)) return null;
    return this.ask({ method: 'GET', path: `${path}/${trackId}`, key }, (data) => {
      const report = read(data);
      if (report.trackId !== trackId) throw new WireError('wrong_type', 'track_id');
      return report;
    });
  }

  private async list<T>(path: string, key: Call['key'], read: (data: LosslessJson | undefined) => T): Promise<T> {
    const answer = await this.ask({ method: 'GET', path, key }, read);
    if (answer === null) throw new GatewayUnavailable('OxaPay does not know the list (404)');
    return answer;
  }

  /** Asks until there is an answer, the repetitions are used up or the time is; null is the gateway's 404. */
  private async ask<T>(call: Call, read: (data: LosslessJson | undefined) => T): Promise<T | null> {
    const end = performance.now() + this.options.readMs;
    for (let attempt = 0; ; attempt++) {
      const outcome = await this.tryOnce(call, read, end - performance.now());
      if ('value' in outcome) return outcome.value;
      const mean = this.options.retryDelaysMs[attempt];
      if (!outcome.again || mean === undefined) throw outcome.error;
      const wait = waitMs(mean, outcome.error.retryAfterSeconds);
      if (wait > longestWaitMs || wait >= end - performance.now()) throw outcome.error;
      await delay(wait);
    }
  }

  private async tryOnce<T>(
    call: Call,
    read: (data: LosslessJson | undefined) => T,
    timeMs: number,
  ): Promise<Attempt<T>> {
    try {
      const { verdict, retryAfterSeconds } = await this.send(call, this.questions, timeMs);
      switch (verdict.kind) {
        case 'ok':
          return { value: read(verdict.data) };
        case 'refused':
          if (verdict.status === 404) return { value: null };
          return { error: new GatewayUnavailable(this.refusalText(verdict)), again: false };
        case 'busy':
          return {
            error: new GatewayUnavailable(`OxaPay is busy (${verdict.status})`, retryAfterSeconds),
            again: true,
          };
        case 'failed':
          return { error: new GatewayUnavailable(`OxaPay did not answer: ${verdict.reason}`), again: true };
      }
    } catch (error) {
      return { error: new GatewayUnavailable(`OxaPay did not answer: ${this.reasonOf(error)}`), again: true };
    }
  }

  private async send(call: Call, connection: Connection, timeMs: number): Promise<Answer> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), Math.max(1, timeMs));
    try {
      const response = await this.http.axiosRef.request<Uint8Array>({
        ...this.requestOf(call),
        httpAgent: connection.agent,
        httpsAgent: connection.agent,
        signal: abort.signal,
      });
      const retryAfter: unknown = response.headers['retry-after'];
      return {
        verdict: judge(response.status, response.data),
        retryAfterSeconds: typeof retryAfter === 'string' ? secondsOf(retryAfter) : null,
      };
    } finally {
      clearTimeout(timer);
    }
  }

  private requestOf(call: Call): AxiosRequestConfig {
    return {
      method: call.method,
      url: `${this.options.baseUrl}${call.path}`,
      ...(call.body === undefined ? {} : { data: call.body }),
      headers: this.headers(call.key),
      proxy: false,
      maxRedirects: 0,
      maxContentLength: maxAnswerBytes,
      // Bytes, and nothing done to them: axios would drop a byte order mark and mend broken UTF-8.
      responseType: 'arraybuffer',
      transformRequest: [(body: unknown) => body],
      transformResponse: [(body: unknown) => body],
      validateStatus: () => true,
    };
  }

  private headers(key: Call['key']): Record<string, string> {
    return {
      [key]: key === 'merchant_api_key' ? this.options.merchantKey : this.options.payoutKey,
      Accept: 'application/json',
      // Asked for on GET too.
      'Content-Type': 'application/json',
      'User-Agent': this.options.userAgent,
    };
  }

  private refusalText({ status, field, message }: { status: number; field: string | null; message: string }): string {
    let text = `OxaPay refused (${status})${field === null ? '' : ` ${field}`}${message === '' ? '' : `: ${message}`}`;
    for (const key of [this.options.merchantKey, this.options.payoutKey]) {
      if (key !== '') text = text.replaceAll(key, '[key]');
    }
    return text;
  }

  /** A word for the log. Never the error's own text or cause: axios hangs the whole request on it, keys included. */
  private reasonOf(error: unknown): string {
    if (error instanceof WireError) return `bad_response (${error.message})`;
    if (!(error instanceof AxiosError)) throw error;
    return error.code === AxiosError.ERR_CANCELED ? 'no answer in time' : (error.code ?? 'no connection');
  }
}

const isOfThePort = (error: unknown): boolean =>
  error instanceof GatewayRefused || error instanceof GatewayUnavailable || error instanceof GatewayOutcomeUnknown;

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

/** Half to one and a half times the mean, so that callers who failed together do not return together. */
const waitMs = (mean: number, retryAfterSeconds: number | null): number =>
  retryAfterSeconds === null ? mean * (0.5 + Math.random()) : retryAfterSeconds * 1000;

/** `Retry-After` (RFC 9110 §10.2.3), seconds or a date, as seconds from now; null for rubbish and for the past. */
function secondsOf(retryAfter: string): number | null {
  const seconds = /^[0-9]{1,9}$/.test(retryAfter)
    ? parseInt(retryAfter, 10)
    : (Date.parse(retryAfter) - Date.now()) / 1000;
  return seconds >= 0 ? Math.min(Math.ceil(seconds), longestRetryAfterSeconds) : null;
}

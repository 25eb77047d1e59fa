import type { HttpService } from '@nestjs/axios';
import { Logger } from '@nestjs/common';
import { SpanKind } from '@opentelemetry/api';
import { AxiosError, type AxiosRequestConfig } from 'axios';

import type { LosslessJson } from '../kernel/json.js';
import { inSpan } from '../platform/spans.js';
import {
  GatewayDenies,
  GatewayNotAsked,
  GatewayOutcomeUnknown,
  GatewayRefused,
  GatewayUnavailable,
} from '../payments/payment-gateway.js';
import { judge, maxAnswerBytes, type Verdict } from './answers.js';
import { connectionTo, type Connection } from './connection.client.js';
import { WireError } from './fields.js';
import type { GatewayMetrics, GatewayOperation } from './gateway-metrics.js';
import { Breaker, Outcome, repeated, type BreakerState, type KeyName, type Told } from './resilience.client.js';

export interface OxaPayOptions {
  /** Up to and including the version, e.g. `https://api.oxapay.com/v1`. */
  baseUrl: string;
  merchantKey: string;
  payoutKey: string;
  /** Without a name of its own a client may be taken for a bot by the gateway's front. */
  userAgent: string;
  /** Time to get a connection, milliseconds; 3000. */
  connectMs?: number;
  /** Time for one request of a question, to the last byte of its answer, milliseconds; 10000. */
  requestMs?: number;
  /** Time for a question with all its repetitions, milliseconds; 15000. The wait for its turns is not counted. */
  readMs?: number;
  /** Time for what is asked for once, the making of an invoice or a payout, milliseconds; 8000. */
  createMs?: number;
  /** How often a question is asked; 3. */
  tries?: number;
  /** About the wait before a question is repeated, milliseconds; 250. The next one is longer. */
  pauseMs?: number;
  /** How long the gateway is left alone where requests to it keep failing, milliseconds; 30000. */
  breakerOpenMs?: number;
  /** Whose turn it is to ask; without one, questions are asked at once. */
  budget?: Turns;
}

/** How fast questions may be asked. */
interface Turns {
  /** Resolves when a request may be sent. Throws, with a message that is fit for a log, where none may. */
  take(): Promise<void>;
  /** Makes the turns come more slowly for a while. */
  slowDown(): Promise<void>;
  /** Turns away whoever would have to wait. */
  stop(): void;
}

const longestRetryAfterSeconds = 86_400;
/** So many answers in a row that cannot be read are told as an error: the gateway's interface may have changed. */
const unreadableInARow = 5;

export interface Call {
  operation: GatewayOperation;
  method: 'GET' | 'POST';
  path: string;
  /** The header that carries the key; null where none is asked for. */
  key: 'merchant_api_key' | 'payout_api_key' | null;
  body?: string;
}

type Read<T> = (data: LosslessJson | undefined) => T;

const keyNames = { merchant_api_key: 'merchant', payout_api_key: 'payout' } as const;
const keyNameOf = ({ key }: Call): KeyName => (key === null ? 'none' : keyNames[key]);

const defaults = {
  connectMs: 3000,
  requestMs: 10_000,
  readMs: 15_000,
  createMs: 8000,
  tries: 3,
  pauseMs: 250,
  breakerOpenMs: 30_000,
  budget: { take: () => Promise.resolve(), slowDown: () => Promise.resolve(), stop: () => undefined },
};

/**
 * Requests to OxaPay (REST v1; docs.oxapay.com) and what became of each, in the port's words. Questions are repeated
 * while the gateway is unavailable; what has an effect there never is. Where requests keep failing, none is sent for a
 * while. No redirect is followed, for the headers carry the key. No error that leaves here holds a key, a header or a
 * body.
 */
export class Exchange {
  private readonly log = new Logger(Exchange.name);
  private readonly options: Required<OxaPayOptions>;
  private readonly questions: Connection;
  private readonly breakers: Readonly<Record<KeyName, Breaker>>;
  private unreadable = 0;

  constructor(
    private readonly http: HttpService,
    options: OxaPayOptions,
    private readonly metrics: GatewayMetrics | null = null,
  ) {
    this.options = { ...defaults, ...options, baseUrl: options.baseUrl.replace(/\/+$/, '') };
    const { baseUrl, connectMs, breakerOpenMs } = this.options;
    this.questions = connectionTo(baseUrl, { keepAlive: true, connectMs });
    const breaker = (key: KeyName): Breaker => new Breaker(key, breakerOpenMs);
    this.breakers = { merchant: breaker('merchant'), payout: breaker('payout'), none: breaker('none') };
  }

  /** From now on no question waits for its turn: those that would have to are not asked. */
  hurry(): void {
    this.options.budget.stop();
  }

  /** Closes the connections that are kept open. */
  close(): void {
    this.questions.agent.destroy();
  }

  /** Whether requests are sent, by the key that they carry: one that is refused stops no other. */
  state(): Record<KeyName, BreakerState> {
    const { merchant, payout, none } = this.breakers;
    return { merchant: merchant.state, payout: payout.state, none: none.state };
  }

  /**
   * Sends a request that has an effect, once. `thing` names the effect in what is thrown: `GatewayRefused`,
   * `GatewayUnavailable` (surely no effect) or `GatewayOutcomeUnknown`.
   */
  async once<T>(call: Call, thing: string, read: Read<T>): Promise<T> {
    const { baseUrl, connectMs, createMs } = this.options;
    // A fresh connection each time: on a kept one, a reset cannot be told from an answer that was lost.
    const connection = connectionTo(baseUrl, { keepAlive: false, connectMs });
    try {
      const { told } = await this.breakers[keyNameOf(call)].run(() => this.send(call, connection, createMs, read));
      if (told.kind === 'held') this.metrics?.skipped('breaker');
      switch (told.kind) {
        case 'ok':
          return told.value;
        case 'refused':
          throw new GatewayRefused(told.status, told.field, this.refusalText(told));
        case 'busy':
          throw new GatewayUnavailable(`OxaPay takes no ${thing} now (${told.status})`, told.retryAfterSeconds);
        case 'held':
          throw new GatewayUnavailable(told.reason, told.retryAfterSeconds);
        case 'failed':
          if (!connection.stood()) throw new GatewayUnavailable(`OxaPay could not be reached: ${told.reason}`);
          throw new GatewayOutcomeUnknown(`OxaPay may have made the ${thing}: ${told.reason}`);
      }
    } finally {
      connection.agent.destroy();
    }
  }

  /**
   * Asks until there is an answer, the repetitions are used up or the time is; null is the gateway's 404. Throws
   * `GatewayUnavailable`.
   */
  async ask<T>(call: Call, read: Read<T>): Promise<T | null> {
    const { readMs, requestMs, tries, pauseMs } = this.options;
    const breaker = this.breakers[keyNameOf(call)];
    let end = performance.now() + readMs;
    const leftMs = (): number => end - performance.now();
    const attempt = async (): Promise<Outcome<T>> => {
      const held = breaker.held();
      if (held) return held;
      const began = performance.now();
      await this.turn();
      const waitedMs = performance.now() - began;
      this.metrics?.waited(waitedMs / 1000);
      end += waitedMs;
      return breaker.run(() => this.send(call, this.questions, Math.min(requestMs, leftMs()), read));
    };
    const { told } = await repeated(attempt, { tries, pauseMs, leftMs });
    switch (told.kind) {
      case 'ok':
        return told.value;
      case 'refused':
        if (told.status === 404) return null;
        throw new GatewayDenies(this.refusalText(told));
      case 'busy':
        // Being told to slow down is an answer, and no sign that it is away.
        if (told.status === 429) throw new GatewayDenies('OxaPay is busy (429)', told.retryAfterSeconds);
        throw new GatewayUnavailable(`OxaPay is busy (${told.status})`, told.retryAfterSeconds);
      case 'held':
        this.metrics?.skipped('breaker');
        if (told.denied) throw new GatewayDenies(told.reason);
        throw new GatewayUnavailable(told.reason, told.retryAfterSeconds);
      case 'failed':
        throw new GatewayUnavailable(`OxaPay did not answer: ${told.reason}`);
    }
  }

  private async turn(): Promise<void> {
    try {
      await this.options.budget.take();
    } catch (error) {
      this.metrics?.skipped('budget');
      throw new GatewayNotAsked(`OxaPay was not asked: ${error instanceof Error ? error.message : 'no turn'}`);
    }
  }

  /** Sends it, and tells what came of it. Nothing of our traces is sent along: the gateway is somebody else's. */
  private send<T>(call: Call, connection: Connection, timeMs: number, read: Read<T>): Promise<Outcome<T>> {
    return inSpan(
      `OxaPay ${call.method}`,
      { kind: SpanKind.CLIENT, attributes: { 'url.path': call.path } },
      async (tell) => {
        const began = performance.now();
        const outcome = await this.sendNow(call, connection, timeMs, read);
        this.metrics?.answered(call.operation, outcome.told, (performance.now() - began) / 1000);
        tell({ 'finality.outcome': outcome.told.kind });
        return outcome;
      },
    );
  }

  private async sendNow<T>(call: Call, connection: Connection, timeMs: number, read: Read<T>): Promise<Outcome<T>> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), Math.max(1, timeMs));
    try {
      const { status, headers, data } = await this.http.axiosRef.request<Uint8Array>({
        ...this.requestOf(call),
        httpAgent: connection.agent,
        httpsAgent: connection.agent,
        signal: abort.signal,
      });
      const told = toldBy(judge(status, data), headers['retry-after'], read);
      this.note(call, told, data);
      return new Outcome(told);
    } catch (error) {
      const told = { kind: 'failed', ...failureOf(error) } as const;
      if (told.unreadable) this.note(call, told, new Uint8Array());
      return new Outcome(told);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Has the whole fleet slow down where the gateway asks for it, and says aloud when it is not understood any more. */
  private note(call: Call, told: Told<unknown>, body: Uint8Array): void {
    if (told.kind === 'busy' && told.status === 429) {
      this.options.budget.slowDown().catch((error: unknown) => {
        this.log.warn({ msg: 'OxaPay asked us to slow down, and others were not told', error: String(error) });
      });
    }
    if (told.kind !== 'failed' || !told.unreadable) {
      this.unreadable = 0;
      return;
    }
    this.unreadable++;
    const { method, path } = call;
    const facts = { method, path, reason: told.reason, said: this.withoutKeys(beginningOfPage(body)) };
    if (this.unreadable !== unreadableInARow) {
      this.log.warn({ msg: 'an answer of OxaPay cannot be read', ...facts });
      return;
    }
    const msg = `${unreadableInARow} answers of OxaPay in a row cannot be read: see whether its interface has changed, or something else answers in its place`;
    this.log.error({ msg, ...facts });
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
    const { merchantKey, payoutKey } = this.options;
    return {
      ...(key === null ? {} : { [key]: key === 'merchant_api_key' ? merchantKey : payoutKey }),
      Accept: 'application/json',
      // Asked for on GET too.
      'Content-Type': 'application/json',
      'User-Agent': this.options.userAgent,
    };
  }

  private refusalText({ status, field, message }: { status: number; field: string | null; message: string }): string {
    const text = `OxaPay refused (${status})${field === null ? '' : ` ${field}`}${message === '' ? '' : `: ${message}`}`;
    return this.withoutKeys(text);
  }

  private withoutKeys(text: string): string {
    const keys = [this.options.merchantKey, this.options.payoutKey].filter((key) => key !== '');
    return keys.reduce((rest, key) => rest.replaceAll(key, '[key]'), text);
  }
}

function toldBy<T>(verdict: Verdict, retryAfter: unknown, read: Read<T>): Told<T> {
  if (verdict.kind === 'busy') {
    return { ...verdict, retryAfterSeconds: typeof retryAfter === 'string' ? secondsOf(retryAfter) : null };
  }
  return verdict.kind === 'ok' ? { kind: 'ok', value: read(verdict.data) } : verdict;
}

/** A word for the log. Never the error's own text or cause: axios hangs the whole request on it, keys included. */
function failureOf(error: unknown): { reason: string; unreadable: boolean } {
  if (error instanceof WireError) return { reason: `bad_response (${error.message})`, unreadable: true };
  if (!(error instanceof AxiosError)) throw error;
  if (error.message.startsWith('maxContentLength')) return { reason: 'bad_response (too_large)', unreadable: true };
  const reason = error.code === AxiosError.ERR_CANCELED ? 'no answer in time' : (error.code ?? 'no connection');
  return { reason, unreadable: false };
}

/** How a page begins that came in an answer's place. Of JSON nothing: it may tell of a payment. */
function beginningOfPage(body: Uint8Array): string {
  const text = Buffer.from(body.subarray(0, 256)).toString();
  return text.trimStart().startsWith('<') ? text : '';
}

/** `Retry-After` (RFC 9110 §10.2.3), seconds or a date, as seconds from now; null for rubbish and for the past. */
function secondsOf(retryAfter: string): number | null {
  const seconds = /^[0-9]{1,9}$/.test(retryAfter)
    ? parseInt(retryAfter, 10)
    : (Date.parse(retryAfter) - Date.now()) / 1000;
  return seconds >= 0 ? Math.min(Math.ceil(seconds), longestRetryAfterSeconds) : null;
}

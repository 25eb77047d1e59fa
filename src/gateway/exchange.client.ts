import { setTimeout as delay } from 'node:timers/promises';

import type { HttpService } from '@nestjs/axios';
import { AxiosError, type AxiosRequestConfig } from 'axios';

import type { LosslessJson } from '../kernel/json.js';
import { GatewayOutcomeUnknown, GatewayRefused, GatewayUnavailable } from '../payments/payment-gateway.js';
import { judge, maxAnswerBytes, type Verdict } from './answers.js';
import { connectionTo, type Connection } from './connection.client.js';
import { WireError } from './fields.js';

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
  /** Time for what is asked for once, the making of an invoice or a payout, milliseconds; 8000. */
  createMs?: number;
  /** Mean waits before each repetition of a question, milliseconds; 250 and 1000. */
  retryDelaysMs?: readonly number[];
}

/** A longer `Retry-After` ends the question; whoever asked is told how long. */
const longestWaitMs = 3000;
const longestRetryAfterSeconds = 86_400;

export interface Call {
  method: 'GET' | 'POST';
  path: string;
  /** The header that carries the key; null where none is asked for. */
  key: 'merchant_api_key' | 'payout_api_key' | null;
  body?: string;
}

type Read<T> = (data: LosslessJson | undefined) => T;

interface Answer {
  verdict: Verdict;
  retryAfterSeconds: number | null;
}

type Attempt<T> = { value: T | null } | { error: GatewayUnavailable; again: boolean };

/**
 * Requests to OxaPay (REST v1; docs.oxapay.com) and what became of each, in the port's words. Questions are repeated
 * while the gateway is unavailable; what has an effect there never is. No redirect is followed, for the headers carry
 * the key. No error that leaves here holds a key, a header or a body.
 */
export class Exchange {
  private readonly options: Required<OxaPayOptions>;
  private readonly questions: Connection;

  constructor(
    private readonly http: HttpService,
    options: OxaPayOptions,
  ) {
    const defaults = { connectMs: 3000, readMs: 10_000, createMs: 8000, retryDelaysMs: [250, 1000] };
    this.options = { ...defaults, ...options, baseUrl: options.baseUrl.replace(/\/+$/, '') };
    this.questions = connectionTo(this.options.baseUrl, { keepAlive: true, connectMs: this.options.connectMs });
  }

  /** Closes the connections that are kept open. */
  close(): void {
    this.questions.agent.destroy();
  }

  /**
   * Sends a request that has an effect, once. `thing` names the effect in what is thrown: `GatewayRefused`,
   * `GatewayUnavailable` (surely no effect) or `GatewayOutcomeUnknown`.
   */
  async once<T>(call: Call, thing: string, read: Read<T>): Promise<T> {
    // A fresh connection each time: on a kept one, a reset cannot be told from an answer that was lost.
    const connection = connectionTo(this.options.baseUrl, { keepAlive: false, connectMs: this.options.connectMs });
    try {
      return this.effectOf(await this.send(call, connection, this.options.createMs), thing, read);
    } catch (error) {
      if (isOfThePort(error)) throw error;
      const reason = this.reasonOf(error);
      if (!connection.stood()) throw new GatewayUnavailable(`OxaPay could not be reached: ${reason}`);
      throw new GatewayOutcomeUnknown(`OxaPay may have made the ${thing}: ${reason}`);
    } finally {
      connection.agent.destroy();
    }
  }

  private effectOf<T>({ verdict, retryAfterSeconds }: Answer, thing: string, read: Read<T>): T {
    switch (verdict.kind) {
      case 'ok':
        return read(verdict.data);
      case 'refused':
        throw new GatewayRefused(verdict.status, verdict.field, this.refusalText(verdict));
      case 'busy':
        throw new GatewayUnavailable(`OxaPay takes no ${thing} now (${verdict.status})`, retryAfterSeconds);
      case 'failed':
        throw new GatewayOutcomeUnknown(`OxaPay may have made the ${thing}: ${verdict.reason}`);
    }
  }

  /**
   * Asks until there is an answer, the repetitions are used up or the time is; null is the gateway's 404. Throws
   * `GatewayUnavailable`.
   */
  async ask<T>(call: Call, read: Read<T>): Promise<T | null> {
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

  private async tryOnce<T>(call: Call, read: Read<T>, timeMs: number): Promise<Attempt<T>> {
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

import { promises as dns, type LookupAddress } from 'node:dns';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { LookupFunction } from 'node:net';
import { addAbortSignal, type Readable } from 'node:stream';
import axios, { type AxiosInstance } from 'axios';
import { RequestFilteringHttpsAgent } from 'request-filtering-agent';
import { Webhook } from 'standardwebhooks';
import { currentTraceparent } from '../platform/spans.js';
import { isPublicAddress } from './public-address.js';
import { blockedAddressCode, outcomeOf, outcomeOfError, type DeliveryOutcome } from './webhook-answer.js';
import { retryAfterSeconds } from './retry-schedule.js';
import { webhookUrlFault, type WebhookUrlRules } from './webhook-url.js';

export interface WebhookClientOptions extends WebhookUrlRules {
  /** `Finality/<version>`. */
  userAgent: string;
  /** For one attempt in all: looking up, connecting, sending, reading. Default 15 000 ms. */
  timeoutMs?: number;
  /** How names become addresses; by DNS unless given (in the sandbox the system's way). Its answers are checked all the same. */
  lookup?: LookupFunction;
}

export interface WebhookRequest {
  url: string;
  /** Each signs; newest first. */
  secrets: readonly string[];
  messageId: string;
  /** The exact JSON text. */
  body: string;
}

export interface WebhookResponse {
  outcome: DeliveryOutcome;
  /** Null where no answer came. */
  status: number | null;
  /** What was read of the answer's body; empty where nothing was. */
  body: string;
  retryAfterSeconds: number | null;
  durationMs: number;
}

type Answer = Pick<WebhookResponse, 'outcome' | 'status' | 'body' | 'retryAfterSeconds'>;

const maxAnswerBytes = 64 * 1024;

/**
 * Sends webhooks, signed by Standard Webhooks. No redirect is followed and no proxy of the environment is used. Outside
 * the sandbox only https, only port 443, and only addresses of the public Internet: each address that a name resolves
 * to is checked inside the connect, so the one that was checked is the one that is dialled.
 */
export class WebhookClient {
  private readonly http: AxiosInstance;
  private readonly agents: { httpAgent: HttpAgent; httpsAgent: HttpsAgent };
  private readonly timeoutMs: number;

  constructor(private readonly options: WebhookClientOptions) {
    this.timeoutMs = options.timeoutMs ?? 15_000;
    this.agents = agentsFor(options);
    this.http = axios.create({
      ...this.agents,
      proxy: false,
      maxRedirects: 0,
      responseType: 'stream',
      decompress: false,
      validateStatus: () => true,
    });
  }

  /** One attempt. Every way for it to fail is an outcome; it throws only when `signal` cuts it off. */
  async send(request: WebhookRequest, signal: AbortSignal): Promise<WebhookResponse> {
    const began = performance.now();
    const answer = await this.attempt(request, signal);
    return { ...answer, durationMs: Math.round(performance.now() - began) };
  }

  onApplicationShutdown(): void {
    this.agents.httpAgent.destroy();
    this.agents.httpsAgent.destroy();
  }

  private async attempt(request: WebhookRequest, signal: AbortSignal): Promise<Answer> {
    // Looked at again, because the rules may have become stricter since the URL was taken.
    if (webhookUrlFault(request.url, this.options) !== null) return failure('blocked_address');
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), this.timeoutMs);
    const either = AbortSignal.any([timeout.signal, signal]);
    try {
      return await this.exchange(request, either);
    } catch (error) {
      if (signal.aborted) throw new Error('the delivery was cut off', { cause: signal.reason });
      return failure(timeout.signal.aborted ? 'timeout' : outcomeOfError(codeOf(error)));
    } finally {
      clearTimeout(timer);
    }
  }

  private async exchange(request: WebhookRequest, signal: AbortSignal): Promise<Answer> {
    const data = Buffer.from(request.body);
    const response = await this.http.post<Readable>(request.url, data, { headers: this.headers(request), signal });
    const { status } = response;
    const retryAfter: unknown = response.headers['retry-after'];
    const retryAfterAsked = retryAfterSeconds(typeof retryAfter === 'string' ? retryAfter : null, Date.now());
    const outcome = outcomeOf(status);
    const read = await readSome(addAbortSignal(signal, response.data)).catch((error: unknown) => {
      // A failure is a failure, whatever became of its body; a success without the whole of its answer is none.
      if (outcome === 'success') throw error;
      return { body: '', whole: true };
    });
    const kept = outcome === 'success' && !read.whole ? 'body_too_large' : outcome;
    return {
      outcome: kept,
      status,
      body: read.body,
      retryAfterSeconds: status === 429 || status === 503 ? retryAfterAsked : null,
    };
  }

  private headers({ messageId, secrets, body }: WebhookRequest): Record<string, string> {
    // The machine's clock, also where the sandbox has moved ours: receivers hold the time against their own.
    const now = new Date();
    const traceparent = currentTraceparent();
    return {
      ...(traceparent !== null && { traceparent }),
      'content-type': 'application/json',
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': this.options.userAgent,
      'webhook-id': messageId,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(messageId, now, body)).join(' '),
    };
  }
}

const failure = (outcome: DeliveryOutcome): Answer => ({ outcome, status: null, body: '', retryAfterSeconds: null });

/** Reads at most 64 KiB and hangs up on more. */
async function readSome(stream: Readable): Promise<{ body: string; whole: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  let whole = true;
  // Leaving the loop early destroys the stream, and with it the connection.
  for await (const chunk of stream) {
    if (!Buffer.isBuffer(chunk)) continue;
    chunks.push(chunk.subarray(0, maxAnswerBytes - size));
    size += chunk.length;
    if (size > maxAnswerBytes) {
      whole = false;
      break;
    }
  }
  return { body: Buffer.concat(chunks).toString('utf8'), whole };
}

function agentsFor(options: WebhookClientOptions): { httpAgent: HttpAgent; httpsAgent: HttpsAgent } {
  // `rejectUnauthorized` said aloud: an environment variable of Node's would turn it off otherwise.
  const settings = { keepAlive: true, maxFreeSockets: 16, rejectUnauthorized: true };
  const resolve: { lookup?: LookupFunction } = options.lookup ? { lookup: options.lookup } : {};
  const httpAgent = new HttpAgent({ ...settings, ...resolve });
  if (options.sandbox) return { httpAgent, httpsAgent: new HttpsAgent({ ...settings, ...resolve }) };
  const lookup = publicOnly(options.lookup ?? lookupByDns);
  return { httpAgent, httpsAgent: new RequestFilteringHttpsAgent({ ...settings, lookup }) };
}

/**
 * Asks DNS itself. The system's way keeps one of very few threads of the process until it gives up, so that one name whose
 * server is silent holds up the lookups of all others, the gateway's too.
 */
const lookupByDns: LookupFunction = (hostname, options, callback) => {
  const resolver = new dns.Resolver({ timeout: 2000, tries: 2 });
  const ask = async (family: 4 | 6): Promise<LookupAddress[]> => {
    const found = await (family === 4 ? resolver.resolve4(hostname) : resolver.resolve6(hostname));
    return found.map((address) => ({ address, family }));
  };
  const wanted = ([4, 6] as const).filter((family) => (options.family || family) === family);
  void Promise.allSettled(wanted.map(ask)).then((answers) => {
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    const [first] = found;
    if (!first) callback(Object.assign(new Error('the name was not found'), { code: 'ENOTFOUND' }), '');
    else if (options.all) callback(null, found);
    else callback(null, first.address, first.family);
  });
};

/** Refuses a name when any of its addresses is not public. The filtering agent alone lets `::7f00:1` and others pass. */
const publicOnly =
  (resolve: LookupFunction): LookupFunction =>
  (hostname, options, callback) => {
    resolve(hostname, options, (error, address, family) => {
      const addresses = Array.isArray(address) ? address.map((entry) => entry.address) : [address];
      const blocked = error === null && !addresses.every(isPublicAddress);
      callback(
        blocked ? Object.assign(new Error('not a public address'), { code: blockedAddressCode }) : error,
        address,
        family,
      );
    });
  };

/** Node's code of a failure. The filtering agent's own refusal has none; its words tell it. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error && typeof error.code === 'string' && error.code !== 'ERR_NETWORK') return error.code;
  if (/is not allowed\. Because,? It is/.test(error.message)) return blockedAddressCode;
  return error.cause === undefined ? '' : codeOf(error.cause);
}

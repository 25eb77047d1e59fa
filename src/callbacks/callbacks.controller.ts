import { Controller, HttpCode, Inject, Logger, Param, Post, Req, Res, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { CommandBus } from '@nestjs/cqrs';
import { ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { maySpeak, saidIn } from '../gateway/callback.js';
import { verifyCallback } from '../gateway/signature.js';
import { readCallback, type CallbackReading } from '../gateway/wire.js';
import { Refusal } from '../kernel/refusal.js';
import { Conflict } from '../platform/event-store/append.js';
import type { Intake } from '../payments/evidence.js';
import { ApplyGatewayEvent } from '../payments/gateway-event.handlers.js';
import { describeSpan } from '../platform/spans.js';
import { RateLimit } from '../platform/http/rate-limit.controller.js';
import { CallbackCounts } from './callback-counts.js';

/** The keys that callbacks may be signed with; more than one of a kind while keys are being rotated. */
export abstract class CallbackKeys {
  abstract readonly merchant: readonly string[];
  abstract readonly payout: readonly string[];
}

const base = 'v1/callbacks/oxapay';

/** The gateway is told to come again rather than left waiting; whatever was stored meanwhile makes its repeat harmless. */
const answerWithinMs = 1900;

@ApiTags('callbacks')
@Controller(base)
export class CallbacksController implements OnModuleInit {
  private readonly log = new Logger('callbacks');

  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(CallbackKeys) private readonly keys: CallbackKeys,
    @Inject(RateLimit) private readonly limit: RateLimit,
    @Inject(CallbackCounts) private readonly counts: CallbackCounts,
    @Inject(HttpAdapterHost) private readonly server: HttpAdapterHost,
  ) {}

  onModuleInit(): void {
    countUnread(this.server.httpAdapter.getInstance<FastifyInstance>(), this.counts);
  }

  @Post(':account')
  @HttpCode(200)
  @ApiOperation({
    summary: "The gateway's callbacks",
    description: 'Signed over the raw body; answered `ok` once evidence and effect are durable.',
  })
  @ApiHeader({ name: 'HMAC', required: true, description: 'HMAC-SHA512 of the raw body, hex' })
  @ApiResponse({
    status: 200,
    description: '`ok`: stored, whatever it said',
    content: { 'text/plain': { schema: { type: 'string', enum: ['ok'] } } },
  })
  @ApiResponse({ status: 401, description: 'The signature is missing or wrong, or its key does not fit the type' })
  @ApiResponse({ status: 503, description: 'Not stored; please repeat' })
  async receive(
    @Param('account') account: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    if (account !== 'default') throw new Refusal('not_found', 'There is no gateway account of this name.');
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const reading = this.authentic(body, request);
    const { result, reason } = await this.take(
      new ApplyGatewayEvent(body, saidIn(reading), keptHeaders(request), request.id),
      reply,
    );
    this.counts.count(result, reason, reply.elapsedTime / 1000);
    describeSpan({
      'finality.callback.result': result,
      ...(reason !== null && { 'finality.callback.reason': reason }),
    });
    if (result === 'quarantined') this.log.warn({ msg: 'a callback was set aside', correlationId: request.id, reason });
    void reply.header('content-type', 'text/plain').send('ok');
  }

  /** What a callback says that carries a good signature. Throws a refusal that is the same for every other. */
  private authentic(body: Buffer, request: FastifyRequest): CallbackReading {
    const signature = request.headers['hmac'];
    const signer = verifyCallback(body, signature, this.keys);
    const reading = signer && readCallback(body);
    if (signer && reading && maySpeak(signer, reading)) return reading;
    this.counts.count('rejected', signer ? 'wrong_key' : signature ? 'wrong_signature' : 'no_signature');
    this.limit.spend('refused', request.ip);
    throw new Refusal('unauthorized', 'The signature is not valid.');
  }

  private async take(event: ApplyGatewayEvent, reply: FastifyReply): Promise<Intake> {
    try {
      return await withinTime(this.commands.execute<ApplyGatewayEvent, Intake>(event));
    } catch (error) {
      this.counts.count('unavailable', null, reply.elapsedTime / 1000);
      // So many claims about one payment at once that this one never had its turn: the gateway is to repeat it.
      if (error instanceof Conflict) throw new Refusal('service_unavailable', 'Not stored; please repeat.');
      throw error;
    }
  }
}

/** The headers that are kept as evidence: a closed list, so that no secret of a proxy or a caller gets in among them. */
const kept = ['hmac', 'content-type', 'content-length', 'user-agent', 'date'];

function keptHeaders({ headers, raw }: FastifyRequest): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of kept) {
    // The type that the sender gave; what the body is read as was set by the server.
    const value = name === 'content-type' ? rawHeader(raw.rawHeaders, name) : headers[name];
    if (typeof value === 'string') found[name] = value.slice(0, 256);
  }
  return found;
}

function rawHeader(raw: readonly string[], name: string): string | undefined {
  const at = raw.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === name);
  return at < 0 ? undefined : raw[at + 1];
}

async function withinTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Refusal('service_unavailable', 'It is not known whether this was stored; please repeat the request.'));
    }, answerWithinMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

const unread = new Map([
  [413, 'too_large'],
  [415, 'compressed'],
]);

/** Counts those that never reach the handler, because nobody reads their bodies to the end. */
function countUnread(server: FastifyInstance, counts: CallbackCounts): void {
  const isCallback = (request: FastifyRequest): boolean => request.routeOptions.url?.startsWith(`/${base}/`) ?? false;
  server.addHook('onResponse', (request, reply, done) => {
    const reason = unread.get(reply.statusCode);
    if (reason !== undefined && isCallback(request)) counts.count('rejected', reason);
    done();
  });
  server.addHook('onRequestAbort', (request, done) => {
    if (isCallback(request)) counts.count('rejected', 'incomplete');
    done();
  });
}

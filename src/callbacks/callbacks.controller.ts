import { Controller, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { fitsType, verifyCallback, type SignerKind } from '../gateway/signature.js';
import { contentOf, readCallback, type CallbackReading } from '../gateway/wire.js';
import { Refusal } from '../kernel/refusal.js';
import { ApplyGatewayEvent, type Intake } from '../payments/gateway-event.handlers.js';
import { RateLimit } from '../platform/http/rate-limit.controller.js';
import { CallbackCounts } from './callback-counts.js';

/** The keys that callbacks may be signed with; more than one of a kind while keys are being rotated. */
export abstract class CallbackKeys {
  abstract readonly merchant: readonly string[];
  abstract readonly payout: readonly string[];
}

@ApiTags('callbacks')
@Controller('v1/callbacks/oxapay')
export class CallbacksController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(CallbackKeys) private readonly keys: CallbackKeys,
    @Inject(RateLimit) private readonly limit: RateLimit,
    @Inject(CallbackCounts) private readonly counts: CallbackCounts,
  ) {}

  @Post(':account')
  @HttpCode(200)
  @ApiOperation({ summary: "The gateway's callbacks", description: 'Signed over the raw body; answered `ok` once evidence and effect are durable.' })
  @ApiHeader({ name: 'HMAC', required: true, description: 'HMAC-SHA512 of the raw body, hex' })
  @ApiResponse({ status: 200, description: '`ok`: stored, whatever it said', content: { 'text/plain': { schema: { type: 'string', enum: ['ok'] } } } })
  @ApiResponse({ status: 401, description: 'The signature is missing or wrong, or its key does not fit the type' })
  @ApiResponse({ status: 503, description: 'Not stored; please repeat' })
  async receive(@Param('account') account: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    if (account !== 'default') throw new Refusal('not_found', 'There is no gateway account of this name.');
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const signer = verifyCallback(body, request.headers['hmac'], this.keys);
    const reading = signer && readCallback(body);
    if (!signer || !reading || !fits(signer, reading)) {
      this.counts.count('rejected');
      this.limit.spend('refused', request.ip);
      throw new Refusal('unauthorized', 'The signature is not valid.');
    }
    const { result } = await this.commands.execute<ApplyGatewayEvent, Intake>(new ApplyGatewayEvent(body, evidence(reading)));
    this.counts.count(result);
    void reply.header('content-type', 'text/plain').send('ok');
  }
}

/** A payout's callback is signed with the payout key, every other with the merchant's: neither key speaks for the other. */
const fits = (signer: SignerKind, reading: CallbackReading): boolean =>
  reading.kind === 'unreadable' || fitsType(signer, reading.kind);

function evidence(reading: CallbackReading): ApplyGatewayEvent['reading'] {
  if (reading.kind === 'payment') return { ...reading, content: contentOf(reading.report) };
  if (reading.kind === 'payout') return { kind: 'payout', trackId: reading.report.trackId, content: JSON.stringify(reading.report) };
  return reading;
}

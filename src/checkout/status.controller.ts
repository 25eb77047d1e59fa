import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Clock } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';
import { PaymentStreams } from '../payments/payment-streams.pg.js';
import { statusScope } from '../payments/create-invoice.handlers.js';
import { asItWas, momentOf } from '../payments/time-travel.js';
import { EventStore } from '../platform/event-store/event-store.pg.js';
import { RateLimit } from '../platform/http/rate-limit.controller.js';
import { statusPage, statusStyle } from './status.page.js';

const token = /^[A-Za-z0-9_-]{32}$/;

/** The payer's page. Its token is 192 random bits and opens nothing else. */
@ApiExcludeController()
@Controller('pay')
export class StatusController {
  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(RateLimit) private readonly limit: RateLimit,
  ) {}

  @Get('status.css')
  style(@Res({ passthrough: true }) reply: FastifyReply): string {
    void reply.header('content-type', 'text/css; charset=utf-8').header('cache-control', 'public, max-age=3600');
    return statusStyle;
  }

  @Get(':token')
  async page(
    @Param('token') given: string,
    @Query('asOf') asked: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const id = token.test(given) ? await this.store.streamOf(statusScope, given) : null;
    if (id === null) {
      this.limit.spend('refused', request.ip);
      throw new Refusal('not_found', 'There is no such payment.');
    }
    const loaded = await this.streams.load(id);
    const moment = asked === undefined ? null : momentOf(String(asked));
    if (asked !== undefined && moment === null)
      throw new Refusal('malformed_request', 'asOf takes an event version or an RFC 3339 time.');
    const past = moment === null ? null : asItWas(loaded.events, moment);
    void reply
      .header('content-type', 'text/html; charset=utf-8')
      .header('cache-control', 'no-store')
      .header('referrer-policy', 'no-referrer')
      .header('x-content-type-options', 'nosniff')
      .header(
        'content-security-policy',
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      );
    return past ? statusPage(past.payment, past.asOf.time, past.asOf) : statusPage(loaded.payment, this.clock.now());
  }
}

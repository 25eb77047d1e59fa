import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Clock } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';
import { PaymentStreams } from '../payments/payment-streams.pg.js';
import { statusScope } from '../payments/create-invoice.handlers.js';
import { asItWas, momentOf } from '../payments/time-travel.js';
import { EventStore } from '../platform/event-store/event-store.pg.js';
import { sendPage } from '../platform/http/page.controller.js';
import { RateLimit } from '../platform/http/rate-limit.controller.js';
import { languageOf } from './language.js';
import { statusPage, unknownPage } from './status.page.js';

const tokenPattern = /^[A-Za-z0-9_-]{32}$/;
/** Stands for every token that cannot be one, so that they are looked for as long as the others. */
const noToken = '-'.repeat(32);

/** The payment that a token opens. Null where it opens none, which counts against the address that asks. */
export async function paymentOfToken(
  store: EventStore,
  limit: RateLimit,
  token: string,
  address: string,
): Promise<string | null> {
  const id = await store.streamOf(statusScope, tokenPattern.test(token) ? token : noToken);
  if (id === null) limit.spend('refused', address);
  return id;
}

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

  /** Query parameters other than `lang` and `asOf` say nothing: what is shown is what is stored. */
  @Get(':token')
  async page(
    @Param('token') given: string,
    @Query('asOf') asked: string | undefined,
    @Query('lang') lang: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const language = languageOf(lang, request.headers['accept-language']);
    const id = await paymentOfToken(this.store, this.limit, given, request.ip);
    if (id === null) {
      if (wantsJson(request.headers.accept)) throw new Refusal('not_found', 'There is no such payment.');
      return sendPage(reply, unknownPage(language), 404);
    }
    const loaded = await this.streams.load(id);
    if (asked === undefined) {
      const shown = { token: given, version: loaded.stream.head.version, past: null, asOf: null };
      return sendPage(reply, statusPage(loaded.payment, this.clock.now(), language, shown));
    }
    const moment = momentOf(String(asked));
    if (moment === null) throw new Refusal('malformed_request', 'asOf takes an event version or an RFC 3339 time.');
    const { payment, asOf: past } = asItWas(loaded.events, moment);
    const shown = { token: given, version: past.version, past, asOf: String(asked) };
    return sendPage(reply, statusPage(payment, past.time, language, shown));
  }
}

/** A browser gets a page; a program that asks for JSON, and not for a page, a problem document. */
const wantsJson = (accept: string | undefined): boolean =>
  accept !== undefined && /[/+]json\b/i.test(accept) && !/text\/html/i.test(accept);

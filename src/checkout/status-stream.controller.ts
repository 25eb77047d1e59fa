import { Controller, Get, Headers, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Clock } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';
import { EventStore } from '../platform/event-store/event-store.pg.js';
import { RateLimit } from '../platform/http/rate-limit.controller.js';
import { eventMessage, type EventStream } from './event-stream.js';
import { languageOf, type Language } from './language.js';
import { LivePayments, type Sight } from './live-payments.pg.js';
import { statusCard } from './status-card.page.js';
import { StatusStreams } from './status-stream.job.js';
import { paymentOfToken } from './status.controller.js';

/** What a proxy keeps, gathers or packs comes too late. The connection serves nothing after the stream. */
const headers = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  connection: 'close',
};

interface View {
  token: string;
  language: Language;
}

/** The live part of the payer's page. */
@ApiExcludeController()
@Controller('pay')
export class StatusStreamController {
  private readonly prints = new WeakMap<Sight, Map<Language, Buffer>>();

  constructor(
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(LivePayments) private readonly payments: LivePayments,
    @Inject(StatusStreams) private readonly streams: StatusStreams,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(RateLimit) private readonly limit: RateLimit,
  ) {}

  /**
   * The card of the page as server-sent events: first as it is now, whatever `Last-Event-ID` says, then after each commit.
   * An event is called `payment`, its id is the payment's version, its data is the markup of `main#payment`.
   */
  @Get(':token/events')
  async events(
    @Param('token') token: string,
    @Query('lang') lang: string | undefined,
    @Headers('accept-language') accepted: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const id = await paymentOfToken(this.store, this.limit, token, request.ip);
    if (id === null) throw new Refusal('not_found', 'There is no such payment.');
    const view = { token, language: languageOf(lang, accepted) };
    const { raw } = reply;
    const afterwards = (action: () => void): unknown => (raw.destroyed ? action() : raw.once('close', action));
    afterwards(this.streams.take(token, request.ip));
    let stream: EventStream | null = null;
    const watch = await this.payments.watch(id, (sight) => stream?.send(this.printedOnce(sight, view)));
    afterwards(watch.stop);
    reply.hijack().headers(headers);
    for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
    raw.writeHead(200);
    // Whoever has left, or only asked for the headers (HEAD), is told no more.
    stream = raw.destroyed || request.method !== 'GET' ? null : this.streams.begin(raw);
    if (stream === null) raw.end();
    else stream.send(this.print(watch.latest(), view));
  }

  private print({ payment, version }: Sight, { token, language }: View): Buffer {
    const card = statusCard(payment, this.clock.now(), language, { token, version, past: null });
    return eventMessage('payment', version, card.text);
  }

  /** A commit is printed once in each language, however many watch. */
  private printedOnce(sight: Sight, view: View): Buffer {
    const prints = this.prints.get(sight) ?? new Map<Language, Buffer>();
    this.prints.set(sight, prints);
    const known = prints.get(view.language) ?? this.print(sight, view);
    prints.set(view.language, known);
    return known;
  }
}

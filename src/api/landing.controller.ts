import { Body, Controller, Get, Inject, Post, Query, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isUuid } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import { CreateInvoice } from '../payments/create-invoice.handlers.js';
import { explain } from '../payments/explanation.js';
import { PaymentStreams, type LoadedPayment } from '../payments/payment-streams.pg.js';
import { Applications, type Application } from '../platform/http/applications.pg.js';
import { leadTo, sendPage } from '../platform/http/page.controller.js';
import { problemOf } from '../platform/http/problem.js';
import { RateLimit } from '../platform/http/rate-limit.controller.js';
import { answerPayment } from './answers.js';
import { causeOf } from './cause.js';
import { DeveloperPages, keyShownTo } from './developer-pages.js';
import { landingPage, type Landing, type TestPayment } from './landing.page.js';
import { stepsOf } from './landing-steps.js';
import { PaymentTerms } from './payment-terms.js';
import { CreatePaymentRequest } from './requests.js';
import { bodyPipe } from './validation.js';

/** The sandbox's first page, for whoever tries the service out. Outside sandbox it does not exist. */
@ApiExcludeController()
@Controller()
export class LandingController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(PaymentTerms) private readonly terms: PaymentTerms,
    @Inject(Applications) private readonly applications: Applications,
    @Inject(RateLimit) private readonly limit: RateLimit,
    @Inject(DeveloperPages) private readonly pages: DeveloperPages,
  ) {}

  /** `payment` is the id of one of the application `default`: the page then goes on with that. */
  @Get()
  async landing(
    @Query('payment') id: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    if (id === undefined) return this.send(request, reply, { payment: null, fault: null });
    const payment = await this.testPayment(typeof id === 'string' ? id : '');
    if (payment !== null) return this.send(request, reply, { payment, fault: null });
    const detail = 'There is no such payment of the application `default`. Make one here.';
    return this.send(request, reply, { payment: null, fault: { detail } }, 404);
  }

  /** Creates a payment as `POST /v1/payments` does, for the application `default`. Thirty a minute from one address. */
  @Post('sandbox/payments')
  async create(
    @Body() form: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const [amount, currency] = [fieldOf(form, 'amount').trim(), fieldOf(form, 'currency')];
    if (!isFromHere(request)) {
      const detail = 'This form came from another site. Send it from here.';
      return this.send(request, reply, { payment: null, fault: { detail } }, 403);
    }
    try {
      this.limit.spend('test payment', request.ip);
      const { terms } = (await this.open({ amount, currency }, request)).payment;
      return leadTo(reply, `/?payment=${terms.id}`);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { status, title, detail, errors } = problemOf(error);
      const why = errors?.map((one) => `The ${one.pointer.slice(1)} ${one.detail}.`).join(' ') ?? `${title}. ${detail}`;
      return this.send(request, reply, { payment: null, fault: { detail: why, form: { amount, currency } } }, status);
    }
  }

  private async open(price: { amount: string; currency: string }, request: FastifyRequest): Promise<LoadedPayment> {
    const caller = await this.caller();
    const wish = { orderId: orderIdOf(request), description: 'A test payment', ...price };
    const body: unknown = await bodyPipe.transform(wish, { type: 'body', metatype: CreatePaymentRequest });
    if (!(body instanceof CreatePaymentRequest))
      throw new TypeError('the validation gave something else than it was asked');
    return this.commands.execute<CreateInvoice, LoadedPayment>(
      new CreateInvoice(await this.terms.of(caller.id, body), causeOf(caller, request)),
    );
  }

  private async testPayment(id: string): Promise<TestPayment | null> {
    const caller = await this.caller();
    const loaded = isUuid(id) ? await this.streams.find(id) : null;
    if (loaded?.payment.terms.applicationId !== caller.id) return null;
    const { payment, events } = loaded;
    return {
      view: answerPayment(payment, events, this.pages.publicUrl),
      explanation: explain(payment, events),
      events,
    };
  }

  private async caller(): Promise<Application> {
    const found = await this.applications.find('default');
    if (!found) throw new Refusal('not_found', 'There is no application `default`.');
    return found;
  }

  private send(
    request: FastifyRequest,
    reply: FastifyReply,
    { payment, fault }: Pick<Landing, 'payment' | 'fault'>,
    status = 200,
  ): string {
    const { publicUrl, sandboxUrl } = this.pages;
    const apiKey = keyShownTo(request.headers.host, this.pages);
    const trackId = payment?.view.trackId ?? null;
    const steps = stepsOf({
      publicUrl,
      sandboxUrl,
      apiKey,
      orderId: orderIdOf(request),
      payment: payment === null || trackId === null ? null : { id: payment.view.id, trackId },
    });
    const page = sendPage(reply, landingPage({ steps, keyShown: apiKey !== null, payment, fault }), status);
    // With `no-referrer` browsers would send the form with the origin `null`.
    void reply.header('referrer-policy', 'same-origin');
    return page;
  }
}

/** A reference that no payment has yet: each request has an id of its own. */
const orderIdOf = ({ id }: FastifyRequest): string => `test-${id.slice(-8)}`;

/** Whether no other site's page has sent this. Browsers tell by the one header or the other; programs may send neither. */
function isFromHere({ headers }: FastifyRequest): boolean {
  const { 'sec-fetch-site': site, origin, host } = headers;
  return site === undefined ? origin === undefined || originHost(origin) === host : site === 'same-origin';
}

const originHost = (origin: string): string | null => (URL.canParse(origin) ? new URL(origin).host : null);

/** A field of a form; the empty text where it is not there. */
function fieldOf(form: unknown, name: string): string {
  const value: unknown = Object.getOwnPropertyDescriptor(Object(form), name)?.value;
  return typeof value === 'string' ? value : '';
}

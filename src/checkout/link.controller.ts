import { randomBytes } from 'node:crypto';
import {
  Body,
  Catch,
  Controller,
  Get,
  Inject,
  Logger,
  Param,
  Post,
  Req,
  Res,
  UseFilters,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../kernel/refusal.js';
import { LinkStreams, type LoadedLink } from '../links/link-streams.pg.js';
import { Decimal } from '../payments/decimal.js';
import type { Payment } from '../payments/payment.js';
import { progressOf } from '../payments/standing.js';
import { leadTo, sendPage } from '../platform/http/page.controller.js';
import { problemOf, refusalOf } from '../platform/http/problem.js';
import { RateLimit } from '../platform/http/rate-limit.controller.js';
import { languageOf, type Language } from './language.js';
import { LinkSettings } from './link-payment-terms.js';
import { LinkPayments } from './link-payments.handlers.js';
import { readTyped } from './link-input.js';
import { linkTexts } from './link-texts.js';
import { amountPage, faultOf, gonePage, openPage, paidPage, proceedPage, troublePage, type Told } from './link.page.js';
import { cookieFor, isOwnForm, isVisit, isVisitor, visitorCookie } from './link-visitor.js';

/** A form that did not come from a page of ours. */
class ForeignForm extends Error {}

/** Who is at which link. */
interface Visit extends Told {
  link: LoadedLink;
  /** The visitor that the cookie names; null for a new one. */
  known: string | null;
  /** Whether it is to choose the amount of a further payment, where the link allows that. */
  another: boolean;
  requestId: string;
  address: string;
  reply: FastifyReply;
}

/** What a request says of its language, and how its own address goes on with it. */
function speechOf({ query, headers }: FastifyRequest): { language: Language; search: string } {
  const asked = fieldOf(query, 'lang');
  const language = languageOf(asked || undefined, headers['accept-language']);
  return { language, search: asked === '' ? '' : `?lang=${language}` };
}

/** A field of a form or query; the empty text where it is not there, or there twice. */
function fieldOf(fields: unknown, name: string): string {
  if (typeof fields !== 'object' || fields === null) return '';
  const value: unknown = Object.getOwnPropertyDescriptor(fields, name)?.value;
  return typeof value === 'string' ? value : '';
}

/** Tells whatever was thrown as a page. */
@Catch()
export class LinkFilter implements ExceptionFilter {
  private readonly logger = new Logger('checkout');

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const [request, reply] = [http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>()];
    void reply.send(this.answer(error, request, reply));
  }

  private answer(error: unknown, request: FastifyRequest, reply: FastifyReply): string {
    const { language, search } = speechOf(request);
    const path = (request.url.split('?')[0] ?? '') + search;
    if (error instanceof ForeignForm) return sendPage(reply, troublePage(language, 'foreign', path), 403);
    const { status, retryAfter } = problemOf(refusalOf(error) ?? this.unexpected(error, request));
    if (status === 404) return sendPage(reply, troublePage(language, 'unknown'), 404);
    if (typeof retryAfter === 'number') {
      void reply.header('retry-after', String(retryAfter));
      return sendPage(reply, troublePage(language, { busySeconds: retryAfter }, path), status);
    }
    if (status === 503) void reply.header('retry-after', '30');
    return sendPage(reply, troublePage(language, status === 503 ? 'down' : 'failed', path), status);
  }

  private unexpected(error: unknown, { id, method }: FastifyRequest): Refusal {
    this.logger.error({ msg: 'unexpected error', requestId: id, method, err: error });
    return new Refusal('internal_error', 'The page could not be made.');
  }
}

const statusPathOf = (payment: Payment, { action }: Told): string => {
  const search = action.includes('?') ? action.slice(action.indexOf('?')) : '';
  return `/pay/${payment.terms.statusToken}${search}`;
};

/**
 * The page of a payment link: opens a payment for whoever visits it, or leads back to the one that they have. What only
 * looks at the address (a chat program, a search engine, a browser that fetches ahead) is shown what it is for.
 */
@ApiExcludeController()
@Controller('l')
@UseFilters(LinkFilter)
export class LinkController {
  constructor(
    @Inject(LinkStreams) private readonly links: LinkStreams,
    @Inject(LinkPayments) private readonly payments: LinkPayments,
    @Inject(RateLimit) private readonly limit: RateLimit,
    @Inject(LinkSettings) private readonly settings: LinkSettings,
  ) {}

  @Get(':slug')
  async visit(
    @Param('slug') slug: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const visit = await this.visitOf(slug, request, reply);
    const { link, known, terms } = visit;
    if (!isVisit(request.method, request.headers)) return this.show(visit);
    const payment = await this.payments.standing(terms, known);
    if (link.deletedAt !== null) return this.gone(visit, payment);
    if (payment && visit.another) return sendPage(reply, amountPage({ ...visit, visitor: newVisitor(), again: true }));
    if (payment?.status === 'paid') return this.paid(visit, payment);
    if (payment) return this.comeBack(visit, payment);
    if (terms.amount !== null) return this.open(visit, this.remember(visit, known), terms.amount);
    return sendPage(reply, amountPage({ ...visit, visitor: this.remember(visit, known), again: false }));
  }

  @Post(':slug')
  async pay(
    @Param('slug') slug: string,
    @Body() form: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const visit = await this.visitOf(slug, request, reply);
    if (!isOwnForm(request.headers, this.settings.publicUrl)) throw new ForeignForm();
    const { link, terms } = visit;
    const visitor = visitorOf(form, visit.known);
    const payment = await this.payments.standing(terms, visitor);
    if (link.deletedAt !== null) return this.gone(visit, payment);
    if (payment?.status === 'paid') return this.paid(visit, payment);
    const typed = fieldOf(form, 'amount').slice(0, 64);
    const read = terms.amount === null ? readTyped(typed, terms) : { amount: terms.amount };
    if ('fault' in read) {
      const again = isFurther(form);
      const asked = { ...visit, visitor: again ? (visitor ?? newVisitor()) : this.remember(visit, visitor), again };
      return sendPage(reply, amountPage(asked, typed, faultOf(read, visit)), 422);
    }
    if (payment) return this.resume(visit, payment, read.amount);
    return this.open(visit, this.remember(visit, visitor), read.amount);
  }

  /** Throws `Refusal('not_found')`, which counts against the address. */
  private async visitOf(slug: string, request: FastifyRequest, reply: FastifyReply): Promise<Visit> {
    const link = await this.links.bySlug(slug);
    if (!link) {
      this.limit.spend('refused', request.ip);
      throw new Refusal('not_found', 'There is no such link.');
    }
    const { cookie } = request.headers;
    const known = cookie === undefined ? undefined : request.server.parseCookie(cookie)[visitorCookie];
    const { language, search } = speechOf(request);
    return {
      link,
      terms: link.terms,
      known: isVisitor(known) ? known : null,
      another: !link.terms.singleUse && link.terms.amount === null && fieldOf(request.query, 'another') !== '',
      language,
      action: `/l/${slug}${search}`,
      sandbox: this.settings.sandbox,
      requestId: request.id,
      address: request.ip,
      reply,
    };
  }

  /** What the link is for, without a payment and without a cookie. */
  private show(visit: Visit): string {
    const { link, terms, reply, language } = visit;
    if (link.deletedAt !== null) return sendPage(reply, gonePage(language, null), 410);
    const asked = { ...visit, visitor: newVisitor(), again: false };
    return sendPage(reply, terms.amount === null ? amountPage(asked) : proceedPage(asked));
  }

  private gone(visit: Visit, payment: Payment | null): string {
    return sendPage(visit.reply, gonePage(visit.language, payment && statusPathOf(payment, visit)), 410);
  }

  private paid(visit: Visit, payment: Payment): string {
    return sendPage(
      visit.reply,
      paidPage({ ...visit, visitor: newVisitor(), again: true }, statusPathOf(payment, visit)),
    );
  }

  /** Leads back to a payment that is open, unless that is of another amount than is wanted now. */
  private resume(visit: Visit, payment: Payment, wanted: string): string {
    const { amount } = payment.terms;
    const statusPath = statusPathOf(payment, visit);
    if (new Decimal(amount).eq(wanted)) return leadTo(visit.reply, statusPath);
    const asked = { ...visit, visitor: newVisitor(), again: true };
    return sendPage(visit.reply, openPage(asked, { statusPath, amount, wanted }), 409);
  }

  /** Leads a visitor to the payment that they have; one whose amount they may have mistyped asks them first. */
  private comeBack(visit: Visit, payment: Payment): string {
    const { terms, reply } = visit;
    const statusPath = statusPathOf(payment, visit);
    const unpaid = ['opening', 'awaiting_payment'].includes(progressOf(payment));
    if (terms.singleUse || terms.amount !== null || !unpaid) return leadTo(reply, statusPath);
    const asked = { ...visit, visitor: newVisitor(), again: true };
    return sendPage(reply, openPage(asked, { statusPath, amount: payment.terms.amount, wanted: null }));
  }

  private async open(visit: Visit, visitor: string, amount: string): Promise<string> {
    const { terms, reply, language } = visit;
    this.limit.spend('link opening', visit.address);
    const payment = await this.payments.open(terms, visitor, amount, visit.requestId);
    if (payment.status === 'paid') return this.paid(visit, payment);
    if (payment.status !== 'failed') return this.resume(visit, payment, amount);
    if (terms.amount !== null) return sendPage(reply, troublePage(language, 'unpayable'), 502);
    return sendPage(reply, amountPage({ ...visit, visitor, again: false }, amount, linkTexts[language].refused), 422);
  }

  /** Has the browser keep who it is, new or not, so that it comes back to its payment. One payment for all needs nobody. */
  private remember({ link, reply }: Visit, known: string | null): string {
    const visitor = known ?? newVisitor();
    const { publicUrl } = this.settings;
    if (!link.terms.singleUse)
      void reply.header('set-cookie', cookieFor(visitor, `/l/${link.terms.slug}`, publicUrl.startsWith('https:')));
    return visitor;
  }
}

const isFurther = (form: unknown): boolean => fieldOf(form, 'again') !== '';

const visitorBytes = 16;
const newVisitor = (): string => randomBytes(visitorBytes).toString('base64url');

/**
 * Whose form it is: the cookie's, unless it asks for a further payment, or there is no cookie. The form carries a visitor
 * in either case, so that one that is sent twice means one payment.
 */
function visitorOf(form: unknown, known: string | null): string | null {
  const given = fieldOf(form, 'visitor');
  if (!isVisitor(given)) return known;
  return isFurther(form) ? given : (known ?? given);
}

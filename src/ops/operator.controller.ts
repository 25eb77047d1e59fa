import {
  Catch,
  createParamDecorator,
  Inject,
  Injectable,
  Logger,
  type ArgumentsHost,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../kernel/refusal.js';
import { leadTo, sendPage } from '../platform/http/page.controller.js';
import { problemOf, refusalOf } from '../platform/http/problem.js';
import { Audit } from './audit.pg.js';
import { ConsoleSessions } from './console-sessions.pg.js';
import { csrfTokenOf, idIn, isCsrfToken, keyFrom, pathAfterLogin, sessionCookie } from './console-session.js';
import { faultPage, loginPage } from './console.page.js';

/** What somebody may do in the console: everything, or look only. */
export type Role = 'act' | 'view';

/** Who may use the console: whoever knows the password of a role; nobody in a role whose password is null. */
export abstract class ConsoleAccess {
  abstract readonly passwords: Readonly<Record<Role, string | null>>;
  /** Whether the service is reached by https alone, so that the cookie never has to go without. */
  abstract readonly secure: boolean;
}

/** Somebody who is logged in. */
export interface Operator {
  /** The session's id. It opens the console: never log or show it. */
  session: string;
  /** What each form has to carry as `csrf`. */
  csrfToken: string;
  /** Who that person said to be. */
  name: string;
  role: Role;
}

type Asking = FastifyRequest & { operator?: Operator };

/** Nobody is logged in. `ended`: a cookie came, and its session is over or was none of ours. */
class NotLoggedIn extends Error {
  constructor(readonly ended: boolean) {
    super('not logged in');
  }
}

/** A request that did not come from a page of the console; `by` is whose session it came with. */
class CrossSiteRequest extends Error {
  constructor(readonly by: Operator | null) {
    super('not from a page of the console');
  }
}

/** Whoever may look only has asked for a change. */
class LooksOnly extends Error {
  constructor(readonly by: Operator) {
    super('may look only');
  }
}

/** Reads the cookie of requests, and knows whose it is. */
@Injectable()
export class Operators {
  private readonly derived = new Map<Role, Buffer>();

  constructor(
    @Inject(ConsoleAccess) private readonly access: ConsoleAccess,
    @Inject(ConsoleSessions) private readonly sessions: ConsoleSessions,
  ) {}

  /** The key that signs a role's sessions; null where no password is set, and so nobody can be logged in. */
  keyOf(role: Role): Buffer | null {
    const password = this.access.passwords[role];
    if (password === null) return null;
    const key = this.derived.get(role) ?? keyFrom(password);
    this.derived.set(role, key);
    return key;
  }

  /** Who sends this request; null where nobody is logged in. */
  async of(request: FastifyRequest): Promise<Operator | null> {
    const cookie = cookieIn(request);
    if (cookie === null) return null;
    for (const role of ['act', 'view'] as const) {
      const key = this.keyOf(role);
      const session = key && idIn(key, cookie);
      if (!key || !session) continue;
      const name = await this.sessions.nameOf(session);
      return name === null ? null : { session, csrfToken: csrfTokenOf(key, session), name, role };
    }
    return null;
  }
}

function cookieIn(request: FastifyRequest): string | null {
  const { cookie } = request.headers;
  return cookie === undefined ? null : (request.server.parseCookie(cookie)[sessionCookie] ?? null);
}

/** Browsers tell where a request began: one from another site changes nothing, not even who is logged in. */
export function refuseCrossSite(request: FastifyRequest, by: Operator | null = null): void {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') throw new CrossSiteRequest(by);
}

const isRead = ({ method }: FastifyRequest): boolean => method === 'GET' || method === 'HEAD';

const logoutPath = '/ops/logout';

/**
 * Lets operators in; what changes something needs the token of their session's forms, too, and the role that may act.
 * Every route that is not a GET changes something.
 */
@Injectable()
export class OperatorGuard implements CanActivate {
  constructor(@Inject(Operators) private readonly operators: Operators) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Asking>();
    const operator = await this.operators.of(request);
    if (!operator) throw new NotLoggedIn(cookieIn(request) !== null);
    if (!isRead(request)) this.expectForm(request, operator);
    request.operator = operator;
    return true;
  }

  private expectForm(request: FastifyRequest, operator: Operator): void {
    const { session, role } = operator;
    const key = this.operators.keyOf(role);
    refuseCrossSite(request, operator);
    if (key === null || !isCsrfToken(key, session, fieldOf(request.body, 'csrf'))) throw new CrossSiteRequest(operator);
    if (role === 'view' && request.routeOptions.url !== logoutPath) throw new LooksOnly(operator);
  }
}

/** A field of a form; the empty text where it is not there. */
export function fieldOf(form: unknown, name: string): string {
  if (typeof form !== 'object' || form === null) return '';
  const value: unknown = Object.getOwnPropertyDescriptor(form, name)?.value;
  return typeof value === 'string' ? value : '';
}

/** Why somebody acts. Throws `Refusal('invalid_request')` where nothing is said, or more than 1000 characters. */
export function reasonIn(form: unknown): string {
  const reason = fieldOf(form, 'reason').trim();
  if (reason === '' || reason.length > 1000)
    throw new Refusal('invalid_request', 'Go back and say why, in 1 to 1000 characters. Nothing was done.');
  return reason;
}

/** What an action of this request is caused by, for the audit stream and for whatever follows from it. */
export const causeOf = ({ id }: FastifyRequest): { correlationId: string; causationId: string } => ({
  correlationId: id,
  causationId: id,
});

export const CurrentOperator = createParamDecorator((_: unknown, context: ExecutionContext): Operator => {
  const { operator } = context.switchToHttp().getRequest<Asking>();
  if (!operator) throw new Error('a route that asks for its operator must be guarded by OperatorGuard');
  return operator;
});

/** How the audit stream calls a refusal; null for what is none of those. */
function refusedActionOf(error: unknown): string | null {
  if (error instanceof CrossSiteRequest) return 'form.not_from_console';
  if (error instanceof LooksOnly) return 'form.looks_only';
  return error instanceof NotLoggedIn && error.ended ? 'session.ended' : null;
}

/** Tells whatever was thrown as a page; that somebody was turned away is in the audit stream before. */
@Catch()
export class ConsoleFilter implements ExceptionFilter {
  private readonly logger = new Logger('console');

  constructor(@Inject(Audit) private readonly audit: Audit) {}

  async catch(error: unknown, host: ArgumentsHost): Promise<void> {
    const [request, reply] = [
      host.switchToHttp().getRequest<FastifyRequest>(),
      host.switchToHttp().getResponse<FastifyReply>(),
    ];
    const page = this.answer(error, request, reply);
    await this.record(error, request);
    void reply.send(page);
  }

  private async record(error: unknown, request: FastifyRequest): Promise<void> {
    const action = refusedActionOf(error);
    if (action === null) return;
    const by = error instanceof CrossSiteRequest || error instanceof LooksOnly ? error.by : null;
    // What an operator tried, to the payment; of a stranger's address no more than which page it is of.
    const path = by === null ? (request.routeOptions.url ?? '') : (request.url.split('?')[0] ?? '');
    const detail = { method: request.method, path: path.slice(0, 300) };
    const entry = { action, actor: by?.name ?? '', role: by?.role ?? null, target: null, reason: null, detail };
    try {
      await this.audit.recordRefusal(entry, request.ip);
    } catch (failure) {
      // Whoever is turned away is turned away in any case.
      this.logger.warn({ msg: 'a refusal is not in the audit stream', requestId: request.id, err: failure });
    }
  }

  private answer(error: unknown, request: FastifyRequest, reply: FastifyReply): string {
    if (error instanceof NotLoggedIn) return this.askToLogIn(error, request, reply);
    if (error instanceof CrossSiteRequest) {
      this.logger.warn({
        msg: 'a request from another site, or without the token of its session',
        requestId: request.id,
        address: request.ip,
      });
      return sendPage(
        reply,
        faultPage(403, 'This form did not come from the console, or is too old. Load its page anew.'),
        403,
      );
    }
    if (error instanceof LooksOnly)
      return sendPage(
        reply,
        faultPage(403, 'You are logged in to look only. Log in with the password of those who may act.'),
        403,
      );
    const { status, title, detail, retryAfter } = problemOf(refusalOf(error) ?? this.unexpected(error, request));
    if (typeof retryAfter === 'number') void reply.header('retry-after', String(retryAfter));
    else if (status === 503) void reply.header('retry-after', '30');
    return sendPage(reply, faultPage(status, `${title}. ${detail}`), status);
  }

  private askToLogIn({ ended }: NotLoggedIn, request: FastifyRequest, reply: FastifyReply): string {
    const next = pathAfterLogin(isRead(request) ? request.url : '/ops');
    if (isRead(request) && !ended) return leadTo(reply, `/ops/login?next=${encodeURIComponent(next)}`);
    void reply.header('www-authenticate', 'Cookie realm="operators"');
    return sendPage(reply, loginPage({ next, fault: 'You are not logged in, or no longer. Nothing was done.' }), 401);
  }

  private unexpected(error: unknown, { id, method }: FastifyRequest): Refusal {
    this.logger.error({ msg: 'unexpected error', requestId: id, method, err: error });
    return new Refusal('internal_error', `Look for the request ${id} in the log.`);
  }
}

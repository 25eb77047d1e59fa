import { randomBytes } from 'node:crypto';
import {
  Body,
  Controller,
  Get,
  HttpCode,
  Inject,
  Logger,
  Post,
  Query,
  Req,
  Res,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { leadTo, sendPage } from '../platform/http/page.controller.js';
import { RateLimit } from '../platform/http/rate-limit.controller.js';
import { Audit } from './audit.pg.js';
import { ConsoleSessions } from './console-sessions.pg.js';
import { cookieOf, isPassword, pathAfterLogin, sessionCookie, sessionSeconds } from './console-session.js';
import { loginPage } from './console.page.js';
import {
  ConsoleAccess,
  ConsoleFilter,
  CurrentOperator,
  fieldOf,
  OperatorGuard,
  Operators,
  refuseCrossSite,
  type Operator,
  type Role,
} from './operator.controller.js';

/** The door of the operators' console. */
@ApiExcludeController()
@Controller('ops')
@UseFilters(ConsoleFilter)
export class ConsoleController {
  private readonly logger = new Logger('console');

  constructor(
    @Inject(ConsoleAccess) private readonly access: ConsoleAccess,
    @Inject(Operators) private readonly operators: Operators,
    @Inject(ConsoleSessions) private readonly sessions: ConsoleSessions,
    @Inject(RateLimit) private readonly limit: RateLimit,
    @Inject(Audit) private readonly audit: Audit,
  ) {}

  @Get('login')
  async askForPassword(
    @Query('next') asked: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const next = pathAfterLogin(asked);
    if (await this.operators.of(request)) return leadTo(reply, next);
    return sendPage(reply, loginPage({ next, fault: null }));
  }

  /** Ten wrong passwords a minute from one address; then none is looked at, not even the right one. */
  @Post('login')
  @HttpCode(200)
  async logIn(
    @Body() form: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    refuseCrossSite(request);
    if (this.limit.isSpent('wrong password', request.ip))
      await this.recordRefusal('session.too_many_passwords', request);
    this.limit.refuseSpent('wrong password', request.ip);
    const next = pathAfterLogin(fieldOf(form, 'next'));
    const role = this.roleOf(fieldOf(form, 'password'));
    const key = role && this.operators.keyOf(role);
    if (key === null) {
      this.limit.spend('wrong password', request.ip);
      this.logger.warn({ msg: 'a wrong password for the console', requestId: request.id, address: request.ip });
      await this.recordRefusal('session.wrong_password', request);
      return sendPage(reply, loginPage({ next, fault: 'This is not the password.' }), 401);
    }
    const id = randomBytes(32).toString('base64url');
    const name = nameIn(form);
    await this.record('session.login', { name, role }, request);
    await this.sessions.open(id, name);
    this.logger.log({ msg: 'an operator logged in', requestId: request.id, address: request.ip });
    void reply.setCookie(sessionCookie, cookieOf(key, id), { ...this.cookie(), maxAge: sessionSeconds });
    return leadTo(reply, next);
  }

  @Post('logout')
  @UseGuards(OperatorGuard)
  async logOut(
    @CurrentOperator() operator: Operator,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    await this.sessions.end(operator.session);
    await this.record('session.logout', operator, request);
    this.logger.log({ msg: 'an operator logged out', requestId: request.id, address: request.ip });
    void reply.clearCookie(sessionCookie, this.cookie());
    return leadTo(reply, '/ops/login');
  }

  private record(
    action: string,
    { name, role }: { name: string; role: Role | null },
    { ip }: FastifyRequest,
  ): Promise<void> {
    const entry = { action, actor: name, role, target: null, reason: null, detail: { address: ip } };
    return this.audit.record({ ...entry, outcome: 'done' });
  }

  /** The name is left out: whoever is in a hurry types the password there. */
  private async recordRefusal(action: string, { id, ip }: FastifyRequest): Promise<void> {
    try {
      await this.audit.recordRefusal({ action, actor: '', role: null, target: null, reason: null, detail: null }, ip);
    } catch (failure) {
      this.logger.warn({ msg: 'a refusal is not in the audit stream', requestId: id, err: failure });
    }
  }

  /** All are looked at in any case, and nothing waits in between: many tries at once are counted like many in a row. */
  private roleOf(given: string): Role | null {
    const { act, view } = this.access.passwords;
    const [acts, views] = [isPassword(given, act), isPassword(given, view)];
    return acts ? 'act' : views ? 'view' : null;
  }

  private cookie(): { path: string; httpOnly: true; sameSite: 'strict'; secure: boolean } {
    return { path: '/ops', httpOnly: true, sameSite: 'strict', secure: this.access.secure };
  }
}

/** Who logs in, as that person says it: for the record of what was done, and no proof. */
const nameIn = (form: unknown): string =>
  fieldOf(form, 'name')
    .normalize('NFC')
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .trim()
    .slice(0, 80);

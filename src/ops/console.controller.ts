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
import { RateLimit } from '../platform/http/rate-limit.controller.js';
import { ConsoleReader } from './console-reader.pg.js';
import { ConsoleSessions } from './console-sessions.pg.js';
import { cookieOf, isPassword, pathAfterLogin, sessionCookie, sessionSeconds } from './console-session.js';
import { consoleStyle } from './console-style.js';
import { homePage, loginPage } from './console.page.js';
import {
  ConsoleAccess,
  ConsoleFilter,
  CurrentOperator,
  fieldOf,
  leadTo,
  OperatorGuard,
  Operators,
  refuseCrossSite,
  sendPage,
  type Operator,
} from './operator.controller.js';

/** The door of the operators' console, and its first page. */
@ApiExcludeController()
@Controller('ops')
@UseFilters(ConsoleFilter)
export class ConsoleController {
  private readonly logger = new Logger('console');

  constructor(
    @Inject(ConsoleAccess) private readonly access: ConsoleAccess,
    @Inject(Operators) private readonly operators: Operators,
    @Inject(ConsoleSessions) private readonly sessions: ConsoleSessions,
    @Inject(ConsoleReader) private readonly reader: ConsoleReader,
    @Inject(RateLimit) private readonly limit: RateLimit,
  ) {}

  @Get('console.css')
  style(@Res({ passthrough: true }) reply: FastifyReply): string {
    void reply
      .header('content-type', 'text/css; charset=utf-8')
      .header('x-content-type-options', 'nosniff')
      .header('cache-control', 'public, max-age=3600');
    return consoleStyle;
  }

  @Get()
  @UseGuards(OperatorGuard)
  async home(@CurrentOperator() operator: Operator, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return sendPage(reply, homePage(operator, await this.reader.waiting()));
  }

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
    this.limit.refuseSpent('wrong password', request.ip);
    const next = pathAfterLogin(fieldOf(form, 'next'));
    const { key } = this.operators;
    // Both are done in any case, and nothing waits in between: many tries at once are counted like many in a row.
    const right = isPassword(fieldOf(form, 'password'), this.access.password);
    if (!right || key === null) {
      this.limit.spend('wrong password', request.ip);
      this.logger.warn({ msg: 'a wrong password for the console', requestId: request.id, address: request.ip });
      return sendPage(reply, loginPage({ next, fault: 'This is not the password.' }), 401);
    }
    const id = randomBytes(32).toString('base64url');
    await this.sessions.open(id);
    this.logger.log({ msg: 'an operator logged in', requestId: request.id, address: request.ip });
    void reply.setCookie(sessionCookie, cookieOf(key, id), { ...this.cookie(), maxAge: sessionSeconds });
    return leadTo(reply, next);
  }

  @Post('logout')
  @UseGuards(OperatorGuard)
  async logOut(
    @CurrentOperator() { session }: Operator,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    await this.sessions.end(session);
    this.logger.log({ msg: 'an operator logged out', requestId: request.id, address: request.ip });
    void reply.clearCookie(sessionCookie, this.cookie());
    return leadTo(reply, '/ops/login');
  }

  private cookie(): { path: string; httpOnly: true; sameSite: 'strict'; secure: boolean } {
    return { path: '/ops', httpOnly: true, sameSite: 'strict', secure: this.access.secure };
  }
}

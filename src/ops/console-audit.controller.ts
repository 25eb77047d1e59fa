import { Controller, Get, Inject, Query, Res, UseFilters, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { sendPage } from '../platform/http/page.controller.js';
import { Audit } from './audit.pg.js';
import { auditPage } from './console-audit.page.js';
import { queryText } from './console-query.js';
import { ConsoleFilter, CurrentOperator, OperatorGuard, type Operator } from './operator.controller.js';

const entriesOnPage = 50;

/** What operators did, newest first. */
@ApiExcludeController()
@Controller('ops/audit')
@UseFilters(ConsoleFilter)
@UseGuards(OperatorGuard)
export class ConsoleAuditController {
  constructor(@Inject(Audit) private readonly audit: Audit) {}

  @Get()
  async list(
    @Query() query: unknown,
    @CurrentOperator() operator: Operator,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const [actor, action] = [queryText(query, 'actor', 200), queryText(query, 'action', 64)];
    const filter = { ...(actor === '' ? {} : { actor }), ...(action === '' ? {} : { action }) };
    const before = positionIn(queryText(query, 'before', 16));
    const found = await this.audit.list(filter, { before, limit: entriesOnPage });
    const entries = found.slice(0, entriesOnPage);
    const last = found.length > entries.length ? (entries.at(-1)?.position ?? null) : null;
    const choices = await this.audit.choices();
    return sendPage(
      reply,
      auditPage(operator, { entries, filter: { actor, action }, choices, isFirst: before === null, last }),
    );
  }
}

const positionIn = (text: string): number | null => (/^\d{1,15}$/.test(text) ? parseInt(text, 10) : null);

import { Controller, Get, Inject, Query, Res, UseFilters, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { isUuid } from '../kernel/ids.js';
import { leadTo, sendPage } from '../platform/http/page.controller.js';
import { queryText } from './console-query.js';
import { beginningAtLeast, readSought, soughtAtMost } from './console-search.js';
import { searchPage } from './console-search.page.js';
import { ConsoleSearch, type Found } from './console-search.pg.js';
import { ConsoleFilter, CurrentOperator, OperatorGuard, type Operator } from './operator.controller.js';

const foundOnPage = 25;

interface Results {
  found: Found[];
  isExact: boolean;
}

/** Finds payments by what a payer, a shop or an explorer tells of them. */
@ApiExcludeController()
@Controller('ops/search')
@UseFilters(ConsoleFilter)
@UseGuards(OperatorGuard)
export class ConsoleSearchController {
  constructor(@Inject(ConsoleSearch) private readonly search: ConsoleSearch) {}

  /** One payment alone is led to. */
  @Get()
  async find(
    @Query() query: unknown,
    @CurrentOperator() operator: Operator,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const sought = queryText(query, 'q', soughtAtMost);
    const given = queryText(query, 'before', 36);
    const before = isUuid(given) ? given : null;
    const { found, isExact } = sought === '' ? { found: [], isExact: true } : await this.results(sought, before);
    const [only] = found;
    if (only && found.length === 1 && before === null) return leadTo(reply, `/ops/payments/${only.paymentId}`);
    const more = found.length > foundOnPage;
    return sendPage(
      reply,
      searchPage(operator, { sought, found: found.slice(0, foundOnPage), isExact, isFirst: before === null, more }),
    );
  }

  private async results(typed: string, before: string | null): Promise<Results> {
    const sought = readSought(typed);
    const found = await this.search.exactly(sought, { before, limit: foundOnPage });
    if (found.length > 0 || before !== null || sought.text.length < beginningAtLeast) return { found, isExact: true };
    return { found: await this.search.beginningWith(sought, foundOnPage), isExact: false };
  }
}

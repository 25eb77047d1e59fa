import { Controller, Get, Inject, Query, Res, UseFilters, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Refusal } from '../kernel/refusal.js';
import { sendPage } from '../platform/http/page.controller.js';
import { ConsoleReader } from './console-reader.pg.js';
import { isRange, ranges, type Range } from './dashboard-window.js';
import { Dashboards } from './dashboards.pg.js';
import { dashboardsPage } from './dashboards.page.js';
import { ConsoleFilter, CurrentOperator, OperatorGuard, type Operator } from './operator.controller.js';

/** What the page lets one choose from; of others the address can be written. */
const applicationsListed = 200;

/** The four metrics as plots and tables. */
@ApiExcludeController()
@Controller('ops/dashboards')
@UseFilters(ConsoleFilter)
@UseGuards(OperatorGuard)
export class DashboardsController {
  constructor(
    @Inject(ConsoleReader) private readonly reader: ConsoleReader,
    @Inject(Dashboards) private readonly dashboards: Dashboards,
  ) {}

  @Get()
  async show(
    @Query('range') asked: unknown,
    @Query('application') named: unknown,
    @CurrentOperator() viewer: Operator,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const range = rangeIn(asked);
    const application = named === undefined || named === '' ? null : await this.named(named);
    const listed = (await this.reader.applications('', applicationsListed)).map(({ name }) => name);
    const applications =
      application === null || listed.includes(application.name) ? listed : [...listed, application.name];
    const dashboard = await this.dashboards.of(range, application?.id ?? null);
    return sendPage(
      reply,
      dashboardsPage({ viewer, range, application: application?.name ?? null, applications, dashboard }),
    );
  }

  private async named(name: unknown): Promise<{ id: string; name: string }> {
    const found = typeof name === 'string' ? await this.reader.application(name) : null;
    if (found === null) throw new Refusal('not_found', 'There is no application with this name.');
    return found;
  }
}

function rangeIn(asked: unknown): Range {
  if (asked === undefined) return '24h';
  if (typeof asked === 'string' && isRange(asked)) return asked;
  throw new Refusal('malformed_request', `A range is one of ${Object.keys(ranges).join(', ')}.`);
}

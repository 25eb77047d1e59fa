import { Body, Controller, Get, Inject, Param, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { WebhookDeliveries } from '../fulfillment/webhook-deliveries.pg.js';
import { Clock } from '../kernel/clock.js';
import { isUuid } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import { leadTo, sendPage } from '../platform/http/page.controller.js';
import { Audit } from './audit.pg.js';
import { queryText } from './console-query.js';
import { isQueueKind, readCursor } from './console-queue.js';
import { queuePage } from './console-queue.page.js';
import { ConsoleQueue } from './console-queue.pg.js';
import { ConsoleReader } from './console-reader.pg.js';
import { pathAfterLogin } from './console-session.js';
import {
  causeOf,
  ConsoleFilter,
  CurrentOperator,
  fieldOf,
  OperatorGuard,
  reasonIn,
  type Operator,
} from './operator.controller.js';

const exceptionsOnPage = 25;
/** Applications that the filter lists; others are reached by their name in the address. */
const applicationsListed = 100;

const sentences: ReadonlyMap<string, string> = new Map([
  [
    'redelivered',
    'The webhook is on its way again. It leaves this list at once; where it fails for good, it comes back.',
  ],
]);

/** What waits for a person, and sending dead letters again. */
@ApiExcludeController()
@Controller('ops')
@UseFilters(ConsoleFilter)
@UseGuards(OperatorGuard)
export class ConsoleQueueController {
  constructor(
    @Inject(ConsoleQueue) private readonly queue: ConsoleQueue,
    @Inject(ConsoleReader) private readonly reader: ConsoleReader,
    @Inject(WebhookDeliveries) private readonly deliveries: WebhookDeliveries,
    @Inject(Audit) private readonly audit: Audit,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  @Get()
  async list(
    @Query() query: unknown,
    @CurrentOperator() operator: Operator,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const [asked, named] = [queryText(query, 'kind', 20), queryText(query, 'application', 64)];
    const kind = isQueueKind(asked) ? asked : null;
    const after = readCursor(queryText(query, 'after', 100));
    const application = named === '' ? null : await this.reader.application(named);
    if (named !== '' && application === null) throw new Refusal('not_found', 'There is no application with this name.');
    const applicationId = application?.id ?? null;
    const found = await this.queue.list({ kind, applicationId }, { after, limit: exceptionsOnPage });
    const counts = await this.queue.counts(applicationId);
    const applications = await this.reader.applications('', applicationsListed);
    return sendPage(
      reply,
      queuePage(operator, {
        exceptions: found.slice(0, exceptionsOnPage),
        counts,
        kind,
        application: named,
        applications: applications.map(({ name }) => name),
        isFirst: after === null,
        more: found.length > exceptionsOnPage,
        now: this.clock.now(),
        said: sentences.get(queryText(query, 'said', 20)) ?? null,
      }),
    );
  }

  /** Leads back to the page of the console that the form names as `back`. */
  @Post('deliveries/:id/redeliver')
  async redeliver(
    @Param('id') id: string,
    @Body() form: unknown,
    @CurrentOperator() operator: Operator,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const reason = reasonIn(form);
    const { name: actor, role } = operator;
    const target = { kind: 'delivery' as const, id };
    const entry = { action: 'delivery.redeliver', actor, role, target, reason, detail: null };
    await this.audit.perform(entry, () => this.sendAgain(id), causeOf(request));
    const back = pathAfterLogin(fieldOf(form, 'back'));
    return leadTo(reply, `${back}${back.includes('?') ? '&' : '?'}said=redelivered`);
  }

  private async sendAgain(id: string): Promise<void> {
    if (!isUuid(id)) throw new Refusal('not_found', 'There is no webhook delivery with this id.');
    const { queued } = await this.deliveries.redeliver(null, { ids: [id] });
    if (queued === 0)
      throw new Refusal(
        'conflict',
        'Its endpoint is gone or disabled, or the webhook was cancelled. Enable the endpoint first, then send it again.',
      );
  }
}

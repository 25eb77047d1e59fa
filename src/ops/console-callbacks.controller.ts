import { Body, Controller, Get, Inject, Param, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isUuid } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import { PaymentGateway } from '../payments/payment-gateway.js';
import { ReprocessMessage, type Reprocessed } from '../payments/reprocess.handlers.js';
import { EventStore } from '../platform/event-store/event-store.pg.js';
import { leadTo, sendPage } from '../platform/http/page.controller.js';
import { actorOf } from './audit-entry.js';
import { Audit } from './audit.pg.js';
import { callbackPage } from './console-callback.page.js';
import { queryText, withQuery } from './console-query.js';
import { readKept } from './kept-callback.pg.js';
import {
  causeOf,
  ConsoleFilter,
  CurrentOperator,
  OperatorGuard,
  reasonIn,
  type Operator,
} from './operator.controller.js';

/** One callback of the gateway as it came, and applying it anew. */
@ApiExcludeController()
@Controller('ops/callbacks')
@UseFilters(ConsoleFilter)
@UseGuards(OperatorGuard)
export class ConsoleCallbacksController {
  constructor(
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(PaymentGateway) private readonly gateway: PaymentGateway,
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(Audit) private readonly audit: Audit,
  ) {}

  @Get(':id')
  async show(
    @Param('id') id: string,
    @Query() query: unknown,
    @CurrentOperator() operator: Operator,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const kept = await readKept(this.store, this.gateway, idOf(id));
    const result = queryText(query, 'result', 40);
    return sendPage(reply, callbackPage(operator, kept, result === '' ? null : result));
  }

  /** Applies it once, however often it is asked; one whose signature no key of now bears out stays as it is. */
  @Post(':id/reprocess')
  async reprocess(
    @Param('id') given: string,
    @Body() form: unknown,
    @CurrentOperator() operator: Operator,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const id = idOf(given);
    const reason = reasonIn(form);
    const { name: actor, role } = operator;
    const entry = { action: 'callback.reprocess', actor, role, target: { kind: 'callback' as const, id }, reason };
    const cause = causeOf(request);
    const work = (): Promise<Reprocessed> =>
      this.commands.execute<ReprocessMessage, Reprocessed>(
        new ReprocessMessage(id, { actor: actorOf(actor), retiredKey: false, dryRun: false }),
      );
    const result = await this.audit.perform(
      { ...entry, detail: null },
      work,
      cause,
      ({ outcome, reason: why, events }) => ({
        outcome: outcome === 'kept' ? 'refused' : 'done',
        detail: outcome === 'kept' ? { stays: why } : { events: events.map(({ id: event }) => event) },
      }),
    );
    const said = result.outcome === 'kept' ? (result.reason ?? 'unknown') : 'applied';
    return leadTo(reply, withQuery(`/ops/callbacks/${id}`, { result: said }));
  }
}

function idOf(id: string): string {
  if (!isUuid(id)) throw new Refusal('not_found', 'There is no callback with this id.');
  return id;
}

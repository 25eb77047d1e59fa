import { Controller, Get, Inject, Param, Query, Res, UseFilters, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Refusal } from '../kernel/refusal.js';
import { Policies } from '../payments/policies.pg.js';
import { inlinePolicy } from '../payments/policies.js';
import { defaultPolicy } from '../payments/policy.js';
import { Simulations } from '../payments/simulations.pg.js';
import type { Application } from '../platform/http/applications.pg.js';
import { sendPage } from '../platform/http/page.controller.js';
import { ConsoleReader } from './console-reader.pg.js';
import { ConsoleFilter, CurrentOperator, OperatorGuard, type Operator } from './operator.controller.js';
import { policiesPage, type ApplicationPolicies } from './policies.page.js';
import { readWhatIf, type Asked } from './what-if-form.js';
import { whatIfPage, type Simulated } from './what-if.page.js';

const applicationsOnPage = 20;
const policiesOfEach = 20;
/** An application has no more than these. */
const policiesOfOne = 1000;

/** A simulation takes so much of this process at most; what is left is another one. */
const withinMs = 4000;
const listed = 100;

/** The policies of all applications, and what the past would have been under others. */
@ApiExcludeController()
@Controller('ops/policies')
@UseFilters(ConsoleFilter)
@UseGuards(OperatorGuard)
export class ConsolePoliciesController {
  private readonly running = new Set<string>();

  constructor(
    @Inject(ConsoleReader) private readonly reader: ConsoleReader,
    @Inject(Policies) private readonly policies: Policies,
    @Inject(Simulations) private readonly simulations: Simulations,
  ) {}

  @Get()
  async list(
    @Query('application') named: unknown,
    @Query('after') after: unknown,
    @CurrentOperator() operator: Operator,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    if (typeof named === 'string') {
      const one = await this.policiesOf(await this.named(named), policiesOfOne);
      return sendPage(reply, policiesPage(operator, [one], null));
    }
    const start = typeof after === 'string' ? after : '';
    const found = await this.reader.applications(start, applicationsOnPage + 1);
    const shown = found.slice(0, applicationsOnPage);
    const last = found.length > shown.length ? (shown.at(-1)?.name ?? null) : null;
    const all: ApplicationPolicies[] = [];
    for (const application of shown) all.push(await this.policiesOf(application, policiesOfEach));
    const next = last === null ? null : `/ops/policies?after=${encodeURIComponent(last)}`;
    return sendPage(reply, policiesPage(operator, all, next));
  }

  /** A simulation has an address that can be sent to somebody else, so it is asked for by GET; it changes nothing. */
  @Get(':application/:policy')
  async whatIf(
    @Param() { application: named, policy }: Record<'application' | 'policy', string>,
    @Query() query: unknown,
    @CurrentOperator() operator: Operator,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const application = await this.named(named);
    const current = await this.policies.find(application.id, policy);
    if (current === null && policy !== inlinePolicy)
      throw new Refusal('not_found', 'There is no policy with this name.');
    const form = readWhatIf(query, (current ?? defaultPolicy).rules);
    const simulated =
      form.asked === null
        ? null
        : await this.alone(operator.session, form.asked, { policy, applicationId: application.id });
    const view = { viewer: operator, application: application.name, policy, version: current?.version ?? null };
    return sendPage(reply, whatIfPage({ ...view, form, simulated }), form.faults.size > 0 ? 422 : 200);
  }

  private async named(name: string): Promise<Application> {
    const application = await this.reader.application(name);
    if (application === null) throw new Refusal('not_found', 'There is no application with this name.');
    return application;
  }

  private async policiesOf({ id, name }: Application, limit: number): Promise<ApplicationPolicies> {
    const policies = await this.policies.list(id, { after: null, limit: limit + 1 });
    return { application: name, policies: policies.slice(0, limit), more: policies.length > limit };
  }

  /** It is work for this process, so that each session has one at a time. */
  private async alone(
    session: string,
    asked: Asked,
    of: { policy: string; applicationId: string },
  ): Promise<Simulated> {
    if (this.running.has(session))
      throw new Refusal(
        'rate_limited',
        'A simulation of yours is running already; load this page anew when it is done.',
        [],
        {
          retryAfter: Math.ceil(withinMs / 1000),
        },
      );
    this.running.add(session);
    const began = performance.now();
    try {
      const simulation = await this.simulations.run({ ...of, ...asked }, { listed, withinMs });
      return { asked, simulation, tookMs: performance.now() - began };
    } finally {
      this.running.delete(session);
    }
  }
}

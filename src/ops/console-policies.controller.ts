import {
  Body,
  Controller,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Req,
  Res,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../kernel/refusal.js';
import type { Html } from '../platform/http/html.js';
import { Policies } from '../payments/policies.pg.js';
import { inlinePolicy, isPolicyName, policyNameRule, sameRules } from '../payments/policies.js';
import { defaultPolicy, type PolicyRules } from '../payments/policy.js';
import { Simulations } from '../payments/simulations.pg.js';
import type { Application } from '../platform/http/applications.pg.js';
import { leadTo, sendPage } from '../platform/http/page.controller.js';
import { PolicyVersions, type AuthoredVersion } from './console-policies.pg.js';
import { PolicySaving, type Saving } from './console-policy-saving.handlers.js';
import { ConsoleReader } from './console-reader.pg.js';
import { ConsoleFilter, CurrentOperator, fieldOf, OperatorGuard, type Operator } from './operator.controller.js';
import {
  conflictNote,
  looksOnlyNote,
  notSavedNote,
  sameRulesNote,
  savedNote,
  savingForm,
  unseenNote,
  versionList,
  type Offer,
} from './policies-save.page.js';
import { policiesPage, whatIfPath, type ApplicationPolicies, type RefusedName } from './policies.page.js';
import { readWhatIf, type Asked, type WhatIfForm } from './what-if-form.js';
import { whatIfPage, type Simulated, type WhatIfSurroundings } from './what-if.page.js';

const applicationsOnPage = 20;
const policiesOfEach = 20;
/** An application has no more than these. */
const policiesOfOne = 1000;

/** A simulation takes so much of this process at most; what is left is another one. */
const withinMs = 4000;
const listed = 100;

/** A policy of an application, as it is now; `versions` is empty where it is to be new. */
interface Subject {
  application: Application;
  policy: string;
  versions: AuthoredVersion[];
  /** What the form begins with. */
  rules: PolicyRules;
  /** Of a policy that is to be new: those on whose past it can be tried. */
  triedOn: string[] | null;
}

type Named = Record<'application' | 'policy', string>;

/** The policies of all applications, what the past would have been under others, and how they become others. */
@ApiExcludeController()
@Controller('ops/policies')
@UseFilters(ConsoleFilter)
@UseGuards(OperatorGuard)
export class ConsolePoliciesController {
  private readonly running = new Set<string>();

  constructor(
    @Inject(ConsoleReader) private readonly reader: ConsoleReader,
    @Inject(Policies) private readonly policies: Policies,
    @Inject(PolicyVersions) private readonly versions: PolicyVersions,
    @Inject(Simulations) private readonly simulations: Simulations,
    @Inject(PolicySaving) private readonly saving: PolicySaving,
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

  /** Leads to the form of a policy that is to have this name. */
  @Get('new')
  async begin(
    @Query() query: unknown,
    @CurrentOperator() operator: Operator,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const application = await this.named(fieldOf(query, 'application'));
    const typed = fieldOf(query, 'name').trim().slice(0, 100);
    const fault = await this.faultOf(application, typed);
    if (fault === null) return leadTo(reply, `${whatIfPath(application.name, typed)}?of=${defaultPolicy.name}`);
    const refused: RefusedName = { typed, fault };
    const one = await this.policiesOf(application, policiesOfOne);
    return sendPage(reply, policiesPage(operator, [one], null, refused), 422);
  }

  /** A simulation has an address that can be sent to somebody else, so it is asked for by GET; it changes nothing. */
  @Get(':application/:policy')
  async whatIf(
    @Param() named: Named,
    @Query() query: unknown,
    @CurrentOperator() operator: Operator,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const subject = await this.subject(named, fieldOf(query, 'of') !== '');
    const form = formOf(subject, query);
    const simulated = form.asked === null ? null : await this.alone(operator.session, form.asked, subject, form);
    const saved = subject.versions.find(({ version }) => String(version) === fieldOf(query, 'saved'));
    const around: WhatIfSurroundings = {
      ...(saved && { notice: savedNote(saved) }),
      ...(simulated && this.offerOf(operator, subject, form, simulated)),
    };
    const status = form.faults.size > 0 ? 422 : 200;
    return sendPage(reply, this.page(operator, subject, { form, simulated }, around), status);
  }

  /** Saves the rules whose what-if was looked at as the next version. */
  @Post(':application/:policy')
  @HttpCode(200)
  async save(
    @Param() named: Named,
    @Body() body: unknown,
    @CurrentOperator() operator: Operator,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const subject = await this.subject(named, true);
    const form = formOf(subject, body);
    const { application, policy } = subject;
    const basedOn = versionIn(fieldOf(body, 'basedOn'));
    const wanted = {
      ...{ operator, application, policy, basedOn, form, requestId: request.id },
      ...{ proof: fieldOf(body, 'proof'), reason: fieldOf(body, 'reason').trim() },
    };
    const outcome = await this.saving.save(wanted);
    if (outcome.kind === 'saved')
      return leadTo(reply, `${whatIfPath(application.name, policy)}?saved=${String(outcome.version)}`);
    const { status, around, now } = await this.refusal(outcome, subject, wanted);
    return sendPage(reply, this.page(operator, now, { form, simulated: null }, around), status);
  }

  /** What the page says where nothing was saved; `now` is the policy as it is then. */
  private async refusal(
    outcome: Exclude<Saving, { kind: 'saved' }>,
    subject: Subject,
    wanted: { operator: Operator; basedOn: number; form: WhatIfForm; proof: string; reason: string },
  ): Promise<{ status: number; around: WhatIfSurroundings; now: Subject }> {
    const { application, policy } = subject;
    const { operator, basedOn, form, proof, reason } = wanted;
    const path = whatIfPath(application.name, policy);
    switch (outcome.kind) {
      case 'faults':
        return { status: 422, around: {}, now: subject };
      case 'reason': {
        const newest = subject.versions.find(({ version }) => version === basedOn) ?? null;
        const offer = { newest, rules: outcome.rules, proof, simulation: null, reason, fault: outcome.fault };
        return { status: 422, around: { saving: this.form(operator, subject, form, offer) }, now: subject };
      }
      case 'unseen':
        return { status: 422, around: { notice: unseenNote(path, form.typed) }, now: subject };
      case 'same':
        return { status: 200, around: { notice: notSavedNote(outcome.version) }, now: subject };
      case 'conflict': {
        const now = await this.subject({ application: application.name, policy }, true);
        return { status: 409, around: { notice: conflictNote(now.versions.at(-1) ?? null, path, form.typed) }, now };
      }
    }
  }

  private page(
    viewer: Operator,
    { application, policy, versions, triedOn }: Subject,
    shown: { form: WhatIfForm; simulated: Simulated | null },
    around: WhatIfSurroundings,
  ): Html {
    const version = versions.at(-1)?.version ?? null;
    return whatIfPage(
      { viewer, application: application.name, policy, version, ...shown },
      { versions: versionList(versions), ...(triedOn && { triedOn }), ...around },
    );
  }

  /** Rules that are looked at can be saved, by those who may. */
  private offerOf(
    operator: Operator,
    subject: Subject,
    form: WhatIfForm,
    { asked: { rules }, simulation }: Simulated,
  ): WhatIfSurroundings {
    const { application, policy, versions } = subject;
    if (policy === inlinePolicy) return {};
    const newest = versions.at(-1) ?? null;
    if (newest && sameRules(newest.rules, rules)) return { saving: sameRulesNote(newest.version) };
    if (operator.role === 'view') return { saving: looksOnlyNote };
    const proof = this.saving.proofOf({ operator, application, policy, basedOn: newest?.version ?? 0, form });
    const offer = { newest, rules, proof, simulation, reason: '', fault: null };
    return { saving: this.form(operator, subject, form, offer) };
  }

  private form(
    { csrfToken }: Operator,
    { application, policy }: Subject,
    { typed }: WhatIfForm,
    offer: Omit<Offer, 'application' | 'policy' | 'csrfToken' | 'typed'>,
  ): Html {
    return savingForm({ application: application.name, policy, csrfToken, typed, ...offer });
  }

  private async named(name: string): Promise<Application> {
    const application = await this.reader.application(name);
    if (application === null) throw new Refusal('not_found', 'There is no application with this name.');
    return application;
  }

  /** What may not be the name of a new policy, and why; null for one that may. */
  private async faultOf(application: Application, name: string): Promise<string | null> {
    if (!isPolicyName(name)) return `A name is ${policyNameRule}.`;
    const known = await this.policies.find(application.id, name);
    return known === null ? null : 'There is a policy with this name already.';
  }

  /** The policy that is meant; one that is not there is one only where it `mayBeNew`. */
  private async subject({ application: named, policy }: Named, mayBeNew: boolean): Promise<Subject> {
    const application = await this.named(named);
    const versions = await this.versions.of(application.id, policy);
    const newest = versions.at(-1);
    const found = { application, policy, versions };
    if (newest) return { ...found, rules: newest.rules, triedOn: null };
    if (policy === inlinePolicy) return { ...found, rules: defaultPolicy.rules, triedOn: null };
    if (!mayBeNew || !isPolicyName(policy)) throw new Refusal('not_found', 'There is no policy with this name.');
    const policies = await this.policies.list(application.id);
    const standard = policies.find(({ name }) => name === defaultPolicy.name) ?? defaultPolicy;
    return { ...found, rules: standard.rules, triedOn: [...policies.map(({ name }) => name), inlinePolicy] };
  }

  private async policiesOf({ id, name }: Application, limit: number): Promise<ApplicationPolicies> {
    const policies = await this.policies.list(id, { after: null, limit: limit + 1 });
    return { application: name, policies: policies.slice(0, limit), more: policies.length > limit };
  }

  /** It is work for this process, so that each session has one at a time. */
  private async alone(
    session: string,
    asked: Asked,
    { application, policy, triedOn }: Subject,
    { typed }: WhatIfForm,
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
      const of = { applicationId: application.id, policy: triedOn === null ? policy : typed.of };
      const simulation = await this.simulations.run({ ...of, ...asked }, { listed, withinMs });
      return { asked, simulation, tookMs: performance.now() - began };
    } finally {
      this.running.delete(session);
    }
  }
}

/** What was typed; a policy that is to be new is tried on the past of one that there is. */
function formOf({ rules, triedOn }: Subject, given: unknown): WhatIfForm {
  const { typed, faults, asked } = readWhatIf(given, rules);
  if (triedOn === null) return { typed: { ...typed, of: '' }, faults, asked };
  const of = typed.of === '' ? defaultPolicy.name : typed.of;
  if (triedOn.includes(of)) return { typed: { ...typed, of }, faults, asked };
  return { typed: { ...typed, of }, faults: new Map([...faults, ['of', 'is not one of the policies']]), asked: null };
}

const versionIn = (text: string): number => (/^\d{1,6}$/.test(text) ? parseInt(text, 10) : -1);

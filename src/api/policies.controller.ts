import { Body, Controller, Get, Inject, Param, Put, Query, Req, Res, UseGuards, UseInterceptors } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiCreatedResponse,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiProperty,
  ApiPropertyOptional,
  ApiTags,
} from '@nestjs/swagger';
import { IsOptional, IsString, Matches } from 'class-validator';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../kernel/refusal.js';
import { Policies } from '../payments/policies.pg.js';
import { isPolicyName, policyNameRule, type DefinedPolicy } from '../payments/policies.js';
import { defaultPolicy } from '../payments/policy.js';
import { ApiKeyGuard, Caller } from '../platform/http/api-key.controller.js';
import type { Application } from '../platform/http/applications.pg.js';
import { IdempotencyInterceptor } from '../platform/http/idempotency.controller.js';
import { causeOf } from './cause.js';
import { rulesOf } from './policy-of.js';
import { ChangesAndRefuses, Refuses } from './problems.js';
import { limitOf, listOf, PageQuery, readCursor } from './queries.js';
import { LatePayment, Overpayment, PaidWhen, PolicyRequest, Underpayment } from './requests.js';
import { bodyPipe, queryPipe } from './validation.js';

class PolicyQuery {
  @ApiPropertyOptional({ example: '1', description: 'One version of it; the newest where left out' })
  @IsOptional()
  @IsString()
  @Matches(/^[1-9]\d{0,5}$/, { message: 'must be a version: a whole number from 1' })
  version?: string;
}

class PolicyAnswer {
  @ApiProperty({ example: 'standard' }) name!: string;
  @ApiProperty({ example: 1, description: 'From 1, one more at each change of the rules.' }) version!: number;
  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'When this version was defined; null for the built-in `default`.',
  })
  createdAt!: string | null;
  @ApiProperty({ type: PaidWhen }) paidWhen!: PaidWhen;
  @ApiProperty({ type: Underpayment }) underpayment!: Underpayment;
  @ApiProperty({ type: Overpayment }) overpayment!: Overpayment;
  @ApiProperty({ type: LatePayment }) latePayment!: LatePayment;
}

class PolicyListAnswer {
  @ApiProperty({ type: [PolicyAnswer] }) items!: PolicyAnswer[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

const nameParam = ApiParam({ name: 'name', example: 'standard', description: `${policyNameRule}.` });

const bodyExamples = {
  careful: {
    summary: 'High value: six confirmations, every deviation to a person',
    value: {
      paidWhen: { rule: 'confirmations', count: 6 },
      underpayment: { tolerancePercent: '0', then: 'review' },
      overpayment: { tolerancePercent: '0', then: 'review' },
      latePayment: { window: 'PT24H', then: 'review' },
    },
  },
  lenient: {
    summary: 'Low value: at first sight, 1.5 percent may be missing; the rest as in the built-in default',
    value: {
      paidWhen: { rule: 'detected' },
      underpayment: { tolerancePercent: '1.5', then: 'partial_credit' },
    },
  },
};

@ApiTags('policies')
@ApiBearerAuth()
@Controller('v1/policies')
@UseGuards(ApiKeyGuard)
@UseInterceptors(IdempotencyInterceptor)
export class PoliciesController {
  constructor(@Inject(Policies) private readonly policies: Policies) {}

  @Put(':name')
  @ApiOperation({
    summary: 'Define a policy, or a new version of it',
    description:
      'Clauses that are left out are those of the built-in `default`. The rules of the newest version again make no new one. ' +
      'Payments that run keep the version that they began with. A policy named `default` is what payments without one get.',
  })
  @nameParam
  @ApiBody({ type: PolicyRequest, examples: bodyExamples })
  @ApiOkResponse({ type: PolicyAnswer, description: 'The newest version, changed or not' })
  @ApiCreatedResponse({ type: PolicyAnswer, description: 'The first version' })
  @ChangesAndRefuses('conflict')
  async define(
    @Caller() caller: Application,
    @Param('name') name: string,
    @Body(bodyPipe) body: PolicyRequest,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<PolicyAnswer> {
    const rules = rulesOf(body, defaultPolicy.rules);
    const defined = await this.policies.define(caller.id, name, rules, causeOf(caller, request));
    if (defined.added && defined.version === 1) void reply.status(201).header('location', `/v1/policies/${name}`);
    return answerPolicy(defined);
  }

  @Get()
  @ApiOperation({ summary: 'The newest version of each of your policies, by name; `default` is always among them' })
  @ApiOkResponse({ type: PolicyListAnswer })
  @Refuses('malformed_request', 'invalid_cursor')
  async list(@Caller() caller: Application, @Query(queryPipe) query: PageQuery) {
    const after = readCursor(caller.id, query.cursor, isPolicyName);
    const limit = limitOf(query);
    const found = await this.policies.list(caller.id, { after, limit: limit + 1 });
    return listOf(found, limit, caller.id, (policy) => policy.name, answerPolicy);
  }

  @Get(':name')
  @ApiOperation({ summary: 'The newest version of a policy, or the one that is asked for' })
  @nameParam
  @ApiOkResponse({ type: PolicyAnswer })
  @Refuses('not_found', 'malformed_request')
  async get(@Caller() caller: Application, @Param('name') name: string, @Query(queryPipe) query: PolicyQuery) {
    const versions = await this.policies.history(caller.id, name);
    const newest = versions.at(-1);
    if (!newest) throw new Refusal('not_found', 'There is no policy with this name.');
    const asked =
      query.version === undefined ? newest : versions.find(({ version }) => String(version) === query.version);
    if (!asked) throw new Refusal('not_found', `The newest version of this policy is ${String(newest.version)}.`);
    return answerPolicy(asked);
  }
}

const answerPolicy = ({ name, version, definedAt, rules }: DefinedPolicy): PolicyAnswer => ({
  name,
  version,
  createdAt: definedAt,
  ...rules,
});

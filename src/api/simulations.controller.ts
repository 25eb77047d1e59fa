import { Body, Controller, HttpCode, Inject, Param, Post, UseGuards, UseInterceptors } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOkResponse, ApiOperation, ApiParam, ApiProperty, ApiTags } from '@nestjs/swagger';
import { Refusal } from '../kernel/refusal.js';
import { Policies } from '../payments/policies.pg.js';
import { inlinePolicy, isPolicyName, policyNameRule } from '../payments/policies.js';
import { defaultPolicy, type PolicyRules } from '../payments/policy.js';
import { Simulations, type Simulation } from '../payments/simulations.pg.js';
import { ApiKeyGuard, Caller } from '../platform/http/api-key.controller.js';
import type { Application } from '../platform/http/applications.pg.js';
import { IdempotencyInterceptor } from '../platform/http/idempotency.controller.js';
import { rulesOf } from './policy-of.js';
import { ChangesAndRefuses } from './problems.js';
import { cursorOf, readCursor } from './queries.js';
import { PolicyRequest, SimulationRequest } from './requests.js';
import { bodyPipe } from './validation.js';

class SumsAnswer {
  @ApiProperty({ example: 118 }) paid!: number;
  @ApiProperty({ example: 2, description: 'Payments about which a person is asked.' }) inReview!: number;
  @ApiProperty({ example: 0, description: 'Payments whose worth nobody knows; they are in none of the amounts.' })
  worthUnknown!: number;
  @ApiProperty({ example: '5882.10' }) received!: string;
  @ApiProperty({ example: '5880.00' }) applied!: string;
  @ApiProperty({ example: '0' }) kept!: string;
  @ApiProperty({ example: '2.10' }) credited!: string;
  @ApiProperty({ example: '0', description: 'Sent back, or on its way back.' }) returned!: string;
  @ApiProperty({ example: '0' }) unallocated!: string;
}

class TotalsAnswer {
  @ApiProperty({ example: 'USD' }) currency!: string;
  @ApiProperty({ example: 120 }) payments!: number;
  @ApiProperty({ type: SumsAnswer, description: 'By the policies that the payments carried.' }) actual!: SumsAnswer;
  @ApiProperty({ type: SumsAnswer, description: 'By the policy that was asked about.' }) simulated!: SumsAnswer;
}

class SimulationAnswer {
  @ApiProperty({ example: 'standard' }) name!: string;
  @ApiProperty({ type: PolicyRequest, description: 'The rules that the past was decided by anew, in full.' })
  policy!: PolicyRules;
  @ApiProperty({ format: 'date-time', description: 'Until then the consequences of both were drawn.' })
  decidedAt!: string;
  @ApiProperty({ example: 120 }) payments!: number;
  @ApiProperty({ example: 862 }) events!: number;
  @ApiProperty({ example: 3, description: 'How many would stand differently.' }) differing!: number;
  @ApiProperty({ type: [Object], example: [{ from: 'expired', to: 'paid', payments: 3 }] }) transitions!: unknown[];
  @ApiProperty({ type: [TotalsAnswer] }) totals!: TotalsAnswer[];
  @ApiProperty({
    type: [Object],
    description:
      'The first hundred that differ: `paymentId`, `orderId`, `amount`, `currency`, `createdAt`, `differs` (names), `actual` and `simulated` (status, fulfillable, labels, review, received, allocation).',
  })
  changed!: unknown[];
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Where a large past goes on: send it as `cursor`, and add the parts up. Null where this is all.',
  })
  nextCursor!: string | null;
}

/** A request takes so much of this process at most; what is left goes on with the next. */
const withinMs = 4000;
const listed = 100;

@ApiTags('policies')
@ApiBearerAuth()
@Controller('v1/policies')
@UseGuards(ApiKeyGuard)
@UseInterceptors(IdempotencyInterceptor)
export class SimulationsController {
  private readonly running = new Set<string>();

  constructor(
    @Inject(Policies) private readonly policies: Policies,
    @Inject(Simulations) private readonly simulations: Simulations,
  ) {}

  @Post(':name/simulations')
  @HttpCode(200)
  @ApiOperation({
    summary: 'What the past would have been under another policy',
    description:
      'Your payments that carried this policy, in any version, are decided anew from the same facts: what the gateway said, what money came, what persons decided. Nothing is changed or sent. ' +
      'The same request about the same past gives the same numbers.',
  })
  @ApiParam({ name: 'name', example: 'default', description: `${policyNameRule}; or \`inline\`.` })
  @ApiBody({
    type: SimulationRequest,
    examples: {
      tolerant: {
        summary: 'Had 1.5 percent been let pass',
        value: { policy: { underpayment: { tolerancePercent: '1.5', then: 'reject' } }, from: '2026-01-01T00:00:00Z' },
      },
    },
  })
  @ApiOkResponse({ type: SimulationAnswer })
  @ChangesAndRefuses('not_found', 'invalid_cursor')
  async simulate(
    @Caller() caller: Application,
    @Param('name') name: string,
    @Body(bodyPipe) body: SimulationRequest,
  ): Promise<SimulationAnswer> {
    const rules = await this.rulesIn(caller.id, name, body.policy);
    const after = readCursor(caller.id, body.cursor);
    const found = await this.alone(caller.id, () =>
      this.simulations.run(
        {
          policy: name,
          applicationId: caller.id,
          rules,
          ...(body.from ? { from: new Date(body.from).toISOString() } : {}),
          ...(body.to ? { to: new Date(body.to).toISOString() } : {}),
          ...(after === null ? {} : { after }),
        },
        { listed, withinMs },
      ),
    );
    const { next, ...simulation } = found;
    return { name, policy: rules, ...simulation, nextCursor: next === null ? null : cursorOf(caller.id, next) };
  }

  /** The rules that are asked about; a clause that is left out is that of the policy as it is now. */
  private async rulesIn(applicationId: string, name: string, asked: string | PolicyRequest): Promise<PolicyRules> {
    const now = await this.policies.current(applicationId, name);
    if (now === null && name !== inlinePolicy) throw new Refusal('not_found', 'There is no policy with this name.');
    if (typeof asked !== 'string') return rulesOf(asked, (now ?? defaultPolicy).rules);
    const other = isPolicyName(asked) ? await this.policies.current(applicationId, asked) : null;
    if (other) return other.rules;
    throw new Refusal('invalid_request', 'Some fields are not acceptable; see errors.', [
      { pointer: '/policy', detail: `there is no policy named "${asked}": send its rules instead` },
    ]);
  }

  /** It is work for this process, so that each application has one at a time. */
  private async alone(applicationId: string, work: () => Promise<Simulation>): Promise<Simulation> {
    if (this.running.has(applicationId))
      throw new Refusal(
        'rate_limited',
        'A simulation of yours is running already; ask again when it has answered.',
        [],
        {
          retryAfter: Math.ceil(withinMs / 1000),
        },
      );
    this.running.add(applicationId);
    try {
      return await work();
    } finally {
      this.running.delete(applicationId);
    }
  }
}

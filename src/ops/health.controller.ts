import { Controller, Get, Inject, Res, ServiceUnavailableException } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import {
  HealthCheckService,
  HealthIndicatorService,
  type HealthCheckResult,
  type HealthIndicatorResult,
} from '@nestjs/terminus';
import type { FastifyReply } from 'fastify';
import type { Pool } from 'pg';
import { DatabasePool } from '../platform/database/pool.pg.js';

/** For whoever runs the process: is it alive, and can it take requests. Neither tells anything of the inside. */
@ApiExcludeController()
@Controller('health')
export class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(HealthIndicatorService) private readonly indicator: HealthIndicatorService,
    @Inject(DatabasePool) private readonly pool: Pool,
  ) {}

  @Get('live')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('ready')
  async ready(
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ status: string; checks: Record<string, string> }> {
    const result = await this.health.check([() => this.database()]).catch(resultOf);
    const checks = Object.fromEntries(Object.entries(result.details).map(([name, { status }]) => [name, status]));
    const ready = Object.values(checks).every((status) => status === 'up');
    if (!ready) void reply.status(503);
    return { status: ready ? 'ok' : 'unavailable', checks };
  }

  private async database(): Promise<HealthIndicatorResult> {
    const check = this.indicator.check('database');
    try {
      // A database that takes no writes is of no use, however well it answers: a standby, or one that was fenced off.
      const { rows } = await this.pool.query<{ transaction_read_only: string }>('show transaction_read_only');
      return rows[0]?.transaction_read_only === 'off' ? check.up() : check.down();
    } catch {
      return check.down();
    }
  }
}

/** A check that fails comes as an exception with the same result inside. */
function resultOf(error: unknown): HealthCheckResult {
  if (!(error instanceof ServiceUnavailableException)) throw error;
  return error.getResponse() as HealthCheckResult;
}

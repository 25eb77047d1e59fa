import { timingSafeEqual, createHash } from 'node:crypto';
import { Controller, Get, Headers, Inject, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Registry } from 'prom-client';
import { Refusal } from '../kernel/refusal.js';

/** Who may read the metrics: everybody in sandbox, else whoever sends the operators' password as a bearer token. */
export abstract class MetricsAccess {
  abstract readonly password: string | null;
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

@ApiExcludeController()
@Controller('metrics')
export class MetricsController {
  constructor(
    @Inject(Registry) private readonly registry: Registry,
    @Inject(MetricsAccess) private readonly access: MetricsAccess,
  ) {}

  @Get()
  async metrics(
    @Headers('authorization') authorization: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const { password } = this.access;
    if (password !== null && !timingSafeEqual(digest(authorization ?? ''), digest(`Bearer ${password}`))) {
      throw new Refusal('not_found', 'There is nothing at this address.');
    }
    void reply.header('content-type', this.registry.contentType);
    return this.registry.metrics();
  }
}

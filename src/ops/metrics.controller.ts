import { timingSafeEqual, createHash } from 'node:crypto';
import { Controller, Get, Headers, Inject, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Registry } from 'prom-client';
import { Refusal } from '../kernel/refusal.js';
import { RateLimit } from '../platform/http/rate-limit.controller.js';

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
    @Inject(RateLimit) private readonly limit: RateLimit,
  ) {}

  @Get()
  async metrics(
    @Headers('authorization') authorization: string | undefined,
    @Req() { ip }: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    if (!this.isAllowed(authorization, ip)) throw new Refusal('not_found', 'There is nothing at this address.');
    void reply.header('content-type', this.registry.contentType);
    return this.registry.metrics();
  }

  /** The password is the console's, so that wrong ones are counted together; after ten none is looked at. */
  private isAllowed(authorization: string | undefined, address: string): boolean {
    const { password } = this.access;
    if (password === null) return true;
    if (authorization === undefined || this.limit.isSpent('wrong password', address)) return false;
    const right = timingSafeEqual(digest(authorization), digest(`Bearer ${password}`));
    if (!right) this.limit.spend('wrong password', address);
    return right;
  }
}

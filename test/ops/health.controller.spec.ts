import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import type { Pool } from 'pg';
import { HealthController } from '../../src/ops/health.controller.js';
import { createPool } from '../../src/platform/database/database.pg.js';
import { DatabasePool } from '../../src/platform/database/pool.pg.js';
import { freePort } from '../support/service.js';

describe('A service whose database is away', () => {
  let app: NestFastifyApplication;
  let pool: Pool;
  beforeAll(async () => {
    pool = createPool(`postgres://finality@127.0.0.1:${String(await freePort())}/finality`);
    const module = await Test.createTestingModule({
      imports: [TerminusModule.forRoot({ logger: false })],
      controllers: [HealthController],
      providers: [{ provide: DatabasePool, useValue: pool }],
    }).compile();
    app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { logger: false });
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
  });
  afterAll(async () => {
    await app.close();
    await pool.end();
  });

  it('says that it is alive, so that nobody restarts it for nothing', async () => {
    const answer = await app.inject({ url: '/health/live' });
    expect([answer.statusCode, answer.json()]).toEqual([200, { status: 'ok' }]);
  });

  it('says that it is not ready, and which part is down', async () => {
    const answer = await app.inject({ url: '/health/ready' });
    expect([answer.statusCode, answer.json()]).toEqual([503, { status: 'unavailable', checks: { database: 'down' } }]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SystemClock } from '../../../src/platform/clock.js';
import { RateLimit } from '../../../src/platform/http/rate-limit.controller.js';
import { startTestService, type TestService } from '../../support/service.js';
import { addOther, asOther, created, expectProblem, headerOf } from '../../api/support.js';

describe('The limit of requests', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService({ env: { RATE_LIMIT_PER_MINUTE: '5' } });
    await addOther(shop);
    toNextMinute();
  });
  afterAll(() => shop.close());

  /** The start of a window, so that the test cannot meet its end. */
  const toNextMinute = (): void => shop.clock.advance(60 - (Math.floor(Date.parse(shop.clock.now()) / 1000) % 60));
  const list = (headers: Record<string, string> = {}) => shop.api('GET', '/v1/payments?limit=1', undefined, headers);

  it('A24 counts down, and answers 429 with Retry-After and the limit when it is passed; a minute later all is well', async () => {
    const left: (string | null)[] = [];
    for (let at = 0; at < 5; at++) {
      const answer = await list();
      expect([answer.status, headerOf(answer, 'ratelimit-limit')]).toEqual([200, '5']);
      left.push(headerOf(answer, 'ratelimit-remaining'));
    }
    expect(left).toEqual(['4', '3', '2', '1', '0']);
    const refused = await list();
    expectProblem(refused, 'rate_limited');
    const seconds = Number(headerOf(refused, 'retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(
      ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'].map((name) => headerOf(refused, name)),
    ).toEqual(['5', '0', String(seconds)]);
    // Another application has its own; the payer's page, health and the gateway have none.
    expect((await list(asOther)).status).toBe(200);
    expect((await shop.api('GET', '/health/ready')).status).toBe(200);
    shop.clock.advance(seconds);
    expect((await list()).status).toBe(200);
  });

  it('A24 writes nothing for a create beyond it, and never limits callbacks that are signed', async () => {
    toNextMinute();
    const { trackId } = await created(shop, 'limited');
    for (let at = 0; at < 4; at++) await list();
    const before = (await shop.database.pool.query('select count(*) from event')).rows;
    expectProblem(
      await shop.api('POST', '/v1/payments', { orderId: 'beyond', amount: '1.00', currency: 'USD' }),
      'rate_limited',
    );
    expect((await shop.database.pool.query('select count(*) from event')).rows).toEqual(before);
    for (let at = 0; at < 20; at++) {
      const { status } = await shop.callback(
        JSON.stringify({ track_id: trackId, status: 'Waiting', type: 'invoice', nothing: at }),
      );
      expect(status).toBe(200);
    }
  });

  it('A24 limits whoever has no good key by address, without touching those who have', async () => {
    toNextMinute();
    const statuses = new Set<number>();
    for (let at = 0; at < 410; at++) statuses.add((await list({ authorization: 'Bearer nobody' })).status);
    expect([...statuses]).toEqual([401, 429]);
    expect((await list()).status).toBe(200);
  });

  it('forgets what it counted rather than to grow without bound', () => {
    const clock = new SystemClock();
    const limit = new RateLimit(10, clock);
    for (let at = 0; at < 120_000; at++) limit.spend('refused', String(at));
    expect(limit.spend('refused', 'last')['ratelimit-limit']).toBe('400');
  });
});

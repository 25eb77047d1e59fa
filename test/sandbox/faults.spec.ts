import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { World } from './support.js';

let world: World;
beforeEach(async () => {
  world = await new World().start();
});
afterEach(() => world.stop());

const faults = (plan: object) => world.control('/faults', plan, 'PUT');
const outcomes = async (count: number) => {
  const seen: string[] = [];
  for (let nth = 0; nth < count; nth++) {
    const answer = await world.ask('GET', '/v1/common/monitor').catch(() => null);
    seen.push(answer === null ? 'lost' : answer.json === undefined ? 'malformed' : String(answer.status));
  }
  return seen;
};
const total = async () => (await world.merchant('GET', '/payment')).json.data.meta.total;

describe('Faults of the API', () => {
  it('repeat exactly with the same seed, and differ with another', async () => {
    const api = { errorRate: 0.3, status: 503, malformedRate: 0.3, timeoutRate: 0.2, timeoutMs: 1 };
    const plan = { seed: 7, api };
    await faults(plan);
    const first = await outcomes(40);
    await faults(plan);
    expect(await outcomes(40)).toEqual(first);
    expect(new Set(first)).toEqual(new Set(['200', '503', 'malformed', 'lost']));
    await faults({ ...plan, seed: 8 });
    expect(await outcomes(40)).not.toEqual(first);
  });

  it('answer errors in the envelope, without any effect', async () => {
    await faults({ api: { errorRate: 1, status: 429 } });
    const { status, json } = await world.merchant('POST', '/payment/invoice', { amount: 1 });
    expect(status).toBe(429);
    expect(json).toMatchObject({ data: {}, status: 429 });
    await faults({});
    expect(await total()).toBe(0);
  });

  it('lose answers: of half of the requests after they took effect', async () => {
    await faults({ seed: 1, api: { timeoutRate: 1, timeoutMs: 1 } });
    for (let nth = 0; nth < 40; nth++)
      await expect(world.merchant('POST', '/payment/invoice', { amount: 1 })).rejects.toThrow();
    await faults({});
    expect(await total()).toBeGreaterThan(10);
    expect(await total()).toBeLessThan(30);
  });

  it('spoil answers after they took effect', async () => {
    await faults({ seed: 1, api: { malformedRate: 1 } });
    for (let nth = 0; nth < 10; nth++)
      expect((await world.merchant('POST', '/payment/invoice', { amount: 1 })).json).toBeUndefined();
    await faults({});
    expect(await total()).toBe(10);
  });

  it('slow every answer down', async () => {
    await faults({ api: { latencyMs: 120 } });
    const start = performance.now();
    await world.ask('GET', '/v1/common/monitor');
    expect(performance.now() - start).toBeGreaterThanOrEqual(110);
  });

  it('befall one endpoint alone where the plan names it, counting no other', async () => {
    const lost = () =>
      world.payout('POST', '/payout', { address: 'a', currency: 'BTC', amount: 1 }).then(
        () => false,
        () => true,
      );
    await faults({ seed: 4, api: { only: 'post /payout', timeoutRate: 0.5, timeoutMs: 1 } });
    expect(await outcomes(5)).toEqual(Array(5).fill('200'));
    const first = [await lost(), await lost(), await lost(), await lost()];
    await faults({ seed: 4, api: { only: 'POST /payout', timeoutRate: 0.5, timeoutMs: 1 } });
    const again = [];
    for (let nth = 0; nth < 4; nth++) {
      await outcomes(nth);
      again.push(await lost());
    }
    expect(again).toEqual(first);
    expect(new Set(first)).toEqual(new Set([true, false]));
  });

  it('do not touch the control routes', async () => {
    await faults({ api: { errorRate: 1 } });
    expect((await faults({})).status).toBe(200);
  });
});

describe('Faults of callbacks', () => {
  it('drop: every try is lost, and is recorded as such', async () => {
    await faults({ callbacks: { drop: 1 } });
    const trackId = await world.invoice();
    await world.control(`/payments/${trackId}/transfers`, { percent: 100 });
    await world.advance(86_400);
    expect(world.receiver.calls).toEqual([]);
    const [{ attempts }] = (await world.view(trackId)).callbacks;
    expect(attempts).toHaveLength(5);
    expect(attempts[0]).toMatchObject({ httpStatus: null, answer: 'not sent: dropped by a fault' });
  });

  it('drop: a lost try is made good by the next', async () => {
    await faults({ seed: 3, callbacks: { drop: 0.5 } });
    const trackId = await world.invoice({ lifetime: 2880 });
    for (let nth = 0; nth < 10; nth++) await world.control(`/payments/${trackId}/transfers`, { percent: 1 });
    const before = world.receiver.calls.length;
    await world.advance(86_400);
    expect(before).toBeLessThan(10);
    expect(world.receiver.calls.length).toBeGreaterThan(before);
  });

  it('duplicate: the same bytes arrive twice', async () => {
    await faults({ callbacks: { duplicate: 1 } });
    await world.play('exact', await world.invoice());
    expect(world.receiver.statuses).toEqual(['Paying', 'Paying', 'Paid', 'Paid']);
  });

  it('delay: they come some seconds later', async () => {
    await faults({ callbacks: { delay: 1 } });
    await world.control(`/payments/${await world.invoice()}/transfers`, { percent: 100 });
    expect(world.receiver.calls).toEqual([]);
    await world.advance(11);
    expect(world.receiver.statuses).toEqual(['Paying']);
  });

  it('reorder: a callback is overtaken by the next one of its payment', async () => {
    await faults({ callbacks: { reorder: 1 } });
    const trackId = await world.invoice();
    await world.control(`/payments/${trackId}/transfers`, { percent: 100 });
    expect(world.receiver.calls).toEqual([]);
    await faults({});
    await world.control(`/payments/${trackId}/confirmations`, { count: 19 });
    expect(world.receiver.statuses).toEqual(['Paid', 'Paying']);
  });
});

describe('A fault plan', () => {
  it.each([
    [{ callbacks: { drop: 1.1 } }, 'drop'],
    [{ callbacks: { lose: 1 } }, 'lose'],
    [{ api: { status: 200 } }, 'status'],
    [{ api: 1 }, 'api'],
    [{ speed: 1 }, 'speed'],
    [{ api: { latencyMs: -1 } }, 'latencyMs'],
    [{ api: { only: 'POST /payouts' } }, 'only'],
  ])('that reads %j is refused', async (plan, field) => {
    const { status, json } = await faults(plan);
    expect([status, json.error.field]).toEqual([400, field]);
  });
});

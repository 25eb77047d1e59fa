import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { inTransaction } from '../../src/platform/database/database.pg.js';
import { World } from './support.js';

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world.close());

const url = 'http://127.0.0.1:9/hooks';

describe('A webhook endpoint', () => {
  it('shows its secret once: 32 random bytes in the form of Standard Webhooks', async () => {
    const { secret, ...endpoint } = await world.endpoint(url, ['payment.paid', 'payment.paid']);
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(endpoint).toMatchObject({ url, events: ['payment.paid'], disabledAt: null });
    expect(await world.endpoints.get(world.applicationId, endpoint.id)).toEqual(endpoint);
    expect(JSON.stringify(await world.endpoints.list(world.applicationId))).not.toContain('whsec_');
  });

  it('is not there for another application', async () => {
    const { id } = await world.endpoint(url);
    const stranger = world.ids.next();
    expect(await world.endpoints.get(stranger, id)).toBeNull();
    expect(await world.endpoints.rotateSecret(stranger, id)).toBeNull();
    expect(await world.endpoints.update(stranger, id, { url })).toBeNull();
    expect(await world.endpoints.remove(stranger, id)).toBe(false);
    expect(await world.endpoints.remove(world.applicationId, id)).toBe(true);
    expect(await world.endpoints.get(world.applicationId, 'no id')).toBeNull();
  });

  it('refuses a wrong URL and unknown events, and says where', async () => {
    await expect(world.endpoint('nonsense')).rejects.toMatchObject({
      code: 'invalid_request',
      errors: [{ pointer: '/url' }],
    });
    await expect(world.endpoint(url, ['payment.paid', 'payment.gone'])).rejects.toMatchObject({
      errors: [{ pointer: '/events/1' }],
    });
  });

  it('is chosen by what it asked for', async () => {
    const paid = await world.endpoint(url, ['payment.paid']);
    const all = await world.endpoint(url, []);
    const chosen = await inTransaction(world.database.pool, (tx) =>
      world.endpoints.endpointsFor(tx, world.applicationId, 'fulfillment.requested'),
    );
    expect(chosen).toContain(all.id);
    expect(chosen).not.toContain(paid.id);
  });

  it('that was disabled comes back when it is changed', async () => {
    const { id } = await world.endpoint(url);
    await inTransaction(world.database.pool, (tx) => world.endpoints.disable(tx, id));
    expect(await world.endpoints.target(id)).toBeNull();
    expect(await world.endpoints.update(world.applicationId, id, {})).toMatchObject({ disabledAt: null });
    expect(await world.endpoints.target(id)).not.toBeNull();
  });
});

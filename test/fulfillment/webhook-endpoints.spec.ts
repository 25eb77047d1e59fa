import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { WebhookClient } from '../../src/fulfillment/webhook.client.js';
import { inTransaction } from '../../src/platform/database/database.pg.js';
import { Receiver, World } from './support.js';

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

  it('that was disabled comes back when it is put to use again, and not by another change', async () => {
    const { id } = await world.endpoint(url);
    await inTransaction(world.database.pool, (tx) => world.endpoints.disable(tx, id));
    expect(await world.endpoints.target(id)).toBeNull();
    expect(await world.endpoints.update(world.applicationId, id, { events: null })).toMatchObject({
      disabledAt: expect.any(String),
    });
    expect(await world.endpoints.update(world.applicationId, id, { enabled: true })).toMatchObject({
      disabledAt: null,
    });
    expect(await world.endpoints.target(id)).not.toBeNull();
  });

  it('O22: is signed for with both secrets for 24 hours after a rotation, then with the new one alone', async () => {
    const receiver = await new Receiver().open();
    const client = new WebhookClient({ sandbox: true, publicUrl: world.publicUrl, userAgent: 'Finality/0.1.0' });
    const endpoint = await world.endpoint(receiver.url);
    /** Which of the secrets a webhook that is sent now can be verified with. */
    const verifying = async (...secrets: string[]): Promise<boolean[]> => {
      const target = await world.endpoints.target(endpoint.id);
      const request = { ...(target ?? { url: '', secrets: [] }), messageId: world.ids.next(), body: '{"n":1}' };
      expect(await client.send(request, new AbortController().signal)).toMatchObject({ outcome: 'success' });
      const received = receiver.requests.at(-1);
      return secrets.map((secret) => {
        try {
          new Webhook(secret).verify(received?.body ?? '', received?.headers ?? {});
          return true;
        } catch (error) {
          if (error instanceof WebhookVerificationError) return false;
          throw error;
        }
      });
    };
    const strange = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
    expect(await verifying(endpoint.secret, strange)).toEqual([true, false]);
    const rotated = await world.endpoints.rotateSecret(world.applicationId, endpoint.id);
    const newer = rotated?.secret ?? '';
    expect(newer).not.toBe(endpoint.secret);
    expect(rotated?.secretRotatedAt).toBe(
      (await world.endpoints.get(world.applicationId, endpoint.id))?.secretRotatedAt,
    );
    expect(await verifying(endpoint.secret, newer, strange)).toEqual([true, true, false]);
    expect(receiver.requests.at(-1)?.headers['webhook-signature']).toMatch(/^v1,\S{44} v1,\S{44}$/);
    world.clock.advance(24 * 3600 - 60);
    expect(await verifying(endpoint.secret, newer)).toEqual([true, true]);
    world.clock.advance(61);
    expect(await verifying(endpoint.secret, newer)).toEqual([false, true]);
    expect(receiver.requests.at(-1)?.headers['webhook-signature']).toMatch(/^v1,\S{44}$/);
    const newest = (await world.endpoints.rotateSecret(world.applicationId, endpoint.id))?.secret ?? '';
    expect(await verifying(endpoint.secret, newer, newest)).toEqual([false, true, true]);
    client.onApplicationShutdown();
    await receiver.close();
  });
});

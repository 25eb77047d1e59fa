import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { eventually, Receiver, World } from './support.js';

let world: World;
beforeAll(async () => {
  world = await World.open();
  world.follow(world.fulfillment, world.webhooks);
  world.startDelivery();
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

  it('hears what it asked for', async () => {
    const [wants, asksNothing] = [await new Receiver().open(), await new Receiver().open()];
    await world.endpoint(wants.url, ['payment.paid']);
    await world.endpoint(asksNothing.url, []);
    await world.paidPayment();
    await eventually('all is told', () => asksNothing.requests.length === 4 && wants.requests.length === 1);
    const typesAt = ({ requests }: Receiver): string[] =>
      requests.map(({ body }) => (JSON.parse(body) as { type: string }).type);
    expect(typesAt(wants)).toEqual(['payment.paid']);
    expect(typesAt(asksNothing)).toContain('fulfillment.requested');
    await Promise.all([wants.close(), asksNothing.close()]);
  });

  it('that was disabled comes back when it is put to use again, and not by another change', async () => {
    const { id } = await world.endpoint(url);
    await world.endpoints.update(world.applicationId, id, { enabled: false });
    expect(await world.endpoints.update(world.applicationId, id, { events: null })).toMatchObject({
      disabledAt: expect.any(String),
    });
    expect(await world.endpoints.update(world.applicationId, id, { enabled: true })).toMatchObject({
      disabledAt: null,
    });
  });

  it('O22: is signed for with both secrets for 24 hours after a rotation, then with the new one alone', async () => {
    const receiver = await new Receiver().open();
    const endpoint = await world.endpoint(receiver.url);
    /** Which of the secrets a webhook that is sent now can be verified with. */
    const verifying = async (...secrets: string[]): Promise<boolean[]> => {
      const before = receiver.requests.length;
      await world.paidPayment();
      await eventually('it is told', () => receiver.requests.length > before);
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
    await receiver.close();
  });
});

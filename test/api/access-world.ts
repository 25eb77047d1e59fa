import { checkpointKey, startTestService, until, type TestService } from '../support/service.js';
import { passwords } from './access-rows.js';
import { addDelivery, addOther, created, credited, payAll } from './support.js';

/** A service with two applications and an object of each kind of the application `default`. */
export interface AccessWorld {
  shop: TestService;
  /** By the names that stand in the rows. */
  ids: Record<string, string>;
  /** Puts the ids into a path or a body. */
  at: (text: string) => string;
}

export const missing = '0190a6b2-0000-7000-8000-000000000000';

export async function accessWorld(): Promise<AccessWorld> {
  const shop = await startTestService({ env: { CHECKPOINT_KEY: checkpointKey, OPS_VIEW_PASSWORD: passwords.view } });
  await addOther(shop);
  const waiting = await created(shop, 'access-1');
  const paid = await created(shop, 'access-2');
  await payAll(shop, paid.trackId);
  await shop.api('POST', `/v1/payments/${paid.id}/reconcile`);
  const endpoint = await shop.api('POST', '/v1/webhook-endpoints', {
    url: 'http://127.0.0.1:9/hook',
    events: ['payment.late'],
  });
  await credited(shop, 'access-c', '5', { paymentId: paid.id });
  await shop.api('PUT', '/v1/policies/access-policy', {});
  const link = await shop.api('POST', '/v1/payment-links', { amount: '5', currency: 'USD', description: 'a cup' });
  const address = await shop.api('POST', '/v1/deposit-addresses', { customerId: 'access-c', network: 'TRON' });
  const callback = JSON.stringify({
    track_id: '999',
    type: 'invoice',
    status: 'Paid',
    amount: 1,
    currency: 'USD',
    txs: [],
  });
  await shop.callback(callback);
  const kept = await shop.database.pool.query<{ id: string }>("select id from inbox where subject = '999'");
  const login = String((await shop.api('GET', '/ops/login')).body);
  const ids: Record<string, string> = {
    payment: waiting.id,
    paid: paid.id,
    endpoint: endpoint.body.id as string,
    delivery: await addDelivery(shop, { endpointId: String(endpoint.body.id) }),
    policy: 'access-policy',
    link: link.body.id as string,
    slug: String(link.body.url).slice(String(link.body.url).lastIndexOf('/') + 1),
    address: address.body.id as string,
    callback: kept.rows[0]?.id ?? '',
    token: waiting.statusUrl.slice(waiting.statusUrl.lastIndexOf('/') + 1),
    asset: /href="(\/assets\/[^"]+)"/.exec(login)?.[1] ?? '',
  };
  // Nothing goes on by itself any more, and the read model has them all.
  await until(async () => (await shop.api('GET', '/v1/orders/access-2')).body.fulfillment === 'requested');
  await shop.api('GET', `/v1/payments?minPosition=${String(paid.position)}`);
  return { shop, ids, at: (text) => text.replace(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? missing) };
}

import { createHash, randomUUID } from 'node:crypto';
import { sign } from '../../src/gateway/signature.js';
import { EventStore } from '../../src/platform/event-store/event-store.pg.js';
import { RandomIds } from '../../src/platform/ids.js';
import { created } from '../api/support.js';
import { said } from '../callbacks/support.js';
import { merchantKey, until, type TestService } from '../support/service.js';

/** Real exceptions, through the sandbox: what a person would find in the morning. */
export interface Exceptions {
  underpaid: string;
  conflicting: string;
  unmatched: string;
  quarantined: string;
  dead: string;
}

const reviewing = {
  paidWhen: { rule: 'settled' },
  underpayment: { tolerancePercent: '0', then: 'review' },
  overpayment: { tolerancePercent: '0', then: 'credit' },
  latePayment: { window: 'PT72H', then: 'review' },
};

const idOf = async ({ database }: TestService, where: string): Promise<string | null> => {
  const { rows } = await database.pool.query<{ id: string }>(`select id from ${where} limit 1`);
  return rows[0]?.id ?? null;
};

const reviewed = (shop: TestService, id: string): Promise<string> =>
  until(
    () => idOf(shop, `(select payment_id as id from payment_view where payment_id = '${id}' and review = 'open') p`),
    20_000,
  );

/** A callback of the gateway that no payment accounts for; its id. */
export async function keptCallback(
  shop: TestService,
  body: string,
  reason: string,
  subject: string | null,
): Promise<string> {
  const id = new RandomIds().next();
  const bytes = Buffer.from(body);
  const digest = createHash('sha256').update('callback:default\n').update(bytes).update('\n').digest();
  const headers = { hmac: sign(bytes, merchantKey), 'content-type': 'application/json', 'x-secret': 'of a proxy' };
  const status = reason === 'unknown_track_id' ? ('unmatched' as const) : ('quarantined' as const);
  const message = { id, digest, source: 'callback:default', subject, body: bytes, headers };
  const store = shop.service.app.get(EventStore);
  await store.recordMessage(null, { ...message, status, reason, receivedAt: shop.clock.now() });
  return id;
}

/** A webhook that an endpoint has refused for good; its delivery's id. */
async function deadLetter(shop: TestService): Promise<string> {
  const { body } = await shop.api('POST', '/v1/webhook-endpoints', {
    url: `${shop.url}/nowhere`,
    events: ['payment.created'],
  });
  await created(shop, 'shop-1003');
  await until(() => idOf(shop, '(select message_id as id from webhook_attempt) a'));
  // Three days of attempts are shortened: what the attempts wrote is what the last of them writes.
  await shop.database.pool.query(
    `update webhook_delivery set status = 'dead', ended_at = $1, due_at = null, leased_until = null, lease = lease + 1`,
    [shop.clock.now()],
  );
  const dead = await idOf(shop, `webhook_delivery where endpoint_id = '${String(body.id)}'`);
  return dead ?? '';
}

export async function plantExceptions(shop: TestService): Promise<Exceptions> {
  const terms = { amount: '50.00', policy: reviewing };
  const short = await created(shop, 'shop-1001', terms);
  await shop.control('/_sandbox/scenarios/underpaid', { trackId: short.trackId });
  const contradicted = await created(shop, 'shop-1002', { amount: '120.00' });
  await shop.control('/_sandbox/scenarios/conflicting', { trackId: contradicted.trackId });
  await until(() =>
    idOf(shop, `(select event_id as id from event where stream_id = '${contradicted.id}' and version > 2) e`),
  );
  await shop.control('/_sandbox/clock/advance', { seconds: 900 });
  const conflicting = await reviewed(shop, contradicted.id);
  const stray = said({ id: randomUUID(), trackId: '777000111' });
  const unmatched = await keptCallback(shop, stray, 'unknown_track_id', '777000111');
  const quarantined = await keptCallback(
    shop,
    '{"track_id": 777000112, "note": "<script>alert(1)</script>\u202e", nonsense',
    'not_json',
    null,
  );
  const dead = await deadLetter(shop);
  await shop.control('/_sandbox/clock/advance', { seconds: 3700 });
  const underpaid = await reviewed(shop, short.id);
  return { underpaid, conflicting, unmatched, quarantined, dead };
}

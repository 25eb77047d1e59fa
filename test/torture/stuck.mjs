// Work that is in a process's hands when it is killed: a look at the gateway, the delivery of a webhook and a payout,
// each held open until the kill. Measured is how long it then takes until another process has done it.
import { setTimeout as delay } from 'node:timers/promises';
import { query } from './postgres.mjs';

const pollMs = 250;
const patienceMs = 120_000;

/** Resolves with the milliseconds since the kill when a later fact of the payment stands in the database. */
const resumed = async (url, text, id, since) => {
  for (;;) {
    const rows = await query(url, text, [id]).catch(() => []);
    if (rows.length > 0) return performance.now() - since;
    if (performance.now() - since > patienceMs)
      throw new Error(`payment ${id}: its work is not resumed after 2 minutes`);
    await delay(pollMs);
  }
};

const confirmed = `select 1 from event where stream_id = $1 and type = 'PaymentCorroborated'`;
const fulfilled = `select 1 from payment_view where payment_id = $1 and fulfillment = 'fulfilled'`;
const settled = `select 1 from event where stream_id = $1 and type in ('RefundSubmitted', 'RefundConfirmed', 'ReviewOpened')`;

const exact = { name: 'exact', scenario: null, due: true };
const refund = {
  ...exact,
  name: 'refund',
  wish: () => ({
    policy: { overpayment: { tolerancePercent: '0', then: 'refund' } },
    refundTo: { address: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ', network: 'TRON' },
  }),
};

/**
 * Kills all processes once each of the three is in hand. Resolves, as soon as they are killed and started again, with
 * when that was and a promise of the times.
 */
export const strand = async ({ shop, gateway, replicas, url }) => {
  const [looked, delivered, refunded] = await Promise.all([shop.buy(exact), shop.buy(exact), shop.buy(refund)]);
  const inHand = [
    gateway.door.hold((method, path) => method === 'GET' && path === `/v1/payment/${looked.trackId}`),
    shop.hold(delivered.id),
    gateway.door.hold((method, path, body) => method === 'POST' && path === '/v1/payout' && body.includes(refunded.id)),
  ];
  await Promise.all([
    shop.pay(looked, 'exact'),
    shop.pay(delivered, 'exact'),
    shop.pay(refunded, 'overpaid'),
    ...inHand,
  ]);
  await replicas.kill(...replicas.all);
  const since = performance.now();
  const times = Promise.all([
    resumed(url, confirmed, looked.id, since),
    resumed(url, fulfilled, delivered.id, since),
    resumed(url, settled, refunded.id, since),
  ]);
  // Whoever waits for it later hears of it then.
  times.catch(() => undefined);
  await Promise.all(replicas.all.map((replica) => replicas.start(replica)));
  return { since, times };
};

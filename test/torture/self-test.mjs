// A checker that finds nothing proves nothing, unless it would have. Here each property is broken once, in a copy of the
// database or of the records, and the checker has to name it.
import { check, propertyNames } from './checker.mjs';
import { query } from './postgres.mjs';

/** Changes that no client of the database could make: the triggers are off. */
const bySuperuser = (url, text) => query(url, `set session_replication_role = replica; ${text}`);
const newest = (type) => `(select stream_id from event where type = '${type}' order by position desc limit 1)`;

const someFulfilled = (record) => record.orders.find((order) => order.due && order.paid && record.told.has(order.id));
const withTold = (record, id, webhooks) => ({ ...record, told: new Map(record.told).set(id, webhooks) });
const toldBy = (record, change) => {
  const { id } = someFulfilled(record);
  return withTold(record, id, change(record.told.get(id)));
};
/** The payment's own decision to fulfil, moved to a stream that is not its. */
const secondRequest = `insert into event (stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash)
  select gen_random_uuid(), 1, gen_random_uuid(), type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash
  from event where type = 'FulfillmentRequested' limit 1`;

/** What is planted, the property that has to be named, and how. */
const plants = [
  [
    'a callback that was acknowledged and never kept',
    'lost',
    (record) => {
      const body = Buffer.from(
        '{"track_id":"1","status":"Paid","type":"invoice","amount":1,"currency":"USD","txs":[]}',
      );
      return { ...record, acknowledged: new Map(record.acknowledged).set('0', { body, times: 1 }) };
    },
  ],
  [
    'a row of evidence deleted',
    'lost',
    async (record) => {
      await bySuperuser(
        record.url,
        `delete from inbox where digest = (select digest from inbox where source like 'callback:%' limit 1)`,
      );
      return record;
    },
  ],
  [
    'a webhook under a second id',
    'fulfilled twice',
    (record) =>
      toldBy(record, (webhooks) => [
        ...webhooks,
        { ...webhooks.find(({ type }) => type === 'fulfillment.requested'), id: 'second' },
      ]),
  ],
  [
    'a second decision to fulfil',
    'fulfilled twice',
    async (record) => {
      await bySuperuser(record.url, secondRequest);
      return record;
    },
  ],
  ['a shop that was never told', 'paid and unfulfilled', (record) => toldBy(record, () => [])],
  [
    'a payment that is held for unfulfilled',
    'paid and unfulfilled',
    async (record) => {
      await bySuperuser(
        record.url,
        `update payment_view set fulfillment = 'requested' where payment_id = (select payment_id from payment_view where fulfillable limit 1)`,
      );
      return record;
    },
  ],
  [
    'goods for an order that nobody paid',
    'fulfilled unpaid',
    (record) => {
      const { id } = record.orders.find(({ due }) => !due) ?? {};
      return withTold(record, id, [{ id: 'free', type: 'fulfillment.requested', sequence: 1, answered: true }]);
    },
  ],
  [
    'an event deleted',
    'streams with gaps',
    async (record) => {
      await bySuperuser(record.url, `delete from event where version = 2 and stream_id = ${newest('PaymentPaid')}`);
      return record;
    },
  ],
  [
    'a byte of an event changed',
    'chains broken',
    async (record) => {
      await bySuperuser(
        record.url,
        `update event set data = replace(data::text, '10', '11')::json where type = 'PaymentRequested' and stream_id = ${newest('PaymentPaid')}`,
      );
      return record;
    },
  ],
  [
    'a callback that nothing was made of',
    'callbacks left aside',
    async (record) => {
      await bySuperuser(
        record.url,
        `update inbox set status = 'unmatched' where digest = (select digest from inbox limit 1)`,
      );
      return record;
    },
  ],
  [
    'a payment that was acknowledged and never created',
    'creates lost',
    (record) => ({
      ...record,
      orders: [
        ...record.orders,
        { ...record.orders[0], due: false, orderId: 'never', id: '00000000-0000-7000-8000-000000000000' },
      ],
    }),
  ],
  [
    'a second invoice for a payment',
    'invoiced twice',
    (record) => ({ ...record, invoices: [...record.invoices, record.invoices[0]] }),
  ],
  [
    'a second payout for a refund',
    'refunded twice',
    (record) => ({ ...record, payouts: [...record.payouts, record.payouts[0]] }),
  ],
  [
    'a webhook before its predecessor',
    'webhooks out of order',
    (record) =>
      toldBy(record, (webhooks) => webhooks.map((webhook) => ({ ...webhook, sequence: webhook.sequence + 1 }))),
  ],
  [
    'a row of the read model changed',
    'read models that differ from a rebuild',
    async (record) => {
      await bySuperuser(
        record.url,
        `update payment_view set status = 'expired' where payment_id = (select payment_id from payment_view limit 1)`,
      );
      return record;
    },
  ],
];

/** Resolves with a line for each plant that was not named. The record is one in which the checker has found nothing. */
export const selfTest = async (record, say) => {
  const missed = propertyNames.filter((name) => !plants.some(([, property]) => property === name));
  const complaints = missed.map((name) => `nothing is planted against "${name}"`);
  for (const [at, [what, property, plant]] of plants.entries()) {
    const url = new URL(record.url);
    const copy = `torture_plant_${at + 1}`;
    await query(record.url.replace(/[^/]*$/, 'postgres'), `create database ${copy} template finality`);
    url.pathname = `/${copy}`;
    const findings = await check(await plant({ ...record, url: url.href }));
    const named = Object.keys(findings).filter((name) => findings[name].length > 0);
    const caught = named.includes(property);
    say(`planted: ${what}: ${caught ? 'named' : 'MISSED'} (${named.join(', ') || 'nothing'})`);
    if (!caught) complaints.push(`${what}: "${property}" was not named`);
  }
  return complaints;
};

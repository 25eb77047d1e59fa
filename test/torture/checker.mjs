// What has to hold after any torture, proved from three sides: the database, the shop's own record of what it was told,
// and the gateway's own memory. Each property answers with the ids that break it.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { contentOf, readCallback } from '../../dist/gateway/wire.js';
import { callbackSource, messageOf } from '../../dist/payments/evidence.js';
import { createPool } from '../../dist/platform/database/database.pg.js';
import { auditChains } from '../../dist/platform/event-store/chain-audit.pg.js';

const cli = fileURLToPath(new URL('../../bin/finality.mjs', import.meta.url));

/** The digest under which the service keeps a callback: of what it says, so that two spellings of one message are one row. */
const evidenceDigest = (body) => {
  const reading = readCallback(body);
  if (reading.kind === 'unreadable') return null;
  return messageOf({ source: callbackSource, content: contentOf(reading.report) }).digest.toString('hex');
};

const idsOf = async (pool, text, values = []) => (await pool.query(text, values)).rows.map(({ id }) => String(id));
const repeated = (values) => [...new Set(values.filter((value, at) => values.indexOf(value) !== at))];
const told = (record, id) => record.told.get(id) ?? [];
const fulfilmentsOf = (record, id) => told(record, id).filter(({ type }) => type === 'fulfillment.requested');

/** Every callback that was answered `ok` is there byte by byte, or in another spelling of the same content. */
const lost = async ({ acknowledged }, pool) => {
  const { rows } = await pool.query(
    `select encode(sha256(body), 'hex') as bytes, encode(digest, 'hex') as content from inbox where source = $1`,
    [callbackSource],
  );
  const bytes = new Set(rows.map((row) => row.bytes));
  const contents = new Set(rows.map((row) => row.content));
  const missing = [...acknowledged].filter(
    ([digest, { body }]) => !bytes.has(digest) && !contents.has(evidenceDigest(body)),
  );
  return missing.map(([, { body }]) => body.toString());
};

/** Nothing is left that nobody made anything of: every callback was about a payment that exists. */
const setAside = (_, pool) =>
  idsOf(pool, `select subject || ' ' || status as id from inbox where status in ('unmatched', 'quarantined')`);

/** One decision to fulfil per payment, and one webhook id per payment that the shop ever saw. */
const fulfilledTwice = async (record, pool) => [
  ...(await idsOf(
    pool,
    `select data->>'paymentId' as id from event where type = 'FulfillmentRequested' group by 1 having count(*) > 1`,
  )),
  ...[...record.told.keys()].filter((id) => new Set(fulfilmentsOf(record, id).map((webhook) => webhook.id)).size > 1),
];

/** What the customers paid for was asked to be fulfilled, and what the service holds for fulfillable is fulfilled. */
const unfulfilled = async (record, pool) => [
  ...(await idsOf(pool, `select payment_id as id from payment_view where fulfillable and fulfillment <> 'fulfilled'`)),
  ...record.orders
    .filter((order) => order.due && order.paid && !fulfilmentsOf(record, order.id).some(({ answered }) => answered))
    .map(({ id, orderId }) => `${orderId} ${id}`),
];

/** Goods went out for nothing. */
const unearned = (record) =>
  record.orders.filter((order) => !order.due && fulfilmentsOf(record, order.id).length > 0).map(({ id }) => id);

const gaps = (_, pool) =>
  idsOf(
    pool,
    `select stream_id as id from event group by stream_id having min(version) <> 1 or max(version) <> count(*)`,
  );

const brokenChains = async (_, pool) =>
  (await auditChains(pool)).breaks.map(({ streamId, version }) => `${streamId} version ${version}`);

const differingModels = ({ url }) =>
  new Promise((resolve) => {
    const env = { PATH: process.env.PATH, DATABASE_URL: url, LOG_LEVEL: 'error' };
    execFile(process.execPath, [cli, 'replay', '--projection', 'all', '--dry-run'], { env }, (error, out, err) =>
      resolve(error ? [`${out}${err}`.trim()] : []),
    );
  });

const lostCreates = async (record, pool) => {
  const known = new Map(
    (
      await pool.query(
        `select stream_id as id, data->'terms'->>'orderId' as "inTerms", data->>'orderId' as "orderId" from event
         where type = 'PaymentRequested'`,
      )
    ).rows.map((row) => [row.id, row.orderId ?? row.inTerms]),
  );
  return record.orders
    .filter((order) => order.id !== null && known.get(order.id) !== order.orderId)
    .map(({ id, orderId }) => `${orderId} ${id}`);
};

const invoicedTwice = ({ invoices }) => repeated(invoices.map((invoice) => invoice.order_id));
const refundedTwice = ({ payouts }) => repeated(payouts.map((payout) => payout.description));

/** A payment's webhooks are numbered without gaps, and each came for the first time after the one before it. */
const unordered = (record) =>
  [...record.told.keys()].filter((id) => {
    const first = [...new Map(told(record, id).map(({ id: webhook, sequence }) => [webhook, sequence])).values()];
    return first.some((sequence, at) => sequence !== at + 1);
  });

/** In the order of the report. */
const properties = {
  lost,
  'fulfilled twice': fulfilledTwice,
  'paid and unfulfilled': unfulfilled,
  'fulfilled unpaid': unearned,
  'streams with gaps': gaps,
  'chains broken': brokenChains,
  'callbacks left aside': setAside,
  'creates lost': lostCreates,
  'invoiced twice': invoicedTwice,
  'refunded twice': refundedTwice,
  'webhooks out of order': unordered,
  'read models that differ from a rebuild': differingModels,
};
export const propertyNames = Object.keys(properties);

/** Checks all; `record.url` is the database. Resolves with the ids that break each property. */
export const check = async (record) => {
  const pool = createPool(record.url, { statementTimeoutMs: 60_000 });
  try {
    const findings = {};
    for (const [name, property] of Object.entries(properties)) findings[name] = await property(record, pool);
    return findings;
  } finally {
    await pool.end();
  }
};

// A store full of payments that never were, with the hashes that the service would have written. Fast enough for a
// million events.
import { createHash } from 'node:crypto';
import { v7 } from 'uuid';
import { eventHash } from '../../dist/platform/event-store/hash-chain.js';
import { messageHash } from '../../dist/platform/event-store/message-hash.js';

const tenant = '0190a6b2-0000-7000-8000-00000000aaaa';
const began = Date.parse('2026-01-01T00:00:00.000Z');
const batch = 500;
const perPayment = 5;

const insertEvents = `insert into event (stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash)
  select * from unnest($1::uuid[], $2::integer[], $3::uuid[], $4::text[], $5::smallint[], $6::timestamptz[], $7::uuid[], $8::text[], $9::uuid[],
    $10::uuid[], $11::json[], $12::bytea[])`;
const insertMessages = `insert into inbox (stream_id, digest, id, source, subject, status, body, received_at, last_received_at, headers, hash)
  select stream_id, digest, id, source, subject, 'applied', body, received_at, received_at, headers, hash
  from unnest($1::uuid[], $2::bytea[], $3::uuid[], $4::text[], $5::text[], $6::bytea[], $7::timestamptz[], $8::json[], $9::bytea[])
    as m (stream_id, digest, id, source, subject, body, received_at, headers, hash)`;

const columns = (rows) => rows[0].map((_, at) => rows.map((row) => row[at]));

/** The n-th payment: its events with their hashes, and the callback that they follow from. */
const payment = (n) => {
  const msecs = began + n * 1000;
  const id = v7({ msecs });
  const cause = v7({ msecs });
  const at = (seconds) => new Date(msecs + seconds * 1000).toISOString();
  const orderId = `generated-${n}`;
  const trackId = String(100_000_000 + n);
  const terms = {
    id,
    applicationId: tenant,
    orderId,
    amount: '49.90',
    currency: 'USD',
    description: `an order of ${n % 7} things`,
    metadata: { cart: String(n * 31) },
    requestedAt: at(0),
  };
  const body = Buffer.from(JSON.stringify({ track_id: trackId, status: 'Paid', order_id: id, amount: 49.9, txs: [] }));
  const facts = [
    ['PaymentRequested', 'application', terms],
    [
      'InvoiceOpened',
      'application',
      { trackId, paymentUrl: `https://pay.example/${trackId}`, expiresAt: at(3600), at: at(1) },
    ],
    ['GatewayReported', 'gateway', { status: 'paid', witness: 'callback', at: at(60) }],
    ['PaymentPaid', 'gateway', { clause: 'settled', received: '49.90', at: at(60) }],
    ['PaymentCorroborated', 'reconciler', { at: at(61) }],
  ];
  let hash = null;
  const events = facts.map(([type, actor, data], index) => {
    const event = {
      streamId: id,
      version: index + 1,
      id: v7({ msecs }),
      type,
      schemaVersion: 1,
      recordedAt: at(index * 20),
      tenant,
      actor,
    };
    const whole = { ...event, correlationId: cause, causationId: cause, data: JSON.stringify(data) };
    hash = eventHash(hash, whole);
    return { ...whole, hash };
  });
  const message = {
    streamId: id,
    digest: createHash('sha256').update(body).digest(),
    id: cause,
    source: 'callback',
    subject: trackId,
    body,
    receivedAt: at(60),
    headers: JSON.stringify({
      'content-type': 'application/json',
      hmac: createHash('sha512').update(body).digest('hex'),
    }),
  };
  return { events, message: { ...message, hash: messageHash(message) } };
};

const eventRow = (e) => [
  e.streamId,
  e.version,
  e.id,
  e.type,
  e.schemaVersion,
  e.recordedAt,
  e.tenant,
  e.actor,
  e.correlationId,
  e.causationId,
  e.data,
  e.hash,
];
const messageRow = (m) => [m.streamId, m.digest, m.id, m.source, m.subject, m.body, m.receivedAt, m.headers, m.hash];

/** Fills an empty, migrated store with at least so many events; payments of one batch stand between each other in the log. */
export const generateLog = async (pool, { events: wanted, onProgress = () => undefined }) => {
  let written = 0;
  for (let n = 0; written < wanted;) {
    const count = Math.min(batch, Math.ceil((wanted - written) / perPayment));
    const payments = Array.from({ length: count }, () => payment(n++));
    const inLogOrder = Array.from({ length: perPayment }, (_, v) => payments.map(({ events }) => events[v])).flat();
    await pool.query({ name: 'generate-events', text: insertEvents, values: columns(inLogOrder.map(eventRow)) });
    await pool.query({
      name: 'generate-messages',
      text: insertMessages,
      values: columns(payments.map(({ message }) => messageRow(message))),
    });
    written += inLogOrder.length;
    onProgress(written);
  }
  await pool.query('analyze event, inbox');
  return { events: written, payments: written / perPayment };
};

// What stands beside the events of generated payments: the keys that find them, and a callback of each as evidence.
import { createHash } from 'node:crypto';
import { v7 } from 'uuid';
import { trackKeyScope } from '../../dist/payments/gateway-event.handlers.js';
import { orderScope } from '../../dist/payments/payment-streams.pg.js';
import { messageHash } from '../../dist/platform/event-store/message-hash.js';

const receivedAt = '2026-01-01T00:10:00.000Z';

const insertMessages = `insert into inbox (stream_id, digest, id, source, subject, status, body, received_at, last_received_at, headers, hash)
  select stream_id, digest, id, 'callback:default', subject, 'applied', body, $1::timestamptz, $1::timestamptz, headers, hash
  from unnest($2::uuid[], $3::bytea[], $4::uuid[], $5::text[], $6::bytea[], $7::json[], $8::bytea[])
    as m (stream_id, digest, id, subject, body, headers, hash)`;
const insertKeys = `insert into stream_key (scope, key, stream_id) select * from unnest($1::text[], $2::text[], $3::uuid[])`;

/** Callbacks of all lengths, as shops describe their orders: rows of one length would leave the same gap on every page. */
const descriptionOf = (trackId) => 'an order of things '.repeat((Number(trackId) * 7) % 31);

const messageOf = ({ streamId, trackId, token }) => {
  const body = Buffer.from(
    JSON.stringify({ track_id: trackId, status: 'Paid', type: 'invoice', module_name: 'OxaPay', amount: 49.9, value: 49.9, sent_value: 49.9, currency: 'USD', order_id: streamId, email: '', note: '', fee_paid_by_payer: 0, under_paid_coverage: 0, description: descriptionOf(trackId), date: 1767225600, txs: [{ status: 'confirmed', tx_hash: token, sent_amount: 49.9, received_amount: 49.7, value: 49.9, currency: 'USDT', network: 'Tron Network', address: 'TAddress', rate: 1, confirmations: 40 }] }),
  ); // prettier-ignore
  const headers = JSON.stringify({ 'content-type': 'application/json', hmac: token.repeat(2) });
  const digest = createHash('sha256').update(body).digest();
  const message = {
    streamId,
    digest,
    id: v7(),
    source: 'callback:default',
    subject: trackId,
    body,
    receivedAt,
    headers,
  };
  return { ...message, hash: messageHash(message) };
};

/** Writes keys and evidence of payments `{ streamId, application, orderId, trackId, token }`. */
export const writeBeside = async (client, payments) => {
  const messages = payments.map(messageOf);
  const column = (name) => messages.map((message) => message[name]);
  await client.query(insertMessages, [receivedAt, ...['streamId', 'digest', 'id', 'subject', 'body', 'headers', 'hash'].map(column)]); // prettier-ignore
  const keys = payments.flatMap(({ streamId, application, orderId, trackId }) => [
    [orderScope(application), orderId, streamId],
    [trackKeyScope, trackId, streamId],
  ]);
  await client.query(
    insertKeys,
    [0, 1, 2].map((at) => keys.map((key) => key[at])),
  );
};

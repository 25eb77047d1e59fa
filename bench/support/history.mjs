// A past of any length: payments of many kinds, decided by the product's own rules, with chained hashes, as the service
// would have stored them.
import { createHash } from 'node:crypto';
import pg from 'pg';
import { v7 } from 'uuid';
import { applyReport } from '../../dist/payments/decisions.js';
import { evolve } from '../../dist/payments/payment.js';
import { defaultPolicy } from '../../dist/payments/policy.js';
import { writeBeside } from './history-evidence.mjs';
import { eventHash } from '../../dist/platform/event-store/hash-chain.js';

const start = Date.parse('2026-01-01T00:00:00.000Z');
const minute = 60_000;
const at = (ms) => new Date(ms).toISOString();

/** One payment in ten is short by a percent, one in ten too late: what another policy would decide otherwise. */
const kinds = [
  { share: 50, worth: '1' },
  { share: 20, worth: null },
  { share: 10, worth: '0.99' },
  { share: 5, worth: '0.5' },
  { share: 5, worth: '1.02' },
  { share: 10, worth: '1', late: true },
];
const plan = kinds.flatMap((kind) => Array.from({ length: kind.share }, () => kind));

const cents = (amount, share) =>
  ((BigInt(Math.round(amount * 100)) * BigInt(Math.round(Number(share) * 100))) / 100n)
    .toString()
    .replace(/(\d\d)$/, '.$1');

/** The moments of one payment: lists of events, each with the time that it was recorded at. */
const momentsOf = (index, application) => {
  const kind = plan[index % plan.length];
  const began = start + index * 60_000;
  const amount = 10 + (index % 90);
  const price = `${amount}.00`;
  const terms = {
    id: 'PAYMENT-ID',
    applicationId: application,
    orderId: 'ORDER-ID',
    amount: price,
    currency: 'USD',
    customerId: index % 2 === 0 ? `customer-${index % 1000}` : null,
    description: null,
    email: null,
    returnUrl: null,
    lifetimeMinutes: 60,
    policy: defaultPolicy,
    metadata: {},
    statusToken: 'STATUS-TOKEN',
    sandbox: false,
    requestedAt: at(began),
  };
  const invoice = {
    trackId: 'TRACK-ID',
    paymentUrl: 'https://pay.example/TRACK-ID',
    expiresAt: at(began + 60 * minute),
  };
  const moments = [
    [{ type: 'PaymentRequested', data: terms }],
    [{ type: 'InvoiceOpened', data: { ...invoice, adopted: false, at: at(began + 300) } }],
  ];
  let payment = moments.flat().reduce(evolve, null);
  const hear = (witness, when, status, transfers) => {
    const report = {
      trackId: 'TRACK-ID',
      orderId: 'PAYMENT-ID',
      type: 'invoice',
      status,
      amount: price,
      currency: 'USD',
      valueUsd: witness === 'callback' ? price : null,
      transfers,
      createdAt: at(began),
      expiresAt: null,
      terms: null,
    };
    const events = applyReport(payment, report, { witness, now: at(when) });
    if (events.length === 0) return;
    moments.push(events);
    payment = events.reduce(evolve, payment);
  };
  const { worth, late = false } = kind;
  const seen = began + (late ? 90 : 10) * minute;
  const transfer = (status, confirmations, witness) => ({
    txHash: 'HASH-OF-TRANSFER',
    status,
    currency: 'USDT',
    network: 'Tron Network',
    address: 'TAddress',
    senderAddress: null,
    sentAmount: cents(amount, worth),
    receivedAmount: null,
    valueUsd: witness === 'callback' ? cents(amount, worth) : null,
    confirmations,
    seenAt: at(seen),
  });
  const ended = worth === '1' || worth === '1.02' ? 'paid' : 'underpaid';
  if (worth === null || late) hear('callback', began + 61 * minute, 'expired', []);
  if (worth === null) return moments;
  if (!late) hear('callback', seen, 'paying', [transfer('confirming', 0, 'callback')]);
  const settled = late ? seen : ended === 'paid' ? seen + 3 * minute : began + 61 * minute;
  hear('callback', settled, late ? 'expired' : ended, [transfer('confirmed', 20, 'callback')]);
  hear('poll', settled + 1000, late ? 'expired' : ended, [transfer('confirmed', 20, 'poll')]);
  return moments;
};

const insert = `insert into event (stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash)
select * from unnest($1::uuid[], $2::integer[], $3::uuid[], $4::text[], $5::smallint[], $6::timestamptz[], $7::uuid[], $8::text[], $9::uuid[], $10::uuid[], $11::json[], $12::bytea[])`;

/**
 * Writes whole payments until there are so many events; `complete` ones with their keys and a callback kept as evidence.
 * `first` numbers the first of them. Returns how many of both there are.
 */
export const writeHistory = async ({ url, events: wanted, application, first = 0, complete = false }) => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  // Nothing acknowledges anything here.
  await client.query('set synchronous_commit = off');
  const templates = Array.from({ length: 2000 }, (_, index) => {
    const moments = momentsOf(index, application);
    return moments.map((moment) => ({
      at: moment[0].type === 'PaymentRequested' ? moment[0].data.requestedAt : moment.at(-1).data.at,
      events: moment.map(({ type, data }) => ({ type, text: JSON.stringify(data) })),
    }));
  });
  let columns = Array.from({ length: 12 }, () => []);
  let [written, payments] = [0, 0];
  const beside = [];
  const flush = async () => {
    await client.query(insert, columns);
    columns = Array.from({ length: 12 }, () => []);
    if (complete) await writeBeside(client, beside.splice(0));
  };
  while (written < wanted) {
    const streamId = v7();
    const token = createHash('sha256').update(streamId).digest('hex');
    const named = {
      'PAYMENT-ID': streamId,
      'ORDER-ID': `order-${first + payments}`,
      'TRACK-ID': String(100_000_000 + first + payments),
      'HASH-OF-TRANSFER': token,
      'STATUS-TOKEN': token.slice(0, 32),
    };
    let [version, hash] = [0, null];
    for (const { at: recordedAt, events } of templates[payments % templates.length]) {
      const cause = v7();
      for (const { type, text } of events) {
        const data = text.replace(/PAYMENT-ID|ORDER-ID|TRACK-ID|HASH-OF-TRANSFER|STATUS-TOKEN/g, (name) => named[name]);
        const event = {
          streamId,
          version: ++version,
          id: v7(),
          type,
          schemaVersion: 1,
          recordedAt,
          tenant: application,
          actor: 'gateway',
          correlationId: cause,
          causationId: cause,
          data,
        };
        hash = eventHash(hash, event);
        const row = [
          streamId,
          version,
          event.id,
          type,
          1,
          recordedAt,
          application,
          'gateway',
          cause,
          cause,
          data,
          hash,
        ];
        row.forEach((value, index) => columns[index].push(value));
        written++;
      }
    }
    beside.push({ streamId, application, orderId: named['ORDER-ID'], trackId: named['TRACK-ID'], token });
    payments++;
    if (columns[0].length >= 5000) await flush();
  }
  if (columns[0].length > 0) await flush();
  await client.query('analyze event');
  await client.end();
  return { events: written, payments };
};

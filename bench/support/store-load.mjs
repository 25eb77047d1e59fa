// Appends of one event: the product's event store, and `pg` alone with the same row.
import { createHash, randomBytes } from 'node:crypto';
import pg from 'pg';
import { v7 } from 'uuid';
import { createPool } from '../../dist/platform/database/database.pg.js';
import { EventStore } from '../../dist/platform/event-store/event-store.pg.js';
import { LogReader } from '../../dist/platform/event-store/log-reader.pg.js';
import { closedLoop, sampleEvent } from './closed-loop.mjs';

const tenant = '0190a6b2-0000-7000-8000-00000000bbbb';
const streamsOfCaller = 100;

const metadata = () => {
  const id = v7();
  return { tenant, actor: 'gateway', correlationId: id, causationId: id, recordedAt: new Date().toISOString() };
};
const newEvent = (n) => ({ id: v7(), schemaVersion: 1, ...sampleEvent(n) });
const none = { version: 0, hash: null };

const evidence = (n) => {
  const body = Buffer.from(JSON.stringify({ ...sampleEvent(n).data, nonce: v7() }));
  return {
    id: v7(),
    digest: createHash('sha256').update(body).digest(),
    source: 'callback:default',
    subject: String(n),
    status: 'applied',
    reason: null,
    body,
    headers: { 'content-type': 'application/json' },
    receivedAt: new Date().toISOString(),
  };
};

/** What one caller does, by kind. */
const operations = {
  bare: (store, n) => store.append({ streamId: v7(), head: none, events: [newEvent(n)], metadata: metadata() }),
  evidence: (store, n) =>
    store.append({ streamId: v7(), head: none, events: [newEvent(n)], metadata: metadata(), message: evidence(n) }),
  command: async (store, n, caller, streams) => {
    const own = (streams[caller] ??= Array.from({ length: streamsOfCaller }, () => v7()));
    const { streamId, head } = await store.read(own[n % own.length]);
    await store.append({ streamId, head, events: [newEvent(n)], metadata: metadata(), message: evidence(n) });
  },
};

const throughStore = async ({ url, kind, callers, ms }) => {
  const store = new EventStore({ url });
  let n = 0;
  const streams = [];
  const result = await closedLoop({
    callers,
    ms,
    operation: (caller) => operations[kind](store, n++, caller, streams),
  });
  await store.close();
  return result;
};

const rawInsert = {
  name: 'raw',
  text: `insert into floor.event (stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
};

const throughPg = async ({ url, callers, ms }) => {
  const pool = new pg.Pool({ connectionString: url, max: Math.min(16, callers) });
  const hash = randomBytes(32);
  let n = 0;
  const operation = () => {
    const { id, type, schemaVersion, data } = newEvent(n++);
    const m = metadata();
    const values = [v7(), 1, id, type, schemaVersion, m.recordedAt, m.tenant, m.actor, m.correlationId, m.causationId, JSON.stringify(data), hash]; // prettier-ignore
    return pool.query({ ...rawInsert, values });
  };
  const result = await closedLoop({ callers, ms, operation });
  await pool.end();
  return result;
};

/** Appends for so long. `kind`: bare, evidence or command by the product's store, or pg. */
export const appendFor = (input) => (input.kind === 'pg' ? throughPg(input) : throughStore(input));

/** Looks for new events every 20 ms and reads them, as the followers do, for so long. */
export const feedFor = async ({ url, ms }) => {
  const pool = createPool(url, { max: 2 });
  const reader = new LogReader(pool);
  const began = performance.now();
  let [at, read] = [await reader.watermark(), 0];
  while (performance.now() - began < ms) {
    const upTo = await reader.watermark();
    const events = await reader.read(at, 2000, upTo);
    at = events.length < 2000 ? upTo : events.at(-1).position;
    read += events.length;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await pool.end();
  return { read };
};

/** Looks, again and again for so long, as a follower does that has read everything. */
export const lookFor = async ({ url, ms }) => {
  const pool = createPool(url, { max: 1 });
  const reader = new LogReader(pool);
  const at = await reader.watermark();
  const operation = async () => {
    const events = await reader.read(at, 2000, await reader.watermark());
    if (events.length > 0) throw new Error('the log grew while nobody was to write');
  };
  const result = await closedLoop({ callers: 1, ms, operation });
  await pool.end();
  return result;
};

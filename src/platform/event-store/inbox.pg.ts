import type { Pool } from 'pg';
import { addSeconds, type Instant } from '../../kernel/clock.js';
import { noStream, type MessageStatus } from './append.js';
import { storedTypes } from './event-row.pg.js';
import { messageHash } from './message-hash.js';

/** A message as the inbox holds it. */
export interface StoredMessage {
  id: string;
  streamId: string;
  digest: Buffer;
  source: string;
  subject: string | null;
  status: MessageStatus | 'matched';
  reason: string | null;
  body: Buffer;
  headers: Readonly<Record<string, string>> | null;
  receivedAt: Instant;
  lastReceivedAt: Instant;
  receipts: number;
}

/** A message with what proves that it is as it was stored. */
export interface KeptMessage extends StoredMessage {
  /** `none`: it was stored before hashes were kept, or somebody has removed its own. */
  hash: 'fits' | 'differs' | 'none';
}

/** A message in a list: without its headers. */
export interface ListedMessage extends Omit<StoredMessage, 'headers'> {
  /** For a message without a stream: the stream that holds its subject as a key now, if any. */
  holder: string | null;
}

/** All that is given has to fit. */
export interface MessageFilter {
  sources?: readonly string[];
  statuses?: readonly StoredMessage['status'][];
  reason?: string;
  subject?: string;
  /** Messages of these streams, and messages without a stream about these subjects. */
  about?: { streams: readonly string[]; subjects: readonly string[] };
  /** Received at this time or later. */
  from?: Instant;
  /** Received before this time. */
  to?: Instant;
}

/** What part of a list is wanted. */
export interface MessageWindow {
  limit: number;
  /** About the newest time at which messages were received: a hint that costs nothing where it is wrong. */
  now: Instant;
  /** Scopes of the keys that may hold a subject. */
  keyScopes: readonly string[];
}

const columns = `id, stream_id as "streamId", digest, source, subject, status, reason, body, headers::jsonb as headers, received_at as "receivedAt",
  last_received_at as "lastReceivedAt", receipts`;

const open = {
  name: 'inbox-open',
  text: `select ${columns} from inbox where source = $1 and subject = $2 and status in ('unmatched', 'quarantined')
    order by received_at, id limit $3`,
  types: storedTypes,
};
const ofStream = {
  name: 'inbox-of-stream',
  text: `select ${columns} from inbox where stream_id = $1 order by received_at, id limit $2`,
  types: storedTypes,
};
const match = {
  name: 'inbox-match',
  text: `update inbox set status = 'matched' where stream_id = $1 and digest = $2 and status in ('unmatched', 'quarantined')`,
};

const at = {
  name: 'inbox-at',
  text: `select ${columns} from inbox where stream_id = $1 and digest = $2`,
  types: storedTypes,
};
const byId = {
  name: 'inbox-by-id',
  text: `select ${columns}, headers::text as "headersText", hash as "storedHash" from inbox where id = $1 limit 1`,
  types: storedTypes,
};

export async function messageAt(pool: Pool, streamId: string, digest: Buffer): Promise<StoredMessage | null> {
  return (await pool.query<StoredMessage>({ ...at, values: [streamId, digest] })).rows[0] ?? null;
}

/** By block ranges of ids: some milliseconds, however large the table is. */
export async function messageById(pool: Pool, id: string): Promise<KeptMessage | null> {
  type Row = StoredMessage & { headersText: string | null; storedHash: Buffer | null };
  const [row] = (await pool.query<Row>({ ...byId, values: [id] })).rows;
  if (!row) return null;
  const { headersText, storedHash, ...message } = row;
  const fits = storedHash?.equals(messageHash({ ...message, headers: headersText }));
  return { ...message, hash: fits === undefined ? 'none' : fits ? 'fits' : 'differs' };
}

/** Conditions, with their values behind those that are there already. */
function conditionsOf(
  { sources, statuses, reason, subject, about, from, to }: MessageFilter,
  values: unknown[],
): string {
  const value = (given: unknown): string => `$${String(values.push(given))}`;
  const found: string[] = [];
  if (sources !== undefined) found.push(`source = any(${value(sources)})`);
  if (statuses !== undefined) found.push(`status = any(${value(statuses)})`);
  if (reason !== undefined) found.push(`reason = ${value(reason)}`);
  if (subject !== undefined) found.push(`subject = ${value(subject)}`);
  // Only what no stream was found for has a reason, or another status than this one.
  if (reason !== undefined || statuses?.every((status) => status !== 'applied'))
    found.push(`stream_id = '${noStream}'`);
  if (about !== undefined)
    found.push(
      `(stream_id = any(${value(about.streams)}::uuid[]) or (stream_id = '${noStream}' and subject = any(${value(about.subjects)})))`,
    );
  if (from !== undefined) found.push(`received_at >= ${value(from)}`);
  if (to !== undefined) found.push(`received_at < ${value(to)}`);
  return found.length === 0 ? 'true' : found.join(' and ');
}

/** Seconds that the first step back in time spans. A step that was quick is followed by one four times as long. */
const firstStepSeconds = 60;
const quickMs = 250;

/**
 * Newest first. A filter that names streams, or asks for what has none, is answered by an index of its own. Any other
 * list is read backwards in steps of time, by block ranges, so that it costs what it shows and not what is stored.
 */
export async function listMessages(
  pool: Pool,
  filter: MessageFilter,
  { limit, now, keyScopes }: MessageWindow,
): Promise<ListedMessage[]> {
  const { about, reason, statuses, from } = filter;
  const indexed =
    about !== undefined || reason !== undefined || statuses?.every((status) => status !== 'applied') === true;
  if (indexed || from === undefined) return page(pool, filter, limit, keyScopes);
  const found: ListedMessage[] = [];
  let step = firstStepSeconds;
  let to = filter.to;
  for (let since = to ?? now; since > from && found.length < limit;) {
    const back = addSeconds(since, -step);
    since = back > from ? back : from;
    const began = performance.now();
    const span = { ...filter, from: since, ...(to ? { to } : {}) };
    found.push(...(await page(pool, span, limit - found.length, keyScopes)));
    if (performance.now() - began < quickMs) step *= 4;
    to = since;
  }
  return found;
}

async function page(
  pool: Pool,
  filter: MessageFilter,
  limit: number,
  keyScopes: readonly string[],
): Promise<ListedMessage[]> {
  const values: unknown[] = [noStream, keyScopes, limit];
  const text = `select id, stream_id as "streamId", digest, source, subject, status, reason, body, received_at as "receivedAt",
      last_received_at as "lastReceivedAt", receipts,
      case when stream_id = $1 then (select k.stream_id from stream_key k where k.scope = any($2) and k.key = subject limit 1) end as holder
    from inbox where ${conditionsOf(filter, values)} order by received_at desc, id desc limit $3`;
  return (await pool.query<ListedMessage>({ text, values, types: storedTypes })).rows;
}

export const openAtMost = 100_000;

/** The ids of messages without a stream, oldest first. */
export async function openMessageIds(pool: Pool, filter: MessageFilter): Promise<string[]> {
  const values: unknown[] = [openAtMost];
  const text = `select id from inbox where stream_id = '${noStream}' and ${conditionsOf(filter, values)} order by received_at, id limit $1`;
  return (await pool.query<{ id: string }>(text, values)).rows.map(({ id }) => id);
}

/** What was received and is not applied yet: unmatched or quarantined, oldest first. */
export async function openMessages(
  pool: Pool,
  source: string,
  subject: string,
  limit: number,
): Promise<StoredMessage[]> {
  return (await pool.query<StoredMessage>({ ...open, values: [source, subject, limit] })).rows;
}

/** The evidence that a stream rests on, oldest first. */
export async function messagesOf(pool: Pool, streamId: string, limit: number): Promise<StoredMessage[]> {
  return (await pool.query<StoredMessage>({ ...ofStream, values: [streamId, limit] })).rows;
}

/** Notes that an open message was applied after all. False when it was not open (any more). */
export async function markMatched(pool: Pool, streamId: string | null, digest: Buffer): Promise<boolean> {
  return (await pool.query({ ...match, values: [streamId ?? noStream, digest] })).rowCount === 1;
}

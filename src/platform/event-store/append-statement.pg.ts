import type { Pool } from 'pg';
import type { EventMetadata, NewEvent } from '../../kernel/event.js';
import type { Append, InboxMessage, KeyClaim, MessageStatus, StreamHead } from './append.js';
import { storedTypes } from './event-row.pg.js';
import { bytesArray, jsonLines, plainArray, textArray } from './array-literal.js';
import { eventHash } from './hash-chain.js';
import { headersText, messageHash } from './message-hash.js';

/** An event as it goes into its row. */
export interface PreparedEvent extends NewEvent {
  version: number;
  json: string;
  hash: Buffer;
}

/** An append with everything computed: trying it again, on any connection, sends the same bytes. */
export interface Member {
  streamId: string;
  head: StreamHead;
  events: readonly PreparedEvent[];
  /** Null only where there are no events. */
  metadata: EventMetadata | null;
  message: InboxMessage | null;
  keys: readonly KeyClaim[];
}

export function memberOf(append: Append): Member {
  const { streamId, head, metadata } = append;
  let version = head.version;
  let hash = version === 0 ? null : head.hash;
  const events = append.events.map((event) => {
    const json = JSON.stringify(event.data);
    version++;
    hash = eventHash(hash, { ...metadata, ...event, streamId, version, data: json });
    return { ...event, version, json, hash };
  });
  return { streamId, head, events, metadata, message: append.message ?? null, keys: append.keys ?? [] };
}

/** A row of the answer: an event that was written, or a message that was inserted or counted. */
export interface Written {
  stream_id: string;
  position: number | null;
  digest: Buffer | null;
  message_id: string | null;
  receipts: number | null;
  status: MessageStatus | 'matched' | null;
}

/*
 * What all forms of the statement share.
 *
 * The head is compared by scalar sub-selects, which are index probes in every plan; `exists` could become a join over
 * the whole table while the planner has no statistics. The second probe lets a stale head drop out quietly instead of
 * failing the whole statement; the primary key remains the judge of true races.
 */
const headIsCurrent = (stream: string, version: string, hash: string): string => `
  (${version} = 0 or (select p.hash from event p where p.stream_id = ${stream} and p.version = ${version}) = ${hash})
  and (select 1 from event p where p.stream_id = ${stream} and p.version = ${version} + 1) is null`;

// The same attempt sent twice (same id) is no second receipt.
const countReceipt = `on conflict (stream_id, digest) do update set
    receipts = i.receipts + (i.id <> excluded.id)::integer,
    last_received_at = greatest(i.last_received_at, excluded.received_at)
  returning i.stream_id, i.digest, i.id, i.receipts, i.status`;

const inboxColumns =
  'stream_id, digest, id, source, subject, status, reason, body, received_at, last_received_at, headers, hash';
const eventColumns =
  'stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash';
const answer = `
select stream_id, position, null::bytea as digest, null::uuid as message_id, null::integer as receipts, null::text as status from written
union all
select stream_id, null, digest, id, receipts, status from received`;

const oneEvent = `
insert into event (${eventColumns})
select $1::uuid, $2::integer + 1, $4::uuid, $5::text, $6::smallint, $7::timestamptz, $8::uuid, $9::text, $10::uuid, $11::uuid, $12::json, $13::bytea
where ${headIsCurrent('$1::uuid', '$2::integer', '$3::bytea')}
returning stream_id, position, null::bytea as digest, null::uuid as message_id, null::integer as receipts, null::text as status`;

const oneEventWithMessage = `
with gate as materialized (
  select ${headIsCurrent('$1::uuid', '$2::integer', '$3::bytea')} as current,
    (select 1 from inbox where stream_id = $1::uuid and digest = $14::bytea) is not null as known
),
received as (
  insert into inbox as i (${inboxColumns})
  select $1::uuid, $14::bytea, $15::uuid, $16::text, $17::text, $18::text, $19::text, $20::bytea, $21::timestamptz, $21::timestamptz, $22::json, $23::bytea
  from gate where current or known
  ${countReceipt}
),
written as (
  insert into event (${eventColumns})
  select $1::uuid, $2::integer + 1, $4::uuid, $5::text, $6::smallint, $7::timestamptz, $8::uuid, $9::text, $10::uuid, $11::uuid, $12::json, $13::bytea
  from gate, received r where gate.current and not gate.known and r.id = $15::uuid and r.receipts = 1
  returning stream_id, position
)${answer}`;

/** One statement for many members. Its phases (messages, events, keys) lock in one order everywhere. */
function manyMembers(keys: 'no keys' | 'keys' | 'takeover'): string {
  const claim = `,
claim as materialized (
  select k.*, (select s.stream_id from stream_key s where s.scope = k.scope and s.key = k.key) as holder
  from unnest($29::integer[], $30::uuid[], $31::text[], $32::text[], $33::uuid[]) as k (n, stream_id, scope, key, replaces)
)`;
  const notTaken = `and not exists (
    select from claim c where c.n = m.n and c.holder is not null and c.holder <> c.stream_id and c.holder is distinct from c.replaces)`;
  const released = `,
released as (
  delete from stream_key s where (s.scope, s.key) in (select c.scope, c.key from claim c join fresh using (n))
    and s.stream_id = any($33::uuid[]) returning 1
)`;
  // A key that another transaction is claiming right now is a unique violation and fails the statement: its members
  // are then tried alone, and see who holds it.
  const claimed = `,
claimed as (
  insert into stream_key (scope, key, stream_id)
  select c.scope, c.key, c.stream_id from claim c join fresh using (n)${keys === 'takeover' ? ', (select count(*) from released) as before' : ''}
  where c.holder is null${keys === 'takeover' ? ' or c.holder = c.replaces' : ''} order by c.scope, c.key
)`;
  return `
with member as materialized (
  select m.*, m.events = 0 or (${headIsCurrent('m.stream_id', 'm.version', 'm.hash')}) as current,
    m.digest is not null and (select 1 from inbox i where i.stream_id = m.stream_id and i.digest = m.digest) is not null as known
  from unnest($1::integer[], $2::uuid[], $3::integer[], $4::bytea[], $5::integer[], $6::timestamptz[], $7::uuid[], $8::text[], $9::uuid[], $10::uuid[],
    $11::bytea[], $12::uuid[], $13::text[], $14::text[], $15::text[], $16::text[], $17::bytea[], $18::timestamptz[], string_to_array($19, chr(10), '')::json[], $20::bytea[])
    as m (n, stream_id, version, hash, events, recorded_at, tenant, actor, correlation_id, causation_id,
      digest, message_id, source, subject, status, reason, body, received_at, headers, message_hash)
)${keys === 'no keys' ? '' : claim},
admitted as materialized (
  select * from member m where m.current and not m.known ${keys === 'no keys' ? '' : notTaken}
),
received as (
  insert into inbox as i (${inboxColumns})
  select stream_id, digest, message_id, source, subject, status, reason, body, received_at, received_at, headers, message_hash
  from member where digest is not null and (known or n in (select n from admitted)) order by stream_id, digest
  ${countReceipt}
),
fresh as materialized (
  select a.* from admitted a left join received r on r.stream_id = a.stream_id and r.digest = a.digest
  where a.digest is null or (r.id = a.message_id and r.receipts = 1)
)${keys === 'takeover' ? released : ''}${keys === 'no keys' ? '' : claimed},
written as (
  insert into event (${eventColumns})
  select f.stream_id, e.version, e.event_id, e.type, e.schema_version, f.recorded_at, f.tenant, f.actor, f.correlation_id, f.causation_id, e.data, e.hash
  from unnest($21::integer[], $22::integer[], $23::uuid[], $24::text[], $25::smallint[], string_to_array($26, chr(10), '')::json[], $27::bytea[], $28::uuid[])
    as e (n, version, event_id, type, schema_version, data, hash, stream_id)
  join fresh f on f.n = e.n order by e.stream_id, e.version
  returning stream_id, position
)${answer}`;
}

const statements = {
  oneEvent: { name: 'append-one', text: oneEvent },
  oneEventWithMessage: { name: 'append-one-message', text: oneEventWithMessage },
  many: { name: 'append-many', text: manyMembers('no keys') },
  keys: { name: 'append-keys', text: manyMembers('keys') },
  takeover: { name: 'append-takeover', text: manyMembers('takeover') },
};

/** Writes the members that may be written, in one statement and one commit. Throws when any of them lost a true race. */
export async function writeTogether(pool: Pool, members: readonly Member[]): Promise<Written[]> {
  const [first] = members;
  const single = members.length === 1 && first !== undefined ? plainStatement(first) : null;
  const query = single ?? arrayStatement(members);
  return (await pool.query<Written>({ ...query, types: storedTypes })).rows;
}

type Statement = { name: string; text: string; values: unknown[] };

function plainStatement({ streamId, head, events, metadata: m, message, keys }: Member): Statement | null {
  const [event] = events;
  if (event === undefined || m === null || events.length > 1 || keys.length > 0) return null;
  const values: unknown[] = [
    streamId,
    head.version,
    head.hash,
    event.id,
    event.type,
    event.schemaVersion,
    m.recordedAt,
    m.tenant,
  ];
  values.push(m.actor, m.correlationId, m.causationId, event.json, event.hash);
  if (message === null) return { ...statements.oneEvent, values };
  const { digest, id, source, subject, status, reason, body, receivedAt } = message;
  const headers = headersText(message.headers);
  values.push(digest, id, source, subject, status, reason, body, receivedAt, headers, hashOf(streamId, message));
  return { ...statements.oneEventWithMessage, values };
}

function arrayStatement(members: readonly Member[]): Statement {
  const values: unknown[] = [...memberArrays(members), ...eventArrays(members)];
  const keys = members.flatMap((member, n) => member.keys.map((claim) => ({ ...claim, n, streamId: member.streamId })));
  if (keys.length === 0) return { ...statements.many, values };
  values.push(
    plainArray(keys.map((k) => k.n)),
    plainArray(keys.map((k) => k.streamId)),
    textArray(keys.map((k) => k.scope)),
    textArray(keys.map((k) => k.key)),
    plainArray(keys.map((k) => k.replaces ?? null)),
  );
  return { ...(keys.some((k) => k.replaces !== undefined) ? statements.takeover : statements.keys), values };
}

const hashOf = (streamId: string, message: InboxMessage): Buffer =>
  messageHash({ ...message, streamId, headers: headersText(message.headers) });

function memberArrays(members: readonly Member[]): string[] {
  const column = <T>(read: (member: Member, n: number) => T): T[] => members.map(read);
  return [
    plainArray(column((_, n) => n)),
    plainArray(column((m) => m.streamId)),
    plainArray(column((m) => m.head.version)),
    bytesArray(column((m) => m.head.hash)),
    plainArray(column((m) => m.events.length)),
    plainArray(column((m) => m.metadata?.recordedAt ?? null)),
    plainArray(column((m) => m.metadata?.tenant ?? null)),
    textArray(column((m) => m.metadata?.actor ?? null)),
    plainArray(column((m) => m.metadata?.correlationId ?? null)),
    plainArray(column((m) => m.metadata?.causationId ?? null)),
    bytesArray(column((m) => m.message?.digest ?? null)),
    plainArray(column((m) => m.message?.id ?? null)),
    textArray(column((m) => m.message?.source ?? null)),
    textArray(column((m) => m.message?.subject ?? null)),
    textArray(column((m) => m.message?.status ?? null)),
    textArray(column((m) => m.message?.reason ?? null)),
    bytesArray(column((m) => m.message?.body ?? null)),
    plainArray(column((m) => m.message?.receivedAt ?? null)),
    jsonLines(column((m) => headersText(m.message?.headers))),
    bytesArray(column((m) => (m.message ? hashOf(m.streamId, m.message) : null))),
  ];
}

function eventArrays(members: readonly Member[]): string[] {
  const events = members.flatMap(({ events }) => events);
  const perEvent = <T>(read: (member: Member, n: number) => T): T[] =>
    members.flatMap((member, n) => member.events.map(() => read(member, n)));
  return [
    plainArray(perEvent((_, n) => n)),
    plainArray(events.map(({ version }) => version)),
    plainArray(events.map(({ id }) => id)),
    textArray(events.map(({ type }) => type)),
    plainArray(events.map(({ schemaVersion }) => schemaVersion)),
    jsonLines(events.map(({ json }) => json)),
    bytesArray(events.map(({ hash }) => hash)),
    plainArray(perEvent(({ streamId }) => streamId)),
  ];
}

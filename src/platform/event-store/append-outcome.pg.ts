import type { Pool } from 'pg';
import type { RecordedEvent } from '../../kernel/event.js';
import { Conflict, KeyTaken, type Appended } from './append.js';
import type { Member, Written } from './append-statement.pg.js';
import { storedTypes } from './event-row.pg.js';

function appended({ streamId, head, events, metadata }: Member, positions: readonly number[]): Appended {
  const recorded: RecordedEvent[] = [];
  for (const [at, { id, type, schemaVersion, data, version }] of events.entries()) {
    if (metadata)
      recorded.push({ id, type, schemaVersion, data, ...metadata, streamId, version, position: positions[at] ?? 0 });
  }
  return {
    outcome: 'appended',
    position: positions.at(-1) ?? 0,
    head: { version: head.version + events.length, hash: events.at(-1)?.hash ?? head.hash },
    events: recorded,
  };
}

/**
 * What became of each member of a statement that succeeded; null where nothing was written for it, so that only
 * `explain` can tell why.
 */
export function outcomes(members: readonly Member[], rows: readonly Written[]): (Appended | null)[] {
  const positions = new Map<string, number[]>();
  const messages = new Map<string, Written[]>();
  for (const row of rows) {
    if (row.digest !== null) listed(messages, row.stream_id).push(row);
    else if (row.position !== null) listed(positions, row.stream_id).push(row.position);
  }
  return members.map((member) => {
    const { streamId, message, events } = member;
    // One stream has one message here; only the stream that stands for none may have several.
    const received = message && messages.get(streamId)?.find(({ digest }) => digest?.equals(message.digest));
    if (message && received && received.message_id !== message.id) {
      return { outcome: 'duplicate', receipts: received.receipts ?? 1, status: received.status ?? message.status };
    }
    const own = (events.length > 0 && positions.get(streamId)) || [];
    if (own.length !== events.length || (message && !received)) return null;
    return appended(member, own);
  });
}

function listed<T>(lists: Map<string, T[]>, key: string): T[] {
  const list = lists.get(key) ?? [];
  if (list.length === 0) lists.set(key, list);
  return list;
}

const eventsAt = {
  name: 'append-events-at',
  text: 'select event_id, position from event where stream_id = $1 and version > $2 and version <= $3 order by version',
  types: storedTypes,
};
const keyHolder = { name: 'key-holder', text: 'select stream_id from stream_key where scope = $1 and key = $2' };

export async function holderOf(pool: Pool, scope: string, key: string): Promise<string | null> {
  const { rows } = await pool.query<{ stream_id: string }>({ ...keyHolder, values: [scope, key] });
  return rows[0]?.stream_id ?? null;
}

const scopeKeys = {
  name: 'scope-keys',
  text: 'select key, stream_id from stream_key where scope = $1 order by key limit $2',
};

/** The keys of a scope with the streams that hold them, in the order of the keys. */
export async function holdersOf(pool: Pool, scope: string, limit: number): Promise<Map<string, string>> {
  const { rows } = await pool.query<{ key: string; stream_id: string }>({ ...scopeKeys, values: [scope, limit] });
  return new Map(rows.map((row) => [row.key, row.stream_id]));
}

const newestScopeKeys = {
  name: 'newest-scope-keys',
  text: 'select stream_id from stream_key where scope = $1 and key < $2 order by key desc limit $3',
};

/** Greater than every UUID in lower case. */
const afterAll = 'g';

/** The streams of a scope whose keys are UUIDv7, newest first; those before the key `before` where one is given. */
export async function newestHoldersOf(
  pool: Pool,
  scope: string,
  before: string | null,
  limit: number,
): Promise<string[]> {
  const values = [scope, before ?? afterAll, limit];
  const { rows } = await pool.query<{ stream_id: string }>({ ...newestScopeKeys, values });
  return rows.map((row) => row.stream_id);
}

/**
 * Why nothing was written for a member. If the events at its versions carry its own ids, an earlier try of the same
 * append got through and only its answer was lost: that is success. Otherwise throws `KeyTaken` or `Conflict`.
 */
export async function explain(pool: Pool, member: Member): Promise<Appended> {
  const { streamId, head, events } = member;
  const values = [streamId, head.version, head.version + events.length];
  const { rows } = await pool.query<{ event_id: string; position: number }>({ ...eventsAt, values });
  if (events.length > 0 && rows.length === events.length && rows.every((row, at) => row.event_id === events[at]?.id)) {
    return appended(
      member,
      rows.map((row) => row.position),
    );
  }
  for (const { scope, key, replaces } of member.keys) {
    const holder = await holderOf(pool, scope, key);
    if (holder !== null && holder !== streamId && holder !== replaces) throw new KeyTaken(scope, key, holder);
  }
  throw new Conflict(streamId);
}

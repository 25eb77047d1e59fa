import type { Pool } from 'pg';
import { storedTypes } from '../event-store/event-row.pg.js';
import type { Breaks } from './breaks.js';
import {
  blockSize,
  type Content,
  type Head,
  type SealedEvent,
  type SealedMessage,
  type Statement,
} from './checkpoint.js';
import { eventsBetween } from './checkpoints.pg.js';
import { messagesAfter } from './sealed-messages.pg.js';

const elsewhere = {
  name: 'events-elsewhere',
  text: `select e.stream_id as "streamId", e.version, e.position, encode(e.hash, 'hex') as hash
    from unnest($1::uuid[], $2::integer[]) as s (stream_id, version) join event e using (stream_id, version)`,
  types: storedTypes,
};

const mostRead = 10 * blockSize;

type Sealed = Omit<SealedEvent, 'hash'> & { hash: string | null };

/** Names what of a span is not what was sealed. Returns whether anything was found. */
export async function tellDifference(
  pool: Pool,
  breaks: Breaks,
  { events, messages }: Statement,
  sealed: Content,
): Promise<boolean> {
  const now = await eventsBetween(pool, events.after, events.upTo, mostRead);
  const inEvents = await tellEvents(pool, breaks, sealed.heads.flatMap(eventsOf), now);
  const inInbox = await messagesAfter(pool, messages.after, messages.upTo, mostRead);
  return tellMessages(breaks, sealed.messages, inInbox) || inEvents;
}

/** The events that a head tells of; of the last one the hash is known too. */
const eventsOf = ([streamId, last, hash, positions]: Head): Sealed[] =>
  positions.map((position, each) => {
    const version = last - positions.length + 1 + each;
    return { streamId, version, position, hash: version === last ? hash : null };
  });

const nameOf = ({ streamId, version }: Pick<SealedEvent, 'streamId' | 'version'>): string =>
  `${streamId} ${String(version)}`;

async function tellEvents(
  pool: Pool,
  breaks: Breaks,
  sealed: readonly Sealed[],
  inSpan: readonly SealedEvent[],
): Promise<boolean> {
  const there = new Map(inSpan.map((event) => [nameOf(event), event]));
  const known = new Set(sealed.map(nameOf));
  const gone = sealed.filter((event) => !there.has(nameOf(event)));
  const values = [gone.map(({ streamId }) => streamId), gone.map(({ version }) => version)];
  const { rows } = gone.length > 0 ? await pool.query<SealedEvent>({ ...elsewhere, values }) : { rows: [] };
  for (const event of rows) there.set(nameOf(event), event);
  let found = false;
  for (const event of sealed) {
    const now = there.get(nameOf(event));
    const reason = differenceOf(event, now);
    if (reason === null) continue;
    found = true;
    const { streamId, version, position } = event;
    breaks.add({ reason, streamId, version, position: now ? now.position : position });
  }
  for (const event of inSpan) {
    if (known.has(nameOf(event))) continue;
    found = true;
    const { streamId, version, position } = event;
    breaks.add({ reason: 'event_added', streamId, version, position });
  }
  return found;
}

function differenceOf(
  sealed: Sealed,
  now: SealedEvent | undefined,
): 'sealed_event_missing' | 'sealed_hash_differs' | 'position_differs' | null {
  if (!now) return 'sealed_event_missing';
  if (sealed.hash !== null && now.hash !== sealed.hash) return 'sealed_hash_differs';
  return now.position === sealed.position ? null : 'position_differs';
}

function tellMessages(breaks: Breaks, sealed: readonly SealedMessage[], now: readonly SealedMessage[]): boolean {
  const there = new Map(now.map((message) => [message[0], message]));
  const known = new Set(sealed.map(([id]) => id));
  let found = false;
  for (const [messageId, streamId, hash] of sealed) {
    const [, nowStream, nowHash] = there.get(messageId) ?? [];
    if (nowStream === streamId && nowHash === hash) continue;
    found = true;
    const reason = nowHash === undefined ? 'sealed_message_missing' : 'sealed_message_differs';
    breaks.add({ reason, messageId, streamId });
  }
  for (const [messageId, streamId] of now) {
    if (known.has(messageId)) continue;
    found = true;
    breaks.add({ reason: 'message_added', messageId, streamId });
  }
  return found;
}

import { jetstream, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import { connect, headers, nanos } from '@nats-io/transport-node';
import type { MsgHdrs, NatsConnection } from '@nats-io/transport-node';
import type { RecordedEvent } from '../../kernel/event.js';
import type { Reactor } from './projection.js';

/** The stream that holds the log, made with one replica where there is none; an operator may have made it otherwise. */
export const streamName = 'FINALITY';
const root = 'finality.events';
const positionHeader = 'Finality-Position';
const idHeader = 'Nats-Msg-Id';
/** How long JetStream remembers ids; only what we send twice within a reconnection needs it. */
const duplicateWindowMs = 120_000;

/** All that one page may take: the database's connection waits meanwhile. */
const pageMs = 5000;
const connectMs = 1000;

/** Where an event is published: the tenant first, for permissions, then what happened, then to what. */
export const subjectOf = ({ tenant, type, streamId }: RecordedEvent): string => `${root}.${tenant}.${type}.${streamId}`;

interface Link {
  connection: NatsConnection;
  client: JetStreamClient;
  manager: JetStreamManager;
}

/** The end of the stream. */
interface Tail {
  sequence: number;
  /** Of the newest event in it; 0 where it holds none. */
  position: number;
  eventId: string;
}

/**
 * Publishes each event of the log to JetStream, in the log's order and once. Each message names the sequence that it has
 * to follow, so that none can overtake or come twice, whichever process sends it; what a crash has left published and
 * not noted is found at the end of the stream and passed over. Nobody else may publish to the stream.
 */
export class JetStreamReactor implements Reactor {
  readonly kind = 'reactor';
  readonly name = 'jetstream';
  private link: Promise<Link> | null = null;
  private tail: Tail | null = null;

  constructor(private readonly url: string) {}

  /** Resolves when all are stored by JetStream. Throws where it cannot be reached, and after five seconds. */
  async react(_tx: unknown, events: readonly RecordedEvent[]): Promise<void> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), pageMs);
    const tooLate = new Promise<never>((_, reject) => {
      late.signal.addEventListener('abort', () => reject(new Error('NATS did not store a page of events within 5 s')));
    });
    try {
      await Promise.race([this.publish(events), tooLate]);
    } catch (error) {
      this.tail = null;
      await this.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Lets the connection go; the next page opens another. */
  async close(): Promise<void> {
    const { link } = this;
    this.link = null;
    await link?.then(({ connection }) => connection.close()).catch(() => undefined);
  }

  /** The connection there is, or a new one where the server has ended it. */
  private async open(): Promise<Link> {
    const link = await (this.link ??= openLink(this.url));
    if (!link.connection.isClosed()) return link;
    return (this.link = openLink(this.url));
  }

  private async publish(events: readonly RecordedEvent[]): Promise<void> {
    const link = await this.open();
    const tail = await tailOf(link, this.tail);
    const fresh = await unpublished(link, tail, events);
    const sent = fresh.map((event, at) => {
      const options = { headers: headersOf(event, tail.sequence + at), timeout: pageMs };
      return link.client.publish(subjectOf(event), JSON.stringify(event), options);
    });
    // All at once, and all are awaited: where one is refused, those behind it are too.
    const failed = (await Promise.allSettled(sent)).find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
    const last = fresh.at(-1);
    this.tail = last ? { sequence: tail.sequence + fresh.length, position: last.position, eventId: last.id } : tail;
  }
}

async function openLink(url: string): Promise<Link> {
  const { username, password } = new URL(url);
  const connection = await connect({
    servers: new URL(url).host,
    name: 'finality',
    timeout: connectMs,
    // What was sent and not acknowledged is decided about by us, after a look at the stream.
    reconnect: false,
    ...(username !== '' && { user: decodeURIComponent(username), pass: decodeURIComponent(password) }),
    ...(url.startsWith('tls:') && { tls: {} }),
  });
  try {
    const manager = await jetstreamManager(connection, { timeout: connectMs });
    await makeStream(manager);
    return { connection, client: jetstream(connection), manager };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function makeStream(manager: JetStreamManager): Promise<void> {
  for await (const name of manager.streams.names(`${root}.>`)) if (name === streamName) return;
  await manager.streams.add({
    name: streamName,
    subjects: [`${root}.>`],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    duplicate_window: nanos(duplicateWindowMs),
  });
}

/** The stream's end now; `known` where nobody has published since. */
async function tailOf({ manager }: Link, known: Tail | null): Promise<Tail> {
  const { state } = await manager.streams.info(streamName);
  if (known?.sequence === state.last_seq) return known;
  const found = state.messages === 0 ? null : await markAt(manager, state.last_seq);
  return { sequence: state.last_seq, position: found?.position ?? 0, eventId: found?.eventId ?? '' };
}

/** Which event stands there; null where none of ours does. */
async function markAt(manager: JetStreamManager, seq: number): Promise<{ position: number; eventId: string } | null> {
  const message = await manager.streams.getMessage(streamName, { seq });
  const position = Number(message?.header.get(positionHeader) ?? '');
  return message && position > 0 ? { position, eventId: message.header.get(idHeader) } : null;
}

/**
 * What of a page the stream has not got yet. Throws where the stream has other events at the same positions: then the
 * database has a past that the stream does not know, as after it was restored from a backup.
 */
async function unpublished(
  link: Link,
  tail: Tail,
  events: readonly RecordedEvent[],
): Promise<readonly RecordedEvent[]> {
  const fresh = events.filter((event) => event.position > tail.position);
  const last = events[events.length - fresh.length - 1];
  if (last === undefined) return fresh;
  const stored = last.position === tail.position ? tail.eventId : await eventIdAt(link, tail, last.position);
  if (stored === last.id) return fresh;
  throw new Error(
    `the stream ${streamName} has another event at position ${String(last.position)} than the log: was the database restored from a backup? Purge the stream and tell its readers.`,
  );
}

/** The id of the event that was published with a position; null where there is none. Positions grow with the sequence. */
async function eventIdAt({ manager }: Link, tail: Tail, position: number): Promise<string | null> {
  const { state } = await manager.streams.info(streamName);
  let [low, high] = [state.first_seq, tail.sequence];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const found = await markAt(manager, middle);
    if (found !== null && found.position >= position) high = middle;
    else low = middle + 1;
  }
  const found = await markAt(manager, low);
  return found?.position === position ? found.eventId : null;
}

function headersOf(event: RecordedEvent, follows: number): MsgHdrs {
  const made = headers();
  made.set(idHeader, event.id);
  made.set('Nats-Expected-Last-Sequence', String(follows));
  made.set('Nats-Expected-Stream', streamName);
  made.set(positionHeader, String(event.position));
  made.set('Finality-Version', String(event.version));
  made.set('Finality-Tenant', event.tenant);
  return made;
}

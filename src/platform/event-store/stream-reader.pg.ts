import type { Pool } from 'pg';
import type { RecordedEvent } from '../../kernel/event.js';
import { isUuid } from '../../kernel/ids.js';
import type { Stream } from './append.js';
import type { RecentStreams } from './recent-streams.js';
import { eventColumns, eventOf, storedTypes, type EventRow } from './event-row.pg.js';

const one = {
  name: 'read-stream',
  text: `select ${eventColumns}, hash from event where stream_id = $1 order by version`,
  types: storedTypes,
};
const many = {
  name: 'read-streams',
  text: `select ${eventColumns}, hash from event where stream_id = any($1::uuid[]) order by stream_id, version`,
  types: storedTypes,
};

const newest = {
  name: 'read-newest',
  text: `select ${eventColumns} from event where type = $1 and position > (select last_value from event_position_seq) - 10000
    order by position desc limit 1`,
  types: storedTypes,
};

type Waiting = { streamId: string; resolve: (stream: Stream) => void; reject: (error: unknown) => void };

/** Another spelling of the same id would look like an empty stream, and a wrong one would fail its neighbours. */
function assertStreamId(streamId: string): void {
  if (!isUuid(streamId)) throw new TypeError('a stream id is a UUID in lower case');
}

const maxInFlight = 2;
/** So many have to wait before a further query is begun beside one. */
const worthAnother = 32;
const maxStreams = 256;

/**
 * Reads streams. Reads that arrive while others are under way share one query: natural batching, without a timer. A
 * read always starts after it was asked for, so it sees everything that was committed by then.
 */
export class StreamReader {
  private waiting: Waiting[] = [];
  private inFlight = 0;

  constructor(
    private readonly pool: Pool,
    private readonly recent: RecentStreams,
  ) {}

  get queued(): number {
    return this.waiting.length;
  }

  async read(streamId: string): Promise<Stream> {
    assertStreamId(streamId);
    return new Promise((resolve, reject) => {
      this.waiting.push({ streamId, resolve, reject });
      // Not at once, so that the reads of one turn of the event loop share a query.
      queueMicrotask(() => this.pump());
    });
  }

  async newest(type: string): Promise<RecordedEvent | null> {
    const { rows } = await this.pool.query<EventRow>({ ...newest, values: [type] });
    return rows[0] ? eventOf(rows[0]) : null;
  }

  async readMany(streamIds: readonly string[]): Promise<Map<string, Stream>> {
    streamIds.forEach(assertStreamId);
    const streams = new Map<string, Stream>();
    for (const streamId of streamIds) streams.set(streamId, { streamId, events: [], head: { version: 0, hash: null } });
    const wanted = [...streams.keys()];
    for (let at = 0; at < wanted.length; at += maxStreams) {
      const page = wanted.slice(at, at + maxStreams);
      const query = page.length === 1 ? { ...one, values: page } : { ...many, values: [page] };
      for (const row of (await this.pool.query<EventRow>(query)).rows) {
        const stream = streams.get(row.stream_id);
        stream?.events.push(eventOf(row));
        if (stream) stream.head = { version: row.version, hash: row.hash };
      }
    }
    for (const stream of streams.values()) this.recent.read(stream);
    return streams;
  }

  private pump(): void {
    const least = (): number => (this.inFlight === 0 ? 1 : worthAnother);
    while (this.inFlight < maxInFlight && this.waiting.length >= least()) {
      const batch = this.waiting.slice(0, maxStreams);
      this.waiting = this.waiting.slice(maxStreams);
      this.inFlight++;
      void this.answer(batch).finally(() => {
        this.inFlight--;
        this.pump();
      });
    }
  }

  private async answer(batch: readonly Waiting[]): Promise<void> {
    try {
      const streams = await this.readMany(batch.map((reader) => reader.streamId));
      for (const reader of batch) {
        const stream = streams.get(reader.streamId);
        if (stream) reader.resolve(stream);
        else reader.reject(new TypeError(`not a stream id: ${reader.streamId}`));
      }
    } catch (error) {
      for (const reader of batch) reader.reject(error);
    }
  }
}

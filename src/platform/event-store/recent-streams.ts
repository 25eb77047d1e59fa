import type { RecordedEvent } from '../../kernel/event.js';
import type { Stream, StreamHead } from './append.js';

/**
 * Streams as this process last read or wrote them; those of longest ago are forgotten first. Other processes append
 * too, so each may lack its newest events, and what is given out must not be changed.
 */
export class RecentStreams {
  private readonly streams = new Map<string, Stream>();

  constructor(private readonly capacity: number) {}

  /** The stream, where it is known to hold everything up to `position`. */
  upTo(streamId: string, position: number): Stream | null {
    const stream = this.streams.get(streamId);
    return stream && (stream.events.at(-1)?.position ?? 0) >= position ? stream : null;
  }

  read(stream: Stream): void {
    const known = this.streams.get(stream.streamId);
    if (stream.head.version > 0 && (known?.head.version ?? 0) <= stream.head.version) this.put(stream);
  }

  /** Events were appended behind `before`; without what came before them they are no stream. */
  appended(streamId: string, before: StreamHead, events: readonly RecordedEvent[], head: StreamHead): void {
    const known = before.version === 0 ? [] : this.streams.get(streamId)?.events;
    if (known?.length === before.version) this.put({ streamId, events: [...known, ...events], head });
    else this.streams.delete(streamId);
  }

  private put(stream: Stream): void {
    this.streams.delete(stream.streamId);
    this.streams.set(stream.streamId, stream);
    if (this.streams.size <= this.capacity) return;
    const [oldest] = this.streams.keys();
    if (oldest !== undefined) this.streams.delete(oldest);
  }
}

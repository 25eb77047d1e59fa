import type { RecordedEvent } from '../../kernel/event.js';

/**
 * The end of the log as it was last read, so that the followers of one process read each event once between them. It
 * holds every event after `after` and up to `upTo`; what it gives out is shared and must not be changed.
 */
export class RecentEvents {
  private events: RecordedEvent[] = [];
  private after = 0;
  private upTo = 0;

  constructor(private readonly capacity: number) {}

  /** Up to `limit` events after a position and up to another; null where that is not all here. */
  take(after: number, limit: number, upTo: number): RecordedEvent[] | null {
    if (after < this.after || after >= this.upTo) return null;
    const from = this.firstAfter(after);
    const found = this.events.slice(from, Math.min(this.firstAfter(upTo), from + limit));
    return upTo <= this.upTo || found.length === limit ? found : null;
  }

  /** Whether a read after this position may be answered from here once a read under way has ended. */
  covers(after: number): boolean {
    return after >= this.after;
  }

  /** All events after `after` and up to `upTo`, in order, as the database gave them. */
  put(after: number, upTo: number, events: readonly RecordedEvent[]): void {
    if (upTo <= this.upTo) return;
    if (after < this.after || after > this.upTo) {
      this.events = [];
      this.after = after;
    }
    const last = this.events.at(-1)?.position ?? this.after;
    this.events.push(...events.filter(({ position }) => position > last));
    this.upTo = upTo;
    if (this.events.length <= this.capacity) return;
    const dropped = this.events.splice(0, this.events.length - this.capacity);
    this.after = dropped.at(-1)?.position ?? this.after;
  }

  /** Where the first event behind a position stands. */
  private firstAfter(position: number): number {
    let [low, high] = [0, this.events.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.events[middle]?.position ?? Infinity) > position) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

import { eventHash, type ChainedEvent } from './hash-chain.js';

/** An event as it stands in the log. */
export interface StoredEvent extends ChainedEvent {
  position: number;
}

/**
 * `missing_version`: it and those up to `until` are not there. `hash_mismatch`: its content is not what was hashed.
 * `stored_hash_changed`: its content is what was hashed (the next event says so), but not the hash beside it.
 * `out_of_order`: it stands in the log before the event that precedes it. `second_of_version`: there is another one.
 */
export type EventBreakReason =
  'missing_version' | 'hash_mismatch' | 'stored_hash_changed' | 'out_of_order' | 'second_of_version';

/** What is wrong with an event. The event that follows may still change `reason`. */
export interface EventBreak {
  streamId: string;
  version: number;
  /** Null where there is no such event. */
  position: number | null;
  reason: EventBreakReason;
  until?: number;
}

/** The event before, and what it should have been. */
interface Before {
  event: StoredEvent;
  /** Its hash, recomputed; null where it could not be. */
  recomputed: Buffer | null;
  /** That its hash does not fit. */
  mismatch: EventBreak | null;
}

/**
 * Walks through the streams of a store and finds every event whose row is not as it was written. Events come stream by
 * stream, in the order of their versions. It goes on behind a break, by the hash that is stored there: each changed row
 * is found by itself. What was cut off the end of a stream cannot be seen from the stream alone.
 */
export class ChainWalk {
  events = 0;
  streams = 0;
  private before: Before | null = null;

  constructor(private readonly onBreak: (found: EventBreak) => void) {}

  add(event: StoredEvent): void {
    this.events++;
    const before = this.before?.event.streamId === event.streamId ? this.before : null;
    if (before === null) this.streams++;
    this.before = this.check(event, before);
  }

  private check(event: StoredEvent, before: Before | null): Before {
    const expected = (before?.event.version ?? 0) + 1;
    if (before && event.position <= before.event.position) this.found(event, 'out_of_order');
    if (event.version < expected) {
      this.found(event, 'second_of_version');
      return { event, recomputed: null, mismatch: null };
    }
    if (event.version > expected) {
      const { streamId } = event;
      const until = event.version - 1;
      this.onBreak({ streamId, version: expected, position: null, reason: 'missing_version', until });
      // What it was chained to is gone, so its own hash cannot be told right or wrong.
      return { event, recomputed: null, mismatch: null };
    }
    const recomputed = hashOver(before?.event.hash ?? null, event);
    if (recomputed?.equals(event.hash)) return { event, recomputed, mismatch: null };
    const fitting = before?.mismatch && before.recomputed && hashOver(before.recomputed, event);
    if (before?.mismatch && fitting?.equals(event.hash)) {
      before.mismatch.reason = 'stored_hash_changed';
      return { event, recomputed: fitting, mismatch: null };
    }
    return { event, recomputed, mismatch: this.found(event, 'hash_mismatch') };
  }

  private found({ streamId, version, position }: StoredEvent, reason: EventBreakReason): EventBreak {
    const found: EventBreak = { streamId, version, position, reason };
    this.onBreak(found);
    return found;
  }
}

/** Null where a column holds nothing although it must: then nothing was hashed that way. */
function hashOver(previous: Buffer | null, event: StoredEvent): Buffer | null {
  try {
    return eventHash(previous, event);
  } catch {
    return null;
  }
}

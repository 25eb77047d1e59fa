import type { Instant } from '../../kernel/clock.js';
import type { EventMetadata, NewEvent, RecordedEvent } from '../../kernel/event.js';

/** The last event of a stream as its reader saw it: version 0 and hash null where there are no events yet. */
export interface StreamHead {
  version: number;
  hash: Buffer | null;
}

/** All events of one stream, in version order. */
export interface Stream {
  streamId: string;
  events: RecordedEvent[];
  head: StreamHead;
}

/** Stands in `inbox.stream_id` for a message that no stream was found for. */
export const noStream = '00000000-0000-0000-0000-000000000000';

export type MessageStatus = 'applied' | 'unmatched' | 'quarantined';

/** Evidence: something that arrived from outside, kept with the events it caused, once per stream and `digest`. */
export interface InboxMessage {
  /** A fresh UUID of this attempt. A repeated append with the same id is the same attempt, not a second delivery. */
  id: string;
  /** SHA-256 (32 bytes) of the normalised content. */
  digest: Buffer;
  source: string;
  subject: string | null;
  status: MessageStatus;
  reason: string | null;
  /** The bytes as they came. */
  body: Buffer;
  /** What came with them, as far as it tells where they are from. */
  headers?: Readonly<Record<string, string>> | null;
  receivedAt: Instant;
}

/** Claims (scope, key) for the appending stream; `replaces` names the stream that it may be taken over from. */
export interface KeyClaim {
  scope: string;
  key: string;
  replaces?: string;
}

/** What is to be written together or not at all. Events get the versions after `head`. */
export interface Append {
  streamId: string;
  head: StreamHead;
  events: readonly NewEvent[];
  metadata: EventMetadata;
  message?: InboxMessage;
  keys?: readonly KeyClaim[];
}

/**
 * `appended`: committed; `position` is that of the last event, 0 without events, and `head` the stream's. `duplicate`:
 * this message was already there for this stream; only its receipts were counted. `status` is what had become of the first delivery.
 */
export type Appended =
  | { outcome: 'appended'; position: number; head: StreamHead; events: RecordedEvent[] }
  | { outcome: 'duplicate'; receipts: number; status: MessageStatus | 'matched' };

/** The stream is not where the decision was made: reload and decide again. Nothing was written. */
export class Conflict extends Error {
  constructor(readonly streamId: string) {
    super(`stream ${streamId} has moved on`);
    this.name = 'Conflict';
  }
}

/** Another stream holds the key. Nothing was written. */
export class KeyTaken extends Error {
  constructor(
    readonly scope: string,
    readonly key: string,
    /** The stream that holds it. */
    readonly streamId: string,
  ) {
    super(`the ${scope} key is held by stream ${streamId}`);
    this.name = 'KeyTaken';
  }
}

/** Not stored, or not known to be stored: answer 503 and let the caller come again. */
export class StoreUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreUnavailable';
  }
}

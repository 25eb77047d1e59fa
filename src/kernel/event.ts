import type { Instant } from './clock.js';
import type { JsonObject } from './json.js';

/** A fact to be written: what happened, in which version of its schema. The writer gives the id, see `EventStore.append`. */
export interface NewEvent {
  id: string;
  type: string;
  schemaVersion: number;
  data: JsonObject;
}

/** Who caused a fact, and when the clock port said it was recorded. */
export interface EventMetadata {
  /** The application (caller) whose data this is. */
  tenant: string;
  /** Who acted: `application:<id>`, `gateway`, `reconciler`, `operator:<name>`, `service`. */
  actor: string;
  /** The same through everything that one outside request set going. */
  correlationId: string;
  /** The message, request or event that directly caused this. */
  causationId: string;
  recordedAt: Instant;
}

/** A fact as the log holds it: immutable, at a gap-free version of its stream and at a growing position of the log. */
export interface RecordedEvent extends NewEvent, EventMetadata {
  streamId: string;
  version: number;
  position: number;
}

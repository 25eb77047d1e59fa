import type { PoolClient } from 'pg';
import type { RecordedEvent } from '../../kernel/event.js';

/** Derives tables from the log. It can be rebuilt at any time, so it must touch nothing but its tables. */
export interface Projection {
  readonly kind: 'projection';
  /** Lower-case letters, digits and underscores: the key of its checkpoint. */
  readonly name: string;
  /** Every table it writes. A rebuild builds these anew and swaps them. */
  readonly tables: readonly string[];
  /** Whether an event may change its rows; without it any may. Pages without such events cost no transaction. */
  concerns?(event: RecordedEvent): boolean;
  /**
   * Applies events in the log's order, in the transaction that moves the checkpoint. Tables must be named without a
   * schema (a rebuild redirects them by the search path), and rows must follow from the events alone, not from clocks.
   */
  apply(tx: PoolClient, events: readonly RecordedEvent[]): Promise<void>;
  /** Empties its tables and puts back what they hold before the first event. */
  reset(tx: PoolClient): Promise<void>;
  /** Secondary indexes of its tables that `apply` looks rows up by. A rebuild makes all others once the tables are full. */
  readonly lookups?: readonly string[];
  /**
   * The same for who alone writes the tables, page after page: it may keep what it has written instead of reading it
   * again, and is of no use any more once a page of it was rolled back or somebody else has written.
   */
  alone?(): Projection;
  /** How some of its rows are built anew; a projection without it is rebuilt as a whole only. */
  readonly parts?: ProjectionParts;
}

/** Which rows follow from which streams. */
export interface ProjectionParts {
  /** All streams that those rows follow from which `event` contributes to, its own among them; empty where there are none. */
  streamsOf(event: RecordedEvent): readonly string[];
  /** Removes the rows that follow from these streams, which are then applied again from their first events. */
  forget(tx: PoolClient, streamIds: readonly string[]): Promise<void>;
}

/** Causes effects: jobs, messages, commands. It is never replayed, and there is no way to ask for it. */
export interface Reactor {
  readonly kind: 'reactor';
  readonly name: string;
  /** Whether an event may have it do something; without it any may. Pages without such events cost no transaction. */
  concerns?(event: RecordedEvent): boolean;
  /**
   * Writes what is to be done, in the transaction that moves the checkpoint. It calls nobody outside the database, but
   * for the one that hands the log on to NATS, a bounded number of events in a bounded time.
   */
  react(tx: PoolClient, events: readonly RecordedEvent[]): Promise<void>;
}

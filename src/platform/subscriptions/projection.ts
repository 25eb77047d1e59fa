import type { PoolClient } from 'pg';
import type { RecordedEvent } from '../../kernel/event.js';

/** Derives tables from the log. It can be rebuilt at any time, so it must touch nothing but its tables. */
export interface Projection {
  readonly kind: 'projection';
  /** Lower-case letters, digits and underscores: the key of its checkpoint. */
  readonly name: string;
  /** Every table it writes. A rebuild builds these anew and swaps them. */
  readonly tables: readonly string[];
  /**
   * Applies events in the log's order, in the transaction that moves the checkpoint. Tables must be named without a
   * schema (a rebuild redirects them by the search path), and rows must follow from the events alone, not from clocks.
   */
  apply(tx: PoolClient, events: readonly RecordedEvent[]): Promise<void>;
  /** Empties its tables and puts back what they hold before the first event. */
  reset(tx: PoolClient): Promise<void>;
}

/** Causes effects: jobs, messages, commands. It is never replayed, and there is no way to ask for it. */
export interface Reactor {
  readonly kind: 'reactor';
  readonly name: string;
  /** Writes what is to be done, in the transaction that moves the checkpoint. It calls nobody outside the database. */
  react(tx: PoolClient, events: readonly RecordedEvent[]): Promise<void>;
}

/** One look at the log: the last position drawn, and then the transactions that were writing events. */
export interface Sighting {
  drawn: number;
  /** Must have been looked up after `drawn` was read. */
  writers: ReadonlySet<string>;
}

const maxPending = 32;

/**
 * How far the log can be read without missing an event that commits later.
 *
 * An insert takes its lock on the table before it draws a position, and keeps it until its commit is visible. So every
 * row up to a drawn position belongs to a transaction that has ended or to one that held the lock at a later look; once
 * all those have been seen without it, no event at or below that position can appear any more. Numbers of transactions
 * that rolled back are plain gaps. Nothing here waits or times out.
 */
export class Watermark {
  private settled = 0;
  private pending: { drawn: number; writers: Set<string> }[] = [];

  /** The highest position that is settled after this look. It never falls. */
  advance({ drawn, writers }: Sighting): number {
    for (const sighting of this.pending) {
      for (const writer of sighting.writers) if (!writers.has(writer)) sighting.writers.delete(writer);
    }
    // When there is no room the last one waits for the new writers instead; those before it settle and make room.
    if (this.pending.length === maxPending) this.pending.pop();
    this.pending.push({ drawn, writers: new Set(writers) });
    for (const sighting of this.pending) {
      if (sighting.writers.size === 0) this.settled = Math.max(this.settled, sighting.drawn);
    }
    this.pending = this.pending.filter((sighting) => sighting.writers.size > 0);
    return this.settled;
  }
}

/** What a waiting append may not share a statement with: its stream, its message, its keys. `alone`: with nothing. */
export interface Exclusive {
  readonly claims: readonly string[];
  readonly alone: boolean;
}

/**
 * Appends that wait for the next statement, first come first served. A batch never holds two members with a claim in
 * common: together they would be a certain unique violation, or two members passing on one inbox row. The later one
 * waits for the next batch, and so does everything behind it with the same claim.
 */
export class AppendQueue<T extends Exclusive> {
  private waiting: T[] = [];

  constructor(
    private readonly capacity: number,
    private readonly batchSize: number,
  ) {}

  get length(): number {
    return this.waiting.length;
  }

  /** False when the queue is full. */
  offer(item: T): boolean {
    if (this.waiting.length >= this.capacity) return false;
    this.waiting.push(item);
    return true;
  }

  /** The next members to share a statement; empty when nothing waits. `busy` holds the claims of statements in flight. */
  take(busy: ReadonlySet<string>): T[] {
    const batch: T[] = [];
    const passed: T[] = [];
    const seen = new Set<string>();
    let next = 0;
    for (; next < this.waiting.length && batch.length < this.batchSize && passed.length < this.batchSize; next++) {
      const item = this.waiting[next];
      if (item === undefined) break;
      const free = item.claims.every((claim) => !seen.has(claim) && !busy.has(claim));
      for (const claim of item.claims) seen.add(claim);
      if (!free || (item.alone && batch.length > 0)) passed.push(item);
      else {
        batch.push(item);
        if (item.alone) {
          next++;
          break;
        }
      }
    }
    this.waiting = passed.concat(this.waiting.slice(next));
    return batch;
  }
}

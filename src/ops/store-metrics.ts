import type { Pool } from 'pg';
import { Counter, Gauge, type Registry } from 'prom-client';
import { appendOutcomes, type EventStore } from '../platform/event-store/event-store.pg.js';

/** A pool of connections as it is now. */
export type Connections = Pick<Pool, 'totalCount' | 'idleCount' | 'waitingCount'>;

/** What this process writes to the event log. */
export function measureStore(registry: Registry, store: EventStore): void {
  const registers = [registry];
  const byType = new Map<string, number>();
  store.onAppended((_position, events) => {
    for (const { type } of events) byType.set(type, (byType.get(type) ?? 0) + 1);
  });
  // Counted without the library, which takes longer than all else that is done for an event here.
  new Counter({
    name: 'finality_events_appended_total',
    help: 'Events appended to the log, by type',
    labelNames: ['type'],
    registers,
    collect() {
      this.reset();
      for (const [type, count] of byType) this.inc({ type }, count);
    },
  });
  new Counter({
    name: 'finality_appends_total',
    help: 'Appends by what came of them; a conflict is decided again',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset();
      for (const outcome of appendOutcomes) this.inc({ outcome }, store.appends[outcome]);
    },
  });
  new Counter({
    name: 'finality_append_unknown_outcomes_total',
    help: 'Statements of which nobody knew whether they were carried out; most are sent again, which is harmless',
    registers,
    collect() {
      this.reset();
      this.inc(store.unknownOutcomes);
    },
  });
  new Gauge({
    name: 'finality_append_queue_length',
    help: 'Appends that wait for a statement',
    registers,
    collect() {
      this.set(store.queued);
    },
  });
}

/** How the connections of each pool of this process are used. */
export function measurePools(registry: Registry, pools: Readonly<Record<string, Connections>>): void {
  const registers = [registry];
  new Gauge({
    name: 'finality_db_pool_connections',
    help: 'Connections of this process to the database, by pool and whether they are in use',
    labelNames: ['pool', 'state'],
    registers,
    collect() {
      for (const [pool, { totalCount, idleCount }] of Object.entries(pools)) {
        this.set({ pool, state: 'used' }, totalCount - idleCount);
        this.set({ pool, state: 'idle' }, idleCount);
      }
    },
  });
  new Gauge({
    name: 'finality_db_pool_waiting',
    help: 'Who waits for a connection, by pool',
    labelNames: ['pool'],
    registers,
    collect() {
      for (const [pool, { waitingCount }] of Object.entries(pools)) this.set({ pool }, waitingCount);
    },
  });
}

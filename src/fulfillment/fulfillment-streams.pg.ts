import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../kernel/clock.js';
import type { NewEvent, RecordedEvent } from '../kernel/event.js';
import { Ids } from '../kernel/ids.js';
import type { JsonObject } from '../kernel/json.js';
import { Conflict, EventStore, type Stream } from '../platform/event-store/event-store.pg.js';
import {
  foldFulfillment,
  fulfillmentSchemaVersion,
  fulfillmentStreamOf,
  type Fulfillment,
  type FulfillmentEvent,
} from './fulfillment.js';

/** Why something happens: who acts, and which message, request or event made them. Ids are UUIDs. */
export interface FulfillmentCause {
  actor: string;
  correlationId: string;
  causationId: string;
}

export interface LoadedFulfillment {
  /** Null where it was never asked for; then there are no events. */
  fulfillment: Fulfillment | null;
  events: readonly RecordedEvent[];
  stream: Stream;
}

export interface DecidedFulfillment extends LoadedFulfillment {
  /** What this call appended; empty where there was nothing to say. */
  added: readonly RecordedEvent[];
}

/** What a commit of this process said about a fulfilment. */
export interface FulfillmentNews {
  fulfillment: Fulfillment | null;
  added: readonly RecordedEvent[];
}

export type FulfillmentDecision = (fulfillment: Fulfillment | null) => FulfillmentEvent[];

const maxTries = 6;

/** Loads fulfilments and appends what is decided about them; a lost race is decided again here and nowhere else. */
@Injectable()
export class FulfillmentStreams {
  private readonly listeners = new Set<(news: FulfillmentNews) => void>();

  constructor(
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
  ) {}

  /** Calls `listener`, which must not throw, after each commit by this process. Returns how to stop it. */
  onDecided(listener: (news: FulfillmentNews) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** A payment's fulfilment. Throws `StoreUnavailable`. */
  async load(paymentId: string): Promise<LoadedFulfillment> {
    return loadedFrom(await this.store.read(fulfillmentStreamOf(paymentId)));
  }

  /**
   * Decides upon the fulfilment as it is and appends the outcome. `tenant` is whose data a new stream is; an existing
   * one keeps its own. `known` saves the first read. Throws what the decision throws, `StoreUnavailable`, and
   * `Conflict` after six lost races.
   */
  async decide(
    paymentId: string,
    tenant: string | null,
    cause: FulfillmentCause,
    decision: FulfillmentDecision,
    known?: Stream,
  ): Promise<DecidedFulfillment> {
    let loaded = known ? loadedFrom(known) : await this.load(paymentId);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.append(loaded, tenant, cause, decision(loaded.fulfillment));
      } catch (error) {
        if (!(error instanceof Conflict) || attempt >= maxTries) throw error;
        await delay(attempt * (2 + (process.hrtime()[1] % 8)));
        loaded = await this.load(paymentId);
      }
    }
  }

  private async append(
    loaded: LoadedFulfillment,
    tenant: string | null,
    cause: FulfillmentCause,
    events: readonly FulfillmentEvent[],
  ): Promise<DecidedFulfillment> {
    const owner = loaded.events[0]?.tenant ?? tenant;
    if (events.length === 0) return { ...loaded, added: [] };
    if (owner === null) throw new TypeError(`nobody owns the new stream ${loaded.stream.streamId}`);
    const { streamId, head } = loaded.stream;
    const metadata = { tenant: owner, ...cause, recordedAt: this.clock.now() };
    const appended = await this.store.append({ streamId, head, events: this.newEvents(events), metadata });
    if (appended.outcome !== 'appended') return { ...loaded, added: [] };
    const added = appended.events;
    const all = [...loaded.events, ...added];
    const fulfillment = foldFulfillment(all);
    for (const listener of this.listeners) listener({ fulfillment, added });
    return { fulfillment, events: all, stream: { streamId, events: all, head: appended.head }, added };
  }

  private newEvents(events: readonly FulfillmentEvent[]): NewEvent[] {
    return events.map(({ type, data }) => ({
      id: this.ids.next(),
      type,
      schemaVersion: fulfillmentSchemaVersion,
      data: data as unknown as JsonObject,
    }));
  }
}

const loadedFrom = (stream: Stream): LoadedFulfillment => ({
  fulfillment: foldFulfillment(stream.events),
  events: stream.events,
  stream,
});

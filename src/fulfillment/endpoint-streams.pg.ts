import { Inject, Injectable } from '@nestjs/common';
import { v5 } from 'uuid';
import { Clock } from '../kernel/clock.js';
import type { JsonObject } from '../kernel/json.js';
import { Conflict, EventStore } from '../platform/event-store/event-store.pg.js';
import type { EndpointEvent } from './delivery.js';
import type { FulfillmentCause } from './fulfillment-streams.pg.js';

const endpointSchemaVersion = 1;
const maxTries = 4;

/** What happened to endpoints, in a stream for each whose id is the endpoint's. */
@Injectable()
export class EndpointStreams {
  constructor(
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /**
   * Records an event once for each occasion, however often it is said. `tenant` is the application. Throws
   * `StoreUnavailable`, and `Conflict` after four lost races.
   */
  async record(tenant: string, event: EndpointEvent, cause: FulfillmentCause, occasion: string): Promise<void> {
    const { endpointId } = event.data;
    const id = v5(`${event.type} ${occasion}`, endpointId);
    for (let attempt = 1; ; attempt++) {
      const { streamId, head, events } = await this.store.read(endpointId);
      if (events.some((known) => known.id === id)) return;
      const metadata = { tenant, ...cause, recordedAt: this.clock.now() };
      const added = {
        id,
        type: event.type,
        schemaVersion: endpointSchemaVersion,
        data: event.data as unknown as JsonObject,
      };
      try {
        await this.store.append({ streamId, head, events: [added], metadata });
        return;
      } catch (error) {
        if (!(error instanceof Conflict) || attempt >= maxTries) throw error;
      }
    }
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { Ids } from '../kernel/ids.js';
import type { JsonObject } from '../kernel/json.js';
import { trackKeyScope } from '../payments/gateway-event.handlers.js';
import type { Cause } from '../payments/payment-streams.pg.js';
import {
  Conflict,
  EventStore,
  type InboxMessage,
  type KeyClaim,
  type Stream,
} from '../platform/event-store/event-store.pg.js';
import {
  addressSchemaVersion,
  firstAddressEvent,
  foldAddress,
  type AddressTerms,
  type DepositAddress,
  type DepositAddressEvent,
} from './deposit-address.js';

export interface LoadedAddress {
  address: DepositAddress;
  events: readonly RecordedEvent[];
  stream: Stream;
  /** Position of the newest event of this call; 0 where it appended none. */
  position: number;
  /** False where the message had been stored before. */
  fresh: boolean;
}

/** The scope of the keys by which a customer and network lead to the one address that stands for them. */
const customerScope = (applicationId: string): string => `deposit:${applicationId}`;
export const customerKey = ({ applicationId, customerId, network }: AddressTerms): KeyClaim => ({
  scope: customerScope(applicationId),
  key: `${network} ${customerId}`,
});

const maxTries = 8;

/** Loads addresses, and appends what is decided about them. */
@Injectable()
export class DepositAddresses {
  constructor(
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
  ) {}

  /** Null where there is no such address. */
  async find(id: string): Promise<LoadedAddress | null> {
    const stream = await this.store.read(id);
    if (stream.events[0]?.type !== firstAddressEvent) return null;
    const address = foldAddress(stream.events);
    return address && { address, events: stream.events, stream, position: 0, fresh: true };
  }

  /** The address with this track id at the gateway; null where there is none. */
  async ofTrack(trackId: string): Promise<LoadedAddress | null> {
    const holder = await this.store.streamOf(trackKeyScope, trackId);
    return holder === null ? null : this.find(holder);
  }

  /** Begins an address; `replaces` names the one that is over. Throws `KeyTaken` where another stands for customer and network. */
  async begin(terms: AddressTerms, cause: Cause, replaces?: string): Promise<LoadedAddress> {
    const stream: Stream = { streamId: terms.id, events: [], head: { version: 0, hash: null } };
    const keys = [{ ...customerKey(terms), ...(replaces ? { replaces } : {}) }];
    return this.append(stream, [{ type: 'DepositAddressRequested', data: terms }], terms.applicationId, cause, {
      keys,
    });
  }

  /**
   * Decides upon an address as it is, and appends what follows together with the message that caused it. A lost race is
   * decided again. Throws `StoreUnavailable`, and `Conflict` where races are lost on end.
   */
  async decide(
    id: string,
    cause: Cause,
    decision: (address: DepositAddress) => DepositAddressEvent[],
    options: { message?: InboxMessage; keys?: KeyClaim[] } = {},
  ): Promise<LoadedAddress> {
    for (let attempt = 1; ; attempt++) {
      const current = await this.find(id);
      if (current === null) throw new Error(`stream ${id} holds no deposit address`);
      const events = decision(current.address);
      if (events.length === 0 && !options.message) return current;
      try {
        return await this.append(current.stream, events, current.address.terms.applicationId, cause, options);
      } catch (error) {
        if (!(error instanceof Conflict) || attempt >= maxTries) throw error;
      }
    }
  }

  private async append(
    stream: Stream,
    events: readonly DepositAddressEvent[],
    tenant: string,
    cause: Cause,
    { message, keys = [] }: { message?: InboxMessage; keys?: KeyClaim[] },
  ): Promise<LoadedAddress> {
    const { streamId, head } = stream;
    const outcome = await this.store.append({
      streamId,
      head,
      events: events.map(({ type, data }) => ({
        id: this.ids.next(),
        type,
        schemaVersion: addressSchemaVersion,
        data: data as unknown as JsonObject,
      })),
      metadata: { tenant, ...cause, recordedAt: this.clock.now() },
      ...(message ? { message } : {}),
      ...(events.length > 0 && keys.length > 0 ? { keys } : {}),
    });
    const added = outcome.outcome === 'appended' ? outcome.events : [];
    const all = [...stream.events, ...added];
    const address = foldAddress(all);
    if (address === null) throw new Error(`stream ${streamId} holds no deposit address`);
    const position = outcome.outcome === 'appended' ? outcome.position : 0;
    return { address, events: all, stream, position, fresh: outcome.outcome === 'appended' };
  }
}

import { randomInt } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../kernel/clock.js';
import type { EventMetadata, NewEvent } from '../kernel/event.js';
import { Ids, isUuid } from '../kernel/ids.js';
import type { JsonObject } from '../kernel/json.js';
import { Conflict, EventStore, type Stream } from '../platform/event-store/event-store.pg.js';
import {
  deleteLink,
  foldLink,
  isSlug,
  linkSchemaVersion,
  linkScope,
  newSlug,
  slugScope,
  type Link,
  type LinkEvent,
  type LinkTerms,
} from './link.js';

/** Who makes or ends a link, and by which request. */
export type LinkCause = Pick<EventMetadata, 'actor' | 'correlationId' | 'causationId'>;

/** A link, and the position of its last event. */
export interface LoadedLink extends Link {
  position: number;
}

const maxTries = 4;

/** Payment links: a stream for each, found by its id, by its slug, and in the list of its application. */
@Injectable()
export class LinkStreams {
  constructor(
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
  ) {}

  /** Begins a link on these terms. Throws `StoreUnavailable`. */
  async create(wish: Omit<LinkTerms, 'id' | 'slug'>, cause: LinkCause): Promise<LoadedLink> {
    const terms: LinkTerms = { id: this.ids.next(), slug: newSlug((below) => randomInt(below)), ...wish };
    const { id, slug, applicationId } = terms;
    const createdAt = this.clock.now();
    const outcome = await this.store.append({
      streamId: id,
      head: { version: 0, hash: null },
      events: [this.newEvent({ type: 'PaymentLinkCreated', data: { ...terms, at: createdAt } })],
      metadata: { tenant: applicationId, ...cause, recordedAt: createdAt },
      keys: [
        { scope: slugScope, key: slug },
        { scope: linkScope(applicationId), key: id },
      ],
    });
    return { terms, createdAt, deletedAt: null, position: outcome.outcome === 'appended' ? outcome.position : 0 };
  }

  /** A link of the application's, deleted or not; null where it has none of this id. Throws `StoreUnavailable`. */
  async find(applicationId: string, id: string): Promise<LoadedLink | null> {
    const link = isUuid(id) ? linkOf(await this.store.read(id)) : null;
    return link?.terms.applicationId === applicationId ? link : null;
  }

  /** The link of an address, deleted or not; null where there is none. Throws `StoreUnavailable`. */
  async bySlug(slug: string): Promise<LoadedLink | null> {
    const id = isSlug(slug) ? await this.store.streamOf(slugScope, slug) : null;
    return id === null ? null : linkOf(await this.store.read(id));
  }

  /** Newest first, deleted ones too; those older than `before` (an id), `limit` at most. Throws `StoreUnavailable`. */
  async list(applicationId: string, before: string | null, limit: number): Promise<LoadedLink[]> {
    const ids = await this.store.newestStreamsOf(linkScope(applicationId), before, limit);
    const streams = await this.store.readMany(ids);
    return ids.flatMap((id) => {
      const stream = streams.get(id);
      return (stream && linkOf(stream)) ?? [];
    });
  }

  /** Ends a link, once. Null where the application has none of this id. Throws `StoreUnavailable`, and `Conflict` after four lost races. */
  async delete(applicationId: string, id: string, cause: LinkCause): Promise<Link | null> {
    for (let attempt = 1; ; attempt++) {
      const stream = isUuid(id) ? await this.store.read(id) : null;
      const link = stream && linkOf(stream);
      if (!stream || link?.terms.applicationId !== applicationId) return null;
      const now = this.clock.now();
      const events = deleteLink(link, now);
      if (events.length === 0) return link;
      try {
        await this.store.append({
          streamId: stream.streamId,
          head: stream.head,
          events: events.map((event) => this.newEvent(event)),
          metadata: { tenant: applicationId, ...cause, recordedAt: now },
        });
        return { ...link, deletedAt: now };
      } catch (error) {
        if (!(error instanceof Conflict) || attempt >= maxTries) throw error;
      }
    }
  }

  private newEvent({ type, data }: LinkEvent): NewEvent {
    return { id: this.ids.next(), type, schemaVersion: linkSchemaVersion, data: data as unknown as JsonObject };
  }
}

function linkOf({ events }: Stream): LoadedLink | null {
  const link = foldLink(events);
  return link && { ...link, position: events.at(-1)?.position ?? 0 };
}

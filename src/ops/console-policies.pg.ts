import { Inject, Injectable } from '@nestjs/common';
import { isPolicyName, policyScope, versionsOf, type DefinedPolicy } from '../payments/policies.js';
import { EventStore } from '../platform/event-store/event-store.pg.js';

/** A version of a policy, and who defined it, as its event says; null for the built-in one. */
export interface AuthoredVersion extends DefinedPolicy {
  actor: string | null;
}

/** The versions of policies with their authors. */
@Injectable()
export class PolicyVersions {
  constructor(@Inject(EventStore) private readonly store: EventStore) {}

  /** All versions, oldest first (500 at most); empty where there is no such policy. Throws `StoreUnavailable`. */
  async of(applicationId: string, name: string): Promise<AuthoredVersion[]> {
    const streamId = isPolicyName(name) ? await this.store.streamOf(policyScope(applicationId), name) : null;
    const events = (streamId === null ? null : await this.store.read(streamId))?.events ?? [];
    const versions = versionsOf(name, events);
    const builtIn = versions.length - events.length;
    return versions.map((version, at) => ({ ...version, actor: events[at - builtIn]?.actor ?? null }));
  }
}

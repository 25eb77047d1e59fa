import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { Clock, msOf } from '../kernel/clock.js';
import type { NewEvent } from '../kernel/event.js';
import { Ids } from '../kernel/ids.js';
import type { JsonObject } from '../kernel/json.js';
import { Refusal } from '../kernel/refusal.js';
import { Conflict, EventStore, KeyTaken, type Stream } from '../platform/event-store/event-store.pg.js';
import type { Cause } from './payment-streams.pg.js';
import {
  definedBy,
  definePolicy,
  isPolicyName,
  policySchemaVersion,
  policyScope,
  versionsOf,
  type DefinedPolicy,
  type PolicyDefined,
} from './policies.js';
import { defaultPolicy, type PolicyRules } from './policy.js';

/** What became of a definition. */
export interface Definition extends DefinedPolicy {
  /** False where the newest version had these rules already, so that nothing was written. */
  added: boolean;
}

/** Part of a list in the order of the names. */
export interface PolicyPage {
  /** The name after which it goes on; null for the beginning. */
  after: string | null;
  limit: number;
}

const maxPolicies = 500;
/** Definitions that race for the last places may all get in, and are listed none the less. */
const readAtMost = 2 * maxPolicies;

/** For how long an answer to `current` is believed, milliseconds; and how many of them are kept. */
const currentMs = 1000;
const knownAtMost = 1000;

/** Each lost race is another writer's version, so this many writers at once all get through. */
const maxTries = 32;

/** The policies of applications: one stream for each name, one event for each version. */
@Injectable()
export class Policies {
  private readonly known = new Map<string, { policy: DefinedPolicy | null; at: number }>();
  private definitions = 0;

  constructor(
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
  ) {}

  /**
   * Makes these rules the newest version of the policy; versions have no gaps, whoever else defines it at once. Throws
   * `Refusal` (`invalid_request` for a name that none may have, `conflict` where there are too many policies or
   * versions, or where the newest version is not `basedOn`: 0 for a policy that is to be new), `StoreUnavailable`, and
   * `Conflict` after 32 lost races.
   */
  async define(
    applicationId: string,
    name: string,
    rules: PolicyRules,
    cause: Cause,
    basedOn?: number,
  ): Promise<Definition> {
    for (let attempt = 1; ; attempt++) {
      const stream = await this.load(applicationId, name);
      if (basedOn !== undefined) refuseOther(versionsOf(name, stream?.events ?? []).at(-1)?.version ?? 0, basedOn);
      try {
        const definition = await this.decide(applicationId, name, stream, rules, cause);
        this.definitions++;
        this.known.delete(`${applicationId} ${name}`);
        return definition;
      } catch (error) {
        if (attempt >= maxTries || !(error instanceof Conflict || error instanceof KeyTaken)) throw error;
        await delay(Math.min(attempt, 8) * (2 + (process.hrtime()[1] % 8)));
      }
    }
  }

  /**
   * The newest version, as it was known within the last second: what creates ask for, each of them. A version that this
   * process defines counts at once. Throws `StoreUnavailable`.
   */
  async current(applicationId: string, name: string): Promise<DefinedPolicy | null> {
    const key = `${applicationId} ${name}`;
    const known = this.known.get(key);
    const now = msOf(this.clock.now());
    if (known && now - known.at < currentMs) return known.policy;
    const { definitions } = this;
    const policy = await this.find(applicationId, name);
    // What was read while a version was being defined may be the one before.
    if (definitions !== this.definitions) return policy;
    if (this.known.size >= knownAtMost) this.known.clear();
    this.known.set(key, { policy, at: now });
    return policy;
  }

  /** The newest version; null where the application has no such policy. Throws `StoreUnavailable`. */
  async find(applicationId: string, name: string): Promise<DefinedPolicy | null> {
    return (await this.history(applicationId, name)).at(-1) ?? null;
  }

  /** All versions, oldest first; empty where the application has no such policy. Throws `StoreUnavailable`. */
  async history(applicationId: string, name: string): Promise<DefinedPolicy[]> {
    const stream = await this.load(applicationId, name);
    return versionsOf(name, stream?.events ?? []);
  }

  /** The newest version of each policy, in the order of their names. Throws `StoreUnavailable`. */
  async list(applicationId: string, page: PolicyPage = { after: null, limit: readAtMost }): Promise<DefinedPolicy[]> {
    const streamIds = await this.store.streamsOf(policyScope(applicationId), readAtMost);
    const { after, limit } = page;
    // Sorted here, because a cursor goes on by the order of JavaScript and not by the database's collation.
    const names = [...new Set([defaultPolicy.name, ...streamIds.keys()])].sort();
    const asked = names.filter((name) => after === null || name > after).slice(0, limit);
    const streams = await this.store.readMany(asked.flatMap((name) => streamIds.get(name) ?? []));
    return asked.flatMap((name) => {
      const stream = streams.get(streamIds.get(name) ?? '');
      return versionsOf(name, stream?.events ?? []).slice(-1);
    });
  }

  /** The stream of a policy; null where the application has not defined it. */
  private async load(applicationId: string, name: string): Promise<Stream | null> {
    if (!isPolicyName(name)) return null;
    const streamId = await this.store.streamOf(policyScope(applicationId), name);
    return streamId === null ? null : this.store.read(streamId);
  }

  private async decide(
    applicationId: string,
    name: string,
    stream: Stream | null,
    rules: PolicyRules,
    cause: Cause,
  ): Promise<Definition> {
    const versions = versionsOf(name, stream?.events ?? []);
    const now = this.clock.now();
    const [event] = definePolicy(name, versions, rules, now);
    const newest = versions.at(-1);
    if (!event && newest) return { ...newest, added: false };
    if (!event) throw new TypeError(`the policy ${name} has no version, and none was decided`);
    if (!stream) await this.refuseTooMany(applicationId);
    await this.store.append({
      streamId: stream?.streamId ?? this.ids.next(),
      head: stream?.head ?? { version: 0, hash: null },
      events: [this.newEvent(event)],
      metadata: { tenant: applicationId, ...cause, recordedAt: now },
      ...(stream ? {} : { keys: [{ scope: policyScope(applicationId), key: name }] }),
    });
    return { ...definedBy(event), added: true };
  }

  private async refuseTooMany(applicationId: string): Promise<void> {
    const { size } = await this.store.streamsOf(policyScope(applicationId), maxPolicies);
    if (size >= maxPolicies)
      throw new Refusal('conflict', `An application has at most ${String(maxPolicies)} policies.`);
  }

  private newEvent({ type, data }: PolicyDefined): NewEvent {
    return {
      id: this.ids.next(),
      type,
      schemaVersion: policySchemaVersion,
      data: data as unknown as JsonObject,
    };
  }
}

function refuseOther(newest: number, basedOn: number): void {
  if (newest !== basedOn)
    throw new Refusal('conflict', `The newest version of this policy is ${String(newest)}, not ${String(basedOn)}.`);
}

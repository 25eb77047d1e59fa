import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../kernel/clock.js';
import type { NewEvent, RecordedEvent } from '../kernel/event.js';
import { Ids } from '../kernel/ids.js';
import type { JsonObject } from '../kernel/json.js';
import type { CreditCause } from '../payments/customer-credit.js';
import { Conflict, EventStore, KeyTaken, type Stream } from '../platform/event-store/event-store.pg.js';
import { creditSchemaVersion, foldCredit, type AccountKey, type CreditAccount, type CreditEvent } from './credit.js';

export interface LoadedCredit {
  /** Null where nothing has happened yet; then there are no events. */
  account: CreditAccount | null;
  events: readonly RecordedEvent[];
}

export type CreditDecision = (account: CreditAccount | null) => CreditEvent[];

/** The scope of the keys by which a customer's currencies lead to the streams of their accounts. */
export const creditScope = ({ applicationId, customerId }: Omit<AccountKey, 'currency'>): string =>
  `credit:${applicationId}:${customerId}`;

/** More currencies than any gateway accepts. */
const maxCurrencies = 500;
/** Each process writes to an account one after the other, so as many others may win before one of them. */
const maxTries = 20;
const longestPauseMs = 40;

/** Loads credit accounts and appends what is decided about them; a lost race is decided again here and nowhere else. */
@Injectable()
export class CreditAccounts {
  /** The last decision in hand for each account; the next one waits for it. */
  private readonly turns = new Map<string, Promise<unknown>>();

  constructor(
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
  ) {}

  /** One account. Throws `StoreUnavailable`. */
  async load(key: AccountKey): Promise<LoadedCredit> {
    return loadedFrom(await this.find(key));
  }

  /** All accounts of a customer, in the order of their currencies; empty where there are none. Throws `StoreUnavailable`. */
  async list(applicationId: string, customerId: string): Promise<LoadedCredit[]> {
    const holders = await this.store.streamsOf(creditScope({ applicationId, customerId }), maxCurrencies);
    const streams = await this.store.readMany([...holders.values()]);
    return [...holders.values()].map((id) => loadedFrom(streams.get(id) ?? null));
  }

  /**
   * Decides upon the account as it is and appends the outcome; the first event opens it. Decisions about one account
   * take turns in this process; where another process was faster, it loads and decides again. Throws what the decision
   * throws, `StoreUnavailable`, and `Conflict` after twenty lost races.
   */
  async decide(key: AccountKey, cause: CreditCause, decision: CreditDecision): Promise<LoadedCredit> {
    const name = `${creditScope(key)}/${key.currency}`;
    const before = this.turns.get(name) ?? Promise.resolve();
    const turn = before.then(() => this.decideNow(key, cause, decision));
    const settled = turn.catch(() => undefined);
    this.turns.set(name, settled);
    try {
      return await turn;
    } finally {
      if (this.turns.get(name) === settled) this.turns.delete(name);
    }
  }

  private async decideNow(key: AccountKey, cause: CreditCause, decision: CreditDecision): Promise<LoadedCredit> {
    for (let attempt = 1; ; attempt++) {
      const stream = await this.find(key);
      const loaded = loadedFrom(stream);
      const events = decision(loaded.account);
      if (events.length === 0) return loaded;
      try {
        return await this.append(key, stream, cause, events);
      } catch (error) {
        // A key that is taken says that the account was opened in between: that one is decided upon.
        if (!(error instanceof Conflict || error instanceof KeyTaken) || attempt >= maxTries) throw error;
        await delay(Math.min(attempt * (2 + (process.hrtime()[1] % 8)), longestPauseMs));
      }
    }
  }

  private async append(
    key: AccountKey,
    stream: Stream | null,
    cause: CreditCause,
    events: readonly CreditEvent[],
  ): Promise<LoadedCredit> {
    const outcome = await this.store.append({
      streamId: stream?.streamId ?? this.ids.next(),
      head: stream?.head ?? { version: 0, hash: null },
      events: this.newEvents(events),
      metadata: { tenant: key.applicationId, ...cause, recordedAt: this.clock.now() },
      ...(stream ? {} : { keys: [{ scope: creditScope(key), key: key.currency }] }),
    });
    const all = [...(stream?.events ?? []), ...(outcome.outcome === 'appended' ? outcome.events : [])];
    return { account: foldCredit(all), events: all };
  }

  private async find(key: AccountKey): Promise<Stream | null> {
    const streamId = await this.store.streamOf(creditScope(key), key.currency);
    return streamId === null ? null : this.store.read(streamId);
  }

  private newEvents(events: readonly CreditEvent[]): NewEvent[] {
    return events.map(({ type, data }) => ({
      id: this.ids.next(),
      type,
      schemaVersion: creditSchemaVersion,
      data: data as unknown as JsonObject,
    }));
  }
}

const loadedFrom = (stream: Stream | null): LoadedCredit => {
  const events = stream?.events ?? [];
  return { account: foldCredit(events), events };
};

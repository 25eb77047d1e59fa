import { msOf } from '../../src/kernel/clock.js';
import type { JsonObject } from '../../src/kernel/json.js';
import type { RecordedEvent } from '../../src/kernel/event.js';
import { memberOf, type Member } from '../../src/platform/event-store/append-statement.pg.js';
import {
  Conflict,
  KeyTaken,
  noStream,
  StoreUnavailable,
  type Append,
  type Appended,
  type EventStore,
  type InboxMessage,
  type StoredMessage,
  type Stream,
} from '../../src/platform/event-store/event-store.pg.js';
import type { Life, World } from './world.js';

type Row = { event: RecordedEvent; hash: Buffer };
type Outcome = Appended | Error;

interface Submitted {
  member: Member;
  claims: string[];
  commitMs: number;
  aborts: boolean;
  done: (outcome: Outcome) => void;
}

/** What the planted faults of this layer switch off. */
export interface StoreDefects {
  noVersionCheck: boolean;
  noMessageDedupe: boolean;
  acknowledgesEarly: boolean;
}

/**
 * The database's side of the event store: one for all replicas. An append draws its positions when it begins and shows
 * its rows when it commits, so that positions can appear out of order, as they do in PostgreSQL.
 */
export class StoreServer {
  readonly streams = new Map<string, Row[]>();
  readonly inbox = new Map<string, StoredMessage>();
  readonly keys = new Map<string, string>();
  /** Committed events by position. */
  readonly log: RecordedEvent[] = [];
  readonly writers = new Set<string>();
  readonly defects: StoreDefects = { noVersionCheck: false, noMessageDedupe: false, acknowledgesEarly: false };
  drawn = 0;
  /** Told of each commit, before anybody can see it. */
  committed: (events: readonly RecordedEvent[], message: InboxMessage | null, isKnown: boolean) => void = () =>
    undefined;
  private transactions = 0;
  private readonly locked = new Set<string>();
  private waiting: Submitted[] = [];

  constructor(private readonly world: World) {}

  eventsOf(streamId: string): RecordedEvent[] {
    return (this.streams.get(streamId) ?? []).map(({ event }) => event);
  }

  /** Takes a statement; others that touch the same rows wait for it. */
  submit(submitted: Submitted): void {
    this.waiting.push(submitted);
    this.pump();
  }

  private pump(): void {
    const held = new Set(this.locked);
    const left: Submitted[] = [];
    const ready: Submitted[] = [];
    for (const each of this.waiting) {
      const free = each.claims.every((claim) => !held.has(claim));
      for (const claim of each.claims) held.add(claim);
      (free ? ready : left).push(each);
    }
    this.waiting = left;
    for (const each of ready) this.begin(each);
  }

  private begin(submitted: Submitted): void {
    const { member, claims, commitMs, aborts, done } = submitted;
    const known = this.known(member);
    if (known) return done(this.counted(member, known));
    const refusal = this.refusal(member);
    if (refusal) return done(refusal);
    for (const claim of claims) this.locked.add(claim);
    const positions = member.events.map(() => ++this.drawn);
    const writer = `tx ${String(++this.transactions)}`;
    if (positions.length > 0) this.writers.add(writer);
    this.world.after(commitMs, null, () => {
      this.writers.delete(writer);
      for (const claim of claims) this.locked.delete(claim);
      const outcome = aborts ? new StoreUnavailable('rolled back') : this.commit(member, positions);
      done(outcome);
      this.pump();
    });
  }

  private known({ streamId, message }: Member): StoredMessage | undefined {
    return message && !this.defects.noMessageDedupe ? this.inbox.get(inboxKey(streamId, message.digest)) : undefined;
  }

  private counted(member: Member, known: StoredMessage): Outcome {
    const { message } = member;
    if (message && known.id !== message.id) {
      known.receipts++;
      if (message.receivedAt > known.lastReceivedAt) known.lastReceivedAt = message.receivedAt;
      return { outcome: 'duplicate', receipts: known.receipts, status: known.status };
    }
    return member.events.length === 0 ? appended(member, []) : (this.refusal(member) ?? new Conflict(member.streamId));
  }

  /** Why nothing may be written; null where it may. */
  private refusal(member: Member): Outcome | null {
    const { streamId, head, events, keys } = member;
    const rows = this.streams.get(streamId) ?? [];
    const last = rows[head.version - 1];
    const current =
      events.length === 0 ||
      this.defects.noVersionCheck ||
      ((head.version === 0 || (last !== undefined && head.hash !== null && last.hash.equals(head.hash))) &&
        rows.length === head.version);
    const taken = keys.find(({ scope, key, replaces }) => {
      const holder = this.keys.get(keyOf(scope, key));
      return holder !== undefined && holder !== streamId && holder !== replaces;
    });
    if (current && !taken) return null;
    const own = rows.slice(head.version, head.version + events.length);
    if (events.length > 0 && own.length === events.length && own.every(({ event }, at) => event.id === events[at]?.id))
      return appended(
        member,
        own.map(({ event }) => event.position),
      );
    if (taken) return new KeyTaken(taken.scope, taken.key, this.keys.get(keyOf(taken.scope, taken.key)) ?? '');
    return new Conflict(streamId);
  }

  private commit(member: Member, positions: readonly number[]): Outcome {
    const { streamId, message, keys } = member;
    const outcome = appended(member, positions);
    const events = outcome.outcome === 'appended' ? outcome.events : [];
    const rows = this.streams.get(streamId) ?? [];
    events.forEach((event, at) => {
      rows.push({ event, hash: member.events[at]?.hash ?? Buffer.alloc(0) });
      this.insert(event);
    });
    if (events.length > 0) this.streams.set(streamId, rows);
    for (const { scope, key } of keys) this.keys.set(keyOf(scope, key), streamId);
    const key = message && inboxKey(streamId, message.digest);
    const isKnown = key !== null && this.inbox.has(key);
    if (message && key !== null)
      this.inbox.set(key, {
        ...message,
        headers: message.headers ?? null,
        streamId,
        receipts: 1,
        lastReceivedAt: message.receivedAt,
      });
    this.committed(events, message, isKnown);
    return outcome;
  }

  private insert(event: RecordedEvent): void {
    let at = this.log.length;
    while (at > 0 && (this.log[at - 1]?.position ?? 0) > event.position) at--;
    this.log.splice(at, 0, event);
  }
}

const keyOf = (scope: string, key: string): string => `${scope}\n${key}`;
const inboxKey = (streamId: string, digest: Buffer): string => streamId + digest.toString('hex');

function appended({ streamId, head, events, metadata }: Member, positions: readonly number[]): Appended {
  const recorded = events.flatMap(({ id, type, schemaVersion, version, json }, at): RecordedEvent[] => {
    const data = JSON.parse(json) as JsonObject;
    const position = positions[at] ?? 0;
    return metadata ? [{ id, type, schemaVersion, data, ...metadata, streamId, version, position }] : [];
  });
  const after = { version: head.version + events.length, hash: events.at(-1)?.hash ?? head.hash };
  return { outcome: 'appended', position: positions.at(-1) ?? 0, head: after, events: recorded };
}

function claimsOf({ streamId, message, keys }: Member): string[] {
  const claims = keys.map(({ scope, key }) => keyOf(scope, key));
  claims.push(streamId === noStream && message ? message.digest.toString('hex') : streamId);
  return claims;
}

/** What is only measured of it is left out. */
type Public = Omit<Pick<EventStore, keyof EventStore>, 'appends' | 'unknownOutcomes' | 'connections'>;

/** One process's event store: the network and the queue between it and the database, with what goes wrong there. */
export class StoreClient implements Public {
  private readonly listeners = new Set<(position: number, events: readonly RecordedEvent[]) => void>();

  constructor(
    private readonly world: World,
    private readonly server: StoreServer,
    private readonly life: Life,
  ) {}

  async read(streamId: string): Promise<Stream> {
    return this.ask(() => this.streamOfRows(streamId));
  }

  async readMany(streamIds: readonly string[]): Promise<Map<string, Stream>> {
    return this.ask(() => new Map(streamIds.map((streamId) => [streamId, this.streamOfRows(streamId)])));
  }

  readUpTo(positions: ReadonlyMap<string, number>): Promise<Map<string, Stream>> {
    return this.readMany([...positions.keys()]);
  }

  async newest(type: string): Promise<RecordedEvent | null> {
    return this.ask(() => this.server.log.findLast((event) => event.type === type) ?? null);
  }

  async streamOf(scope: string, key: string): Promise<string | null> {
    await this.world.io(this.life, 'store.key.before');
    return this.ask(() => this.server.keys.get(keyOf(scope, key)) ?? null);
  }

  async streamsOf(scope: string, limit: number): Promise<Map<string, string>> {
    const prefix = `${scope}\n`;
    return this.ask(() => {
      const found = [...this.server.keys]
        .filter(([key]) => key.startsWith(prefix))
        .sort(([a], [b]) => (a < b ? -1 : 1));
      return new Map(found.slice(0, limit).map(([key, streamId]) => [key.slice(prefix.length), streamId]));
    });
  }

  async newestStreamsOf(scope: string, before: string | null, limit: number): Promise<string[]> {
    const all = await this.streamsOf(scope, Infinity);
    const older = [...all].filter(([key]) => before === null || key < before).reverse();
    return older.slice(0, limit).map(([, streamId]) => streamId);
  }

  async append(append: Append): Promise<Appended> {
    if (append.events.length === 0 && (append.keys ?? []).length > 0)
      throw new TypeError('keys are claimed with events');
    if (append.streamId === noStream && append.events.length > 0) throw new TypeError('the nil stream takes no events');
    const member = memberOf(append);
    if (member.events.length === 0 && member.message === null) return appended(member, []);
    await this.world.io(this.life, 'store.append.before');
    const outcome = await this.write(member);
    await this.world.io(this.life, 'store.append.after');
    if (outcome.outcome === 'appended' && outcome.events.length > 0)
      for (const listener of this.listeners) listener(outcome.position, outcome.events);
    return outcome;
  }

  async recordMessage(streamId: string | null, message: InboxMessage): Promise<Appended> {
    const head = { version: 0, hash: null };
    await this.world.io(this.life, 'store.message.before');
    const member = { streamId: streamId ?? noStream, head, events: [], metadata: null, message, keys: [] };
    const outcome = await this.write(member);
    await this.world.io(this.life, 'store.message.after');
    return outcome;
  }

  async openMessages(source: string, subject: string): Promise<StoredMessage[]> {
    await this.world.io(this.life, 'store.inbox.before');
    const open = (message: StoredMessage): boolean =>
      message.source === source && message.subject === subject && isOpen(message);
    return this.ask(() => this.messages(open));
  }

  async messageAt(streamId: string, digest: Buffer): Promise<StoredMessage | null> {
    return this.ask(() => this.server.inbox.get(inboxKey(streamId, digest)) ?? null);
  }

  message(): Promise<null> {
    return Promise.resolve(null);
  }

  async messagesOf(streamId: string): Promise<StoredMessage[]> {
    return this.ask(() => this.messages((message) => message.streamId === streamId));
  }

  async markMatched(streamId: string | null, digest: Buffer): Promise<boolean> {
    await this.world.io(this.life, 'store.matched.before');
    const matched = await this.ask(() => {
      const message = this.server.inbox.get(inboxKey(streamId ?? noStream, digest));
      if (message === undefined || !isOpen(message)) return false;
      message.status = 'matched';
      return true;
    });
    await this.world.io(this.life, 'store.matched.after');
    return matched;
  }

  onAppended(listener: (position: number, events: readonly RecordedEvent[]) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  get queued(): number {
    return 0;
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }

  private streamOfRows(streamId: string): Stream {
    const rows = this.server.streams.get(streamId) ?? [];
    const head = { version: rows.length, hash: rows.at(-1)?.hash ?? null };
    return { streamId, events: rows.map(({ event }) => event), head };
  }

  private messages(wanted: (message: StoredMessage) => boolean): StoredMessage[] {
    const found = [...this.server.inbox.values()].filter(wanted).map((message) => ({ ...message }));
    return found.sort((a, b) => msOf(a.receivedAt) - msOf(b.receivedAt) || (a.id < b.id ? -1 : 1)).slice(0, 200);
  }

  /** A question: what was committed when it arrived. */
  private async ask<T>(question: () => T): Promise<T> {
    await this.world.io(this.life, 'store.read.before');
    if (this.world.during('store.down') || this.world.strikes('store.read_failed'))
      throw new StoreUnavailable('the event store is out of reach');
    const answer = question();
    await this.world.io(this.life, 'store.read.after');
    return answer;
  }

  private async write(member: Member): Promise<Appended> {
    const { world, life } = this;
    if (world.during('store.down') || world.strikes('store.unreachable'))
      throw new StoreUnavailable('the event store is out of reach');
    const rng = world.rng('commits');
    const late = world.strikes('store.late_commit');
    const commitMs = late
      ? rng.int(2000, 30_000)
      : world.strikes('store.slow_commit')
        ? rng.int(200, 5000)
        : rng.int(1, 10);
    const aborts = world.strikes('store.aborted');
    const outcome = await new Promise<Outcome>((resolve) => {
      const answer = (given: Outcome): void => world.after(rng.int(0, 3), life, () => resolve(given));
      const done = late || this.server.defects.acknowledgesEarly ? () => undefined : answer;
      this.server.submit({ member, claims: claimsOf(member), commitMs, aborts, done });
      if (late) world.after(1500, life, () => resolve(new StoreUnavailable('no answer in time')));
      else if (this.server.defects.acknowledgesEarly) this.promise(member, answer);
    });
    if (outcome instanceof Error) throw outcome;
    if (world.strikes('store.answer_lost')) throw new StoreUnavailable('the answer was lost');
    return outcome;
  }

  /** The defect of an early answer: it tells what will be committed, if it is. */
  private promise(member: Member, answer: (given: Outcome) => void): void {
    answer(
      appended(
        member,
        member.events.map(() => 0),
      ),
    );
  }
}

const isOpen = ({ status }: StoredMessage): boolean => status === 'unmatched' || status === 'quarantined';

import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock, type Instant } from '../kernel/clock.js';
import type { JsonObject } from '../kernel/json.js';
import type { EventMetadata, NewEvent, RecordedEvent } from '../kernel/event.js';
import { Ids } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import {
  Conflict,
  EventStore,
  KeyTaken,
  type InboxMessage,
  type KeyClaim,
  type Stream,
} from '../platform/event-store/event-store.pg.js';
import { concludeRemainder } from './remainder.js';
import {
  firstPaymentEvent,
  foldFurther,
  foldPayment,
  paymentSchemaVersion,
  readPaymentEvent,
} from './payment-stream.js';
import type { Payment, PaymentEvent } from './payment.js';

/** Why something happens: who acts, and which message, request or event made them. Ids are UUIDs. */
export interface Cause {
  actor: string;
  correlationId: string;
  causationId: string;
}

/** A payment as its stream says it is, with the events that say so. */
export interface LoadedPayment {
  payment: Payment;
  events: readonly RecordedEvent[];
  stream: Stream;
}

export interface Decided extends LoadedPayment {
  /** What this call appended; empty where there was nothing to say. */
  added: readonly RecordedEvent[];
  /** False where the message had been stored before, so that nothing was decided upon it again. */
  fresh: boolean;
}

/** What a commit of this process said about a payment. */
export interface PaymentNews {
  /** As it was; null for one that has just begun. */
  before: Payment | null;
  payment: Payment;
  /** Empty where a message changed nothing. */
  added: readonly RecordedEvent[];
  /** When the message came that was applied; null where there was none. */
  receivedAt: Instant | null;
}

/** Decides upon a payment; `orderTaken` tells that another payment of its order is open or paid. */
export type Decision = (payment: Payment, orderTaken: boolean) => PaymentEvent[];

interface DecideOptions {
  message?: InboxMessage;
  keys?: KeyClaim[];
  loaded?: LoadedPayment | undefined;
}

interface OrderClaim {
  taken: boolean;
  replaces?: string;
}

/** The scope of the keys by which an application's order leads to the payment that stands for it. */
export const orderScope = (applicationId: string): string => `order:${applicationId}`;

const maxTries = 8;

/** Loads payments, and appends what is decided about them; the one place where a lost race is decided again. */
@Injectable()
export class PaymentStreams {
  /** The last decision in hand for each payment; the next one waits for it. */
  private readonly turns = new Map<string, Promise<void>>();
  private readonly listeners = new Set<(news: PaymentNews) => void>();
  private readonly log = new Logger(PaymentStreams.name);

  constructor(
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
  ) {}

  /** Calls `listener` after each commit about a payment by this process. Returns how to stop it. */
  onDecided(listener: (news: PaymentNews) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Throws `Refusal('not_found')` where there is no such payment. */
  async load(id: string): Promise<LoadedPayment> {
    const loaded = await this.find(id);
    if (!loaded) throw new Refusal('not_found', 'There is no payment with this id.');
    return loaded;
  }

  async find(id: string): Promise<LoadedPayment | null> {
    const stream = await this.store.read(id);
    // Streams of other kinds share the ids' space: to a caller they are no payment.
    if (stream.events[0]?.type !== firstPaymentEvent) return null;
    return { payment: foldPayment(stream.events), events: stream.events, stream };
  }

  /** An invoice that was opened lately and whose address is known: it tells what such addresses look like. */
  async lastInvoice(): Promise<{ trackId: string; paymentUrl: string } | null> {
    const newest = await this.store.newest('InvoiceOpened' satisfies PaymentEvent['type']);
    const event = newest && readPaymentEvent(newest);
    if (event?.type !== 'InvoiceOpened' || event.data.paymentUrl === null) return null;
    return { trackId: event.data.trackId, paymentUrl: event.data.paymentUrl };
  }

  /** Begins a payment's stream and claims its keys. Throws `KeyTaken` where another stream holds one. */
  async begin(
    event: Extract<PaymentEvent, { type: 'PaymentRequested' }>,
    cause: Cause,
    keys: KeyClaim[],
  ): Promise<LoadedPayment> {
    const terms = event.data;
    const head = { version: 0, hash: null };
    const metadata = this.metadata(terms.applicationId, cause);
    const outcome = await this.store.append({
      streamId: terms.id,
      head,
      events: this.newEvents([event]),
      metadata,
      keys,
    });
    if (outcome.outcome !== 'appended') return this.load(terms.id);
    const { events } = outcome;
    const loaded = { payment: foldPayment(events), events, stream: { streamId: terms.id, events, head: outcome.head } };
    this.tell({ before: null, payment: loaded.payment, added: events, receivedAt: null });
    return loaded;
  }

  /**
   * Decides upon the payment as it is and appends the outcome, together with the message that caused it and the keys it
   * claims. Decisions about one payment take turns in this process; where another process was faster, it loads and
   * decides again. A payment that becomes paid after it was closed claims its order anew: where another payment of the
   * order stands, it is decided again knowing that.
   */
  async decide(id: string, cause: Cause, decision: Decision, options: DecideOptions = {}): Promise<Decided> {
    const before = this.turns.get(id);
    const turn = before
      ? before.then(() => this.decideNow(id, cause, decision, { ...options, loaded: undefined }))
      : this.decideNow(id, cause, decision, options);
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.turns.set(id, settled);
    try {
      return await turn;
    } finally {
      if (this.turns.get(id) === settled) this.turns.delete(id);
    }
  }

  private async decideNow(id: string, cause: Cause, decision: Decision, options: DecideOptions): Promise<Decided> {
    let current = isWhole(options.loaded) ? options.loaded : await this.load(id);
    let order: OrderClaim = { taken: false };
    for (let attempt = 1; ; attempt++) {
      const decided = decision(current.payment, order.taken);
      const events = [...decided, ...concludeRemainder(current.payment, decided, this.clock.now())];
      if (events.length === 0 && !options.message) return { ...current, added: [], fresh: true };
      try {
        return await this.append(current, events, cause, options, order);
      } catch (error) {
        if (attempt >= maxTries || !(error instanceof Conflict || error instanceof KeyTaken)) throw error;
        if (error instanceof KeyTaken) order = await this.orderClaim(current.payment, error);
        else await pause(attempt);
        current = await this.load(id);
      }
    }
  }

  /** What to do about an order that another payment holds: take it over from a closed one, respect any other. */
  private async orderClaim(payment: Payment, { scope, streamId }: KeyTaken): Promise<OrderClaim> {
    if (scope !== orderScope(payment.terms.applicationId))
      throw new Error(`the key of stream ${streamId} cannot be claimed by ${payment.terms.id}`);
    const holder = await this.load(streamId);
    const over = holder.payment.status === 'expired' || holder.payment.status === 'failed';
    return over ? { taken: false, replaces: streamId } : { taken: true };
  }

  private async append(
    current: LoadedPayment,
    events: PaymentEvent[],
    cause: Cause,
    { message, keys = [] }: DecideOptions,
    order: OrderClaim,
  ): Promise<Decided> {
    const { terms, status } = current.payment;
    const revived =
      !terms.remainderOf &&
      (status === 'expired' || status === 'failed') &&
      events.some((event) => event.type === 'PaymentPaid');
    const again = {
      scope: orderScope(terms.applicationId),
      key: terms.orderId,
      ...(order.replaces ? { replaces: order.replaces } : {}),
    };
    const claims = events.length === 0 ? [] : [...keys, ...(revived ? [again] : [])];
    const outcome = await this.store.append({
      streamId: current.stream.streamId,
      head: current.stream.head,
      events: this.newEvents(events),
      metadata: this.metadata(terms.applicationId, cause),
      ...(message ? { message } : {}),
      ...(claims.length > 0 ? { keys: claims } : {}),
    });
    if (outcome.outcome === 'duplicate') return { ...current, added: [], fresh: false };
    const all = [...current.events, ...outcome.events];
    const payment = foldFurther(current.payment, outcome.events);
    const stream = { streamId: current.stream.streamId, events: all, head: outcome.head };
    const receivedAt = message?.receivedAt ?? null;
    this.tell({ before: current.payment, payment, added: outcome.events, receivedAt });
    return { payment, events: all, stream, added: outcome.events, fresh: true };
  }

  /** What is committed stays so, whatever a listener makes of it. */
  private tell(news: PaymentNews): void {
    for (const listener of this.listeners) {
      try {
        listener(news);
      } catch (error) {
        this.log.error({ msg: 'a listener to payments failed', error: String(error) });
      }
    }
  }

  private metadata(applicationId: string, cause: Cause): EventMetadata {
    return { tenant: applicationId, ...cause, recordedAt: this.clock.now() };
  }

  private newEvents(events: readonly PaymentEvent[]): NewEvent[] {
    return events.map(({ type, data }) => ({
      id: this.ids.next(),
      type,
      schemaVersion: paymentSchemaVersion,
      data: data as unknown as JsonObject,
    }));
  }
}

/** Whether the head that a payment was loaded with is that of its events. */
const isWhole = (loaded: LoadedPayment | undefined): loaded is LoadedPayment =>
  loaded !== undefined && loaded.stream.head.version === loaded.events.length;

/** A short, growing pause so that two writers do not meet again at once. */
const pause = (attempt: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, attempt * (2 + (process.hrtime()[1] % 8))));

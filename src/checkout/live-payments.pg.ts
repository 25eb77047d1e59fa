import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { RecordedEvent } from '../kernel/event.js';
import { PaymentStreams } from '../payments/payment-streams.pg.js';
import type { Payment } from '../payments/payment.js';
import { LogReader } from '../platform/event-store/log-reader.pg.js';

/** How often the log is looked at for what other processes wrote, while somebody watches. */
const lookEveryMs = 50;
const pageSize = 1000;
/** After a look that failed. */
const afterFailureMs = 1000;

/** A payment as it is, and the version of its last event. */
export interface Sight {
  payment: Payment;
  version: number;
}

export interface Watch {
  /** The newest state that this process knows. */
  latest: () => Sight;
  stop: () => void;
}

interface Watched {
  seen: Sight | null;
  /** Those who have seen it already, and are told what comes. */
  listeners: Set<(sight: Sight) => void>;
  /** How many watch it, or are about to. */
  holders: number;
}

/**
 * Tells who watches a payment of each commit to it, by any process: those of this process at once, those of others by
 * one look at the end of the log for all who watch. Nobody watching, nothing is asked.
 */
@Injectable()
export class LivePayments implements OnModuleInit, BeforeApplicationShutdown {
  private readonly watched = new Map<string, Watched>();
  private readonly log = new Logger(LivePayments.name);
  private readonly stopping = new AbortController();
  private unsubscribe: () => void = () => undefined;
  private following: { ready: Promise<void>; done: Promise<void> } | null = null;

  constructor(
    @Inject(PaymentStreams) private readonly payments: PaymentStreams,
    @Inject(LogReader) private readonly reader: LogReader,
  ) {}

  onModuleInit(): void {
    this.unsubscribe = this.payments.onDecided(({ payment, added }) => {
      const last = added.at(-1);
      if (last) this.tell(last.streamId, { payment, version: last.version });
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.unsubscribe();
    this.stopping.abort();
    await this.following?.done;
  }

  /**
   * Calls `listener` with every state of the payment that is newer than `latest`, each once and in order; states that
   * follow each other closely may come as one. Throws `Refusal('not_found')` and `StoreUnavailable`.
   */
  async watch(id: string, listener: (sight: Sight) => void): Promise<Watch> {
    const watched = this.hold(id);
    const stop = once(() => {
      watched.listeners.delete(listener);
      if (--watched.holders === 0) this.watched.delete(id);
    });
    try {
      // What is committed after the payment is read lies behind the place from where the log is followed.
      await this.follow();
      const first = await this.look(id);
      this.tell(id, first);
      watched.listeners.add(listener);
      return { latest: () => watched.seen ?? first, stop };
    } catch (error) {
      stop();
      throw error;
    }
  }

  private hold(id: string): Watched {
    const watched = this.watched.get(id) ?? { seen: null, listeners: new Set(), holders: 0 };
    this.watched.set(id, watched);
    watched.holders++;
    return watched;
  }

  private async look(id: string): Promise<Sight> {
    const { payment, events } = await this.payments.load(id);
    return { payment, version: events.length };
  }

  private tell(id: string, sight: Sight): void {
    const watched = this.watched.get(id);
    if (!watched || (watched.seen && watched.seen.version >= sight.version)) return;
    watched.seen = sight;
    for (const listener of watched.listeners) {
      try {
        listener(sight);
      } catch (error) {
        this.log.error({ msg: 'a live view could not be told of a payment', paymentId: id, error: String(error) });
      }
    }
  }

  /** Resolves once everything that is committed from now on will be seen. */
  private follow(): Promise<void> {
    if (!this.following) {
      const start = this.reader.watermark();
      this.following = { ready: start.then(() => undefined), done: this.run(start) };
    }
    return this.following.ready;
  }

  private async run(start: Promise<number>): Promise<void> {
    try {
      let after = await start;
      while (this.watched.size > 0 && !this.stopping.signal.aborted) after = await this.step(after);
    } catch {
      // Whoever waits for the start has been told.
    } finally {
      this.following = null;
    }
  }

  /** Reads on from a position, and rests where there is no more. Returns up to where everybody was told. */
  private async step(after: number): Promise<number> {
    try {
      const upTo = await this.reader.watermark();
      const events = await this.reader.read(after, pageSize, upTo);
      await this.hear(events);
      if (events.length === pageSize) return events.at(-1)?.position ?? upTo;
      await this.rest(lookEveryMs);
      return upTo;
    } catch (error) {
      this.log.warn({ msg: 'the log cannot be followed for live views', error: String(error) });
      await this.rest(afterFailureMs);
      return after;
    }
  }

  private async hear(events: readonly RecordedEvent[]): Promise<void> {
    const newer = events.filter(({ streamId, version }) => {
      const watched = this.watched.get(streamId);
      // Of one that is just being read too: what is read may be older than this.
      return watched && (watched.seen?.version ?? 0) < version;
    });
    const ids = [...new Set(newer.map(({ streamId }) => streamId))];
    await Promise.all(ids.map(async (id) => this.tell(id, await this.look(id))));
  }

  private async rest(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}

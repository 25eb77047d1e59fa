import type { ServerResponse } from 'node:http';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { Gauge, Registry } from 'prom-client';
import { Refusal } from '../kernel/refusal.js';
import { EventStream } from './event-stream.js';
import { StreamLimits } from './stream-limits.js';

/** Proxies take a connection for dead after 30 to 60 s of silence. */
export const beatEveryMs = 15_000;
/** A stream ends after 25 to 35 minutes, and a reader asks again after 1 to 3 s: not all of them at one moment. */
const beats = { least: 100, spread: 40 };
const retryMs = { least: 1000, spread: 2000 };

/** The open streams of this process: how many there may be, their heartbeats, and their end with the process. */
@Injectable()
export class StatusStreams implements OnModuleDestroy {
  private readonly open = new Set<EventStream>();
  private readonly limits = new StreamLimits();
  private stopping = false;
  private opened = 0;

  constructor(@Inject(Registry) registry: Registry) {
    const { limits } = this;
    new Gauge({
      name: 'finality_status_streams',
      help: 'Live streams of status pages that are open',
      registers: [registry],
      collect() {
        this.set(limits.open);
      },
    });
  }

  /** Takes a place for a stream; returns how to give it back. Throws `Refusal('rate_limited' | 'service_unavailable')`. */
  take(token: string, address: string): () => void {
    if (this.stopping) throw new Refusal('service_unavailable', 'This process is stopping; please ask again.');
    return this.limits.take(token, address);
  }

  /** Begins a stream; null where the process has begun to stop meanwhile. */
  begin(sink: ServerResponse): EventStream | null {
    if (this.stopping) return null;
    const at = this.opened++;
    const stream = new EventStream(sink, beats.least + (at % beats.spread));
    stream.begin(retryMs.least + ((at * 137) % retryMs.spread));
    this.open.add(stream);
    sink.once('close', () => this.open.delete(stream));
    return stream;
  }

  @Interval('status-stream-heartbeat', beatEveryMs)
  beat(): void {
    for (const stream of this.open) stream.beat();
  }

  /** The first thing that happens when the process stops: a server waits for the answers that are under way. */
  onModuleDestroy(): void {
    this.stopping = true;
    for (const stream of this.open) stream.end();
  }
}

import { Inject, Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { Clock, type Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { DatabasePool } from '../platform/database/pool.pg.js';
import { scanStreams } from '../platform/event-store/stream-scan.pg.js';
import { firstPaymentEvent, readPaymentEvent } from './payment-stream.js';
import type { PolicyRules } from './policy.js';
import { Comparison, type WhatIf } from './what-if.js';

export interface SimulationRequest {
  /** Payments that carry a policy of this name, in any version. */
  policy: string;
  /** Null: of all applications. */
  applicationId: string | null;
  /** The rules that they are decided by anew. */
  rules: PolicyRules;
  /** Payments created at this time or later, and before that one. */
  from?: Instant;
  to?: Instant;
  /** Where an earlier part ended: its `next`. */
  after?: string;
}

export interface SimulationLimits {
  /** Changed payments that are listed; all are counted. */
  listed: number;
  /** The work ends after so much time, and the answer says where it goes on; null does all of it. */
  withinMs: number | null;
  signal?: AbortSignal;
  onProgress?: (payments: number, events: number) => void;
  pageSize?: number;
}

export interface Simulation extends WhatIf {
  /** The time up to which the consequences of both policies were drawn. */
  decidedAt: Instant;
  /** Where the next part begins; null where all was examined. */
  next: string | null;
}

/** Events of one page: between two pages the requests of others have their turn. */
const pageSize = 500;

/** Decides past payments anew by another policy. It reads, and changes nothing. */
@Injectable()
export class Simulations {
  constructor(
    @Inject(DatabasePool) private readonly pool: Pool,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  async run(request: SimulationRequest, limits: SimulationLimits): Promise<Simulation> {
    const { applicationId, after } = request;
    const decidedAt = this.clock.now();
    const comparison = new Comparison(request.rules, decidedAt, limits.listed);
    const began = process.hrtime.bigint();
    let [payments, events] = [0, 0];
    const scan = scanStreams(this.pool, {
      beginsWith: firstPaymentEvent,
      pageSize: limits.pageSize ?? pageSize,
      ...(applicationId === null ? {} : { tenant: applicationId }),
      ...(after === undefined ? {} : { after }),
      ...(limits.signal ? { signal: limits.signal } : {}),
    });
    for await (const { streams, last } of scan) {
      for (const stream of streams) if (concerns(stream, request)) comparison.add(stream);
      payments += streams.length;
      events += streams.reduce((sum, stream) => sum + stream.length, 0);
      limits.onProgress?.(payments, events);
      if (limits.withinMs === null) continue;
      const isOver = Number((process.hrtime.bigint() - began) / 1_000_000n) > limits.withinMs;
      if (isOver && last !== (after ?? null)) return { ...comparison.result(), decidedAt, next: last };
      await nextTurn();
    }
    return { ...comparison.result(), decidedAt, next: null };
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function concerns([first]: readonly RecordedEvent[], { policy, from, to }: SimulationRequest): boolean {
  const requested = first && readPaymentEvent(first);
  if (requested?.type !== 'PaymentRequested') return false;
  const { policy: carried, requestedAt } = requested.data;
  return (
    carried.name === policy && (from === undefined || requestedAt >= from) && (to === undefined || requestedAt < to)
  );
}

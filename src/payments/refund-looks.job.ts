import { Inject, Injectable } from '@nestjs/common';
import type { Pool, PoolClient } from 'pg';
import { inTransaction } from '../platform/database/database.pg.js';
import { DatabasePool } from '../platform/database/pool.pg.js';
import { Jobs } from '../platform/jobs/jobs.pg.js';

export const refundTask = 'refund';

/** A look at one refund, to take it a step further: what a job carries. */
export interface RefundLook {
  paymentId: string;
  /** Counts the refunds of the payment, from 1. */
  number: number;
  correlationId: string;
  /** The event or message that asks for the look. */
  causationId: string;
}

const lanes = 4;

/**
 * The looks at refunds that are to come: one waits for each refund at most, and a new one takes its place. A look that
 * comes too early does nothing but to ask for the next, so that anybody may ask for one.
 */
@Injectable()
export class RefundLooks {
  constructor(
    @Inject(DatabasePool) private readonly pool: Pool,
    @Inject(Jobs) private readonly jobs: Jobs,
  ) {}

  /** Adds a look in the caller's transaction. */
  async add(tx: PoolClient, look: RefundLook, runAfterMs = 0): Promise<void> {
    const { paymentId, number } = look;
    const key = `refund:${paymentId}:${String(number)}`;
    // A gateway that does not answer holds no more workers than there are lanes.
    const lane = `refund:${String(parseInt(paymentId.slice(-1), 16) % lanes)}`;
    await this.jobs.add(tx, refundTask, [{ payload: look, key, runAfterMs, lane }]);
  }

  /** The same in a transaction of its own. */
  async schedule(look: RefundLook, runAfterMs = 0): Promise<void> {
    await inTransaction(this.pool, (tx) => this.add(tx, look, runAfterMs));
  }
}

export function readLook(value: unknown): RefundLook {
  const look = value as Partial<RefundLook> | null;
  const texts = [look?.paymentId, look?.correlationId, look?.causationId];
  if (!texts.every((text) => typeof text === 'string') || typeof look?.number !== 'number')
    throw new TypeError('the payload of a refund job cannot be read');
  return value as RefundLook;
}

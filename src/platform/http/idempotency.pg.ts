import { Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { addSeconds, Clock } from '../../kernel/clock.js';

/** What the first request was answered. */
export interface FirstAnswer {
  status: number;
  body: string;
  /** Its Location header; null where it had none. */
  location: string | null;
}

export type Claim = { kind: 'run' } | ({ kind: 'replay' } & FirstAnswer) | { kind: 'running' } | { kind: 'reused' };

/** A request may hold its key this long before another of the same key takes over: longer than any request can last. */
const leaseSeconds = 60;
const keepSeconds = 24 * 3600;

/** First answers to requests that carried an Idempotency-Key. */
@Injectable()
export class IdempotencyKeys {
  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
  ) {}

  /** Claims a key for a request; only one request at a time gets `run`. */
  async claim(applicationId: string, key: string, hash: Buffer): Promise<Claim> {
    const now = this.clock.now();
    const { rowCount } = await this.pool.query(
      `insert into idempotency_key as k (application_id, key, request_hash, locked_until, created_at) values ($1, $2, $3, $4, $5)
       on conflict (application_id, key) do update set locked_until = excluded.locked_until, request_hash = excluded.request_hash,
         status = null, body = null, created_at = excluded.created_at
       where k.created_at < $6 or (k.status is null and k.locked_until < $5 and k.request_hash = excluded.request_hash)`,
      [applicationId, key, hash, addSeconds(now, leaseSeconds), now, addSeconds(now, -keepSeconds)],
    );
    return rowCount === 1 ? { kind: 'run' } : this.earlier(applicationId, key, hash);
  }

  private async earlier(applicationId: string, key: string, hash: Buffer): Promise<Claim> {
    const { rows } = await this.pool.query<{
      request_hash: Buffer;
      status: number | null;
      body: string | null;
      location: string | null;
    }>('select request_hash, status, body, location from idempotency_key where application_id = $1 and key = $2', [
      applicationId,
      key,
    ]);
    const [row] = rows;
    if (!row) return { kind: 'running' };
    if (!row.request_hash.equals(hash)) return { kind: 'reused' };
    return row.status === null || row.body === null
      ? { kind: 'running' }
      : { kind: 'replay', status: row.status, body: row.body, location: row.location };
  }

  async keep(applicationId: string, key: string, { status, body, location }: FirstAnswer): Promise<void> {
    await this.pool.query(
      'update idempotency_key set status = $3, body = $4, location = $5, locked_until = null where application_id = $1 and key = $2',
      [applicationId, key, status, body, location],
    );
  }

  /** Frees a key whose request failed: the same request may be sent again. */
  async release(applicationId: string, key: string): Promise<void> {
    await this.pool.query('delete from idempotency_key where application_id = $1 and key = $2 and status is null', [
      applicationId,
      key,
    ]);
  }

  /** Forgets answers that are older than a day, a bounded number at a time. */
  async expire(): Promise<number> {
    const { rowCount } = await this.pool.query(
      `delete from idempotency_key where (application_id, key) in
         (select application_id, key from idempotency_key where created_at < $1 limit 1000)`,
      [addSeconds(this.clock.now(), -keepSeconds)],
    );
    return rowCount ?? 0;
  }
}

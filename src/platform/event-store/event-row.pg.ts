import pg from 'pg';
import type { Instant } from '../../kernel/clock.js';
import type { RecordedEvent } from '../../kernel/event.js';
import type { JsonObject } from '../../kernel/json.js';
import type { ChainedEvent } from './hash-chain.js';

/** A row of `event` as `storedTypes` reads it. */
export interface EventRow {
  position: number;
  stream_id: string;
  version: number;
  event_id: string;
  type: string;
  schema_version: number;
  recorded_at: Instant;
  tenant: string;
  actor: string;
  correlation_id: string;
  causation_id: string;
  data: string;
  hash: Buffer;
}

/** What `eventOf` needs; the hash is left out, because nothing but the chain reads it. */
export const eventColumns =
  'position, stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data';

const bigint = 20;
const json = 114;
const timestamptz = 1184;
const utcTimestamp = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,3}))?\+00$/;

/** PostgreSQL drops trailing zeros of a fraction and writes in the session's zone; an `Instant` has one spelling. */
export function instantOf(text: string): Instant {
  const parts = utcTimestamp.exec(text);
  if (parts) return `${parts[1]}T${parts[2]}.${(parts[3] ?? '').padEnd(3, '0')}Z`;
  const parse = pg.types.getTypeParser(timestamptz) as (text: string) => unknown;
  const date = parse(text);
  if (date instanceof Date) return date.toISOString();
  throw new TypeError(`not a finite timestamp: ${text}`);
}

/**
 * How the store reads columns, whatever the process set globally: positions as numbers (2^53 is enough), times as
 * `Instant`, json as its exact text.
 */
export const storedTypes: pg.CustomTypesConfig = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === bigint) return Number;
    if (oid === timestamptz) return instantOf;
    if (oid === json) return (text: string) => text;
    return (
      format === 'binary' ? pg.types.getTypeParser(oid, 'binary') : pg.types.getTypeParser(oid, 'text')
    ) as unknown;
  },
};

export function eventOf(row: Omit<EventRow, 'hash'>): RecordedEvent {
  return {
    id: row.event_id,
    type: row.type,
    schemaVersion: row.schema_version,
    data: JSON.parse(row.data) as JsonObject,
    tenant: row.tenant,
    actor: row.actor,
    correlationId: row.correlation_id,
    causationId: row.causation_id,
    recordedAt: row.recorded_at,
    streamId: row.stream_id,
    version: row.version,
    position: row.position,
  };
}

export function chainedEventOf(row: EventRow): ChainedEvent {
  const { version, type, tenant, actor, data, hash } = row;
  return {
    streamId: row.stream_id,
    version,
    id: row.event_id,
    type,
    schemaVersion: row.schema_version,
    recordedAt: row.recorded_at,
    tenant,
    actor,
    correlationId: row.correlation_id,
    causationId: row.causation_id,
    data,
    hash,
  };
}

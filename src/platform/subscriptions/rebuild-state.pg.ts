import { createHash } from 'node:crypto';
import type { ClientBase } from 'pg';
import { definitionOf, named, type Shadow } from './shadow-tables.pg.js';

/** How far a rebuild has come. It lies beside the tables that it has built so far, and commits with them. */
export interface RebuildState {
  /** Everything up to here is in the new tables. */
  position: number;
  /** Events applied so far, by all runs. */
  events: number;
  /** The live tables' position when rows were taken over from them; 0 where none were. */
  takenAt: number;
}

const stateOf = (shadow: Shadow): string => named(shadow.schema, 'finality_rebuild');
const streamsOf = (shadow: Shadow): string => named(shadow.schema, 'finality_rebuild_stream');

/** Names what is built: by which code, into which tables, from where on. Rows of another build must not be mixed with it. */
export async function fingerprintOf(
  client: ClientBase,
  shadow: Shadow,
  { release = '', from }: { release?: string; from?: number },
): Promise<string> {
  const what = JSON.stringify([release, from ?? null, await definitionOf(client, shadow)]);
  return createHash('sha256').update(what).digest('hex');
}

/** The state of the build of this name that was not finished; `other` where what lies there is another build. */
export async function findState(
  client: ClientBase,
  shadow: Shadow,
  fingerprint: string,
): Promise<RebuildState | 'none' | 'other'> {
  const there = await client.query<{ shadow: boolean; state: boolean }>(
    'select to_regnamespace(quote_ident($1)) is not null as shadow, to_regclass($2) is not null as state',
    [shadow.schema, stateOf(shadow)],
  );
  if (!there.rows[0]?.shadow) return 'none';
  if (!there.rows[0].state) return 'other';
  const { rows } = await client.query<RebuildState>(
    `select position, events, taken_at as "takenAt" from ${stateOf(shadow)} where fingerprint = $1`,
    [fingerprint],
  );
  return rows[0] ?? 'other';
}

export async function createState(
  client: ClientBase,
  shadow: Shadow,
  fingerprint: string,
  { position, events, takenAt }: RebuildState,
): Promise<void> {
  await client.query(
    `create table ${stateOf(shadow)} (fingerprint text not null, position bigint not null, events bigint not null,
       taken_at bigint not null);
     create table ${streamsOf(shadow)} (stream_id uuid primary key)`,
  );
  const values = [fingerprint, position, events, takenAt];
  await client.query(`insert into ${stateOf(shadow)} values ($1, $2, $3, $4)`, values);
}

export async function saveState(client: ClientBase, shadow: Shadow, { position, events }: RebuildState): Promise<void> {
  await client.query(`update ${stateOf(shadow)} set position = $1, events = $2`, [position, events]);
}

/** Notes that these streams are built anew; returns those of them that were not noted before. */
export async function noteStreams(client: ClientBase, shadow: Shadow, streamIds: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ stream_id: string }>(
    `insert into ${streamsOf(shadow)} select distinct unnest($1::uuid[]) on conflict do nothing returning stream_id`,
    [streamIds],
  );
  return rows.map((row) => row.stream_id);
}

import { escapeIdentifier, type ClientBase } from 'pg';

/** Copies of a projection's tables in a schema of their own, under the same names, to be filled beside the live ones. */
export interface Shadow {
  schema: string;
  live: string;
  tables: readonly string[];
}

/** A table has something that a rebuilt copy would silently lose. */
export class NotRebuildable extends Error {}

const named = (schema: string, table: string): string => `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`;

/** Makes empty copies with primary keys, unique constraints, checks, defaults and storage settings; indexes come later. */
export async function createShadow(client: ClientBase, projection: string, tables: readonly string[]): Promise<Shadow> {
  const { rows } = await client.query<{ live: string }>('select current_schema() as live');
  const shadow = { schema: `rebuild_${projection}`, live: rows[0]?.live ?? 'public', tables };
  await dropShadow(client, shadow);
  await client.query(`create schema ${escapeIdentifier(shadow.schema)}`);
  for (const table of tables) {
    await assertRebuildable(client, shadow, table);
    await client.query(
      `create table ${named(shadow.schema, table)} (like ${named(shadow.live, table)} including all excluding indexes)`,
    );
    for (const statement of await definitions(client, shadow, table, 'constraints')) await client.query(statement);
  }
  return shadow;
}

/** The indexes that are cheaper to build once the rows are there. They carry the live ones' names. */
export async function indexShadow(client: ClientBase, shadow: Shadow): Promise<void> {
  for (const table of shadow.tables) {
    for (const statement of await definitions(client, shadow, table, 'indexes')) await client.query(statement);
    await client.query(`analyze ${named(shadow.schema, table)}`);
  }
}

/** Puts the copies in the live tables' place. Inside the caller's transaction: readers see the old or the new rows. */
export async function swapIn(client: ClientBase, shadow: Shadow): Promise<void> {
  for (const table of shadow.tables) {
    await client.query(`drop table ${named(shadow.live, table)}`);
    await client.query(`alter table ${named(shadow.schema, table)} set schema ${escapeIdentifier(shadow.live)}`);
  }
  await client.query(`drop schema ${escapeIdentifier(shadow.schema)}`);
}

export async function dropShadow(client: ClientBase, shadow: Shadow): Promise<void> {
  await client.query(`drop schema if exists ${escapeIdentifier(shadow.schema)} cascade`);
}

export interface TableDigest {
  rows: number;
  /** Independent of the rows' order; columns are compared as text. */
  digest: string;
}

export async function digestOf(client: ClientBase, schema: string, table: string): Promise<TableDigest> {
  const text = `select count(*)::text as rows, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text as digest from ${named(schema, table)} t`;
  const { rows } = await client.query<{ rows: string; digest: string }>(text);
  return { rows: Number(rows[0]?.rows ?? 0), digest: rows[0]?.digest ?? '0' };
}

async function assertRebuildable(client: ClientBase, { live }: Shadow, table: string): Promise<void> {
  const text = `select
      exists (select from pg_constraint where conrelid = c.oid and contype = 'f' or confrelid = c.oid) as "foreign keys",
      exists (select from pg_trigger where tgrelid = c.oid and not tgisinternal) as triggers,
      exists (select from pg_attribute where attrelid = c.oid and atthasdef and attgenerated = ''
        and pg_get_serial_sequence($1, attname) is not null) as "serial columns",
      c.relacl is not null as grants
    from pg_class c where c.oid = to_regclass($1)`;
  const { rows } = await client.query<Record<string, boolean>>(text, [named(live, table)]);
  if (!rows[0]) throw new NotRebuildable(`there is no table ${table}`);
  const lost = Object.entries(rows[0]).flatMap(([what, there]) => (there ? [what] : []));
  if (lost.length > 0) throw new NotRebuildable(`${table} has ${lost.join(', ')}, which a rebuilt table would lose`);
}

async function definitions(
  client: ClientBase,
  { schema, live }: Shadow,
  table: string,
  what: 'constraints' | 'indexes',
): Promise<string[]> {
  const copy = named(schema, table);
  const text =
    what === 'constraints'
      ? `select format('alter table %s add constraint %I %s', $2::text, conname, pg_get_constraintdef(oid)) as statement
         from pg_constraint where conrelid = $1::regclass and contype in ('p', 'u', 'x')
         union all
         select format('alter table %s set (%s)', $2::text, array_to_string(reloptions, ', ')) from pg_class
         where oid = $1::regclass and reloptions is not null`
      : `select regexp_replace(pg_get_indexdef(indexrelid), ' ON [^ ]+ USING ', ' ON ' || $2::text || ' USING ') as statement
         from pg_index where indrelid = $1::regclass and indisvalid
           and not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u', 'x'))`;
  const { rows } = await client.query<{ statement: string }>(text, [named(live, table), copy]);
  return rows.map((row) => row.statement);
}

import { escapeIdentifier, type ClientBase } from 'pg';

/** Copies of a projection's tables in a schema of their own, under the same names, to be filled beside the live ones. */
export interface Shadow {
  schema: string;
  live: string;
  tables: readonly string[];
}

/** A table has something that a rebuilt copy would silently lose. */
export class NotRebuildable extends Error {}

export const named = (schema: string, table: string): string =>
  `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`;

/** The copies' names; whether they are there is another question. */
export async function shadowOf(client: ClientBase, projection: string, tables: readonly string[]): Promise<Shadow> {
  const { rows } = await client.query<{ live: string }>('select current_schema() as live');
  return { schema: `rebuild_${projection}`, live: rows[0]?.live ?? 'public', tables };
}

/**
 * Makes empty copies with primary keys, unique constraints, checks, defaults and storage settings, yet no indexes.
 * Inside the caller's transaction. Throws `NotRebuildable`.
 */
export async function createShadow(client: ClientBase, shadow: Shadow): Promise<void> {
  await dropShadow(client, shadow);
  await client.query(`create schema ${escapeIdentifier(shadow.schema)}`);
  for (const table of shadow.tables) {
    await assertRebuildable(client, shadow, table);
    await client.query(
      `create table ${named(shadow.schema, table)} (like ${named(shadow.live, table)} including all excluding indexes)`,
    );
    for (const statement of await definitions(client, shadow, table, 'constraints')) await client.query(statement);
  }
}

/** Takes the live rows over as they are. */
export async function copyLive(client: ClientBase, { schema, live, tables }: Shadow): Promise<void> {
  for (const table of tables) {
    const text = `select string_agg(quote_ident(attname), ', ' order by attnum) as columns from pg_attribute
      where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = ''`;
    const { rows } = await client.query<{ columns: string }>(text, [named(live, table)]);
    const columns = rows[0]?.columns ?? '';
    await client.query(`insert into ${named(schema, table)} (${columns}) select ${columns} from ${named(live, table)}`);
  }
}

/** What the live tables look like: columns, constraints, indexes and settings. Another text means other tables. */
export async function definitionOf(client: ClientBase, { live, tables }: Shadow): Promise<string> {
  const text = `select c.reloptions, (select json_agg(json_build_array(attname, format_type(atttypid, atttypmod), attnotnull, attgenerated,
      (select pg_get_expr(adbin, adrelid) from pg_attrdef d where d.adrelid = c.oid and d.adnum = attnum)) order by attnum)
      from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped) as columns,
    (select json_agg(conname || ' ' || pg_get_constraintdef(oid) order by conname) from pg_constraint where conrelid = c.oid) as constraints,
    (select json_agg(pg_get_indexdef(indexrelid) order by pg_get_indexdef(indexrelid)) from pg_index where indrelid = c.oid) as indexes
    from pg_class c where c.oid = to_regclass($1)`;
  const found: unknown[] = [];
  for (const table of tables) found.push([table, (await client.query(text, [named(live, table)])).rows]);
  return JSON.stringify(found);
}

/** Gives the copies those of the live tables' indexes that they lack, under the same names; `only` those of these names. */
export async function indexShadow(client: ClientBase, shadow: Shadow, only?: readonly string[]): Promise<void> {
  for (const table of shadow.tables)
    for (const statement of await definitions(client, shadow, table, 'indexes', only)) await client.query(statement);
}

/** Counts the copies' rows for the planner. Whoever reads them after the swap needs that from the first moment on. */
export async function analyzeShadow(client: ClientBase, { schema, tables }: Shadow): Promise<void> {
  for (const table of tables) await client.query(`analyze ${named(schema, table)}`);
}

/** Puts the copies in the live tables' place. Inside the caller's transaction: readers see the old or the new rows. */
export async function swapIn(client: ClientBase, shadow: Shadow): Promise<void> {
  for (const table of shadow.tables) {
    await client.query(`drop table ${named(shadow.live, table)}`);
    await client.query(`alter table ${named(shadow.schema, table)} set schema ${escapeIdentifier(shadow.live)}`);
  }
  await dropShadow(client, shadow);
}

export async function dropShadow(client: ClientBase, shadow: Shadow): Promise<void> {
  await client.query(`drop schema if exists ${escapeIdentifier(shadow.schema)} cascade`);
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
  only: readonly string[] | null = null,
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
         from pg_index join pg_class i on i.oid = indexrelid where indrelid = $1::regclass and indisvalid
           and not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u', 'x'))
           and not exists (select from pg_class where relname = i.relname and relnamespace = $3::regnamespace)
           and ($4::text[] is null or i.relname = any($4))`;
  const values = [named(live, table), copy, ...(what === 'indexes' ? [escapeIdentifier(schema), only] : [])];
  const { rows } = await client.query<{ statement: string }>(text, values);
  return rows.map((row) => row.statement);
}

import type { Pool } from 'pg';

/** The schema as the migrations leave it, in a stable order, from the catalogue alone: no client program is needed. */
export async function describeSchema(pool: Pool): Promise<string> {
  const tables = await list(
    pool,
    `select c.relname as name from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by 1`,
  );
  const parts: string[] = [];
  for (const table of tables) parts.push(await describeTable(pool, table));
  const functions = await list(
    pool,
    `select pg_get_functiondef(p.oid) as name from pg_proc p where p.pronamespace = 'public'::regnamespace
       and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e') order by p.proname`,
  );
  return `-- Generated from the migrations by \`npm run docs\`. Do not edit.\n\n${[...parts, ...functions.map((text) => `${text.trim()};`)].join('\n\n')}\n`;
}

async function describeTable(pool: Pool, table: string): Promise<string> {
  const columns = await list(
    pool,
    `select '  ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
       || case when a.attidentity = 'a' then ' generated always as identity' else '' end
       || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') || case when a.attnotnull then ' not null' else '' end as name
     from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum`,
    table,
  );
  const constraints = await list(
    pool,
    `select '  constraint ' || conname || ' ' || pg_get_constraintdef(oid) as name from pg_constraint
     where conrelid = $1::regclass and contype <> 'n' order by contype, conname`,
    table,
  );
  const options = await list(
    pool,
    `select ' with (' || array_to_string(reloptions, ', ') || ')' as name from pg_class where oid = $1::regclass and reloptions is not null`,
    table,
  );
  const indexes = await list(
    pool,
    `select pg_get_indexdef(i.indexrelid) || ';' as name from pg_index i join pg_class c on c.oid = i.indexrelid
     where i.indrelid = $1::regclass and not exists (select from pg_constraint where conindid = i.indexrelid) order by c.relname`,
    table,
  );
  const triggers = await list(
    pool,
    `select pg_get_triggerdef(oid) || ';' as name from pg_trigger where tgrelid = $1::regclass and not tgisinternal order by tgname`,
    table,
  );
  return [
    `create table ${table} (\n${[...columns, ...constraints].join(',\n')}\n)${options.join('')};`,
    ...indexes,
    ...triggers,
  ].join('\n');
}

async function list(pool: Pool, text: string, table?: string): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(text, table === undefined ? [] : [`public.${table}`]);
  return rows.map((row) => row.name);
}

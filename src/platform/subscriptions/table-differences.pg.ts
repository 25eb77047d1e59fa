import { escapeIdentifier, type ClientBase } from 'pg';
import { excerpts } from './excerpt.js';
import { named, NotRebuildable, type Shadow } from './shadow-tables.pg.js';

/** A column of a row that has another value in the rebuilt table. Values are texts, cut to 200 characters around the place where they part. */
export interface ColumnDifference {
  column: string;
  live: string | null;
  rebuilt: string | null;
}

export interface RowDifference {
  /** The primary key's columns. */
  key: Record<string, string>;
  /** `missing`: only the rebuilt table has it; `extra`: only the live one. */
  kind: 'changed' | 'missing' | 'extra';
  /** Of a changed row. */
  columns: ColumnDifference[];
}

export interface TableDifferences {
  table: string;
  same: boolean;
  /** Rows of the live and of the rebuilt table. */
  live: number;
  rebuilt: number;
  changed: number;
  missing: number;
  extra: number;
  /** The first of them by key, `maxDifferences` at most. */
  differences: RowDifference[];
}

const maxDifferences = 50;

// So much of a value is looked at for the place where it parts from the other one.
const maxValue = 20_000;
const maxKey = 200;

interface Row extends Pick<RowDifference, 'key' | 'kind'> {
  columns: ColumnDifference[] | null;
  changed: number;
  missing: number;
  extra: number;
}

/** Compares the live table with the rebuilt one, row by row, both as the caller's transaction sees them. */
export async function differencesOf(client: ClientBase, shadow: Shadow, table: string): Promise<TableDifferences> {
  const [live, rebuilt] = [named(shadow.live, table), named(shadow.schema, table)];
  const counts = await client.query<{ live: number; rebuilt: number }>(
    `select (select count(*) from ${live}) as live, (select count(*) from ${rebuilt}) as rebuilt`,
  );
  const { rows } = await client.query<Row>(differing(live, rebuilt, await keyOf(client, live)));
  const [first] = rows;
  return {
    table,
    same: first === undefined,
    live: counts.rows[0]?.live ?? 0,
    rebuilt: counts.rows[0]?.rebuilt ?? 0,
    changed: first?.changed ?? 0,
    missing: first?.missing ?? 0,
    extra: first?.extra ?? 0,
    differences: rows.map(({ key, kind, columns }) => ({ key, kind, columns: (columns ?? []).map(excerpts) })),
  };
}

async function keyOf(client: ClientBase, table: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select a.attname as name from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
     where i.indrelid = $1::regclass and i.indisprimary order by array_position(i.indkey::smallint[], a.attnum)`,
    [table],
  );
  if (rows.length === 0) throw new NotRebuildable(`${table} has no primary key to compare its rows by`);
  return rows.map((row) => row.name);
}

/** Joins the keys and a hash of each row, and fetches whole rows only for those that are told. */
function differing(live: string, rebuilt: string, key: readonly string[]): string {
  const columns = key.map(escapeIdentifier);
  const using = columns.join(', ');
  const hashed = (table: string): string =>
    `(select ${using}, hashtextextended(each_row::text, 0) as finality_hash from ${table} each_row)`;
  const pairs = key.map(
    (name, at) => `'${name.replaceAll("'", "''")}', left(d.${columns[at] ?? ''}::text, ${String(maxKey)})`,
  );
  return `
with d as (
  select ${using}, l.finality_hash as old, r.finality_hash as new
  from ${hashed(live)} l full join ${hashed(rebuilt)} r using (${using})
  where l.finality_hash is distinct from r.finality_hash
), told as (
  select d.*, count(*) filter (where old is not null and new is not null) over () as changed,
    count(*) filter (where old is null) over () as missing, count(*) filter (where new is null) over () as extra
  from d order by ${using} limit ${String(maxDifferences)}
)
select json_build_object(${pairs.join(', ')}) as key, d.changed, d.missing, d.extra,
  case when old is null then 'missing' when new is null then 'extra' else 'changed' end as kind,
  case when old is not null and new is not null then
    (select json_agg(json_build_object('column', key, 'live', left(a.value, ${String(maxValue)}), 'rebuilt', left(b.value, ${String(maxValue)})))
     from json_each_text(row_to_json(l)) a full join json_each_text(row_to_json(r)) b using (key)
     where a.value is distinct from b.value)
  end as columns
from told d left join ${live} l using (${using}) left join ${rebuilt} r using (${using})
order by ${using}`;
}

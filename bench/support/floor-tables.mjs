// The floors write the product's own bytes into tables of the same shape, without anything of the product's around it.
import { ask } from './processes.mjs';

const names = ['inbox', 'event', 'stream_key'];

/** Columns that an insert gives, with their types, as the schema has them now. */
const columnsOf = async (url, name) =>
  ask(
    url,
    `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
     where attrelid = ('public.' || $1)::regclass and attnum > 0 and not attisdropped and attidentity = '' and attgenerated = ''
     order by attnum`,
    [name],
  );

/** JSON and times are read as the text that the database holds, so that they can be sent again as they are. */
const asText = ({ name, type }) => (/^json|^timestamp/.test(type) ? `${name}::text` : name);

const grouped = (rows, key = 'stream_id') => {
  const groups = new Map();
  for (const row of rows) {
    const group = groups.get(row[key]);
    if (group) group.push(row);
    else groups.set(row[key], [row]);
  }
  return groups;
};

/** Empty tables beside the product's, with the same columns, checks, indexes and settings. */
export const makeFloor = async (url) => {
  const make = names.map((name) => `create table floor.${name} (like public.${name} including all)`);
  await ask(url, `drop schema if exists floor cascade; create schema floor; ${make.join(';')}`);
  const columns = {};
  for (const name of names) columns[name] = await columnsOf(url, name);
  return { columns };
};

export const emptyFloor = (url) => ask(url, 'truncate floor.inbox, floor.event, floor.stream_key');

export const countFloor = async (url) =>
  (await ask(url, 'select (select count(*) from floor.inbox)::int as inbox, (select count(*) from floor.event)::int as events'))[0]; // prettier-ignore

/** Rows of the product's as a floor can send them again. */
export const storedRows = async (url, { columns }, name, where, values) =>
  ask(url, `select ${columns[name].map(asText).join(', ')} from public.${name} where ${where}`, values);

/** The rows of a table after a position, by their streams. */
export const eventsAfter = async (url, floor, after, condition = 'true') =>
  grouped(await storedRows(url, floor, 'event', `position > $1 and ${condition} order by stream_id, version`, [after]));

export const rowsOfStreams = async (url, floor, name, streams, condition = 'true') =>
  storedRows(url, floor, name, `stream_id = any($1) and ${condition}`, [[...streams]]);

export const keysByStream = async (url, floor, streams) => grouped(await rowsOfStreams(url, floor, 'stream_key', streams)); // prettier-ignore

/**
 * One statement that inserts these rows; `rows` is `[[table, row], ...]`. Same tables in the same order give the same
 * text, so that each connection prepares it once.
 */
export const insertOf = ({ columns }, rows) => {
  const values = [];
  const parts = [];
  for (const [name, row] of rows) {
    const marks = columns[name].map((column) => `$${values.push(row[column.name])}`);
    const last = parts.at(-1);
    if (last?.name === name) last.tuples.push(`(${marks.join(', ')})`);
    else parts.push({ name, tuples: [`(${marks.join(', ')})`] });
  }
  const inserts = parts.map(
    ({ name, tuples }) =>
      `insert into floor.${name} (${columns[name].map((c) => c.name).join(', ')}) values ${tuples.join(', ')}`,
  );
  const last = inserts.pop();
  const before = inserts.map((insert, at) => `w${at} as (${insert})`);
  const text = before.length === 0 ? last : `with ${before.join(', ')} ${last}`;
  // PostgreSQL cuts names at 63 bytes.
  return { name: rows.map(([table]) => table[0]).join(''), text, values };
};

/** One statement for any number of callers' rows: each column is an array. What `joined` sends. */
export const joinedInsert = ({ columns }, tables) => {
  let marks = 0;
  const inserts = tables.map((name) => {
    const list = columns[name].map((c) => c.name).join(', ');
    const arrays = columns[name].map(({ type }) => `$${++marks}::${type}[]`);
    return `insert into floor.${name} (${list}) select * from unnest(${arrays.join(', ')})`;
  });
  const last = inserts.pop();
  const text = `with ${inserts.map((insert, at) => `w${at} as (${insert})`).join(', ')} ${last}`;
  return { name: 'joined', text, columns: tables.map((name) => columns[name].map((c) => c.name)) };
};

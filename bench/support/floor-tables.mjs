// The floor writes the product's own bytes into tables of the same shape, without anything of the product's around it.
import { ask } from './processes.mjs';

const inboxColumns = [
  'stream_id',
  'digest',
  'id',
  'source',
  'subject',
  'status',
  'reason',
  'body',
  'received_at',
  'last_received_at',
  'headers',
  'hash',
];
const eventColumns = [
  'stream_id', 'version', 'event_id', 'type', 'schema_version', 'recorded_at', 'tenant', 'actor', 'correlation_id',
  'causation_id', 'data', 'hash',
]; // prettier-ignore
const keyColumns = ['scope', 'key', 'stream_id'];

const tables = { inbox: inboxColumns, event: eventColumns, stream_key: keyColumns };

/** Empty tables with the same columns, checks, indexes and settings as the product's. */
export const makeFloorTables = async (url) => {
  const make = Object.keys(tables).map((name) => `create table floor.${name} (like public.${name} including all)`);
  await ask(url, `drop schema if exists floor cascade; create schema floor; ${make.join(';')}`);
};

export const emptyFloorTables = (url) => ask(url, 'truncate floor.inbox, floor.event, floor.stream_key');

/**
 * One statement that inserts these rows; `rows` is `[[table, row], ...]`. Same tables in the same order give the same
 * text, so that each connection prepares it once.
 */
export const insertOf = (rows) => {
  const values = [];
  const parts = [];
  for (const [name, row] of rows) {
    const marks = tables[name].map((column) => `$${values.push(row[column])}`);
    const last = parts.at(-1);
    if (last?.name === name) last.tuples.push(`(${marks.join(', ')})`);
    else parts.push({ name, tuples: [`(${marks.join(', ')})`] });
  }
  const inserts = parts.map(
    ({ name, tuples }) => `insert into floor.${name} (${tables[name].join(', ')}) values ${tuples.join(', ')}`,
  );
  const last = inserts.pop();
  const before = inserts.map((insert, at) => `w${at} as (${insert})`);
  const text = before.length === 0 ? last : `with ${before.join(', ')} ${last}`;
  // PostgreSQL cuts names at 63 bytes.
  return { name: rows.map(([table]) => table[0]).join(''), text, values };
};

/** Rows as the floor can send them again: JSON and times as the text that the database holds. */
export const storedRows = async (url, name, where, values) => {
  const columns = tables[name].map((column) => (/_at$|^data$|^headers$/.test(column) ? `${column}::text` : column));
  return ask(url, `select ${columns.join(', ')} from public.${name} where ${where}`, values);
};

export const grouped = (rows, key = 'stream_id') => {
  const groups = new Map();
  for (const row of rows) {
    const group = groups.get(row[key]);
    if (group) group.push(row);
    else groups.set(row[key], [row]);
  }
  return groups;
};

import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { EventStore } from '../../src/platform/event-store/event-store.pg.js';
import { testDatabase, type TestDatabase } from '../support/database.js';
import { aMessage, anEvent, newId, noEvents, someMetadata } from './event-store/samples.js';

/*
 * What docs/scaling.md says of sharding rests on this: rows of one stream can live on one node, because every key of
 * the event tables and every condition of the hot statements carries the stream. No sharded database is run here.
 */

/** The tables that would be cut by stream, and the column that says of which. */
const byStream: Record<string, string> = { event: 'stream_id', inbox: 'stream_id', look: 'stream_id' };

/** Unique without the stream, each with its reason. */
const exceptions: Record<string, string> = {
  stream_key_pkey: 'finds a stream by an order or track id, before any stream is known: cut by its own key',
};

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());

/** All unique indexes of the tables with events in them, with their columns; partitions follow their parents. */
const uniqueIndexes = async (): Promise<{ table: string; name: string; columns: string[] }[]> => {
  const { rows } = await database.pool.query<{ table: string; name: string; columns: string[] }>(
    `select t.relname as table, x.relname as name,
       array(select a.attname::text from pg_attribute a where a.attrelid = t.oid and a.attnum = any(i.indkey)) as columns
     from pg_index i join pg_class t on t.oid = i.indrelid join pg_class x on x.oid = i.indexrelid
     where i.indisunique and not t.relispartition and t.relnamespace = current_schema()::regnamespace
       and t.relname = any($1)`,
    [[...Object.keys(byStream), 'stream_key']],
  );
  return rows;
};

describe('Sharding by stream', () => {
  it('is open to every key of the event tables but those with a reason', async () => {
    const indexes = await uniqueIndexes();
    expect(new Set(indexes.map(({ table }) => table))).toEqual(new Set([...Object.keys(byStream), 'stream_key']));
    const without = indexes.filter(({ table, columns }) => !columns.includes(byStream[table] ?? ''));
    expect(without.map(({ name }) => name).sort()).toEqual(Object.keys(exceptions).sort());
  });

  it('is open to the foreign keys: none ties an event table to another', async () => {
    const { rows } = await database.pool.query(
      `select conname from pg_constraint where contype = 'f'
         and (conrelid::regclass::text = any($1) or confrelid::regclass::text = any($1))`,
      [[...Object.keys(byStream), 'stream_key']],
    );
    expect(rows).toEqual([]);
  });

  it('is open to what is asked on the hot path: each condition on events and evidence names the stream', async () => {
    const asked = jest.spyOn(pg.Client.prototype, 'query');
    const store = new EventStore({ url: database.url });
    const append = (streamId: string, more: object = {}) =>
      store.append({ streamId, head: noEvents, events: [anEvent()], metadata: someMetadata(), ...more });
    const [one, two] = [newId(), newId()];
    await append(one);
    await append(two, { message: aMessage('sharded') });
    await append(newId(), { keys: [{ scope: 'order', key: newId() }] });
    // Those that wait together share one statement.
    await Promise.all(Array.from({ length: 8 }, (_, n) => append(newId(), { message: aMessage(`m-${String(n)}`) })));
    await store.read(one);
    await store.readMany([one, two]);
    await store.messagesOf(two);
    await store.close();
    const texts = new Set(asked.mock.calls.map(([statement]) => textOf(statement)));
    asked.mockRestore();
    const places = [...texts].flatMap((text) =>
      [...text.matchAll(/\b(?:from|join|into|update) (?:event|inbox)\b/g)].map(({ index }) =>
        text.slice(index, index + 120),
      ),
    );
    expect(places.length).toBeGreaterThan(15);
    expect(places.filter((place) => !place.includes('stream_id'))).toEqual([]);
  });
});

const textOf = (statement: unknown): string =>
  typeof statement === 'object' && statement !== null && 'text' in statement
    ? String(statement.text)
    : String(statement);

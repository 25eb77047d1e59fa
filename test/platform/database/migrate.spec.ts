import { cp, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DatabaseIsNewer, migrate } from '../../../src/platform/database/migrate.pg.js';
import { asAdmin, newDatabaseName, testDatabase, urlFor, type TestDatabase } from '../../support/database.js';
import { ask, remove, temporaryDirectory } from '../../support/embedded-postgres.js';

const migrations = fileURLToPath(new URL('../../../migrations', import.meta.url));

describe('Migrating', () => {
  let name: string;
  let url: string;
  let directory: string;
  beforeEach(async () => {
    name = newDatabaseName();
    url = urlFor(name);
    await asAdmin(`create database "${name}"`);
    directory = await temporaryDirectory();
    await cp(migrations, directory, { recursive: true });
  });
  afterEach(async () => {
    await asAdmin(`drop database "${name}"`);
    await remove(directory);
  });

  it('runs every file once, in order, and notes it', async () => {
    const files = (await readdir(migrations)).filter((file) => file.endsWith('.sql')).sort();
    const ran = await migrate(url);
    expect(ran[0]).toBe('event_store_0000000000001');
    expect(ran).toHaveLength(files.length);
    expect(await migrate(url)).toEqual([]);
    expect((await ask(url, 'select name from migration order by id')).map((row) => row['name'])).toEqual(ran);
  });

  it('D14: is safe when two replicas start at once', async () => {
    const ran = await Promise.all([migrate(url), migrate(url)]);
    expect(ran.map((names) => names.length > 0).sort()).toEqual([false, true]);
  });

  it('adds only what is new to a database that has data', async () => {
    await migrate(url, directory);
    await writeFile(join(directory, '9001_colour.sql'), 'create table colour (name text);');
    expect(await migrate(url, directory)).toEqual(['colour_0000000009001']);
  });

  it('refuses a database that a newer release has migrated', async () => {
    await writeFile(join(directory, '9001_colour.sql'), 'create table colour (name text);');
    await migrate(url, directory);
    const refusal = await migrate(url).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(DatabaseIsNewer);
    expect(refusal).toMatchObject({ unknown: ['colour_0000000009001'] });
  });

  it('D14: leaves nothing of a file that fails, keeps those before it, and can be run again', async () => {
    await writeFile(join(directory, '9001_colour.sql'), 'create table colour (name text); select 1 / 0;');
    await expect(migrate(url, directory)).rejects.toThrow('9001_colour.sql failed: division by zero');
    expect(await ask(url, `select to_regclass('colour') as colour, to_regclass('event') is not null as event`)).toEqual(
      [{ colour: null, event: true }],
    );
    await writeFile(join(directory, '9001_colour.sql'), 'create table colour (name text);');
    expect(await migrate(url, directory)).toEqual(['colour_0000000009001']);
  });
});

describe('The event log', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await testDatabase();
    await database.pool.query(
      `insert into event (stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash)
       select id, 1, id, 'Noted', 1, now(), id, 'service', id, id, '{}', sha256('') from gen_random_uuid() as id`,
    );
  });
  afterAll(() => database.drop());

  it.each([
    'update event set type = type',
    'delete from event where false',
    'truncate event',
    'truncate event cascade',
  ])('D13: refuses: %s', async (statement) => {
    await expect(database.pool.query(statement)).rejects.toMatchObject({
      code: '23001',
      message: expect.stringMatching(/append-only: (update|delete|truncate) on event/),
    });
    expect((await database.pool.query('select count(*) as n from event')).rows).toEqual([{ n: 1 }]);
  });
});

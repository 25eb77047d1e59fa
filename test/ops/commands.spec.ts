import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Command } from 'commander';
import { Client } from 'pg';
import { commandLine } from '../../src/ops/cli.module.js';
import { printable, printableJson } from '../../src/ops/command.cli.js';
import { testDatabase, type TestDatabase } from '../support/database.js';

interface Run {
  code: number;
  out: string;
  err: string;
}

let database: TestDatabase;
let directory: string;
beforeAll(async () => {
  database = await testDatabase();
  directory = await mkdtemp(join(tmpdir(), 'finality-commands-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
  await database.drop();
});

const finality = (args: string[], env: Record<string, string> = {}): Promise<Run> =>
  new Promise((resolve) => {
    const all = { PATH: process.env['PATH'], DATABASE_URL: database.url, DATA_DIR: directory, ...env };
    execFile(process.execPath, ['dist/cli.js', ...args], { env: all, timeout: 20_000 }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err });
    });
  });

/** Every command that does something, by its path. */
const commandsIn = (command: Command, path: string[] = []): { path: string[]; command: Command }[] =>
  command.commands.length === 0
    ? [{ path, command }]
    : command.commands.flatMap((below) => commandsIn(below, [...path, below.name()]));

/** What `--help` prints. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (piece) => (text += piece) });
  command.outputHelp();
  return text;
}

describe('Every command', () => {
  it('has help with examples of itself, and takes --json', () => {
    const commands = commandsIn(commandLine(() => Promise.resolve()));
    const named =
      'replay, explain, timeline, reconcile, callbacks list, callbacks show, callbacks reprocess, webhooks list';
    const more = 'webhooks redeliver, policy simulate, verify, export, applications create, applications list';
    const rest = 'applications rotate-key, doctor, match, review, checkpoint';
    const wanted = [named, more, rest].join(', ').split(', ');
    const paths = commands.map(({ path }) => path.join(' '));
    expect(wanted.filter((name) => !paths.some((path) => path === name || path.startsWith(`${name} `)))).toEqual([]);
    for (const { path, command } of commands) {
      const help = helpOf(command);
      expect([path, help]).toEqual([path, expect.stringContaining(`\nExamples:\n  finality ${path.join(' ')}`)]);
      expect([path, help]).toEqual([path, expect.stringContaining('--json')]);
    }
  });

  it.each([
    [['doctor', '--surprise'], "unknown option '--surprise'"],
    [['explain'], "missing required argument 'payment'"],
    [['replay'], 'give one of --projection, --payment and --diff'],
    [['unheard'], "unknown command 'unheard'"],
  ])('%j is refused with 64, and the help is pointed to', async (args, why) => {
    const { code, err } = await finality(args);
    expect([code, err]).toEqual([64, expect.stringContaining(why)]);
    expect(err).toContain('--help');
  });

  it.each([
    ['a key of ours', ['explain', 'fin_0123456789abcdefghijklmnopqrstuv']],
    ['a webhook secret', ['explain', 'whsec_0123456789abcdefghijklmn']],
    ['a database address with a password', ['explain', 'postgres://user:canary@db.example/finality']],
    ['an option that names a secret', ['doctor', '--api-key=canary']],
    ['an option that is followed by one', ['doctor', '--password', 'canary']],
  ])('C04: refuses %s as an argument, where every user of the machine could read it', async (_, args) => {
    const { code, err, out } = await finality(args);
    expect([code, err]).toEqual([64, expect.stringContaining('a secret does not belong in an argument')]);
    expect(err + out).not.toContain('canary');
  });

  it('prints nothing but its result, even where it starts the embedded database for itself and fills it', async () => {
    const { code, out, err } = await finality(['applications', 'list', '--json'], { DATABASE_URL: '' });
    expect([code, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toEqual([]);
  });

  it('says in one sentence that nobody answers at DATABASE_URL', async () => {
    const { code, out, err } = await finality(['doctor', '--json'], { DATABASE_URL: 'postgres://x@127.0.0.1:9/x' });
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/^finality: The database cannot be reached: .*ECONNREFUSED.*\. Check DATABASE_URL,.*\n$/);
  });

  it('C05: strips what a terminal would obey from text, and escapes it in JSON', () => {
    const hostile = 'a\u001b[2Jb\u009b31mc\u202ed\re\u0007f\tg';
    expect(printable(hostile)).toBe('a?[2Jb?31mc?d?e?f?g');
    expect(printable('two\nlines, ünïcode and 漢字')).toBe('two\nlines, ünïcode and 漢字');
    const json = printableJson({ hostile });
    expect(json).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    expect(JSON.parse(json)).toEqual({ hostile });
  });
});

describe('C07: on a database that is not one of this release, every command', () => {
  const elsewhere = async (name: string, sql: string): Promise<string> => {
    const url = new URL(database.url);
    const admin = new Client({ connectionString: database.url });
    await admin.connect();
    await admin.query(`drop database if exists ${name}`);
    await admin.query(`create database ${name}`);
    await admin.end();
    url.pathname = `/${name}`;
    const client = new Client({ connectionString: url.toString() });
    await client.connect();
    await client.query(sql);
    await client.end();
    return url.toString();
  };
  const tablesOf = async (url: string): Promise<unknown[]> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query(`select tablename from pg_tables where schemaname = 'public' order by 1`);
    await client.end();
    return rows;
  };
  const drop = async (name: string): Promise<void> => {
    await database.pool.query(`drop database ${name} with (force)`);
  };

  it.each([
    ['another service’s', 'create table customer (id integer)', "another service's database"],
    ['an empty one', 'select 1', 'The database is empty'],
    [
      'a newer one',
      `create table event (); create table migration (id serial, timestamp bigint, name text);
       insert into migration (timestamp, name) values (9999, 'from_the_future_0000000009999')`,
      'is newer than this release',
    ],
    [
      'an older one',
      'create table event (); create table migration (id serial, timestamp bigint, name text)',
      'is older than this release',
    ],
  ])('ends with 65 and touches nothing: %s', async (_, sql, why) => {
    const name = `c07_${String(process.pid)}`;
    const url = await elsewhere(name, sql);
    const before = await tablesOf(url);
    for (const args of [['doctor'], ['replay', '--projection', 'all'], ['webhooks', 'list']]) {
      const { code, err } = await finality(args, { DATABASE_URL: url });
      expect([args, code, err]).toEqual([args, 65, expect.stringContaining(why)]);
    }
    expect(await tablesOf(url)).toEqual(before);
    await drop(name);
  });
});

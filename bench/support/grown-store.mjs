// A store that grows: generated payments with everything that belongs to them, while no service runs on it.
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ask, startDatabase, startWorker } from './processes.mjs';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const writers = 2;
/** Numbers that one writer may give to its payments. */
const room = 5_000_000;

const sizeOf = async (url) => (await ask(url, 'select count(*)::int as n, pg_database_size(current_database())::float8 as bytes from event'))[0]; // prettier-ignore

/**
 * Rebuilds the read models and seals the log, as an operator does, and tells the reactors that what is past is none of
 * theirs.
 */
const catchUp = async (url, dataDir) => {
  const options = { env: { PATH: process.env.PATH, DATABASE_URL: url, DATA_DIR: dataDir }, maxBuffer: 2 ** 28 };
  const run = (...words) => promisify(execFile)(process.execPath, [cli, ...words], options);
  await run('replay', '--projection', 'all', '--restart', '--yes');
  await ask(url, 'update subscription set position = (select max(position) from event)');
  await run('checkpoint');
  // As the server would have done long before: it must not begin while something is measured.
  await ask(url, 'vacuum (analyze)');
};

/**
 * The server vacuums what grows, again and again, and what is written later fills the ends of pages that it has found. Done
 * once, at the end, it would have the next events fill the ends of all pages that there are, one here and one there.
 */
const vacuumMeanwhile = async (url, work) => {
  let over = false;
  const vacuuming = (async () => {
    while (!over) {
      await ask(url, 'vacuum event, inbox');
      await delay(1000);
    }
  })();
  await work.finally(() => (over = true));
  await vacuuming;
};

/** Grows the store of `dataDir` to so many events. `first` numbers the payments of this time. */
export const growTo = async ({ dataDir, events, first, say }) => {
  const database = await startDatabase(dataDir);
  const { url } = database;
  try {
    const [{ id: application }] = await ask(url, `select id from application where name = 'default'`);
    const before = await sizeOf(url);
    const began = performance.now();
    const parts = Array.from({ length: writers }, async (_, at) => {
      const worker = startWorker();
      const wanted = Math.ceil(Math.max(0, events - before.n) / writers);
      await worker.run('writeHistory', { url, events: wanted, application, first: first + at * room, complete: true });
      await worker.stop();
    });
    await vacuumMeanwhile(url, Promise.all(parts));
    say(`growth: written in ${Math.round((performance.now() - began) / 1000)} s`);
    await catchUp(url, dataDir);
    say(`growth: ready after ${Math.round((performance.now() - began) / 1000)} s`);
    const after = await sizeOf(url);
    return { events: after.n, bytes: after.bytes };
  } finally {
    await database.stop();
  }
};

/** The distance between the numbers of two growths. */
export const numbersOfGrowth = writers * room;

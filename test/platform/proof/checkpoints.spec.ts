import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { QueryConfig } from 'pg';
import { SystemClock } from '../../../src/platform/clock.js';
import { readFileText } from '../../../src/platform/proof/checkpoint-file.js';
import { Checkpoints, checkpointsAfter, lastCheckpoint } from '../../../src/platform/proof/checkpoints.pg.js';
import { Receipts } from '../../../src/platform/proof/receipts.pg.js';
import { isSignedBy, proofKeys, Signer } from '../../../src/platform/proof/signing.js';
import { LogReader } from '../../../src/platform/event-store/log-reader.pg.js';
import { newId } from '../event-store/samples.js';
import { asOwner, otherSeed, publicKey, sealedStore, seed, type SealedStore } from './support.js';

describe('A checkpoint of the log', () => {
  let shop: SealedStore;
  const [one, two] = [newId(), newId()] as [string, string];
  beforeAll(async () => {
    shop = await sealedStore();
  });
  afterAll(() => shop.close());

  const fileOf = async (number: number) =>
    readFileText(await readFile(join(shop.directory, `checkpoint-0000000${String(number)}.json`), 'utf8'));

  it('says which head each stream had and which evidence was there, signed, in a file outside the database', async () => {
    await shop.write(one, 3, 10);
    await shop.write(two, 1, 10);
    expect(await shop.job().now()).toEqual({ made: 1, exported: 1, newest: 1 });
    const file = await fileOf(1);
    const { text, statement, signature } = file?.signed ?? { text: '', statement: null, signature: Buffer.alloc(0) };
    expect(isSignedBy(publicKey, text, signature)).toBe(true);
    const head = (await shop.store.read(one)).head.hash?.toString('hex');
    const known = [...(file?.heads ?? [])].find(([streamId]) => streamId === one);
    expect(known).toEqual([one, 3, head, [1, 2, 3]]);
    expect(statement).toMatchObject({
      number: 1,
      previous: null,
      events: { after: 0, upTo: 4, count: 4 },
      heads: { count: 2 },
      messages: { count: 4 },
      publicKey,
    });
    expect(await lastCheckpoint(shop.pool)).toMatchObject({ number: 1, upTo: 4 });
  });

  it('follows the one before it, and tells of what came since, be it nothing', async () => {
    await shop.write(one, 2);
    await shop.job().now();
    expect((await fileOf(2))?.heads).toEqual([[one, 5, expect.any(String), [5, 6]]]);
    await shop.job().now();
    expect((await fileOf(3))?.heads).toEqual([]);
    expect((await shop.audit()).breaks.kept).toEqual([]);
  });

  it('does not tell of evidence that may still be joined by other evidence of its time', async () => {
    const before = (await fileOf(3))?.signed.statement.messages.upTo ?? '';
    const fresh = newId();
    expect(before < fresh).toBe(true);
    expect(
      parseInt(fresh.replace('-', '').slice(0, 12), 16) - parseInt(before.replace('-', '').slice(0, 12), 16),
    ).toBeGreaterThan(299_000);
  });

  it('is made when its time has come, by one of many processes', async () => {
    const jobs = [shop.job(), shop.job(), shop.job()];
    const tick = async () => {
      for (const job of jobs) job.tick();
      await Promise.all(jobs.map((job) => job.settled()));
    };
    await tick();
    expect((await lastCheckpoint(shop.pool))?.number).toBe(3);
    shop.clock.advance(3599);
    await tick();
    expect((await lastCheckpoint(shop.pool))?.number).toBe(3);
    shop.clock.advance(2);
    await tick();
    expect((await lastCheckpoint(shop.pool))?.number).toBe(4);
    expect((await readdir(shop.directory)).sort()).toEqual(
      [1, 2, 3, 4].map((number) => `checkpoint-0000000${String(number)}.json`),
    );
  });

  it('gets its file at the next run where a process died before it was written', async () => {
    const path = join(shop.directory, 'checkpoint-00000004.json');
    const text = await readFile(path, 'utf8');
    await rm(path);
    await writeFile(`${path}.123.tmp`, text.slice(0, 50));
    const job = shop.job();
    job.tick();
    await job.settled();
    expect(await readFile(path, 'utf8')).toBe(text);
    await rm(`${path}.123.tmp`);
  });

  it('is exported to the directories of two machines alike', async () => {
    const other = join(shop.directory, 'other');
    const job = shop.job({ directory: other });
    job.tick();
    await job.settled();
    for (const name of await readdir(other))
      expect(await readFile(join(other, name), 'utf8')).toBe(await readFile(join(shop.directory, name), 'utf8'));
    expect(await readdir(other)).toHaveLength(4);
    await rm(other, { recursive: true });
  });

  it('never writes over a file, and makes none in a directory that knows of later ones', async () => {
    const path = join(shop.directory, 'checkpoint-00000009.json');
    await writeFile(path, 'of another store');
    await expect(shop.job().now()).rejects.toThrow(
      /checkpoint-00000009\.json is newer than the database, which knows 4/,
    );
    await rm(path);
    expect(await shop.job().now()).toMatchObject({ newest: 5 });
  });

  it('is not exported once the store is not any more what it sealed', async () => {
    const changed = await sealedStore();
    try {
      await changed.write(newId(), 2);
      // Made, and the process died before it was exported.
      const checkpoints = new Checkpoints(changed.pool, new LogReader(changed.pool), changed.clock, new Signer(seed));
      expect(await checkpoints.seal(0)).toBe('made');
      await asOwner(changed.pool, (query) => query('update event set hash = sha256(hash) where version = 2'));
      await expect(changed.job().now()).rejects.toThrow('the store is not any more what checkpoint 1 sealed');
      expect(await readdir(changed.directory)).toEqual([]);
      // Nor is another one made, which would be young although nothing is exported any more.
      expect((await lastCheckpoint(changed.pool))?.number).toBe(1);
    } finally {
      await changed.close();
    }
  });

  it('never makes a receipt accuse the store, though it is made while the events are read', async () => {
    const fresh = await sealedStore();
    const two = newId();
    const busy = new Proxy(fresh.pool, {
      get: (pool, name) =>
        name === 'query'
          ? async (query: QueryConfig) => {
              const answer = await pool.query(query);
              if (query.name !== 'receipt-stream') return answer;
              await fresh.write(two, 1);
              await fresh.job().now();
              return answer;
            }
          : (Reflect.get(pool, name) as unknown),
    });
    try {
      const receipts = new Receipts(busy, fresh.clock, proofKeys([seed]));
      const [id, text] = [two, ''];
      const summary = { id, orderId: text, status: text, amount: text, currency: text };
      const summarize = () => ({ ...summary, received: null, paidAt: null, closedAt: null });
      await fresh.write(two, 1);
      expect((await receipts.of(two, summarize)).checkpoint).toBeNull();
      expect((await receipts.of(two, summarize)).checkpoint?.head.slice(0, 2)).toEqual([two, 2]);
    } finally {
      await fresh.close();
    }
  });

  it('is made again by a clock that is right, after one that was far ahead has made one', async () => {
    const fresh = await sealedStore();
    try {
      fresh.clock.advance(365 * 24 * 3600);
      await fresh.job().now();
      const right = new Checkpoints(fresh.pool, new LogReader(fresh.pool), new SystemClock(), new Signer(seed));
      expect(await right.seal(3_600_000)).toBe('made');
      expect(await right.seal(3_600_000)).toBe('not due');
    } finally {
      await fresh.close();
    }
  });

  it('refuses to be changed, removed or cut off in the database', async () => {
    for (const text of [`update checkpoint set statement = '{}'`, 'delete from checkpoint', 'truncate checkpoint'])
      await expect(shop.pool.query(text)).rejects.toThrow(/append-only: \w+ on checkpoint/);
    expect((await checkpointsAfter(shop.pool, 0, 100)).length).toBeGreaterThan(4);
  });

  it('is not made without a key, which is said', async () => {
    await expect(shop.job({ seeds: [] }).now()).rejects.toThrow('CHECKPOINT_KEY is not set');
  });

  it('goes on under another key, which is trusted with the former one only', async () => {
    const fresh = await sealedStore();
    try {
      await fresh.write(newId(), 1);
      await fresh.job().now();
      await fresh.job({ seeds: [otherSeed, seed] }).now();
      expect((await fresh.audit()).breaks.kept).toMatchObject([
        { reason: 'checkpoint_of_other_key', checkpoint: 2 },
        { reason: 'file_of_other_key', checkpoint: 2 },
      ]);
      const { publicKeys } = proofKeys([otherSeed, seed]);
      expect((await fresh.audit({ publicKeys })).breaks.count).toBe(0);
    } finally {
      await fresh.close();
    }
  });
});

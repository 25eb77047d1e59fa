import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SystemClock } from '../../../src/platform/clock.js';
import { lastVerification, VerificationJob } from '../../../src/platform/proof/verification.job.js';
import { newId } from '../event-store/samples.js';
import { asOwner, publicKey, sealedStore, type SealedStore } from './support.js';

describe('The daily look at the whole store', () => {
  let shop: SealedStore;
  const streamId = newId();
  beforeAll(async () => {
    shop = await sealedStore();
    await shop.write(streamId, 3, 10);
    await shop.job().now();
  });
  afterAll(() => shop.close());

  const job = (): VerificationJob =>
    new VerificationJob(shop.pool, shop.clock, {
      databaseUrl: shop.database.url,
      directory: shop.directory,
      publicKeys: [publicKey],
    });
  const looks = async (): Promise<number> =>
    (await shop.pool.query<{ count: number }>('select count(*)::int as count from verification')).rows[0]?.count ?? 0;

  it('is taken by one of many processes, and once a day', async () => {
    expect(await lastVerification(shop.pool)).toBeNull();
    await Promise.all([job(), job(), job()].map((each) => each.tick()));
    expect(await lastVerification(shop.pool)).toMatchObject({ events: 3, messages: 3, breaks: 0 });
    await job().tick();
    expect(await looks()).toBe(1);
  });

  it('D13 finds within a day what was changed, and keeps what it found', async () => {
    await asOwner(shop.pool, (query) => query(`update event set actor = 'nobody' where version = 2`));
    shop.clock.advance(24 * 3600 + 60);
    await job().tick();
    expect(await lastVerification(shop.pool)).toMatchObject({ breaks: 1 });
    const { rows } = await shop.pool.query<{ found: unknown }>(
      'select found from verification order by began_at desc limit 1',
    );
    expect(rows[0]?.found).toEqual([{ streamId, version: 2, position: 2, reason: 'hash_mismatch' }]);
  });

  it('is taken again by a clock that is right, after one that was far ahead', async () => {
    const right = new VerificationJob(shop.pool, new SystemClock(), {
      databaseUrl: shop.database.url,
      directory: shop.directory,
      publicKeys: [publicKey],
    });
    await right.tick();
    await right.tick();
    expect(await looks()).toBe(2);
    expect((await lastVerification(shop.pool))?.endedAt.slice(0, 10)).toBe(new SystemClock().now().slice(0, 10));
  });

  it('ends at once when the process does', async () => {
    shop.clock.advance(24 * 3600 + 60);
    const ending = job();
    await Promise.all([ending.tick(), ending.beforeApplicationShutdown()]);
    expect(await looks()).toBe(2);
  });
});

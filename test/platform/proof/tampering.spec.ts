import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  changeCheckpoint,
  checkpointColumns,
  eventColumns,
  inboxColumns,
  isNamed,
  numbersFrom,
  plant,
} from '../../../bench/support/tampering.mjs';
import { generateLog } from '../../../bench/support/generated-log.mjs';
import { eventHash } from '../../../src/platform/event-store/hash-chain.js';
import type { StoreAudit } from '../../../src/platform/proof/store-audit.pg.js';
import { seed } from '../../payments/seed.js';
import { asOwner, otherSeed, sealedStore, type SealedStore } from './support.js';

type Query = (text: string, values?: unknown[]) => Promise<unknown>;

describe('Whatever is done to the store by whoever owns the database', () => {
  let shop: SealedStore;
  let victim: string;
  beforeAll(async () => {
    shop = await sealedStore();
    // More than one checkpoint's span.
    await generateLog(shop.pool, { events: 5000 });
    await shop.job().now();
    await shop.pool.query('create table event_before as table event');
    await shop.pool.query('create table inbox_before as table inbox');
    await shop.pool.query('create table checkpoint_before as table checkpoint');
    const { rows } = await shop.pool.query<{ id: string }>(
      `select stream_id as id from event where position > 4500 and version = 5 limit 1`,
    );
    victim = rows[0]?.id ?? '';
  }, 60_000);
  afterAll(() => shop.close());

  /** As it was. */
  afterEach(async () => {
    await asOwner(shop.pool, async (query) => {
      for (const table of ['event', 'inbox', 'checkpoint']) {
        await query(`delete from ${table}`);
        await query(
          `insert into ${table} ${table === 'event' ? 'overriding system value' : ''} select * from ${table}_before`,
        );
      }
    });
  });

  const done = async (work: (query: Query) => Promise<unknown>, options = {}): Promise<StoreAudit> => {
    await asOwner(shop.pool, work);
    return shop.audit(options);
  };
  const named = ({ breaks }: StoreAudit) =>
    breaks.kept.map(({ reason, streamId, version, until }) => [
      reason,
      streamId,
      version,
      ...(until === undefined || until === version ? [] : [until]),
    ]);

  it('a whole store is found whole', async () => {
    const { breaks, seals, ...counted } = await shop.audit();
    expect(breaks.kept).toEqual([]);
    expect(counted).toEqual({ events: 5000, streams: 1000, messages: 1000 });
    expect(seals).toMatchObject({ checkpoints: 2, files: 2, sealedUpTo: 5000, unexported: 0 });
  });

  it('FT16 names every one of 150 changed bytes, in every column of the events and of the evidence', async () => {
    const planted: Awaited<ReturnType<typeof plant>> = [];
    const audit = await done(async () => planted.push(...(await plant(shop.pool, 150, seed))));
    expect(new Set(planted.map(({ column }) => column))).toEqual(
      new Set([...Object.keys(eventColumns), ...Object.keys(inboxColumns)]),
    );
    expect(planted.filter((change) => !isNamed(audit.breaks.kept, change))).toEqual([]);
  }, 60_000);

  it.each(Object.keys(checkpointColumns))('a changed byte in the column %s of a checkpoint', async (column) => {
    const audit = await done(() => changeCheckpoint(shop.pool, { number: 2 }, column, numbersFrom(3)));
    expect(audit.breaks.kept.map(({ checkpoint }) => checkpoint)).toContain(2);
  });

  it.each([
    ['removed', (id: string) => [`delete from event where stream_id = '${id}' and version = 2`, 'missing_version', 2]],
    [
      'the last removed',
      (id: string) => [`delete from event where stream_id = '${id}' and version = 5`, 'sealed_event_missing', 5],
    ],
    [
      'its hash changed',
      (id: string) => [
        `update event set hash = sha256(hash) where stream_id = '${id}' and version = 2`,
        'stored_hash_changed',
        2,
      ],
    ],
    [
      'moved in the log',
      (id: string) => [
        `update event set position = position + 1 where stream_id = '${id}' and version = 3`,
        'position_differs',
        3,
      ],
    ],
    [
      'moved to the end of the log',
      (id: string) => [
        `update event set position = 7000 where stream_id = '${id}' and version = 5`,
        'position_differs',
        5,
      ],
    ],
    [
      'given microseconds',
      (id: string) => [
        `update event set recorded_at = recorded_at + interval '7 microseconds' where stream_id = '${id}' and version = 4`,
        'hash_mismatch',
        4,
      ],
    ],
  ])('an event %s', async (_, how) => {
    const [text, reason, version] = how(victim);
    expect(named(await done((query) => query(String(text))))).toEqual([[reason, victim, version]]);
  });

  it('two events in each other’s place', async () => {
    const audit = await done((query) =>
      query(
        `update event e set position = o.position from event o where e.stream_id = o.stream_id and e.stream_id = '${victim}'
         and e.version + o.version = 5 and e.version in (2, 3)`,
      ),
    );
    expect(named(audit)).toEqual(
      expect.arrayContaining([
        ['position_differs', victim, 2],
        ['out_of_order', victim, 3],
      ]),
    );
  });

  it('a whole stream removed', async () => {
    const audit = await done((query) => query(`delete from event where stream_id = '${victim}'`));
    expect(named(audit)).toEqual([1, 2, 3, 4, 5].map((version) => ['sealed_event_missing', victim, version]));
  });

  it('a stream written anew, chain and all, which only a checkpoint can see', async () => {
    const rewrite = async (query: Query): Promise<void> => {
      const { rows } = (await query(
        `select stream_id as "streamId", version, event_id as id, type, schema_version as "schemaVersion", recorded_at as "recordedAt", tenant, actor,
           correlation_id as "correlationId", causation_id as "causationId", replace(data::text, '49.90', '99.90') as data from event
         where stream_id = '${victim}' order by version`,
      )) as { rows: Parameters<typeof eventHash>[1][] };
      let hash: Buffer | null = null;
      for (const event of rows) {
        hash = eventHash(hash, event);
        await query(`update event set data = $3, hash = $4 where stream_id = $1 and version = $2`, [
          event.streamId,
          event.version,
          event.data,
          hash,
        ]);
      }
    };
    expect(named(await done(rewrite))).toEqual([
      ['sealed_hash_differs', victim, 4],
      ['sealed_hash_differs', victim, 5],
    ]);
    // The spans are known from the database alone, the stream from the files.
    const { breaks } = await shop.audit({ directory: '/nowhere' });
    expect(breaks.kept).toEqual([1, 2].map((checkpoint) => ({ reason: 'span_differs', checkpoint })));
  });

  it('an event put in where nothing was', async () => {
    const audit = await done((query) =>
      query(`insert into event overriding system value select 4321, gen_random_uuid(), 1, gen_random_uuid(), type, 1, recorded_at, tenant, actor,
        correlation_id, causation_id, data, hash from event where stream_id = '${victim}' and version = 1`),
    );
    expect(audit.breaks.kept).toMatchObject([{ reason: 'hash_mismatch', version: 1, position: 4321 }]);
  });

  it('evidence removed, added, written anew, or without its hash', async () => {
    const { rows } = await shop.pool.query<{ id: string }>('select id from inbox order by id limit 4');
    const [one, two, three, four] = rows.map(({ id }) => id);
    const audit = await done(async (query) => {
      await query(`delete from inbox where id = '${one}'`);
      await query(`update inbox set body = 'x' where id = '${two}'`);
      await query(`update inbox set hash = null where id = '${three}'`);
      await query(`insert into inbox select stream_id, sha256(digest), overlay(id::text placing 'aaaaaaaa' from 29)::uuid, source, subject, status, reason, body,
        received_at, last_received_at, receipts, headers, hash from inbox where id = '${four}'`);
    });
    expect(audit.breaks.kept.map(({ reason, messageId }) => [reason, messageId]).sort()).toEqual([
      ['message_changed', two],
      ['message_changed', expect.stringMatching(/aaaaaaaa$/)],
      ['message_unhashed', three],
      ['sealed_message_missing', one],
    ]);
  });

  it('receipts of a message counted and what became of it noted, which is no change', async () => {
    const audit = await done((query) =>
      query(`update inbox set receipts = receipts + 1, status = 'matched', last_received_at = now()`),
    );
    expect(audit.breaks.count).toBe(0);
  });

  it('the end of everything cut off, as by a restored backup: what is missing is named by the files', async () => {
    const audit = await done(async (query) => {
      await query('delete from event where position > 4400');
      await query('delete from checkpoint where number = 2');
    });
    expect(audit.breaks.kept).toContainEqual({ reason: 'store_is_older', checkpoint: 2 });
    expect(named(audit)).toContainEqual(['sealed_event_missing', victim, 5]);
    expect(audit.breaks.count).toBe(1 + 600);
  });

  it('a checkpoint removed from the database', async () => {
    const audit = await done((query) => query('delete from checkpoint where number = 1'));
    expect(audit.breaks.kept).toEqual([{ reason: 'checkpoint_missing', checkpoint: 1 }]);
  });

  it('a checkpoint given an enormous number, which keeps nobody busy', async () => {
    const audit = await done((query) => query('update checkpoint set number = 2147483647 where number = 1'));
    expect(audit.breaks.kept).toEqual([
      { reason: 'checkpoint_missing', checkpoint: 1 },
      { reason: 'checkpoint_missing', checkpoint: 3, until: 2_147_483_646 },
      { reason: 'checkpoint_row_changed', checkpoint: 2_147_483_647 },
    ]);
  });

  it('all checkpoints made anew with another key', async () => {
    const audit = await done(async (query) => {
      await query('delete from checkpoint');
      await shop.job({ seeds: [otherSeed], directory: join(shop.directory, 'forged') }).now();
    });
    await rm(join(shop.directory, 'forged'), { recursive: true });
    expect(audit.breaks.kept.map(({ reason, checkpoint }) => [reason, checkpoint])).toEqual(
      expect.arrayContaining([
        ['checkpoint_of_other_key', 1],
        ['checkpoint_of_other_key', 2],
      ]),
    );
  });

  describe('and to the exported files', () => {
    let copy: string;
    const path = (number: number): string => join(copy, `checkpoint-0000000${String(number)}.json`);
    beforeAll(async () => {
      copy = await mkdtemp(join(tmpdir(), 'finality-copy-'));
    });
    afterAll(() => rm(copy, { recursive: true }));

    it('names the file for any byte of it that is another', async () => {
      const next = numbersFrom(seed);
      for (let round = 0; round < 24; round++) {
        await cp(shop.directory, copy, { recursive: true });
        const bytes = await readFile(path(1));
        // Early bytes are the statement and the signature, which are few.
        const at = next(round % 2 === 0 ? 1000 : bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ (1 + next(127));
        await writeFile(path(1), bytes);
        const { breaks } = await shop.audit({ directory: copy });
        expect([round, at, breaks.kept.map(({ file }) => file)]).toEqual([
          round,
          at,
          expect.arrayContaining([path(1)]),
        ]);
      }
    }, 60_000);

    it('names a file that is gone, and one in the place of another', async () => {
      await cp(shop.directory, copy, { recursive: true });
      await rm(path(1));
      expect((await shop.audit({ directory: copy })).breaks.kept).toEqual([
        { reason: 'file_missing', checkpoint: 1, file: path(1) },
      ]);
      await cp(path(2), path(1));
      expect((await shop.audit({ directory: copy })).breaks.kept).toEqual([
        { reason: 'file_unreadable', checkpoint: 1, file: path(1) },
      ]);
      expect(await readdir(copy)).toHaveLength(2);
    });
  });
});

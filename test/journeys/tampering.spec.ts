import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { created, payAll } from '../api/support.js';
import { asOwner } from '../platform/proof/support.js';
import { proofKeys } from '../../src/platform/proof/signing.js';
import { checkpointKey, startTestService, until, type TestService } from '../support/service.js';

/** Each test starts processes, which take their time on a busy machine. */
jest.setTimeout(60_000);

describe('An operator who asks whether the store is as it was written', () => {
  let shop: TestService;
  let directory: string;
  let paid: string;
  let cut: string;
  const [publicKey = ''] = proofKeys([checkpointKey]).publicKeys;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'finality-tampering-'));
    shop = await startTestService();
    for (const orderId of ['tampered', 'cut-off']) {
      const payment = await created(shop, orderId);
      await payAll(shop, payment.trackId);
      await until(async () => (await shop.api('GET', `/v1/orders/${orderId}`)).body.fulfillment === 'requested');
      if (orderId === 'tampered') paid = payment.id;
      else cut = payment.id;
    }
    // Nothing is appended any more, so that what was is what must be.
    await shop.service.close();
    expect((await finality('checkpoint')).out).toMatch(/^1 made; 1 written to \S+, the newest is checkpoint 1\.$/m);
    for (const table of ['event', 'inbox', 'payment_view'])
      await shop.database.pool.query(`create table ${table}_before as table ${table}`);
  }, 60_000);
  afterAll(async () => {
    await shop.sandbox?.close();
    await shop.database.drop();
    await rm(directory, { recursive: true });
  });
  afterEach(() =>
    asOwner(shop.database.pool, async (query) => {
      for (const table of ['event', 'inbox', 'payment_view']) {
        await query(`delete from ${table}`);
        const columns = await written(table);
        await query(`insert into ${table} (${columns}) overriding system value select ${columns} from ${table}_before`);
      }
    }),
  );

  /** The columns of a table that are not computed from others. */
  const written = async (table: string): Promise<string> => {
    const { rows } = await shop.database.pool.query<{ columns: string }>(
      `select string_agg(quote_ident(column_name), ', ') as columns from information_schema.columns
       where table_name = $1 and is_generated = 'NEVER'`,
      [table],
    );
    return rows[0]?.columns ?? '';
  };

  const finality = (...args: string[]): Promise<{ code: number; out: string; err: string }> =>
    new Promise((resolve) => {
      const env = {
        PATH: process.env['PATH'] ?? '',
        DATABASE_URL: shop.database.url,
        DATA_DIR: directory,
        CHECKPOINT_DIR: join(directory, 'checkpoints'),
        CHECKPOINT_KEY: checkpointKey,
      };
      execFile(process.execPath, ['dist/cli.js', ...args], { env, timeout: 30_000 }, (error, out, err) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err });
      });
    });
  const tamper = (text: string): Promise<void> => asOwner(shop.database.pool, (query) => query(text));

  it('is told that it is, with what was looked at and whose signature was trusted', async () => {
    const { code, out } = await finality('verify', '--projections');
    expect([code, out]).toEqual([0, expect.stringContaining('All is as it was written.')]);
    expect(out).toMatch(
      /^\d+ events in \d+ streams, \d+ messages, 1 checkpoints and 1 files of them up to position \d+$/m,
    );
    expect(out).toContain(`signed by ${publicKey}`);
    expect(out).toContain('read model orders was compared with the events');
    const asked = await finality(
      'verify',
      '--checkpoint',
      join(directory, 'checkpoints'),
      '--public-key',
      publicKey,
      '--json',
    );
    expect([asked.code, JSON.parse(asked.out)]).toEqual([
      0,
      expect.objectContaining({ ok: true, broken: 0, breaks: [] }),
    ]);
  });

  it('D13 can do nothing to an event by accident: the database refuses', async () => {
    for (const text of ['update event set type = type', 'delete from event where version = 99', 'truncate event'])
      await expect(shop.database.pool.query(text)).rejects.toThrow(/append-only/);
  });

  it('C08 D13 is told which payment, order, version and position a changed row is of', async () => {
    await tamper(
      `update event set data = replace(data::text, '49.90', '19.90')::json where stream_id = '${paid}' and version = 1`,
    );
    for (const args of [['verify'], ['verify', '--payment', paid]]) {
      const { code, out } = await finality(...args);
      expect(code).toBe(1);
      expect(out).toMatch(
        new RegExp(
          `^BROKEN  payment ${paid} \\(order tampered\\), version 1, position 1: the row is not what was recorded`,
          'm',
        ),
      );
      expect(out).toContain('→ Keep the database as it is');
      expect(out).toMatch(/^1 broken\.$/m);
    }
    expect((await finality('verify', '--payment', cut)).code).toBe(0);
  });

  it('C08 is told of a hole, of a stream without its end, and of one that is gone', async () => {
    await tamper(`delete from event where stream_id = '${paid}' and version = 2`);
    expect((await finality('verify')).out).toMatch(
      new RegExp(`^BROKEN  payment ${paid} \\(order tampered\\), version 2.*: an event is missing`, 'm'),
    );
    await tamper(`delete from event where stream_id = '${cut}'`);
    const { code, out } = await finality('verify', '--json');
    const { breaks } = JSON.parse(out) as { breaks: { orderId?: string; paymentId?: string; reason: string }[] };
    expect(code).toBe(1);
    expect(breaks).toContainEqual(
      expect.objectContaining({ paymentId: cut, orderId: 'cut-off', version: 1, reason: 'sealed_event_missing' }),
    );
  });

  it('C08 is told of a read model that is not what the events say', async () => {
    await shop.database.pool.query(`update payment_view set status = 'expired' where payment_id = '${paid}'`);
    expect((await finality('verify')).code).toBe(0);
    const { code, out } = await finality('verify', '--projections');
    expect([code, out]).toEqual([1, expect.stringContaining('BROKEN  read model orders (table payment_view)')]);
  });

  it('is told of evidence that was changed, and of the payment that it is about', async () => {
    await shop.database.pool.query(
      `update inbox set body = overlay(body placing '\\x58' from 20) where stream_id = '${paid}'`,
    );
    const { code, out } = await finality('verify', '--payment', paid);
    expect(code).toBe(1);
    expect(out).toMatch(
      new RegExp(
        `^BROKEN  payment ${paid} \\(order tampered\\), message [0-9a-f-]{36}: the evidence is not what was received`,
        'm',
      ),
    );
  });

  it('is told that a checkpoint is of another key than the one that is trusted', async () => {
    const other = Buffer.alloc(32, 7).toString('base64');
    const { code, out } = await finality('verify', '--public-key', other);
    expect([code, out]).toEqual([
      1,
      expect.stringContaining('checkpoint 1: the checkpoint is signed with a key that is not trusted'),
    ]);
  });

  it.each([
    [['--checkpoint', '/nowhere/at/all'], 64, 'There is no file or directory /nowhere/at/all.'],
    [['--checkpoint', 'package.json'], 64, 'not named as a checkpoint is'],
    [['--public-key', 'c2hvcnQ='], 64, 'A public key is 32 bytes in base64'],
    [['--payment', 'nonsense'], 1, 'is not a payment id'],
    [['--payment', 'nonsense', '--checkpoint', '/nowhere'], 64, 'One payment is not compared with checkpoints'],
    [['--payment', '0190a6b2-0000-7000-8000-000000000000'], 1, 'There is no payment with this id'],
  ])('is told what is wrong with %j', async (args, code, sentence) => {
    const answer = await finality('verify', ...args);
    expect([answer.code, answer.err]).toEqual([code, expect.stringContaining(sentence)]);
  });
});

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CheckpointJob } from '../../src/platform/proof/checkpoint.job.js';
import type { Receipt } from '../../src/platform/proof/receipt.js';
import { leafHash } from '../../src/platform/proof/merkle.js';
import { proofKeys, Signer } from '../../src/platform/proof/signing.js';
import { asOwner } from '../platform/proof/support.js';
import { checkpointKey, startTestService, until, type TestService } from '../support/service.js';
import { created, expectProblem, payAll } from './support.js';

describe('The receipt of a payment', () => {
  let shop: TestService;
  let directory: string;
  let id: string;
  const { publicKeys } = proofKeys([checkpointKey]);
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'finality-receipts-'));
    shop = await startTestService({ env: { CHECKPOINT_KEY: checkpointKey, CHECKPOINT_DIR: directory } });
    for (const orderId of ['receipt-before', 'receipt-zoë', 'receipt-after']) {
      const payment = await created(shop, orderId);
      await payAll(shop, payment.trackId);
      await until(async () => (await shop.api('GET', `/v1/payments/${payment.id}`)).body.fulfillable);
      if (orderId === 'receipt-zoë') id = payment.id;
    }
  });
  afterAll(async () => {
    await shop.close();
    await rm(directory, { recursive: true });
  });

  const receipt = async (): Promise<Receipt> => (await shop.api('GET', `/v1/payments/${id}/receipt`)).body as Receipt;

  /** Checks it as its reader would: with one script, in a process that knows nothing of us. */
  const check = async (text: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> => {
    const path = join(directory, 'receipt.json');
    await writeFile(path, text);
    return new Promise((resolve) => {
      const env = { PATH: process.env['PATH'] ?? '' };
      execFile(process.execPath, ['examples/check-receipt.mjs', path, ...args], { env }, (error, out, err) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err });
      });
    });
  };

  it('proves by itself what was paid, when and by which event, before any checkpoint', async () => {
    const given = await receipt();
    expect(given).toMatchObject({
      format: 'finality-receipt-1',
      payment: { id, orderId: 'receipt-zoë', status: 'paid', amount: '49.90', currency: 'USD' },
      checkpoint: null,
      publicKey: publicKeys[0],
    });
    const { code, out } = await check(JSON.stringify(given));
    expect(code).toBe(0);
    expect(out).toContain(`Proven: payment ${id} for order receipt-zoë, 49.90 USD, is paid.`);
    expect(out).toMatch(/It was paid at \S+Z, by event \d+ \(PaymentPaid, [0-9a-f-]{36}\)/);
    expect(out).toContain('not sealed by a checkpoint yet');
  });

  it('leads to the checkpoint that has sealed it', async () => {
    await shop.service.app.get(CheckpointJob).now();
    const { code, out } = await check(JSON.stringify(await receipt(), null, 2), '--public-key', publicKeys[0] ?? '');
    expect([code, out]).toEqual([0, expect.stringMatching(/Its first \d+ events were sealed by checkpoint 1 at/)]);
    expect(out).toContain('the key that you trust');
  });

  it('fails with the place named when any byte of it is another, or another key is trusted', async () => {
    const text = JSON.stringify(await receipt());
    for (let round = 0; round < 40; round++) {
      const at = Math.floor(((round + 0.5) * text.length) / 40);
      const other = text[at] === '7' ? '8' : '7';
      const { code, err } = await check(text.slice(0, at) + other + text.slice(at + 1));
      expect([round, text.slice(at - 20, at + 1), code, err]).toEqual([
        round,
        expect.any(String),
        1,
        expect.stringMatching(/^NOT PROVEN: [^:]+: /),
      ]);
    }
    const trusted = await check(text, '--public-key', Buffer.alloc(32, 7).toString('base64'));
    expect([trusted.code, trusted.err]).toEqual([1, expect.stringContaining('not the key that you trust')]);
  }, 60_000);

  it.each<[string, (given: Receipt) => unknown, string]>([
    ['an event left out', (r) => r.events.splice(2, 1), 'event 3'],
    ['the last event left out', (r) => r.events.pop(), 'head'],
    ['another amount in the summary', (r) => (r.payment.amount = '49.91'), 'signature'],
    [
      'another amount in an event',
      (r) => Object.assign(r.events[0] ?? {}, { data: r.events[0]?.data.replace('49.90', '49.91') }),
      'event 1 (PaymentRequested)',
    ],
    ['a field that nobody signed', (r) => Object.assign(r, { note: 'also paid' }), 'the receipt'],
    ['another leaf', (r) => r.checkpoint && (r.checkpoint.index += 1), 'checkpoint'],
    ['no path', (r) => r.checkpoint && (r.checkpoint.path = []), 'checkpoint'],
  ])('fails with %s', async (_, change, place) => {
    const given = await receipt();
    change(given);
    const { code, err } = await check(JSON.stringify(given));
    expect([code, err]).toEqual([1, expect.stringContaining(`NOT PROVEN: ${place}`)]);
  });

  it('fails with a checkpoint of somebody else, which a receipt of ours was given', async () => {
    const given = await receipt();
    const stranger = new Signer(Buffer.alloc(32, 9).toString('base64'));
    const { statement, head } = given.checkpoint ?? { statement: '{}', head: [] };
    const forged = JSON.stringify({
      ...(JSON.parse(statement) as object),
      createdAt: '2020-01-01T00:00:00.000Z',
      heads: { count: 1, root: leafHash(JSON.stringify(head)).toString('hex') },
      publicKey: stranger.publicKey,
    });
    const signature = stranger.sign(forged).toString('base64');
    const text = JSON.stringify({ ...given, checkpoint: { statement: forged, signature, head, index: 0, path: [] } });
    const trusted = ['--public-key', publicKeys[0] ?? ''];
    const { code, err } = await check(text, ...trusted);
    expect([code, err]).toEqual([1, expect.stringContaining('NOT PROVEN: checkpoint: it is signed with')]);
    // As a key that was in use before would be.
    const { code: known, out } = await check(text, ...trusted, '--public-key', stranger.publicKey);
    expect([known, out]).toEqual([0, expect.stringContaining(`signed with ${stranger.publicKey}; whoever`)]);
  });

  it('is not given for a payment whose events are not as they were recorded, chain and all or not', async () => {
    const path = `/v1/payments/${id}/receipt`;
    const given = await receipt();
    const { pool } = shop.database;
    await pool.query('create table event_before as table event');
    await asOwner(pool, (query) =>
      query(`update event set actor = 'nobody' where stream_id = '${id}' and version = 2`),
    );
    expectProblem(await shop.api('GET', path), 'proof_unavailable');
    await asOwner(pool, async (query) => {
      await query('delete from event');
      await query('insert into event select * from event_before');
    });
    expect((await shop.api('GET', path)).status).toBe(200);
    // What is left is a good chain; that it once went on is known to the checkpoint.
    await asOwner(pool, (query) =>
      query(`delete from event where stream_id = '${id}' and version = ${String(given.head.version)}`),
    );
    expectProblem(await shop.api('GET', path), 'proof_unavailable');
    expect(shop.logged.some((line) => line.includes('a receipt was refused'))).toBe(true);
  });
});

describe('A service without a key', () => {
  it('says that it gives no receipts, and notes at its start that it makes no checkpoints', async () => {
    const shop = await startTestService();
    try {
      const { id } = await created(shop, 'no-receipt');
      const answer = await shop.api('GET', `/v1/payments/${id}/receipt`);
      expectProblem(answer, 'proof_unavailable');
      expect(answer.body.detail).toContain('CHECKPOINT_KEY');
      expect(shop.logged.some((line) => line.includes('no checkpoints are made'))).toBe(true);
    } finally {
      await shop.close();
    }
  });
});

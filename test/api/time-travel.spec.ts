import { execFile } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, until, type TestService } from '../support/service.js';
import { created, expectProblem } from './support.js';

describe('A payment whose money was seen by the network before it was known here', () => {
  let shop: TestService;
  let id: string;
  let token: string;
  /** When the network saw it, a moment after that, and when it became known here. */
  let seenAt: string;
  let between: string;
  let knownAt: string;

  beforeAll(async () => {
    shop = await startTestService();
    const payment = await created(shop, 'late-news');
    id = payment.id;
    token = (await shop.api('GET', `/v1/payments/${id}`)).body.statusUrl.split('/').at(-1);
    // The gateway dates to the second: what follows is of another one.
    await shop.control('/_sandbox/clock/advance', { seconds: 5 });
    await shop.control('/_sandbox/scenarios/no_callbacks', { trackId: payment.trackId });
    // Before the reconciler looks by itself, ten minutes after the invoice was opened.
    await shop.control('/_sandbox/clock/advance', { seconds: 120 });
    between = shop.clock.now();
    await shop.control('/_sandbox/clock/advance', { seconds: 120 });
    await shop.api('POST', `/v1/payments/${id}/reconcile`);
    const { body } = await shop.api('GET', `/v1/payments/${id}/events?limit=100`);
    const detected = body.items.find(({ type }: { type: string }) => type === 'TransferDetected');
    seenAt = detected.data.transfer.firstSeenAt;
    knownAt = detected.recordedAt;
    expect(seenAt < between && between < knownAt).toBe(true);
    expect(detected.happenedAt).toBe(seenAt);
  }, 30_000);
  afterAll(() => shop.close());

  it('is answered as it was known then, and what had happened already is told beside it', async () => {
    const { body } = await shop.api('GET', `/v1/payments/${id}?asOf=${between}`);
    expect(body).toMatchObject({ status: 'pending', progress: 'awaiting_payment', transfers: [] });
    expect(body.asOf).toMatchObject({ time: between, version: 2 });
    expect(body.asOf.newestVersion).toBeGreaterThan(2);
    expect(body.asOf.learnedLater).toEqual([
      {
        eventId: expect.any(String),
        version: expect.any(Number),
        type: 'TransferDetected',
        happenedAt: seenAt,
        recordedAt: knownAt,
      },
    ]);
    expect((await shop.api('GET', `/v1/payments/${id}`)).body).not.toHaveProperty('asOf');
  });

  it('had nothing to be learned later before the money moved, and nothing after it was known', async () => {
    const { body: opened } = await shop.api('GET', `/v1/payments/${id}?asOf=1`);
    expect(opened.asOf).toMatchObject({ version: 1, learnedLater: [] });
    const { body: now } = await shop.api('GET', `/v1/payments/${id}?asOf=${knownAt}`);
    expect(now).toMatchObject({ status: 'paid', asOf: { learnedLater: [] } });
  });

  it('is explained as it was known then', async () => {
    const { body } = await shop.api('GET', `/v1/payments/${id}/explanation?asOf=${between}`);
    expect(body).toMatchObject({ complete: false, blockedBy: 'no_money_seen', waitingOn: 'payer' });
    expect(body.asOf.learnedLater).toHaveLength(1);
  });

  it('is shown to the payer as it was known then, with nothing to click', async () => {
    const page = async (asOf: string) =>
      (await fetch(`${shop.url}/pay/${token}?asOf=${encodeURIComponent(asOf)}`)).text();
    const then = await page(between);
    expect(then).toContain('Waiting for your payment');
    const words = then.replace(/<\/?bdi[^>]*>/g, '');
    expect(words).toContain(`As it was known at ${between}.`);
    expect(words).toContain(`seen by the network at ${seenAt}; it became known here at ${knownAt}`);
    expect(then).toContain('data-live="0"');
    expect(then).not.toMatch(/<script|<button|href="http/);
    expect(await page('2')).toContain('Waiting for your payment');
    const wrong = await fetch(`${shop.url}/pay/${token}?asOf=yesterday`);
    expect(wrong.status).toBe(400);
    expect((await fetch(`${shop.url}/pay/${token}?asOf=2020-01-01T00:00:00Z`)).status).toBe(404);
  });

  it('did not exist before it was asked for', async () => {
    expectProblem(await shop.api('GET', `/v1/payments/${id}?asOf=2020-01-01T00:00:00Z`), 'not_found');
  });

  it('is told the same way on the command line', async () => {
    const explain = (...args: string[]): Promise<{ code: number; out: string; err: string }> =>
      new Promise((resolve) => {
        const env = { ...process.env, NODE_OPTIONS: '', DATABASE_URL: shop.database.url };
        execFile(
          process.execPath,
          ['dist/cli.js', 'explain', id, ...args],
          { env, timeout: 15_000 },
          (error, out, err) => {
            resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err });
          },
        );
      });
    const { out } = await explain('--as-of', between);
    expect(out).toContain('blocked by  no_money_seen');
    expect(out).toMatch(new RegExp(`Known at ${between}: 2 of the \\d+ events known now\\.`));
    expect(out).toContain(`TransferDetected had happened at ${seenAt}, and was recorded here at ${knownAt}`);
    const wrong = await explain('--as-of', 'yesterday');
    expect([wrong.code, wrong.err]).toEqual([
      64,
      expect.stringContaining('--as-of takes an event version or an RFC 3339 time'),
    ]);
    await until(async () => (await explain('--as-of', '1', '--json')).code === 0);
  });
});

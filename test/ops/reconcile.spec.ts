import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { openPayment, type OpenPayment } from '../callbacks/support.js';
import { freePort, startTestService, type TestService } from '../support/service.js';
import { withOperatorLock } from '../../src/platform/database/operator-lock.pg.js';
import { ReconcileJob } from '../../src/reconciliation/reconcile.job.js';
import { finalityBeside } from './command-process.js';

// Each command is a process, and there are several in one test.
jest.setTimeout(60_000);

describe('Asking the gateway, from the command line', () => {
  let shop: TestService;
  let finality: ReturnType<typeof finalityBeside>;
  let quiet: OpenPayment;
  let silent: OpenPayment;
  beforeAll(async () => {
    shop = await startTestService();
    finality = finalityBeside(shop);
    [quiet, silent] = [await openPayment(shop), await openPayment(shop)];
    // The service itself looks no more, so that what is found is found by the command.
    await shop.service.app.get(ReconcileJob).stop();
    for (const { trackId } of [quiet, silent])
      await shop.control(`/_sandbox/payments/${trackId}/status`, { status: 'paid', callback: false });
  });
  afterAll(() => shop.close());

  it('tells what became of one payment, and by which events', async () => {
    const { code, out } = await finality('reconcile', '--payment', quiet.id);
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/^[0-9a-f-]{36} {2}order order-\S+ {2}.*: #3 GatewayReported/),
    ]);
    const again = await finality('reconcile', '--payment', quiet.id, '--json');
    expect([again.code, again.json]).toMatchObject([0, { paymentId: quiet.id, events: [] }]);
    const { rows } = await shop.database.pool.query(
      'select distinct actor from event where stream_id = $1 and version > 2',
      [quiet.id],
    );
    expect(rows).toEqual([{ actor: expect.stringMatching(/^operator:.+@.+$/) }]);
  });

  it('walks the history since a time and tells what changed', async () => {
    const hourAgo = new Date(Date.now() - 3_600_000).toISOString();
    const { code, json } = await finality('reconcile', '--since', hourAgo, '--json');
    expect(code).toBe(0);
    expect(json).toMatchObject({ reports: 2, payments: 2, changed: 1, failed: [] });
    expect(json.changes).toMatchObject([{ paymentId: silent.id, status: 'paid' }]);
    const nothing = await finality('reconcile');
    expect([nothing.code, nothing.out]).toEqual([
      0,
      expect.stringContaining('tells of 2 payments, 2 of them ours: 0 changed'),
    ]);
  });

  it('is done by one operator at a time', async () => {
    await withOperatorLock(shop.database.url, 'reconcile', async () => {
      const { code, err } = await finality('reconcile');
      expect([code, err]).toEqual([75, expect.stringMatching(/reconcile is under way already: finality .+ since/)]);
    });
  });

  it('says where to go on when the gateway is away, and ends with 1', async () => {
    const away = finalityBeside(shop, { SANDBOX_PORT: String(await freePort()) });
    const one = await away('reconcile', '--payment', silent.id);
    expect([one.code, one.err]).toEqual([1, expect.stringContaining('The gateway could not be asked')]);
    const since = '2026-01-31T00:00:00.000Z';
    const all = await away('reconcile', '--since', since);
    expect([all.code, all.err]).toEqual([
      1,
      expect.stringContaining(`go on later with: finality reconcile --since ${since}`),
    ]);
  });

  it.each([
    [['--payment', 'x', '--since', 'y'], 64, 'give --payment or --since, not both'],
    [['--since', 'yesterday'], 64, '--since takes an RFC 3339 time'],
    [['--since', '2999-01-01T00:00:00Z'], 64, '--since takes a time in the past'],
    [['--payment', 'nonsense'], 1, '"nonsense" is not a payment id'],
    [['--payment', '01890000-0000-7000-8000-000000000000'], 1, 'There is no payment with this id'],
  ])('answers %j with exit code %d and a sentence', async (args, exit, sentence) => {
    const { code, err } = await finality('reconcile', ...args);
    expect([code, err]).toEqual([exit, expect.stringContaining(sentence)]);
  });

  it('leaves a payment that it was asked about as the API shows it', async () => {
    const { body } = await shop.api('GET', `/v1/payments/${silent.id}`);
    const { json } = await finality('reconcile', '--payment', silent.id, '--json');
    expect([json.status, json.progress]).toEqual([body.status, body.progress]);
  });
});

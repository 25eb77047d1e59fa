import { execFile } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addDelivery, addOther, otherKey } from '../api/support.js';
import { apiKey, merchantKey, payoutKey, startTestService, until, type TestService } from '../support/service.js';

interface Run {
  code: number;
  out: string;
  err: string;
}

describe('The command line, beside a running service', () => {
  let shop: TestService;
  let id: string;
  beforeAll(async () => {
    shop = await startTestService();
    const { body } = await shop.api('POST', '/v1/payments', { orderId: 'cli-1', amount: '50.00', currency: 'USD' });
    id = body.id as string;
    await shop.control('/_sandbox/scenarios/underpaid', { trackId: body.trackId as string });
    await until(async () => (await shop.api('GET', '/v1/orders/cli-1')).body.received === '30.00');
    // The look that is due 20 s later tells more of this payment, and would mend the rows that are damaged below.
    const { body: asked } = await shop.api('POST', `/v1/payments/${id}/reconcile`);
    await until(async () => {
      const text = 'select from payment_view where payment_id = $1 and version >= $2';
      return (await shop.database.pool.query(text, [id, asked.version])).rows.length > 0;
    });
  });
  afterAll(() => shop.close());

  /** Runs the command as a process of its own, as an operator would. */
  const finality = (...args: string[]): Promise<Run> => finalityWith({}, ...args);
  const finalityWith = (more: Record<string, string>, ...args: string[]): Promise<Run> =>
    new Promise((resolve) => {
      const env = {
        ...process.env,
        NODE_OPTIONS: '',
        DATABASE_URL: shop.database.url,
        SANDBOX_PORT: String(shop.config.sandboxPort),
        ...more,
      };
      execFile(process.execPath, ['dist/cli.js', ...args], { env, timeout: 15_000 }, (error, out, err) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err });
      });
    });

  it('explains a payment in one sentence, as the API does', async () => {
    const { code, out } = await finality('explain', id);
    expect(code).toBe(0);
    expect(out).toMatch(/^30\.00 USD of 50\.00 USD arrived; 20\.00 USD is missing until \d{4}-/);
    const api = await shop.api('GET', `/v1/payments/${id}/explanation`);
    expect(JSON.parse((await finality('explain', id, '--json')).out)).toEqual(api.body);
  });

  it('shows events and evidence side by side, oldest first', async () => {
    const { out } = await finality('timeline', id);
    const kinds = out
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/)[1]);
    expect(kinds[0]).toBe('event');
    expect(kinds).toContain('evidence');
    const times = out
      .trim()
      .split('\n')
      .map((line) => line.slice(0, 24));
    expect(times).toEqual([...times].sort());
  });

  it('folds one stream step by step, up to a version', async () => {
    const { out } = await finality('replay', '--payment', id, '--as-of', '2', '--json');
    const { steps } = JSON.parse(out) as { steps: { event: string; status: string }[] };
    expect(steps.map(({ event, status }) => [event, status])).toEqual([
      ['PaymentRequested', 'created'],
      ['InvoiceOpened', 'pending'],
    ]);
  });

  it('rebuilds the order read model to what it was, after somebody damaged it', async () => {
    const same = await finality('replay', '--projection', 'orders', '--dry-run');
    expect([same.code, same.out]).toEqual([0, expect.stringContaining('payment_view: same')]);
    await shop.database.pool.query(`update payment_view set status = 'paid', email = E'\\x1b[2Jshop\\nlive'`);
    const differs = await finality('replay', '--projection', 'orders', '--dry-run');
    expect([differs.code, differs.out]).toEqual([1, expect.stringContaining('payment_view: DIFFERS')]);
    expect(differs.out).toContain(`    payment_id=${id}\n`);
    expect(differs.out).toContain('      status: live paid, rebuilt pending\n');
    expect(differs.out).toContain('      email: live ?[2Jshop?live, rebuilt null\n');
    const all = await finality('replay', '--projection', 'all', '--verify');
    expect([all.code, all.out]).toEqual([0, expect.stringContaining('status: live paid, rebuilt pending')]);
    expect(all.out).toMatch(/DIFFERS[^]*replayed and swapped in\n$/);
    const { body } = await shop.api('GET', '/v1/payments?orderId=cli-1');
    expect(body.items[0]).toMatchObject({ status: 'pending', received: '30.00' });
    const { body: created } = await shop.api('POST', '/v1/payments', {
      orderId: 'cli-2',
      amount: '1.00',
      currency: 'USD',
    });
    await shop.api('POST', `/v1/payments/${String(created.id)}/reconcile`);
    const list = await shop.api('GET', `/v1/payments?orderId=cli-2&minPosition=${String(created.position)}`);
    expect(list.body.items).toHaveLength(1);
  }, 60_000);

  it('gives what differs as JSON too, and counts the events before it reads them', async () => {
    await shop.database.pool.query(`update order_view set complete = true where order_id = 'cli-1'`);
    const { code, out, err } = await finality('replay', '--projection', 'orders', '--dry-run', '--json');
    const [replayed] = JSON.parse(out) as { events: number; tables: unknown[] }[];
    expect(code).toBe(1);
    expect(err).toContain(`orders: ${String(replayed?.events)} events to read.`);
    expect(replayed).toMatchObject({ projection: 'orders', resumedAt: null, swapped: false });
    expect(replayed?.tables[1]).toMatchObject({
      table: 'order_view',
      changed: 1,
      differences: [
        {
          kind: 'changed',
          key: { order_id: 'cli-1' },
          columns: [{ column: 'complete', live: 'true', rebuilt: 'false' }],
        },
      ],
    });
    expect((await finality('replay', '--projection', 'orders', '--rate', '100000')).code).toBe(0);
  }, 60_000);

  it('builds anew only what events from a position on change', async () => {
    const { body: late } = await shop.api('POST', '/v1/payments', {
      orderId: 'cli-3',
      amount: '1.00',
      currency: 'USD',
    });
    await until(
      async () => (await shop.api('GET', `/v1/payments?minPosition=${String(late.position)}`)).status === 200,
    );
    const from = String(late.position as number);
    const same = await finality('replay', '--projection', 'orders', '--from', from, '--dry-run');
    expect([same.code, same.out]).toEqual([0, expect.stringContaining('payment_view: same')]);
    await shop.database.pool.query(`update payment_view set amount = 77; update order_view set due = 77`);
    expect((await finality('replay', '--projection', 'orders', '--from', from)).code).toBe(0);
    const { rows } = await shop.database.pool.query(
      `select order_id, p.amount, o.due from payment_view p join order_view o using (order_id) order by order_id`,
    );
    expect(rows).toEqual([
      { order_id: 'cli-1', amount: '77', due: '77' },
      { order_id: 'cli-2', amount: '77', due: '77' },
      { order_id: 'cli-3', amount: '1.00', due: '1.00' },
    ]);
    expect((await finality('replay', '--projection', 'orders')).code).toBe(0);
    expect((await finality('replay', '--projection', 'orders', '--dry-run')).code).toBe(0);
  }, 60_000);

  it('C01: swaps nothing in production without --yes, and says what it would change', async () => {
    const production = {
      GATEWAY: 'oxapay',
      OXAPAY_MERCHANT_API_KEY: merchantKey,
      OXAPAY_PAYOUT_API_KEY: payoutKey,
      PUBLIC_URL: 'https://pay.example',
      OPS_PASSWORD: 'test-ops-password',
      API_KEY: apiKey,
    };
    // One to which nothing happens any more, so that its row stays as it was damaged.
    const { body } = await shop.api('POST', '/v1/payments', { orderId: 'cli-c01', amount: '5.00', currency: 'USD' });
    const { body: over } = await shop.api('POST', `/v1/payments/${body.id as string}/cancel`);
    await shop.api('GET', `/v1/payments?minPosition=${String(over.position)}`);
    await shop.database.pool.query(`update payment_view set status = 'paid' where payment_id = $1`, [body.id]);
    const withheld = await finalityWith(production, 'replay', '--projection', 'orders');
    expect([withheld.code, withheld.err.includes('events to read')]).toEqual([1, true]);
    expect(withheld.out).toContain('status: live paid, rebuilt failed');
    expect(withheld.out).toContain('Nothing was swapped: this is production. Add --yes');
    expect((await finality('replay', '--projection', 'orders', '--dry-run')).code).toBe(1);
    expect((await finalityWith(production, 'replay', '--projection', 'orders', '--yes')).code).toBe(0);
    expect((await finality('replay', '--projection', 'orders', '--dry-run')).code).toBe(0);
  }, 60_000);

  it('replays nothing that has an outside effect', async () => {
    const { code, err } = await finality('replay', '--projection', 'fulfillment');
    expect(code).toBe(1);
    expect(err).toContain(
      'There is no projection "fulfillment"; there are: orders, deposit_addresses, payment_traces, all.',
    );
  });

  it('finds all well, and says what is not', async () => {
    const well = await finality('doctor');
    expect(well.out).toContain('fsync on, synchronous_commit on');
    expect(well.code).toBe(0);
    await shop.database.pool.query(`update subscription set error = 'a planted failure' where name = 'orders'`);
    const ill = await finality('doctor', '--json');
    await shop.database.pool.query(`update subscription set error = null where name = 'orders'`);
    expect(ill.code).toBe(1);
    const findings = JSON.parse(ill.out) as { check: string; status: string; detail: string }[];
    expect(findings.find(({ check, status }) => check === 'followers' && status === 'fail')).toMatchObject({
      detail: expect.stringMatching(/^orders stopped .*a planted failure/),
    });
  });

  describe('webhooks', () => {
    let endpointId: string;
    const dead: string[] = [];
    let other: string;
    beforeAll(async () => {
      await addOther(shop);
      const endpoint = await shop.api('POST', '/v1/webhook-endpoints', { url: 'http://127.0.0.1:9/\u202e' });
      endpointId = endpoint.body.id as string;
      // The service leaves it alone for now, so that what is queued stays as it was queued.
      await shop.database.pool.query(`update webhook_endpoint set paused_until = now() + interval '30 days'`);
      const given = { endpointId, status: 'dead', type: 'payment.credited', attempts: [500, null] } as const;
      for (const createdAt of ['2026-01-31T12:00:00.000Z', '2026-01-31T13:00:00.000Z'])
        dead.push(await addDelivery(shop, { ...given, createdAt }));
      other = await addDelivery(shop, { ...given, key: otherKey, endpointId: id });
    });
    const statusOf = async (ids: string[]): Promise<string[]> => {
      const text = 'select status from webhook_delivery where id = any($1) order by id';
      return (await shop.database.pool.query<{ status: string }>(text, [ids])).rows.map(({ status }) => status);
    };

    it('are a finding of the doctor where they were given up, which says how to send them again', async () => {
      await shop.database.pool.query(`update webhook_delivery set ended_at = '2026-01-31T13:00:00Z'`);
      const { out, code } = await finality('doctor');
      expect(out).not.toContain('given up in the last');
      await shop.database.pool.query('update webhook_delivery set ended_at = now() where id = any($1)', [dead]);
      const ill = await finality('doctor');
      await shop.database.pool.query(`update webhook_delivery set ended_at = '2026-01-31T13:00:00Z'`);
      expect(ill.out).toContain('2 given up in the last 7 days');
      expect(ill.out).toContain('finality webhooks redeliver --status dead --yes');
      expect([code, ill.code]).toEqual([0, 0]);
    });

    it('lists the deliveries of every application, newest first, and filters them', async () => {
      const { code, out } = await finality('webhooks', 'list', '--type', 'payment.credited');
      expect(code).toBe(0);
      const lines = out.trim().split('\n');
      expect(lines.map((line) => line.split('  ')[1])).toEqual([other, ...[...dead].reverse()]);
      expect(lines[0]).toContain('2 attempts: timeout');
      const range = ['--from', '2026-01-31T12:00:00Z', '--to', '2026-01-31T14:00:00+01:00'];
      const one = await finality('webhooks', 'list', '--type', 'payment.credited', ...range, '--json');
      expect(JSON.parse(one.out)).toMatchObject([{ id: dead[0], attempts: [{ status: 500 }, { outcome: 'timeout' }] }]);
      const some = await finality('webhooks', 'list', '--endpoint', endpointId, '--status', 'dead', '--limit', '1');
      expect(some.out).toContain('There are more');
      expect((await finality('webhooks', 'list', '--payment', id, '--status', 'dead')).out).toBe('No delivery fits.\n');
    });

    it('C01, C02: says what it would send again, and sends nothing without --yes', async () => {
      const { code, out } = await finality('webhooks', 'redeliver', '--type', 'payment.credited', '--status', 'dead');
      expect([code, out]).toEqual([1, expect.stringContaining('3 deliveries matched, 2 would be sent again:')]);
      expect(out).toContain(`2 of 2 to ${endpointId}, http://127.0.0.1:9/?`);
      expect(out).toContain(`none of 1 to ${id}, which is gone or disabled`);
      expect(out).toContain('Add --yes');
      const json = await finality('webhooks', 'redeliver', '--delivery', dead[0] ?? '', '--json');
      expect([json.code, JSON.parse(json.out)]).toEqual([
        1,
        expect.objectContaining({ matched: 1, queued: 1, sent: false }),
      ]);
      expect(await statusOf(dead)).toEqual(['dead', 'dead']);
    });

    it('sends again with --yes, what is named or what fits', async () => {
      const one = await finality('webhooks', 'redeliver', '--delivery', dead[0] ?? '', '--yes');
      expect([one.code, one.out]).toEqual([0, expect.stringContaining('1 delivery matched, 1 queued')]);
      expect(await statusOf(dead)).toEqual(['waiting', 'dead']);
      const all = await finality('webhooks', 'redeliver', '--type', 'payment.credited', '--yes', '--json');
      expect([all.code, JSON.parse(all.out)]).toEqual([0, { matched: 3, queued: 2, sent: true }]);
      expect(await statusOf([...dead, other])).toEqual(['waiting', 'waiting', 'dead']);
    });

    it('shows how, with examples', async () => {
      expect((await finality('webhooks', '--help')).out).toMatch(/list .*\n.*redeliver /);
      expect((await finality('webhooks', 'redeliver', '--help')).out).toContain('--status dead --from');
    });

    it.each([
      [['redeliver'], 64, 'give either --delivery or at least one filter'],
      [['redeliver', '--delivery', 'x', '--status', 'dead'], 64, 'give either --delivery or at least one filter'],
      [['redeliver', '--delivery', 'x', '--yes'], 1, '"x" is not an id'],
      [['redeliver', '--delivery', '01890000-0000-7000-8000-000000000000', '--yes'], 1, 'There is no webhook delivery'],
      [['list', '--status', 'lost'], 64, 'Allowed choices are waiting, delivered, dead, cancelled'],
      [['list', '--type', 'payment.lost'], 64, 'Allowed choices are payment.created'],
      [['list', '--from', 'yesterday'], 64, '--from takes an RFC 3339 time'],
      [['list', '--limit', '1001'], 64, '--limit takes a whole number'],
      [['list', '--payment', '\u001b[2J'], 1, '"?[2J" is not an id'],
    ])('answers %j with exit code %d and a sentence', async (args, exit, sentence) => {
      const { code, err } = await finality('webhooks', ...args);
      expect([code, err]).toEqual([exit, expect.stringContaining(sentence)]);
    });
  });

  it.each([
    [['explain', 'nonsense'], 1, 'is not a payment id'],
    [['explain', '01890000-0000-7000-8000-000000000000'], 1, 'There is no payment with this id'],
    [['explain'], 64, 'missing required argument'],
    [['replay'], 64, 'give one of --projection, --payment and --diff'],
    [['replay', '--projection', 'orders', '--from', '0'], 64, 'a whole number from 1 on'],
    [['replay', '--projection', 'orders', '--rate', '1e3'], 64, 'a whole number from 1 on'],
    [['frobnicate'], 64, 'unknown command'],
  ])('answers %j with exit code %d and a sentence', async (args, exit, sentence) => {
    const { code, err } = await finality(...args);
    expect([code, err]).toEqual([exit, expect.stringContaining(sentence)]);
  });
});

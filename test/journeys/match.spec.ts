import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DailyMatch } from '../../src/reconciliation/daily-match.job.js';
import { dayBefore, dayOf, spanOf } from '../../src/reconciliation/match-day.js';
import { lastMatch, MatchReports } from '../../src/reconciliation/match-reports.pg.js';
import type { Difference, MatchReport, Total } from '../../src/reconciliation/match.js';
import { merchantKey, payoutKey, startTestService, until, type Answer, type TestService } from '../support/service.js';

/** Two days of a shop: a clean one, and one on which the books are tampered with. */
describe('The daily match of our events, the gateway and the ledger', () => {
  let shop: TestService;
  let directory: string;
  let orders = 0;

  const advance = (seconds: number): Promise<Answer> => shop.control('/_sandbox/clock/advance', { seconds });
  const today = (): string => dayOf(shop.clock.now());
  /** To two hours past the end of the day. */
  const overnight = (): Promise<Answer> =>
    advance(Math.ceil((Date.parse(spanOf(today()).to) - Date.parse(shop.clock.now())) / 1000) + 7200);

  const create = async (wish = {}): Promise<{ id: string; trackId: string }> => {
    const body = { orderId: `order-${String(++orders)}`, amount: '50.00', currency: 'USD', ...wish };
    const answer = await shop.api('POST', '/v1/payments', body);
    expect(answer.status).toBe(201);
    return answer.body as { id: string; trackId: string };
  };
  const play = async (scenario: string, wish = {}): Promise<{ id: string; trackId: string }> => {
    const payment = await create(wish);
    await shop.control(`/_sandbox/scenarios/${scenario}`, { trackId: payment.trackId });
    return payment;
  };
  const becomes = (id: string, is: (body: any) => boolean): Promise<unknown> =>
    until(async () => is((await shop.api('GET', `/v1/payments/${id}`)).body), 15_000);
  const paid = async (scenario: string, wish = {}): Promise<{ id: string; trackId: string }> => {
    const payment = await play(scenario, wish);
    await becomes(payment.id, ({ fulfillable }) => fulfillable === true);
    return payment;
  };
  const refund = (id: string): Promise<Answer> =>
    shop.api('POST', `/v1/payments/${id}/refunds`, { address: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ', network: 'TRON', amount: '20.00', reason: 'returned goods' }); // prettier-ignore
  const balance = async (customerId: string): Promise<string> =>
    (await shop.api('GET', `/v1/customers/${customerId}/balance`)).body.balances[0]?.balance ?? '0';
  const kept = (day: string): Promise<MatchReport> => until(() => shop.service.app.get(MatchReports).find(day), 20_000);
  const match = (day: string): Promise<MatchReport> => shop.service.app.get(DailyMatch).make(day);
  const about = ({ differences }: MatchReport, paymentId: string | null): Difference[] =>
    differences.filter((each) => each.paymentId === paymentId);
  const uneven = ({ totals }: MatchReport): Total[] => totals.filter(({ here, there }) => here !== there);
  const tamper = async (text: string, values: unknown[]): Promise<void> => {
    const client = await shop.database.pool.connect();
    await client.query('begin; set local session_replication_role = replica');
    expect((await client.query(text, values)).rowCount).toBe(1);
    await client.query('commit');
    client.release();
  };
  const finality = async (...args: string[]): Promise<{ code: number; out: string; err: string }> => {
    // The command's clock is the sandbox's, which it reads from where the service keeps it.
    const line = JSON.stringify({ kind: 'clock', value: shop.clock.offset });
    await writeFile(join(directory, 'sandbox.json'), `{"kind":"finality-sandbox","version":1}\n${line}\n`);
    const env = {
      ...process.env,
      NODE_OPTIONS: '',
      DATABASE_URL: shop.database.url,
      DATA_DIR: directory,
      SANDBOX_PORT: String(shop.config.sandboxPort),
      OXAPAY_MERCHANT_API_KEY: merchantKey,
      OXAPAY_PAYOUT_API_KEY: payoutKey,
    };
    return new Promise((resolve) => {
      execFile(process.execPath, ['dist/cli.js', ...args], { env, timeout: 60_000 }, (error, out, err) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err });
      });
    });
  };

  beforeAll(async () => {
    shop = await startTestService();
    directory = await mkdtemp(join(tmpdir(), 'finality-match-'));
    // From noon, whenever this runs: what ends days later must not end in the hours after a midnight that are matched.
    const noon = Date.parse(spanOf(today()).to) + 12 * 3_600_000;
    await advance(Math.ceil((noon - Date.parse(shop.clock.now())) / 1000) % (24 * 3600));
  });
  afterAll(async () => {
    await shop.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('of a clean day finds no difference, whatever happened to the payments, and explains what looks like one', async () => {
    const day = today();
    await paid('exact');
    const over = await paid('overpaid', { customerId: 'customer-7' });
    await until(async () => (await balance('customer-7')) !== '0');
    const spending = await create({ customerId: 'customer-7', useCredit: true });
    await shop.api('POST', `/v1/payments/${spending.id}/cancel`);
    await paid('exact', { customerId: 'customer-7', useCredit: true });
    await paid('mixed');
    const tolerated = await play('underpaid', { policy: { underpayment: { tolerancePercent: '40', then: 'reject' } } });
    const short = await play('underpaid', { currency: 'EUR', customerId: 'customer-8', policy: { underpayment: { tolerancePercent: '0', then: 'partial_credit' } } }); // prettier-ignore
    const late = await play('late');
    const lost = await play('no_callbacks');
    const unpaid = await create();
    await paid('exact', { presentation: 'embedded', payCurrency: 'USDT', network: 'TRON' });
    const address = { customerId: 'customer-9', network: 'TRON' };
    const { trackId } = (await shop.api('POST', '/v1/deposit-addresses', address)).body as { trackId: string };
    for (const amount of ['25', '7.5'])
      await shop.control(`/_sandbox/payments/${trackId}/transfers`, { amount, currency: 'USDT', confirmations: 30 });
    await until(async () => (await balance('customer-9')) === '32.5', 15_000);
    const refunded = await paid('exact');
    await refund(refunded.id);
    await fetch(`${shop.sandboxUrl}/v1/payment/invoice`, { method: 'POST', headers: { merchant_api_key: merchantKey, 'content-type': 'application/json' }, body: JSON.stringify({ amount: 7, currency: 'USD', order_id: 'legacy-7' }) }); // prettier-ignore
    await becomes(refunded.id, ({ refunds }) => refunds[0]?.status === 'submitted');
    await overnight();
    await becomes(late.id, ({ review }) => review !== null);
    await becomes(lost.id, ({ fulfillable }) => fulfillable === true);
    await becomes(unpaid.id, ({ status }) => status === 'expired');
    await becomes(short.id, ({ labels }) => labels.includes('credited'));
    await becomes(refunded.id, ({ labels }) => labels.includes('partially_refunded'));
    await becomes(tolerated.id, ({ status }) => status === 'paid' || status === 'expired');
    const report = await kept(day);
    const again = await match(day);
    expect(again.differences).toEqual([]);
    expect(uneven(again)).toEqual([]);
    expect(again.totals.map(({ what }) => what)).toEqual(expect.arrayContaining(['invoiced', 'received', 'refunded', 'credit_granted', 'credit_applied', 'credit_released'])); // prettier-ignore
    expect(again.explained.filter(({ code }) => code === 'other_system')).toMatchObject([{ sentence: expect.stringContaining('legacy-7') }]); // prettier-ignore
    expect([report.day, report.complete, await lastMatch(shop.database.pool)]).toEqual([day, true, expect.objectContaining({ day })]); // prettier-ignore
    expect(over.id).not.toBe(spending.id);
  }, 90_000);

  describe('of a day on which the books were tampered with', () => {
    let day: string;
    let report: MatchReport;
    const planted: Record<string, { id: string; trackId: string }> = {};
    const unknown = '01890000-0000-7000-8000-00000000dead';
    beforeAll(async () => {
      day = today();
      planted['untouched'] = await paid('exact');
      planted['silent'] = await paid('exact');
      planted['more'] = await paid('exact');
      for (const name of ['deleted', 'edited', 'invented'])
        planted[name] = await paid('overpaid', { customerId: `customer-${name}` });
      for (const name of ['deleted', 'edited', 'invented'])
        await until(async () => (await balance(`customer-${name}`)) !== '0');
      const sentBack = (planted['sentBack'] = await paid('exact'));
      await refund(sentBack.id);
      await becomes(sentBack.id, ({ refunds }) => refunds[0]?.status === 'submitted');
      await advance(125);
      await becomes(sentBack.id, ({ refunds }) => refunds[0]?.status === 'confirmed');
      const { trackId } = (await shop.api('GET', `/v1/payments/${sentBack.id}`)).body.refunds[0];
      await shop.control(`/_sandbox/payouts/${trackId as string}/status`, { status: 'failed', callback: false });
      const { silent, more, deleted, edited, invented } = planted;
      await shop.control(`/_sandbox/payments/${silent?.trackId ?? ''}/status`, { status: 'refunded', callback: false });
      await shop.control(`/_sandbox/payments/${more?.trackId ?? ''}/transfers`, { amount: '5', callback: false });
      await fetch(`${shop.sandboxUrl}/v1/payment/invoice`, { method: 'POST', headers: { merchant_api_key: merchantKey, 'content-type': 'application/json' }, body: JSON.stringify({ amount: 9, currency: 'USD', order_id: unknown }) }); // prettier-ignore
      const garbled = (planted['garbled'] = await paid('exact'));
      await tamper(`update event set data = jsonb_set(data::jsonb, '{amount}', '"x"')::json where type = 'PaymentRequested' and stream_id = $1`, [garbled.id]); // prettier-ignore
      const entry = `type = 'CreditAdded' and data->>'paymentId' = $1`;
      await tamper(`delete from event where ${entry}`, [deleted?.id]);
      await tamper(`update event set data = jsonb_set(data::jsonb, '{amount}', '"99"')::json where ${entry}`, [edited?.id]); // prettier-ignore
      await tamper(`update event set data = jsonb_set(data::jsonb, '{source}', '"${unknown}"')::json where ${entry}`, [invented?.id]); // prettier-ignore
      await overnight();
      report = await match(day);
    }, 60_000);

    it('names the payment that the gateway has otherwise', () => {
      const { silent } = planted;
      expect(about(report, silent?.id ?? '')).toMatchObject([
        { kind: 'status_differs', trackId: silent?.trackId, here: 'paid (last heard of the gateway: paid)', there: 'refunded' }, // prettier-ignore
      ]);
      expect(about(report, silent?.id ?? '')[0]?.advice).toContain(`finality reconcile --payment ${silent?.id ?? ''}`);
    });

    it('names the invoice that is not known here', () => {
      expect(about(report, unknown)).toMatchObject([{ kind: 'missing_here', here: 'nothing', there: expect.stringContaining('9 USD') }]); // prettier-ignore
    });

    it('names money that came and was not told', () => {
      expect(about(report, planted['more']?.id ?? '')).toMatchObject([{ kind: 'received_differs', here: '50 USDT', there: '50 USDT + 5 USDT' }]); // prettier-ignore
    });

    it('names the refund that is confirmed here and was not sent', () => {
      expect(about(report, planted['sentBack']?.id ?? '')).toMatchObject([
        { kind: 'refund_differs', here: expect.stringContaining('confirmed: 20 USDT'), there: expect.stringContaining('failed') }, // prettier-ignore
      ]);
    });

    it('names a payment whose own events were spoilt, and an export that would have it says which', async () => {
      const { id = '' } = planted['garbled'] ?? {};
      expect(about(report, id)).toMatchObject([{ kind: 'unreadable', advice: expect.stringContaining(`verify --payment ${id}`) }]); // prettier-ignore
      const { code, err } = await finality('export', '--json');
      expect([code, err]).toEqual([1, expect.stringContaining(`payment ${id} cannot be read`)]);
    }, 60_000);

    it('names the entries of the ledger that were taken away, changed or made up', () => {
      const kinds = (name: string): string[] => about(report, planted[name]?.id ?? '').map(({ kind }) => kind);
      expect(kinds('deleted')).toEqual(['credit_not_booked']);
      expect(kinds('edited')).toEqual(['credit_differs']);
      expect(kinds('invented')).toEqual(['credit_not_booked', 'booked_without_cause']);
    });

    it('names nothing else, and the sums differ by exactly that', () => {
      expect(about(report, planted['untouched']?.id ?? '')).toEqual([]);
      expect(report.differenceCount).toBe(9);
      expect(uneven(report).map(({ what, currency }) => `${what} ${currency}`)).toEqual(['credit_granted USD', 'invoiced USD', 'received USDT', 'refunded USDT']); // prettier-ignore
    });

    it('prints it, keeps it, and ends with 1; a list tells of all days', async () => {
      const { code, out } = await finality('match', '--day', day);
      expect([code, out]).toEqual([1, expect.stringContaining('9 differences:')]);
      expect(out).toContain('≠ USDT');
      expect(out).toContain(`status_differs: payment ${planted['silent']?.id ?? ''}`);
      const json = await finality('match', '--json');
      expect([json.code, JSON.parse(json.out)]).toEqual([1, expect.objectContaining({ day, differenceCount: 9 })]);
      const list = await finality('match', 'list', '--json');
      expect(JSON.parse(list.out)).toMatchObject([
        { day, differences: 9 },
        { day: dayBefore(day), differences: 0 },
      ]);
      expect((await finality('match', 'list')).out).toMatch(/DIFF.*\n.*ok /);
      const going = await finality('match', '--day', today());
      expect(going.out).toContain('the day has not ended');
    }, 60_000);

    it.each([
      [['--day', 'yesterday'], '--day takes a UTC day'],
      [['--day', '2026-02-30'], '--day takes a UTC day'],
      [['--day', '2999-01-01'], 'has not begun yet'],
    ])('answers %j with exit code 64 and a sentence', async (args, sentence) => {
      const { code, err } = await finality('match', ...args);
      expect([code, err]).toEqual([64, expect.stringContaining(sentence)]);
    });
  });

  it('waits for a gateway that does not answer, and is made in one process where two of them try', async () => {
    const day = today();
    await paid('exact');
    await shop.control('/_sandbox/faults', { seed: '1', api: { errorRate: 1, status: 503 } }, 'PUT');
    await overnight();
    await until(async () => shop.logged.some((line) => line.includes('the gateway did not answer')), 60_000);
    expect(await shop.service.app.get(MatchReports).find(day)).toBeNull();
    await shop.control('/_sandbox/faults', {}, 'PUT');
    await advance(700);
    const second = await startTestService({ database: shop.database, clock: shop.clock, sandbox: false, gatewayPort: shop.config.sandboxPort }); // prettier-ignore
    const report = await kept(day);
    await second.close();
    expect(report).toMatchObject({ complete: true, differences: [] });
    const made = shop.logged.concat(second.logged).filter((line) => line.includes('the books of a day were matched') && line.includes(day)); // prettier-ignore
    expect(made).toHaveLength(1);
  }, 120_000);

  it('has the payments of the evening before that ended on the day, and names all that the gateway has forgotten', async () => {
    await advance((Date.parse(spanOf(today()).to) - Date.parse(shop.clock.now())) / 1000 - 600);
    const many = await Promise.all(Array.from({ length: 55 }, () => create()));
    await overnight();
    const day = today();
    for (const { id } of many) await becomes(id, ({ status }) => status === 'expired');
    const well = await match(day);
    expect([well.differences, well.compared.payments]).toEqual([[], 55]);
    expect(well.totals).toEqual([{ what: 'invoiced', currency: 'USD', here: '2750', there: '2750' }]);
    await shop.control('/_sandbox/reset', {});
    const forgotten = await match(day);
    expect(new Set(forgotten.differences.map(({ kind }) => kind))).toEqual(new Set(['missing_at_gateway']));
    expect([forgotten.differenceCount, forgotten.complete]).toEqual([55, false]);
    expect(forgotten.totals).toEqual([{ what: 'invoiced', currency: 'USD', here: '2750', there: '0' }]);
  }, 120_000);
});

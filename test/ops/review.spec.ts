import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { startTestService, until, type TestService } from '../support/service.js';
import { finalityBeside, inProduction } from './command-process.js';

// Each command is a process, and there are several in one test.
jest.setTimeout(60_000);

const who = ['--actor', 'support@shop.example', '--reason', 'the payer sent the rest by card'];

describe('Reviews, from the command line', () => {
  let shop: TestService;
  let finality: ReturnType<typeof finalityBeside>;
  beforeAll(async () => {
    shop = await startTestService();
    finality = finalityBeside(shop);
  });
  afterAll(() => shop.close());

  /** A payment that is short of its price when its time is over, under a policy that asks a person. */
  const waiting = async (orderId: string): Promise<string> => {
    const { body } = await shop.api('POST', '/v1/payments', {
      orderId,
      amount: '50.00',
      currency: 'USD',
      lifetimeMinutes: 15,
      policy: {
        paidWhen: { rule: 'settled' },
        underpayment: { tolerancePercent: '0', then: 'review' },
        overpayment: { tolerancePercent: '0', then: 'review' },
        latePayment: { window: 'PT72H', then: 'review' },
      },
    });
    const { id, trackId } = body as { id: string; trackId: string };
    await shop.control('/_sandbox/scenarios/underpaid', { trackId });
    await shop.control('/_sandbox/clock/advance', { seconds: 3600 });
    await until(
      async () =>
        (await shop.api('GET', `/v1/payments?orderId=${orderId}`)).body.items[0]?.review?.resolvedAt === undefined &&
        (await shop.api('GET', `/v1/payments/${id}`)).body.review !== null,
      15_000,
    );
    await until(
      async () =>
        (await shop.database.pool.query(`select from payment_view where payment_id = $1 and review = 'open'`, [id]))
          .rows.length > 0,
    );
    return id;
  };
  const decisions = async (id: string): Promise<object[]> => {
    const text = `select actor, data->>'decision' as decision, data->>'note' as note from event where stream_id = $1 and type = 'ReviewResolved'`;
    return (await shop.database.pool.query<object>(text, [id])).rows;
  };

  it('lists what waits, with its reasons and since when', async () => {
    const id = await waiting('review-1');
    const { code, json, out } = await finality('review', 'list', '--json');
    expect([code, out.length > 0]).toEqual([0, true]);
    expect(json).toMatchObject([
      {
        paymentId: id,
        application: 'default',
        orderId: 'review-1',
        amount: '50.00',
        currency: 'USD',
        reasons: ['underpaid'],
      },
    ]);
    expect((await finality('review', 'list')).out).toMatch(
      new RegExp(`${id} {2}default {2}order review-1 {2}50.00 USD .*waits \\d+ .*: underpaid`),
    );
  });

  it('C03: decides nothing without --reason and --actor, and with them leaves one audited event', async () => {
    const id = await waiting('review-2');
    const unsaid = await finality('review', id, '--decision', 'accept');
    expect([unsaid.code, unsaid.err]).toEqual([
      64,
      expect.stringContaining('--decision, --actor and --reason are all'),
    ]);
    expect(await decisions(id)).toEqual([]);
    const { code, out } = await finality('review', id, '--decision', 'accept', ...who);
    expect([code, out]).toEqual([0, expect.stringContaining('order review-2: paid')]);
    expect(await decisions(id)).toEqual([
      { actor: 'operator:support@shop.example', decision: 'accept', note: 'the payer sent the rest by card' },
    ]);
    const again = await finality('review', id, '--decision', 'reject', ...who);
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('a decision is made once')]);
    expect(await decisions(id)).toHaveLength(1);
  });

  it('C01: on production it says what would follow, and does it with --yes', async () => {
    const id = await waiting('review-3');
    const production = finalityBeside(shop, inProduction(shop));
    const planned = await production('review', id, '--decision', 'reject', ...who);
    expect([planned.code, planned.out]).toEqual([1, expect.stringContaining('ReviewResolved')]);
    expect(planned.out).toContain('Nothing was changed. Add --yes to do it.');
    expect(await decisions(id)).toEqual([]);
    expect((await production('review', id, '--decision', 'reject', ...who, '--yes')).code).toBe(0);
    expect(await decisions(id)).toHaveLength(1);
  });

  it('sends money back to the address that the operator gives', async () => {
    const id = await waiting('review-4');
    const to = ['--address', 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ', '--network', 'TRON'];
    const { code, json } = await finality('review', id, '--decision', 'refund', ...who, ...to, '--json');
    expect(code).toBe(0);
    const asked = (json.events as { type: string; data: object }[]).find(({ type }) => type === 'RefundRequested');
    expect(asked?.data).toMatchObject({ payout: { address: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ', network: 'TRON' } });
  });

  it.each([
    [['01890000-0000-7000-8000-000000000000', '--decision', 'accept', ...who], 1, 'There is no payment with this id'],
    [['x', '--decision', 'accept', '--actor', 'support@shop.example'], 64, 'are all required'],
    [['x', '--decision', 'accept', '--reason', 'because'], 64, 'are all required'],
    [['x', '--decision', 'accept', '--actor', ' ', '--reason', 'because'], 64, 'are all required'],
    [['x', ...who], 64, 'are all required'],
    [['x', '--decision', 'forgive', ...who], 64, 'Allowed choices are accept, reject, credit, refund'],
    [['x', '--decision', 'accept', '--address', 'T', ...who], 64, 'an address goes with --decision refund only'],
    [['x', '--decision', 'refund', '--address', 'T', ...who], 64, 'give --address and --network together'],
    [['x', '--decision', 'refund', '--address', 'T', '--network', 'TRON', ...who], 64, '--address takes 10 to 128'],
    [['x', '--decision', 'accept', '--actor', 'a\nb', '--reason', 'c'], 64, 'each on one line'],
    [['list', '--limit', 'x'], 64, '--limit takes a whole number'],
  ])('answers %j with exit code %d and a sentence', async (args, exit, sentence) => {
    const { code, err } = await finality('review', ...args);
    expect([code, err]).toEqual([exit, expect.stringContaining(sentence)]);
  });
});

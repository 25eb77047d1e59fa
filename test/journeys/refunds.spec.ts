import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Decimal, plain, sum } from '../../src/payments/decimal.js';
import { PaymentGateway } from '../../src/payments/payment-gateway.js';
import type { RefundView } from '../../src/payments/payment-view.js';
import { PaymentStreams } from '../../src/payments/payment-streams.pg.js';
import { RefundSender } from '../../src/payments/refund-sender.handlers.js';
import { refundReference } from '../../src/payments/refund.js';
import { attemptRefund, requestRefund } from '../../src/payments/refunds.js';
import { startTestService, until, type Answer, type TestService } from '../support/service.js';

interface SandboxPayout {
  track_id: string;
  amount: number;
  status: string;
  address: string;
  description: string;
}

const to = { address: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ', network: 'TRON' };
const cause = {
  actor: 'test',
  correlationId: '01890000-0000-7000-8000-00000000aaaa',
  causationId: '01890000-0000-7000-8000-00000000bbbb',
};

let shop: TestService;
let orders = 0;
beforeAll(async () => {
  shop = await startTestService();
});
afterAll(() => shop.close());
afterEach(() => shop.control('/_sandbox/faults', {}, 'PUT'));

const faults = (api: object, { seed = '0', callbacks = {} } = {}): Promise<Answer> =>
  shop.control('/_sandbox/faults', { seed, callbacks, api: { only: 'POST /payout', ...api } }, 'PUT');

const advance = (seconds: number): Promise<Answer> => shop.control('/_sandbox/clock/advance', { seconds });

/** A payment of 50 USD, paid with 50 USDT. */
const pay = async (scenario = 'exact'): Promise<string> => {
  const order = { orderId: `order-${String(++orders)}`, amount: '50.00', currency: 'USD' };
  const { id, trackId } = (await shop.api('POST', '/v1/payments', order)).body as { id: string; trackId: string };
  await shop.control(`/_sandbox/scenarios/${scenario}`, { trackId });
  await until(async () => (await shop.api('GET', `/v1/payments/${id}`)).body.fulfillable, 10_000);
  return id;
};

const refund = (id: string, body = {}): Promise<Answer> =>
  shop.api('POST', `/v1/payments/${id}/refunds`, { ...to, reason: 'returned goods', ...body });

const payment = async (id: string): Promise<Answer['body']> => (await shop.api('GET', `/v1/payments/${id}`)).body;

const decide = (id: string, decision: string): Promise<Answer> =>
  shop.api('POST', `/v1/payments/${id}/review`, { decision, actor: 'support', note: 'asked the gateway' });

const storyOf = async (id: string): Promise<string[]> => {
  const { body } = await shop.api('GET', `/v1/payments/${id}/events?limit=100`);
  return (body.items as { type: string }[]).map(({ type }) => type).filter((type) => /^Refund|^Review/.test(type));
};

/** Waits, at the latest while the clock is moved on in steps of ten seconds, until the newest refund is so. */
const becomes = (id: string, expected: Partial<RefundView>, stepSeconds = 0): Promise<Answer['body']> =>
  until(async () => {
    const seen = await payment(id);
    const newest = (seen.refunds as RefundView[]).at(-1);
    if (newest && Object.entries(expected).every(([key, value]) => newest[key as keyof RefundView] === value))
      return seen;
    if (stepSeconds > 0) await advance(stepSeconds);
    return null;
  }, 15_000);

/** Waits as `becomes` does until the gateway has taken the newest refund, which the moving clock may by then have ended. */
const taken = (id: string): Promise<Answer['body']> =>
  until(async () => {
    const seen = await payment(id);
    if ((seen.refunds as RefundView[]).at(-1)?.trackId) return seen;
    await advance(10);
    return null;
  }, 15_000);

const reviewed = (id: string, reason: string, stepSeconds = 0): Promise<Answer['body']> =>
  until(async () => {
    const seen = await payment(id);
    if (seen.review !== null && !seen.review.resolvedAt && seen.review.reasons.includes(reason)) return seen;
    if (stepSeconds > 0) await advance(stepSeconds);
    return null;
  }, 15_000);

/** What the sandbox has of a payment's refunds, as the gateway's own list tells. */
const payouts = async (id: string): Promise<SandboxPayout[]> => {
  const answer = await fetch(`${shop.sandboxUrl}/v1/payout?size=200`, {
    headers: { payout_api_key: shop.config.payoutKeys[0] ?? '' },
  });
  const { data } = (await answer.json()) as { data: { list: SandboxPayout[] } };
  return data.list.filter(({ description }) => description.includes(id));
};

describe('A refund', () => {
  it('is requested, submitted and confirmed, as the callbacks tell', async () => {
    const id = await pay();
    const asked = await refund(id, { amount: '20.00' });
    expect(asked.status).toBe(202);
    expect(asked.body.refunds).toMatchObject([{ number: 1, amount: '20.00', currency: 'USD', payout: { ...to } }]);
    await becomes(id, { status: 'submitted' });
    expect(await payouts(id)).toMatchObject([
      { amount: 20, address: to.address, description: refundReference(id, 1), status: 'processing' },
    ]);
    await advance(125);
    const done = await becomes(id, { status: 'confirmed' });
    expect(done.refunds[0].txHash).toBeTruthy();
    expect(done.labels).toContain('partially_refunded');
    expect(await storyOf(id)).toEqual(['RefundRequested', 'RefundAttempted', 'RefundSubmitted', 'RefundConfirmed']);
    const { rows } = await shop.database.pool.query(
      `select status, count(*)::int as n from inbox where subject = $1 and source = 'callback:default' group by status`,
      [done.refunds[0].trackId],
    );
    expect(rows).toEqual([{ status: 'applied', n: 2 }]);
  });

  it('is confirmed although every callback was lost', async () => {
    const id = await pay();
    await faults({}, { callbacks: { drop: 1 } });
    await refund(id);
    await becomes(id, { status: 'confirmed' }, 30);
    expect(await payouts(id)).toHaveLength(1);
    expect((await payment(id)).labels).toContain('refunded');
  });

  it('of all that is left is exactly that, in the coin that was paid', async () => {
    const id = await pay();
    await refund(id, { amount: '12.34' });
    await refund(id);
    expect((await refund(id)).body.type).toBe('urn:finality:problem:nothing-to-refund');
    await becomes(id, { status: 'submitted' });
    await until(async () => (await payouts(id)).length === 2);
    expect(new Set((await payouts(id)).map(({ amount }) => amount))).toEqual(new Set([12.34, 37.66]));
  });

  it('that the gateway refuses is failed and left to a person; its money can be refunded anew', async () => {
    const id = await pay();
    expect((await refund(id, { amount: '10.00', network: 'BTC' })).status).toBe(202);
    const failed = await becomes(id, { status: 'failed' });
    expect(failed.refunds[0].detail).toContain('network');
    expect(failed.review).toMatchObject({ reasons: ['refund_failed'], holdsFulfillment: false });
    expect(await payouts(id)).toEqual([]);
    expect((await refund(id, { amount: '50.00' })).status).toBe(202);
    await becomes(id, { number: 2, status: 'submitted' });
  });

  it.each(['failed', 'rejected', 'canceled'])(
    'that the gateway calls %s is failed, once its own answer says so',
    async (status) => {
      const id = await pay();
      await refund(id);
      const { refunds } = await becomes(id, { status: 'submitted' });
      await advance(10);
      await shop.control(`/_sandbox/payouts/${refunds[0].trackId as string}/status`, { status });
      expect((await becomes(id, { status: 'failed' })).review.reasons).toEqual(['refund_failed']);
    },
  );

  it('that a callback alone calls failed is not: the gateway does not bear it out', async () => {
    const id = await pay();
    await refund(id);
    const { refunds } = await becomes(id, { status: 'submitted' });
    const [sent] = await payouts(id);
    const claim = JSON.stringify({ ...sent, type: 'payout', status: 'Failed', tx_hash: '' });
    expect(await shop.callback(claim, { key: shop.config.payoutKeys[0] ?? '' })).toMatchObject({ text: 'ok' });
    await becomes(id, { status: 'confirmed', trackId: refunds[0].trackId }, 30);
    expect(await storyOf(id)).not.toContain('RefundFailed');
  });

  it('that the gateway cannot take now is sent later, once', async () => {
    const id = await pay();
    await faults({ errorRate: 1, status: 503 });
    await refund(id);
    await until(async () => (await storyOf(id)).includes('RefundDelayed'));
    await faults({});
    await taken(id);
    expect(await payouts(id)).toHaveLength(1);
  });

  it('that our key does not allow is tried for a day before a person is told', async () => {
    const id = await pay();
    await faults({ errorRate: 1, status: 403 });
    await refund(id);
    const delayed = await until(async () => {
      const seen = await payment(id);
      return seen.refunds[0].detail !== null && seen;
    });
    expect(delayed.refunds[0]).toMatchObject({ status: 'requested', detail: expect.stringContaining('payout key') });
    expect(delayed.review).toBeNull();
    const failed = await becomes(id, { status: 'failed' }, 3600);
    expect(failed.review.reasons).toEqual(['refund_failed']);
    expect(await payouts(id)).toEqual([]);
  });
});

describe('A refund whose answer was lost', () => {
  it.each<[string, object, string]>([
    ['a time-out', { timeoutRate: 1, timeoutMs: 1 }, '1'],
    ['an answer that cannot be read', { malformedRate: 1 }, '0'],
  ])(
    'to %s after it took effect is found in the payout history and adopted, not sent again',
    async (_what, api, seed) => {
      const id = await pay();
      await faults(api, { seed, callbacks: { drop: 1 } });
      await refund(id);
      await until(async () => (await storyOf(id)).includes('RefundDelayed'));
      await faults({});
      const adopted = await taken(id);
      expect(adopted.review).toBeNull();
      const sent = await payouts(id);
      expect(sent.map(({ track_id }) => track_id)).toEqual([adopted.refunds[0].trackId]);
      const told = ['RefundRequested', 'RefundAttempted', 'RefundDelayed', 'RefundSubmitted'];
      // Whatever else the moving clock has led to: it was confirmed, and not sent again.
      expect([told, [...told, 'RefundConfirmed']]).toContainEqual(await storyOf(id));
    },
  );

  it.each<[string, object]>([
    ['a time-out', { timeoutRate: 1, timeoutMs: 1 }],
    ['an error', { errorRate: 1, status: 500 }],
  ])('to %s before it took effect is left to a person, who has it sent, once', async (_what, api) => {
    const id = await pay();
    await faults(api);
    await refund(id, { amount: '20.00' });
    await becomes(id, { status: 'unknown' });
    await faults({});
    const asked = await reviewed(id, 'refund_unknown', 60);
    expect(asked.refunds).toMatchObject([{ status: 'unknown' }]);
    await advance(24 * 3600);
    expect(await payouts(id)).toEqual([]);

    expect((await decide(id, 'refund')).status).toBe(200);
    const sent = await taken(id);
    expect(sent.refunds).toHaveLength(1);
    expect(await payouts(id)).toHaveLength(1);
  });

  it('is not sent again on a person’s word where the payout history knows it after all', async () => {
    const id = await pay();
    await faults({ errorRate: 1, status: 500 });
    await refund(id, { amount: '20.00' });
    await becomes(id, { status: 'unknown' });
    await reviewed(id, 'refund_unknown', 60);
    await faults({});
    const { trackId } = await sendBehindOurBack(id, 1);
    await decide(id, 'refund');
    expect((await taken(id)).refunds.at(-1)).toMatchObject({ number: 1, trackId });
    expect(await payouts(id)).toHaveLength(1);
  });
});

/** A payout with our reference, whose answer nobody saw. */
const sendBehindOurBack = (
  id: string,
  number: number,
  callbackUrl = `${shop.url}/v1/callbacks/oxapay/default`,
): Promise<{ trackId: string }> =>
  shop.service.app.get(PaymentGateway).sendPayout({
    ...to,
    currency: 'USDT',
    amount: '20',
    description: refundReference(id, number),
    callbackUrl,
  });

/** The callbacks about a payout as they are kept. */
const callbacksOf = async (trackId: string): Promise<{ ours: boolean; status: string }[]> => {
  const { rows } = await shop.database.pool.query<{ ours: boolean; status: string }>(
    `select stream_id <> '00000000-0000-0000-0000-000000000000' as ours, status from inbox
      where subject = $1 and source = 'callback:default' order by status`,
    [trackId],
  );
  return rows;
};

describe('A process that died after it had begun to send a refund', () => {
  /** The two events that a process leaves which dies before it hears from the gateway. */
  const begin = (id: string): Promise<unknown> =>
    shop.service.app.get(PaymentStreams).decide(id, cause, (current) => {
      const now = shop.clock.now();
      const wish = { amount: '20', currency: null, to: { ...to, currency: null, memo: null }, reason: 'returned' };
      const requested = requestRefund(current, wish, now);
      const attempted = { type: 'RefundAttempted', data: { number: 1, attempt: 1, at: now } } as const;
      return attemptRefund(current, 1, now).length > 0 ? [] : [...requested, attempted];
    });

  it('leaves one that is adopted where it was sent', async () => {
    const id = await pay();
    await begin(id);
    const { trackId } = await sendBehindOurBack(id, 1);
    await becomes(id, { status: 'confirmed', trackId }, 10);
    expect(await payouts(id)).toHaveLength(1);
  });

  it('leaves one whose callbacks are kept, and count once it is adopted', async () => {
    const id = await pay();
    await begin(id);
    const { trackId } = await sendBehindOurBack(id, 1);
    await shop.control(`/_sandbox/payouts/${trackId}/status`, { status: 'confirmed' });
    await until(async () => (await callbacksOf(trackId)).length === 1);
    expect(await callbacksOf(trackId)).toEqual([{ ours: false, status: 'unmatched' }]);
    await becomes(id, { status: 'confirmed', trackId }, 10);
    await until(async () => (await callbacksOf(trackId)).every(({ status }) => status !== 'unmatched'));
    expect(await callbacksOf(trackId)).toEqual([
      { ours: true, status: 'applied' },
      { ours: false, status: 'matched' },
    ]);
  });

  it('leaves one that a callback makes known after a person was asked, who then is asked no more', async () => {
    const id = await pay();
    await begin(id);
    await reviewed(id, 'refund_unknown', 60);
    const { trackId } = await sendBehindOurBack(id, 1);
    await shop.control(`/_sandbox/payouts/${trackId}/status`, { status: 'confirming' });
    const adopted = await becomes(id, { status: 'submitted', trackId });
    expect(adopted.review).toBeNull();
    expect(await payouts(id)).toHaveLength(1);
  });

  it('leaves one that is not sent again while the payout history cannot be read, nor given up for hours', async () => {
    const id = await pay();
    await faults({ only: 'GET /payout', errorRate: 1, status: 500 });
    await begin(id);
    const { trackId } = await sendBehindOurBack(id, 1, 'http://127.0.0.1:9/nowhere');
    for (let hours = 0; hours < 6; hours++) await advance(3600);
    expect((await payment(id)).refunds).toMatchObject([{ status: 'sending' }]);
    await faults({});
    await becomes(id, { status: 'confirmed', trackId }, 60);
    expect(await payouts(id)).toHaveLength(1);
  });

  it('leaves one to a person where it was not, and nothing is ever sent', async () => {
    const id = await pay();
    await begin(id);
    await reviewed(id, 'refund_unknown', 30);
    await advance(24 * 3600);
    expect(await payouts(id)).toEqual([]);
    expect((await payment(id)).refunds).toMatchObject([{ status: 'unknown' }]);
    await decide(id, 'reject');
    expect((await payment(id)).refunds).toMatchObject([{ status: 'failed' }]);
  });
});

describe('Refunds at the same moment', () => {
  it('never come to more than was received less what was returned, asked by ten at once', async () => {
    const id = await pay('overpaid');
    const received = new Decimal((await payment(id)).received as string);
    const amounts = ['9.99', '13.01', '7.77', '20.00', '11.10', '5.55', '16.16', '8.08', '19.90', '6.60'];
    const answers = await Promise.all(amounts.map((amount) => refund(id, { amount })));
    const accepted = amounts.filter((_, index) => answers[index]?.status === 202);
    const refused = answers.filter(({ status }) => status !== 202);
    expect(accepted.length).toBeGreaterThan(1);
    expect(refused.length).toBeGreaterThan(1);
    for (const { body } of refused) expect(body.type).toBe('urn:finality:problem:refund-too-large');
    const total = sum(accepted);
    expect(total.lte(received)).toBe(true);
    // None that would still have fitted was refused.
    for (const { body } of refused)
      expect(new Decimal(body.refundable as string).gte(received.minus(total))).toBe(true);

    await until(async () => (await payouts(id)).length === accepted.length, 10_000);
    await until(async () => (await payment(id)).refunds.every(({ status }: RefundView) => status === 'submitted'));
    expect(plain(sum((await payouts(id)).map(({ amount }) => String(amount))))).toBe(plain(total));
  });

  it('send one payout, however many processes work on it at once', async () => {
    const other = await startTestService({
      database: shop.database,
      clock: shop.clock,
      gatewayPort: shop.config.sandboxPort,
      sandbox: false,
    });
    try {
      const id = await pay();
      await refund(id);
      const senders = [shop, other].map(({ service }) => service.app.get(RefundSender));
      const ten = [...senders, ...senders, ...senders, ...senders, ...senders];
      await Promise.all(ten.map((sender) => sender.step(id, 1, cause)));
      await becomes(id, { status: 'submitted' });
      expect(await payouts(id)).toHaveLength(1);
    } finally {
      await other.close();
    }
  });
});

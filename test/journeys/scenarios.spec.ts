import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, until, type Answer, type TestService } from '../support/service.js';

/** The sandbox's scenarios, seen from the service over HTTP. */
describe('A payer who pays', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  const create = async (orderId: string, changes = {}): Promise<{ id: string; trackId: string }> => {
    const { status, body } = await shop.api('POST', '/v1/payments', {
      orderId,
      amount: '50.00',
      currency: 'USD',
      ...changes,
    });
    expect(status).toBe(201);
    return body as { id: string; trackId: string };
  };
  const play = async (name: string, orderId: string, changes = {}): Promise<string> => {
    const { id, trackId } = await create(orderId, changes);
    const played = await shop.control(`/_sandbox/scenarios/${name}`, { trackId });
    expect(played.status).toBeLessThan(300);
    return id;
  };
  const becomes = (id: string, expected: Record<string, unknown>): Promise<Answer['body']> =>
    until(async () => {
      const { body } = await shop.api('GET', `/v1/payments/${id}`);
      return Object.entries(expected).every(([key, value]) => body[key] === value) && body;
    }, 10_000);
  const fulfilments = async (id: string): Promise<number> => {
    const { rows } = await shop.database.pool.query(
      `select 1 from event where type = 'FulfillmentRequested' and data->>'paymentId' = $1`,
      [id],
    );
    return rows.length;
  };

  it('exactly, is paid and fulfilled once', async () => {
    const id = await play('exact', 'exact');
    expect(await becomes(id, { status: 'paid', fulfillable: true })).toMatchObject({
      received: '50.00',
      delta: '0.00',
      labels: ['sandbox'],
    });
    await until(async () => (await fulfilments(id)) === 1);
  });

  it('exactly, is paid although every callback was lost, and is fulfilled once', async () => {
    const id = await play('no_callbacks', 'no-callbacks');
    await shop.control('/_sandbox/clock/advance', { seconds: 70 });
    expect(await becomes(id, { status: 'paid', fulfillable: true })).toMatchObject({ progress: 'settled' });
    await until(async () => (await fulfilments(id)) === 1);
  });

  it.each(['duplicate_callbacks', 'out_of_order'])('with %s, is paid and fulfilled once', async (scenario) => {
    const id = await play(scenario, scenario);
    await becomes(id, { status: 'paid', fulfillable: true });
    await until(async () => (await fulfilments(id)) === 1);
    const { body } = await shop.api('GET', `/v1/payments/${id}/events`);
    const paid = (body.items as { type: string }[]).filter((event) => event.type === 'PaymentPaid');
    expect(paid).toHaveLength(1);
  });

  it('in two parts, is partially paid and then paid', async () => {
    const id = await play('topped_up', 'topped-up');
    expect(await becomes(id, { status: 'paid', fulfillable: true })).toMatchObject({
      received: '50.00',
      labels: ['multiple_transfers', 'sandbox'],
    });
  });

  it('in two coins, is paid', async () => {
    const id = await play('mixed', 'mixed');
    expect(await becomes(id, { status: 'paid', fulfillable: true })).toMatchObject({
      received: '50.00',
      labels: ['multiple_transfers', 'mixed_currency', 'sandbox'],
    });
  });

  it('too much, is paid and shows by how much, with a review that does not hold up the goods', async () => {
    const id = await play('overpaid', 'overpaid');
    const paid = await becomes(id, { status: 'paid', fulfillable: true });
    expect(paid.labels).toContain('overpaid');
    expect(paid.delta).toMatch(/^\+/);
    expect(paid.review).toMatchObject({ reasons: ['overpaid', 'no_customer'], holdsFulfillment: false });
  });

  it('too little, sees what is missing and until when, and expires short at the deadline', async () => {
    const id = await play('underpaid', 'underpaid');
    await becomes(id, { progress: 'partially_paid' });
    const why = await shop.api('GET', `/v1/payments/${id}/explanation`);
    expect(why.body).toMatchObject({
      complete: false,
      blockedBy: 'amount_missing',
      waitingOn: 'payer',
      missing: { amount: '20.00', currency: 'USD' },
    });
    await shop.control('/_sandbox/clock/advance', { seconds: 3700 });
    expect(await becomes(id, { status: 'expired' })).toMatchObject({
      progress: 'closed',
      delta: '-20.00',
      labels: ['underpaid', 'sandbox'],
    });
    expect(await fulfilments(id)).toBe(0);
  });

  it('nothing, expires at the deadline without any callback', async () => {
    const { id } = await create('nothing');
    await shop.control('/_sandbox/clock/advance', { seconds: 3700 });
    expect(await becomes(id, { status: 'expired' })).toMatchObject({ received: '0.00', labels: ['sandbox'] });
  });

  it('too late, is expired with a review that says so', async () => {
    const id = await play('late', 'late');
    // Nobody sends a callback for money after the deadline; the look after it finds the money.
    await becomes(id, { status: 'expired' });
    await shop.control('/_sandbox/clock/advance', { seconds: 900 });
    const late = await becomes(id, { progress: 'in_review' });
    expect(late.labels).toContain('late');
    expect(late.review.reasons).toEqual(['late_payment']);
  });

  it('too late, is paid where the policy accepts it', async () => {
    const id = await play('late', 'late-accepted', {
      currency: 'USDT',
      policy: { latePayment: { window: 'PT72H', then: 'accept' } },
    });
    await shop.control('/_sandbox/clock/advance', { seconds: 900 });
    const paid = await becomes(id, { status: 'paid', fulfillable: true });
    expect(paid.labels).toContain('late');
  });

  it('too late in another coin, is paid by the prices of the gateway, where no poll tells its worth', async () => {
    const id = await play('late', 'late-priced', { policy: { latePayment: { window: 'PT72H', then: 'accept' } } });
    await shop.control('/_sandbox/clock/advance', { seconds: 900 });
    const paid = await becomes(id, { status: 'paid', fulfillable: true });
    expect(paid).toMatchObject({ received: '50.00', estimated: true, delta: '0.00' });
    const { body } = await shop.api('GET', `/v1/payments/${id}/events`);
    const prices = (body.items as { type: string; data: unknown }[]).filter(({ type }) => type === 'PricesRecorded');
    expect(prices).toHaveLength(1);
    expect(prices[0]?.data).toMatchObject({ usd: { USD: '1', USDT: '1' } });
  });

  it('according to a callback that the gateway itself does not confirm, is not fulfilled and ends in a review', async () => {
    const id = await play('conflicting', 'conflicting');
    await until(async () => (await shop.api('GET', `/v1/payments/${id}/events`)).body.items.length > 2);
    await shop.control('/_sandbox/clock/advance', { seconds: 900 });
    const doubted = await becomes(id, { progress: 'in_review' });
    expect(doubted.fulfillable).toBe(false);
    expect(doubted.labels).toContain('gateway_conflict');
    expect(await fulfilments(id)).toBe(0);
  });
});

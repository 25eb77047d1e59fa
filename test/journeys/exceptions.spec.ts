import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Clock } from '../../src/kernel/clock.js';
import { Ids } from '../../src/kernel/ids.js';
import { CustomerCredit } from '../../src/payments/customer-credit.js';
import { orderScope, PaymentStreams } from '../../src/payments/payment-streams.pg.js';
import { Applications } from '../../src/platform/http/applications.pg.js';
import { terms } from '../payments/given.js';
import { apiKey, startTestService, until, type Answer, type TestService } from '../support/service.js';

const refundTo = { address: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ', network: 'TRON' };

interface Wish extends Record<string, unknown> {
  customerId?: string;
  policy?: Record<string, unknown>;
}

/** What the policy does with money that is short, over or late, seen from outside over HTTP. */
describe('Money that does not fit the price', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  const create = async (orderId: string, wish: Wish = {}): Promise<Answer['body']> => {
    const { status, body } = await shop.api('POST', '/v1/payments', {
      orderId,
      amount: '50.00',
      currency: 'USD',
      ...wish,
    });
    expect([status, body]).toEqual([201, expect.anything()]);
    return body;
  };
  const play = async (scenario: string, orderId: string, wish: Wish = {}): Promise<string> => {
    const { id, trackId } = await create(orderId, wish);
    expect((await shop.control(`/_sandbox/scenarios/${scenario}`, { trackId })).status).toBeLessThan(300);
    return id as string;
  };
  const get = async (path: string): Promise<Answer['body']> => (await shop.api('GET', path)).body;
  const becomes = (id: string, expected: Record<string, unknown>): Promise<Answer['body']> =>
    until(async () => {
      const body = await get(`/v1/payments/${id}`);
      return Object.entries(expected).every(([key, value]) => body[key] === value) && body;
    }, 10_000);
  const allocated = (id: string, share: string, amount: string): Promise<Answer['body']> =>
    until(async () => {
      const body = await get(`/v1/payments/${id}`);
      return body.allocation?.[share] === amount && body;
    }, 10_000);
  const later = (seconds: number): Promise<unknown> => shop.control('/_sandbox/clock/advance', { seconds });
  const balance = async (customerId: string, currency = 'USD'): Promise<string> => {
    const { balances } = await get(`/v1/customers/${customerId}/balance`);
    return (
      (balances as { currency: string; balance: string }[]).find((each) => each.currency === currency)?.balance ?? '0'
    );
  };
  const typesOf = async (id: string): Promise<string[]> =>
    ((await get(`/v1/payments/${id}/events`)).items as { type: string }[]).map(({ type }) => type);
  const explained = (id: string): Promise<Answer['body']> => get(`/v1/payments/${id}/explanation`);
  const pay = async (trackId: string, percent: number): Promise<void> => {
    await shop.control(`/_sandbox/payments/${trackId}/transfers`, { percent, confirmations: 30 });
  };

  describe('too much', () => {
    it('is credited to the customer, once, and the goods do not wait for it', async () => {
      const id = await play('overpaid', 'over-credit', { customerId: 'over' });
      const paid = await allocated(id, 'credited', '5.00');
      expect(paid).toMatchObject({
        status: 'paid',
        fulfillable: true,
        review: null,
        delta: '+5.00',
        labels: ['overpaid', 'credited', 'sandbox'],
        allocation: { applied: '50.00', kept: '0.00', unallocated: '0.00' },
      });
      await until(async () => (await balance('over')) === '5.00');
      await shop.api('POST', `/v1/payments/${id}/reconcile`);
      await shop.api('POST', `/v1/payments/${id}/reconcile`);
      expect((await typesOf(id)).filter((type) => type === 'CreditGranted')).toHaveLength(1);
      const { items } = await get('/v1/customers/over/ledger');
      expect(items).toHaveLength(1);
      expect(items[0]).toMatchObject({ type: 'credited', amount: '5.00', balance: '5.00', paymentId: id });
      expect((await explained(id)).sentence).toContain('5.00 USD was credited to the customer (overpayment).');
    });

    it('stays with the merchant where the policy keeps it', async () => {
      const id = await play('overpaid', 'over-keep', {
        policy: { overpayment: { tolerancePercent: '0', then: 'keep' } },
      });
      expect(await allocated(id, 'kept', '5.00')).toMatchObject({ status: 'paid', review: null });
    });

    it('is sent back where the policy refunds it', async () => {
      const id = await play('overpaid', 'over-refund', {
        policy: { overpayment: { tolerancePercent: '0', then: 'refund' } },
        refundTo,
      });
      await until(async () => (await get(`/v1/payments/${id}`)).refunds[0]?.status === 'submitted', 10_000);
      await later(120);
      await later(120);
      const refunded = await allocated(id, 'refunded', '5.00');
      expect(refunded).toMatchObject({
        status: 'paid',
        fulfillable: true,
        labels: ['overpaid', 'partially_refunded', 'sandbox'],
        refunds: [{ number: 1, status: 'confirmed', amount: '5.00', payout: { amount: '5', currency: 'USDT' } }],
      });
    });

    it('waits for a person where the policy asks one, who may keep it; a second decision is refused', async () => {
      const id = await play('overpaid', 'over-review', {
        policy: { overpayment: { tolerancePercent: '0', then: 'review' } },
      });
      await becomes(id, { status: 'paid', fulfillable: true });
      const { items } = await until(async () => {
        const list = await get('/v1/payments?review=open&orderId=over-review');
        return (list.items as unknown[]).length === 1 && list;
      });
      expect(items[0].review).toMatchObject({ reasons: ['overpaid'], holdsFulfillment: false });
      const decision = { decision: 'accept', actor: 'support@shop.example', note: 'a tip, says the payer' };
      const decided = await shop.api('POST', `/v1/payments/${id}/review`, decision);
      expect([decided.status, decided.body.review]).toEqual([
        200,
        expect.objectContaining({ decision: 'accept', actor: 'support@shop.example', note: 'a tip, says the payer' }),
      ]);
      expect(decided.body).toMatchObject({ fulfillable: true, allocation: { kept: '5.00', unallocated: '0.00' } });
      const again = await shop.api('POST', `/v1/payments/${id}/review`, { ...decision, decision: 'credit' });
      expect([again.status, again.body.type]).toEqual([409, 'urn:finality:problem:review-resolved']);
      expect((await typesOf(id)).slice(-2)).toEqual(['ReviewResolved', 'ExcessKept']);
    });
  });

  describe('too little', () => {
    const short = async (orderId: string, wish: Wish = {}): Promise<string> => {
      const id = await play('underpaid', orderId, wish);
      await becomes(id, { progress: 'partially_paid' });
      return id;
    };

    it('is rejected, and says where the money is', async () => {
      const id = await short('short-reject');
      expect(await explained(id)).toMatchObject({
        complete: false,
        blockedBy: 'amount_missing',
        waitingOn: 'payer',
        missing: { amount: '20.00', currency: 'USD' },
        rule: { policy: 'default', version: 1, clause: 'underpayment' },
      });
      await later(3700);
      expect(await becomes(id, { status: 'expired' })).toMatchObject({
        labels: ['underpaid', 'sandbox'],
        allocation: { applied: '0.00', unallocated: '30.00' },
      });
      expect((await explained(id)).rule.clause).toBe('underpayment');
    });

    it('is credited to the customer where the policy says so', async () => {
      const id = await short('short-credit', {
        customerId: 'short',
        policy: { underpayment: { tolerancePercent: '0', then: 'partial_credit' } },
      });
      await later(3700);
      await becomes(id, { status: 'expired' });
      await later(60);
      expect(await allocated(id, 'credited', '30.00')).toMatchObject({
        status: 'expired',
        labels: ['underpaid', 'credited', 'sandbox'],
      });
      await until(async () => (await balance('short')) === '30.00');
    });

    it('waits for a person, who may accept it', async () => {
      const id = await short('short-review', { policy: { underpayment: { tolerancePercent: '0', then: 'review' } } });
      await later(3700);
      expect((await becomes(id, { progress: 'in_review' })).review.reasons).toEqual(['underpaid']);
      const decision = { decision: 'accept', actor: 'support@shop.example', note: 'good customer' };
      const { status, body } = await shop.api('POST', `/v1/payments/${id}/review`, decision);
      expect([status, body.status, body.fulfillable]).toEqual([200, 'paid', true]);
      expect((await typesOf(id)).slice(-2)).toEqual(['ReviewResolved', 'PaymentPaid']);
      const order = await until(async () => {
        const found = await get('/v1/orders/short-review');
        return found.fulfillment === 'requested' && found;
      });
      expect(order).toMatchObject({ status: 'paid', complete: true });
    });

    it('is completed by a second payment for exactly what is missing, whichever expires first', async () => {
      const id = await short('short-remainder', { customerId: 'r', lifetimeMinutes: 30 });
      const { status, body } = await shop.api('POST', '/v1/payments', { remainderOf: id });
      expect([status, body.amount, body.orderId, body.remainderOf]).toEqual([201, '20.00', 'short-remainder', id]);
      const again = await shop.api('POST', '/v1/payments', { remainderOf: id });
      expect(again.body.id).toBe(body.id);
      await later(1900);
      // The gateway has closed the first one meanwhile; it waits for the second.
      await shop.api('POST', `/v1/payments/${id}/reconcile`);
      expect(await explained(id)).toMatchObject({ blockedBy: 'remainder_open', waitingOn: 'payer' });
      await pay(body.trackId as string, 100);
      const part = await becomes(body.id as string, { status: 'paid' });
      expect(part.fulfillable).toBe(false);
      const whole = await becomes(id, { status: 'paid', fulfillable: true });
      expect(whole).toMatchObject({ received: '30.00', delta: '0.00', remainders: [{ outcome: 'paid' }] });
      const order = await until(async () => {
        const found = await get('/v1/orders/short-remainder');
        return found.complete === true && found;
      });
      expect(order).toMatchObject({ due: '50.00', received: '50.00', status: 'paid' });
      expect((await explained(body.id as string)).blockedBy).toBe('part_of_another');
    });

    it('does not end with the payment that was to collect the rest', async () => {
      const id = await short('short-remainder-ended', { lifetimeMinutes: 120 });
      const { body } = await shop.api('POST', '/v1/payments', { remainderOf: id, lifetimeMinutes: 15 });
      await later(1000);
      await becomes(body.id as string, { status: 'expired' });
      const open = await until(async () => {
        const found = await get(`/v1/payments/${id}`);
        return found.remainders[0]?.outcome === 'ended' && found;
      });
      expect(open.status).toBe('pending');
      const { body: second } = await shop.api('POST', '/v1/payments', { remainderOf: id });
      expect(second.id).not.toBe(body.id);
    });

    it('has no remainder once it is over, nor before anything came', async () => {
      const { id } = await create('no-remainder');
      const refused = await shop.api('POST', '/v1/payments', { remainderOf: id });
      expect([refused.status, refused.body.type]).toEqual([409, 'urn:finality:problem:no-remainder']);
    });
  });

  describe('too late', () => {
    const late = async (orderId: string, then: string, wish: Wish = {}): Promise<string> => {
      const id = await play('late', orderId, { ...wish, policy: { latePayment: { window: 'PT72H', then } } });
      await later(900);
      return id;
    };

    it('is credited where the policy says so', async () => {
      const id = await late('late-credit', 'credit', { customerId: 'late' });
      expect(await allocated(id, 'credited', '50.00')).toMatchObject({
        status: 'expired',
        progress: 'closed',
        review: null,
      });
      await until(async () => (await balance('late')) === '50.00');
    });

    it('waits for a person where there is no customer to credit, who may refund it', async () => {
      const id = await late('late-nobody', 'credit');
      expect((await becomes(id, { progress: 'in_review' })).review.reasons).toEqual(['late_payment', 'no_customer']);
      const decision = { decision: 'refund', actor: 'support@shop.example', note: 'no customer' };
      const lacking = await shop.api('POST', `/v1/payments/${id}/review`, decision);
      expect([lacking.status, lacking.body.errors[0].pointer]).toEqual([422, '/refundTo']);
      const { status, body } = await shop.api('POST', `/v1/payments/${id}/review`, { ...decision, refundTo });
      expect([status, body.refunds[0]?.amount, body.review.decision]).toEqual([200, '50.00', 'refund']);
    });

    it('is paid, and what is too much is credited, where the policy accepts it', async () => {
      const { id, trackId } = await create('late-over', {
        customerId: 'late-over',
        policy: { latePayment: { window: 'PT72H', then: 'accept' } },
      });
      await later(3700);
      await becomes(id as string, { status: 'expired' });
      await pay(trackId as string, 120);
      await later(900);
      expect(await allocated(id as string, 'credited', '10.00')).toMatchObject({
        status: 'paid',
        fulfillable: true,
        labels: expect.arrayContaining(['overpaid', 'late', 'credited']),
      });
    });
  });

  describe('and credit', () => {
    it('pays for the next order, in part or whole, and comes back where that order ends without success', async () => {
      const over = await play('overpaid', 'credit-source', { customerId: 'saver', amount: '100.00' });
      await allocated(over, 'credited', '10.00');
      await until(async () => (await balance('saver')) === '10.00');

      const part = await create('credit-part', { customerId: 'saver', useCredit: true, amount: '12.00' });
      expect([part.status, part.credit]).toEqual(['pending', '10.00']);
      expect(await balance('saver')).toBe('0.00');
      const sandbox = await shop.control(`/_sandbox/payments/${String(part.trackId)}`);
      expect(parseFloat(sandbox.body.amount as string)).toBe(2);
      expect((await shop.api('POST', `/v1/payments/${String(part.id)}/cancel`)).body.status).toBe('failed');
      await until(async () => (await balance('saver')) === '10.00');

      const whole = await create('credit-whole', { customerId: 'saver', useCredit: true, amount: '4.00' });
      expect(whole).toMatchObject({ status: 'paid', fulfillable: true, credit: '4.00', paymentUrl: null });
      await until(async () => (await get('/v1/orders/credit-whole')).fulfillment === 'requested');
      expect(await balance('saver')).toBe('6.00');

      const rest = await create('credit-rest', { customerId: 'saver', useCredit: true, amount: '20.00' });
      expect(rest.credit).toBe('6.00');
      await pay(rest.trackId as string, 100);
      expect(await becomes(rest.id as string, { status: 'paid', fulfillable: true })).toMatchObject({
        received: '14.00',
        delta: '0.00',
        credit: '6.00',
      });
    });

    it('is never spent twice by orders that are created at once', async () => {
      const over = await play('overpaid', 'credit-race', { customerId: 'racer', amount: '300.00' });
      await allocated(over, 'credited', '30.00');
      await until(async () => (await balance('racer')) === '30.00');
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, n) =>
          create(`credit-race-${String(n)}`, { customerId: 'racer', useCredit: true, amount: '7.00' }),
        ),
      );
      const spent = answers.map(({ credit }) => Math.round(parseFloat(credit as string) * 100));
      expect(spent.reduce((total, cents) => total + cents, 0)).toBe(3000);
      expect(await balance('racer')).toBe('0.00');
      expect(answers.filter(({ status }) => status === 'paid')).toHaveLength(4);
    });

    it.each([
      ['opens', 'its invoice asks for the rest'],
      ['is cancelled', 'it goes back'],
    ])('that was taken when the process died is counted once: the payment %s, and %s', async (what) => {
      const customerId = `crash-${what}`;
      const over = await play('overpaid', `${customerId}-source`, { customerId });
      await allocated(over, 'credited', '5.00');
      await until(async () => (await balance(customerId)) === '5.00');
      const id = await begunAndTaken(customerId);
      expect(await balance(customerId)).toBe('0.00');
      if (what === 'is cancelled') {
        await shop.api('POST', `/v1/payments/${id}/cancel`);
        await until(async () => (await balance(customerId)) === '5.00');
        return;
      }
      await later(60);
      const opened = await becomes(id, { status: 'pending' });
      expect(opened).toMatchObject({ amount: '20.00', credit: '5.00' });
      const { body } = await shop.control(`/_sandbox/payments/${String(opened.trackId)}`);
      expect(parseFloat(body.amount as string)).toBe(15);
      expect(await balance(customerId)).toBe('0.00');
    });

    /** A create whose process died after the credit was taken and before anybody wrote that down. */
    const begunAndTaken = async (customerId: string): Promise<string> => {
      const { app } = shop.service;
      const applicationId = (await app.get(Applications).byKey(apiKey))?.id ?? '';
      const id = app.get(Ids).next();
      const cause = { actor: 'test', correlationId: id, causationId: id };
      const data = terms({}, { id, applicationId, orderId: id, customerId, amount: '20.00', useCredit: true });
      data.requestedAt = app.get(Clock).now();
      await app
        .get(PaymentStreams)
        .begin({ type: 'PaymentRequested', data }, cause, [{ scope: orderScope(applicationId), key: id }]);
      const wish = { applicationId, customerId, currency: 'USD', paymentId: id, atMost: '20.00' };
      expect(await app.get(CustomerCredit).spend(wish, cause)).toBe('5');
      return id;
    };

    it('needs a customer', async () => {
      const { status, body } = await shop.api('POST', '/v1/payments', {
        orderId: 'nobody',
        amount: '1.00',
        currency: 'USD',
        useCredit: true,
      });
      expect([status, body.errors[0].pointer]).toEqual([422, '/customerId']);
    });
  });

  it('that the gateway contradicts waits for a person, and is never delivered once that person rejects it', async () => {
    const id = await play('conflicting', 'conflict-rejected');
    await until(async () => (await typesOf(id)).length > 2);
    await later(900);
    await becomes(id, { progress: 'in_review' });
    const decision = { decision: 'reject', actor: 'support@shop.example', note: 'never settled' };
    const { body } = await shop.api('POST', `/v1/payments/${id}/review`, decision);
    expect([body.status, body.fulfillable, body.review.decision]).toEqual(['paid', false, 'reject']);
    expect(await explained(id)).toMatchObject({ complete: false, blockedBy: 'rejected' });
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, until, type TestService } from '../support/service.js';
import { created, expectProblem, order, payAll, rowsOf } from './support.js';

const to = { address: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ', network: 'TRON' };
const refund = { ...to, reason: 'returned goods' };
const decision = { decision: 'accept', actor: 'support@shop.example', note: 'why' };

type Case = [string, Record<string, unknown>, string[]];

/** Everything that a caller can get wrong about exceptions: refused by field, and nothing is left behind. */
describe('Requests about refunds, reviews, credit and remainders', () => {
  let shop: TestService;
  let paid: string;
  let open: string;
  beforeAll(async () => {
    shop = await startTestService();
    const first = await created(shop, 'wrong-paid');
    await payAll(shop, first.trackId);
    paid = first.id;
    await until(async () => (await shop.api('GET', `/v1/payments/${paid}`)).body.fulfillable);
    await until(async () => (await shop.api('GET', '/v1/orders/wrong-paid')).body.fulfillment === 'requested');
    open = (await created(shop, 'wrong-open')).id;
  });
  afterAll(() => shop.close());

  const refusedAt = async (path: string, body: unknown, pointers: string[]): Promise<void> => {
    const before = await rowsOf(shop.database);
    const answer = await shop.api('POST', path, body);
    expectProblem(answer, 'invalid_request', pointers);
    expect(await rowsOf(shop.database)).toEqual(before);
  };

  const refunds: Case[] = [
    ['no fields', {}, ['/address', '/network', '/reason']],
    ['an amount as a number', { ...refund, amount: 5 }, ['/amount']],
    ['an amount of zero', { ...refund, amount: '0' }, ['/amount']],
    ['a negative amount', { ...refund, amount: '-1' }, ['/amount']],
    ['an exponent', { ...refund, amount: '1e3' }, ['/amount']],
    ['forty digits', { ...refund, amount: '9'.repeat(40) }, ['/amount']],
    ['nineteen decimals', { ...refund, amount: `0.${'1'.repeat(19)}` }, ['/amount']],
    ['a currency in small letters', { ...refund, currency: 'usdt' }, ['/currency']],
    ['an address with a space', { ...refund, address: 'TQ5nVb MLsgqfhY7QvM' }, ['/address']],
    ['an address of markup', { ...refund, address: '<script>alert(1)</script>' }, ['/address']],
    ['an empty address', { ...refund, address: '' }, ['/address']],
    ['an address of 200 characters', { ...refund, address: 'T'.repeat(200) }, ['/address']],
    ['an address as an object', { ...refund, address: { $ne: '' } }, ['/address']],
    ['a network with a slash', { ...refund, network: '../TRON' }, ['/network']],
    ['a reason with a bell', { ...refund, reason: 'a\u0007b' }, ['/reason']],
    ['a reason of 501 characters', { ...refund, reason: 'r'.repeat(501) }, ['/reason']],
    ['a memo with a line break', { ...refund, memo: 'a\nb' }, ['/memo']],
    ['an unknown field', { ...refund, status: 'confirmed' }, ['/status']],
  ];
  it.each(refunds)('a refund with %s is refused', async (_, body, pointers) => {
    await refusedAt(`/v1/payments/${paid}/refunds`, body, pointers);
  });

  const reviews: Case[] = [
    ['no fields', {}, ['/actor', '/decision', '/note']],
    ['an unknown decision', { ...decision, decision: 'approve' }, ['/decision']],
    ['a decision in capitals', { ...decision, decision: 'ACCEPT' }, ['/decision']],
    ['no actor', { ...decision, actor: '' }, ['/actor']],
    ['an actor with control characters', { ...decision, actor: 'a\u001b[31mb' }, ['/actor']],
    ['no note', { ...decision, note: '' }, ['/note']],
    ['a note of 1001 characters', { ...decision, note: 'n'.repeat(1001) }, ['/note']],
    ['an address without a network', { ...decision, refundTo: { address: to.address } }, ['/refundTo/network']],
    ['a state\u2019s currency to send', { ...decision, refundTo: { ...to, currency: 'USD' } }, ['/refundTo/currency']],
    ['an unknown field inside', { ...decision, refundTo: { ...to, amount: '1' } }, ['/refundTo/amount']],
  ];
  it.each(reviews)('a decision with %s is refused', async (_, body, pointers) => {
    await refusedAt(`/v1/payments/${paid}/review`, body, pointers);
  });

  const creates: Case[] = [
    ['credit and no customer', order('wrong-1', { useCredit: true }), ['/customerId']],
    ['credit as text', order('wrong-2', { useCredit: 'yes', customerId: 'c' }), ['/useCredit']],
    [
      'a refund address without a network',
      order('wrong-3', { refundTo: { address: to.address } }),
      ['/refundTo/network'],
    ],
    ['a refund address that is text', order('wrong-4', { refundTo: to.address }), ['/refundTo']],
    ['a remainder of what is no id', { remainderOf: 'order-1' }, ['/remainderOf']],
    ['no price and no remainder', { customerId: 'c' }, ['/amount', '/currency', '/orderId']],
  ];
  it.each(creates)('a create with %s is refused', async (_, body, pointers) => {
    await refusedAt('/v1/payments', body, pointers);
  });

  it('a remainder of a payment that is not there, or of another application, looks the same', async () => {
    const answer = await shop.api('POST', '/v1/payments', { remainderOf: '0190a6b2-0000-7000-8000-000000000000' });
    expectProblem(answer, 'not_found');
  });

  it('a remainder that says otherwise than the payment that it is of is refused, field by field', async () => {
    const { id, trackId } = await created(shop, 'wrong-short');
    await shop.control('/_sandbox/scenarios/underpaid', { trackId });
    await until(async () => (await shop.api('GET', `/v1/payments/${id}`)).body.progress === 'partially_paid');
    const wrong = { remainderOf: id, orderId: 'another', amount: '1.00', currency: 'EUR', policy: 'default' };
    await refusedAt('/v1/payments', wrong, ['/orderId', '/currency', '/amount', '/policy']);
  });

  it('a refund of more than there is, of an open payment, or of nothing is refused and says how much there is', async () => {
    const tooMuch = await shop.api('POST', `/v1/payments/${paid}/refunds`, { ...refund, amount: '50.01' });
    expectProblem(tooMuch, 'refund_too_large');
    expect(tooMuch.body.refundable).toBe('49.9');
    expectProblem(await shop.api('POST', `/v1/payments/${open}/refunds`, refund), 'not_refundable');
  });

  it('a decision about what nobody asks is refused', async () => {
    expectProblem(await shop.api('POST', `/v1/payments/${paid}/review`, decision), 'no_open_review');
    expectProblem(await shop.api('POST', `/v1/payments/${open}/review`, decision), 'no_open_review');
  });

  it('a repeat under the same Idempotency-Key asks for one refund, not two', async () => {
    const { id, trackId } = await created(shop, 'wrong-twice');
    await payAll(shop, trackId);
    await until(async () => (await shop.api('GET', `/v1/payments/${id}`)).body.fulfillable);
    const headers = { 'idempotency-key': 'refund-once' };
    const answers = [];
    for (let n = 0; n < 3; n++)
      answers.push(await shop.api('POST', `/v1/payments/${id}/refunds`, { ...refund, amount: '1.00' }, headers));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    expect((await shop.api('GET', `/v1/payments/${id}`)).body.refunds).toHaveLength(1);
  });
});

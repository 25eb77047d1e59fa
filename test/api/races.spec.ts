import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Faults, noFaults } from '../../src/sandbox/faults.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { created, expectProblem, invoicesOf, order, paymentsOf } from './support.js';

/** A seed under which the gateway's first answer after the plan was set is lost, before or after it took effect. */
function seedOf(kind: 'lost_before' | 'lost_after'): string {
  const api = { ...noFaults.api, timeoutRate: 1, timeoutMs: 50 };
  for (let seed = 0; ; seed++) {
    const faults = new Faults();
    faults.set({ ...noFaults, seed: String(seed), api });
    if (faults.nextRequest().kind === kind) return String(seed);
  }
}

describe('When two things happen at once, or half of one', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  const typesOf = async (id: string): Promise<string[]> =>
    ((await shop.api('GET', `/v1/payments/${id}/events`)).body as { items: { type: string }[] }).items.map(
      (event) => event.type,
    );

  it.each([
    ['lost_after', 1],
    ['lost_before', 0],
  ] as const)(
    'A10 a gateway that cuts the connection of a create (%s) leaves one payment and, later, one invoice',
    async (kind, left) => {
      const body = order(`a10 ${kind}`);
      const headers = { 'idempotency-key': `a10-${kind}` };
      await shop.control('/_sandbox/faults', { seed: seedOf(kind), api: { timeoutRate: 1, timeoutMs: 50 } }, 'PUT');
      const first = await shop.api('POST', '/v1/payments', body, headers);
      await shop.control('/_sandbox/faults', {}, 'PUT');
      const { id } = first.body as { id: string };
      expect([first.status, first.body.status, first.body.trackId]).toEqual([202, 'created', null]);
      const atGateway = await invoicesOf(shop, id);
      expect(atGateway).toHaveLength(left);
      const repeat = await shop.api('POST', '/v1/payments', body);
      expect([repeat.status, repeat.body.id]).toEqual([202, id]);

      await shop.control('/_sandbox/clock/advance', { seconds: 45 });
      await until(async () => (await shop.api('GET', `/v1/payments/${id}`)).body.status === 'pending');
      const again = await shop.api('POST', '/v1/payments', body);
      const invoices = await invoicesOf(shop, id);
      expect(invoices).toHaveLength(1);
      expect([again.status, again.body.id, again.body.trackId]).toEqual([201, id, invoices[0]]);
      if (left === 1) expect(invoices).toEqual(atGateway);
      const { items } = (await shop.api('GET', `/v1/payments/${id}/events`)).body as {
        items: { type: string; data: { adopted?: boolean } }[];
      };
      expect(items.filter((event) => event.type === 'InvoiceOpened').map((event) => event.data.adopted)).toEqual([
        left === 1,
      ]);
      expect((await paymentsOf(shop.database)).filter((one) => one === id)).toHaveLength(1);
    },
  );

  it('A25 a cancel that meets the money: one of them wins, and money is never forgotten', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 24 }, async (_, at) => {
        const { id, trackId } = await created(shop, `a25-${String(at)}`);
        const pay = () => shop.control(`/_sandbox/payments/${trackId}/transfers`, { percent: 100, confirmations: 30 });
        const cancel = () => shop.api('POST', `/v1/payments/${id}/cancel`);
        const [cancelled] =
          at % 2 === 0 ? await Promise.all([cancel(), pay()]) : (await Promise.all([pay(), cancel()])).reverse();
        const settled = await until(async () => {
          const { body } = await shop.api('GET', `/v1/payments/${id}`);
          return (body.status === 'paid' || body.review !== null) && body;
        });
        return { id, answer: cancelled as { status: number; body: unknown; headers: Headers }, settled };
      }),
    );
    for (const { id, answer, settled } of outcomes) {
      const types = await typesOf(id);
      const [paid, gone] = ['PaymentPaid', 'PaymentCancelled'].map(
        (type) => types.filter((one) => one === type).length,
      );
      expect(settled.received).toBe('49.90');
      if (answer.status === 200) {
        expect([gone, settled.status, settled.fulfillable]).toEqual([1, 'failed', false]);
        expect(settled.review.reasons).toContain('money_after_cancel');
      } else {
        expectProblem(answer, 'money_was_seen');
        expect([paid, gone, settled.status]).toEqual([1, 0, 'paid']);
      }
    }
  });

  it('A25 ten cancels at once leave one event, and each answers that it is cancelled', async () => {
    const { id } = await created(shop, 'a25-many');
    const answers = await Promise.all(Array.from({ length: 10 }, () => shop.api('POST', `/v1/payments/${id}/cancel`)));
    expect(answers.map((answer) => [answer.status, answer.body.status])).toEqual(answers.map(() => [200, 'failed']));
    expect((await typesOf(id)).filter((type) => type === 'PaymentCancelled')).toHaveLength(1);
  });

  it('A25 a cancel after the money was seen is refused with 409, before and after it is complete', async () => {
    const { id, trackId } = await created(shop, 'a25-late');
    await shop.control(`/_sandbox/payments/${trackId}/transfers`, { percent: 10 });
    await until(async () => (await shop.api('GET', `/v1/payments/${id}`)).body.progress === 'partially_paid');
    expectProblem(await shop.api('POST', `/v1/payments/${id}/cancel`), 'money_was_seen');
    await shop.control(`/_sandbox/payments/${trackId}/transfers`, { percent: 90, confirmations: 30 });
    await shop.control(`/_sandbox/payments/${trackId}/confirmations`, { count: 30 });
    await until(async () => (await shop.api('GET', `/v1/payments/${id}`)).body.status === 'paid');
    expectProblem(await shop.api('POST', `/v1/payments/${id}/cancel`), 'money_was_seen');
  });

  it('A26 two people accept one review at once: one decides, with name and reason, and the other is told so', async () => {
    const { id, trackId } = await created(shop, 'a26');
    await shop.api('POST', `/v1/payments/${id}/cancel`);
    await shop.control(`/_sandbox/payments/${trackId}/transfers`, { percent: 100, confirmations: 30 });
    await until(async () => (await shop.api('GET', `/v1/payments/${id}`)).body.review);
    const people = ['first@shop.example', 'second@shop.example'];
    const decide = (actor: string) =>
      shop.api('POST', `/v1/payments/${id}/review`, { decision: 'accept', actor, note: `${actor} saw the money` });
    const answers = await Promise.all(people.map(decide));
    const [won, lost] = answers.toSorted((a, b) => a.status - b.status);
    expect([won?.status, won?.body.status]).toEqual([200, 'paid']);
    if (lost) expectProblem(lost, 'review_resolved');
    const { items } = (await shop.api('GET', `/v1/payments/${id}/events`)).body;
    const resolved = (items as { type: string; data: { actor: string; note: string } }[]).filter(
      ({ type }) => type === 'ReviewResolved',
    );
    expect(resolved).toHaveLength(1);
    const winner = people[answers.findIndex(({ status }) => status === 200)] ?? '';
    expect(resolved[0]?.data).toMatchObject({ actor: winner, note: `${winner} saw the money` });
  });

  it('two different creates for one order at once: one payment, and 409 for the other terms', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        shop.api('POST', '/v1/payments', order('contended', { amount: at % 2 === 0 ? '1.00' : '2.00' })),
      ),
    );
    const winners = new Set(answers.filter((answer) => answer.status < 300).map((answer) => answer.body.id as string));
    expect(winners.size).toBe(1);
    for (const answer of answers.filter(({ status }) => status >= 300)) expectProblem(answer, 'order_has_payment');
    expect(await invoicesOf(shop, [...winners][0] ?? '')).toHaveLength(1);
  });

  it('a fulfilment reported twice at once is one, and another outcome is refused', async () => {
    const { id, trackId } = await created(shop, 'reported');
    expectProblem(
      await shop.api('POST', `/v1/payments/${id}/fulfillment`, { outcome: 'fulfilled' }),
      'not_fulfillable',
    );
    await shop.control(`/_sandbox/payments/${trackId}/transfers`, { percent: 100, confirmations: 30 });
    await until(async () => (await shop.api('GET', `/v1/payments/${id}`)).body.fulfillable);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        shop.api('POST', `/v1/payments/${id}/fulfillment`, { outcome: 'fulfilled', reference: 'parcel-1' }),
      ),
    );
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 200));
    expectProblem(
      await shop.api('POST', `/v1/payments/${id}/fulfillment`, { outcome: 'rejected' }),
      'fulfillment_already_reported',
    );
    const { body } = await shop.api('GET', `/v1/orders/reported?minPosition=${String(answers[0]?.body.position)}`);
    expect(body.fulfillment).toBe('fulfilled');
  });
});

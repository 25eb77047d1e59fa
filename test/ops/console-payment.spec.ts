import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Audit } from '../../src/ops/audit.pg.js';
import { StoreUnavailable } from '../../src/platform/event-store/event-store.pg.js';
import { startTestService, until, type TestService } from '../support/service.js';
import type { RawAnswer } from '../api/support.js';
import { Receiver } from '../fulfillment/support.js';
import { get, logIn, post, tokenIn, words } from './console-browser.js';
import { Shop } from './console-payments.js';

jest.setTimeout(30_000);

const viewPassword = 'test-ops-view-password';
const script = '<script>alert("1")</script>';
const address = 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ';

const requestIn = ({ text }: RawAnswer): string => /name="request" value="([^"]+)"/.exec(text)?.[1] ?? '';

describe("The console's page of one payment", () => {
  let service: TestService;
  let shop: Shop;
  let receiver: Receiver;
  let cookie: string;
  beforeAll(async () => {
    service = await startTestService({ env: { OPS_VIEW_PASSWORD: viewPassword } });
    receiver = await new Receiver().open();
    await service.api('POST', '/v1/webhook-endpoints', { url: receiver.url });
    shop = new Shop(service);
    cookie = await logIn(service, { name: 'support@shop.example' });
  });
  afterAll(async () => {
    await service.close();
    await receiver.close();
  });

  const page = (id: string, query = '', by = cookie): Promise<RawAnswer> =>
    get(service, `/ops/payments/${id}${query}`, by);

  /** Fills a form of the page as it is, and sends it. */
  const act = async (
    id: string,
    path: string,
    form: Record<string, string>,
    by = cookie,
  ): Promise<RawAnswer & { request: string }> => {
    const shown = await page(id, '', by);
    const request = form['request'] ?? requestIn(shown);
    const answer = await post(
      service,
      `/ops/payments/${id}/${path}`,
      { csrf: tokenIn(shown), request, ...form },
      { cookie: by },
    );
    return { ...answer, request };
  };

  /** Where an action led, as a page. */
  const followed = async ({ status, headers }: RawAnswer): Promise<RawAnswer> => {
    expect(status).toBe(303);
    return get(service, String(headers['location']), cookie);
  };

  const eventsOf = async (id: string): Promise<{ type: string; actor: string; data: any }[]> =>
    (
      await service.database.pool.query<{ type: string; actor: string; data: object }>(
        'select type, actor, data from event where stream_id = $1 order by version',
        [id],
      )
    ).rows;

  /** What the record of operators' actions says of a payment, or of another target. */
  const audited = async (target: string): Promise<object[]> =>
    (
      await service.database.pool.query<object>(
        `select actor, data->>'action' as action, data->>'reason' as reason, data->>'outcome' as outcome from event
         where type = 'OperatorActed' and data->'target'->>'id' = $1 order by position`,
        [target],
      )
    ).rows;

  const entry = (action: string, reason: string, outcome = 'done') => ({
    actor: 'operator:support@shop.example',
    ...{ action, reason, outcome },
  });

  describe('shows', () => {
    it('the explanation in the words of the API, with its evidence linked to the rows', async () => {
      const id = await shop.underpaid('shown-1');
      const { body } = await service.api('GET', `/v1/payments/${id}/explanation`);
      const shown = await page(id);
      expect([shown.status, words(shown)]).toEqual([200, expect.stringContaining(body.sentence)]);
      expect(words(shown)).toContain(`Decided by ${body.rule.clause} of policy inline`);
      const links = [...shown.text.matchAll(/href="#(event-\d+)"/g)].map(([, to]) => to);
      expect(links.length).toBeGreaterThan(0);
      for (const to of links) expect(shown.text).toContain(`id="${to}"`);
      expect(String(shown.headers['content-security-policy'])).toContain("default-src 'none'");
      expect(String(shown.headers['content-security-policy'])).not.toContain('unsafe');
      expect(shown.text).not.toMatch(/ style="| on[a-z]+="/);
    });

    it('what was heard, decided and told side by side, each decision beside what caused it', async () => {
      const { id } = await shop.paid('shown-2');
      await shop.delivered(id);
      const { text } = await page(id);
      const steps = text.split('<li class="step">').slice(1);
      const paid = steps.find((step) => step.includes('<strong>PaymentPaid</strong>')) ?? '';
      expect(paid).toContain('<strong>Callback</strong>');
      expect(paid).toContain('signature good, by a merchant key');
      expect(paid).toContain('hmac: ');
      expect(paid).toContain('<strong>payment.paid</strong>');
      const [heard, decided, told] = ['Callback', 'PaymentPaid', 'payment.paid'].map((name) =>
        paid.indexOf(`<strong>${name}</strong>`),
      );
      expect(heard).toBeLessThan(decided ?? 0);
      expect(decided).toBeLessThan(told ?? 0);
    });

    it('a callback that was not applied, and why', async () => {
      const { id, trackId } = await shop.open('shown-3');
      await shop.misread(trackId);
      expect(words(await page(id))).toMatch(/Callback in quarantine It cannot be read: unknown_status/);
    });

    it('each version as it was known then, and marks what came later', async () => {
      const id = await shop.underpaid('shown-4');
      const first = await page(id, '?asOf=2');
      expect(words(first)).toContain('No transfer was seen yet');
      expect(words(first)).toMatch(/As it was at .*, by the 2 of \d+ events that were known then/);
      const item = (text: string, version: number): string =>
        new RegExp(`<article class="([^"]*)"[^>]*id="event-${String(version)}"`).exec(text)?.[1] ?? '';
      expect([item(first.text, 2), item(first.text, 3)]).toEqual(['item', 'item later']);
      expect(first.text).toContain(`href="/ops/payments/${id}?asOf=3"`);
      const part = await get(service, `/ops/payments/${id}/versions/2`, cookie);
      expect(words(part)).toContain('No transfer was seen yet');
      expect(part.text).not.toContain('<html');
      for (const [asOf, status] of [
        ['0', 400],
        ['never', 400],
        ['1970-01-01T00:00:00Z', 404],
      ] as const)
        expect((await page(id, `?asOf=${asOf}`)).status).toBe(status);
    });

    it('what had happened by then, by the clock of the gateway, and was learnt later', async () => {
      const { id, trackId } = await shop.open('shown-7');
      await shop.play('no_callbacks', trackId);
      await service.control('/_sandbox/clock/advance', { seconds: 70 });
      const { firstSeenAt } = await until(
        async () =>
          (await service.api('GET', `/v1/payments/${id}`)).body.transfers[0] as { firstSeenAt: string } | undefined,
      );
      const then = new Date(Date.parse(firstSeenAt) + 2000).toISOString();
      const shown = words(await page(id, `?asOf=${encodeURIComponent(then)}`));
      expect(shown).toContain('No transfer was seen yet');
      expect(shown).toMatch(
        /learnt later: #\d+ TransferDetected : happened at .* by the gateway’s clock, recorded here at/,
      );
      expect(words(await page(id))).toMatch(/happened at .* by the gateway’s clock, recorded here at/);
    });

    it('the money in both currencies, with network, hash and rate', async () => {
      const { id } = await shop.paid('shown-5');
      const shown = words(await page(id));
      const { body } = await service.api('GET', `/v1/payments/${id}`);
      const [transfer] = body.transfers as { txHash: string; sentAmount: string; currency: string; network: string }[];
      expect(shown).toContain(`${transfer?.sentAmount ?? ''} ${transfer?.currency ?? ''}`);
      expect(shown).toContain(transfer?.txHash);
      expect(shown).toContain('For the price 50.00 USD');
      expect(shown).toMatch(/rate \d/);
    });

    it('nothing for an id that is no payment', async () => {
      for (const id of [randomUUID(), 'nonsense', "'; drop table event;--"]) {
        const answer = await page(encodeURIComponent(id));
        expect([answer.status, words(answer)]).toEqual([404, expect.stringContaining('There is no')]);
      }
    });

    it('A29 text of others as text: order, description, metadata, e-mail and bytes', async () => {
      const { id, trackId } = await shop.open(`o-${script}`, {
        description: script,
        metadata: { note: script },
        customerId: script,
      });
      await shop.misread(trackId, script);
      const { text } = await page(id);
      expect(text).not.toContain(script);
      expect(text.split('&lt;script&gt;').length).toBeGreaterThan(5);
      const refused = await act(id, 'cancel', { reason: script.repeat(30) });
      expect([refused.status, refused.text.includes(script)]).toEqual([422, false]);
    });

    it('no form to whoever may look only, and does nothing for them', async () => {
      const id = await shop.underpaid('shown-6');
      const by = await logIn(service, { password: viewPassword });
      const shown = await page(id, '', by);
      expect(shown.text).not.toContain(`action="/ops/payments/`);
      expect(words(shown)).toContain('You are logged in to look only');
      for (const path of ['review', 'refunds', 'redeliveries', 'reconcile', 'reprocess', 'cancel'])
        expect((await act(id, path, { decision: 'accept', reason: 'because', request: randomUUID() }, by)).status).toBe(
          403,
        );
      expect((await eventsOf(id)).map(({ type }) => type)).not.toContain('ReviewResolved');
    });
  });

  describe('acts', () => {
    it('C03 decides a review, with the actor and the reason in the event and in the record', async () => {
      const id = await shop.underpaid('act-1');
      const shown = await followed(
        await act(id, 'review', { decision: 'accept', reason: ' paid\r\nthe rest  by card ' }),
      );
      expect(words(shown)).toMatch(/The review is decided\. New: #\d+ ReviewResolved, #\d+ PaymentPaid/);
      const [resolved, ...more] = (await eventsOf(id)).filter(({ type }) => type === 'ReviewResolved');
      expect([resolved, more]).toMatchObject([
        {
          actor: 'operator:support@shop.example',
          data: { decision: 'accept', actor: 'support@shop.example', note: 'paid the rest by card' },
        },
        [],
      ]);
      expect(await audited(id)).toEqual([entry('payment.review', 'paid the rest by card')]);
    });

    it('A26 lets one of two who decide at the same moment have it, and tells the other who did', async () => {
      const id = await shop.underpaid('act-2');
      const other = await logIn(service, { name: 'second@shop.example' });
      const answers = await Promise.all([
        act(id, 'review', { decision: 'accept', reason: 'paid by card' }),
        act(id, 'review', { decision: 'reject', reason: 'not paid' }, other),
      ]);
      expect(answers.map(({ status }) => status).sort()).toEqual([303, 409]);
      const late = answers.find(({ status }) => status === 409);
      expect(late && words(late)).toMatch(
        /nothing was done\. (support|second)@shop\.example decided "(accept|reject)"/,
      );
      expect((await eventsOf(id)).filter(({ type }) => type === 'ReviewResolved')).toHaveLength(1);
      expect((await audited(id)).map((each) => (each as { outcome: string }).outcome).sort()).toEqual([
        'done',
        'refused',
      ]);
    });

    it('refunds once, however often its form is sent', async () => {
      const { id } = await shop.paid('act-3');
      const form = { amount: '5.00', address, network: 'TRON', reason: 'returned goods' };
      const first = await act(id, 'refunds', form);
      const again = await act(id, 'refunds', { ...form, request: first.request });
      const together = await Promise.all([1, 2, 3].map(() => act(id, 'refunds', { ...form, request: first.request })));
      for (const answer of [again, ...together])
        expect([answer.status, answer.headers['location']]).toEqual([303, first.headers['location']]);
      expect(words(await followed(first))).toMatch(/The refund is asked for\. New: #\d+ RefundRequested/);
      const asked = (await eventsOf(id)).filter(({ type }) => type === 'RefundRequested');
      expect(asked).toMatchObject([
        {
          actor: 'operator:support@shop.example',
          data: { amount: '5', reason: 'returned goods', payout: { address, network: 'TRON' } },
        },
      ]);
      expect(await audited(id)).toEqual([entry('payment.refund', 'returned goods')]);
      const other = await act(id, 'refunds', { ...form, amount: '6.00', request: first.request });
      expect([other.status, words(other)]).toEqual([409, expect.stringContaining('sent before, with other content')]);
    });

    it('acts once, too, where whoever acted did not live to tell', async () => {
      const { id } = await shop.paid('act-12');
      const form = { amount: '5.00', address, network: 'TRON', reason: 'returned goods' };
      const { request } = await act(id, 'refunds', form);
      await service.database.pool.query('delete from idempotency_key');
      const shown = await followed(await act(id, 'refunds', { ...form, request }));
      expect(words(shown)).toContain('This was done when the form was first sent.');
      expect((await eventsOf(id)).filter(({ type }) => type === 'RefundRequested')).toHaveLength(1);
    });

    it('acts once where the record of it could not be written: the form that is shown then is the same one', async () => {
      const { id } = await shop.paid('act-13');
      const form = { amount: '5.00', address, network: 'TRON', reason: 'returned goods' };
      const lost = jest.spyOn(service.service.app.get(Audit), 'record');
      lost.mockRejectedValueOnce(new StoreUnavailable('gone for a moment'));
      const unsure = await act(id, 'refunds', form);
      lost.mockRestore();
      expect(unsure.status).toBe(503);
      expect(words(unsure)).toContain('it may have been done, or not.');
      expect(words(unsure)).not.toContain('nothing was done');
      expect(requestIn(unsure)).toBe(unsure.request);
      const shown = await followed(await act(id, 'refunds', { ...form, request: requestIn(unsure) }));
      expect(words(shown)).toContain('This was done when the form was first sent.');
      expect((await eventsOf(id)).filter(({ type }) => type === 'RefundRequested')).toHaveLength(1);
      expect(await audited(id)).toEqual([entry('payment.refund', 'returned goods')]);
    });

    it('says what it was that the domain refused, and keeps what was typed', async () => {
      const { id } = await shop.paid('act-4');
      const form = { amount: '999.00', address, network: 'TRON', reason: 'too generous' };
      const refused = await act(id, 'refunds', form);
      expect([refused.status, words(refused)]).toEqual([
        409,
        expect.stringMatching(/At most [\d.]+ USD can be refunded/),
      ]);
      for (const typed of ['value="999.00"', `value="${address}"`, 'too generous'])
        expect(refused.text).toContain(typed);
      expect(await audited(id)).toEqual([entry('payment.refund', 'too generous', 'refused')]);
      expect((await eventsOf(id)).map(({ type }) => type)).not.toContain('RefundRequested');
    });

    it('sends a webhook again', async () => {
      const { id } = await shop.paid('act-5');
      const dead = (await shop.delivered(id))[0]?.id ?? '';
      const before = receiver.requests.length;
      const shown = await followed(await act(id, 'redeliveries', { delivery: dead, reason: 'they were down' }));
      expect(words(shown)).toMatch(/Webhook #1, [a-z.]+, is sent again under the same id\./);
      await until(() => Promise.resolve(receiver.requests.length > before));
      expect(await audited(dead)).toEqual([entry('payment.redeliver', 'they were down')]);
      const foreign = await act((await shop.paid('act-5b')).id, 'redeliveries', {
        delivery: dead,
        reason: 'wrong one',
      });
      expect([foreign.status, words(foreign)]).toEqual([422, expect.stringContaining('none of this payment')]);
    });

    it('asks the gateway now, and tells what changed', async () => {
      const { id, trackId } = await shop.open('act-6');
      await shop.play('no_callbacks', trackId);
      const shown = words(await followed(await act(id, 'reconcile', { reason: 'the payer wrote' })));
      expect(shown).toMatch(/The gateway was asked\. New: #\d+ .*PaymentPaid.* It stands: paid, settled\./);
      expect(await audited(id)).toEqual([entry('payment.reconcile', 'the payer wrote')]);
      const again = words(await followed(await act(id, 'reconcile', { reason: 'once more' })));
      expect(again).toContain('Nothing new came of it. It stands: paid, settled.');
    });

    it('applies kept callbacks', async () => {
      const { id, trackId } = await shop.open('act-7');
      await shop.misread(trackId);
      const kept = words(await followed(await act(id, 'reprocess', { reason: 'a newer version' })));
      expect(kept).toMatch(/0 of 1 kept callbacks applied\. .* 1 stay: cannot be read \(unknown_status\)/);
      const late = await shop.open('act-8');
      await shop.unmatched(late);
      const applied = words(await followed(await act(late.id, 'reprocess', { reason: 'it is known now' })));
      expect(applied).toMatch(/1 of 1 kept callbacks applied\. New: #\d+ /);
      expect((await eventsOf(late.id)).at(-1)?.actor).toBe('operator:support@shop.example');
      expect(await audited(late.id)).toEqual([entry('payment.reprocess', 'it is known now')]);
    });

    it('cancels, and refuses where money was seen', async () => {
      const { id } = await shop.open('act-9');
      expect(words(await followed(await act(id, 'cancel', { reason: 'the shop asked' })))).toContain(
        'The payment is cancelled. New: #3 PaymentCancelled.',
      );
      expect(await audited(id)).toEqual([entry('payment.cancel', 'the shop asked')]);
      const paid = await shop.paid('act-10');
      const refused = await act(paid.id, 'cancel', { reason: 'the shop asked' });
      expect([refused.status, words(refused)]).toEqual([409, expect.stringContaining('Money was seen')]);
      expect(await audited(paid.id)).toEqual([entry('payment.cancel', 'the shop asked', 'refused')]);
    });

    it.each([
      ['no reason', 'cancel', { reason: '' }, 'It has to say why'],
      ['a reason of blanks', 'cancel', { reason: ' \r\n\t  ' }, 'It has to say why'],
      ['a reason that is too long', 'cancel', { reason: 'x'.repeat(501) }, 'It takes 500 characters at most'],
      ['no decision', 'review', { reason: 'because' }, 'one of the four'],
      ['an address that is none', 'refunds', { reason: 'because', address: 'T 1', network: 'TRON' }, 'address on its'],
      ['a network that is none', 'refunds', { reason: 'because', address, network: '!' }, 'code of a network'],
      [
        'an amount with an exponent',
        'refunds',
        { reason: 'because', address, network: 'TRON', amount: '1e3' },
        'positive number',
      ],
    ])('does nothing for %s, and keeps what was typed', async (name, path, form, fault) => {
      const { id } = path === 'refunds' ? await shop.paid(`bad-${name}`) : await shop.open(`bad-${name}`);
      const before = await eventsOf(id);
      const answer = await act(id, path, form);
      expect([answer.status, words(answer)]).toEqual([422, expect.stringContaining(fault)]);
      for (const typed of Object.values<string>(form).filter((text) => text.trim() !== ''))
        expect(answer.text).toContain(typed);
      expect(await eventsOf(id)).toEqual(before);
      expect(await audited(id)).toEqual([]);
    });

    it('A35 does nothing for a form without the token of its session, or without the mark of its page', async () => {
      const { id } = await shop.open('csrf');
      for (const csrf of ['', 'wrong']) expect((await act(id, 'cancel', { csrf, reason: 'because' })).status).toBe(403);
      expect((await act(id, 'cancel', { reason: 'because', request: 'x' })).status).toBe(400);
      expect((await act(id, 'destroy', { reason: 'because' })).status).toBe(404);
      expect(await eventsOf(id)).toHaveLength(2);
    });

    it('says that the gateway is silent, and that nothing was done', async () => {
      const { id } = await shop.open('act-11');
      await service.control('/_sandbox/faults', { seed: '1', api: { errorRate: 1, status: 503 } }, 'PUT');
      const refused = await act(id, 'reconcile', { reason: 'the payer wrote' });
      await service.control('/_sandbox/faults', {}, 'PUT');
      expect([refused.status, words(refused)]).toEqual([
        503,
        expect.stringContaining('the service keeps asking by itself'),
      ]);
      expect(await audited(id)).toEqual([entry('payment.reconcile', 'the payer wrote', 'refused')]);
    });
  });
});

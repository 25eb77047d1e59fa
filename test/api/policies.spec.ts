import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, until, type TestService } from '../support/service.js';
import { addOther, asOther, created, expectProblem, headerOf, order, paymentsOf, rowsOf, send } from './support.js';

const builtIn = {
  paidWhen: { rule: 'settled' },
  underpayment: { tolerancePercent: '0', then: 'reject' },
  overpayment: { tolerancePercent: '0', then: 'credit' },
  latePayment: { window: 'PT72H', then: 'review' },
};

let shop: TestService;
beforeAll(async () => {
  shop = await startTestService();
  await addOther(shop);
});
afterAll(() => shop.close());

const put = (name: string, rules: unknown, headers: Record<string, string> = {}) =>
  shop.api('PUT', `/v1/policies/${name}`, rules, headers);
const get = (path: string, headers: Record<string, string> = {}) =>
  shop.api('GET', `/v1/policies${path}`, undefined, headers);
const policyOf = async (id: string) => (await shop.api('GET', `/v1/payments/${id}`)).body.policy;

describe('A named policy', () => {
  it('is created at version 1 with 201, and changed with 200 at one more each time', async () => {
    const first = await put('versions', { paidWhen: { rule: 'confirmations', count: 3 } });
    expect([first.status, headerOf(first, 'location')]).toEqual([201, '/v1/policies/versions']);
    expect(first.body).toEqual({
      name: 'versions',
      version: 1,
      createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
      ...builtIn,
      paidWhen: { rule: 'confirmations', count: 3 },
    });
    const second = await put('versions', { underpayment: { then: 'review', tolerancePercent: '2.5' } });
    expect([second.status, headerOf(second, 'location')]).toEqual([200, null]);
    expect(second.body).toMatchObject({ version: 2, ...builtIn, underpayment: { tolerancePercent: '2.5' } });
    const again = await put('versions', { underpayment: { tolerancePercent: '2.50', then: 'review' } });
    expect([again.status, again.body]).toEqual([200, second.body]);
    expect((await get('/versions')).body).toEqual(second.body);
    expect((await get('/versions?version=1')).body).toEqual(first.body);
    expect((await get('/versions?version=2')).body).toEqual(second.body);
  });

  it('that was created is answered 200 where the same comes again', async () => {
    expect((await put('same', {})).status).toBe(201);
    expect((await put('same', {})).status).toBe(200);
    expect((await put('same', builtIn)).body).toMatchObject({ version: 1 });
  });

  it('takes the clauses that are left out, or null, from the built-in default and not from its version before', async () => {
    await put('partial', { latePayment: { window: 'P1D', then: 'accept' } });
    const { body } = await put('partial', { overpayment: { tolerancePercent: '60', then: 'keep' }, latePayment: null });
    expect(body).toMatchObject({ ...builtIn, overpayment: { tolerancePercent: '60', then: 'keep' } });
  });

  it.each([
    ['no tolerance', { underpayment: { tolerancePercent: '0.00', then: 'partial_credit' } }],
    ['the most that may be missing', { underpayment: { tolerancePercent: '60', then: 'reject' } }],
    ['60 percent with decimals', { overpayment: { tolerancePercent: '60.00', then: 'refund' } }],
    ['a hundredth of a percent', { overpayment: { tolerancePercent: '0.01', then: 'review' } }],
    ['one confirmation', { paidWhen: { rule: 'confirmations', count: 1 } }],
    ['1000 confirmations', { paidWhen: { rule: 'confirmations', count: 1000 } }],
    ['a count that is null where there is none', { paidWhen: { rule: 'detected', count: null } }],
    ['a window of 30 days', { latePayment: { window: 'P30D', then: 'accept' } }],
    ['a window of minutes', { latePayment: { window: 'PT43200M', then: 'refund' } }],
    ['no window', { latePayment: { window: 'PT0M', then: 'credit' } }],
  ])('may have %s', async (name, rules) => {
    const answer = await put(`may-${name.replaceAll(/[^a-z0-9]/g, '-')}`, rules);
    expect([answer.status, answer.body.errors]).toEqual([201, undefined]);
  });

  it('answers 404 for a name, or a version, that there is not', async () => {
    await put('known', {});
    for (const path of ['/unknown', '/inline', '/Known', '/known?version=2', '/default?version=7', '/a%00', '/%F0%9F'])
      expect([path, (await get(path)).status]).toEqual([path, path === '/%F0%9F' ? 400 : 404]);
    for (const version of ['0', '-1', '1.5', 'x', '', '1e1', '01', '99999999999'])
      expectProblem(await get(`/known?version=${version}`), 'malformed_request', ['?version']);
    expectProblem(await get('/known?surprise=1'), 'malformed_request', ['?surprise']);
  });

  it.each(['inline', 'Gold', '1st', '-gold', 'a.b', 'a%20b', 'a%2Fb', '%00', 'g%C3%B6ld', `a${'x'.repeat(64)}`])(
    'cannot be named %s',
    async (name) => {
      const before = await rowsOf(shop.database);
      const answer = await put(name, {});
      expectProblem(answer, 'invalid_request');
      expect(answer.body.detail).toContain('lower-case letters');
      expect(await rowsOf(shop.database)).toEqual(before);
    },
  );

  it('is answered the same again for the same Idempotency-Key, and nothing else under that key', async () => {
    const headers = { 'idempotency-key': 'policy-once' };
    const first = await put('once', { paidWhen: { rule: 'detected' } }, headers);
    await put('once', { paidWhen: { rule: 'settled' } });
    const again = await put('once', { paidWhen: { rule: 'detected' } }, headers);
    expect([again.status, again.body, headerOf(again, 'idempotency-replayed'), headerOf(again, 'location')]).toEqual([
      201,
      first.body,
      'true',
      '/v1/policies/once',
    ]);
    expect((await get('/once')).body.version).toBe(2);
    expectProblem(await put('once', {}, headers), 'idempotency_key_reused');
  });

  it('defined by many requests at once has versions without a gap', async () => {
    const counts = Array.from({ length: 20 }, (_, at) => at + 1);
    const answers = await Promise.all(
      counts.map((count) => put('race', { paidWhen: { rule: 'confirmations', count } })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(19).fill(200), 201]);
    expect(answers.map(({ body }) => body.version as number).sort((a, b) => a - b)).toEqual(counts);
    for (const { body } of answers) expect((await get(`/race?version=${String(body.version)}`)).body).toEqual(body);
  });
});

interface Wrong {
  why: string;
  rules: unknown;
  pointers: string[];
  /** What the reason has to say. */
  says: RegExp;
}

const under = (tolerancePercent: unknown, then: unknown = 'reject') => ({ underpayment: { tolerancePercent, then } });
const over = (tolerancePercent: unknown, then: unknown = 'credit') => ({ overpayment: { tolerancePercent, then } });
const late = (window: unknown, then: unknown = 'accept') => ({ latePayment: { window, then } });
const paid = (paidWhen: unknown) => ({ paidWhen });
const missing = ['/underpayment/tolerancePercent'];
const tooMuch = ['/overpayment/tolerancePercent'];
const window = ['/latePayment/window'];
const count = ['/paidWhen/count'];

const wrong: Wrong[] = [
  { why: 'gives goods for nothing', rules: under('100'), pointers: missing, says: /"0" to "60".*gateway/ },
  { why: 'takes less than 40 percent for the whole', rules: under('60.01'), pointers: missing, says: /gateway/ },
  { why: 'pays the payer', rules: under('101'), pointers: missing, says: /"0" to "60"/ },
  { why: 'asks for more than the price', rules: under('-5'), pointers: missing, says: /no sign/ },
  { why: 'has a signed tolerance', rules: under('+5'), pointers: missing, says: /no sign/ },
  { why: 'has a tolerance with an exponent', rules: under('1e1'), pointers: missing, says: /no exponent/ },
  { why: 'has three decimals', rules: under('0.001'), pointers: missing, says: /two decimals/ },
  { why: 'has a tolerance as a number', rules: under(5), pointers: missing, says: /as a string/ },
  { why: 'has a tolerance with a percent sign', rules: under('5%'), pointers: missing, says: /percentage/ },
  { why: 'has a tolerance with a comma', rules: under('2,5'), pointers: missing, says: /percentage/ },
  { why: 'has a tolerance with a leading zero', rules: under('05'), pointers: missing, says: /percentage/ },
  { why: 'has an empty tolerance', rules: under(''), pointers: missing, says: /percentage/ },
  { why: 'has no tolerance', rules: under(undefined), pointers: missing, says: /percentage/ },
  { why: 'has a tolerance that is no number', rules: under('NaN'), pointers: missing, says: /percentage/ },
  { why: 'lets any excess pass', rules: over('100'), pointers: tooMuch, says: /"0" to "60".*mistake/ },
  { why: 'lets 61 percent too much pass', rules: over('61'), pointers: tooMuch, says: /"0" to "60"/ },
  { why: 'has an endless excess', rules: over('Infinity'), pointers: tooMuch, says: /percentage/ },
  { why: 'has a negative excess', rules: over('-0'), pointers: tooMuch, says: /no sign/ },
  { why: 'refunds what is missing', rules: under('0', 'refund'), pointers: ['/underpayment/then'], says: /one of/ },
  { why: 'does nothing in particular', rules: over('0', 'ignore'), pointers: ['/overpayment/then'], says: /one of/ },
  { why: 'says nothing of late money', rules: late('PT1H', null), pointers: ['/latePayment/then'], says: /one of/ },
  {
    why: 'needs no confirmation',
    rules: paid({ rule: 'confirmations', count: 0 }),
    pointers: count,
    says: /1 to 1000/,
  },
  {
    why: 'has a negative count',
    rules: paid({ rule: 'confirmations', count: -1 }),
    pointers: count,
    says: /1 to 1000/,
  },
  { why: 'waits for ever', rules: paid({ rule: 'confirmations', count: 1001 }), pointers: count, says: /1 to 1000/ },
  {
    why: 'has half a count',
    rules: paid({ rule: 'confirmations', count: 1.5 }),
    pointers: count,
    says: /whole number/,
  },
  { why: 'has a count as text', rules: paid({ rule: 'confirmations', count: '3' }), pointers: count, says: /whole/ },
  { why: 'has no count', rules: paid({ rule: 'confirmations' }), pointers: count, says: /1 to 1000/ },
  { why: 'counts nothing', rules: paid({ rule: 'confirmations', count: null }), pointers: count, says: /1 to 1000/ },
  { why: 'counts what is settled', rules: paid({ rule: 'settled', count: 3 }), pointers: count, says: /confirmations/ },
  { why: 'counts what is seen', rules: paid({ rule: 'detected', count: 0 }), pointers: count, says: /confirmations/ },
  { why: 'is never paid', rules: paid({ rule: 'never' }), pointers: ['/paidWhen/rule'], says: /one of/ },
  { why: 'has no rule', rules: paid({}), pointers: ['/paidWhen/rule'], says: /one of/ },
  { why: 'has a word for a clause', rules: paid('settled'), pointers: ['/paidWhen'], says: /object/ },
  { why: 'has a list for a clause', rules: { underpayment: [] }, pointers: ['/underpayment'], says: /object/ },
  { why: 'takes money for 31 days', rules: late('P31D'), pointers: window, says: /30 days/ },
  { why: 'takes money a minute too long', rules: late('P30DT1M'), pointers: window, says: /30 days/ },
  { why: 'takes money for a year', rules: late('P1Y'), pointers: window, says: /days, hours and minutes/ },
  { why: 'takes money for ever', rules: late('P9999D'), pointers: window, says: /an end/ },
  { why: 'has no end of its window', rules: late(null), pointers: window, says: /an end/ },
  { why: 'leaves the window out', rules: { latePayment: { then: 'accept' } }, pointers: window, says: /an end/ },
  { why: 'has an interval without an end', rules: late('2026-01-01T00:00:00Z/..'), pointers: window, says: /duration/ },
  { why: 'has a repeated window', rules: late('R/P1D'), pointers: window, says: /duration/ },
  { why: 'has a window as a sentence', rules: late('72 hours'), pointers: window, says: /duration/ },
  { why: 'has a window of seconds', rules: late(259200), pointers: window, says: /duration/ },
  { why: 'has an empty duration', rules: late('P'), pointers: window, says: /duration/ },
  { why: 'has half a duration', rules: late('P1DT'), pointers: window, says: /duration/ },
  { why: 'has a negative window', rules: late('-P1D'), pointers: window, says: /duration/ },
  { why: 'has a clause of its own', rules: { refund: { then: 'never' } }, pointers: ['/refund'], says: /known field/ },
  { why: 'names itself', rules: { name: 'other' }, pointers: ['/name'], says: /known field/ },
  { why: 'chooses its version', rules: { version: 9 }, pointers: ['/version'], says: /known field/ },
  {
    why: 'has a member of its own in a clause',
    rules: { underpayment: { tolerancePercent: '0', then: 'reject', max: '5' } },
    pointers: ['/underpayment/max'],
    says: /known field/,
  },
  { why: 'has an inherited name', rules: { toString: {} }, pointers: ['/toString'], says: /known field/ },
  {
    why: 'is wrong in every clause',
    rules: { ...paid({ rule: 'confirmations', count: 0 }), ...under('100'), ...over('99'), ...late('P90D') },
    pointers: [...count, ...missing, ...tooMuch, ...window],
    says: /./,
  },
];

describe('A dangerous or wrong policy', () => {
  it.each(wrong)('that $why is refused, defined or inline, with a reason at $pointers', async (row) => {
    const before = await rowsOf(shop.database);
    const answer = await put('dangerous', row.rules);
    expectProblem(answer, 'invalid_request', row.pointers);
    for (const { detail } of answer.body.errors as { detail: string }[]) {
      expect(detail).toMatch(row.says);
      expect(detail).not.toMatch(/^\w+ must|regular expression|constraint/);
    }
    const inline = await shop.api('POST', '/v1/payments', order('dangerous', { policy: row.rules }));
    expectProblem(
      inline,
      'invalid_request',
      row.pointers.map((pointer) => `/policy${pointer}`),
    );
    expect(await rowsOf(shop.database)).toEqual(before);
    expect((await get('/dangerous')).status).toBe(404);
  });

  it.each(['[]', '"gold"', '5', 'null', ''])('is refused where it is %j and no object', async (body) => {
    const answer = await send(shop.url, {
      method: 'PUT',
      path: '/v1/policies/dangerous',
      ...(body === '' ? {} : { body }),
    });
    expectProblem(answer, 'invalid_request', ['']);
  });
});

describe('A payment', () => {
  it('pins the newest version of the policy that it names, and keeps it when the policy changes', async () => {
    await put('gold', { paidWhen: { rule: 'confirmations', count: 1000 } });
    const running = await created(shop, 'pinned-1', { policy: 'gold' });
    await put('gold', { paidWhen: { rule: 'detected' } });
    const next = await created(shop, 'pinned-2', { policy: 'gold' });
    const pinned = {
      name: 'gold',
      version: 1,
      rules: { ...builtIn, paidWhen: { rule: 'confirmations', count: 1000 } },
    };
    expect(await policyOf(running.id)).toEqual(pinned);
    expect(await policyOf(next.id)).toEqual({
      name: 'gold',
      version: 2,
      rules: { ...builtIn, paidWhen: { rule: 'detected' } },
    });
    const explained = await shop.api('GET', `/v1/payments/${running.id}/explanation`);
    expect(explained.body.rule).toMatchObject({ policy: 'gold', version: 1 });
    for (const { trackId } of [running, next])
      await shop.control(`/_sandbox/payments/${trackId}/transfers`, { percent: 100, confirmations: 2 });
    await until(async () => (await shop.api('GET', `/v1/payments/${next.id}`)).body.status === 'paid');
    const still = await until(async () => {
      const { body } = await shop.api('GET', `/v1/payments/${running.id}`);
      return body.transfers.length > 0 && body;
    });
    expect([still.status, still.policy]).toEqual(['pending', pinned]);
    const { events } = { events: (await shop.api('GET', `/v1/payments/${running.id}/events`)).body.items };
    expect(events[0].data.policy).toEqual(pinned);
  });

  it('of a policy that nobody defined is refused with what to do', async () => {
    const before = await paymentsOf(shop.database);
    for (const policy of ['platinum', 'constructor', 'a'.repeat(64)]) {
      const answer = await shop.api('POST', '/v1/payments', order('unknown-policy', { policy }));
      expectProblem(answer, 'invalid_request', ['/policy']);
      expect(answer.body.errors[0].detail).toContain(`PUT /v1/policies/${policy}`);
    }
    for (const policy of ['inline', 'Gold', '', ' gold', 'a/b', 'a'.repeat(65)]) {
      const answer = await shop.api('POST', '/v1/payments', order('unknown-policy', { policy }));
      expectProblem(answer, 'invalid_request', ['/policy']);
      expect(answer.body.errors[0].detail).toContain('name of a policy');
    }
    expect(await paymentsOf(shop.database)).toEqual(before);
  });

  it('cannot be made under another application’s policy, nor can that be seen or changed', async () => {
    await put('private', { paidWhen: { rule: 'detected' } });
    const theirs = await shop.api('POST', '/v1/payments', order('not-mine', { policy: 'private' }), asOther);
    expectProblem(theirs, 'invalid_request', ['/policy']);
    expectProblem(await get('/private', asOther), 'not_found');
    expect((await get('/private', asOther)).body).toEqual((await get('/nothing', asOther)).body);
    expect((await put('private', {}, asOther)).body).toMatchObject({ version: 1, ...builtIn });
    expect((await get('/private')).body).toMatchObject({ version: 1, paidWhen: { rule: 'detected' } });
  });

  it('without a policy gets the application’s own default, which also fills an inline one', async () => {
    expect((await get('/default', asOther)).body).toEqual({ name: 'default', version: 1, createdAt: null, ...builtIn });
    const theirs = async (orderId: string, more: Record<string, unknown> = {}) =>
      (await shop.api('POST', '/v1/payments', order(orderId, more), asOther)).body.policy;
    expect(await theirs('own-default-1')).toEqual({ name: 'default', version: 1, rules: builtIn });
    const tolerant = { ...builtIn, underpayment: { tolerancePercent: '2', then: 'reject' } };
    const own = await put('default', { underpayment: tolerant.underpayment }, asOther);
    expect([own.status, own.body]).toMatchObject([200, { name: 'default', version: 2, ...tolerant }]);
    expect((await get('/default?version=1', asOther)).body).toMatchObject({ createdAt: null, ...builtIn });
    for (const more of [{}, { policy: null }, { policy: 'default' }])
      expect(await theirs(`own-default-${JSON.stringify(more)}`, more)).toEqual({
        name: 'default',
        version: 2,
        rules: tolerant,
      });
    expect(await theirs('own-default-inline', { policy: { paidWhen: { rule: 'detected' } } })).toEqual({
      name: 'inline',
      version: 1,
      rules: { ...tolerant, paidWhen: { rule: 'detected' } },
    });
    expect((await get('/default')).body).toMatchObject({ version: 1 });
  });
});

describe('The list of policies', () => {
  it('has the newest version of each by name, page by page, and only of the caller', async () => {
    await put('listed-b', {});
    await put('listed-a', {});
    await put('listed-a', { paidWhen: { rule: 'detected' } });
    await put('theirs-only', {}, asOther);
    const all: { name: string; version: number }[] = [];
    for (let query = '?limit=4'; query !== '';) {
      const { status, body } = await get(query);
      expect([status, body.items.length <= 4]).toEqual([200, true]);
      all.push(...body.items);
      query = body.nextCursor === null ? '' : `?limit=4&cursor=${String(body.nextCursor)}`;
    }
    const names = all.map(({ name }) => name);
    expect(names).toEqual([...new Set(names)].sort());
    expect(names).toEqual(expect.arrayContaining(['default', 'listed-a', 'listed-b']));
    expect(names).not.toContain('theirs-only');
    expect(all.find(({ name }) => name === 'listed-a')).toEqual((await get('/listed-a')).body);
  });

  it('refuses a cursor of another application or of another list, and limits that are none', async () => {
    await put('cursor-a', {});
    const { nextCursor } = (await get('?limit=1')).body as { nextCursor: string };
    expectProblem(await get(`?cursor=${nextCursor}`, asOther), 'invalid_cursor');
    await created(shop, 'cursor-1');
    const { position } = await created(shop, 'cursor-2');
    const payments = await shop.api('GET', `/v1/payments?limit=1&minPosition=${String(position)}`);
    expectProblem(await get(`?cursor=${String(payments.body.nextCursor)}`), 'invalid_cursor');
    expectProblem(await get('?cursor=x'), 'invalid_cursor');
    expectProblem(await get('?limit=0'), 'malformed_request', ['?limit']);
    expectProblem(await get('?name=x'), 'malformed_request', ['?name']);
  });
});

describe('The feed', () => {
  it('tells of a new version, who made it, and that it is about no payment', async () => {
    const { id } = await created(shop, 'in-feed', {}, asOther);
    await put('in-feed', { paidWhen: { rule: 'detected' } }, asOther);
    const items: Record<string, any>[] = [];
    for (let after = '0', more = true; more;) {
      const { body } = await shop.api('GET', `/v1/events?after=${after}`, undefined, asOther);
      items.push(...body.items);
      more = body.nextCursor !== after;
      after = body.nextCursor;
    }
    const defined = items.filter((event) => event['type'] === 'PolicyDefined' && event['data'].name === 'in-feed');
    expect(defined).toHaveLength(1);
    expect(defined[0]).toMatchObject({
      paymentId: null,
      version: 1,
      schemaVersion: 1,
      actor: expect.stringMatching(/^application:/),
      data: { name: 'in-feed', version: 1, rules: { ...builtIn, paidWhen: { rule: 'detected' } } },
    });
    expect(items.filter((event) => event['paymentId'] === id).map((event) => event['type'])).toEqual(
      expect.arrayContaining(['PaymentRequested', 'InvoiceOpened']),
    );
    expect(items.every((event) => (event['paymentId'] === null) === (event['type'] === 'PolicyDefined'))).toBe(true);
    const mine = await shop.api('GET', '/v1/events?after=0');
    expect(JSON.stringify(mine.body)).not.toContain('in-feed');
  });
});

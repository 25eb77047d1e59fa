import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, until, type TestService } from '../support/service.js';
import { addOther, asOther, created, expectProblem, payAll, send } from './support.js';

interface Page {
  items: { id: string; orderId: string }[];
  nextCursor: string | null;
}

describe('Lists', () => {
  let shop: TestService;
  const made: { id: string; orderId: string }[] = [];
  let last = 0;

  beforeAll(async () => {
    shop = await startTestService();
    await addOther(shop);
    for (let at = 0; at < 23; at++) {
      const orderId = `list-${String(at).padStart(2, '0')}`;
      const { id, position } = await created(shop, orderId, {
        customerId: `customer-${String(at % 3)}`,
        email: `payer${String(at)}@shop.example`,
      });
      made.push({ id, orderId });
      last = position;
    }
    await created(shop, 'list-00', {}, asOther);
  });
  afterAll(() => shop.close());

  const get = async (path: string, headers: Record<string, string> = {}): Promise<Page> => {
    const answer = await shop.api('GET', path, undefined, headers);
    expect(answer.status).toBe(200);
    return answer.body as Page;
  };
  const idsOf = (page: Page): string[] => page.items.map((item) => item.id);
  const fresh = (): string => `minPosition=${String(last)}`;

  it('give every payment once, newest first, over many pages, while new ones are created', async () => {
    const seen: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const page: Page = await get(
        `/v1/payments?limit=4&q=list-&${fresh()}${cursor === null ? '' : `&cursor=${cursor}`}`,
      );
      expect(page.items.length).toBeLessThanOrEqual(4);
      seen.push(...idsOf(page));
      cursor = page.nextCursor;
      pages++;
      await created(shop, `list-new-${String(pages)}`);
    } while (cursor !== null);
    expect(pages).toBe(6);
    expect(seen).toEqual(made.map(({ id }) => id).reverse());
  });

  it('give every order once over many pages, and its payments by their ids', async () => {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = (await get(
        `/v1/orders?limit=5&${fresh()}${cursor === null ? '' : `&cursor=${cursor}`}`,
      )) as unknown as { items: { orderId: string; payments: string[] }[]; nextCursor: string | null };
      seen.push(...page.items.map((item) => item.orderId));
      for (const { orderId, payments } of page.items)
        if (/^list-\d/.test(orderId)) expect(payments).toEqual([made.find((one) => one.orderId === orderId)?.id]);
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((orderId) => /^list-\d\d$/.test(orderId))).toEqual(made.map(({ orderId }) => orderId).reverse());
  });

  it('end exactly at a full last page with no further one', async () => {
    const page = await get(`/v1/payments?limit=1&orderId=list-03&${fresh()}`);
    expect([page.items.length, page.nextCursor]).toEqual([1, null]);
    expect(await get(`/v1/payments?orderId=nothing-like-it&${fresh()}`)).toEqual({ items: [], nextCursor: null });
  });

  it('find by order id, customer, status, label, track id, time of creation, and by part of what a person remembers', async () => {
    const [first] = made;
    const one = (await shop.api('GET', `/v1/payments/${first?.id ?? ''}`)).body as {
      id: string;
      trackId: string;
      createdAt: string;
      email: string;
    };
    const paid = await created(shop, 'filter-paid');
    await payAll(shop, paid.trackId);
    const position = await until(async () => {
      const { body } = await shop.api('GET', `/v1/payments/${paid.id}`);
      return body.status === 'paid' && String(body.position);
    });
    const cancelled = await created(shop, 'filter-cancelled');
    const { body } = await shop.api('POST', `/v1/payments/${cancelled.id}/cancel`);
    const later = `minPosition=${String(body.position)}`;
    const find = async (query: string): Promise<string[]> =>
      idsOf(await get(`/v1/payments?limit=100&${later}&${query}`));
    expect(await find('orderId=list-00')).toEqual([one.id]);
    expect(await find('orderId=list-0')).toEqual([]);
    expect((await find('customerId=customer-1&q=list-')).length).toBe(8);
    expect(await find('status=paid')).toEqual([paid.id]);
    expect(await find('status=failed')).toEqual([cancelled.id]);
    expect(await find('status=expired')).toEqual([]);
    expect((await find('status=pending')).includes(one.id)).toBe(true);
    expect((await find('label=sandbox')).length).toBeGreaterThan(20);
    expect(await find('label=refunded')).toEqual([]);
    expect(await find(`trackId=${one.trackId}`)).toEqual([one.id]);
    expect(
      await find(`createdFrom=${one.createdAt}&createdTo=${new Date(Date.parse(one.createdAt) + 1).toISOString()}`),
    ).toContain(one.id);
    expect(await find(`createdTo=${one.createdAt}`)).toEqual([]);
    expect(await find(`createdFrom=${encodeURIComponent('2030-01-01T00:00:00+02:00')}`)).toEqual([]);
    for (const q of [
      'list-00',
      'LIST-00',
      one.trackId,
      one.trackId.slice(1),
      'payer0@shop',
      one.id,
      one.id.toUpperCase(),
    ])
      expect(await find(`q=${encodeURIComponent(q)}`)).toEqual([one.id]);
    expect((await find('q=customer-2')).length).toBe(7);
    expect(await find('status=paid&orderId=list-00')).toEqual([]);
    expect(Number(position)).toBeGreaterThan(0);
  });

  it('show what was just written to whoever passes its position, fifty times in a row', async () => {
    for (let at = 0; at < 50; at++) {
      const { id, position } = await created(shop, `own-${String(at)}`);
      const found = await get(`/v1/payments?orderId=own-${String(at)}&minPosition=${String(position)}`);
      expect(idsOf(found)).toEqual([id]);
      const order = await shop.api('GET', `/v1/orders/own-${String(at)}?minPosition=${String(position)}`);
      expect([order.status, order.body.payments[0].id]).toEqual([200, id]);
    }
  });

  it('wait two seconds at most for a position that does not come, and then answer what there is', async () => {
    const began = performance.now();
    const page = await get('/v1/payments?orderId=list-00&minPosition=999999999999');
    const took = performance.now() - began;
    expect(page.items).toHaveLength(1);
    expect(took).toBeGreaterThan(1500);
    expect(took).toBeLessThan(3000);
  });

  it.each([
    'limit=1e9',
    'limit=-1',
    'limit=0',
    'limit=101',
    'limit=10.5',
    'limit=',
    'limit=ten',
    'limit=%2010',
    'limit=9999999999999999999999',
    'cursor=',
    'cursor=x',
    'cursor=AAAA',
    `cursor=${'A'.repeat(201)}`,
    'cursor=%00',
    "cursor=' or 1=1--",
    'minPosition=-1',
    'minPosition=1.5',
    'minPosition=9999999999999999',
    'minPosition=x',
    'minPosition=',
  ])('A21 refuse ?%s with 400', async (query) => {
    for (const list of ['/v1/payments', '/v1/orders']) {
      const answer = await send(shop.url, { method: 'GET', path: `${list}?${encodeURI(query).replace(/%25/g, '%')}` });
      expect(['urn:finality:problem:malformed-request', 'urn:finality:problem:invalid-cursor']).toContain(
        answer.body.type,
      );
      expect(answer.status).toBe(400);
    }
  });

  it('A21 refuse a cursor of which one character was changed, unless it still names a row of the same application', async () => {
    const { nextCursor } = await get('/v1/payments?limit=2');
    const text = nextCursor ?? '';
    for (let at = 0; at < text.length; at += 5) {
      const forged = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
      const answer = await shop.api('GET', `/v1/payments?limit=2&cursor=${forged}`);
      if (answer.status === 200)
        expect(answer.body.items.every((item: { orderId: string }) => !item.orderId.startsWith('other'))).toBe(true);
      else expectProblem(answer, 'invalid_cursor');
    }
  });

  it.each([
    "' or '1'='1",
    "'; drop table event; --",
    '\\',
    '%',
    '_',
    '%%%%%%%%%%',
    '(((((((((((((((((((((((((((a+)+)+)+$',
    '$.**{0 to 1000000}',
    '{"$gt":""}',
    '${jndi:ldap://x}',
    '../../../etc/passwd',
    ':orderId',
    '$1',
    '?',
    '😀'.repeat(60),
    '\u202e',
    'a'.repeat(128),
    "\\' or 1=1",
    '[a-z]*',
    'NULL',
    '__proto__',
  ])('A22 answer a search for %j within moments', async (text) => {
    const began = performance.now();
    for (const name of ['q', 'orderId', 'customerId', 'trackId']) {
      const answer = await send(shop.url, { method: 'GET', path: `/v1/payments?${name}=${encodeURIComponent(text)}` });
      expect(answer.status).toBe(200);
      expect(answer.body.items).toEqual([]);
    }
    expect((performance.now() - began) / 4).toBeLessThan(100);
  });

  it.each([
    'status=PAID',
    'status=',
    "status=paid'--",
    'status=toString',
    'label=',
    'label=Sandbox',
    "label='x'",
    `label=${'a'.repeat(41)}`,
    `q=${'a'.repeat(129)}`,
    `orderId=${'a'.repeat(129)}`,
    'q=%00',
    'orderId=a%0Ab',
    'customerId=%1b',
    'trackId=%7f',
    'createdFrom=yesterday',
    'createdFrom=2026-01-01',
    'createdFrom=2026-13-45T99:99:99Z',
    'createdFrom=2026-02-30T00:00:00Z',
    'createdFrom=0000-01-01T00:00:00Z',
    'createdTo=9999-12-31T23:59:59-23:59',
    'createdTo=2026-01-01T00:00:00%2B99:99',
    'createdTo=1e9',
    'createdTo=infinity',
    'createdFrom=2026-01-01T24:00:01Z',
    'unknown=1',
    'toString=1',
    '__proto__=1',
    'hasOwnProperty=1',
    'constructor=1',
    'status[]=paid',
    'orderId[$ne]=x',
    'applicationId=1',
  ])('A22 refuse ?%s with 400', async (query) => {
    const answer = await send(shop.url, { method: 'GET', path: `/v1/payments?${query}` });
    expectProblem(answer, 'malformed_request');
  });

  it.each([
    'status=paid&status=failed',
    'q=a&q=b',
    'limit=1&limit=2',
    'orderId=a&orderId=b',
    'minPosition=1&minPosition=2',
    'createdFrom=2026-01-01T00:00:00Z&createdFrom=2026-01-01T00:00:00Z',
    'label=sandbox&label=late',
    'trackId=1&trackId=2',
    'customerId=1&customerId=2',
    'cursor=a&cursor=b',
  ])('A23 refuse ?%s, a parameter given twice, with 400 that names it', async (query) => {
    const answer = await send(shop.url, { method: 'GET', path: `/v1/payments?${query}` });
    expectProblem(answer, 'malformed_request', [`?${query.slice(0, query.indexOf('='))}`]);
  });

  it.each([
    '%',
    '%zz',
    '%ff',
    '%C3%28',
    '%ED%A0%80',
    '%F8%88%80%80%80',
    '%00',
    'a%00b',
    '%E2%80%A8',
    '%0d%0aX-Evil:%201',
    'x'.repeat(5000),
    '%2e%2e%2f',
    "'--",
  ])('A22 answer an order id of the path that is %.40s with 4xx', async (part) => {
    for (const path of [`/v1/orders/${part}`, `/v1/payments/${part}`, `/pay/${part}`]) {
      const answer = await send(shop.url, { method: 'GET', path });
      expect([400, 404, 414]).toContain(answer.status);
      // Whoever follows a broken link to the payer's page is shown a page.
      const isPage = path.startsWith('/pay/') && answer.status === 404 && answer.text.startsWith('<!doctype html>');
      expect(String(answer.headers['content-type'])).toContain(isPage ? 'text/html' : 'application/problem+json');
      expect(answer.headers['x-evil']).toBeUndefined();
    }
  });

  it('answer a query that is not UTF-8 with 4xx or as text that finds nothing, never with 5xx', async () => {
    for (const query of ['q=%ff', 'q=%', 'q=%ED%A0%80', 'q=%zz', '%ff=1', '&&&', '=', 'q', '?', '#']) {
      const answer = await send(shop.url, { method: 'GET', path: `/v1/payments?${query}` });
      expect(answer.status).toBeLessThan(500);
    }
  });

  it.each([
    ['a part of an id', 'q=ANY-1234', 'payment_view_search', 11],
    ['a customer', 'customerId=customer-of-many-12345', 'payment_view_customer', 1],
  ])('find %s among many payments by an index', async (_what, query, index, found) => {
    const { pool } = shop.database;
    await pool.query(
      `insert into payment_view (payment_id, application_id, order_id, customer_id, status, labels, amount, currency, fulfillable, fulfillment, created_at, version, state)
       select md5(n::text)::uuid, application_id, 'many-' || n, 'customer-of-many-' || n, status, labels, amount, currency, fulfillable, fulfillment, created_at, version, state
       from (select * from payment_view where status = 'pending' limit 1) one, generate_series(1, 20000) n
       on conflict do nothing`,
    );
    await pool.query('analyze payment_view');
    const scans = async (): Promise<number> => {
      const { rows } = await pool.query<{ n: number }>(
        'select idx_scan as n from pg_stat_user_indexes where indexrelname = $1',
        [index],
      );
      return rows[0]?.n ?? 0;
    };
    const before = await scans();
    expect((await get(`/v1/payments?${query}`)).items).toHaveLength(found);
    // A connection tells of its scans once a second, at the end of a transaction.
    await until(async () => {
      await get(`/v1/payments?${query}`);
      return (await scans()) > before;
    });
  });

  it('have logged nothing unexpected', () => {
    expect(shop.logged.filter((line) => line.includes('unexpected error'))).toEqual([]);
  });
});

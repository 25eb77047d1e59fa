import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PaymentTraceProjection } from '../../src/read-models/payment-trace-projection.pg.js';
import { spelled } from '../../src/read-models/payment-trace.js';
import { readSought } from '../../src/ops/console-search.js';
import { rebuild } from '../../src/platform/subscriptions/rebuild.pg.js';
import { created, type RawAnswer } from '../api/support.js';
import { said, tx } from '../callbacks/support.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { get, logIn, words } from './console-browser.js';

const hash = `0x${'aB'.repeat(32)}`;
const address = 'TXYZopYRdj2D9XRtbG411XZZ3kM5VkAeBf';
const refundTo = { address: '0x52908400098527886E0F7030069857D2E4169EE7', network: 'ETH' };

describe('What a search looks for', () => {
  it('is the same in every spelling that means the same, and no other', () => {
    expect(spelled('0xABcd')).toBe('0xabcd');
    expect(spelled('AB'.repeat(32))).toBe('ab'.repeat(32));
    expect(spelled('BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4')).toBe('bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4');
    for (const exact of [address, '1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2', 'ABC', 'shop-1'])
      expect(spelled(exact)).toBe(exact);
  });

  it('may be a hash with its 0x or without, or the address of an explorer', () => {
    expect(readSought(hash).traces).toEqual([hash.toLowerCase(), hash.slice(2).toLowerCase()]);
    expect(readSought(hash.slice(2)).traces).toEqual([hash.slice(2).toLowerCase(), hash.toLowerCase()]);
    expect(readSought(`https://tronscan.org/#/transaction/${'ab'.repeat(32)}`).text).toBe('ab'.repeat(32));
    expect(readSought('https://tronscan.org/').text).toBe('https://tronscan.org/');
  });
});

describe("The console's search", () => {
  let shop: TestService;
  let cookie: string;
  let paid: { id: string; trackId: string };
  const search = (q: string, more = ''): Promise<RawAnswer> =>
    get(shop, `/ops/search?q=${encodeURIComponent(q)}${more}`, cookie);
  const leadsTo = async (q: string): Promise<string | undefined> => {
    const answer = await search(q);
    return answer.status === 303 ? String(answer.headers['location']) : words(answer);
  };

  beforeAll(async () => {
    shop = await startTestService();
    cookie = await logIn(shop);
    const terms = { amount: '10.50', email: 'Payer@Shop.example', customerId: 'customer-7', refundTo };
    paid = await created(shop, 'shop-2001', terms);
    const payment = { ...paid, amount: '10.50', currency: 'USD' };
    await shop.callback(said(payment, { txs: [tx({ tx_hash: hash, address })] }));
    for (let at = 0; at < 30; at++)
      await created(shop, `bulk-${String(at).padStart(2, '0')}`, { customerId: 'customer-8' });
    await until(async () => {
      const { rows } = await shop.database.pool.query(
        `select 1 from payment_view where order_id = 'bulk-29' and exists (select from payment_trace where kind = 'transaction')`,
      );
      return rows.length > 0;
    });
  }, 60_000);
  afterAll(() => shop.close());

  it('leads to the payment with this order id, payment id, track id, transaction, address, e-mail or customer', async () => {
    const path = `/ops/payments/${paid.id}`;
    const asked = [
      'shop-2001',
      paid.id,
      paid.id.toUpperCase(),
      paid.trackId,
      hash,
      hash.toLowerCase(),
      hash.slice(2),
      `https://etherscan.io/tx/${hash}`,
      address,
      refundTo.address,
      refundTo.address.toLowerCase(),
      'payer@shop.EXAMPLE',
      'customer-7',
      `  shop-2001 `,
    ];
    for (const q of asked) expect([q, await leadsTo(q)]).toEqual([q, path]);
  });

  it('leads to the only payment that begins so', async () => {
    for (const q of [
      'shop-20',
      hash.slice(0, 20),
      hash.slice(2, 20),
      hash.slice(2, 20).toUpperCase(),
      address.slice(0, 12),
      'payer@',
      'bulk-29',
    ])
      expect([q, await leadsTo(q)]).toEqual([q, expect.stringMatching(/^\/ops\/payments\//)]);
  });

  it('finds payments by an address of ours: where an embedded one is paid, and the deposit address whose transfer made one', async () => {
    const terms = { orderId: 'shop-2002', amount: '20', currency: 'USD', presentation: 'embedded' };
    const embedded = (await shop.api('POST', '/v1/payments', { ...terms, payCurrency: 'USDT', network: 'TRON' })).body;
    await until(async () => (await leadsTo(embedded.payTo.address)) === `/ops/payments/${embedded.id}`);
    expect(words(await get(shop, `/ops/payments/${embedded.id}`, cookie))).toContain(
      `Pay to ${embedded.payTo.address} on Tron Network`,
    );

    const wish = { customerId: 'customer-9', network: 'TRON' };
    const deposit = (await shop.api('POST', '/v1/deposit-addresses', wish)).body;
    await shop.control(`/_sandbox/payments/${deposit.trackId}/transfers`, { amount: '12', confirmations: 30 });
    const made = await until(async () => {
      const { items } = (await shop.api('GET', '/v1/payments?customerId=customer-9&status=paid')).body;
      return items[0];
    });
    const [{ txHash }] = made.transfers;
    for (const q of [deposit.address, deposit.trackId, txHash, 'customer-9'])
      await until(async () => (await leadsTo(q)) === `/ops/payments/${made.id}`);
    const shown = words(await get(shop, `/ops/payments/${made.id}`, cookie));
    expect(shown).toContain(`came to the customer's deposit address ${deposit.address}.`);
    expect(shown).not.toContain('The application asked for');
    expect(shown).toContain(`Deposit address ${deposit.address} on Tron Network`);
  });

  it('lists many, newest first, a page at a time, and says by what each was found', async () => {
    const first = await search('customer-8');
    const text = words(first);
    expect(text).toContain('Payments of customer-8');
    expect(text).toMatch(/bulk-29 customer pending \d+\.\d\d USD default \d{4}-/);
    expect(text).not.toContain('bulk-04');
    const older = /href="(\/ops\/search\?[^"]+)"[^>]*>\s*Older/.exec(first.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const second = words(await get(shop, older, cookie));
    expect(second.match(/bulk-\d\d/g)).toEqual(['bulk-04', 'bulk-03', 'bulk-02', 'bulk-01', 'bulk-00']);
    expect(first.text).toContain('value="customer-8"');
  });

  it('lists what begins so where nothing is exactly this, and says so', async () => {
    const text = words(await search('bulk-0'));
    expect(text).toMatch(/Nothing is exactly this; these begin with bulk-0 ?\./);
    expect(text.match(/bulk-0\d/g)).toHaveLength(10);
    expect(words(await search('bulk-'))).toContain('There are more: type more of it.');
    expect(words(await search('bul'))).toContain('No payment was found for “bul”');
  });

  it('says what was searched, and what to try, where it found nothing', async () => {
    const answer = await search('<b>nobody</b>');
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('“&lt;b&gt;nobody&lt;/b&gt;”');
    expect(words(answer)).toContain('Capital letters count');
    expect(await leadsTo(address.toLowerCase())).toContain('No payment was found');
    expect(words(await search(''))).toContain('What are you looking for?');
  });

  it('A22 answers strings that are SQL, patterns or regular expressions as fast as any, and finds nothing by them', async () => {
    const strings = [
      "' or 1=1 --",
      "'; drop table payment_view; --",
      '%',
      '____',
      '%%%%%',
      '\\',
      '$1$2',
      '(a+)+$',
      `${'a'.repeat(190)}!`,
      '(?:0x){200}',
      '"payment"."state"',
      "$.payment ? (@ like_regex '.*')",
      'https://'.repeat(20),
      '\u202etxt.exe',
    ];
    await search('warm');
    for (const q of strings) {
      const began = performance.now();
      const answer = await search(q);
      expect([q, answer.status]).toEqual([q, 200]);
      expect(words(answer)).toContain('No payment was found');
      // Three times the bound of the catalogue, for a machine that does other things meanwhile.
      expect(performance.now() - began).toBeLessThan(300);
    }
    for (const q of ['a\u0000b', 'a\nb', 'x'.repeat(201)]) expect((await search(q)).status).toBe(400);
    expect((await get(shop, '/ops/search?q=a&q=b', cookie)).status).toBe(400);
    expect((await search('customer-8', '&before=x')).status).toBe(200);
  });

  it('is for those who are logged in', async () => {
    const answer = await get(shop, '/ops/search?q=shop-2001');
    expect([answer.status, answer.headers['location']]).toEqual([
      303,
      '/ops/login?next=%2Fops%2Fsearch%3Fq%3Dshop-2001',
    ]);
  });

  it('finds the same after its read model was built anew from the events', async () => {
    const { tables } = await rebuild(shop.database.url, new PaymentTraceProjection(), { dryRun: true });
    expect(tables).toMatchObject([{ table: 'payment_trace', same: true }]);
  });

  it('is read by probes of indexes, however many payments there are', async () => {
    const client = await shop.database.pool.connect();
    await client.query('set enable_seqscan = off');
    for (const condition of [
      `order_id collate "C" = 'x'`,
      `customer_id is not null and customer_id collate "C" = 'x'`,
      `email is not null and lower(email) collate "C" = 'x'`,
      `order_id collate "C" >= 'x' and order_id collate "C" < 'y'`,
    ]) {
      const { rows } = await client.query<Record<string, string>>(
        `explain select payment_id from payment_view where ${condition} order by payment_id desc limit 5`,
      );
      expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toMatch(
        /Index (Only )?Scan.* using payment_view_(any_order|customer|email)/,
      );
    }
    client.release(true);
  });
});

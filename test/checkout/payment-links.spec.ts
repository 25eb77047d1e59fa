import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { invoicesOf, payAll, send, type RawAnswer } from '../api/support.js';
import { startTestService, until, type TestService } from '../support/service.js';

interface Made {
  id: string;
  url: string;
  path: string;
}

/** What a browser keeps and sends. */
interface Person {
  cookie: string | null;
}

const person = (): Person => ({ cookie: null });

describe('A payment link', () => {
  let shop: TestService;
  let replica: TestService;
  beforeAll(async () => {
    shop = await startTestService();
    replica = await startTestService({
      database: shop.database,
      sandbox: false,
      gatewayPort: shop.config.sandboxPort,
      clock: shop.clock,
      env: { PUBLIC_URL: shop.url },
    });
  });
  afterAll(async () => {
    await replica.close();
    await shop.close();
  });
  // Every window is a new one, so that no test spends what another has.
  afterEach(() => {
    shop.clock.advance(61);
  });

  const portOf = (service: TestService): string => `http://127.0.0.1:${String(service.config.port)}`;
  const make = async (more: Record<string, unknown> = {}): Promise<Made> => {
    const wish = { amount: '49.90', currency: 'USD', description: 'Tea ceremony', ...more };
    const { status, body } = await shop.api('POST', '/v1/payment-links', wish);
    expect([status, body.errors]).toEqual([201, undefined]);
    const { id, url } = body as { id: string; url: string };
    return { id, url, path: url.replace(shop.url, '') };
  };
  const chosen = (more: Record<string, unknown> = {}): Promise<Made> => make({ amount: undefined, ...more });

  const asked = async (
    who: Person,
    path: string,
    {
      method = 'GET',
      form,
      headers = {},
      at = shop,
    }: {
      method?: string;
      form?: Record<string, string> | string;
      headers?: Record<string, string>;
      at?: TestService;
    } = {},
  ): Promise<RawAnswer> => {
    const answer = await send(portOf(at), {
      method,
      path,
      headers: {
        authorization: undefined,
        'accept-language': 'en',
        'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0',
        ...(who.cookie === null ? {} : { cookie: who.cookie }),
        ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        ...headers,
      },
      ...(form === undefined ? {} : { body: new URLSearchParams(form).toString() }),
    });
    const [set] = [answer.headers['set-cookie'] ?? []].flat();
    if (set) who.cookie = set.split(';')[0] ?? null;
    return answer;
  };
  const visit = (who: Person, { path }: Made, more: Parameters<typeof asked>[2] = {}): Promise<RawAnswer> =>
    asked(who, path, more);
  const pay = (
    who: Person,
    { path }: Made,
    form: Record<string, string> = {},
    more: Parameters<typeof asked>[2] = {},
  ): Promise<RawAnswer> => asked(who, path, { method: 'POST', form, ...more });

  const paymentsBy = async ({ id }: Made) => {
    const { rows } = await shop.database.pool.query<{ data: Record<string, any> }>(
      `select data from event where type = 'PaymentRequested' and data ->> 'orderId' like $1 order by position`,
      [`link-${id}%`],
    );
    return rows.map((row) => row.data);
  };
  /** Leads to a status page; answers its path. */
  const leads = (answer: RawAnswer): string => {
    expect([answer.status, answer.headers.location]).toEqual([
      303,
      expect.stringMatching(/^\/pay\/[A-Za-z0-9_-]{32}(\?lang=[a-z]{2})?$/),
    ]);
    return String(answer.headers.location);
  };
  const isPage = (answer: RawAnswer, status: number, words: string): void => {
    expect([answer.status, answer.headers['content-type']]).toEqual([status, 'text/html; charset=utf-8']);
    expect(answer.text).toContain(words);
    expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
    expect(answer.headers['content-security-policy']).toMatch(/script-src 'self'.*frame-ancestors 'none'/);
    expect(answer.text).toContain('<meta name="robots" content="noindex" />');
  };
  const complete = async (paymentId: string): Promise<void> => {
    const { body } = await shop.api('GET', `/v1/payments/${paymentId}`);
    await payAll(shop, body.trackId as string);
    await until(async () => (await shop.api('GET', `/v1/payments/${paymentId}`)).body.status === 'paid');
  };
  const standing = async (link: Made): Promise<string> => {
    const all = await paymentsBy(link);
    return String(all.at(-1)?.['id']);
  };

  it('opens a payment like any other of the application, and leads to its status page', async () => {
    const link = await make({ metadata: { campaign: 'spring' }, lifetimeMinutes: 90, customerId: 'c-1' });
    const who = person();
    const first = await visit(who, link);
    const path = leads(first);
    expect(String(first.headers['set-cookie'])).toMatch(
      new RegExp(`^link=[A-Za-z0-9_-]{22}; Path=${link.path}; HttpOnly; SameSite=Lax; Max-Age=172800$`),
    );
    expect(first.headers['cache-control']).toBe('no-store');
    const [terms] = await paymentsBy(link);
    const payment = await shop.api('GET', `/v1/payments/${String(terms?.['id'])}`);
    expect(payment.body).toMatchObject({
      status: 'pending',
      amount: '49.90',
      currency: 'USD',
      description: 'Tea ceremony',
      customerId: 'c-1',
      metadata: { campaign: 'spring', paymentLinkId: link.id },
      orderId: expect.stringMatching(new RegExp(`^link-${link.id}-[A-Za-z0-9_-]{22}$`)),
      statusUrl: shop.url + path,
    });
    // Whoever reads the order id cannot be taken for its visitor.
    expect(JSON.stringify(payment.body)).not.toContain(String(who.cookie?.slice('link='.length)));
    expect((await asked(who, path)).status).toBe(200);
  });

  it('resumes the payment of a visitor who comes back, and opens another for somebody else', async () => {
    const link = await make();
    const [anna, ben] = [person(), person()];
    const path = leads(await visit(anna, link));
    for (const at of [shop, replica, shop]) expect(leads(await visit(anna, link, { at }))).toBe(path);
    expect(leads(await visit(ben, link, { at: replica }))).not.toBe(path);
    expect(await paymentsBy(link)).toHaveLength(2);
  });

  it('opens a new payment where the old one ended without money', async () => {
    const link = await make();
    const who = person();
    const path = leads(await visit(who, link));
    await shop.api('POST', `/v1/payments/${await standing(link)}/cancel`);
    expect(leads(await visit(who, link))).not.toBe(path);
    expect(await paymentsBy(link)).toHaveLength(2);
  });

  it('tells a visitor who has paid so, and lets them pay once more only by a button', async () => {
    const link = await make();
    const who = person();
    const path = leads(await visit(who, link));
    await complete(await standing(link));
    const page = await visit(who, link);
    isPage(page, 200, 'You have paid');
    expect(page.text).toContain(`href="${path}"`);
    const [, visitor = ''] = /name="visitor" value="([^"]+)"/.exec(page.text) ?? [];
    const again = [await pay(who, link, { visitor, again: '1' }), await pay(who, link, { visitor, again: '1' })];
    expect(again.map(leads)).toEqual([leads(again[0] as RawAnswer), leads(again[0] as RawAnswer)]);
    expect(leads(again[0] as RawAnswer)).not.toBe(path);
    expect(await paymentsBy(link)).toHaveLength(2);
  });

  it('of a single use has one payment for all, whoever comes, and none after it is paid', async () => {
    const link = await make({ singleUse: true });
    const path = leads(await visit(person(), link));
    expect(leads(await visit(person(), link, { at: replica }))).toBe(path);
    expect(await paymentsBy(link)).toHaveLength(1);
    const id = await standing(link);
    expect((await shop.api('GET', `/v1/payment-links/${link.id}`)).body).toMatchObject({ active: true, paymentId: id });
    await complete(id);
    for (const answer of [
      await visit(person(), link),
      await pay(person(), link),
      await pay(person(), link, { again: '1' }),
    ]) {
      isPage(answer, 200, 'This link has been paid');
      expect(answer.text).toContain(`href="${path}"`);
      expect(answer.text).not.toContain('<form');
    }
    expect(await paymentsBy(link)).toHaveLength(1);
    expect((await shop.api('GET', `/v1/payment-links/${link.id}`)).body).toMatchObject({
      active: false,
      paymentId: id,
    });
    await until(async () => (await shop.api('GET', `/v1/orders/link-${link.id}`)).body.complete === true);
  });

  it('of a single use opens one invoice, however many come at once to two replicas', async () => {
    const link = await make({ singleUse: true });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) => visit(person(), link, { at: at % 2 === 0 ? shop : replica })),
    );
    expect(new Set(answers.map(leads)).size).toBe(1);
    expect(await paymentsBy(link)).toHaveLength(1);
    expect(await invoicesOf(shop, await standing(link))).toHaveLength(1);
  });

  it('of a single use keeps to the first amount that was chosen, for two visitors at once', async () => {
    const link = await chosen({ singleUse: true });
    const answers = await Promise.all(
      ['10', '20'].map((amount, at) => pay(person(), link, { amount }, { at: at === 0 ? shop : replica })),
    );
    const [first] = await paymentsBy(link);
    expect(await paymentsBy(link)).toHaveLength(1);
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 409]);
    const late = answers.find(({ status }) => status === 409);
    isPage(late as RawAnswer, 409, 'You have an open payment');
    expect(late?.text).toContain(`${String(first?.['amount'])}.00 USD`);
    expect(late?.text).not.toContain('<form');
  });

  it('opens one payment for one visitor, however often at once', async () => {
    const link = await chosen();
    const who = person();
    isPage(await visit(who, link), 200, 'Continue to payment');
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, at) => pay({ ...who }, link, { amount: '25' }, { at: at % 2 ? shop : replica })),
    );
    expect(new Set(answers.map(leads)).size).toBe(1);
    expect(await paymentsBy(link)).toHaveLength(1);
  });

  it('means one payment by a form that is sent twice, without cookies too', async () => {
    const link = await chosen();
    const { text } = await visit(person(), link);
    const [, visitor = ''] = /name="visitor" value="([^"]+)"/.exec(text) ?? [];
    const twice = [
      await pay(person(), link, { amount: '25', visitor }),
      await pay(person(), link, { amount: '25.00', visitor }),
    ];
    expect(new Set(twice.map(leads)).size).toBe(1);
    expect(await paymentsBy(link)).toHaveLength(1);
  });

  it('lets the payer choose, and asks before a second amount is opened beside the first', async () => {
    const link = await chosen({ minAmount: '5', maxAmount: '100' });
    const who = person();
    const page = await visit(who, link);
    isPage(page, 200, 'inputmode="decimal"');
    expect(page.text).toContain('From \u20665.00 USD\u2069 to \u2066100.00 USD\u2069.');
    const path = leads(await pay(who, link, { amount: '25,50' }));
    const back = await visit(who, link);
    isPage(back, 200, 'It is for \u206625.50 USD\u2069');
    expect(back.text).toContain(`href="${path}"`);
    const other = await pay(who, link, { amount: '30' });
    isPage(other, 409, 'Pay \u206630.00 USD\u2069 instead');
    expect(await paymentsBy(link)).toMatchObject([{ amount: '25.50' }]);
    const [, visitor = ''] = /name="visitor" value="([^"]+)"/.exec(other.text) ?? [];
    expect(leads(await pay(who, link, { amount: '30', visitor, again: '1' }))).not.toBe(path);
    expect(await paymentsBy(link)).toMatchObject([{ amount: '25.50' }, { amount: '30' }]);
  });

  it('leads a payer who mistyped to a further payment, and leaves the first one to expire', async () => {
    const link = await chosen();
    const who = person();
    const first = leads(await pay(who, link, { amount: '255' }));
    const back = await visit(who, link);
    expect(back.text).toContain(`href="${link.path}?another=1"`);
    const form = await asked(who, `${link.path}?another=1`);
    isPage(form, 200, 'name="again" value="1"');
    const [, visitor = ''] = /name="visitor" value="([^"]+)"/.exec(form.text) ?? [];
    const wrong = await pay(who, link, { amount: 'x', visitor, again: '1' });
    isPage(wrong, 422, 'name="again" value="1"');
    expect(wrong.text).toContain(`name="visitor" value="${visitor}"`);
    expect((await visit(who, link)).text).toContain(first);
    const second = leads(await pay(who, link, { amount: '25', visitor, again: '1' }));
    expect((await visit(who, link)).text).toContain(second);
    await shop.control(
      `/_sandbox/payments/${String((await shop.api('GET', `/v1/payments/${await standing(link)}`)).body.trackId)}/transfers`,
      { percent: 100 },
    );
    await until(async () => (await visit(who, link)).status === 303);
  });

  it('that can be paid once lets nobody choose a second amount', async () => {
    const link = await chosen({ singleUse: true });
    const path = leads(await pay(person(), link, { amount: '255' }));
    expect(leads(await asked(person(), `${link.path}?another=1`))).toBe(path);
    const visitor = 'abcdefghijklmnopqrstuv';
    isPage(await pay(person(), link, { amount: '25', visitor, again: '1' }), 409, 'You have an open payment');
    expect(await paymentsBy(link)).toMatchObject([{ amount: '255' }]);
  });

  it.each([
    ['', 'Enter the amount'],
    ['abc', 'in digits'],
    ['0', 'more than zero'],
    ['-5', 'in digits'],
    ['25.505', 'at most 2 digits'],
    ['1,000', 'Write \u20661000\u2069 or \u20661.000\u2069'],
    ['1,000.00', 'thousands separators'],
    ['4.99', 'From \u20665.00 USD\u2069 to'],
    ['100.01', 'From \u20665.00 USD\u2069 to'],
    ['"><script>alert(1)</script>', 'in digits'],
  ])('refuses an amount of %j at the field, and keeps what was typed', async (amount, words) => {
    const link = await chosen({ minAmount: '5', maxAmount: '100' });
    const page = await pay(person(), link, { amount });
    isPage(page, 422, words);
    expect(page.text).toContain('aria-invalid="true"');
    const shown = amount.replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
    expect(page.text).toContain(`value="${shown}"`);
    expect(page.text).not.toContain('<script');
    expect(await paymentsBy(link)).toEqual([]);
  });

  it.each([
    ['an amount that comes twice', 'amount=5&amount=6', undefined, 400],
    ['bytes that are no text', 'amount=%ff', undefined, 400],
    ['JSON', '{"amount":"5"}', 'application/json', 415],
  ])('refuses a form of %s', async (_, body, type, status) => {
    const link = await chosen();
    const answer = await send(shop.url, {
      path: link.path,
      body,
      headers: { authorization: undefined, 'content-type': type ?? 'application/x-www-form-urlencoded' },
    });
    expect(answer.status).toBe(status);
    expect(await paymentsBy(link)).toEqual([]);
  });

  it('pays a fixed amount, whatever a form says', async () => {
    const link = await make();
    leads(await pay(person(), link, { amount: '0.01' }));
    expect(await paymentsBy(link)).toMatchObject([{ amount: '49.90' }]);
  });

  it.each<[string, string, Record<string, string>]>([
    ['a HEAD', 'HEAD', {}],
    ['a prefetch', 'GET', { 'sec-purpose': 'prefetch' }],
    ['a prerender', 'GET', { 'sec-purpose': 'prefetch;prerender' }],
    ['an older prefetch', 'GET', { purpose: 'prefetch' }],
    ['the prefetch of older Firefoxes', 'GET', { 'x-moz': 'prefetch' }],
    ['an image of another page', 'GET', { 'sec-fetch-dest': 'image', 'sec-fetch-mode': 'no-cors' }],
    ['a frame', 'GET', { 'sec-fetch-dest': 'iframe', 'sec-fetch-mode': 'navigate' }],
    ['a script', 'GET', { 'sec-fetch-dest': 'empty', 'sec-fetch-mode': 'cors' }],
    ...[
      'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)',
      'WhatsApp/2.23.20.0',
      'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
      'Twitterbot/1.0',
      'TelegramBot (like TwitterBot)',
      'Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)',
      'LinkedInBot/1.0 (compatible; Mozilla/5.0)',
      'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
      'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)',
      'Mozilla/5.0 (Macintosh) AppleWebKit/605 (KHTML, like Gecko) Applebot/0.1',
      'Mozilla/5.0 SkypeUriPreview Preview/0.5',
    ].map((agent): [string, string, Record<string, string>] => [agent, 'GET', { 'user-agent': agent }]),
  ])('opens nothing for %s, and shows it what the link is for', async (_, method, headers) => {
    const link = await make({ description: 'Tea & "scones" <for two>' });
    const answer = await visit(person(), link, { method, headers });
    expect([answer.status, answer.headers['set-cookie']]).toEqual([200, undefined]);
    if (method === 'GET') {
      isPage(answer, 200, 'Continue to payment');
      expect(answer.text).toContain(
        '<meta property="og:title" content="Tea &amp; &quot;scones&quot; &lt;for two&gt;" />',
      );
      expect(answer.text).toContain('49.90 USD');
      expect(answer.text).not.toContain('<for two>');
    } else expect(answer.text).toBe('');
    expect(await paymentsBy(link)).toEqual([]);
  });

  it.each([
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1',
    'Mozilla/5.0 (Linux; Android 14; CUBOT X70) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36',
    'Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 300.0',
  ])('opens for a person with %s', async (agent) => {
    const headers = {
      'user-agent': agent,
      'sec-fetch-dest': 'document',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-site': 'cross-site',
    };
    leads(await visit(person(), await make(), { headers }));
  });

  it.each<[string, Record<string, string>]>([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a neighbour of ours', { 'sec-fetch-site': 'same-site' }],
    ['another origin, by an older browser', { origin: 'https://evil.example' }],
  ])('refuses a form from %s', async (_, headers) => {
    const link = await chosen();
    isPage(await pay(person(), link, { amount: '5' }, { headers }), 403, 'This came from another page');
    expect(await paymentsBy(link)).toEqual([]);
  });

  it.each<[string, () => Record<string, string>]>([
    ['our own page', () => ({ 'sec-fetch-site': 'same-origin', origin: 'null' })],
    ['our own page, by an older browser', () => ({ origin: shop.url })],
    ['our own page, by an older browser that sends no referrer', () => ({ origin: 'null' })],
  ])('takes a form from %s', async (_, headers) => {
    leads(await pay(person(), await chosen(), { amount: '5' }, { headers: headers() }));
  });

  it('that was deleted says so, and leaves the payments that it opened alone', async () => {
    const link = await make();
    const who = person();
    const path = leads(await visit(who, link));
    const before = await shop.api('GET', `/v1/payments/${await standing(link)}`);
    await shop.api('DELETE', `/v1/payment-links/${link.id}`);
    const [mine, others] = [await visit(who, link), await visit(person(), link)];
    isPage(mine, 410, 'This link is no longer valid');
    isPage(others, 410, 'This link is no longer valid');
    expect([mine.text.includes(path), others.text.includes('/pay/')]).toEqual([true, false]);
    isPage(await pay(person(), link), 410, 'This link is no longer valid');
    isPage(await visit(person(), link, { headers: { 'user-agent': 'Twitterbot/1.0' } }), 410, 'no longer valid');
    expect((await shop.api('GET', `/v1/payments/${await standing(link)}`)).body).toEqual(before.body);
    await complete(await standing(link));
    expect((await asked(who, path)).text).toContain('<h1');
    expect(await paymentsBy(link)).toHaveLength(1);
  });

  it.each([
    'x',
    '1111111111111111O',
    '11111111111111111',
    'a'.repeat(17),
    "'%20or%201=1--",
    '%00',
    '%F0%9F%98%80',
    'x'.repeat(900),
  ])('that does not exist is a page that says so: %s', async (slug) => {
    for (const method of ['GET', 'POST'])
      isPage(
        await asked(person(), `/l/${slug}`, { method, ...(method === 'POST' ? { form: {} } : {}) }),
        404,
        'There is no such link',
      );
  });

  it.each([
    'link=x',
    'link=',
    `link=${'a'.repeat(23)}`,
    'link=../../../../../../../x',
    "link='or''='aaaaaaaaaaaaaa",
    'link=%00',
  ])('gives a new visitor to a browser that sends %j', async (cookie) => {
    const who = { cookie };
    leads(await visit(who, await make()));
    expect(who.cookie).toMatch(/^link=[A-Za-z0-9_-]{22}$/);
  });

  it('ends its patience with an address that opens one payment after the other', async () => {
    const link = await make();
    // To the beginning of a window: one that turned meanwhile would count anew.
    shop.clock.advance((60_000 - (Date.parse(shop.clock.now()) % 60_000)) / 1000);
    const answers: RawAnswer[] = [];
    for (let count = 0; count < 31; count++) answers.push(await visit(person(), link));
    expect(answers.slice(0, 30).map(({ status }) => status)).toEqual(Array(30).fill(303));
    const last = answers[30] as RawAnswer;
    isPage(last, 429, 'Too many payments at once');
    expect(Number(last.headers['retry-after'])).toBeGreaterThan(0);
    expect(last.text).toContain(`href="${link.path}"`);
    expect(await paymentsBy(link)).toHaveLength(30);
    shop.clock.advance(61);
    leads(await visit(person(), link));
  });

  it('ends its patience with a thousand open payments of one link, and lists them by the link', async () => {
    const [link, other] = [await make(), await make()];
    leads(await visit(person(), link));
    leads(await visit(person(), other));
    const id = await standing(link);
    const listed = async (): Promise<number> =>
      (await shop.api('GET', `/v1/payments?paymentLinkId=${link.id}&limit=100`)).body.items.length;
    await until(async () => (await listed()) === 1);
    const { pool } = shop.database;
    // As many as others have opened within the hour.
    const { rows } = await pool.query<{ columns: string }>(
      `select string_agg(column_name, ', ') as columns from information_schema.columns
       where table_name = 'payment_view' and is_generated = 'NEVER'`,
    );
    const columns = rows[0]?.columns ?? '';
    await pool.query(
      `insert into payment_view (${columns}) select ${columns} from (select (jsonb_populate_record(null::payment_view, to_jsonb(p) || jsonb_build_object(
         'payment_id', gen_random_uuid(), 'order_id', $2 || '-' || n))).*
       from payment_view p, generate_series(1, 999) as n where payment_id = $1) as copies`,
      [id, `link-${link.id}`],
    );
    const refused = await visit(person(), link);
    isPage(refused, 429, 'Too many payments at once');
    expect(refused.headers['retry-after']).toBe('60');
    leads(await visit(person(), other));
    await pool.query('delete from payment_view where order_id like $1', [`link-${link.id}-999`]);
    leads(await visit(person(), link));
    expect(await listed()).toBe(100);
    expect((await shop.api('GET', `/v1/payments?paymentLinkId=x`)).status).toBe(400);
  });

  it('speaks the language that is asked for, and has the status page speak it too', async () => {
    const link = await chosen();
    const german = await visit(person(), link, { headers: { 'accept-language': 'de-AT,en;q=0.5' } });
    isPage(german, 200, 'Weiter zur Zahlung');
    const persian = await asked(person(), `${link.path}?lang=fa`);
    isPage(persian, 200, '<html lang="fa" dir="rtl">');
    expect(persian.text).toContain(`action="${link.path}?lang=fa"`);
    expect(leads(await asked(person(), `${link.path}?lang=fa`, { method: 'POST', form: { amount: '۲۵' } }))).toMatch(
      /\?lang=fa$/,
    );
    expect(await paymentsBy(link)).toMatchObject([{ amount: '25' }]);
  });

  it('pins the newest version of its policy at each visit', async () => {
    await shop.api('PUT', '/v1/policies/linked', { paidWhen: { rule: 'detected' } });
    const link = await make({ policy: 'linked' });
    await shop.api('PUT', '/v1/policies/linked', { paidWhen: { rule: 'confirmations', count: 3 } });
    leads(await visit(person(), link));
    expect(await paymentsBy(link)).toMatchObject([
      { policy: { name: 'linked', version: 2, rules: { paidWhen: { rule: 'confirmations', count: 3 } } } },
    ]);
  });

  it('says where the gateway refuses the amount, and takes another', async () => {
    const link = await chosen();
    const who = person();
    isPage(await pay(who, link, { amount: '900000000000000000' }), 422, 'did not accept this amount');
    leads(await pay(who, link, { amount: '25' }));
  });
});

describe('A payment link while something is down', () => {
  /** A visit by something that tells nothing of itself. */
  const visit = (url: string): Promise<RawAnswer> =>
    send(url, { method: 'GET', path: new URL(url).pathname, headers: { authorization: undefined } });

  it('leads to a payment that opens later, where the gateway does not answer', async () => {
    const shop = await startTestService({ sandbox: false });
    const wish = { amount: '49.90', currency: 'USD', description: 'Tea ceremony' };
    const { body } = await shop.api('POST', '/v1/payment-links', wish);
    const answer = await visit(body.url as string);
    expect([answer.status, answer.headers.location]).toEqual([303, expect.stringMatching(/^\/pay\//)]);
    const page = await visit(shop.url + String(answer.headers.location));
    expect([page.status, page.text]).toEqual([200, expect.stringContaining('Preparing your payment')]);
    await shop.close();
  });

  it('asks the visitor to try again while nothing can be stored, and leaves nothing half', async () => {
    const shop = await startTestService();
    const wish = { amount: '49.90', currency: 'USD', description: 'Tea ceremony', singleUse: true };
    const { body } = await shop.api('POST', '/v1/payment-links', wish);
    const { pool } = shop.database;
    // The store takes no payment: as if the process died after it had read the link.
    await pool.query(
      `create function refuse() returns trigger language plpgsql as $$ begin raise exception using errcode = '53100'; end $$;
       create trigger refuse before insert on event for each row execute function refuse();`,
    );
    const failed = await visit(body.url as string);
    expect([failed.status, failed.headers['content-type']]).toEqual([503, 'text/html; charset=utf-8']);
    expect(failed.headers['retry-after']).toBe('30');
    expect(failed.text).toContain('Nothing was charged');
    const { rows } = await pool.query(
      "select (select count(*) from event where type = 'PaymentRequested') + (select count(*) from stream_key where scope like 'order:%') as left",
    );
    expect(Number(rows[0]?.left)).toBe(0);
    await pool.query('drop trigger refuse on event');
    const visits = await Promise.all([1, 2].map(() => visit(body.url as string)));
    expect(visits.map(({ status }) => status)).toEqual([303, 303]);
    expect(new Set(visits.map(({ headers }) => headers.location)).size).toBe(1);
    await shop.close();
  });
});

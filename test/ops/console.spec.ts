import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cookieOf, keyFrom } from '../../src/ops/console-session.js';
import { readWhatIf } from '../../src/ops/what-if-form.js';
import { whatIfPage } from '../../src/ops/what-if.page.js';
import { defaultPolicy } from '../../src/payments/policy.js';
import { Comparison } from '../../src/payments/what-if.js';
import { SystemClock } from '../../src/platform/clock.js';
import { Applications } from '../../src/platform/http/applications.pg.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { created, rowsOf, send, type RawAnswer } from '../api/support.js';

const password = 'test-ops-password';
const script = '<script>alert("1")</script>';

/** A browser that keeps no cookie by itself. */
const get = (shop: TestService, path: string, cookie?: string): Promise<RawAnswer> =>
  send(shop.url, { method: 'GET', path, headers: { authorization: undefined, cookie } });

const post = (
  shop: TestService,
  path: string,
  form: Record<string, string> | string,
  headers: Record<string, string | undefined> = {},
): Promise<RawAnswer> =>
  send(shop.url, {
    path,
    headers: { authorization: undefined, 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
  });

const setCookie = ({ headers }: RawAnswer): string => String(headers['set-cookie'] ?? '');
const cookieIn = (answer: RawAnswer): string => setCookie(answer).split(';')[0] ?? '';
const logIn = async (shop: TestService): Promise<string> => cookieIn(await post(shop, '/ops/login', { password }));
const tokenIn = ({ text }: RawAnswer): string => /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? '';

/** The start of a window of the limit, so that a test cannot meet its end. */
const toNextMinute = ({ clock }: TestService): void =>
  clock.advance(60 - (Math.floor(Date.parse(clock.now()) / 1000) % 60));

describe("The door of the operators' console", () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  it('sends whoever is not logged in to the login, and from there on to where they wanted', async () => {
    const asked = '/ops/policies/default/default?from=2026-01-01&count=';
    const sent = await get(shop, asked);
    expect([sent.status, sent.headers['location']]).toEqual([303, `/ops/login?next=${encodeURIComponent(asked)}`]);
    const form = await get(shop, String(sent.headers['location']));
    expect(form.text).toContain(`name="next" value="${asked.replace('&', '&amp;')}"`);
    const entered = await post(shop, '/ops/login', { password, next: asked });
    expect([entered.status, entered.headers['location']]).toEqual([303, asked]);
    expect((await get(shop, asked, cookieIn(entered))).status).toBe(200);
    const again = await get(shop, String(sent.headers['location']), cookieIn(entered));
    expect([again.status, again.headers['location']]).toEqual([303, asked]);
  });

  it('never leads out of the console', async () => {
    const entered = await post(shop, '/ops/login', { password, next: 'https://evil.example/ops' });
    expect(entered.headers['location']).toBe('/ops');
    expect((await get(shop, '/ops/login?next=//evil.example')).text).toContain('name="next" value="/ops"');
  });

  it('gives a cookie that no script reads, no other site sends and no other path sees', async () => {
    const attributes = setCookie(await post(shop, '/ops/login', { password })).split('; ');
    expect(attributes[0]).toMatch(/^finality_ops=[\w-]{43}\.[\w-]{43}$/);
    expect(attributes.slice(1).sort()).toEqual(['HttpOnly', 'Max-Age=28800', 'Path=/ops', 'SameSite=Strict']);
  });

  it('gives it to https alone where the service is reached by https', async () => {
    const secure = await startTestService({
      env: { PUBLIC_URL: 'https://pay.example' },
      database: shop.database,
      sandbox: false,
    });
    const { port } = secure.config;
    const local = { ...secure, url: `http://127.0.0.1:${String(port)}` };
    expect(setCookie(await post(local, '/ops/login', { password })).split('; ')).toContain('Secure');
    await secure.close();
  });

  it('A35 answers ten wrong passwords a minute and then none, not even the right one, for that address', async () => {
    toNextMinute(shop);
    const cookie = await logIn(shop);
    const wrong = () => post(shop, '/ops/login', { password: 'wrong-password' });
    const tries = await Promise.all(Array.from({ length: 12 }, wrong));
    expect(tries.map(({ status }) => status).sort()).toEqual([...Array<number>(10).fill(401), 429, 429]);
    for (const answer of tries) expect(setCookie(answer)).toBe('');
    const right = await post(shop, '/ops/login', { password });
    expect([right.status, setCookie(right)]).toEqual([429, '']);
    expect(Number(right.headers['retry-after'])).toBeGreaterThan(0);
    expect((await get(shop, '/ops', cookie)).status).toBe(200);
    toNextMinute(shop);
    expect((await post(shop, '/ops/login', { password })).status).toBe(303);
  });

  it('counts no right password', async () => {
    toNextMinute(shop);
    for (let at = 0; at < 12; at++) expect((await post(shop, '/ops/login', { password })).status).toBe(303);
  });

  it.each([
    ['a missing password', {}, 401],
    ['two passwords', `password=x&password=${password}`, 400],
    ['an object', 'password[]=x', 401],
    ['bytes that are no text', 'password=%ff', 400],
  ])('takes %s for no login', async (_, form, status) => {
    toNextMinute(shop);
    const answer = await post(shop, '/ops/login', form);
    expect([answer.status, setCookie(answer)]).toEqual([status, '']);
  });

  it('takes forms alone, and none that was sent from another site', async () => {
    const json = await post(shop, '/ops/login', JSON.stringify({ password }), { 'content-type': 'application/json' });
    expect(json.status).toBe(415);
    for (const site of ['cross-site', 'same-site']) {
      const foreign = await post(shop, '/ops/login', { password }, { 'sec-fetch-site': site });
      expect([foreign.status, setCookie(foreign)]).toEqual([403, '']);
    }
    expect((await post(shop, '/ops/login', { password }, { 'sec-fetch-site': 'same-origin' })).status).toBe(303);
  });

  it('opens for no cookie but its own', async () => {
    const cookie = await logIn(shop);
    const last = cookie.endsWith('A') ? 'B' : 'A';
    const unknown = cookieOf(keyFrom(password), randomBytes(32).toString('base64url'));
    const otherKey = cookieOf(keyFrom('another-ops-password'), cookie.slice(13, 56));
    for (const bad of [
      cookie.slice(0, -1) + last,
      'finality_ops=',
      `finality_ops=${unknown}`,
      `finality_ops=${otherKey}`,
    ]) {
      const answer = await get(shop, '/ops/policies', bad);
      expect([answer.status, answer.text.includes('default')]).toEqual([401, false]);
      expect(answer.text).toContain('name="password"');
    }
    expect((await get(shop, '/ops', `other=1; ${cookie}; third="x"`)).status).toBe(200);
  });

  it('A35 changes nothing for a form without the token of its session', async () => {
    const [cookie, other] = [await logIn(shop), await logIn(shop)];
    const token = tokenIn(await get(shop, '/ops', cookie));
    const othersToken = tokenIn(await get(shop, '/ops', other));
    for (const form of [{}, { csrf: '' }, { csrf: othersToken }, { csrf: `${token}x` }])
      expect((await post(shop, '/ops/logout', form, { cookie })).status).toBe(403);
    expect((await post(shop, '/ops/logout', { csrf: token }, { cookie, 'sec-fetch-site': 'cross-site' })).status).toBe(
      403,
    );
    expect((await get(shop, '/ops', cookie)).status).toBe(200);
    expect((await post(shop, '/ops/logout', { csrf: token })).status).toBe(401);
  });

  it('ends a session after eight hours', async () => {
    const cookie = await logIn(shop);
    shop.clock.advance(8 * 3600 - 60);
    expect((await get(shop, '/ops', cookie)).status).toBe(200);
    shop.clock.advance(61);
    expect((await get(shop, '/ops', cookie)).status).toBe(401);
    await logIn(shop);
    const { rows } = await shop.database.pool.query('select 1 from ops_session where expires_at <= $1', [
      shop.clock.now(),
    ]);
    expect(rows).toEqual([]);
  });

  it('A35 refuses a session after its logout, on every replica; the others go on', async () => {
    const replica = await startTestService({ database: shop.database, sandbox: false, clock: shop.clock });
    const [cookie, other] = [await logIn(shop), await logIn(shop)];
    expect((await get(replica, '/ops', cookie)).status).toBe(200);
    const left = await post(shop, '/ops/logout', { csrf: tokenIn(await get(replica, '/ops', cookie)) }, { cookie });
    expect([left.status, left.headers['location']]).toEqual([303, '/ops/login']);
    expect(setCookie(left)).toMatch(/^finality_ops=; .*Expires=Thu, 01 Jan 1970/);
    for (const each of [shop, replica]) {
      expect((await get(each, '/ops', cookie)).status).toBe(401);
      expect((await post(each, '/ops/logout', { csrf: 'x' }, { cookie })).status).toBe(401);
      expect((await get(each, '/ops', other)).status).toBe(200);
    }
    await replica.close();
  });

  it('ends every session when the password is another', async () => {
    const cookie = await logIn(shop);
    const env = { OPS_PASSWORD: 'another-ops-password' };
    const later = await startTestService({ database: shop.database, sandbox: false, clock: shop.clock, env });
    expect((await get(later, '/ops', cookie)).status).toBe(401);
    await later.close();
  });

  it('A35 sends every page with headers that allow neither script nor frame nor a copy', async () => {
    const cookie = await logIn(shop);
    const pages = [
      await get(shop, '/ops/login'),
      await get(shop, '/ops', cookie),
      await get(shop, '/ops/search?q=nobody', cookie),
      await get(shop, '/ops/audit', cookie),
      await get(shop, '/ops/policies', cookie),
      await get(shop, '/ops/policies/default/default?from=x', cookie),
      await get(shop, '/ops/policies/nobody/default', cookie),
      await get(shop, '/ops', 'finality_ops=x'),
      await post(shop, '/ops/logout', {}, { cookie }),
    ];
    expect(pages.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 422, 404, 401, 403]);
    for (const { headers, text } of pages) {
      expect(headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'content-security-policy':
          "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      });
      expect(text).not.toMatch(/<script|<style|\sstyle=|\son\w+=/i);
      expect(text).toMatch(/<html lang="en">[^]*<title>[^<]+<\/title>[^]*<main id="main">[^]*<h1>/);
    }
    const style = /<link rel="stylesheet" href="([^"]+)"/.exec(pages[0]?.text ?? '')?.[1] ?? '';
    const css = await get(shop, style);
    expect([css.status, css.headers['content-type']]).toEqual([200, 'text/css; charset=utf-8']);
  });
});

describe('What the console tells', () => {
  // The log is that of the service which was started last.
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  it('says no more of a fault of ours than where to look, and lets nobody in', async () => {
    const cookie = await logIn(shop);
    await shop.database.pool.query('alter table ops_session rename to ops_session_away');
    const answer = await get(shop, '/ops/policies', cookie);
    await shop.database.pool.query('alter table ops_session_away rename to ops_session');
    expect([answer.status, answer.headers['content-type']]).toEqual([500, 'text/html; charset=utf-8']);
    const [, id = 'none'] = /Look for the request ([\w-]+) in the log/.exec(answer.text) ?? [];
    expect(shop.logged.some((line) => line.includes(id) && line.includes('ops_session'))).toBe(true);
    expect(answer.text).not.toContain('ops_session');
    expect((await get(shop, '/ops', cookie)).status).toBe(200);
  });

  it('tells neither the password nor a session, in pages or in the log', async () => {
    const cookie = await logIn(shop);
    const pages = [await get(shop, '/ops', cookie), await post(shop, '/ops/login', { password: 'wrong-password' })];
    const session = cookie.slice('finality_ops='.length);
    const told = [...pages.map(({ text }) => text), ...shop.logged].join('\n');
    for (const secret of [password, 'wrong-password', session, session.slice(0, 43)])
      expect(told).not.toContain(secret);
    for (const line of ['an operator logged in', 'a wrong password']) expect(shop.logged.join('\n')).toContain(line);
    const { rows } = await shop.database.pool.query<{ row: string }>(
      'select ops_session::text as row from ops_session',
    );
    expect(rows.map(({ row }) => row).join('\n')).not.toContain(session.slice(0, 43));
  });
});

describe('What if, in the console', () => {
  const clock = new SystemClock();
  let shop: TestService;
  let cookie: string;
  beforeAll(async () => {
    shop = await startTestService({ clock });
    await shop.service.app
      .get(Applications)
      .ensure(`shop ${script}/x`, 'a-key-of-the-strange-application-0123456789', 'test');
    const { trackId } = await created(shop, 'exact-1');
    await shop.control('/_sandbox/scenarios/exact', { trackId });
    for (const orderId of ['short-1', `short ${script}`]) {
      const short = await created(shop, orderId, { amount: '50.00' });
      await shop.control('/_sandbox/scenarios/underpaid', { trackId: short.trackId });
    }
    await shop.control('/_sandbox/clock/advance', { seconds: 3700 });
    await until(async () => {
      const { body } = await shop.api('GET', '/v1/payments?status=expired');
      return body.items.length === 2 && body.items.every((each: any) => each.received === '30.00');
    }, 15_000);
    cookie = await logIn(shop);
  }, 60_000);
  afterAll(() => shop.close());

  const page = (path: string): Promise<RawAnswer> => get(shop, `/ops/policies${path}`, cookie);
  const simulate = (query: Record<string, string>): Promise<RawAnswer> =>
    page(`/default/default?${new URLSearchParams(query).toString()}`);
  const words = ({ text }: RawAnswer): string => text.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');

  it('lists every application with its policies, in words, and nothing of them as markup', async () => {
    await shop.api('PUT', '/v1/policies/careful', {
      paidWhen: { rule: 'confirmations', count: 1 },
      underpayment: { tolerancePercent: '1.5', then: 'review' },
      latePayment: { window: 'P1DT2H', then: 'accept' },
    });
    const answer = await page('');
    expect(words(answer)).toContain('Paid when the gateway says that it is paid. Short: the payment expires.');
    expect(words(answer)).toContain(
      'Paid when every transfer has 1 confirmation. Short by more than 1.5 %: a person is asked. Too much: the excess is credited. Late by 1 day 2 hours at most: it counts like money in time; later than that: a person is asked.',
    );
    expect(answer.text).toContain('shop &lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;/x');
    expect(answer.text).not.toContain('<script');
    const [link = ''] = /\/ops\/policies\/shop[^"]+\/default(?=")/.exec(answer.text) ?? [];
    const strange = await get(shop, link, cookie);
    expect([strange.status, strange.text.includes('<script')]).toEqual([200, false]);
    expect(words(await page(`?application=${encodeURIComponent(`shop ${script}/x`)}`))).not.toContain('careful');
  });

  it('goes through more applications than fit on a page', async () => {
    const applications = shop.service.app.get(Applications);
    for (let at = 10; at < 35; at++)
      await applications.ensure(`many-${String(at)}`, `a-key-${String(at)}-of-many-applications-0123456789`, 'test');
    const seen: string[] = [];
    let next = '/ops/policies';
    while (next !== '') {
      const { text } = await get(shop, next, cookie);
      seen.push(...[...text.matchAll(/<h2>([^<]+)<\/h2>/g)].map(([, name]) => name ?? ''));
      next = /href="(\/ops\/policies\?after=[^"]+)"/.exec(text)?.[1] ?? '';
    }
    expect(seen.filter((name) => name.startsWith('many-'))).toHaveLength(25);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('begins with the rules that the policy has, and tries nothing', async () => {
    const answer = await page('/default/careful');
    expect(answer.text).toMatch(/<option value="confirmations"\s+selected/);
    expect(answer.text).toMatch(/name="count"\s+value="1"/);
    expect(answer.text).toMatch(/name="shortTolerance"\s+value="1.5"/);
    expect(answer.text).toMatch(/name="lateWindow"\s+value="P1DT2H"/);
    expect(answer.text).not.toContain('What would have been');
  });

  it('comes to the same numbers as the API, and changes nothing', async () => {
    const policy = { underpayment: { tolerancePercent: '50', then: 'reject' } };
    const { body } = await shop.api('POST', '/v1/policies/default/simulations', { policy });
    const before = await rowsOf(shop.database);
    const answer = await simulate({ shortTolerance: '50', shortThen: 'reject' });
    const text = words(answer);
    expect(body).toMatchObject({ payments: 3, differing: 2 });
    expect(text).toContain('3 payments decided anew, 2 would stand differently');
    expect(text).toContain('expired → paid: 2 payments');
    const [{ actual, simulated }] = body.totals;
    for (const [label, name] of [
      ['Paid, payments', 'paid'],
      ['Received', 'received'],
      ['Toward the price', 'applied'],
      ['Nobody has decided about it', 'unallocated'],
    ] as const)
      expect(text).toContain(`${label} ${String(actual[name])} ${String(simulated[name])} `);
    expect(text).toContain('Toward the price 49.90 109.90 +60.00');
    expect(text).toContain('Nobody has decided about it 60.00 0.00 −60.00');
    expect(text).toContain('Received 109.90 109.90 0 ');
    for (const { paymentId } of body.changed) expect(answer.text).toContain(paymentId);
    expect(answer.text).toContain('short &lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;');
    expect(answer.text).not.toContain('<script');
    expect(await rowsOf(shop.database)).toEqual(before);
  });

  it('asks of whole days, the last one included', async () => {
    const day = clock.now().slice(0, 10);
    const [{ createdAt }] = (await shop.api('GET', '/v1/payments')).body.items;
    const born = String(createdAt).slice(0, 10);
    expect(words(await simulate({ from: born, to: born }))).toContain('3 payments decided anew');
    expect(words(await simulate({ to: '2020-02-29' }))).toContain('0 payments decided anew');
    expect(words(await simulate({ from: day > born ? day : '2100-01-01' }))).toContain('0 payments decided anew');
  });

  it('says what part of a past its numbers stand for', async () => {
    const { body } = await shop.api('GET', '/v1/payments');
    const [first] = body.items.map(({ id }: { id: string }) => id).sort();
    const text = words(await simulate({ after: String(first) }));
    expect(text).toContain('2 payments decided anew');
    expect(text).toContain(
      `This is a part. All payments that carried the policy, but of them only those with ids after ${String(first)}`,
    );
    expect(text).toContain('Nothing comes after it');
  });

  it('leads from a part that ended after four seconds to the next, with all that was asked', () => {
    const query = { shortTolerance: '50', from: '2026-01-01', to: '2026-01-31' };
    const next = '01a207d9-f3e1-758a-a049-f278caa5a076';
    const form = readWhatIf(query, defaultPolicy.rules);
    const asked = form.asked ?? { rules: defaultPolicy.rules };
    const comparison = new Comparison(asked.rules, clock.now(), 1);
    const simulation = { ...comparison.result(), decidedAt: clock.now(), next };
    const viewer = { csrfToken: 'x', name: '', role: 'act' } as const;
    const view = { viewer, application: 'default', policy: 'default', version: 1, form };
    const { text } = whatIfPage({ ...view, simulated: { asked, simulation, tookMs: 4001 } });
    expect(text.replace(/\s+/g, ' ')).toContain(
      `Payments created from 2026-01-01 on, until the end of 2026-01-31 (UTC), but of them only those with ids up to <code>${next}</code>`,
    );
    const [, link = ''] = /href="([^"]+)">The next part/.exec(text) ?? [];
    const { searchParams } = new URL(link.replaceAll('&amp;', '&'), shop.url);
    expect(
      readWhatIf(Object.fromEntries(searchParams), { ...defaultPolicy.rules, paidWhen: { rule: 'detected' } }),
    ).toEqual({
      ...form,
      typed: { ...form.typed, after: next },
      asked: { ...asked, after: next },
    });
  });

  it('shows what was typed and what is wrong with it, by its field', async () => {
    const answer = await simulate({
      paidWhen: 'settled',
      count: '3',
      shortTolerance: '61"><script>',
      overThen: 'burn',
      lateWindow: 'P31D',
      from: '2026-02-30',
      to: 'tomorrow',
      after: 'x',
    });
    expect(answer.status).toBe(422);
    const faults: Record<string, string> = {
      count: 'It goes with the rule &quot;confirmations&quot; only',
      shortTolerance: 'It must be a percentage from 0 to 60',
      overThen: 'It must be one of credit, refund, review, keep',
      lateWindow: 'It must be an ISO 8601 duration',
      from: 'It must be a day such as 2026-01-31',
      to: 'It must be a day such as 2026-01-31',
    };
    for (const [field, fault] of Object.entries(faults)) {
      expect(answer.text).toContain(`<p class="fault" id="${field}-fault">${fault}`);
      expect(answer.text).toMatch(
        new RegExp(`id="${field}"[^>]*aria-describedby="[^"]*${field}-fault"\\s+aria-invalid="true"`),
      );
    }
    expect(words(answer)).toContain('Part must be the id of a payment');
    expect(answer.text).toContain('value="61&quot;&gt;&lt;script&gt;"');
    expect(answer.text).toContain('value="2026-02-30"');
    expect(answer.text).not.toContain('What would have been');
    expect((await simulate({ from: '2026-01-02', to: '2026-01-01' })).text).toContain(
      'It must not be before the first day',
    );
    expect((await page('/default/default?from=2026-01-01&from=2026-01-02')).text).toContain(
      'It is given more than once',
    );
  });

  it('is of a policy that there is, or of payments that brought their rules', async () => {
    expect((await page('/default/unheard')).status).toBe(404);
    expect((await page('/nobody/default')).status).toBe(404);
    expect((await page('/default/inline?shortTolerance=1')).status).toBe(200);
  });

  it('has one simulation at a time in each session', async () => {
    const other = await logIn(shop);
    const blocker = await shop.database.pool.connect();
    await blocker.query('begin');
    await blocker.query('lock table event in access exclusive mode');
    const slow = simulate({ shortTolerance: '1' });
    const waits = async (count: number): Promise<boolean> => {
      const { rows } = await shop.database.pool.query<{ n: number }>(
        `select count(*)::int as n from pg_locks where relation = 'event'::regclass and not granted`,
      );
      return (rows[0]?.n ?? 0) >= count;
    };
    await until(() => waits(1));
    const late = get(shop, '/ops/policies/default/inline?shortTolerance=1', cookie);
    const others = get(shop, '/ops/policies/default/inline?shortTolerance=1', other);
    expect((await late).status).toBe(429);
    await blocker.query('rollback');
    blocker.release();
    expect([(await slow).status, (await others).status]).toEqual([200, 200]);
    expect((await simulate({ shortTolerance: '1' })).status).toBe(200);
  });
});

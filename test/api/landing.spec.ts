import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DeveloperPages } from '../../src/api/developer-pages.js';
import { toNextMinute } from '../ops/console-browser.js';
import { freePort, startTestService, type TestService } from '../support/service.js';
import { expectProblem, paymentsOf, send, type RawAnswer } from './support.js';

const form = { 'content-type': 'application/x-www-form-urlencoded', authorization: undefined };
const made = 'fin_a-key-that-the-sandbox-has-made-for-itself';

describe('The first page of a sandbox', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  const look = (path: string, headers: Record<string, string> = {}): Promise<RawAnswer> =>
    send(shop.url, { method: 'GET', path, headers: { authorization: undefined, ...headers } });
  const submit = (body: string, headers: Record<string, string> = {}): Promise<RawAnswer> =>
    send(shop.url, { path: '/sandbox/payments', headers: { ...form, ...headers }, body });
  const count = async (): Promise<number> => (await paymentsOf(shop.database)).length;

  it('creates a payment as the API does, and goes on with it', async () => {
    const answer = await submit('amount=12.50&currency=EUR');
    const to = String(answer.headers['location']);
    expect([answer.status, to]).toEqual([303, expect.stringMatching(/^\/\?payment=[0-9a-f-]{36}$/)]);
    const id = to.slice(to.indexOf('=') + 1);
    const { body } = await shop.api('GET', `/v1/payments/${id}`);
    expect(body).toMatchObject({ status: 'pending', amount: '12.50', currency: 'EUR', labels: ['sandbox'] });
    const page = await look(to);
    for (const shown of [
      body.statusUrl,
      body.paymentUrl,
      '12.50 EUR',
      'No transfer was seen yet',
      `/v1/payments/${id}`,
    ])
      expect(page.text).toContain(shown);
    expect(page.headers['content-security-policy']).not.toContain('unsafe');
  });

  it.each([
    'amount=0&currency=USD',
    'amount=1.999&currency=USD',
    'amount=5&currency=usd',
    'amount=5',
    'currency=USD',
    '',
  ])('says what is wrong with the form %p, and creates nothing', async (body) => {
    const before = await count();
    const answer = await submit(body);
    expect([answer.status, /role="alert"[^>]*>[^<]{15,}</.test(answer.text)]).toEqual([422, true]);
    expect(await count()).toBe(before);
  });

  it.each([
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site' }, 403],
    [{ 'sec-fetch-site': 'none' }, 403],
    [{ origin: 'https://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ 'sec-fetch-site': 'same-origin', origin: 'null' }, 303],
    [{ 'sec-fetch-site': 'same-origin' }, 303],
  ])('takes a form with %p as %i: none of another site', async (headers, status) => {
    const before = await count();
    expect((await submit('amount=5&currency=USD', headers as Record<string, string>)).status).toBe(status);
    expect(await count()).toBe(before + (status === 303 ? 1 : 0));
  });

  it('shows nothing of a payment that is not there, or that another application has', async () => {
    for (const id of ['0190a6b2-0000-7000-8000-000000000000', 'x', '', '%00'])
      expect([id, (await look(`/?payment=${id}`)).status]).toEqual([id, 404]);
  });

  it('shows the key that the sandbox has made for itself, to whoever asks by a name of ours alone', async () => {
    for (const path of ['/', '/docs']) {
      expect((await look(path)).text).not.toContain(shop.config.apiKey);
      Object.assign(shop.service.app.get(DeveloperPages), { madeUpKey: made });
      expect((await look(path)).text).toContain(made);
      expect((await look(path, { host: 'localhost:3000' })).text).toContain(made);
      for (const host of ['rebound.example', 'localhost.evil.example', '127.0.0.1.evil.example:3000', '10.0.0.1'])
        expect((await look(path, { host })).text).not.toContain(made);
      Object.assign(shop.service.app.get(DeveloperPages), { madeUpKey: null });
    }
    expect((await look('/')).text).toContain('Bearer $API_KEY');
  });

  it('takes no more than thirty test payments a minute from one address', async () => {
    toNextMinute(shop);
    const answers = [];
    for (let n = 0; n < 31; n++) answers.push(await submit('amount=0&currency=USD'));
    expect(answers.map(({ status }) => status)).toEqual([...Array<number>(30).fill(422), 429]);
    expect(answers.at(-1)?.text).toContain('Too many requests');
  });
});

describe('Outside sandbox', () => {
  let shop: TestService;
  beforeAll(async () => {
    const gateway = `http://127.0.0.1:${String(await freePort())}/v1`;
    const env = { GATEWAY: 'oxapay', PUBLIC_URL: 'https://pay.example', OXAPAY_BASE_URL: gateway };
    shop = await startTestService({ sandbox: false, env });
  });
  afterAll(() => shop.close());

  it('there is no first page, and the page of the API holds no key, whatever was made up', async () => {
    Object.assign(shop.service.app.get(DeveloperPages), { madeUpKey: made });
    const url = `http://127.0.0.1:${String(shop.config.port)}`;
    const get = (path: string) => send(url, { method: 'GET', path, headers: { authorization: undefined } });
    expectProblem(await get('/'), 'not_found');
    expectProblem(await send(url, { path: '/sandbox/payments', headers: form, body: 'amount=5' }), 'not_found');
    const docs = await get('/docs');
    expect([docs.status, docs.text.includes(made), docs.text.includes('Sandbox')]).toEqual([200, false, false]);
  });
});

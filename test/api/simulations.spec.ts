import { execFile } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, until, type TestService } from '../support/service.js';
import { addOther, asOther, created, expectProblem, rowsOf } from './support.js';

const tolerant = { underpayment: { tolerancePercent: '50', then: 'reject' } };

let shop: TestService;
const short: string[] = [];
beforeAll(async () => {
  shop = await startTestService();
  await addOther(shop);
  for (const orderId of ['exact-1', 'exact-2']) {
    const { trackId } = await created(shop, orderId);
    await shop.control('/_sandbox/scenarios/exact', { trackId });
  }
  for (const orderId of ['short-1', 'short-2', 'short-3']) {
    const { id, trackId } = await created(shop, orderId, { amount: '50.00' });
    await shop.control('/_sandbox/scenarios/underpaid', { trackId });
    short.push(id);
  }
  await created(shop, 'nothing');
  await shop.control('/_sandbox/clock/advance', { seconds: 3700 });
  await until(async () => {
    const { body } = await shop.api('GET', '/v1/payments?status=expired');
    return body.items.length === 4;
  }, 15_000);
  await until(async () => (await shop.api('GET', '/v1/payments/' + short[0])).body.transfers[0].status === 'confirmed');
}, 60_000);
afterAll(() => shop.close());

const simulate = (body: unknown, name = 'default', headers: Record<string, string> = {}) =>
  shop.api('POST', `/v1/policies/${name}/simulations`, body, headers);

describe('What the past would have been under another policy', () => {
  it('is told as counts, sums by currency and the payments that differ, and changes nothing', async () => {
    const before = await rowsOf(shop.database);
    const { status, body } = await simulate({ policy: tolerant });
    expect(status).toBe(200);
    expect(body).toMatchObject({ name: 'default', payments: 6, differing: 3, nextCursor: null });
    expect(body.policy).toMatchObject({ ...tolerant, paidWhen: { rule: 'settled' } });
    expect(body.transitions).toEqual([{ from: 'expired', to: 'paid', payments: 3 }]);
    const [{ currency, payments, actual, simulated }] = body.totals;
    expect([currency, payments, actual.paid, simulated.paid]).toEqual(['USD', 6, 2, 5]);
    // Two of 49.90, and three times 30.00 of 50.00.
    expect([actual.received, actual.applied, actual.unallocated]).toEqual(['189.80', '99.80', '90.00']);
    expect([simulated.received, simulated.applied, simulated.unallocated]).toEqual(['189.80', '189.80', '0.00']);
    expect(body.changed.map((each: { paymentId: string }) => each.paymentId)).toEqual([...short].sort());
    expect(body.changed[0]).toMatchObject({
      amount: '50.00',
      differs: expect.arrayContaining(['status', 'allocation']),
      actual: { status: 'expired', received: '30.00' },
      simulated: { status: 'paid', allocation: { applied: '30.00' } },
    });
    expect(await rowsOf(shop.database)).toEqual(before);
  });

  it('is the same when it is asked again, and nothing under the policy that there was', async () => {
    const [one, two] = [await simulate({ policy: tolerant }), await simulate({ policy: tolerant })];
    expect({ ...two.body, decidedAt: '' }).toEqual({ ...one.body, decidedAt: '' });
    const same = await simulate({ policy: {} });
    expect(same.body).toMatchObject({ differing: 0, changed: [], transitions: [] });
    expect(same.body.totals[0].simulated).toEqual(same.body.totals[0].actual);
  });

  it('can be asked of a span of time, under a policy of another name, and of the payments of a name', async () => {
    await shop.api('PUT', '/v1/policies/half', tolerant);
    expect((await simulate({ policy: 'half' })).body).toMatchObject({ differing: 3 });
    const { body } = await shop.api('GET', `/v1/payments/${short[1]}`);
    expect((await simulate({ policy: tolerant, from: body.createdAt })).body).toMatchObject({
      payments: 3,
      differing: 2,
    });
    expect((await simulate({ policy: tolerant, to: body.createdAt })).body).toMatchObject({
      payments: 3,
      differing: 1,
    });
    expect((await simulate({ policy: tolerant }, 'half')).body).toMatchObject({ payments: 0, totals: [] });
  });

  it("tells nothing of another application's payments", async () => {
    expect((await simulate({ policy: tolerant }, 'default', asOther)).body).toMatchObject({ payments: 0, changed: [] });
  });

  it.each([
    [{}, '/policy'],
    [{ policy: 'unheard' }, '/policy'],
    [{ policy: { underpayment: { tolerancePercent: '61', then: 'reject' } } }, '/policy/underpayment/tolerancePercent'],
    [{ policy: tolerant, from: 'yesterday' }, '/from'],
    [{ policy: tolerant, surprise: 1 }, '/surprise'],
  ])('refuses %j and names %s', async (body, pointer) => {
    const answer = await simulate(body);
    expectProblem(answer, 'invalid_request');
    expect(answer.body.errors[0].pointer).toBe(pointer);
  });

  it('is asked of a policy that there is', async () => {
    expectProblem(await simulate({ policy: tolerant }, 'unheard'), 'not_found');
    expect((await simulate({ policy: tolerant }, 'inline')).body).toMatchObject({ payments: 0 });
  });

  it("takes a cursor of one's own only", async () => {
    expectProblem(await simulate({ policy: tolerant, cursor: 'x' }), 'invalid_cursor');
  });
});

describe('policy simulate, on the command line', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'finality-policy-'));
  });

  const finality = (args: string[], input = ''): Promise<{ code: number; out: string; err: string }> =>
    new Promise((resolve) => {
      const env = { ...process.env, NODE_OPTIONS: '', DATABASE_URL: shop.database.url, DATA_DIR: directory };
      const child = execFile(
        process.execPath,
        ['dist/cli.js', ...args],
        { env, timeout: 20_000 },
        (error, out, err) => {
          resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err });
        },
      );
      child.stdin?.end(input);
    });

  it('comes to the same numbers as the API', async () => {
    const file = join(directory, 'tolerant.json');
    await writeFile(file, JSON.stringify(tolerant));
    const { code, out } = await finality(['policy', 'simulate', 'default', '--with', file, '--json']);
    const api = (await simulate({ policy: tolerant })).body;
    const { nextCursor: _, ...same } = api;
    expect(code).toBe(0);
    expect({ ...JSON.parse(out), decidedAt: '' }).toEqual({ ...same, decidedAt: '' });
  });

  it('takes clauses that are left out from the policy as it is now, as the API does', async () => {
    await shop.api('PUT', '/v1/policies/late', { latePayment: { window: 'PT1H', then: 'accept' } });
    const args = ['policy', 'simulate', 'late', '--with', '-', '--application', 'default', '--json'];
    const { out } = await finality(args, JSON.stringify(tolerant));
    const api = await simulate({ policy: tolerant }, 'late');
    expect(JSON.parse(out).policy).toEqual(api.body.policy);
    expect(api.body.policy.latePayment).toEqual({ window: 'PT1H', then: 'accept' });
  });

  it('reads rules from standard input, and lists what differs for people', async () => {
    const args = ['policy', 'simulate', 'default', '--with', '-', '--limit', '1', '--application', 'default'];
    const { out } = await finality(args, JSON.stringify(tolerant));
    expect(out).toContain('6 payments under "default"');
    expect(out).toContain('expired → paid: 3');
    expect(out).toMatch(/applied +99\.80 +189\.80/);
    expect(out).toContain(`${String(short[0])}  short-1  50.00 USD: expired → paid [status`);
    expect(out).toContain('and 2 more: raise --limit');
  });

  it.each([
    ['{"paidWhen": {"rule": "detected", "count": 1}}', '/paidWhen/count goes with the rule "confirmations" only'],
    ['{"underpayment": {"tolerancePercent": 1, "then": "reject"}}', '/underpayment/tolerancePercent must be'],
    ['{"latePayment": {"window": "PT999H", "then": "accept"}}', '/latePayment/window must be'],
    ['{"overpayment": {"tolerancePercent": "1", "then": "burn"}}', '/overpayment/then must be one of'],
    ['{"surprise": 1}', '/surprise is not known'],
    ['[]', 'the policy must be an object'],
    ['{', 'standard input is not JSON'],
  ])('refuses %s with 64 and says why', async (rules, why) => {
    const { code, err } = await finality(['policy', 'simulate', 'default', '--with', '-'], rules);
    expect([code, err]).toEqual([64, expect.stringContaining(why)]);
  });

  it.each([
    [['--with', '/nowhere.json'], 64, '/nowhere.json cannot be read (ENOENT)'],
    [['--with', '-', '--from', 'yesterday'], 64, '--from takes an RFC 3339 time'],
    [['--with', '-', '--limit', '-1'], 64, '--limit takes a whole number'],
    [['--with', '-', '--application', 'nobody'], 1, 'There is no application "nobody"'],
    [[], 64, "required option '--with <file>'"],
  ])('answers %j with exit code %d and a sentence', async (args, exit, sentence) => {
    const { code, err } = await finality(['policy', 'simulate', 'default', ...args], '{}');
    expect([code, err]).toEqual([exit, expect.stringContaining(sentence)]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, until, type TestService } from '../support/service.js';
import { created, type RawAnswer } from '../api/support.js';
import { get, logIn, post, words } from './console-browser.js';

/** The fields of the form that saves; empty where the page has none. */
function savingFields({ text }: RawAnswer): Record<string, string> {
  const [, form = ''] = /<form method="post" action="\/ops\/policies\/[^"]+"[^>]*>([^]*?)<\/form>/.exec(text) ?? [];
  const inputs = [...form.matchAll(/<input\s+type="hidden"\s+name="(\w+)"\s+value="([^"]*)"/g)];
  return Object.fromEntries(inputs.map(([, name = '', value = '']) => [name, value]));
}

describe('A policy is changed in the console', () => {
  let shop: TestService;
  let cookie: string;
  beforeAll(async () => {
    shop = await startTestService({ env: { OPS_VIEW_PASSWORD: 'test-view-password' } });
    for (const [orderId, scenario] of [
      ['exact-1', 'exact'],
      ['short-1', 'underpaid'],
    ] as const) {
      const { trackId } = await created(shop, orderId, { amount: '50.00' });
      await shop.control(`/_sandbox/scenarios/${scenario}`, { trackId });
    }
    await shop.control('/_sandbox/clock/advance', { seconds: 3700 });
    await until(async () => {
      const { body } = await shop.api('GET', '/v1/payments?status=expired');
      return body.items.length === 1 && body.items[0].received === '30.00';
    }, 15_000);
    cookie = await logIn(shop, { name: 'support@shop.example' });
  }, 60_000);
  afterAll(() => shop.close());

  const look = (policy: string, query: Record<string, string>, as = cookie): Promise<RawAnswer> =>
    get(shop, `/ops/policies/default/${policy}?${new URLSearchParams(query).toString()}`, as);
  const save = (policy: string, form: Record<string, string>, as = cookie): Promise<RawAnswer> =>
    post(shop, `/ops/policies/default/${policy}`, form, { cookie: as });
  const versionOf = async (policy: string): Promise<number> => {
    const { status, body } = await shop.api('GET', `/v1/policies/${policy}`);
    return status === 404 ? 0 : body.version;
  };
  const recorded = async (): Promise<any[]> => {
    const { rows } = await shop.database.pool.query(
      `select actor, data from event where type = 'OperatorActed' and data->>'action' = 'policy.save' order by position`,
    );
    return rows.map(({ actor, data }) => ({ actor, ...data }));
  };
  const rules = { shortTolerance: '50', shortThen: 'reject' };

  it('offers to save after a what-if, with what changes in words and what it would have done to the past', async () => {
    expect(savingFields(await get(shop, '/ops/policies/default/default', cookie))).toEqual({});
    const seen = await look('default', rules);
    expect(savingFields(seen)).toMatchObject({ ...rules, basedOn: '1', paidWhen: 'settled' });
    const said = words(seen);
    expect(said).toContain('Save as version 2 of “default”');
    expect(said).toContain('Short Short: the payment expires. Short by more than 50 %: the payment expires. Too much');
    expect(said).toContain('1 of 2 past payments would have ended differently: +1 paid (USD) +30.00 USD toward prices');
    expect(said).toContain('Payments that run keep the version that they began with.');
  });

  it('saves exactly what was looked at, as PUT would, and keeps who, why and when', async () => {
    const running = await created(shop, 'runs-on', { amount: '20.00' });
    const fields = savingFields(await look('default', rules));
    const reason = 'Short by half is as good as paid.';
    const saved = await save('default', { ...fields, reason });
    expect([saved.status, saved.headers['location']]).toEqual([303, '/ops/policies/default/default?saved=2']);
    const { body } = await shop.api('GET', '/v1/policies/default');
    expect(body).toMatchObject({ version: 2, underpayment: { tolerancePercent: '50', then: 'reject' } });
    const page = words(await get(shop, '/ops/policies/default/default?saved=2', cookie));
    expect(page).toContain('Version 2 is saved, and holds for payments created from now on.');
    expect(page).toMatch(/Version 2 \d{4}-\d\d-\d\d \d\d:\d\d UTC, by support@shop\.example \(operator\)/);
    expect(page).toContain('Short by more than 50 %: the payment expires. Before: Short: the payment expires.');
    const [entry] = (await recorded()).slice(-1);
    expect(entry).toMatchObject({
      actor: 'operator:support@shop.example',
      role: 'act',
      target: { kind: 'policy', id: 'default/default' },
      ...{ reason, outcome: 'done', detail: { version: 2, basedOn: 1 } },
    });
    const { body: kept } = await shop.api('GET', `/v1/payments/${running.id}`);
    expect(kept.policy).toMatchObject({ name: 'default', version: 1 });
    const fresh = await created(shop, 'begins-now', { amount: '20.00' });
    expect((await shop.api('GET', `/v1/payments/${fresh.id}`)).body.policy.version).toBe(2);
  });

  it('saves nothing whose what-if nobody looked at', async () => {
    const version = await versionOf('default');
    const fields = savingFields(await look('default', { ...rules, shortTolerance: '40' }));
    const reason = 'A reason that would do.';
    const other = await save('default', { ...fields, shortTolerance: '60', reason });
    expect([other.status, words(other)]).toEqual([
      422,
      expect.stringContaining('Nothing was saved. Rules are saved from the what-if of exactly these rules.'),
    ]);
    expect(other.text).toMatch(/href="\/ops\/policies\/default\/default\?[^"]*shortTolerance=60/);
    const { proof: _, ...without } = fields;
    expect((await save('default', { ...without, reason })).status).toBe(422);
    const elsewhere = await save('other', { ...fields, basedOn: '0', reason });
    expect(elsewhere.status).toBe(422);
    const somebodyElse = await logIn(shop);
    const csrf = savingFields(await look('default', { ...rules, shortTolerance: '40' }, somebodyElse))['csrf'] ?? '';
    expect((await save('default', { ...fields, csrf, reason }, somebodyElse)).status).toBe(422);
    expect([await versionOf('default'), await versionOf('other')]).toEqual([version, 0]);
    const tries = (await recorded()).filter(({ detail }) => detail.why === 'unseen');
    expect(tries.map(({ target, outcome }) => [target.id, outcome])).toEqual(
      ['default', 'default', 'other', 'default'].map((policy) => [`default/${policy}`, 'refused']),
    );
  });

  it('A35 asks for a reason, and keeps what was typed', async () => {
    const version = await versionOf('default');
    const fields = savingFields(await look('default', { ...rules, shortTolerance: '45' }));
    for (const reason of ['', 'ab', 'x'.repeat(501)]) {
      const answer = await save('default', { ...fields, reason });
      expect(answer.status).toBe(422);
      expect(answer.text).toContain(`Say why, in 3 to 500 characters.`);
      expect(savingFields(answer)).toEqual(fields);
      expect(answer.text).toContain(`>\n${reason}</textarea`);
    }
    expect(await versionOf('default')).toBe(version);
  });

  it('refuses what PUT refuses, at its field, with what was typed kept', async () => {
    const version = await versionOf('default');
    const fields = savingFields(await look('default', { ...rules, shortTolerance: '45' }));
    const wrong: [string, string, string][] = [
      ['shortTolerance', '60.01', 'It must be a percentage from 0 to 60'],
      ['overTolerance', '-1', 'It must be a percentage from 0 to 60'],
      ['count', '0', 'It'],
      ['lateWindow', 'P31D', 'It must be an ISO 8601 duration'],
      ['shortThen', 'accept', 'It must be one of'],
      ['paidWhen', 'never"><script>', 'It must be one of'],
    ];
    for (const [field, value, fault] of wrong) {
      const answer = await save('default', { ...fields, [field]: value, reason: 'It does not matter.' });
      expect([field, answer.status]).toEqual([field, 422]);
      expect(answer.text).toContain(`<p class="fault" id="${field}-fault">${fault}`);
      expect(answer.text).toContain(value.replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'));
      expect(words(answer)).toContain('Nothing was simulated or saved.');
      expect(answer.text).not.toContain('<script');
      expect(savingFields(answer)).toEqual({});
    }
    expect(await versionOf('default')).toBe(version);
  });

  it('says who was first where two change it at once, and saves nothing of the second', async () => {
    const mine = savingFields(await look('default', { ...rules, shortTolerance: '30' }));
    await shop.api('PUT', '/v1/policies/default', { underpayment: { tolerancePercent: '10', then: 'review' } });
    const version = await versionOf('default');
    const answer = await save('default', { ...mine, reason: 'Too late, as it turns out.' });
    expect(answer.status).toBe(409);
    expect(words(answer)).toMatch(
      new RegExp(
        `Nothing was saved\\. Version ${version} is the newest now: saved on [-\\d]+ [:\\d]+ UTC by the application, by the API\\.`,
      ),
    );
    expect(answer.text).toMatch(/href="\/ops\/policies\/default\/default\?[^"]*shortTolerance=30/);
    expect(await versionOf('default')).toBe(version);
    expect((await recorded()).at(-1)).toMatchObject({ outcome: 'refused', detail: { why: 'conflict' } });
  });

  it('lets one of two who save at the same moment through', async () => {
    const version = await versionOf('default');
    const forms = [];
    for (const shortTolerance of ['21', '22', '23'])
      forms.push(savingFields(await look('default', { ...rules, shortTolerance })));
    const answers = await Promise.all(forms.map((form) => save('default', { ...form, reason: 'At the same moment.' })));
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 409, 409]);
    expect(await versionOf('default')).toBe(version + 1);
  });

  it('saves no version with the rules of the newest', async () => {
    const newest = { shortTolerance: '12', shortThen: 'review' };
    const form = savingFields(await look('default', newest));
    await save('default', { ...form, reason: 'So that it is there.' });
    const version = await versionOf('default');
    const same = await look('default', { ...newest, shortTolerance: '12.0' });
    expect(savingFields(same)).toEqual({});
    expect(words(same)).toContain(`These are the rules that version ${version} has already: there is nothing to save.`);
    const again = await save('default', { ...form, reason: 'Once more, by the button of before.' });
    expect([again.status, words(again)]).toEqual([
      200,
      expect.stringContaining(`Nothing was saved: these are the rules that version ${version} has already.`),
    ]);
    expect(await versionOf('default')).toBe(version);
  });

  it('makes a new policy by a name, tried on the past of one that there is', async () => {
    const begin = (name: string): Promise<RawAnswer> =>
      get(shop, `/ops/policies/new?${new URLSearchParams({ application: 'default', name }).toString()}`, cookie);
    for (const [name, fault] of [
      ['Big Spenders', 'A name is 1 to 64 lower-case letters'],
      ['inline', 'A name is 1 to 64 lower-case letters'],
      ['default', 'There is a policy with this name already.'],
      ['"><script>', 'A name is 1 to 64 lower-case letters'],
    ] as const) {
      const refused = await begin(name);
      expect([refused.status, words(refused).includes(fault)]).toEqual([422, true]);
      expect(refused.text).toContain(
        `value="${name.replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')}"`,
      );
      expect(refused.text).not.toContain('<script');
    }
    const led = await begin('big-spenders');
    expect([led.status, led.headers['location']]).toEqual([303, '/ops/policies/default/big-spenders?of=default']);
    const first = await get(shop, String(led.headers['location']), cookie);
    expect(words(first)).toContain('A new policy, “big-spenders”');
    expect(savingFields(first)).toEqual({});
    const seen = await look('big-spenders', {
      of: 'default',
      paidWhen: 'confirmations',
      count: '6',
      shortThen: 'review',
    });
    expect(words(seen)).toMatch(/There is none Version 1 Paid – Paid when every transfer has 6 confirmations/);
    expect(words(seen)).toMatch(/\d payments decided anew/);
    expect((await look('big-spenders', { of: 'nobodys', count: '1', paidWhen: 'confirmations' })).status).toBe(422);
    const saved = await save('big-spenders', { ...savingFields(seen), reason: 'For those who buy much.' });
    expect(saved.headers['location']).toBe('/ops/policies/default/big-spenders?saved=1');
    expect((await shop.api('GET', '/v1/policies/big-spenders')).body).toMatchObject({
      version: 1,
      paidWhen: { rule: 'confirmations', count: 6 },
    });
    expect(words(await get(shop, '/ops/policies', cookie))).toContain('big-spenders 1');
  });

  it('shows those who look only what would be, and lets them save nothing', async () => {
    const viewer = await logIn(shop, { password: 'test-view-password' });
    const seen = await look('default', { ...rules, shortTolerance: '33' }, viewer);
    expect([seen.status, savingFields(seen)]).toEqual([200, {}]);
    expect(words(seen)).toContain('You are logged in to look only.');
    expect(words(await get(shop, '/ops/policies', viewer))).not.toContain('A new policy for');
    const [, csrf = ''] = /name="csrf" value="([^"]+)"/.exec(seen.text) ?? [];
    const version = await versionOf('default');
    const tried = await save('default', { csrf, ...rules, basedOn: String(version), reason: 'Let me.' }, viewer);
    expect(tried.status).toBe(403);
    expect(await versionOf('default')).toBe(version);
  });

  it('A35 takes no form from elsewhere', async () => {
    const version = await versionOf('default');
    const fields = savingFields(await look('default', { ...rules, shortTolerance: '34' }));
    const reason = 'A reason that would do.';
    expect((await save('default', { ...fields, reason, csrf: 'x' })).status).toBe(403);
    const { csrf: _, ...without } = fields;
    expect((await save('default', { ...without, reason })).status).toBe(403);
    expect((await post(shop, '/ops/policies/default/default', { ...fields, reason })).status).toBe(401);
    expect((await save('inline', { ...fields, reason })).status).toBe(422);
    expect(await versionOf('default')).toBe(version);
  });
});

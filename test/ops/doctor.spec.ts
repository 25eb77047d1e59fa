import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { doctor } from '../../src/ops/doctor.cli.js';
import type { Finding } from '../../src/ops/finding.js';
import type { Workspace } from '../../src/ops/workspace.pg.js';
import { SystemClock } from '../../src/platform/clock.js';
import { readConfig } from '../../src/platform/config.js';
import { testDatabase, type TestDatabase } from '../support/database.js';
import { freePort } from '../support/service.js';

describe('The doctor', () => {
  let database: TestDatabase;
  let sandboxPort: number;
  beforeAll(async () => {
    database = await testDatabase();
    sandboxPort = await freePort();
  });
  afterAll(() => database.drop());

  const findings = async (environment: Record<string, string> = {}): Promise<Finding[]> => {
    const env = { SANDBOX_PORT: String(sandboxPort), ...environment };
    // It looks at no more of a workspace than this.
    const workspace = {
      config: readConfig(env),
      env,
      pool: database.pool,
      clock: new SystemClock(),
    } as unknown as Workspace;
    const report = await doctor(workspace);
    return 'json' in report ? (report.json as Finding[]) : [];
  };
  const finding = async (check: Finding['check'], environment = {}): Promise<Finding | undefined> =>
    (await findings(environment)).find((each) => each.check === check);

  it('tells of payments that have waited for a person for over a day, and which command lists them', async () => {
    expect(await finding('reviews')).toMatchObject({ status: 'ok', detail: 'no payment waits for a person' });
    const wait = (hours: number) =>
      database.pool.query(
        `insert into payment_view (payment_id, application_id, order_id, status, labels, amount, currency, fulfillable, fulfillment,
           created_at, version, state, review)
         select gen_random_uuid(), gen_random_uuid(), 'o', 'expired', '{}', 5, 'USD', false, 'none', now(), 1,
           json_build_object('payment', json_build_object('money', json_build_object('review',
             json_build_object('openedAt', now() - make_interval(hours => $1))))), 'open'`,
        [hours],
      );
    await wait(3);
    expect(await finding('reviews')).toMatchObject({
      status: 'ok',
      detail: '1 payments wait for a person, the oldest for 3 h',
    });
    await wait(30);
    expect(await finding('reviews')).toMatchObject({
      status: 'warn',
      detail: '2 payments wait for a person, the oldest for 30 h',
      advice: expect.stringContaining('finality review list'),
    });
  });

  it('looks at the disk where the embedded database is used, and only there', async () => {
    expect(await finding('disk', { DATA_DIR: '.' })).toMatchObject({
      detail: expect.stringMatching(/GB free \(\d+ %\)/),
    });
    expect(await finding('disk', { DATA_DIR: '.', DATABASE_URL: database.url })).toBeUndefined();
    expect(await finding('disk', { DATA_DIR: './no-such-directory' })).toBeUndefined();
  });

  it('counts the connections to the server', async () => {
    expect(await finding('connections')).toMatchObject({ detail: expect.stringMatching(/^\d+ of \d+ in use$/) });
  });

  it('names every follower that is stopped, under the one heading that the runbook has for them', async () => {
    await database.pool.query(`insert into subscription (name, error) values ('orders', 'planted'), ('looks', null)`);
    const followers = (await findings()).filter(({ check }) => check === 'followers');
    expect(followers.map(({ status, detail }) => [status, detail])).toEqual([
      ['ok', 'looks: 0 events behind'],
      ['fail', 'orders stopped after position 0: planted'],
    ]);
  });

  it('fails where the store is not as it was written, and warns where nobody has looked for a day', async () => {
    const looked = (hours: number, breaks: number) =>
      database.pool.query(
        `insert into verification values (now() - make_interval(hours => $1), now() - make_interval(hours => $1), 7, 2, $2, '[]')`,
        [hours, breaks],
      );
    expect(await finding('verification')).toMatchObject({ status: 'ok' });
    await looked(30, 0);
    expect(await finding('verification')).toMatchObject({
      status: 'warn',
      advice: expect.stringContaining('finality verify'),
    });
    await looked(2, 0);
    expect(await finding('verification')).toMatchObject({
      status: 'ok',
      detail: expect.stringContaining('7 events and 2'),
    });
    await looked(1, 3);
    expect(await finding('verification')).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('3 places'),
    });
  });

  it('warns where the newest matched day differs, and where none was made for a day', async () => {
    const made = (day: string, hours: number, differences: number) =>
      database.pool.query(
        `insert into match_report (day, claimed_until, made_at, complete, compared, difference_count, explained_count)
         values ($1, now(), now() - make_interval(hours => $2), true, '{"payments": 3}', $3, 0)`,
        [day, hours, differences],
      );
    expect(await finding('match')).toMatchObject({ status: 'ok' });
    await made('2026-01-01', 40, 0);
    expect(await finding('match')).toMatchObject({
      status: 'warn',
      detail: expect.stringContaining('none was made since'),
    });
    await made('2026-01-02', 1, 2);
    expect(await finding('match')).toMatchObject({
      status: 'warn',
      advice: 'See them: finality match --day 2026-01-02',
    });
    await made('2026-01-03', 1, 0);
    expect(await finding('match')).toMatchObject({ status: 'ok' });
  });

  it('warns where real payments are not sealed, for there is no key', async () => {
    const real = { GATEWAY: 'oxapay', PUBLIC_URL: 'https://pay.shop.example', OXAPAY_MERCHANT_API_KEY: 'merchant-key' };
    const keys = { OXAPAY_PAYOUT_API_KEY: 'payout-key-1', API_KEY: 'k'.repeat(40), OPS_PASSWORD: 'p'.repeat(12) };
    const base = { ...real, ...keys, OXAPAY_BASE_URL: `http://127.0.0.1:${String(sandboxPort)}` };
    expect(await finding('checkpoints', base)).toMatchObject({
      status: 'warn',
      advice: expect.stringContaining('CHECKPOINT_KEY'),
    });
    expect(await finding('checkpoints')).toMatchObject({ status: 'ok' });
  });

  it('goes on where one thing cannot be looked at', async () => {
    // Nothing has made the tables of the jobs here.
    const all = await findings();
    expect(all.find(({ check }) => check === 'jobs')).toMatchObject({ status: 'fail' });
    expect(all.at(-1)).toMatchObject({ check: 'match', status: 'ok' });
  });
});

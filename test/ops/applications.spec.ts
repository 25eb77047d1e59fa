import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { apiKey, startTestService, type TestService } from '../support/service.js';
import { finalityBeside, inProduction } from './command-process.js';

// Each command is a process, and there are several in one test.
jest.setTimeout(60_000);

describe('Applications, from the command line', () => {
  let shop: TestService;
  let finality: ReturnType<typeof finalityBeside>;
  beforeAll(async () => {
    shop = await startTestService();
    finality = finalityBeside(shop);
  });
  afterAll(() => shop.close());

  const statusWith = async (key: string): Promise<number> =>
    (await shop.api('GET', '/v1/payments', undefined, { authorization: `Bearer ${key}` })).status;
  const recorded = async (applicationId: string): Promise<object[]> => {
    const text = 'select type, actor, tenant, data from event where stream_id = $1 order by version';
    return (await shop.database.pool.query<object>(text, [applicationId])).rows;
  };
  const operator = expect.stringMatching(/^operator:.+@.+$/);

  it('are created with a key that is shown once and works at once; who did it is on record', async () => {
    const { code, json } = await finality('applications', 'create', 'webshop', '--json');
    expect([code, json.key]).toEqual([0, expect.stringMatching(/^fin_[\w-]{43}$/)]);
    expect(await statusWith(json.key)).toBe(200);
    const { out } = await finality('applications', 'list');
    expect(out).toContain(`${String(json.id)}  webshop\n    ${String(json.key).slice(0, 8)}…`);
    expect(out).not.toContain(json.key);
    expect(await recorded(json.id)).toEqual([
      {
        type: 'ApplicationCreated',
        actor: operator,
        tenant: '00000000-0000-0000-0000-000000000000',
        data: { name: 'webshop', at: expect.any(String) },
      },
    ]);
    const { rows } = await shop.database.pool.query('select data::text from event union all select hint from api_key');
    expect(JSON.stringify(rows)).not.toContain(json.key);
  });

  it('exist once by name', async () => {
    const again = await finality('applications', 'create', 'default');
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('There is an application "default" already')]);
    const odd = await finality('applications', 'create', 'Web Shop');
    expect([odd.code, odd.err]).toEqual([64, expect.stringContaining('1 to 64 lower-case letters')]);
  });

  it('get a new key while the old one works for a while, and is then ended', async () => {
    const { json: made } = await finality('applications', 'create', 'two-keys', '--json');
    const { code, json } = await finality('applications', 'rotate-key', 'two-keys', '--keep-old-for', '60', '--json');
    expect(code).toBe(0);
    expect([await statusWith(made.key), await statusWith(json.key)]).toEqual([200, 200]);
    expect((await finality('applications', 'list')).out).toMatch(
      /two-keys\n.* since .*, ends \d{4}.*\n.* since [^,]*\n/,
    );
    shop.clock.advance(3601);
    expect([await statusWith(made.key), await statusWith(json.key)]).toEqual([401, 200]);
    expect(await recorded(made.id)).toMatchObject([
      { type: 'ApplicationCreated' },
      { type: 'ApplicationKeyRotated', actor: operator, data: { oldKeysEndAt: expect.any(String) } },
    ]);
  });

  it('C01: keep their key on production until --yes is given; then it ends within two seconds', async () => {
    const production = finalityBeside(shop, inProduction(shop));
    const planned = await production('applications', 'rotate-key', 'default');
    expect([planned.code, planned.out]).toEqual([
      1,
      expect.stringContaining('default would get a new key:\n  bootstrap would end now'),
    ]);
    expect(planned.out).not.toContain('fin_');
    const done = await production('applications', 'rotate-key', 'default', '--yes');
    expect([done.code, done.out]).toEqual([0, expect.stringContaining('set API_KEY to the new one')]);
    shop.clock.advance(3);
    const key = /^fin_[\w-]{43}$/m.exec(done.out)?.[0] ?? '';
    expect([await statusWith(apiKey), await statusWith(key)]).toEqual([401, 200]);
  });

  it('are followed past: their record stops no reader of the log', async () => {
    const { rows } = await shop.database.pool.query('select name from subscription where error is not null');
    expect(rows).toEqual([]);
  });

  it.each([
    [['rotate-key', 'nobody'], 1, 'There is no application "nobody"'],
    [['rotate-key', 'default', '--keep-old-for', '-1'], 64, '--keep-old-for takes a whole number'],
    [
      ['rotate-key', 'default', '--key', 'fin_abcdefghijklmnopqrstuvwxyz'],
      64,
      'a secret does not belong in an argument',
    ],
    [['create'], 64, 'missing required argument'],
  ])('C04: %j ends with %d and a sentence', async (args, exit, sentence) => {
    const { code, err } = await finality('applications', ...args);
    expect([code, err]).toEqual([exit, expect.stringContaining(sentence)]);
  });
});

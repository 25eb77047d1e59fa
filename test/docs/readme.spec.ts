import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { startTestService, until, type Answer, type TestService } from '../support/service.js';

// Each command is a process, and there are seven in one test.
jest.setTimeout(60_000);

const begin = '<!-- explain: begin -->';
const end = '<!-- explain: end -->';

/** What the README shows of `explain`: played over HTTP, printed by the command, with the times made equal. */
describe('The README shows what `explain` says', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  const play = async (scenario: string, wish: Record<string, unknown> = {}): Promise<string> => {
    const { body } = await shop.api('POST', '/v1/payments', {
      orderId: scenario,
      amount: '50.00',
      currency: 'USD',
      ...wish,
    });
    await shop.control(`/_sandbox/scenarios/${scenario}`, { trackId: body.trackId as string });
    return body.id as string;
  };
  const becomes = (id: string, when: (payment: Answer['body']) => boolean): Promise<unknown> =>
    until(async () => when((await shop.api('GET', `/v1/payments/${id}`)).body), 10_000);
  const later = (seconds: number): Promise<unknown> => shop.control('/_sandbox/clock/advance', { seconds });

  const explain = (id: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const env = {
        ...process.env,
        NODE_OPTIONS: '',
        DATABASE_URL: shop.database.url,
        SANDBOX_PORT: String(shop.config.sandboxPort),
      };
      execFile(process.execPath, ['dist/cli.js', 'explain', id], { env, timeout: 15_000 }, (error, out) => {
        if (error) reject(new Error(error.message));
        else resolve(shown(out));
      });
    });

  it('for each scenario of the sandbox with money that does not fit', async () => {
    const blocks: string[] = [];
    const show = async (heading: string, id: string): Promise<void> => {
      blocks.push(`${heading}\n\n\`\`\`text\n${await explain(id)}\n\`\`\``);
    };

    const short = await play('underpaid', {
      customerId: 'customer-7',
      policy: { underpayment: { tolerancePercent: '0', then: 'partial_credit' } },
    });
    await becomes(short, ({ progress }) => progress === 'partially_paid');
    await show('`underpaid`, while the payer can still send the rest:', short);

    const topped = await play('topped_up');
    await becomes(topped, ({ fulfillable }) => fulfillable === true);
    await show('`topped_up`:', topped);

    const over = await play('overpaid', { customerId: 'customer-7' });
    await becomes(over, ({ labels }) => (labels as string[]).includes('credited'));
    await show('`overpaid`, with a customer and the default policy:', over);

    const mixed = await play('mixed');
    await becomes(mixed, ({ fulfillable }) => fulfillable === true);
    await show('`mixed`, in two coins:', mixed);

    await later(3700);
    await becomes(short, ({ labels }) => (labels as string[]).includes('credited'));
    await show('`underpaid`, after the deadline, where the policy says `partial_credit`:', short);

    const late = await play('late');
    await later(900);
    await becomes(late, ({ progress }) => progress === 'in_review');
    await show('`late`, with the default policy:', late);

    const conflict = await play('conflicting');
    await until(async () => (await shop.api('GET', `/v1/payments/${conflict}`)).body.status === 'paid');
    await later(900);
    await becomes(conflict, ({ progress }) => progress === 'in_review');
    await show('`conflicting`: a callback says paid, the gateway itself does not:', conflict);

    await expectInReadme(blocks.join('\n\n'));
  });
});

/** The events that prove it differ from run to run by which witness was first; their count says nothing here. */
const shown = (out: string): string =>
  out
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('  evidence'))
    .join('\n')
    .replace(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, '2026-01-31T12:00:00.000Z');

async function expectInReadme(text: string): Promise<void> {
  const readme = await readFile('README.md', 'utf8');
  const [before = '', rest = ''] = readme.split(begin);
  const [, after = ''] = rest.split(end);
  const wanted = `${before}${begin}\n\n${text}\n\n${end}${after}`;
  if (process.env['UPDATE_DOCS'] === '1') await writeFile('README.md', wanted);
  expect(await readFile('README.md', 'utf8')).toBe(wanted);
}

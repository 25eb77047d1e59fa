import { execFile } from 'node:child_process';
import { appendFile, cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cruiser = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

interface Violation {
  from: string;
  to: string;
  rule: { name: string };
}

/** Runs the import rules over the `src` of a checkout. */
const violationsIn = (directory: string): Promise<Violation[]> =>
  new Promise((resolve, reject) => {
    const args = [cruiser, '--config', '.dependency-cruiser.mjs', '--output-type', 'json', 'src'];
    // The test run's own options are not the tool's.
    const options = { cwd: directory, env: { ...process.env, NODE_OPTIONS: '' }, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, args, options, (_failure, stdout, stderr) => {
      try {
        const { summary } = JSON.parse(stdout) as { summary: { violations: Violation[]; totalCruised: number } };
        if (summary.totalCruised < 100) throw new Error(`only ${summary.totalCruised} files were looked at`);
        resolve(summary.violations);
      } catch (error) {
        reject(new Error(`the import rules did not run: ${stderr}`, { cause: error }));
      }
    });
  });

/** Wrong imports: the file that has one, what it imports, and the rule that must say so. */
const wrong: [file: string, imported: string, rule: string][] = [
  ['kernel/planted-upward.ts', '../platform/clock.js', 'rank-0-imports-only-down'],
  ['kernel/planted-node.ts', 'node:crypto', 'kernel-is-alone'],
  ['kernel/planted-package.ts', 'big.js', 'kernel-is-alone'],
  ['platform/planted-upward.ts', '../payments/policy.js', 'rank-1-imports-only-down'],
  ['payments/planted-upward.ts', '../gateway/wire.js', 'rank-2-imports-only-down'],
  ['deposits/planted-upward.ts', '../customers/credit.js', 'rank-3-imports-only-down'],
  ['gateway/planted-sideways.ts', '../fulfillment/fulfillment.js', 'rank-4-imports-only-down'],
  ['gateway/planted-store.ts', '../platform/event-store/event-store.pg.js', 'gateway-stores-nothing'],
  ['gateway/planted-handlers.client.ts', '../payments/payment.handlers.js', 'neighbours-take-pure-files'],
  ['fulfillment/planted-streams.pg.ts', '../payments/payment-streams.pg.js', 'neighbours-take-pure-files'],
  ['read-models/planted-upward.ts', '../api/answers.js', 'rank-5-imports-only-down'],
  ['read-models/planted-gateway.ts', '../gateway/wire.js', 'read-models-read'],
  ['read-models/planted-handlers.ts', '../payments/payment.handlers.js', 'read-models-read'],
  ['api/planted-sideways.ts', '../ops/health.controller.js', 'rank-6-imports-only-down'],
  ['api/planted-gateway.ts', '../gateway/oxapay.client.js', 'api-asks-others'],
  ['api/planted-sql.ts', 'pg', 'api-asks-others'],
  ['reconciliation/planted-gateway.ts', '../gateway/oxapay.client.js', 'reconciliation-uses-the-port'],
  ['sandbox/planted-wire.ts', '../gateway/wire.js', 'sandbox-stands-alone'],
  ['sandbox/planted-payments.ts', '../payments/policy.js', 'sandbox-stands-alone'],
  ['sandbox/planted-store.ts', '../platform/event-store/event-store.pg.js', 'sandbox-stands-alone'],
  ['ops/planted-start.ts', '../main.js', 'nobody-imports-a-start'],
  ['ops/planted-composition.ts', '../app.module.js', 'nobody-imports-the-composition'],
  ['ops/planted-files.ts', 'node:fs/promises', 'pure-files-stay-pure'],
  ['ops/planted-tests.ts', 'fast-check', 'packages-are-declared'],
  ['ops/planted-nowhere.ts', './there-is-no-such-file.js', 'imports-resolve'],
  ['payments/transfers.ts', 'uuid', 'decisions-are-pure'],
  ['payments/policy.ts', './payment.handlers.js', 'decisions-are-pure'],
  ['kernel/money.ts', './planted-cycle.js', 'no-cycles'],
];

/** A copy of the source with every wrong import in it. */
const copyWithWrongImports = async (): Promise<string> => {
  const copy = await mkdtemp(join(tmpdir(), 'finality-spec-'));
  for (const name of ['src', 'package.json', 'tsconfig.json', '.dependency-cruiser.mjs']) {
    await cp(join(root, name), join(copy, name), { recursive: true });
  }
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  await writeFile(join(copy, 'src/kernel/planted-cycle.ts'), "export * from './money.js';\n");
  for (const [file, imported] of wrong) await appendFile(join(copy, 'src', file), `export * from '${imported}';\n`);
  await writeFile(
    join(copy, 'src/platform/planted-type.ts'),
    "export type { Payment } from '../payments/payment.js';\n",
  );
  return copy;
};

describe('The import rules', () => {
  it('hold for every file of the service', async () => {
    expect((await violationsIn(root)).map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`)).toEqual([]);
  }, 60_000);

  it('catch an import that goes up, sideways, or out of bounds', async () => {
    const copy = await copyWithWrongImports();
    const found = (await violationsIn(copy)).map(({ rule, from }) => `${from}: ${rule.name}`);
    await rm(copy, { recursive: true, force: true });
    const expected = wrong.map(([file, , rule]) => `src/${file}: ${rule}`);
    expect(expected.filter((violation) => !found.includes(violation))).toEqual([]);
    expect(found).toContain('src/platform/planted-type.ts: rank-1-imports-only-down');
  }, 60_000);
});

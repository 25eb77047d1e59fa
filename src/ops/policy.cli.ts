import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { Refusal } from '../kernel/refusal.js';
import { isUuid } from '../kernel/ids.js';
import { RandomIds } from '../platform/ids.js';
import { createPool } from '../platform/database/database.pg.js';
import { defaultPolicy, type PolicyRules } from '../payments/policy.js';
import { Policies } from '../payments/policies.pg.js';
import { readPolicyRules } from '../payments/policy-text.js';
import { Simulations, type Simulation } from '../payments/simulations.pg.js';
import type { ChangedPayment, Sums, Totals } from '../payments/what-if.js';
import { counted, withExamples, type Report, type Run, type Terminal } from './command.cli.js';
import { instantIn, limitIn } from './arguments.cli.js';
import type { Workspace } from './workspace.pg.js';

interface SimulateOptions {
  with: string;
  from?: string;
  to?: string;
  application?: string;
  limit: string;
  json?: boolean;
}

/** Adds `policy simulate`: what the past would have been under another policy. */
export function policyCommand(cli: Command, run: Run): void {
  const policy = cli.command('policy').description('policies: what the past would have been under another one');
  const simulate = policy
    .command('simulate <name>')
    .description('decides past payments that carried this policy anew, by the rules in a file; changes nothing')
    .requiredOption(
      '--with <file>',
      'JSON with the clauses that differ from the policy as it is now; "-" is standard input',
    )
    .option('--from <time>', 'payments created at this RFC 3339 time or later')
    .option('--to <time>', 'payments created before this RFC 3339 time')
    .option('--application <name|id>', 'of this application only')
    .option('--limit <n>', 'how many of the payments that differ are listed, up to 100000', '50')
    .option('--json', 'one JSON value')
    .action((name: string, options: SimulateOptions) =>
      run(options, (workspace, terminal) => simulatePolicy(workspace, terminal, name, options)),
    );
  withExamples(
    simulate,
    'policy simulate default --with tolerant.json',
    'policy simulate standard --with careful.json --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z --json',
    `policy simulate default --with - <<< '{"underpayment": {"tolerancePercent": "1.5", "then": "reject"}}'`,
  );
}

async function simulatePolicy(
  workspace: Workspace,
  terminal: Terminal,
  name: string,
  options: SimulateOptions,
): Promise<Report> {
  const application = await applicationIn(workspace, options.application);
  const rules = await rulesIn(options.with, await rulesNow(workspace, name, application));
  const request = {
    policy: name,
    rules,
    applicationId: options.application === undefined ? null : application,
    ...(options.from === undefined ? {} : { from: instantIn(options.from, '--from') }),
    ...(options.to === undefined ? {} : { to: instantIn(options.to, '--to') }),
  };
  const total = await estimatedEvents(workspace);
  const progress = terminal.progress('simulate', 'events');
  // A page of a large past may take the database longer than a request is allowed to.
  const pool = createPool(workspace.databaseUrl, { max: 2, statementTimeoutMs: 60_000 });
  try {
    const found = await new Simulations(pool, workspace.clock).run(request, {
      listed: limitIn(options.limit, 100_000, 0),
      withinMs: null,
      signal: terminal.signal,
      onProgress: (_, events) => {
        progress.update(events, Math.max(total, events));
      },
      pageSize: 4000,
    });
    const { next: _, ...simulation } = found;
    return { ok: true, json: { name, policy: rules, ...simulation }, text: describe(name, found) };
  } finally {
    progress.end();
    await pool.end();
  }
}

async function rulesIn(file: string, now: PolicyRules): Promise<PolicyRules> {
  const text = file === '-' ? await standardInput() : await readFile(file, 'utf8').catch(unreadable(file));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal('malformed_request', `${file === '-' ? 'standard input' : file} is not JSON.`);
  }
  return readPolicyRules(value, now);
}

const unreadable =
  (file: string) =>
  (error: unknown): never => {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new Refusal('malformed_request', `${file} cannot be read (${reason}).`);
  };

const longest = 64 * 1024;

async function standardInput(): Promise<string> {
  let text = '';
  for await (const piece of process.stdin.setEncoding('utf8')) {
    text += String(piece);
    if (text.length > longest) throw new Refusal('malformed_request', 'A policy has 64 KiB at most.');
  }
  return text;
}

/** The application that is named, or the only one that there is; null where it is one of many. */
async function applicationIn({ pool }: Workspace, named: string | undefined): Promise<string | null> {
  const { rows } = await pool.query<{ id: string }>(
    'select id from application where $1::text is null or name = $1 or id = $2 limit 2',
    [named, named !== undefined && isUuid(named) ? named : null],
  );
  if (named === undefined) return rows.length === 1 ? (rows[0]?.id ?? null) : null;
  if (rows[0]) return rows[0].id;
  throw new Refusal('not_found', `There is no application "${named.slice(0, 64)}".`);
}

/** The policy as it is now: it has the clauses that are left out. Where many applications have one, the built-in default. */
async function rulesNow({ store, clock }: Workspace, name: string, applicationId: string | null): Promise<PolicyRules> {
  const policies = new Policies(store, clock, new RandomIds());
  const now = applicationId === null ? null : await policies.current(applicationId, name);
  return (now ?? defaultPolicy).rules;
}

/** What the planner believes; it is told as the total until more than that has been read. */
async function estimatedEvents({ pool }: Workspace): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `select greatest(reltuples, 0)::bigint as n from pg_class where oid = 'event'::regclass`,
  );
  return rows[0]?.n ?? 0;
}

function describe(name: string, { payments, events, differing, transitions, totals, changed }: Simulation): string {
  const lines = [
    `${counted(payments)} payments under "${name}" (${counted(events)} events) decided anew: ${counted(differing)} would stand differently.`,
    ...transitions.map(({ from, to, payments: n }) => `  ${from} → ${to}: ${counted(n)}`),
    ...totals.flatMap(describeTotals),
  ];
  if (changed.length > 0) lines.push('', ...changed.map(describeChange));
  if (differing > changed.length)
    lines.push(`  and ${counted(differing - changed.length)} more: raise --limit to list them.`);
  return lines.join('\n');
}

const sumNames = ['paid', 'inReview', 'received', 'applied', 'kept', 'credited', 'returned', 'unallocated'] as const;

function describeTotals({ currency, payments, actual, simulated }: Totals): string[] {
  const row = (name: keyof Sums): string =>
    `  ${name.padEnd(12)}${String(actual[name]).padStart(18)}${String(simulated[name]).padStart(18)}`;
  return [
    '',
    `${currency}, ${counted(payments)} payments`,
    `  ${''.padEnd(12)}${'as it was'.padStart(18)}${'simulated'.padStart(18)}`,
    ...sumNames.map(row),
    ...(actual.worthUnknown + simulated.worthUnknown > 0 ? [row('worthUnknown')] : []),
  ];
}

function describeChange({ paymentId, orderId, amount, currency, actual, simulated, differs }: ChangedPayment): string {
  const stands = ({ status, review }: ChangedPayment['actual']): string =>
    review.length > 0 ? `${status} (${review.join(', ')})` : status;
  return `  ${paymentId}  ${orderId}  ${amount} ${currency}: ${stands(actual)} → ${stands(simulated)} [${differs.join(', ')}]`;
}

import type { Command } from 'commander';
import { Refusal } from '../kernel/refusal.js';
import { withOperatorLock } from '../platform/database/operator-lock.pg.js';
import { DailyMatch } from '../reconciliation/daily-match.job.js';
import { dayBefore, dayOf, isDay } from '../reconciliation/match-day.js';
import { MatchReports } from '../reconciliation/match-reports.pg.js';
import type { Difference, MatchReport, Total } from '../reconciliation/match.js';
import { Clock } from '../kernel/clock.js';
import { limitIn } from './arguments.cli.js';
import { counted, withExamples, type Report, type Run, type Terminal } from './command.cli.js';
import type { Workspace } from './workspace.pg.js';

interface MatchOptions {
  day?: string;
  json?: boolean;
}

/** Adds `match` and `match list`: the daily match of our events, the gateway's history and the ledger. */
export function matchCommand(cli: Command, run: Run): void {
  const match = cli
    .command('match')
    .description(
      "holds our events, the gateway's history and the ledger of a day against each other; exits with 1 where they differ",
    ) // prettier-ignore
    .option('--day <day>', 'a UTC day such as 2026-01-31; yesterday unless given')
    .option('--json', 'one JSON value')
    .action((options: MatchOptions) => run(options, (workspace, terminal) => matchDay(workspace, terminal, options)));
  withExamples(match, 'match', 'match --day 2026-01-31 --json', 'match list');
  const list = match
    .command('list')
    .description('the reports that were made, the newest days first')
    .option('--limit <n>', '1 to 1000', '31')
    .option('--json', 'one JSON value')
    // The option bears the same name in both commands, and the outer one takes it.
    .action((_: object, command: Command) => {
      const options = command.optsWithGlobals<{ limit: string; json?: boolean }>();
      return run(options, (workspace) => listMatches(workspace, options.limit));
    });
  withExamples(list, 'match list --limit 7');
}

async function matchDay(workspace: Workspace, terminal: Terminal, options: MatchOptions): Promise<Report> {
  const { day: wanted } = options;
  if (wanted !== undefined && !isDay(wanted))
    throw new Refusal('malformed_request', '--day takes a UTC day such as 2026-01-31.');
  const commands = await workspace.commands();
  const today = dayOf(commands.get(Clock).now());
  const day = wanted ?? dayBefore(today);
  if (day > today) throw new Refusal('malformed_request', `--day: ${day} has not begun yet.`);
  const report = await withOperatorLock(workspace.databaseUrl, `match of ${day}`, async () => {
    const progress = terminal.progress(`match of ${day}`, 'payments');
    const made = await commands.get(DailyMatch).make(day, {
      signal: terminal.signal,
      onStep: (payments) => progress.update(payments, null),
    });
    progress.end();
    // What a day that still goes on leaves open would be taken for its report.
    if (made.complete) await commands.get(MatchReports).keep(made);
    return made;
  });
  return { ok: report.differenceCount === 0, json: report, text: describe(report) };
}

function describe(report: MatchReport): string {
  const { day, complete, compared, differences, differenceCount, explainedCount } = report;
  const { payments, refunds, credits } = compared;
  const verdict =
    differenceCount === 0
      ? 'No difference.'
      : differenceCount === 1
        ? '1 difference:'
        : `${counted(differenceCount)} differences:`;
  const more = differenceCount - differences.length;
  return [
    `${day}${complete ? '' : ' (the day has not ended: what is under way may differ; not kept)'}: ${counted(payments)} payments, ${counted(refunds)} refunds and payouts, ${counted(credits)} payments with credit.`,
    ...tableOf(report.totals),
    `Explained, no difference: ${counted(explainedCount)}${explainedCount > 0 ? ` (${codesOf(report)})` : ''}.`,
    verdict,
    ...differences.flatMap(linesOf),
    ...(more > 0 ? [`and ${counted(more)} more.`] : []),
  ].join('\n');
}

const names: Readonly<Record<Total['what'], string>> = {
  invoiced: 'invoiced, at the gateway',
  received: 'received, at the gateway',
  refunded: 'refunded, at the gateway',
  credit_granted: 'credit given, in the ledger',
  credit_applied: 'credit spent, in the ledger',
  credit_released: 'credit returned, in the ledger',
};

const tableOf = (totals: readonly Total[]): string[] =>
  totals.map(
    ({ what, currency, here, there }) =>
      `  ${here === there ? '=' : '≠'} ${currency.padEnd(6)} here ${here.padStart(16)}   there ${there.padStart(16)}   ${names[what]}`,
  );

function codesOf({ explained }: MatchReport): string {
  const counts = new Map<string, number>();
  for (const { code } of explained) counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts].map(([code, count]) => `${code} ${counted(count)}`).join(', ');
}

const linesOf = ({ kind, paymentId, trackId, here, there, sentence, advice }: Difference): string[] => [
  `- ${kind}: payment ${paymentId ?? '–'}, track id ${trackId ?? '–'}`,
  `    ${sentence}`,
  `    here: ${here}; there: ${there}`,
  `    → ${advice}`,
];

async function listMatches({ pool }: Workspace, text: string): Promise<Report> {
  const limit = limitIn(text);
  const reports = await new MatchReports(pool).list(limit);
  const lines = reports.map(
    ({ day, madeAt, payments, differences, explained }) =>
      `${day}  ${differences === 0 ? 'ok  ' : 'DIFF'}  ${counted(payments)} payments, ${counted(differences)} differences, ${counted(explained)} explained; made ${madeAt}`,
  );
  return { ok: true, json: reports, text: lines.length === 0 ? 'No report was made yet.' : lines.join('\n') };
}

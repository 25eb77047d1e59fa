import { InvalidArgumentError, type Command } from 'commander';
import { evolve, type Payment } from '../payments/payment.js';
import { readPaymentEvent } from '../payments/payment-stream.js';
import { asItWas } from '../payments/time-travel.js';
import { isFulfillable, labelsOf, progressOf } from '../payments/standing.js';
import { blastRadius } from './blast-radius.cli.js';
import { withExamples, type Report, type Run } from './command.cli.js';
import { momentIn } from './explain.cli.js';
import { rebuildProjections, type RebuildCommand } from './rebuild.cli.js';
import type { Workspace } from './workspace.pg.js';

interface ReplayOptions extends Omit<RebuildCommand, 'projection'> {
  projection?: string;
  payment?: string;
  asOf?: string;
  diff?: boolean;
}

export function replayCommand(cli: Command, run: Run): void {
  const replay = cli
    .command('replay')
    .description(
      'rebuilds read models from the events beside the live ones and swaps them, or folds one payment; emits no outside effect',
    )
    .option('--projection <name>', 'the read model, or "all"')
    .option('--payment <id>', 'one payment, event by event')
    .option('--as-of <when>', 'with --payment: up to this version or RFC 3339 time')
    .option('--from <position>', 'with --projection: build anew only what events from here on change', positive)
    .option('--verify', 'with --projection: print how the live tables differ, then swap')
    .option('--dry-run', 'with --projection: print how the live tables differ, and swap nothing')
    .option('--restart', 'with --projection: begin anew where an earlier run did not end')
    .option('--rate <events>', 'with --projection: events a second at most, and more than are appended', positive)
    .option('--yes', 'with --projection: swap in production too')
    .option(
      '--diff',
      'every payment whose state would be another by this code than the one that is stored; writes nothing',
    )
    .option('--json', 'one JSON value')
    .action(async (options: ReplayOptions, command: Command) => {
      const { projection, payment, asOf, diff = false } = options;
      if (diff) {
        if (projection !== undefined || payment !== undefined)
          command.error('error: --diff looks at all payments: it goes without --projection and --payment');
        await run(options, (workspace, terminal) => blastRadius(workspace, terminal, options));
        return;
      }
      if ((projection === undefined) === (payment === undefined))
        command.error('error: give one of --projection, --payment and --diff');
      if (payment !== undefined) await run(options, (workspace) => replayPayment(workspace, payment, asOf));
      else
        await run(options, (workspace, terminal) =>
          rebuildProjections(workspace, terminal, { ...options, projection: projection ?? 'all' }),
        );
    });
  withExamples(
    replay,
    'replay --projection orders --dry-run',
    'replay --projection orders --verify --rate 5000',
    'replay --diff --json',
    'replay --payment 0198c0de-… --as-of 3',
  );
}

function positive(text: string): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (number < 1) throw new InvalidArgumentError('It takes a whole number from 1 on.');
  return number;
}

interface Step {
  version: number;
  at: string;
  event: string;
  status: string | null;
  progress: string | null;
  labels: string[];
  fulfillable: boolean;
}

/** Folds one stream and prints each step. */
async function replayPayment(workspace: Workspace, id: string, asOf: string | undefined): Promise<Report> {
  const { events } = await workspace.payment(id);
  const wanted = asOf === undefined ? events : asItWas(events, momentIn(asOf)).events;
  let payment: Payment | null = null;
  const steps: Step[] = [];
  for (const event of wanted) {
    payment = evolve(payment, readPaymentEvent(event));
    steps.push({
      version: event.version,
      at: event.recordedAt,
      event: event.type,
      status: payment?.status ?? null,
      progress: payment && progressOf(payment),
      labels: payment ? labelsOf(payment) : [],
      fulfillable: payment !== null && isFulfillable(payment),
    });
  }
  const text = steps
    .map(
      (step) =>
        `${String(step.version).padStart(3)}  ${step.at}  ${step.event.padEnd(20)} → ${step.status ?? '-'} / ${step.progress ?? '-'} [${step.labels.join(', ')}]${step.fulfillable ? ' fulfillable' : ''}`,
    )
    .join('\n');
  return { ok: true, json: { steps, payment }, text };
}

import type { Command } from 'commander';
import { Refusal } from '../kernel/refusal.js';
import { evolve, type Payment } from '../payments/payment.js';
import { readPaymentEvent } from '../payments/payment-stream.js';
import { asItWas } from '../payments/time-travel.js';
import { isFulfillable, labelsOf, progressOf } from '../payments/standing.js';
import { rebuild, type RebuildResult } from '../platform/subscriptions/rebuild.pg.js';
import type { Projection } from '../platform/subscriptions/projection.js';
import { OrderProjection } from '../read-models/order-projection.pg.js';
import { blastRadius } from './blast-radius.cli.js';
import { withExamples, type Report, type Run, type Terminal } from './command.cli.js';
import { momentIn } from './explain.cli.js';
import type { Workspace } from './workspace.pg.js';

/** Every read model that can be rebuilt. A reactor (fulfilment, webhooks) is no projection and cannot be listed here. */
const projections: readonly Projection[] = [new OrderProjection()];

interface ReplayOptions {
  projection?: string;
  payment?: string;
  asOf?: string;
  dryRun?: boolean;
  diff?: boolean;
  json?: boolean;
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
    .option('--dry-run', 'with --projection: compare with the live tables, and swap nothing')
    .option(
      '--diff',
      'every payment whose state would be another by this code than the one that is stored; writes nothing',
    )
    .option('--json', 'one JSON value')
    .action(async (options: ReplayOptions, command: Command) => {
      const { projection, payment, asOf, dryRun = false, diff = false } = options;
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
          replayProjections(workspace, terminal, projection ?? 'all', dryRun),
        );
    });
  withExamples(
    replay,
    'replay --projection orders --dry-run',
    'replay --diff --json',
    'replay --payment 0198c0de-… --as-of 3',
  );
}

/** Rebuilds read models beside the live ones and swaps them. */
async function replayProjections(
  workspace: Workspace,
  terminal: Terminal,
  name: string,
  dryRun: boolean,
): Promise<Report> {
  const chosen = projections.filter((projection) => name === 'all' || projection.name === name);
  if (chosen.length === 0) {
    throw new Refusal(
      'not_found',
      `There is no projection "${name.slice(0, 64)}"; there are: ${projections.map((each) => each.name).join(', ')}, all.`,
    );
  }
  const results: (RebuildResult & { projection: string })[] = [];
  for (const projection of chosen) {
    const progress = terminal.progress(projection.name, 'events');
    const result = await rebuild(workspace.databaseUrl, projection, {
      dryRun,
      onProgress: ({ position, total }) => {
        progress.update(position, total);
      },
    });
    progress.end();
    results.push({ projection: projection.name, ...result });
  }
  const ok = results.every((result) => result.tables.every((table) => table.same));
  return { ok, json: results, text: results.map((result) => describe(result, dryRun)).join('\n') };
}

function describe(
  { projection, events, position, tables }: RebuildResult & { projection: string },
  dryRun: boolean,
): string {
  const head = `${projection}: ${String(events)} events up to position ${String(position)} ${dryRun ? 'compared' : 'replayed and swapped in'}`;
  const lines = tables.map((table) =>
    table.same
      ? `  ${table.table}: same, ${String(table.live.rows)} rows`
      : `  ${table.table}: DIFFERS, ${String(table.live.rows)} rows live, ${String(table.rebuilt.rows)} rebuilt`,
  );
  return [head, ...lines].join('\n');
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
